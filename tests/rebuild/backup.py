"""Take a backup of a test server as LTR lands it, and lay a restore of it into a folder, kit included."""

import hashlib
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg

from flexvault.domain.dump_contents import read_contents
from flexvault.kit.client import connection_string
from flexvault.kit.facts import KitFacts, KitFile
from flexvault.services.rebuild_kit import build_kit
from tests.rebuild.conftest import Server


def dump_server(server: Server, folder: Path, prefix: str, *options: str, piped: bool = False) -> None:
    """Dump roles and every database but the templates; a pipe leaves the archive without offsets."""
    with psycopg.connect(server.url()) as connection:
        names = [row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")]
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", server.superuser]
    roles = subprocess.run([server.bin / "pg_dumpall", *at, "--roles-only"], check=True, capture_output=True).stdout
    (folder / f"{prefix}_roles.sql").write_bytes(roles)
    for name in names:
        path = folder / f"{prefix}_database_{quote(name, safe='-_')}.sql"
        command = [server.bin / "pg_dump", *at, "-Fc", *options, "-d", connection_string(name)]
        if piped:
            path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
        else:
            subprocess.run([*command, "-f", path], check=True, capture_output=True)


def kit_file(path: Path, kind: str) -> KitFile:
    content = path.read_bytes()
    database = ""
    if kind == "database":
        database = read_contents(lambda offset, length: content[offset : offset + length], len(content)).database
    return KitFile(
        name=path.name,
        kind=kind,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        database=database,
    )


def kit_facts(folder: Path, prefix: str, *, version: str = "18.4") -> KitFacts:
    files = [kit_file(path, "database") for path in sorted(folder.glob("*_database_*.sql"))]
    roles = folder / f"{prefix}_roles.sql"
    return KitFacts(
        file_prefix=prefix,
        server_name="pg-orders",
        server_id="/subscriptions/1/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-orders",
        server_version=version,
        recovery_point_id="0" * 32,
        recovery_point_time="2026-11-25T17:00:00Z",
        manifest_hash="0" * 64,
        files=(*files, *([kit_file(roles, "roles")] if roles.is_file() else [])),
    )


def write_kit(folder: Path, prefix: str, facts: KitFacts) -> Path:
    kit = folder / f"{prefix}_rebuild"
    kit.mkdir(exist_ok=True)
    for name, content in build_kit(facts).items():
        (kit / name).write_bytes(content)
    return kit
