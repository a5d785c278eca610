"""The contents of a backup: what `pg_dumpall` and `pg_dump` write about a server, as streams of unknown length."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CONNECT_TIMEOUT_SECONDS = 10

# Azure leaves out what the service itself owns: the native database and those of its own roles. Source:
# https://learn.microsoft.com/azure/backup/backup-azure-database-postgresql-flex-support-matrix
_DATABASES = """
    SELECT datname, pg_database_size(oid)
    FROM pg_database
    WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres'
      AND pg_get_userbyid(datdba) NOT IN ('azuresu', 'azure_pg_admin')
    ORDER BY datname
"""


class FileKind(StrEnum):
    """What a file of a backup holds."""

    ROLES = "roles"
    TABLESPACE = "tablespace"
    SCHEMA = "schema"
    DATABASE = "database"


class DumpFailedError(Exception):
    """PostgreSQL could not be read; the message holds no connection string."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that a backup contains."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFile:
    """One file to be written: its kind, and the database when it is one's dump."""

    kind: FileKind
    database: Database | None = None

    def blob_name(self, backup_name: str) -> str:
        """Return the file's name in the container; a database's name is percent-encoded outside `[A-Za-z0-9_-]`."""
        if self.database is None:
            return f"{backup_name}_{self.kind}.sql"
        # quote() also leaves dots and tildes as they are; here they are encoded like everything else.
        encoded = quote(self.database.name, safe="").replace(".", "%2E").replace("~", "%7E")
        return f"{backup_name}_database_{encoded}.sql"


class PostgresSource:
    """One PostgreSQL server, read with the programs of its own version."""

    def __init__(self, url: str, pg_bin: Path | None) -> None:
        given = conninfo_to_dict(url, connect_timeout=_CONNECT_TIMEOUT_SECONDS)
        self._parameters = {key: str(value) for key, value in given.items() if value is not None}
        self._pg_bin = pg_bin

    def databases(self) -> list[Database]:
        """Return the databases that a backup contains, by name.

        Raises:
            DumpFailedError: The server does not answer.
        """
        return [Database(name=name, size_bytes=size) for name, size in self._query(_DATABASES)]

    def size_bytes(self) -> int:
        """Return the size of all databases, also of those that a backup leaves out.

        Raises:
            DumpFailedError: The server does not answer.
        """
        return int(self._query("SELECT sum(pg_database_size(oid))::bigint FROM pg_database")[0][0])

    @contextmanager
    def open(self, file: BackupFile) -> Generator[IO[bytes]]:
        """Run the program that writes a file and yield its output.

        Raises:
            DumpFailedError: The program cannot run, or ended with an error after its output was read to the end.
        """
        command = self._command(file)
        environment = {**os.environ, "PGPASSWORD": self._parameters.get("password", "")}
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
            except OSError as error:
                raise DumpFailedError(f"{command[0]} cannot run: {error.strerror}") from error
            with process:
                try:
                    assert process.stdout is not None
                    yield process.stdout
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                errors.seek(0)
                lines = errors.read().decode(errors="replace").strip().splitlines() or ["no message"]
                raise DumpFailedError(f"{Path(command[0]).name} ended with {process.returncode}: {lines[-1]}")

    def _command(self, file: BackupFile) -> list[str]:
        if file.database is not None:
            connection = self._connection_string(file.database.name)
            return [self._program("pg_dump"), "--format=custom", f"--dbname={connection}"]
        scope = {
            FileKind.ROLES: "--roles-only",
            FileKind.TABLESPACE: "--tablespaces-only",
            FileKind.SCHEMA: "--schema-only",
        }[file.kind]
        return [self._program("pg_dumpall"), scope, f"--dbname={self._connection_string('postgres')}"]

    def _connection_string(self, database: str) -> str:
        # Without the password: a process's arguments can be read by everybody on the machine.
        others = {key: value for key, value in self._parameters.items() if key not in {"password", "dbname"}}
        quoted = database.replace("\\", "\\\\").replace("'", "\\'")
        return f"dbname='{quoted}' {make_conninfo('', **others)}"

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=self._pg_bin)
        if found is None:
            raise DumpFailedError(f"{name} was not found in {self._pg_bin or 'PATH'}")
        return found

    def _query(self, statement: str) -> list[tuple[str, int]]:
        try:
            with psycopg.connect(make_conninfo("", **self._parameters)) as connection:
                return list(connection.execute(statement.encode()).fetchall())
        except psycopg.Error as error:
            raise DumpFailedError(f"PostgreSQL does not answer: {type(error).__name__}") from error
