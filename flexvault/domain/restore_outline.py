"""What a rebuild of a restored recovery point does, in order: told before anything is copied, from the manifest alone.

The same facts are in the restore's kit; this is what can be said of them without a target.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from flexvault.domain.deep_verification import DeepVerification, VerifiedFile
from flexvault.domain.dump_catalogue import ObjectKind
from flexvault.domain.dump_facts import SERVICE_DATABASES
from flexvault.domain.json_values import as_list, as_object
from flexvault.domain.landing_files import FileKind
from flexvault.domain.manifest import Manifest
from flexvault.domain.restored_files import RestoredFile, list_restored

MOST_NAMES: Final = 50
"""A note names at most so many objects and counts them all; the recovery point's contents list every one."""


class OutlineStep(StrEnum):
    """What a rebuild does one after the other."""

    ROLES = "Roles"
    CREATE_DATABASE = "CreateDatabase"
    """With its exact name, owner, encoding and locale."""
    PRE_DATA = "PreData"
    """Schemas, extensions, types, functions, tables."""
    DATA = "Data"
    POST_DATA = "PostData"
    """Indexes, keys, triggers, policies, materialised views."""
    SETTINGS = "Settings"
    """Settings, limits and grants of the database: they come last, for they may forbid to write."""


class Treatment(StrEnum):
    """What happens with objects that are not simply restored."""

    NOT_RESTORED = "NotRestored"
    RESTORED_LAST = "RestoredLast"
    REFRESHED = "Refreshed"
    NEEDS_HANDS = "NeedsHands"
    """Restored, and a person has to do the rest."""


