"""PostgreSQL's programs are run without a shell, and nothing of a dump is ever read as a command of psql."""

from pathlib import Path

import pytest

from flexvault.kit.client import Client, ClientError, MissingProgramError, StatementError, connection_string
from tests.rebuild.conftest import Server, ServerMaker, open_folder, run_server

__all__ = ["open_folder", "run_server"]


@pytest.fixture(scope="module")
def server(run_server: ServerMaker):
    with run_server() as running:
        yield running


@pytest.fixture
def client(server: Server) -> Client:
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres"}
    return Client(environment={"PATH": str(server.bin), **where})


def test_a_name_is_one_value_of_a_connection_string():
    assert connection_string("a'b\\ dbname=c") == r"dbname='a\'b\\ dbname=c'"


def test_rows_come_back_whole(client: Client):
    rows = client.query(r"VALUES ('a' || E'\n' || 'b|c', NULL), ('', '1')")
    assert rows == [("a\nb|c", None), ("", "1")]
    assert client.query("SELECT 1 WHERE false") == []
    assert client.value("SELECT ''") == ""


def test_a_statement_that_begins_with_a_backslash_is_no_command(client: Client, tmp_path: Path):
    with pytest.raises(ClientError, match="syntax error"):
        client.query(f"\\! touch {tmp_path}/pwned")
    with pytest.raises(StatementError, match="syntax error"):
        client.run_all([f"\\! touch {tmp_path}/pwned", "SELECT 1"])
    assert list(tmp_path.iterdir()) == []


def test_statements_run_all_or_none(client: Client, server: Server):
    with pytest.raises(StatementError) as failed:
        client.run_all(["CREATE TABLE public.kept (n int)", "SELECT 1 / 0"])
    assert (failed.value.number, failed.value.message) == (1, "division by zero")
    assert server.execute("SELECT to_regclass('kept')") == [(None,)]
    client.run_all(["CREATE TABLE public.kept (n int)", "INSERT INTO public.kept VALUES (1)"])
    assert server.execute("SELECT n FROM kept") == [(1,)]


def test_a_refused_statement_is_never_repeated_in_the_message(client: Client):
    with pytest.raises(StatementError) as failed:
        client.run_all(["ALTER ROLE nobody_of_this_name PASSWORD 'a-secret'"])
    assert "a-secret" not in str(failed.value)


def test_statements_are_tried_one_by_one(client: Client):
    errors = client.try_all(["SELECT 1", "SELECT 1 / 0", "SELECT no_column", "SELECT 2"])
    assert errors[0] == errors[3] == ""
    assert errors[1] == "division by zero"
    assert "no_column" in errors[2]
    assert client.try_all(["SELECT 1"]) == [""]
    assert client.try_all([]) == []


@pytest.mark.parametrize(
    "text", ["tab\tline\nreturn\r", "\\.", "\\N", "\\\\", "'; DROP TABLE x; --", "ünï 日本", "x" * 300_000]
)
def test_a_statement_may_hold_anything_and_be_of_any_length(client: Client, text: str):
    quoted = text.replace("'", "''")
    assert client.try_all([f"SELECT 1 / (CASE WHEN md5('{quoted}') = md5('') THEN 0 ELSE 1 END)"]) == [""]
    error = client.try_all([f"DO $$ BEGIN RAISE EXCEPTION '%', length('{quoted}'); END $$"])
    assert error == [str(len(text))]


def test_settings_of_the_database_do_not_bind_the_kit(client: Client, server: Server):
    server.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    server.execute("ALTER DATABASE postgres SET statement_timeout = '1ms'")
    try:
        client.run_all(["CREATE TABLE public.written (n int)", "SELECT pg_sleep(0.01)"])
    finally:
        for name in ("default_transaction_read_only", "statement_timeout"):
            server.execute(f"ALTER DATABASE postgres RESET {name}")


def test_an_error_of_pg_restore_names_the_entry(client: Client):
    with pytest.raises(ClientError, match="input file does not appear to be a valid archive"):
        client.restore("postgres", [b"no archive at all, but long enough to be looked at"])


def test_a_missing_program_is_said(client: Client):
    empty = Client(environment={**client.environment, "PATH": "/nowhere"})
    with pytest.raises(MissingProgramError, match="psql is not on the PATH"):
        empty.query("SELECT 1")
