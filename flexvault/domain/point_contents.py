"""What a recovery point holds, object by object: of the tables of contents, with the counts of a deep verification."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, get_args

from flexvault.domain.deep_verification import DeepVerification, VerifiedFile, VerifiedObjects, VerifiedRows
from flexvault.domain.dump_catalogue import Catalogue, DatabaseObject, ObjectKind
from flexvault.domain.manifest import ManifestFile

OBJECT_KINDS: Final[tuple[ObjectKind, ...]] = get_args(ObjectKind.__value__)
"""In the order in which the objects of a database are listed; the database itself comes first."""
_RANKS: Final[Mapping[str, int]] = {kind: rank for rank, kind in enumerate(OBJECT_KINDS)}


_NO_ROWS: Final = "the archive has no rows of it: those of a partitioned table are in its partitions"


class ContentsSource(StrEnum):
    """Where counts come from, or why there are none."""

    DEEP_VERIFICATION = "DeepVerification"
    """Every row was read."""
    TABLE_OF_CONTENTS = "TableOfContents"
    """The object is named in the archive's table of contents; nothing was counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointObject:
    """One object of a recovery point.

    Attributes:
        schema: Empty for what lies in none.
        name: See `DatabaseObject`; empty for the large objects of a database, which are one element.
        owner: Empty where the dump names none.
        count: Of large objects; nothing for anything else.
        rows: Of a table, or of all tables of a database; nothing where they were not counted.
        size_bytes: Of the COPY text of these rows, or of the large objects.
        digest: See `row_digest`; empty where there is none.
        file_size_bytes: Of a database's archive; nothing for anything else.
        not_counted: Why a deep verification could not count it, or why there is nothing to be counted; or empty.
        verified_at: When the deep verification ended that the counts come from.
    """

    database: str
    kind: ObjectKind
    schema: str = ""
    name: str
    owner: str = ""
    count: int | None = None
    rows: int | None = None
    size_bytes: int | None = None
    digest: str = ""
    file_size_bytes: int | None = None
    not_counted: str = ""
    source: ContentsSource = ContentsSource.TABLE_OF_CONTENTS
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDatabase:
    """An archive of the point and what its table of contents names.

    Attributes:
        large_objects: How many the table of contents names.
    """

    file: ManifestFile
    database: str
    owner: str
    catalogue: Catalogue
    large_objects: int


def list_objects(listed: ListedDatabase, verification: DeepVerification | None) -> Iterator[PointObject]:
    """List a database, then what is in it, by kind, schema and name.

    The order depends on the archive alone, whatever was verified since.
    """
    verified = None
    if verification is not None:
        verified = next((file for file in verification.files if file.path == listed.file.path), None)
    moment = verification.completed_at if verification is not None and verified is not None else None
    counted = {rows.dump_id: rows for rows in verified.rows} if verified is not None else {}
    yield _told(_database(listed, verified), moment)
    for found in sorted(listed.catalogue.objects, key=_order):
        if found.kind not in {"database", "largeObject"}:
            rows = None if found.data_id is None else counted.get(found.data_id)
            shown = _told(_object(listed.database, found, rows), moment)
            has_no_rows = found.kind == "table" and found.data_id is None
            yield replace(shown, not_counted=_NO_ROWS) if has_no_rows else shown
    if listed.large_objects:
        objects = verified.large_objects if verified is not None else None
        yield _told(_large_objects(listed, objects), moment if objects is not None else None)


def unread_file(file: ManifestFile) -> PointObject:
    """Show a database's file that could not be read when it was sealed: nothing is known of it but its name."""
    why = "it is no archive of a version that could be read when it was sealed"
    return PointObject(database="", kind="database", name=file.suffix, file_size_bytes=file.size_bytes, not_counted=why)


def _order(found: DatabaseObject) -> tuple[int, str, str, int]:
    return (_RANKS[found.kind], found.schema, found.name, found.dump_id)


def _told(shown: PointObject, moment: datetime | None) -> PointObject:
    """Say where counts come from; an object without any has none, verified or not."""
    has_counts = shown.rows is not None or shown.count is not None or bool(shown.not_counted)
    if moment is None or not has_counts:
        return shown
    return replace(shown, source=ContentsSource.DEEP_VERIFICATION, verified_at=moment)


def _database(listed: ListedDatabase, verified: VerifiedFile | None) -> PointObject:
    shown = PointObject(
        database=listed.database,
        kind="database",
        name=listed.database,
        owner=listed.owner,
        file_size_bytes=listed.file.size_bytes,
    )
    if verified is None:
        return shown
    counts = [(one.rows, one.size_bytes) for one in verified.rows]
    rows = [rows for rows, _ in counts if rows is not None]
    if len(rows) < len(counts):
        why = f"{len(counts) - len(rows)} of {len(counts)} tables with rows could not be counted"
        return replace(shown, not_counted=why)
    return replace(shown, rows=sum(rows), size_bytes=sum(size or 0 for _, size in counts))


def _object(database: str, found: DatabaseObject, counted: VerifiedRows | None) -> PointObject:
    shown = PointObject(database=database, kind=found.kind, schema=found.schema, name=found.name, owner=found.owner)
    if counted is None:
        return shown
    return replace(
        shown,
        rows=counted.rows,
        size_bytes=counted.size_bytes,
        digest=counted.digest,
        not_counted=counted.not_counted,
    )


def _large_objects(listed: ListedDatabase, counted: VerifiedObjects | None) -> PointObject:
    shown = PointObject(database=listed.database, kind="largeObject", name="", count=listed.large_objects)
    if counted is None:
        return shown
    return replace(
        shown,
        count=listed.large_objects if counted.count is None else counted.count,
        size_bytes=counted.size_bytes,
        digest=counted.digest,
        not_counted=counted.not_counted,
    )
