"""Where a rebuild stands, kept in the target itself: a kit that is killed anywhere goes on from there.

The folder of the kit may be another one at the next start, the server is the same. An intent is written before a
database is made, and its oid afterwards, so that nothing is ever dropped that this kit did not make.
"""

import json
import secrets
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, cast

from flexvault.domain.errors import ConflictError
from flexvault.domain.sql_text import quote_literal
from flexvault.kit.client import APPLICATION_NAME, Client, ClientError
from flexvault.kit.outcome import Outcome, dump_outcomes, load_outcomes

DATABASE: Final = "flexvault_rebuild"
"""Holds the rows while a rebuild is at work: an administrator without superuser may not write in `postgres`."""

SCHEMA: Final = "flexvault_rebuild"
"""In a database while its data is loaded."""

ROLES: Final = ""
"""Name of the row about the roles; no database has it."""

type State = Literal["intent", "made", "data", "loaded", "done"]

_LOCK: Final = 7_380_964_220
_LOCK_WITHIN_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.05
_TABLE: Final = "public.progress"
_MAKE: Final = f"""CREATE TABLE IF NOT EXISTS {_TABLE} (kit text NOT NULL, name text PRIMARY KEY,
choice text NOT NULL, state text NOT NULL, mark bigint, outcomes text NOT NULL)"""
_TAKE_LOCK: Final = f"""
DO $flexvault$ BEGIN IF NOT pg_catalog.pg_try_advisory_lock({_LOCK}) THEN
  RAISE EXCEPTION 'another rebuild is at work'; END IF; END $flexvault$;
SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'idle_session_timeout';
""".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is known of one database, or of the roles.

    Attributes:
        choice: What was chosen of it, as text; another choice is another database.
        mark: Oid of the database that this kit made.
    """

    kit: str
    name: str
    choice: str
    state: State
    mark: int | None
    outcomes: tuple[Outcome, ...]


class Progress:
    """The rows of one kit."""

    def __init__(self, client: Client, kit: str) -> None:
        self._client, self._kit = client, kit

    def read(self) -> dict[str, Row]:
        """Read the rows; none on a server that no kit has begun.

        Raises:
            ConflictError: Another kit began and did not end.
        """
        if not self._exists() or self._client.value(f"SELECT pg_catalog.to_regclass('{_TABLE}')", DATABASE) == "":
            return {}
        query = f"SELECT coalesce(pg_catalog.json_agg(pg_catalog.row_to_json(p)), '[]') FROM {_TABLE} AS p"
        rows = [_row(stored) for stored in json.loads(self._client.value(query, DATABASE))]
        for row in rows:
            if row.kit != self._kit:
                raise ConflictError(
                    f"the kit {row.kit} of another restore began to rebuild this server and did not end",
                    hint=f"run that kit to its end, or drop database {DATABASE} if it was given up",
                    target=row.kit,
                )
        return {row.name: row for row in rows}

    def begin(self) -> None:
        """Make the table."""
        if not self._exists():
            self._client.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
        self._client.run_all([_MAKE], DATABASE)

    def write(
        self, name: str, state: State, *, choice: str = "", mark: int | None = None, outcomes: Sequence[Outcome] = ()
    ) -> None:
        """Write a row."""
        values = [quote_literal(text) for text in (self._kit, name, choice, state)]
        values += [str(mark) if mark is not None else "NULL", quote_literal(dump_outcomes(outcomes))]
        statement = (
            f"INSERT INTO {_TABLE} VALUES ({', '.join(values)}) ON CONFLICT (name) DO UPDATE SET "
            "choice = excluded.choice, state = excluded.state, mark = excluded.mark, outcomes = excluded.outcomes"
        )
        self._client.run_all([statement], DATABASE)

    def end(self) -> None:
        """Drop it all."""
        self._client.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")

    def _exists(self) -> bool:
        return bool(self._client.query(f"SELECT 1 FROM pg_catalog.pg_database WHERE datname = '{DATABASE}'"))


@contextmanager
def only_rebuild(client: Client) -> Generator[None]:
    """Keep every other kit from this server as long as the block lasts, and end what a killed one left at work.

    A psql holds a lock of the server and waits for its next command, until its input ends with this process, however
    that ends. It must not wait inside a command: DROP DATABASE would wait for it.

    Raises:
        ConflictError: Another kit is at work.
    """
    holder = f"{APPLICATION_NAME}-lock-{secrets.token_hex(4)}"
    deadline = time.monotonic() + _LOCK_WITHIN_SECONDS
    while True:
        with _lock_holder(client, holder) as process:
            if _holds(client, holder, process):
                _end_leftovers(client)
                yield
                return
        if time.monotonic() > deadline:
            raise _another()
        time.sleep(_POLL_SECONDS)


def require_alone(client: Client) -> None:
    """See that no rebuild is at work, without taking its lock.

    Raises:
        ConflictError: One is.
        ClientError: The server cannot be asked.
    """
    high, low = divmod(_LOCK, 2**32)
    query = (
        "SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        f"AND classid = {high} AND objid = {low}"
    )
    if client.value(query) != "0":
        raise _another()


def _another() -> ConflictError:
    return ConflictError(
        "another rebuild is at work on this server",
        hint="wait for its end; of a machine that died its session ends with the server's TCP timeout, or when "
        f"you end it: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
        f"'{APPLICATION_NAME}-lock-%'",
    )


@contextmanager
def _lock_holder(client: Client, name: str) -> Generator[subprocess.Popen[bytes]]:
    arguments = ["--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=dbname='postgres'"]
    named = Client(environment=client.environment, settings=client.settings, application_name=name)
    with named.open("psql", *arguments, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        process.stdin.write(_TAKE_LOCK)
        process.stdin.flush()
        yield process


def _holds(client: Client, name: str, process: subprocess.Popen[bytes]) -> bool:
    query = (
        "SELECT count(*) FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a USING (pid) "
        f"WHERE l.locktype = 'advisory' AND a.application_name = {quote_literal(name)}"
    )
    while process.poll() is None:
        if client.value(query) != "0":
            return True
        time.sleep(_POLL_SECONDS)
    _, said = process.communicate()
    text = said.decode(errors="replace").strip()
    if "another rebuild is at work" not in text:
        raise ClientError(text or "psql ended before it had the lock")
    return False


def _end_leftovers(client: Client) -> None:
    """End sessions of a kit that is dead, as its lock is free: its pg_restore may still be at work."""
    query = (
        "SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity "
        f"WHERE application_name = '{APPLICATION_NAME}' AND usename = current_user AND pid <> pg_backend_pid()"
    )
    while client.value(query) != "0":
        time.sleep(_POLL_SECONDS)


def _row(stored: dict[str, object]) -> Row:
    mark = stored["mark"]
    return Row(
        kit=str(stored["kit"]),
        name=str(stored["name"]),
        choice=str(stored["choice"]),
        state=cast("State", stored["state"]),
        mark=int(str(mark)) if mark is not None else None,
        outcomes=tuple(load_outcomes(str(stored["outcomes"]))),
    )
