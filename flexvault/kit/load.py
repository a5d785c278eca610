"""Load the data of one database: parts of the archive through pipes into pg_restore, several at once, largest first.

Each part is one transaction that also notes which entries it holds, so a rebuild that was stopped goes on with those
that are not in. Where a CHECK of one table reads another the order matters: such parts are tried again after the rest.
"""

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass
from typing import Final

from flexvault.domain.dump_contents import Entry
from flexvault.domain.sql_text import one_line
from flexvault.kit.client import Client, ClientError
from flexvault.kit.own_path import NEEDS_PATH, with_search_path
from flexvault.kit.plan import DatabasePlan
from flexvault.kit.progress import SCHEMA

type Say = Callable[[str], None]

_PART_BYTES: Final = 16 * 1024 * 1024
_PART_ENTRIES: Final = 200
_MOST_LOCKS: Final = 1000
"""Large objects that one transaction may make: each takes a lock, and the server has some thousands."""
_STOP_SECONDS: Final = 0.2
_MAY_PASS: Final = re.compile(rf"violates check constraint|(SQL|PL/pgSQL) function|{NEEDS_PATH.pattern}")
_MAKE: Final = (
    f"CREATE SCHEMA {SCHEMA}",
    f"CREATE TABLE {SCHEMA}.run (number text NOT NULL)",
    f"INSERT INTO {SCHEMA}.run VALUES ('')",
    f"CREATE TABLE {SCHEMA}.loaded (entry bigint PRIMARY KEY, is_whole boolean NOT NULL, run text NOT NULL)",
)
"""The run whose streams may load, and what they loaded. All in one transaction: one of them is there with the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Entries that are loaded by one pg_restore.

    Attributes:
        is_atomic: In one transaction.
        needs_path: Its functions failed under an empty search_path, so they run under the database's.
    """

    entries: tuple[Entry, ...]
    size_bytes: int
    is_atomic: bool = True
    needs_path: bool = False

    @property
    def ids(self) -> frozenset[int]:
        """Dump ids."""
        return frozenset(entry.dump_id for entry in self.entries)


class HalfLoadedError(Exception):
    """It cannot be said what is in: the database must be made anew.

    The table of what is in has gone, or large objects were loaded in part, outside a transaction.
    """


def begin_loading(client: Client, database: str) -> None:
    """Make the table of what is in."""
    client.run_all(_MAKE, database)


