"""Run PostgreSQL's client programs: no shell, no script that psql would look for its own commands in."""

import os
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Final

from flexvault.domain.errors import PermanentError

APPLICATION_NAME: Final = "flexvault-rebuild"
FIELD_SEPARATOR, RECORD_SEPARATOR = "\x1f", "\x1e"
_SESSION: Final = {
    "client_min_messages": "warning",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "row_security": "off",
}
"""A database or role may be set to read only or to a short time limit; the kit does not obey that."""


class ClientError(PermanentError):
    """A program of PostgreSQL ended with an error; the message is what it said."""

    default_code = "PostgreSqlRefused"


class MissingProgramError(PermanentError):
    """A program of PostgreSQL is not on the PATH."""

    default_code = "ProgramMissing"


def connection_string(database: str) -> str:
    """Name a database so that libpq takes it whole: a bare `dbname=postgres` would be read as a connection string."""
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """PostgreSQL's programs and the server that they reach.

    Attributes:
        environment: libpq's PG* variables and PATH; where the server is and who asks, never on a command line.
        settings: Of the session, beside those that every session gets.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def run(self, program: str, *arguments: str, stdin: int | IO[bytes] = subprocess.DEVNULL) -> bytes:
        """Run a program to its end and answer what it printed.

        Raises:
            ClientError: It ended with an error.
            MissingProgramError: It is not there.
        """
        with self.open(program, *arguments, stdin=stdin, stdout=subprocess.PIPE) as process:
            printed, said = process.communicate()
        if process.returncode:
            raise ClientError(said.decode(errors="replace").strip() or f"{program} ended with {process.returncode}")
        return printed

    @contextmanager
    def open(
        self,
        program: str,
        *arguments: str,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> Generator[subprocess.Popen[bytes]]:
        """Start a program; it is ended with the block. Its standard error is a pipe.

        Raises:
            MissingProgramError: It is not there.
        """
        environment = self._environment()
        try:
            process = subprocess.Popen(  # noqa: S603 - libpq's programs, arguments whole, no shell
                [program, *arguments], env=environment, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
            )
        except FileNotFoundError:
            hint = "install the PostgreSQL client of the server's version and put it on the PATH"
            raise MissingProgramError(f"{program} is not on the PATH", hint=hint) from None
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def query(self, sql: str, database: str = "postgres") -> list[tuple[str | None, ...]]:
        """Run one SQL command string (one transaction, as psql sends it whole) and answer its last result's rows.

        NULL is nothing. Values hold no control character 1E or 1F; take JSON where they may.
        """
        arguments = ["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        arguments += [f"--field-separator={FIELD_SEPARATOR}", f"--record-separator={RECORD_SEPARATOR}"]
        arguments += ["--pset=null=\x1d", f"--dbname={connection_string(database)}", "--command", _whole(sql)]
        text = self.run("psql", *arguments).decode("utf-8", "surrogateescape")
        text = text.removesuffix("\n").removesuffix(RECORD_SEPARATOR)
        rows = text.split(RECORD_SEPARATOR) if text else []
        return [tuple(None if v == "\x1d" else v for v in row.split(FIELD_SEPARATOR)) for row in rows]

    def value(self, sql: str, database: str = "postgres") -> str:
        """Run one SQL command that answers one value."""
        return self.query(sql, database)[0][0] or ""

    def execute(self, statements: Sequence[str], database: str = "postgres") -> None:
        """Run statements one after the other, each in a transaction of its own, in one session; stops at an error."""
        arguments = ["--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        arguments.append(f"--dbname={connection_string(database)}")
        for statement in statements:
            arguments += ["--command", _whole(statement)]
        if statements:
            self.run("psql", *arguments)

    def _environment(self) -> dict[str, str]:
        settings = {**_SESSION, **self.settings}
        options = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
        given = self.environment.get("PGOPTIONS", "")
        fixed = {"LC_ALL": "C", "PGCLIENTENCODING": "UTF8", "PGAPPNAME": APPLICATION_NAME, "PGDATABASE": "postgres"}
        return {**self.environment, **fixed, "PGOPTIONS": f"{given} {options}".strip()}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _whole(sql: str) -> str:
    """Keep psql from reading a command string as one of its own: those begin with a backslash."""
    return f" {sql}"
