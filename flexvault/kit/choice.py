"""Which entries of an archive a person's choice brings along: the same for a restore and for its comparison."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from flexvault.domain.dump_catalogue import object_ids
from flexvault.domain.dump_choice import (
    SESSION_ENTRIES,
    data_of_schemas,
    data_of_tables,
    definitions_of_schemas,
    definitions_of_tables,
    left_behind_by_tables,
)
from flexvault.domain.dump_contents import Contents, Entry, is_about_database
from flexvault.domain.sql_text import Statement, join, quote_name, statements
from flexvault.kit.options import Options

NOT_REACHED: Final = "needs an object outside the chosen schemas"
NOT_CHOSEN: Final = "needs another table, which was not chosen"
OF_DATABASE: Final = "belongs to the whole database, of which a part was chosen: create it yourself where it is needed"
_OF_DATABASE: Final = frozenset({"EXTENSION", "DEFAULT ACL", "EVENT TRIGGER"})
_HAVE_PARTS: Final = frozenset({"TABLE", "FOREIGN TABLE", "SCHEMA"})
_OF_TABLES: Final = {
    "POLICY": f"{NOT_CHOSEN}; row security stays on, so who needs this policy sees no rows",
    "PUBLICATION TABLE": "its publication was not chosen",
    "PUBLICATION TABLES IN SCHEMA": "its publication was not chosen",
}
"""What belongs to a table or a schema and may stay behind, and why."""


def chosen_entries(contents: Contents, options: Options) -> frozenset[int]:
    """Answer the dump ids of what is chosen of an archive, whole where nothing else is said.

    Raises:
        NotFoundError: It has not the schemas or tables that were chosen.
    """
    database = contents.database
    schemas, tables = options.schemas.get(database, ()), options.tables.get(database, ())
    if not schemas and not tables:
        return frozenset(entry.dump_id for entry in contents.entries)
    definitions: frozenset[int] = frozenset()
    data: frozenset[int] = frozenset()
    if schemas:
        definitions = definitions_of_schemas(contents, schemas, beside_tables=tables)
        data = data_of_schemas(contents, schemas)
    if tables:
        definitions |= definitions_of_tables(contents, tables, beside=definitions)
        data |= data_of_tables(contents, tables)
    made = {e.dump_id for e in contents.entries if e.dump_id in definitions and e.desc in {"TABLE", "SEQUENCE"}}
    kept = {e.dump_id for e in contents.entries if e.dump_id in data and not made.isdisjoint(e.dependencies)}
    return definitions | kept


def lies_in_chosen_schema(entry: Entry, options: Options, database: str) -> bool:
    """Say whether an entry belongs to a schema that was chosen."""
    return entry.namespace in options.schemas.get(database, ())


def left_behind(contents: Contents, options: Options, chosen: frozenset[int]) -> Iterator[tuple[Entry, str]]:
    """Yield what belongs to a chosen schema, to a chosen table or to the whole database, and stays behind; and why."""
    database = contents.database
    if not options.is_partial(database):
        return
    tables = options.tables.get(database, ())
    of_tables = {entry.dump_id for entry in left_behind_by_tables(contents, tables, chosen)} if tables else set[int]()
    made = {e.dump_id for e in contents.entries if e.dump_id in chosen and e.desc in _HAVE_PARTS}
    for entry in contents.entries:
        if entry.dump_id in chosen or is_apart(entry):
            continue
        if lies_in_chosen_schema(entry, options, database):
            yield entry, NOT_REACHED
        elif entry.desc in _OF_TABLES and (entry.dump_id in of_tables or not made.isdisjoint(entry.dependencies)):
            yield entry, _OF_TABLES[entry.desc]
        elif entry.dump_id in of_tables:
            yield entry, NOT_CHOSEN
        elif entry.desc in _OF_DATABASE:
            yield entry, OF_DATABASE


def count_large_objects(contents: Contents, options: Options) -> int:
    """Count the large objects that a choice of schemas or tables leaves behind: no row says whose they are."""
    if not options.is_partial(contents.database):
        return 0
    return sum(len(object_ids(e)) for e in contents.entries if e.desc in {"BLOB", "BLOB METADATA"})


def is_apart(entry: Entry) -> bool:
    """Say whether an entry belongs to the session or to the database itself, which every choice brings along."""
    return entry.desc in SESSION_ENTRIES or is_about_database(entry.desc, entry.namespace, entry.tag)


def with_database(statement: Statement, name: str) -> Statement:
    """Write a statement about a database for one of another name; nothing when it is about none."""
    words = [token.upper() for token in statement]
    if "DATABASE" not in words[:-1]:
        return ()
    at = words.index("DATABASE", 3 if words[1] == "ROLE" else 0) + 1  # a role may be called so
    return (*statement[:at], quote_name(name), *statement[at + 1 :])


def is_label(statement: Statement) -> bool:
    """Say whether a statement is a security label."""
    return [token.upper() for token in statement[:2]] == ["SECURITY", "LABEL"]


def into_database(contents: Contents, name: str) -> Contents:
    """Answer an archive as if it were of a database of another name, into which it was restored."""
    entries = tuple(_into(entry, name) if is_apart(entry) else entry for entry in contents.entries)
    return replace(contents, database=name, entries=entries)


def _into(entry: Entry, name: str) -> Entry:
    if entry.desc in SESSION_ENTRIES - {"DATABASE"}:
        return entry
    tag = name if entry.desc.startswith("DATABASE") else f"DATABASE {name}"
    parsed = [with_database(statement, name) or statement for statement in statements(entry.definition)]
    return replace(entry, tag=tag, definition="".join(f"{join(statement)};\n" for statement in parsed))
