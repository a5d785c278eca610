"""Run PostgreSQL's client programs: no shell, no script that psql would look for its own commands in."""

import os
import re
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
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
    "standard_conforming_strings": "on",
    "search_path": "",
}
"""A database or role may be set to read only or to a short time limit; the kit does not obey that.

Nor does it look for functions and operators where others may have put some.
"""

_PRINT_ROWS: Final = (
    "--no-psqlrc",
    "--no-password",
    "--quiet",
    "--tuples-only",
    "--no-align",
    "--set=ON_ERROR_STOP=1",
    f"--field-separator={FIELD_SEPARATOR}",
    f"--record-separator={RECORD_SEPARATOR}",
)


_MAKE_TABLE: Final = "CREATE TEMPORARY TABLE flexvault_statements (number int, run text, failed text)"
_FILL_TABLE: Final = "COPY pg_temp.flexvault_statements (number, run) FROM STDIN"
_RUN_TABLE: Final = """DO $flexvault$ DECLARE statement record; BEGIN
FOR statement IN SELECT number, run FROM pg_temp.flexvault_statements ORDER BY number LOOP
  BEGIN EXECUTE statement.run;
  EXCEPTION WHEN OTHERS THEN {otherwise};
  END;
END LOOP; END $flexvault$"""
_STOP: Final = "RAISE EXCEPTION 'statement %: %', statement.number, SQLERRM"
_NOTE: Final = "UPDATE pg_temp.flexvault_statements SET failed = SQLERRM WHERE number = statement.number"
_READ_TABLE: Final = "SELECT failed FROM pg_temp.flexvault_statements ORDER BY number"
_COMMAND: Final = re.compile(r"^Command was: .*?(?=^pg_restore: |\Z)", re.MULTILINE | re.DOTALL)
_CHATTER: Final = re.compile(r"^pg_restore: (?!error: |detail: |hint: ).*\n?", re.MULTILINE)
_ENTRY: Final = re.compile(r"^pg_restore: from TOC entry (\d+); \S+ \S+ (.*)$", re.MULTILINE)
_FAILED: Final = re.compile(r"ERROR:  statement (\d+): (.*)", re.DOTALL)


GO_ON_HINT: Final = "mend this, then run the same command again: it goes on"
_PATH_HINT: Final = (
    "if a function needs a search_path that is not its database's: --search-path DATABASE 'app, public'; "
    "else mend this, then run the same command again: it goes on"
)


class ClientError(PermanentError):
    """A program of PostgreSQL ended with an error; the message is what it said."""

    default_code = "PostgreSqlRefused"


