"""Choose entries of an archive by whole names: what belongs to tables or to schemas."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from flexvault.domain.dump_contents import Contents, Entry, entries_by_id
from flexvault.domain.dump_facts import qualified
from flexvault.domain.errors import NotFoundError
from flexvault.domain.sql_text import readable

SESSION_ENTRIES: Final = frozenset({"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE"})
"""How texts and data are to be read, and the database's exact name; `pg_restore` creates no database by itself."""

_OF_TABLE: Final = frozenset({
    "CONSTRAINT", "DEFAULT", "INDEX", "INDEX ATTACH", "TABLE ATTACH", "STATISTICS", "TRIGGER", "RULE", "POLICY",
    "ROW SECURITY", "SEQUENCE", "SEQUENCE OWNED BY", "COMMENT", "ACL", "SECURITY LABEL", "CHECK CONSTRAINT",
})  # fmt: skip
_NAMED_BY_TABLE: Final = frozenset({"FK CONSTRAINT", "CONSTRAINT", "CHECK CONSTRAINT", "TRIGGER", "RULE", "POLICY"})
_OF_SCHEMA: Final = frozenset({"ACL", "COMMENT"})
_RELATIONS: Final = frozenset({"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"})


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's exact name."""

    schema: str
    name: str


def data_of_tables(contents: Contents, tables: Collection[TableName]) -> frozenset[int]:
    """Choose the rows of tables and where their sequences stand, with what every slice needs.

    A partitioned table brings its partitions. In a dump without definitions nothing says whose a sequence is.

    Raises:
        NotFoundError: The archive has no such tables; all are named.
    """
    own = _with_partitions(contents, _tables(contents, tables))
    counters = {e.dump_id for e in contents.entries if e.desc == "SEQUENCE"}
    theirs = [e for e in contents.entries if e.desc in {"SEQUENCE", "DEFAULT"} and not own.isdisjoint(e.dependencies)]
    sequences = counters & {number for entry in theirs for number in (entry.dump_id, *entry.dependencies)}
    names = set(tables) | {TableName(e.namespace, e.tag) for e in contents.entries if e.dump_id in own}
    return _ids(
        entry
        for entry in contents.entries
        if entry.desc in SESSION_ENTRIES
        or (entry.desc == "TABLE DATA" and TableName(entry.namespace, entry.tag) in names)
        or (entry.desc == "SEQUENCE SET" and not sequences.isdisjoint(entry.dependencies))
    )


def data_of_schemas(contents: Contents, schemas: Collection[str]) -> frozenset[int]:
    """Choose the rows of all tables of schemas and where their sequences stand, with what every slice needs.

    Raises:
        NotFoundError: The archive has nothing in such schemas; all are named.
    """
    _check_schemas(contents, schemas)
    wanted = frozenset(schemas)
    return _ids(
        entry
        for entry in contents.entries
        if entry.desc in SESSION_ENTRIES or (entry.namespace in wanted and entry.desc in {"TABLE DATA", "SEQUENCE SET"})
    )


def definitions_of_tables(
    contents: Contents, tables: Collection[TableName], *, beside: Collection[int] = ()
) -> frozenset[int]:
    """Choose what makes tables: their own definitions, and everything that those depend on, such as types.

    Left out: views, publications, keys to tables that were not chosen, and policies that read such tables (row security
    itself stays on, so that nobody sees more). See `left_behind_by_tables`.

    Args:
        contents: Of the archive.
        tables: Their exact names.
        beside: Dump ids of what else is chosen: what belongs to the tables may need it, such as a key to one.

    Raises:
        NotFoundError: The archive has no such tables; all are named.
    """
    own = _with_partitions(contents, _tables(contents, tables))
    there = own.union(beside)
    by_id = entries_by_id(contents)
    chosen = set(own)
    # Twice: what belongs to a table, then what belongs to that, such as the comment on an index.
    for _ in range(2):
        chosen |= {e.dump_id for e in contents.entries if e.desc in _OF_TABLE and _belongs(e, chosen, there, by_id)}
    chosen |= {e.dump_id for e in contents.entries if e.desc == "FK CONSTRAINT" and _belongs(e, own, there, by_id)}
    pending = list(chosen)
    while pending:
        needed = {d for d in by_id[pending.pop()].dependencies if d in by_id and not by_id[d].has_data} - chosen
        chosen |= needed
        pending += needed
    schemas = {by_id[number].namespace for number in chosen}
    return _ids(
        entry
        for entry in contents.entries
        if (entry.dump_id in chosen and not entry.has_data)
        or entry.desc in SESSION_ENTRIES
        or (entry.desc == "SCHEMA" and entry.tag in schemas)
    )


def left_behind_by_tables(
    contents: Contents, tables: Collection[TableName], chosen: Collection[int]
) -> tuple[Entry, ...]:
    """Find what belongs to tables and is not among what was chosen with them: it needs another table.

    Such are foreign keys, policies and triggers, and what makes a table a partition of another.

    Raises:
        NotFoundError: The archive has no such tables; all are named.
    """
    own = _with_partitions(contents, _tables(contents, tables))
    names = {TableName(e.namespace, e.tag) for e in contents.entries if e.dump_id in own}
    return tuple(
        entry
        for entry in contents.entries
        if entry.dump_id not in chosen and not own.isdisjoint(entry.dependencies) and _is_part_of(entry, names)
    )


