"""Which server answers: for reports, for errors that name it, and to know a server again under another name."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from flexvault.domain.sql_text import one_line
from flexvault.kit.client import Client, ClientError

TARGET, SOURCE = "target", "source"
_QUESTION: Final = """
SELECT pg_catalog.json_build_object(
  'address', pg_catalog.host(pg_catalog.inet_server_addr()), 'user', current_user,
  'version', pg_catalog.current_setting('server_version'),
  'startedAt', pg_catalog.to_char(pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC',
      'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""
_SYSTEM_IDENTIFIER: Final = "SELECT system_identifier FROM pg_catalog.pg_control_system()"
_DEFAULT_PORT: Final = "5432"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """One server.

    Attributes:
        host: As PGHOST names it; empty for libpq's default.
        address: As the server knows it; empty over a Unix socket.
        user: Who asked.
        version: Such as `16.4`.
        started_at: When its postmaster started, ISO 8601 with zone, to the microsecond.
        system_identifier: Of the cluster; empty where who asks may not read it. A replica has its primary's, and a
            server that was restored from a base backup has its source's.
    """

    host: str
    port: str
    address: str
    user: str
    version: str
    started_at: str
    system_identifier: str

    def __str__(self) -> str:
        return f"{one_line(self.host) or 'the default host'}:{self.port} (PostgreSQL {self.version})"

    def is_same_as(self, other: "ServerIdentity") -> bool:
        """Say whether both are one server, by whatever names and addresses it was reached."""
        if self.started_at != other.started_at:
            return False
        known = {self.system_identifier, other.system_identifier} - {""}
        return len(known) <= 1

    def to_json(self) -> dict[str, Any]:
        """Write it for a report."""
        return {
            "host": self.host,
            "port": self.port,
            "address": self.address,
            "user": self.user,
            "serverVersion": self.version,
            "startedAt": self.started_at,
            "systemIdentifier": self.system_identifier,
        }


def identify(client: Client) -> ServerIdentity:
    """Ask a server who it is.

    Raises:
        ClientError: It cannot be reached.
        MissingProgramError: psql is not there.
    """
    found = json.loads(client.value(_QUESTION))
    try:
        system_identifier = client.value(_SYSTEM_IDENTIFIER)
    except ClientError:  # not everybody may call it
        system_identifier = ""
    return ServerIdentity(
        host=_host(client),
        port=client.environment.get("PGPORT") or _DEFAULT_PORT,
        address=found["address"] or "",
        user=found["user"],
        version=found["version"],
        started_at=found["startedAt"],
        system_identifier=system_identifier,
    )


@contextmanager
def naming(client: Client, which: str) -> Generator[None]:
    """Let errors of PostgreSQL's programs say which of two servers they are about.

    Args:
        client: That reaches the server.
        which: `TARGET` or `SOURCE`.

    Raises:
        ClientError: What the block raised, the server named.
    """
    try:
        yield
    except ClientError as error:
        prefix = "SOURCE_" if which == SOURCE else ""
        names = ", ".join(f"{prefix}{name}" for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGSSLMODE"))
        where = f"the {which} server {one_line(_host(client)) or 'of the default host'}"
        hint = f"see whether it runs and whether {names} name it, then run the same command again: it compares anew"
        raise ClientError(f"{where}: {error.message}", hint=hint) from None


def _host(client: Client) -> str:
    return client.environment.get("PGHOST") or client.environment.get("PGHOSTADDR") or ""
