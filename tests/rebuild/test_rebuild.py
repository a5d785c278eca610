"""A server is rebuilt from its dumps by the kit, and is equal; or the kit changes nothing and says why."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_cloud.rebuild import RebuildFailedError, rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.comparing import compare_servers, server_facts
from tests.rebuild.conftest import BIN, OLD_BIN, Server, ServerMaker
from tests.rebuild.seed import EMPTY_DATABASE, ODD_DATABASE, SHOP, quoted, seed

# Legal in a blob name and hostile to a shell.
HOSTILE_PREFIX = "-rf $(touch pwned) 'it''s' \"q\" ;`id`\\ ünï"


@pytest.fixture(scope="module")
def backup(source: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backup")
    dump_server(source, folder, "demo")
    return folder


@pytest.fixture
def restore(backup: Path, tmp_path: Path) -> Path:
    """Lay a restore of its own, kit included, that the test may damage."""
    folder = tmp_path / "restore"
    shutil.copytree(backup, folder)
    write_kit(folder, "demo", kit_facts(folder, "demo"))
    return folder


def databases_of(server: Server) -> set[str]:
    return {str(row[0]) for row in server.execute("SELECT datname FROM pg_database")}


def roles_of(server: Server) -> set[str]:
    return {str(row[0]) for row in server.execute("SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'")}


@pytest.mark.parametrize("binaries", [BIN, OLD_BIN], ids=["18", "16"])
@pytest.mark.parametrize(
    ("options", "piped"),
    [((), False), ((), True), (("-Z0",), False), (("-Z0",), True)],
    ids=["gzip", "pipe", "Z0", "Z0pipe"],
)
def test_a_rebuilt_server_equals_its_source(
    run_server: ServerMaker, tmp_path: Path, binaries: Path, options: tuple[str, ...], *, piped: bool
) -> None:
    lines: list[str] = []
    with run_server(binaries) as source, run_server(binaries) as target:
        seed(source.url())
        dump_server(source, tmp_path, "demo", *options, piped=piped)
        write_kit(tmp_path, "demo", kit_facts(tmp_path, "demo", version="18.4" if binaries is BIN else "16.14"))
        rebuild(tmp_path, "demo", target.url(), target.bin, on_line=lines.append, options=("--jobs", "3"))
        comparison = compare_servers(source.url(), target.url())
        assert databases_of(target) == databases_of(source)
    assert comparison.differences == ()
    assert comparison.counts["rows"] > 6000
    assert f"database {ODD_DATABASE}: data" in lines
    assert lines[-1] == "rebuild complete"


def test_the_table_at_the_end_names_what_is_not_simply_restored(restore: Path, target: Server) -> None:
    target.execute("SELECT 1")
    lines: list[str] = []
    rebuild(restore, "demo", target.url(), target.bin, on_line=lines.append)
    report = json.loads((restore / "rebuild-report.json").read_text())
    found = {(item["database"], item["kind"], item["name"]): item["state"] for item in report["objects"]}
    assert found["shop", "database", "shop"] == "restored"
    assert found["shop", "materialized view data", "sales.per_customer"] == "refreshed"
    assert found["", "database", "postgres"] == "left out"
    assert found["", "role", "app"] == "restored"  # the last of its lines; an earlier one tells of the password
    text = (restore / "rebuild-report.txt").read_text()
    assert "role app" in text
    assert "left out      role app" in text
    assert "left out: PASSWORD (--with-passwords restores it, or set a new one)" in text
    assert re.match(r"rebuild of pg-orders as of 2026-11-25T17:00:00Z, recovery point 0{32}, kit [0-9a-f]{16}\n", text)
    assert f"onto 127.0.0.1, port {target.port}, PostgreSQL 18" in text
    assert (report["target"]["port"], report["recoveryPointId"]) == (str(target.port), "0" * 32)
    assert report["startedAt"] <= report["completedAt"]
    assert report["startedAt"].endswith("+00:00")
    assert set(text.splitlines()) <= set(lines)


def test_names_that_a_shell_could_obey_are_only_names(backup: Path, target: Server, tmp_path: Path) -> None:
    folder = tmp_path / "a $(touch pwned) folder"
    folder.mkdir()
    for path in backup.iterdir():
        shutil.copy(path, folder / path.name.replace("demo", HOSTILE_PREFIX, 1))
    kit = write_kit(folder, HOSTILE_PREFIX, kit_facts(folder, HOSTILE_PREFIX))
    rebuild(folder, HOSTILE_PREFIX, target.url(), target.bin)
    assert {SHOP, ODD_DATABASE, EMPTY_DATABASE} < databases_of(target)
    assert "app" in roles_of(target)  # a role is named: DROP ROLE app
    assert not [path for place in (tmp_path, folder, kit, Path.cwd()) for path in place.glob("pwned*")]


def test_an_administrator_without_superuser_restores_all_but_what_the_report_names(
    source: Server, run_server: ServerMaker, restore: Path
) -> None:
    # As on a flexible server: the superuser is the service's, the old administrator is an ordinary role of the backup.
    expected = (
        "database shop: .*(vector|public\\.item)",  # left out by hand
        "membership .* to flexadmin: only in the target",  # who creates a role is its administrator
        "membership .*: differs.*'grantor': 'flexadmin'|membership .*\"grantor\": \"flexadmin\"",
        "role (azuresu|flexadmin): only in the target",
        "role postgres: differs, in the source: superuser t",
        "server parameter rights log_min_messages: missing in the target",
    )
    with run_server(superuser="azuresu") as target:
        target.execute("CREATE ROLE flexadmin LOGIN CREATEROLE CREATEDB BYPASSRLS REPLICATION")
        target.execute("GRANT pg_monitor TO flexadmin WITH ADMIN OPTION")
        lines: list[str] = []
        url = target.url(user="flexadmin")
        with pytest.raises(RebuildFailedError, match="extension is for superusers only on this server: vector"):
            rebuild(restore, "demo", url, target.bin)
        rebuild(restore, "demo", url, target.bin, on_line=lines.append, options=("--without-extension", "vector"))
        differences = compare_servers(source.url(), target.url()).differences
    assert "roles: for PostgreSQL 18, no superuser" in lines
    assert [line for line in differences if not any(re.match(pattern, line, re.DOTALL) for pattern in expected)] == []
    report = (restore / "rebuild-report.txt").read_text()
    assert "app: only a superuser grants rights on server parameters" in report
    assert "depends on extension vector, which is left out" in report


def keep(content: bytes) -> bytes | None:
    return content


def lose(content: bytes) -> bytes | None:
    return None


def cut(content: bytes) -> bytes | None:
    return content[:-1]


def flip_a_bit(content: bytes) -> bytes | None:
    return content[:-300] + bytes([content[-300] ^ 1]) + content[-299:]


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """What happens to the dump of the shop, to the server before and after; and what is said."""

    spoil: Callable[[bytes], bytes | None] = keep
    before: str = "SELECT 1"
    after: str = "SELECT 1"
    message: str


OBSTACLES = {
    "missing_file": Obstacle(spoil=lose, message="file is missing: .*/demo_database_shop.sql"),
    "cut_file": Obstacle(
        spoil=cut, message=r"file has \d+ bytes instead of \d+: .*/demo_database_shop.sql; hint: download it again"
    ),
    "changed_byte": Obstacle(
        spoil=flip_a_bit, message="file has another SHA-256 than the backup: .*/demo_database_shop.sql"
    ),
    "existing_database": Obstacle(
        before="CREATE DATABASE shop", after="DROP DATABASE shop", message="database exists already: shop"
    ),
    "existing_role": Obstacle(
        before="CREATE ROLE auditor",
        after="DROP ROLE auditor",
        message="role exists already and differs: auditor: .*login is no instead of yes.*; hint: --existing-roles",
    ),
    "extension_not_allowed": Obstacle(
        before="ALTER DATABASE postgres SET azure.extensions = 'pg_trgm, postgis'",
        after="ALTER DATABASE postgres RESET azure.extensions",
        message="not in the server parameter azure.extensions: vector",
    ),
}


@pytest.fixture(scope="module")
def untouched(run_server: ServerMaker) -> Iterator[Server]:
    """One server for all rebuilds that must not touch it."""
    with run_server() as server:
        yield server


@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
def test_an_obstacle_stops_the_rebuild_before_anything_is_written(
    restore: Path, untouched: Server, obstacle: Obstacle
) -> None:
    path = restore / "demo_database_shop.sql"
    content = obstacle.spoil(path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    untouched.execute(obstacle.before)
    try:
        found = databases_of(untouched), roles_of(untouched)
        with pytest.raises(RebuildFailedError, match=obstacle.message):
            rebuild(restore, "demo", untouched.url(), untouched.bin)
        assert (databases_of(untouched), roles_of(untouched)) == found
    finally:
        untouched.execute(obstacle.after)


def test_all_that_is_in_the_way_is_said_at_once(restore: Path, untouched: Server) -> None:
    untouched.execute("CREATE DATABASE shop")
    untouched.execute("CREATE ROLE auditor")
    (restore / "demo_database_-empty.sql").unlink()
    try:
        lines: list[str] = []
        with pytest.raises(RebuildFailedError):
            rebuild(restore, "demo", untouched.url(), untouched.bin, on_line=lines.append)
    finally:
        untouched.execute("DROP DATABASE shop")
        untouched.execute("DROP ROLE auditor")
    errors = [line for line in lines if line.startswith("in the way: ")]
    assert len(errors) == 3
    assert all("; hint: " in line for line in errors)
    assert "3 things are in the way, nothing was changed" in "".join(lines)


def test_the_command_that_allows_an_extension_keeps_those_that_are_allowed(restore: Path, untouched: Server) -> None:
    untouched.execute("ALTER DATABASE postgres SET azure.extensions = 'pg_trgm, postgis'")
    try:
        with pytest.raises(RebuildFailedError, match=r"--name azure.extensions --value pg_trgm,postgis,vector"):
            rebuild(restore, "demo", untouched.url(), untouched.bin)
    finally:
        untouched.execute("ALTER DATABASE postgres RESET azure.extensions")


def test_an_older_server_is_refused(restore: Path, run_server: ServerMaker) -> None:
    with (
        run_server(OLD_BIN) as old,
        pytest.raises(RebuildFailedError, match="server runs PostgreSQL 16, the backup needs 18"),
    ):
        rebuild(restore, "demo", old.url(), old.bin)


def test_a_client_of_another_version_is_refused(restore: Path, untouched: Server) -> None:
    with pytest.raises(
        RebuildFailedError,
        match="psql is of version 16, the server of version 18; hint: use the client of the server's version 18",
    ):
        rebuild(restore, "demo", untouched.url(), OLD_BIN)


CHANGED_ROLES = (
    (
        "ALTER ROLE app NOLOGIN CONNECTION LIMIT 1",
        "ALTER ROLE app LOGIN CONNECTION LIMIT 7",
        "app: login is no instead of yes; connection limit is 1 instead of 7",
    ),
    (
        "ALTER ROLE app SET work_mem = '13MB'",
        "ALTER ROLE app SET work_mem = '12MB'",
        "app: setting work_mem of role app is '13MB' instead of '12MB'",
    ),
    (
        "ALTER ROLE app RESET work_mem",
        "ALTER ROLE app SET work_mem = '12MB'",
        "app: setting work_mem of role app is missing instead of '12MB'",
    ),
    (
        "ALTER ROLE auditor SET work_mem = '1MB'",
        "ALTER ROLE auditor RESET work_mem",
        "auditor: setting work_mem of role auditor is there",
    ),
    (
        "REVOKE pg_monitor FROM auditor",
        "GRANT pg_monitor TO auditor",
        "auditor: membership pg_monitor to auditor is missing instead of",
    ),
    ("COMMENT ON ROLE app IS 'another'", "SELECT", "app: comment on role app is 'another' instead of"),
)


def test_roles_of_an_earlier_rebuild_are_no_obstacle_and_changed_ones_are_taken_only_when_told(
    source: Server, target: Server, restore: Path
) -> None:
    rebuild(restore, "demo", target.url(), target.bin, options=("--database", SHOP))
    rebuild(restore, "demo", target.url(), target.bin, options=("--database", ODD_DATABASE))
    choice = ("--database", EMPTY_DATABASE)
    with pytest.raises(RebuildFailedError, match="differs: app: its password, which --with-passwords asks for"):
        rebuild(restore, "demo", target.url(), target.bin, options=(*choice, "--with-passwords"))
    for change, undo, said in CHANGED_ROLES:
        target.execute(change)
        with pytest.raises(RebuildFailedError, match=f"role exists already and differs: {re.escape(said)}"):
            rebuild(restore, "demo", target.url(), target.bin, options=choice)
        target.execute(undo)
    for name in (SHOP, ODD_DATABASE):
        target.execute(f"DROP DATABASE {quoted(name)}")
    target.execute("ALTER ROLE app NOLOGIN")
    rebuild(restore, "demo", target.url(), target.bin, options=("--existing-roles", "update"))
    assert compare_servers(source.url(), target.url()).differences == ()


def test_a_dump_of_an_older_version_rebuilds_a_newer_server(
    run_server: ServerMaker, target: Server, tmp_path: Path
) -> None:
    with run_server(OLD_BIN) as old:
        seed(old.url())
        dump_server(old, tmp_path, "old")
        write_kit(tmp_path, "old", kit_facts(tmp_path, "old", version="16.14"))
        rebuild(tmp_path, "old", target.url(), target.bin)
        before, after = server_facts(old.url()), server_facts(target.url())
    rows = {key: value for key, value in before.items() if ": rows of " in key or ": large object " in key}
    assert len(rows) > 10
    assert {key: after.get(key) for key in rows} == rows
    assert {key for key in before if key.startswith("role ")} == {key for key in after if key.startswith("role ")}


def test_passwords_come_along_only_when_asked_for(restore: Path, source: Server, target: Server) -> None:
    verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'app'"
    rebuild(restore, "demo", target.url(), target.bin)
    assert target.execute(verifier) == [(None,)]
    for name in (SHOP, ODD_DATABASE, EMPTY_DATABASE):
        target.execute(f"DROP DATABASE {quoted(name)}")
    lines: list[str] = []
    options = ("--existing-roles", "update", "--with-passwords")
    rebuild(restore, "demo", target.url(), target.bin, on_line=lines.append, options=options)
    assert target.execute(verifier) == source.execute(verifier)
    assert "SCRAM-SHA-256" not in "".join(lines)