def _is_part_of(entry: Entry, tables: Collection[TableName]) -> bool:
    """Say whether an entry is about one of the tables: the tags of these kinds begin with the table's name."""
    if entry.desc == "TABLE ATTACH":
        return TableName(entry.namespace, entry.tag) in tables
    if entry.desc not in _NAMED_BY_TABLE:
        return False
    return any(entry.namespace == table.schema and entry.tag.startswith(f"{table.name} ") for table in tables)


def definitions_of_schemas(
    contents: Contents, schemas: Collection[str], *, beside_tables: Collection[TableName] = ()
) -> frozenset[int]:
    """Choose what makes all objects of schemas, and everything that those depend on, such as types elsewhere.

    Left out: publications, event triggers, and whatever needs a table or view of another schema, such as keys to it,
    unless that is one of the tables that are chosen beside.

    Raises:
        NotFoundError: The archive has nothing in such schemas; all are named.
    """
    _check_schemas(contents, schemas)
    wanted = frozenset(schemas)
    by_id = entries_by_id(contents)
    own = {e.dump_id for e in contents.entries if _lies_in(e, wanted)}
    own |= {e.dump_id for e in contents.entries if e.desc in _OF_SCHEMA and not own.isdisjoint(e.dependencies)}
    needs = {number: _needed(number, by_id) for number in own}
    beside = _with_partitions(contents, _tables(contents, beside_tables))
    outside = {e.dump_id for e in contents.entries if e.desc in _RELATIONS} - own - beside
    chosen = {number for number in own if outside.isdisjoint(needs[number])}
    chosen = chosen.union(*(needs[number] for number in chosen))
    within = {by_id[number].namespace for number in chosen}
    return _ids(
        entry
        for entry in contents.entries
        if entry.dump_id in chosen or entry.desc in SESSION_ENTRIES or (entry.desc == "SCHEMA" and entry.tag in within)
    )


def _lies_in(entry: Entry, schemas: frozenset[str]) -> bool:
    if entry.has_data or entry.desc == "SEQUENCE SET" or entry.desc.startswith("PUBLICATION"):
        return False
    return entry.namespace in schemas or (entry.desc == "SCHEMA" and entry.tag in schemas)


def _needed(number: int, by_id: dict[int, Entry]) -> set[int]:
    """Find everything that an entry depends on, however far."""
    found: set[int] = set()
    pending = [number]
    while pending:
        more = {d for d in by_id[pending.pop()].dependencies if d in by_id and not by_id[d].has_data} - found
        found |= more
        pending += more
    return found


def _check_schemas(contents: Contents, schemas: Collection[str]) -> None:
    known = {e.tag for e in contents.entries if e.desc == "SCHEMA"} | {e.namespace for e in contents.entries}
    _check_found(contents, (readable(schema) for schema in set(schemas) - known), "schemas")


def _belongs(entry: Entry, chosen: Collection[int], own: frozenset[int], by_id: dict[int, Entry]) -> bool:
    """Say whether it is part of what is chosen, and of no other table."""
    return any(number in chosen for number in entry.dependencies) and _tables_of(entry, by_id) <= own


def _tables_of(entry: Entry, by_id: dict[int, Entry]) -> set[int]:
    return {number for number in entry.dependencies if number in by_id and by_id[number].desc == "TABLE"}


def _tables(contents: Contents, tables: Collection[TableName]) -> frozenset[int]:
    """Find the tables' own entries; a dump of data alone has only their rows."""
    found: dict[TableName, Entry] = {}
    for entry in contents.entries:
        if entry.desc in {"TABLE", "TABLE DATA"}:
            found.setdefault(TableName(entry.namespace, entry.tag), entry)
    missing = [table for table in tables if table not in found]
    _check_no_views(contents, missing)
    _check_found(contents, (readable(qualified(table.schema, table.name)) for table in missing), "tables")
    return frozenset(found[table].dump_id for table in tables)


def _check_no_views(contents: Contents, missing: Collection[TableName]) -> None:
    """Say of names that are no tables what they are."""
    kinds = _RELATIONS | {"SEQUENCE"}
    found = [e for e in contents.entries if e.desc in kinds and TableName(e.namespace, e.tag) in missing]
    if found:
        what = ", ".join(f"{readable(qualified(e.namespace, e.tag))} is a {e.desc.lower()}" for e in found)
        raise NotFoundError(
            f"{contents.name} has no such table: {what}",
            hint="only tables are chosen by name; choose its whole schema",
            target=contents.name,
        )


def _with_partitions(contents: Contents, tables: frozenset[int]) -> frozenset[int]:
    found = set(tables)
    attached = [e.dependencies for e in contents.entries if e.desc == "TABLE ATTACH" and e.dependencies]
    while more := {numbers[0] for numbers in attached if not found.isdisjoint(numbers[1:])} - found:
        found |= more
    return frozenset(found)


def _check_found(contents: Contents, missing: Iterable[str], what: str) -> None:
    names = ", ".join(sorted(missing))
    if names:
        raise NotFoundError(
            f"{contents.name} has none of these {what}: {names}",
            hint="names are whole and exact, capitals included; the contents of the recovery point list them",
            target=contents.name,
        )


def _ids(entries: Iterable[Entry]) -> frozenset[int]:
    return frozenset(entry.dump_id for entry in entries)
