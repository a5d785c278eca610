"""Which entries of an archive a person's choice brings along: the same for a restore and for its comparison."""

from dataclasses import replace
from typing import Final

from flexvault.domain.dump_choice import (
    SESSION_ENTRIES,
    data_of_schemas,
    data_of_tables,
    definitions_of_schemas,
    definitions_of_tables,
)
from flexvault.domain.dump_contents import Contents, Entry
from flexvault.domain.sql_text import Statement, join, quote_name, statements
from flexvault.kit.options import Options

NOT_REACHED: Final = "needs an object outside the chosen schemas"


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
        definitions, data = definitions_of_schemas(contents, schemas), data_of_schemas(contents, schemas)
    if tables:
        definitions |= definitions_of_tables(contents, tables)
        data |= data_of_tables(contents, tables)
    made = {e.dump_id for e in contents.entries if e.dump_id in definitions and e.desc in {"TABLE", "SEQUENCE"}}
    kept = {e.dump_id for e in contents.entries if e.dump_id in data and not made.isdisjoint(e.dependencies)}
    return definitions | kept


def lies_in_chosen_schema(entry: Entry, options: Options, database: str) -> bool:
    """Say whether an entry belongs to a schema that was chosen."""
    return entry.namespace in options.schemas.get(database, ())


def is_apart(entry: Entry) -> bool:
    """Say whether an entry belongs to the session or to the database itself, which every choice brings along."""
    return entry.desc in SESSION_ENTRIES or entry.desc.startswith("DATABASE") or entry.tag.startswith("DATABASE ")


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
    tag = f"DATABASE {name}" if entry.tag.startswith("DATABASE ") else name
    parsed = [with_database(statement, name) or statement for statement in statements(entry.definition)]
    return replace(entry, tag=tag, definition="".join(f"{join(statement)};\n" for statement in parsed))
