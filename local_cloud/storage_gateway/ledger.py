"""The facts of every version in the vault accounts, in SQLite.

Everything here is called from the server's one event loop and never waits, so what happens between two awaits happens
at once for every other request: that is why no lock is needed around a check and the write that follows it.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from local_cloud.storage_gateway.call import BlobKey
from local_cloud.storage_gateway.wire import TICKS_A_SECOND, etag_of, ticks_of, version_id_of

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
    account TEXT, container TEXT, name TEXT, version_id TEXT,
    path TEXT, etag TEXT, size INTEGER, modified INTEGER, content TEXT, metadata TEXT, tier TEXT,
    is_current INTEGER, until INTEGER, mode TEXT, legal_hold INTEGER, deleted_at INTEGER, copy TEXT,
    PRIMARY KEY (account, container, name, version_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_path ON versions (account, container, path);
CREATE TABLE IF NOT EXISTS staged (
    account TEXT, container TEXT, name TEXT, path TEXT, PRIMARY KEY (account, container, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
"""
HIDDEN = ".versions/"
"""The bytes of a version lie in Azurite under this prefix, in the container of the blob."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a blob."""

    version_id: str
    path: str
    """Name of the hidden blob with its bytes; versions that differ in metadata only share it."""
    etag: str
    size: int
    modified: int
    """Seconds since 1970."""
    content: Mapping[str, str] = field(default_factory=dict[str, str])
    """Content headers, by lower-case name."""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    tier: str = ""
    """"" = the account's default, Hot."""
    is_current: bool = True
    until: int | None = None
    """Seconds since 1970 until which a policy stands; None = no policy."""
    mode: str = ""
    """`Unlocked` or `Locked`."""
    legal_hold: bool | None = None
    """None = never set."""
    deleted_at: int | None = None
    """Seconds since 1970 of the soft deletion; None = not deleted."""
    copy: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers about the copy that made it."""


_COLUMNS = [column.name for column in fields(Version)]
_JSON = ("content", "metadata", "copy")
_FLAGS = ("is_current", "legal_hold")


class Ledger:
    """The database."""

    def __init__(self, file: Path) -> None:
        # The server may be built in one thread and run in another; it is used by one at a time.
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        # What a process wrote survives its death; only the machine's would need more, and Azurite loses seconds then.
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def new_path(self, key: BlobKey) -> str:
        """Answer a hidden name that no other version has."""
        sql = "INSERT INTO counters VALUES ('path', 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
        return f"{HIDDEN}{self._one(sql)[0]}/{key.name}"

    def staging_path(self, key: BlobKey) -> str:
        """Answer the hidden blob that gathers the blocks of a blob until they are committed."""
        found = self.find_staged(key)
        if not found:
            found = self.new_path(key)
            self._db.execute("INSERT INTO staged VALUES (?, ?, ?, ?)", (*key, found))
        return found

    def find_staged(self, key: BlobKey) -> str:
        """Answer where a blob's uncommitted blocks are, or ""."""
        row = self._db.execute("SELECT path FROM staged WHERE (account, container, name) = (?, ?, ?)", key).fetchone()
        return str(row[0]) if row else ""

    def current(self, key: BlobKey) -> Version | None:
        """Answer the current version."""
        return next(self._select("is_current AND deleted_at IS NULL", key), None)

    def find(self, key: BlobKey, version_id: str) -> Version | None:
        """Answer a version, or, with "", the current one; a soft-deleted one is not there."""
        if not version_id:
            return self.current(key)
        return next(self._select("version_id = ? AND deleted_at IS NULL", key, version_id), None)

    def deleted(self, key: BlobKey) -> list[Version]:
        """Answer the soft-deleted versions of a blob."""
        return list(self._select("deleted_at IS NOT NULL", key))

    def add(self, key: BlobKey, now: datetime, path: str, **facts: Any) -> Version:
        """Make a version the current one, and answer it; the blocks gathered for the blob are used up or void.

        Args:
            key: The blob.
            now: When.
            path: Name of the hidden blob with its bytes.
            facts: All others of the version.
        """
        ticks = self._next_moment(now)
        version = Version(
            version_id=version_id_of(ticks), path=path, etag=etag_of(ticks), modified=ticks // TICKS_A_SECOND, **facts
        )
        row = _to_row(version)
        marks = ", ".join("?" for _ in range(len(_COLUMNS) + 3))
        names = ", ".join(["account", "container", "name", *_COLUMNS])
        with self._db as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE versions SET is_current = 0 WHERE (account, container, name) = (?, ?, ?)", key)
            db.execute(f"INSERT INTO versions ({names}) VALUES ({marks})", (*key, *row.values()))
            db.execute("DELETE FROM staged WHERE (account, container, name) = (?, ?, ?)", key)
        return version

    def change(self, key: BlobKey, version: Version, **changes: Any) -> Version:
        """Change facts of a version and answer it."""
        changed = replace(version, **changes)
        row = _to_row(changed)
        sets = ", ".join(f"{name} = ?" for name in changes)
        where = "(account, container, name, version_id) = (?, ?, ?, ?)"
        values = [row[name] for name in changes]
        self._db.execute(f"UPDATE versions SET {sets} WHERE {where}", (*values, *key, version.version_id))
        return changed

    def remove(self, key: BlobKey, version: Version) -> bool:
        """Forget a version; tells whether nothing needs its bytes any more."""
        where = "(account, container, name, version_id) = (?, ?, ?, ?)"
        self._db.execute(f"DELETE FROM versions WHERE {where}", (*key, version.version_id))
        sql = "SELECT count(*) FROM versions WHERE (account, container, path) = (?, ?, ?)"
        return int(self._one(sql, key.account, key.container, version.path)[0]) == 0

    def overdue(self, deleted_before: int) -> list[tuple[BlobKey, Version]]:
        """Answer the versions whose soft deletion is older than that."""
        sql = f"SELECT account, container, name, {', '.join(_COLUMNS)} FROM versions WHERE deleted_at < ?"
        rows = self._db.execute(sql, (deleted_before,)).fetchall()
        return [(BlobKey(*row[:3]), _from_row(row[3:])) for row in rows]

    def scan(
        self, container: BlobKey, after: tuple[str, str], *, old: bool, deleted: bool
    ) -> Iterator[tuple[str, Version]]:
        """Answer the versions of a container in order of name and age, from a place on.

        Args:
            container: Account, container and the names' prefix.
            after: Name and version id; the first row answered comes after it.
            old: Previous versions too.
            deleted: Soft-deleted ones too.
        """
        wanted = ["(account, container) = (?, ?)", "name >= ?", "(name, version_id) > (?, ?)"]
        if not old:
            # A deleted version is no current one, but a list of deleted blobs shows it.
            wanted.append("(is_current OR deleted_at IS NOT NULL)")
        if not deleted:
            wanted.append("deleted_at IS NULL")
        sql = f"SELECT name, {', '.join(_COLUMNS)} FROM versions WHERE {' AND '.join(wanted)} ORDER BY name, version_id"
        with closing(self._db.execute(sql, (*container, *after))) as rows:
            for row in rows:
                if not row[0].startswith(container.name):
                    return
                yield row[0], _from_row(row[1:])

    def _next_moment(self, now: datetime) -> int:
        """Answer a moment in steps of 100 ns that is now, and later than every one answered before."""
        sql = (
            "INSERT INTO counters VALUES ('moment', ?1) ON CONFLICT DO UPDATE SET value = max(?1, value + 1) "
            "RETURNING value"
        )
        return int(self._one(sql, ticks_of(now))[0])

    def _select(self, condition: str, key: BlobKey, *values: object) -> Iterator[Version]:
        sql = f"SELECT {', '.join(_COLUMNS)} FROM versions WHERE (account, container, name) = (?, ?, ?) AND {condition}"
        yield from map(_from_row, self._db.execute(sql, (*key, *values)).fetchall())

    def _one(self, sql: str, *values: object) -> tuple[Any, ...]:
        return self._db.execute(sql, values).fetchone()


def _to_row(version: Version) -> dict[str, Any]:
    row = asdict(version)
    return row | {name: json.dumps(row[name]) for name in _JSON}


def _from_row(row: tuple[Any, ...]) -> Version:
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    values |= {name: bool(values[name]) for name in _FLAGS if values[name] is not None}
    return Version(**values | {name: json.loads(values[name]) for name in _JSON})
