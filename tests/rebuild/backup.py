"""Take a backup of a test server as LTR lands it, and lay a restore of it into a folder, kit included."""

import hashlib
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg

from flexvault.domain.dump_archive import read_archive
from flexvault.domain.rebuild_kit import KitDatabase, KitFacts, KitFile, build_kit
from flexvault.domain.rebuild_script import connection_string
from flexvault.domain.role_script import decode_script
from tests.rebuild.conftest import Server


def dump_server(server: Server, folder: Path, prefix: str) -> None:
    """Dump roles and every database but the templates."""
    with psycopg.connect(server.url()) as connection:
        names = [row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")]
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    roles = subprocess.run([server.bin / "pg_dumpall", *at, "--roles-only"], check=True, capture_output=True).stdout
    (folder / f"{prefix}_roles.sql").write_bytes(roles)
    for name in names:
        path = folder / f"{prefix}_database_{quote(name, safe='-_')}.sql"
        command = [server.bin / "pg_dump", *at, "-Fc", "-f", path, "-d", connection_string(name)]
        subprocess.run(command, check=True, capture_output=True)


def kit_file(path: Path) -> KitFile:
    content = path.read_bytes()
    return KitFile(name=path.name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def kit_facts(folder: Path, prefix: str, *, version: str = "18.4", with_passwords: bool = False) -> KitFacts:
    databases: list[KitDatabase] = []
    for path in sorted(folder.glob("*_database_*.sql")):
        content = path.read_bytes()
        archive = read_archive(lambda offset, length, content=content: content[offset : offset + length], len(content))
        databases.append(KitDatabase(file=kit_file(path), archive=archive))
    roles = folder / f"{prefix}_roles.sql"
    return KitFacts(
        file_prefix=prefix,
        databases=tuple(databases),
        roles_file=kit_file(roles),
        roles_script=decode_script(roles.read_bytes()),
        other_files=(),
        server_name="pg-orders",
        server_id="/subscriptions/1/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-orders",
        server_version=version,
        recovery_point_id="0" * 32,
        recovery_point_time="2026-11-25T17:00:00Z",
        manifest_sha256="0" * 64,
        with_passwords=with_passwords,
    )


def write_kit(folder: Path, prefix: str, facts: KitFacts) -> Path:
    kit = folder / f"{prefix}_rebuild"
    for name, content in build_kit(facts).items():
        path = kit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return kit
