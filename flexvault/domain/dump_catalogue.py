"""List the objects of a database as its dump's table of contents names them. No data is read, and no secret is kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast, get_args

from flexvault.domain.dump_contents import Contents, Entry
from flexvault.domain.sql_text import readable

type ObjectKind = Literal[
    "database",
    "schema",
    "extension",
    "table",
    "foreignTable",
    "sequence",
    "view",
    "materializedView",
    "function",
    "policy",
    "publication",
    "subscription",
    "foreignServer",
    "eventTrigger",
    "largeObject",
]

KINDS: Final[Mapping[str, ObjectKind]] = {
    "DATABASE": "database",
    "SCHEMA": "schema",
    "EXTENSION": "extension",
    "TABLE": "table",
    "FOREIGN TABLE": "foreignTable",
    "SEQUENCE": "sequence",
    "VIEW": "view",
    "MATERIALIZED VIEW": "materializedView",
    "FUNCTION": "function",
    "PROCEDURE": "function",
    "AGGREGATE": "function",
    "POLICY": "policy",
    "PUBLICATION": "publication",
    "SUBSCRIPTION": "subscription",
    "SERVER": "foreignServer",
    "EVENT TRIGGER": "eventTrigger",
    "BLOB": "largeObject",
    "BLOB METADATA": "largeObject",
}
"""By pg_dump's word for an entry. Definitions stay behind: those of subscriptions hold passwords."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseObject:
    """One object.

    Attributes:
        schema: Empty for what lies in none.
        name: Exact; of a function with its argument types, of a policy behind its table's, of a large object its oid.
        owner: Empty where the dump names none: extensions, and schemas that it does not create.
        dump_id: Of its entry; 0 for a schema that the dump does not create, such as `public`.
        data_id: Dump id of the entry with its rows.
    """

    kind: ObjectKind
    schema: str
    name: str
    owner: str
    dump_id: int
    data_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All objects of one database, in the order of the dump.

    Attributes:
        owners: Roles that own any of them, sorted.
    """

    objects: tuple[DatabaseObject, ...]
    owners: tuple[str, ...]

    def of_kind(self, kind: ObjectKind) -> tuple[DatabaseObject, ...]:
        """Return the objects of one kind."""
        return tuple(found for found in self.objects if found.kind == kind)

    def to_json(self) -> dict[str, Any]:
        """Write it for the manifest: kind -> objects as `[schema, name, owner, dumpId, dataId]`.

        Large objects stay behind, a database may have millions: the manifest counts them. Bytes that no encoding
        explains become escapes.
        """
        written: dict[str, Any] = {}
        for found in self.objects:
            if found.kind != "largeObject":
                texts = (readable(text) for text in (found.schema, found.name, found.owner))
                written.setdefault(found.kind, []).append([*texts, found.dump_id, found.data_id])
        return written

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Catalogue":
        """Read back what `to_json` wrote; raises ValueError, TypeError or AttributeError for anything else."""
        objects: list[DatabaseObject] = []
        for kind, rows in stored.items():
            if kind not in get_args(ObjectKind.__value__):
                raise ValueError(kind)
            for schema, name, owner, dump_id, data_id in rows:
                objects.append(
                    DatabaseObject(
                        kind=cast("ObjectKind", kind),
                        schema=schema,
                        name=name,
                        owner=owner,
                        dump_id=dump_id,
                        data_id=data_id,
                    )
                )
        return cls(objects=tuple(objects), owners=tuple(sorted({found.owner for found in objects if found.owner})))


def catalogue(contents: Contents) -> Catalogue:
    """List what a table of contents names."""
    rows = {(e.namespace, e.tag): e.dump_id for e in contents.entries if e.desc == "TABLE DATA"}
    objects: list[DatabaseObject] = []
    for entry in contents.entries:
        kind = KINDS.get(entry.desc)
        if kind == "largeObject":
            objects += [_object(entry, kind, name=oid) for oid in object_ids(entry)]
        elif kind is not None:
            data_id = rows.get((entry.namespace, entry.tag)) if kind == "table" else None
            objects.append(_object(entry, kind, name=entry.tag, data_id=data_id))
    created = {found.name for found in objects if found.kind == "schema"}
    others = dict.fromkeys(found.schema for found in objects if found.schema and found.schema not in created)
    objects += [DatabaseObject(kind="schema", schema="", name=name, owner="", dump_id=0) for name in others]
    owners = {entry.owner for entry in contents.entries if entry.owner and entry.desc in KINDS}
    return Catalogue(objects=tuple(objects), owners=tuple(sorted(owners)))


def object_ids(entry: Entry) -> tuple[str, ...]:
    """Return the oids of large objects: one per entry up to PostgreSQL 16, from 17 on many in one, an oid per line."""
    if entry.desc == "BLOB":
        return (entry.tag,)
    return tuple(line.strip() for line in entry.definition.splitlines() if line.strip().isdigit())


def _object(entry: Entry, kind: ObjectKind, *, name: str, data_id: int | None = None) -> DatabaseObject:
    return DatabaseObject(
        kind=kind, schema=entry.namespace, name=name, owner=entry.owner, dump_id=entry.dump_id, data_id=data_id
    )