def end_loading(client: Client, database: str) -> None:
    """Drop the table of what is in."""
    client.run_all([f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"], database)


def load(
    client: Client,
    plan: DatabasePlan,
    entries: Sequence[Entry],
    *,
    jobs: int,
    say: Say,
    on_path: Callable[[Entry], None],
) -> None:
    """Load all data that is not in yet: under an empty search_path, and only what fails so under the database's.

    Args:
        client: Of the target.
        plan: Of the database.
        entries: With data, or about it.
        jobs: Parts at once.
        say: Tells how far it is.
        on_path: Hears of each entry that needs the path, before it is loaded.

    Raises:
        ClientError: The target refused rows; the message names the table.
        HalfLoadedError: See there.
    """
    run = _begin_run(client, plan.name)
    loaded = _loaded(client, plan.name)
    parts = split(plan, [entry for entry in entries if entry.dump_id not in loaded])
    failed = _load_parts(client, plan, parts, jobs, say, run=run)
    while failed:
        singles = [single for part, error in failed for single in _singles(part, error)]
        for single in singles:
            if single.needs_path:
                on_path(single.entries[0])
        again = _load_parts(client, plan, singles, jobs, say, run=run)
        if len(again) == len(singles) and not any(_gets_path(part, error) for part, error in again):
            raise again[0][1]
        failed = again


def _singles(part: Part, error: ClientError) -> list[Part]:
    needs_path = part.needs_path or _gets_path(part, error)
    return [
        Part(entries=(entry,), size_bytes=0, is_atomic=part.is_atomic, needs_path=needs_path) for entry in part.entries
    ]


def _gets_path(part: Part, error: ClientError) -> bool:
    """Say whether a part is tried again under the path: of several entries it is not known yet which needs it."""
    return not part.needs_path and len(part.entries) == 1 and bool(NEEDS_PATH.search(error.message))


def split(plan: DatabasePlan, entries: Iterable[Entry]) -> list[Part]:
    """Split entries into parts, the largest first: large tables alone, small ones together, so what is no table."""
    return sorted(_split(plan, entries), key=lambda part: -part.size_bytes)


def _split(plan: DatabasePlan, entries: Iterable[Entry]) -> Iterator[Part]:
    tables: list[tuple[int, Entry]] = []
    others: list[Entry] = []
    for entry in entries:
        if entry.desc == "TABLE DATA":
            tables.append((_size(plan, [entry]), entry))
        else:
            others.append(entry)
    group: list[Entry] = []
    size = 0
    for length, entry in sorted(tables, key=lambda pair: -pair[0]):
        if group and (size + length > _PART_BYTES or len(group) == _PART_ENTRIES):
            yield Part(entries=_in_order(group), size_bytes=size)
            group, size = [], 0
        group.append(entry)
        size += length
    if group:
        yield Part(entries=_in_order(group), size_bytes=size)
    if others:
        yield Part(
            entries=tuple(others), size_bytes=_size(plan, others), is_atomic=_count_objects(others) <= _MOST_LOCKS
        )


def _load_parts(
    client: Client, plan: DatabasePlan, parts: Sequence[Part], jobs: int, say: Say, *, run: str
) -> list[tuple[Part, ClientError]]:
    """Load parts, several at once; answer those that may pass when others are in, raise any other error."""
    failed: list[tuple[Part, ClientError]] = []
    with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
        running = {pool.submit(_load_part, client, plan, part, run): part for part in parts}
        for number, future in enumerate(as_completed(running), start=1):
            part = running[future]
            try:
                future.result()
            except ClientError as error:
                if not _MAY_PASS.search(error.message) or not part.is_atomic:
                    pool.shutdown(wait=False, cancel_futures=True)
                    say(f"database {one_line(plan.name)}: stopped by {one_line(error.message)}")
                    stop_loading(client, running)
                    raise
                failed.append((part, error))
            say(f"database {one_line(plan.name)}: data, part {number} of {len(parts)}")
    return failed


def stop_loading(client: Client, running: Collection[Future[None]]) -> None:
    """End the other streams; the psql that holds the lock stays, it belongs to another client."""
    while not all(future.done() for future in running):
        client.stop()
        wait(running, timeout=_STOP_SECONDS)


def _load_part(client: Client, plan: DatabasePlan, part: Part, run: str) -> None:
    options = ["--single-transaction"] if part.is_atomic else []
    if not part.is_atomic:
        client.run_all([_note(part, run, is_whole=False)], plan.name)
    client.restore(plan.name, _archive(plan, part, run), *options)


def _archive(plan: DatabasePlan, part: Part, run: str) -> Iterator[bytes]:
    changes = with_search_path(plan) if part.needs_path else plan.changes
    note = _note(part, run, is_whole=True)
    yield plan.dump.head.archive(part.ids, changes=changes, statements=[f"{note};\n"])
    for entry in part.entries:
        if entry.has_data:
            yield from plan.dump.data(plan.dump.blocks[entry.dump_id])


def _begin_run(client: Client, database: str) -> str:
    """Let only this run's streams load from here on; answer its number.

    One of a killed run may connect later still. It fails at its note, in the transaction of its rows; one that holds
    the row already is waited for, and what it loaded is then in.

    Raises:
        HalfLoadedError: The tables are not there.
    """
    if not client.value(f"SELECT pg_catalog.to_regclass('{SCHEMA}.loaded')", database):
        raise HalfLoadedError
    run = secrets.token_hex(8)
    client.run_all([f"UPDATE {SCHEMA}.run SET number = '{run}'"], database)
    return run


def _note(part: Part, run: str, *, is_whole: bool) -> str:
    """Write that a part is in; it fails when another run is at work, or when one of its entries is in already.

    Operators are named with their schema, as it runs under the database's own search_path.
    """
    current = (
        f"(SELECT number FROM {SCHEMA}.run WHERE number OPERATOR(pg_catalog.=) '{run}'::pg_catalog.text FOR SHARE)"
    )
    entries = f"'{{{','.join(map(str, sorted(part.ids)))}}}'::pg_catalog.int8[]"
    if is_whole and not part.is_atomic:
        found = f"entry OPERATOR(pg_catalog.=) ANY ({entries})"
        return f"UPDATE {SCHEMA}.loaded SET is_whole = true, run = {current} WHERE {found}"
    return f"INSERT INTO {SCHEMA}.loaded SELECT n, {is_whole}, {current} FROM pg_catalog.unnest({entries}) AS n"


def _loaded(client: Client, database: str) -> frozenset[int]:
    found = client.query(f"SELECT entry, is_whole FROM {SCHEMA}.loaded", database)
    if any(is_whole != "t" for _, is_whole in found):
        raise HalfLoadedError
    return frozenset(int(entry or 0) for entry, _ in found)


def _in_order(entries: Collection[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.start))


def _size(plan: DatabasePlan, entries: Iterable[Entry]) -> int:
    return sum(plan.dump.blocks[entry.dump_id].length for entry in entries if entry.has_data)


def _count_objects(entries: Iterable[Entry]) -> int:
    """Count large objects: one or many to an entry."""
    return sum(entry.definition.count("\n") for entry in entries if entry.desc in {"BLOB", "BLOB METADATA", "BLOBS"})