_TREATMENTS: Final[Mapping[ObjectKind, tuple[Treatment, str]]] = {
    "subscription": (
        Treatment.NOT_RESTORED,
        "it would connect to the publisher again; its definition in the dump holds a password",
    ),
    "eventTrigger": (Treatment.RESTORED_LAST, "it would fire for every object; a target without superuser refuses it"),
    "materializedView": (Treatment.REFRESHED, "its rows are made anew, so they may differ from those of the source"),
    "foreignServer": (
        Treatment.NEEDS_HANDS,
        "the target may not reach it; passwords of user mappings are in the dump in plain text",
    ),
    "publication": (Treatment.NEEDS_HANDS, "a target without superuser refuses one for all tables"),
}
_NEVER: Final = (
    "passwords of roles, but with --with-passwords, where a superuser dumped the roles file; else set new ones",
    "security labels: each needs the provider that wrote it; Entra roles are made again by an Entra administrator",
    "statistics: they are not in the dump; the rebuild kit runs ANALYZE on each database instead",
    "server parameters and firewall rules: they are not in the dump",
)
_EVERY_SERVER: Final = "every server has it already: its file is for reading, a rebuild never writes to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineNote:
    """Objects of a kind that are not simply restored.

    Attributes:
        names: At most `MOST_NAMES`, qualified by their schema where they have one.
    """

    kind: ObjectKind
    treatment: Treatment
    reason: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlinedDatabase:
    """A database that is made again.

    Attributes:
        name: Exact.
        file: Name in the target container.
        size_bytes: Of the file.
        locale: Such as `lcCollate`, as far as the dump says it.
        extensions: To be allowed in the server parameter azure.extensions before.
        tables: Partitions and partitioned tables included.
        rows: Of all tables; nothing where a deep verification did not count them.
        row_bytes: Of their COPY text.
        notes: Nothing where the manifest is older than the catalogue: its contents tell.
    """

    name: str
    file: str
    size_bytes: int
    owner: str
    encoding: str
    locale: Mapping[str, str]
    connection_limit: int
    extensions: tuple[str, ...]
    schemas: int
    tables: int
    large_objects: int
    rows: int | None
    row_bytes: int | None
    notes: tuple[OutlineNote, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutDatabase:
    """A database of the point that is not made again.

    Attributes:
        name: Exact; empty for a file that could not be read when it was sealed.
        file: Name in the target container; empty where it is not copied.
    """

    name: str
    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOutline:
    """What a restore copies and what its rebuild does.

    Attributes:
        size_bytes: Of all files that are copied.
        roles_file: Empty where the point has none.
        other_files: Copied for reading; a rebuild does not use them.
        never: What no rebuild brings back, whatever is in the point.
        verification: The newest deep verification, where there is one.
    """

    server_name: str
    server_version: str
    size_bytes: int
    roles_file: str
    databases: tuple[OutlinedDatabase, ...]
    left_out: tuple[LeftOutDatabase, ...]
    other_files: tuple[str, ...]
    never: tuple[str, ...]
    verification: DeepVerification | None

    @property
    def steps(self) -> tuple[tuple[OutlineStep, str], ...]:
        """Answer each step and the database that it is about, which is empty for roles."""
        roles = [(OutlineStep.ROLES, "")] if self.roles_file else []
        each = [step for step in OutlineStep if step is not OutlineStep.ROLES]
        return (*roles, *((step, database.name) for database in self.databases for step in each))


def outline_restore(
    manifest: Manifest,
    file_prefix: str,
    databases: Collection[str] = (),
    *,
    verification: DeepVerification | None = None,
) -> RestoreOutline:
    """Tell what a restore with this prefix, of all or of chosen databases, comes to.

    Args:
        manifest: Of the recovery point.
        file_prefix: Of the request.
        databases: Exact names; none for all.
        verification: The newest deep verification of the point.
    """
    copied = list_restored(file_prefix, manifest.files, databases)
    verified = {file.path: file for file in verification.files} if verification is not None else {}
    rebuilt = [one for one in copied if one.database and one.database not in SERVICE_DATABASES]
    roles = [one.name for one in copied if one.file.kind == FileKind.ROLES]
    used = {one.name for one in rebuilt} | set(roles[:1])
    left_out = tuple(_left_out(manifest, file_prefix, copied))
    explained = {one.file for one in left_out}
    return RestoreOutline(
        server_name=str(manifest.server["name"]),
        server_version=str(manifest.server["version"]),
        size_bytes=sum(one.file.size_bytes for one in copied),
        roles_file=roles[0] if roles else "",
        databases=tuple(_outline(one, verified.get(one.file.path)) for one in rebuilt),
        left_out=left_out,
        other_files=tuple(one.name for one in copied if one.name not in used | explained),
        never=_NEVER,
        verification=verification,
    )


def _left_out(manifest: Manifest, file_prefix: str, copied: Sequence[RestoredFile]) -> list[LeftOutDatabase]:
    names = {one.ordinal: one.name for one in copied}
    found: list[LeftOutDatabase] = []
    for one in list_restored(file_prefix, manifest.files):
        file = names.get(one.ordinal, "")
        if one.database and not file:
            found.append(LeftOutDatabase(name=one.database, file="", reason="it was not chosen"))
        elif one.database in SERVICE_DATABASES:
            found.append(LeftOutDatabase(name=one.database, file=file, reason=_EVERY_SERVER))
        elif not one.database and one.file.kind == FileKind.DATABASE:
            reason = f"'{one.name}' is no archive of a version that could be read when it was sealed"
            found.append(LeftOutDatabase(name="", file=file, reason=reason))
    return found


def _outline(restored: RestoredFile, verified: VerifiedFile | None) -> OutlinedDatabase:
    facts = restored.file.facts
    rows = [one.rows for one in verified.rows] if verified is not None else [None]
    is_counted = all(count is not None for count in rows)
    locale = as_object(facts.get("locale")) or {}
    return OutlinedDatabase(
        name=restored.database,
        file=restored.name,
        size_bytes=restored.file.size_bytes,
        owner=str(facts.get("owner", "")),
        encoding=str(facts.get("encoding", "")),
        locale={name: str(value) for name, value in locale.items()},
        connection_limit=int(facts.get("connectionLimit", -1)),
        extensions=tuple(str(name) for name in as_list(facts.get("extensions")) or ()),
        schemas=int(facts.get("schemas", 0)),
        tables=len(as_list(facts.get("tables")) or ()),
        large_objects=int(facts.get("largeObjects", 0)),
        rows=sum(count or 0 for count in rows) if is_counted else None,
        row_bytes=sum(one.size_bytes or 0 for one in verified.rows) if verified is not None and is_counted else None,
        notes=_notes(as_object(facts.get("catalogue"))),
    )


def _notes(catalogue: Mapping[str, Any] | None) -> tuple[OutlineNote, ...] | None:
    if catalogue is None:
        return None
    notes: list[OutlineNote] = []
    for kind, (treatment, reason) in _TREATMENTS.items():
        found = cast("Sequence[Sequence[Any]]", catalogue.get(kind, ()))
        if found:
            names = (f"{schema}.{name}" if schema else str(name) for schema, name, *_ in found[:MOST_NAMES])
            note = OutlineNote(kind=kind, treatment=treatment, reason=reason, count=len(found), names=tuple(names))
            notes.append(note)
    return tuple(notes)
