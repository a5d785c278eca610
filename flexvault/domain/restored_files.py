"""Which files of a recovery point a restore copies, and under which names."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.landing_files import FileKind
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.texts import quoted

MOST_DATABASES: Final = 64
"""A restore of chosen databases names at most so many: a job's row has to hold their names."""
_NAMED: Final = 20
_LONGEST_SHOWN: Final = 260
_OF_THE_SERVER: Final = frozenset({FileKind.ROLES, FileKind.TABLESPACE, FileKind.SCHEMA})
"""Small files that every restore copies, whichever databases are chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredFile:
    """A file of the point as a restore names it.

    Attributes:
        ordinal: Of the file in the manifest.
        name: Of the blob in the target container; the same whether other files are left out or not.
    """

    ordinal: int
    name: str
    file: ManifestFile

    @property
    def database(self) -> str:
        """Answer the exact name of the database that it holds; empty where it is no archive that was read."""
        return database_of(self.file)


def database_of(file: ManifestFile) -> str:
    """Answer the exact name of the database in a file, as the manifest has it; empty where it holds none."""
    return str(file.facts.get("database", ""))


def list_databases(files: Sequence[ManifestFile]) -> tuple[str, ...]:
    """Answer the exact names of all databases of a point, sorted, each once."""
    return tuple(sorted({database for file in files if (database := database_of(file))}))


def list_restored(
    prefix: str, files: Sequence[ManifestFile], databases: Collection[str] = ()
) -> tuple[RestoredFile, ...]:
    """Answer what a restore copies, in the manifest's order.

    Args:
        prefix: Of the request.
        files: Of the manifest.
        databases: Exact names of the chosen ones; none for all. Of a choice only the archives of these are copied,
            and the server's own small files.
    """
    named = zip(files, restored_names(prefix, files), strict=True)
    listed = (RestoredFile(ordinal=ordinal, name=name, file=file) for ordinal, (file, name) in enumerate(named))
    return tuple(one for one in listed if not databases or _is_chosen(one, databases))


def restored_names(prefix: str, files: Sequence[ManifestFile]) -> list[str]:
    """Name restored files as Azure Backup names them: the request's prefix in place of the backup's name.

    Files of several containers may end alike; then a number keeps them apart, so that none replaces another.
    """
    taken: set[str] = set()
    named: list[str] = []
    for file in files:
        name, number = f"{prefix}{file.suffix}", 1
        while name.lower() in taken:
            number += 1
            name = f"{prefix}_{number}{file.suffix}"
        taken.add(name.lower())
        named.append(name)
    return named


def require_databases(point_id: str, files: Sequence[ManifestFile], databases: Collection[str], target: str) -> None:
    """Refuse a choice of databases that the point does not have.

    Args:
        point_id: Of the recovery point.
        files: Of its manifest.
        databases: Exact names; none is no choice.
        target: Where the request names them.

    Raises:
        InvalidInputError: Names what is missing, and what there is.
    """
    known = list_databases(files)
    unknown = sorted(set(databases) - set(known))
    if unknown:
        raise InvalidInputError(
            f"recovery point {point_id} has no database {_quote(unknown)}; it has {_quote(known) or 'none'}",
            target=target,
            hint="name databases exactly as the recovery point's contents list them, upper and lower case included",
        )


def describe_databases(databases: Sequence[str]) -> str:
    """Name chosen databases in a text for people; empty for no choice."""
    return f"database{'s' if len(databases) > 1 else ''} {_quote(databases)}" if databases else ""


def _is_chosen(restored: RestoredFile, databases: Collection[str]) -> bool:
    if restored.database:
        return restored.database in databases
    return restored.file.kind in _OF_THE_SERVER


def _quote(names: Sequence[str]) -> str:
    shown = ", ".join(quoted(name, _LONGEST_SHOWN) for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
