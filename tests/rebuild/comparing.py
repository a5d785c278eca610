"""Compare test servers by the kit's own comparison, in this process."""

import hashlib
import os
from pathlib import Path

from flexvault.domain.dump_contents import read_contents
from flexvault.kit.client import Client
from flexvault.kit.compare import compare
from flexvault.kit.comparison import Comparison
from flexvault.kit.facts import KitFacts, KitFile
from flexvault.kit.point_files import opened
from tests.rebuild.conftest import Server


def client_of(server: Server, user: str | None = None) -> Client:
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": user or server.superuser}
    return Client(environment=environment | {"PATH": f"{server.bin}{os.pathsep}{os.environ['PATH']}"})


def point_facts(folder: Path, prefix: str, *, version: str = "18.4") -> KitFacts:
    """Describe the files of a restore as a kit does; no deep verification has read them."""
    files: list[KitFile] = []
    for path in sorted(folder.glob(f"{prefix}_*.sql")):
        database, kind = "", "roles"
        if "_database_" in path.name:
            kind = "database"
            with opened(path) as read:
                database = read_contents(read, path.stat().st_size).database
        content = path.read_bytes()
        files.append(
            KitFile(
                name=path.name,
                kind=kind,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                database=database,
            )
        )
    return KitFacts(
        file_prefix=prefix,
        server_name="pg-orders",
        server_id="/subscriptions/1/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-orders",
        server_version=version,
        recovery_point_id="0" * 32,
        recovery_point_time="2026-11-25T17:00:00Z",
        manifest_hash="0" * 64,
        files=tuple(files),
    )


def compare_servers(source: Server, target: Server, folder: Path = Path()) -> Comparison:
    """Compare everything of two living servers."""
    facts = point_facts(folder, "none")
    return compare(client_of(target), facts, folder, source=client_of(source))


def lines_of(comparison: Comparison) -> list[str]:
    """Return a line for each difference and for what is not proven."""
    return [finding.line() for finding in (*comparison.differences, *comparison.unproven)]
