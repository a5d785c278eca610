"""Compare where sequences stand."""

from typing import Final

from flexvault.domain.dump_contents import Contents
from flexvault.domain.sql_text import literal_of, quote_name, statements
from flexvault.kit.client import Client, ClientError
from flexvault.kit.comparison import Facts, Named, in_schema
from flexvault.kit.row_streams import json_rows

_AT_ONCE: Final = 200
_SEQUENCES: Final = """
SELECT json_build_array(n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't' ORDER BY n.nspname, c.relname"""


def sequences_of_contents(contents: Contents) -> Facts:
    """Return where each sequence stood, from `SELECT pg_catalog.setval('name', 1010, true);`."""
    facts: Facts = {}
    for entry in contents.entries:
        if entry.desc == "SEQUENCE SET":
            tokens = next(statements(entry.definition))
            arguments = tokens[tokens.index("(") + 1 : -1]
            value, is_called = "".join(arguments[2:-2]), literal_of(arguments[-1])
            facts[_named(contents.database, entry.namespace, entry.tag)] = _write(value, is_called)
    return facts


def sequences_of_server(client: Client, database: str) -> tuple[Facts, dict[Named, str]]:
    """Return where each sequence stands, and why not for those that may not be read."""
    found = [(str(schema), str(name)) for schema, name in json_rows(client, _SEQUENCES, database)]
    facts: Facts = {}
    refused: dict[Named, str] = {}
    for start in range(0, len(found), _AT_ONCE):
        some = found[start : start + _AT_ONCE]
        try:
            facts |= _read(client, database, some)
        except ClientError:
            # One that may not be read spoils the query of all.
            for schema, name in some:
                try:
                    facts |= _read(client, database, [(schema, name)])
                except ClientError as error:
                    refused[_named(database, schema, name)] = error.message
    return facts, refused


def _read(client: Client, database: str, sequences: list[tuple[str, str]]) -> Facts:
    parts = [
        f"SELECT json_build_array({number}, last_value::text, is_called::text)"
        f" FROM {quote_name(schema)}.{quote_name(name)}"
        for number, (schema, name) in enumerate(sequences)
    ]
    rows = json_rows(client, " UNION ALL ".join(parts), database)
    facts: Facts = {}
    for number, value, is_called in rows:
        facts[_named(database, *sequences[int(number)])] = _write(value, is_called)
    return facts


def _named(database: str, schema: str, name: str) -> Named:
    return Named(database, "sequence value", in_schema(schema, name))


def _write(value: str, is_called: str) -> str:
    return value if is_called == "true" else f"{value}, not yet called"
