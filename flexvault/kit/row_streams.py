"""Read rows of a server as COPY writes them, and digest them as a deep verification does, in bounded memory."""

import json
import re
import subprocess
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, Final

from flexvault.domain.row_digest import RowDigest, digest_text
from flexvault.domain.sql_text import literal_of, name_of, quote_literal, statements
from flexvault.kit.client import Client, ClientError, connection_string

PIECE_BYTES: Final = 1 << 18
_LISTEN_BYTES: Final = 4096
_MOST_SAID_BYTES: Final = 64 * 1024

DUMP_SESSION: Final[Mapping[str, str]] = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "synchronize_seqscans": "off",
    "search_path": "",
}
"""What the text of a value depends on and pg_dump sets itself (pg_dump.c, setup_connection)."""
FIXED_SESSION: Final[Mapping[str, str]] = {
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
}
"""What it depends on too, and pg_dump leaves to the server: these are PostgreSQL's defaults."""

_SESSION_VARIABLES: Final = frozenset({"PGTZ", "PGDATESTYLE", "PGGEQO"})
_FROM_STDIN: Final = re.compile(r"\s+FROM\s+stdin\s*;?\s*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a table as a set.

    Attributes:
        size_bytes: Of their COPY text.
    """

    count: int
    digest: str
    size_bytes: int = 0

    def __str__(self) -> str:
        return f"{self.count:,} rows, digest {self.digest}"


def total_of(parts: Sequence[Rows]) -> Rows:
    """Add sets of rows."""
    return Rows(
        count=sum(part.count for part in parts),
        digest=digest_text(sum(int(part.digest, 16) for part in parts)),
        size_bytes=sum(part.size_bytes for part in parts),
    )


def json_rows(client: Client, query: str, database: str = "postgres") -> list[list[Any]]:
    """Run a query whose one column is a JSON array: any name and any text is safe in it."""
    return [json.loads(row[0] or "[]") for row in client.query(query, database)]


def with_settings(client: Client, *settings: Mapping[str, str]) -> Client:
    """Give a client's sessions more settings, and keep out those that libpq takes from the environment."""
    merged = dict(client.settings)
    for more in settings:
        merged |= more
    environment = {name: value for name, value in client.environment.items() if name not in _SESSION_VARIABLES}
    return replace(client, settings=merged, environment=environment)


def copied_table(copy_statement: str) -> tuple[str, str] | None:
    """Return schema and name of the table that a COPY statement fills; nothing for anything else."""
    tokens = next(statements(copy_statement), ())
    if len(tokens) < 4 or tokens[0].upper() != "COPY" or tokens[2] != ".":  # noqa: PLR2004 - COPY schema . table
        return None
    return name_of(tokens[1]), name_of(tokens[3])


def copy_to_stdout(copy_statement: str, *, encoding: str, condition: str = "", is_query: bool = False) -> str | None:
    """Turn the `COPY table (columns) FROM stdin;` of an archive into the command that writes the same rows.

    Args:
        copy_statement: As the archive has it. Only its last words are changed, and only if they are words.
        encoding: Of the archive.
        condition: `WHERE ...` for a table of an extension, of which a dump holds a part.
        is_query: Read by SELECT, as a partitioned table must be.

    Returns:
        Nothing when it is no such statement.
    """
    parsed = list(statements(copy_statement))
    if len(parsed) != 1 or len(parsed[0]) < 4:  # noqa: PLR2004 - COPY table FROM stdin
        return None
    tokens = parsed[0]
    if tokens[0].upper() != "COPY" or [token.upper() for token in tokens[-2:]] != ["FROM", "STDIN"]:
        return None
    what = _FROM_STDIN.sub("", copy_statement.strip())
    if condition or is_query:
        table, columns = _table_and_columns(what)
        what = f"COPY (SELECT {columns} FROM {table} {condition})"
    return f"{what} TO STDOUT (ENCODING {quote_literal(literal_of(encoding))})"


def digest_rows(client: Client, database: str, command: str) -> Rows:
    """Run a COPY TO STDOUT and digest what it writes.

    Raises:
        ClientError: It was refused, or ended with an error.
    """
    rows = RowDigest()
    with copy_out(client, database, command) as pieces:
        for piece in pieces:
            rows.add(piece)
    return Rows(count=rows.rows, digest=rows.digest, size_bytes=rows.bytes)


@contextmanager
def copy_out(client: Client, database: str, command: str) -> Generator[Iterator[bytes]]:
    """Run one COPY TO STDOUT; the block takes its bytes as they come.

    Raises:
        ClientError: The server refused it or stopped in the middle; raised when the block took all bytes.
    """
    arguments = ["--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1"]
    arguments += [f"--dbname={connection_string(database)}", "--command", f" {command}"]
    with client.open("psql", *arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - both are pipes
        said: list[bytes] = []
        # What it says is taken at once: a full pipe would stop it.
        listener = threading.Thread(target=_listen, args=(process.stderr, said), daemon=True)
        listener.start()
        with process.stdout as stream:
            yield iter(lambda: stream.read(PIECE_BYTES), b"")
            listener.join()
        if process.wait():
            raise ClientError(b"".join(said).decode(errors="replace").strip() or "psql ended with an error")


def _listen(stream: IO[bytes], said: list[bytes]) -> None:
    kept = 0
    with stream:
        while piece := stream.read(_LISTEN_BYTES):
            if kept < _MOST_SAID_BYTES:
                said.append(piece)
                kept += len(piece)


def _table_and_columns(copy: str) -> tuple[str, str]:
    """Take `COPY schema.table (a, b)` apart; quoted names may hold brackets."""
    tokens = next(statements(copy))
    opening = tokens.index("(") if "(" in tokens else len(tokens)
    columns = " ".join(tokens[opening + 1 : -1]) if opening < len(tokens) else "*"
    return "".join(tokens[1:opening]), columns
