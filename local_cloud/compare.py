"""Prove that two PostgreSQL servers hold the same: every row, every object, every role, or say what differs.

Each server is written down as facts, a flat mapping from a named object to its value, by catalog queries of its own and
not by pg_dump: a thing that pg_dump forgets must not be forgotten here too. Tables are compared by their row count and
a sum over the rows' digests, which neither the order of rows nor their place on disk changes and which duplicates do
change (a XOR would cancel them). Passwords are not compared: a dump without superuser does not hold them.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import sql

from local_cloud import compare_queries

SERVICE_DATABASES = frozenset({"postgres", "template0", "template1", "azure_maintenance", "azure_sys"})

# What the text of a value depends on; pg_dump sets the same.
_SESSION = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "timezone": "UTC",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "row_security": "off",
    "search_path": "pg_catalog",
    "statement_timeout": "0",
    "client_encoding": "UTF8",
}

type Facts = dict[str, str]
"""Named object -> its value, such as `database shop: table sales.customer: rows` -> `1500 rows, digest ...`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two servers have in common.

    Attributes:
        differences: One line per object that differs, is missing or is there too much.
        equal_count: Facts that are equal.
        counts: Of the source: `databases`, `tables`, `rows`, `roles`, `sequences`, `largeObjects`.
    """

    differences: tuple[str, ...]
    equal_count: int
    counts: dict[str, int]

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs and anything was compared."""
        return not self.differences and self.equal_count > 0


def compare_servers(
    source_url: str, target_url: str, *, skip_databases: frozenset[str] = SERVICE_DATABASES
) -> Comparison:
    """Compare all databases, roles and objects of two servers.

    Args:
        source_url: `postgresql://` URL of a superuser; its database is only where the comparison starts.
        target_url: Likewise.
        skip_databases: Databases that no rebuild restores.
    """
    return compare_facts(*(server_facts(url, skip_databases=skip_databases) for url in (source_url, target_url)))


def compare_facts(source: Facts, target: Facts) -> Comparison:
    """Compare what `server_facts` wrote down of two servers, or of one server at two moments."""
    differences = tuple(_differences(source, target))
    return Comparison(
        differences=differences, equal_count=len(set(source) | set(target)) - len(differences), counts=_counts(source)
    )


def server_facts(url: str, *, skip_databases: frozenset[str] = SERVICE_DATABASES) -> Facts:
    """Write down a whole server."""
    facts: Facts = {}
    with _connect(url, None) as connection:
        for kind, query in compare_queries.OF_THE_SERVER.items():
            _add(facts, kind, connection.execute(query).fetchall())
        found = connection.execute(compare_queries.DATABASES).fetchall()
        names = [str(name) for (name,) in found if name not in skip_databases]
        for kind, query in compare_queries.OF_A_DATABASE_ENTRY.items():
            _add(facts, kind, connection.execute(query, {"databases": names}).fetchall())
    for name in names:
        with _connect(url, name) as connection:
            for kind, object_name, value in _database_facts(connection):
                _put(facts, f"database {name}: {kind} {object_name}", value)
    return facts


def _connect(url: str, database: str | None) -> psycopg.Connection[tuple[str, ...]]:
    connection = psycopg.connect(url, dbname=database) if database is not None else psycopg.connect(url)
    for name, value in _SESSION.items():
        connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
    connection.commit()
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def _database_facts(connection: psycopg.Connection[tuple[str, ...]]) -> Iterator[tuple[str, str, str]]:
    for kind, query in compare_queries.OF_A_DATABASE.items():
        for name, value in connection.execute(query):
            yield kind, str(name), str(value)
    for schema, table in connection.execute(compare_queries.TABLES_WITH_ROWS).fetchall():
        query = sql.SQL(compare_queries.ROWS_OF_A_TABLE).format(table=sql.Identifier(schema, table))
        for rows, digest in connection.execute(query):
            yield "rows of", f"{schema}.{table}", f"{rows} rows, digest {digest}"
    for schema, sequence in connection.execute(compare_queries.SEQUENCES).fetchall():
        query = sql.SQL(compare_queries.VALUE_OF_A_SEQUENCE).format(sequence=sql.Identifier(schema, sequence))
        for last_value, is_called in connection.execute(query):
            yield "sequence value", f"{schema}.{sequence}", f"{last_value}{'' if is_called else ', not yet called'}"


def _add(facts: Facts, kind: str, rows: Iterable[tuple[str, ...]]) -> None:
    for name, value in rows:
        _put(facts, f"{kind} {name}", str(value))


def _put(facts: Facts, key: str, value: str) -> None:
    """Record a fact; several of one name (comments on overloaded objects) become one, sorted, so that none hides."""
    facts[key] = "\n".join(sorted([facts[key], value])) if key in facts else value


def _differences(source: Facts, target: Facts) -> Iterator[str]:
    for key in sorted(set(source) | set(target)):
        if key not in target:
            yield f"{key}: missing in the target, in the source: {source[key]}"
        elif key not in source:
            yield f"{key}: only in the target: {target[key]}"
        elif source[key] != target[key]:
            yield f"{key}: differs, in the source: {source[key]}, in the target: {target[key]}"


def _counts(facts: Facts) -> dict[str, int]:
    rows = [value for key, value in facts.items() if ": rows of " in key]
    return {
        "databases": sum(key.startswith("database properties ") for key in facts),
        "tables": len(rows),
        "rows": sum(int(value.split(" ", 1)[0]) for value in rows),
        "roles": sum(key.startswith("role ") for key in facts),
        "sequences": sum(": sequence value " in key for key in facts),
        "largeObjects": sum(": large object " in key for key in facts),
    }


def main() -> int:
    """Compare two servers by their URLs; exit status 0 only when all is equal."""
    parser = argparse.ArgumentParser(description="Prove that two PostgreSQL servers hold the same.")
    parser.add_argument("source_url")
    parser.add_argument("target_url")
    arguments = parser.parse_args()
    comparison = compare_servers(arguments.source_url, arguments.target_url)
    for line in comparison.differences:
        print(line)
    print(f"{comparison.equal_count} facts equal, {len(comparison.differences)} different; {comparison.counts}")
    return 0 if comparison.is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