class StatementError(ClientError):
    """One of several statements failed, so none of them was run.

    Attributes:
        number: Of the statement, from 0 on.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class RestoreError(ClientError):
    """`pg_restore` stopped at an entry.

    Attributes:
        dump_id: Of the entry; 0 when it was none.
    """

    def __init__(self, message: str, dump_id: int) -> None:
        super().__init__(message, hint=_PATH_HINT if "does not exist" in message else GO_ON_HINT)
        self.dump_id = dump_id


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
        application_name: As pg_stat_activity shows the kit's sessions.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    application_name: str = APPLICATION_NAME
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set[subprocess.Popen[bytes]], compare=False)

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
        stderr: int | IO[bytes] = subprocess.PIPE,
    ) -> Generator[subprocess.Popen[bytes]]:
        """Start a program; it is ended with the block.

        Raises:
            MissingProgramError: It is not there.
        """
        environment = self._environment()
        try:
            process = subprocess.Popen(  # noqa: S603 - libpq's programs, arguments whole, no shell
                [program, *arguments], env=environment, stdin=stdin, stdout=stdout, stderr=stderr
            )
        except FileNotFoundError:
            hint = "install the PostgreSQL client of the server's version and put it on the PATH"
            raise MissingProgramError(f"{program} is not on the PATH", hint=hint) from None
        self._running.add(process)
        try:
            yield process
        finally:
            self._running.discard(process)
            if process.poll() is None:
                process.kill()
                process.wait()

    def stop(self) -> None:
        """End all programs that are at work, in whatever threads; those then hear an error."""
        for process in tuple(self._running):
            process.kill()

    def query(self, sql: str, database: str = "postgres") -> list[tuple[str | None, ...]]:
        """Run one SQL command string (one transaction, as psql sends it whole) and answer its last result's rows.

        NULL is nothing. Values hold no control character 1E or 1F; take JSON where they may.
        """
        arguments = [*_PRINT_ROWS, "--pset=null=\x1d", f"--dbname={connection_string(database)}"]
        arguments += ["--command", _whole(sql)]
        text = self.run("psql", *arguments).decode("utf-8", "surrogateescape")
        rows = text.removesuffix("\n").split(RECORD_SEPARATOR) if text else []
        return [tuple(None if v == "\x1d" else v for v in row.split(FIELD_SEPARATOR)) for row in rows]

    def value(self, sql: str, database: str = "postgres") -> str:
        """Run one SQL command that answers one value."""
        return self.query(sql, database)[0][0] or ""

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement that may not be inside a transaction with others, such as CREATE DATABASE."""
        self.execute_in_turn([statement], database)

    def execute_in_turn(self, statements: Sequence[str], database: str = "postgres") -> None:
        """Run statements in one session, each in a transaction of its own; stops at the first error."""
        arguments = ["--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1", f"--output={os.devnull}"]
        arguments.append(f"--dbname={connection_string(database)}")
        for statement in statements:
            arguments += ["--command", _whole(statement)]
        self.run("psql", *arguments)

    def run_all(self, statements: Sequence[str], database: str = "postgres") -> None:
        """Run statements in one transaction: all or none.

        They travel as rows of a COPY, so they may be of any length, and no other user of this machine sees them.

        Raises:
            StatementError: One failed; the message is the server's, which never repeats the statement.
        """
        if not statements:
            return
        try:
            self._run_rows(statements, database, _RUN_TABLE.format(otherwise=_STOP))
        except ClientError as error:
            found = _FAILED.search(error.message)
            if found is None:
                raise
            raise StatementError(found[2].strip(), int(found[1])) from None

    def try_all(self, statements: Sequence[str], database: str = "postgres") -> list[str]:
        """Run statements, go on behind one that fails, and answer each one's error or an empty text."""
        if not statements:
            return []
        printed = self._run_rows(statements, database, _RUN_TABLE.format(otherwise=_NOTE), _READ_TABLE)
        text = printed.decode("utf-8", "replace").removesuffix("\n")
        return text.split(RECORD_SEPARATOR)

    def restore(self, database: str, archive: str | Iterable[bytes], *options: str) -> None:
        """Let pg_restore put an archive into a database: the path of a file, or the pieces of its bytes.

        Raises:
            RestoreError: It stopped; without the statement that failed, which may hold a password.
        """
        arguments = ["--exit-on-error", "--verbose", "--no-password", "--no-tablespaces", *options]
        arguments.append(f"--dbname={connection_string(database)}")
        try:
            if isinstance(archive, str):
                self.run("pg_restore", *arguments, archive)
            else:
                self.feed("pg_restore", *arguments, pieces=archive)
        except ClientError as error:
            raise _restore_error(error.message) from None

    def feed(self, program: str, *arguments: str, pieces: Iterable[bytes]) -> bytes:
        """Run a program with pieces of bytes as its input and answer what it printed.

        Raises:
            ClientError: It ended with an error.
            MissingProgramError: It is not there.
        """
        # Files, because a program that waits for its output to be read would not read its input.
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as printed:
            with self.open(program, *arguments, stdin=subprocess.PIPE, stdout=printed, stderr=said) as process:
                assert process.stdin is not None  # noqa: S101 - a pipe was asked for
                with suppress(BrokenPipeError):  # it ended early, and says why
                    for piece in pieces:
                        process.stdin.write(piece)
                with suppress(BrokenPipeError):
                    process.stdin.close()
                process.wait()
            said.seek(0)
            printed.seek(0)
            if process.returncode:
                text = said.read().decode(errors="replace").strip()
                raise ClientError(text or f"{program} ended with {process.returncode}")
            return printed.read()

    def _run_rows(self, statements: Sequence[str], database: str, *commands: str) -> bytes:
        arguments = [*_PRINT_ROWS, "--set=SHOW_CONTEXT=never", f"--dbname={connection_string(database)}"]
        for command in (_MAKE_TABLE, _FILL_TABLE, *commands):
            arguments += ["--command", command]
        rows = (
            f"{number}\t{_copied(statement)}\n".encode("utf-8", "surrogateescape")
            for number, statement in enumerate(statements)
        )
        return self.feed("psql", *arguments, pieces=rows)

    def _environment(self) -> dict[str, str]:
        settings = {**_SESSION, **self.settings}
        options = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
        given = self.environment.get("PGOPTIONS", "")
        fixed = {
            "LC_ALL": "C",
            "PGCLIENTENCODING": "UTF8",
            "PGAPPNAME": self.application_name,
            "PGDATABASE": "postgres",
        }
        return {**self.environment, **fixed, "PGOPTIONS": f"{given} {options}".strip()}


def _restore_error(said: str) -> RestoreError:
    """Find the entry and the error in what a talkative pg_restore said."""
    chatter, _, error = said.partition("pg_restore: error: ")
    entries = _ENTRY.findall(chatter)
    text = _CHATTER.sub("", _COMMAND.sub("", error)).strip().replace("could not execute query: ", "", 1)
    if not error:
        return RestoreError(said.strip(), 0)
    number, name = entries[-1] if entries else ("0", "")
    return RestoreError(f"{name}: {text}" if name else text, int(number))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _copied(text: str) -> str:
    """Write a text as a value of a COPY."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _whole(sql: str) -> str:
    """Keep psql from reading a command string as one of its own: those begin with a backslash."""
    return f" {sql}"
