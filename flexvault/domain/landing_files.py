"""What the files of an attempt are, told by their names, and whether the layout is a known one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote


class FileKind(StrEnum):
    """What a file of a backup holds."""

    DATABASE = "database"
    """One database, schema and data, as a custom-format archive in spite of its name."""
    ROLES = "roles"
    """All roles of the server, as pg_dumpall writes them."""
    TABLESPACE = "tablespace"
    """All tablespaces of the server; nothing in it can be restored on a flexible server."""
    SCHEMA = "schema"
    """The schemas of all databases, for reading; the archives hold them too."""
    UNKNOWN = "unknown"
    """A name that this version does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """A file's name, taken apart."""

    name: str
    kind: FileKind
    suffix: str
    """What follows the backup's name; a restore puts its prefix in place of the backup's name."""
    database_label: str = ""
    """The database as the file name spells it; the exact name is in the archive's table of contents."""


_SUFFIXES = {
    "_roles.sql": FileKind.ROLES,
    "_tablespace.sql": FileKind.TABLESPACE,
    "_schema.sql": FileKind.SCHEMA,
}
_DATABASE = "_database_"


def read_name(name: str, backup_name: str) -> FileName:
    """Tell what a landed file is, without regard to case."""
    lower = name.lower()
    at = lower.find(_DATABASE)
    if at >= 0 and lower.endswith(".sql") and "/" not in name[at:]:
        label = unquote(name[at + len(_DATABASE) : -len(".sql")])
        return FileName(name=name, kind=FileKind.DATABASE, suffix=name[at:], database_label=label)
    for suffix, kind in _SUFFIXES.items():
        if lower.endswith(suffix):
            return FileName(name=name, kind=kind, suffix=name[-len(suffix) :])
    rest = name.removeprefix(backup_name)
    return FileName(name=name, kind=FileKind.UNKNOWN, suffix=rest if rest.startswith("_") else f"_{rest}")


def is_known_layout(kinds: Collection[FileKind] | Sequence[FileKind]) -> bool:
    """Say whether every name is known and at least one database and one roles file are there."""
    return FileKind.UNKNOWN not in kinds and FileKind.DATABASE in kinds and FileKind.ROLES in kinds
