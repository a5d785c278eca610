"""The doctor's SQL is read by a real PostgreSQL, finds what it says it finds, and changes nothing."""

from collections.abc import Generator
from typing import Any

import psycopg
import pytest

from flexvault.domain.doctor_sql import not_checkable
from local_cloud.postgres import PostgresServer, empty_server

SQL = {finding.code: finding.sql for finding in not_checkable("/server")}
SEED = """
CREATE ROLE azure_pg_admin;
CREATE ROLE owner_of_large;
CREATE SCHEMA "Odd'Name";
CREATE TABLE "Odd'Name"."my table" (id int, "the file" bytea, other text);
ALTER TABLE "Odd'Name"."my table" ALTER "the file" SET STORAGE EXTERNAL;
CREATE TABLE small (file bytea);
INSERT INTO small VALUES ('x');
CREATE UNLOGGED TABLE cache (id int);
SELECT lo_create(4711);
ALTER LARGE OBJECT 4711 OWNER TO owner_of_large;
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    with empty_server(tmp_path_factory.mktemp("doctor"), name="pg-doctor") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(SEED.encode())
            connection.execute(b"CREATE DATABASE azure_maintenance OWNER azure_pg_admin")
        yield server


def ask(server: PostgresServer, sql: str) -> list[tuple[Any, ...]]:
    """Run it as somebody who may only read."""
    with psycopg.connect(server.url, options="-c default_transaction_read_only=on") as connection:
        return connection.execute(sql.encode()).fetchall()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("DatabasesOfAzure", [("azure_maintenance", "azure_pg_admin")]),
        ("UnloggedTables", [("public", "cache")]),
        ("LargeObjects", [("owner_of_large", 1)]),
    ],
)
def test_the_sql_finds_what_it_is_for(postgres: PostgresServer, code: str, expected: list[tuple[Any, ...]]):
    assert ask(postgres, SQL[code]) == expected


def test_each_column_that_may_hold_large_values_gets_a_statement_that_counts_them(postgres: PostgresServer):
    statements = [statement for (statement,) in ask(postgres, SQL["LargeByteaValues"])]
    counted = [row for statement in statements for row in ask(postgres, statement)]
    assert counted == [("Odd'Name.my table.the file", 0), ("public.small.file", 0)]


def test_a_value_above_the_limit_is_counted(postgres: PostgresServer):
    statements = [statement for (statement,) in ask(postgres, SQL["LargeByteaValues"])]
    lowered = [statement.replace("> 500000000", "> 0") for statement in statements]
    assert [row for statement in lowered for row in ask(postgres, statement)][-1] == ("public.small.file", 1)
