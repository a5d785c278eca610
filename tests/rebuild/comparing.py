"""Compare test servers by the kit's own comparison, in this process."""

import os
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from flexvault.kit.client import Client
from flexvault.kit.compare_servers import compare_servers as compare_living_servers
from flexvault.kit.comparison import Comparison
from flexvault.kit.options import Options
from flexvault.kit.server_state import server_state
from tests.rebuild.conftest import BIN, Server

_VARIABLES = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER"}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What came of a comparison, a line for each difference and for what is not proven."""

    differences: tuple[str, ...]
    counts: dict[str, int]
    is_equal: bool


def compare_servers(source_url: str, target_url: str) -> Compared:
    """Compare everything of two living servers."""
    found = compare_living_servers(_client(source_url, BIN), _client(target_url, BIN), Options())
    return Compared(differences=tuple(lines_of(found)), counts=dict(found.counts), is_equal=found.is_equal)


def server_facts(url: str) -> dict[str, str]:
    """Write down a server: named object -> its value."""
    state = server_state(_client(url, BIN))
    rows = {str(named): str(value) for named, value in state.rows.items()}
    return {str(named): value for named, value in (state.facts | state.objects | state.sequences).items()} | rows


def client_of(server: Server, user: str | None = None) -> Client:
    return _client(server.url(user=user), server.bin)


def lines_of(comparison: Comparison) -> list[str]:
    return [finding.line() for finding in (*comparison.differences, *comparison.named_by_restore, *comparison.unproven)]


def _client(url: str, binaries: Path) -> Client:
    at = conninfo_to_dict(url)
    environment = {variable: str(at[word]) for word, variable in _VARIABLES.items()}
    return Client(environment=environment | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"})
