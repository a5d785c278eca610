"""Where a rebuild stands, kept in the target itself: a kit that is killed anywhere goes on from there.

The folder of the kit may be another one at the next start, the server is the same. An intent is written before a
database is made, and its oid afterwards, so that nothing is ever dropped that this kit did not make. Between the two
its connection limit proves whose it is: CREATE DATABASE writes it with the database itself, or neither.
"""

import json
import secrets
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

from flexvault.domain.errors import ConflictError
from flexvault.domain.sql_text import one_line, quote_literal
from flexvault.kit.client import APPLICATION_NAME, Client, ClientError
from flexvault.kit.outcome import Outcome, dump_outcomes, load_outcomes

DATABASE: Final = "flexvault_rebuild"
"""Holds the rows while a rebuild is at work: an administrator without superuser may not write in `postgres`."""

SCHEMA: Final = "flexvault_rebuild"
"""In a database while its data is loaded, and of the rows. Not `public`, where others may create."""

ROLES: Final = ""
"""Name of the row about the roles; no database has it."""

type State = Literal["intent", "made", "data", "loaded", "done"]

_LOCK: Final = 7_380_964_220
_LOCK_WITHIN_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.05
_TABLE: Final = f"{SCHEMA}.progress"
_OWN_LIMIT: Final = 1_738_096_422
"""Connection limit of the database of the rows: no other database has it, and no server so many connections."""
_LEAST_LIMIT: Final = 1 << 30
_MAKE: Final = (
    f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
    f"CREATE SCHEMA {SCHEMA}",
    f"""CREATE TABLE {_TABLE} (kit text NOT NULL, name text PRIMARY KEY, choice text NOT NULL, state text NOT NULL,
mark bigint, limited bigint, outcomes text NOT NULL)""",
)
_WHOSE: Final = f"""SELECT pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_get_userbyid(datdba) = current_user,
datconnlimit = {_OWN_LIMIT} FROM pg_catalog.pg_database WHERE datname = '{DATABASE}'"""
_IS_PLAIN: Final = f"""SELECT c.relkind = 'r' AND NOT c.relhastriggers AND NOT c.relhasrules AND NOT c.relrowsecurity
  AND pg_catalog.pg_get_userbyid(c.relowner) = current_user AND pg_catalog.pg_get_userbyid(n.nspowner) = current_user
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = '{SCHEMA}' AND c.relname = 'progress'"""
_READ: Final = f"""SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('kit', kit, 'name', name,
  'choice', choice, 'state', state, 'outcomes', outcomes, 'mark', CASE WHEN limited IS NULL THEN mark ELSE coalesce(
    (SELECT d.oid::bigint FROM pg_catalog.pg_database AS d WHERE d.datname = p.name AND d.datconnlimit = p.limited
      AND pg_catalog.pg_get_userbyid(d.datdba) = current_user), 0) END)), '[]') FROM {_TABLE} AS p"""
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
        mark: Oid of the database that this kit made, 0 when it came to an intent only; nothing for the roles.
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
        # Where others may create functions they must not be found.
        self._client = replace(client, settings={**client.settings, "search_path": "pg_catalog"})
        self._kit = kit

    def read(self) -> dict[str, Row]:
        """Read the rows; none on a server that no kit has begun.

        Raises:
            ConflictError: Another kit began and did not end, or the database of the rows is no kit's.
        """
        if not self._is_there() or not self._has_table():
            return {}
        rows = [_row(stored) for stored in json.loads(self._client.value(_READ, DATABASE))]
        for row in rows:
            if row.kit != self._kit:
                raise ConflictError(
                    f"the kit {row.kit} of another restore began to rebuild this server and did not end",
                    hint=f"run that kit to its end, or drop database {DATABASE} if it was given up",
                    target=row.kit,
                )
        return {row.name: row for row in rows}

    def begin(self) -> None:
        """Make the table.

        Raises:
            ConflictError: The database of the rows is no kit's.
        """
        if not self._is_there():
            self._client.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 CONNECTION LIMIT {_OWN_LIMIT}")
        if not self._has_table():
            self._client.run_all(_MAKE, DATABASE)

    def intend(self, name: str, *, choice: str) -> int:
        """Write that a database is about to be made.

        Returns:
            The connection limit to make it with: a database that has it is this kit's.
        """
        limit = _LEAST_LIMIT + secrets.randbelow(_LEAST_LIMIT)
        self._write(name, "intent", choice=choice, mark=None, limit=limit, outcomes=())
        return limit

    def write(
        self, name: str, state: State, *, choice: str = "", mark: int | None = None, outcomes: Sequence[Outcome] = ()
    ) -> None:
        """Write a row."""
        self._write(name, state, choice=choice, mark=mark, limit=None, outcomes=outcomes)

    def end(self) -> None:
        """Drop it all.

        Raises:
            ConflictError: The database of the rows is no kit's.
        """
        if self._is_there():
            self._client.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")

    def _write(
        self,
        name: str,
        state: State,
        *,
        choice: str,
        mark: int | None,
        limit: int | None,
        outcomes: Sequence[Outcome],
    ) -> None:
        values = [quote_literal(text) for text in (self._kit, name, choice, state)]
        values += ["NULL" if number is None else str(number) for number in (mark, limit)]
        values.append(quote_literal(dump_outcomes(outcomes)))
        statement = (
            f"INSERT INTO {_TABLE} VALUES ({', '.join(values)}) ON CONFLICT (name) DO UPDATE SET "
            "choice = excluded.choice, state = excluded.state, mark = excluded.mark, limited = excluded.limited, "
            "outcomes = excluded.outcomes"
        )
        self._client.run_all([statement], DATABASE)

    def _is_there(self) -> bool:
        """Say whether the database of the rows is there, and refuse one that this administrator's kit did not make."""
        for owner, is_mine, is_marked in self._client.query(_WHOSE):
            if is_marked != "t":
                raise ConflictError(
                    f"database {DATABASE} of role {one_line(owner or '')} was not made by a rebuild",
                    hint="the kit keeps its notes in a database of this name: rename or drop that one",
                    target=DATABASE,
                )
            if is_mine != "t":
                raise ConflictError(
                    f"role {one_line(owner or '')} owns database {DATABASE}, the notes of a rebuild",
                    hint="go on as that role, or drop that database if the rebuild was given up",
                    target=DATABASE,
                )
            return True
        return False

    def _has_table(self) -> bool:
        for (is_plain,) in self._client.query(_IS_PLAIN, DATABASE):
            if is_plain != "t":
                raise ConflictError(
                    f"{_TABLE} in database {DATABASE} is not as a rebuild made it",
                    hint="somebody changed it: drop that database, and the databases that the rebuild began",
                    target=DATABASE,
                )
            return True
        return False


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
