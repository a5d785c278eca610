"""Make a source of the corpus on a server, write its files as the emulator does, and ask a server its checks."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from local_cloud.arm_emulator.dump import BackupFile, FileKind, PostgresSource
from tests.rebuild.conftest import BIN, Server
from tests.rebuild.corpus.model import ABSENT, ADMINISTRATOR, Check, Database, Source, quoted

SERVICE = "azuresu"
"""The superuser of a flexible server, which is nobody's login."""

# As on a flexible server: the service's own roles, and an administrator who is no superuser.
_PLATFORM = f"""
CREATE ROLE azure_pg_admin NOLOGIN;
CREATE ROLE replication NOLOGIN REPLICATION;
CREATE ROLE {ADMINISTRATOR} LOGIN CREATEROLE CREATEDB BYPASSRLS REPLICATION PASSWORD 'not-a-real-secret';
GRANT azure_pg_admin TO {ADMINISTRATOR} WITH ADMIN OPTION;
GRANT pg_monitor, pg_read_all_data, pg_write_all_data, pg_signal_backend, pg_create_subscription
    TO {ADMINISTRATOR} WITH ADMIN OPTION;
"""


def make_platform(server: Server) -> None:
    """Make of a fresh server whose superuser is `azuresu` what a flexible server is to its customer."""
    server.execute(_PLATFORM)


def make_source(server: Server, sources: Iterable[Source]) -> None:
    """Make the sources on a server that is as a flexible server is; each statement string in one session."""
    major = major_of(server)
    for source in sources:
        if not can_have(server, source):
            continue
        _run(server, "postgres", source.roles)
        for database in source.databases:
            _make_database(server, database, major)
        _run(server, "postgres", source.after)


def can_have(server: Server, source: Source) -> bool:
    """Say whether a server has what a source needs."""
    return major_of(server) in source.majors and server.execute(source.needs) == [(True,)]


def major_of(server: Server) -> int:
    return int(str(server.execute("SHOW server_version_num")[0][0])) // 10000


def dump_as_the_emulator(server: Server, folder: Path, prefix: str, *, seekable: bool) -> dict[str, Path]:
    """Write the files of a backup with the emulator's own commands.

    Args:
        server: Read as its superuser.
        folder: Gets the files.
        prefix: What their names begin with.
        seekable: Into a file, where pg_dump notes the offsets of its data, or through a pipe, where it cannot.

    Returns:
        Exact name of a database -> its file.
    """
    source = PostgresSource(server.url(), server.bin)
    files = {database.name: BackupFile(kind=FileKind.DATABASE, database=database) for database in source.databases()}
    paths: dict[str, Path] = {}
    for name, file in [("", BackupFile(kind=FileKind.ROLES)), *files.items()]:
        path = folder / file.blob_name(prefix)
        paths[name] = path
        if seekable:
            seekable_source = _IntoAFile(server.url(), server.bin, path)
            with seekable_source.open(file):
                continue
        with source.open(file) as stream, path.open("wb") as target:
            shutil.copyfileobj(stream, target)
    del paths[""]
    return paths


class _IntoAFile(PostgresSource):
    """Runs the same command, which is told a file to write into."""

    def __init__(self, url: str, pg_bin: Path, path: Path) -> None:
        super().__init__(url, pg_bin)
        self._path = path

    def _command(self, file: BackupFile) -> list[str]:
        return [*super()._command(file), f"--file={self._path}"]


def ask(server: Server, check: Check) -> str:
    """Answer a check's query as text; what cannot be asked is an answer, too, and never the expected one."""
    try:
        with connect(server, check.database) as connection:
            cursor = connection.execute(check.sql.encode())
            while cursor.nextset():
                pass
            return _text(cursor)
    except psycopg.OperationalError:
        return ABSENT
    except psycopg.Error as error:
        return f"({str(error).partition('\n')[0]})"


def connect(server: Server, database: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Open a session that no setting of the database or its event triggers can hinder."""
    options = "-c default_transaction_read_only=off -c statement_timeout=0 -c row_security=off -c search_path=public"
    if server.bin == BIN:
        options += " -c event_triggers=off"
    return psycopg.connect(server.url(), dbname=database, autocommit=True, client_encoding="UTF8", options=options)


def _text(cursor: psycopg.Cursor[tuple[Any, ...]]) -> str:
    result = cursor.pgresult
    assert result is not None
    rows = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
    return "\n".join("|".join("NULL" if v is None else v.decode(errors="replace") for v in row) for row in rows)


def _make_database(server: Server, database: Database, major: int) -> None:
    name, owner = quoted(database.name), quoted(database.owner)
    _run(server, "postgres", f"CREATE DATABASE {name} TEMPLATE template0 OWNER {owner} {database.options}")
    of_the_major = {16: database.sql_of_16, 18: database.sql_of_18}[major]
    _run(server, database.name, database.sql, role=database.owner)
    _run(server, database.name, database.as_superuser)
    _run(server, database.name, of_the_major)


def _run(server: Server, database: str, sql: str, role: str | None = None) -> None:
    if not sql:
        return
    with psycopg.connect(server.url(), dbname=database, autocommit=True, client_encoding="UTF8") as connection:
        if role is not None:
            connection.execute(f"SET ROLE {quoted(role)}".encode())
        connection.execute(sql.encode())
