"""A kit that is killed anywhere runs again to the same end, and leaves nothing of its own behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from local_cloud.rebuild import RebuildFailedError, rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.comparing import compare_servers
from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.seed import EMPTY_DATABASE, ODD_DATABASE, SHOP

POINTS = (
    "check: ready",
    "roles: for PostgreSQL 18, superuser",
    f"database {EMPTY_DATABASE}: create",
    f"database {EMPTY_DATABASE}: statistics, settings and grants",
    f"database {ODD_DATABASE}: pre-data",
    f"database {ODD_DATABASE}: data",
    f"database {SHOP}: create",
    f"database {SHOP}: pre-data",
    f"database {SHOP}: data",
    f"database {SHOP}: data, part 1 of 2",
    f"database {SHOP}: data, part 2 of 2",
    f"database {SHOP}: post-data",
    f"database {SHOP}: materialized views",
    f"database {SHOP}: statistics, settings and grants",
    f"restored      {SHOP}: database {SHOP}",  # the table at the end is being printed
)


@pytest.fixture(scope="module")
def restore(source: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("restore")
    dump_server(source, folder, "demo")
    write_kit(folder, "demo", kit_facts(folder, "demo"))
    return folder


def environment(target: Server, user: str) -> dict[str, str]:
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(target.port), "PGUSER": user}
    return {"PATH": f"{target.bin}{os.pathsep}{os.environ['PATH']}", **where}


def start(
    restore: Path, target: Server, *options: str, user: str = "postgres", kit: str = "demo_rebuild"
) -> subprocess.Popen[str]:
    program = restore / kit / "rebuild.pyz"
    return subprocess.Popen(
        [sys.executable, "-I", str(program), "restore", "--files", str(restore), *options],
        env=environment(target, user),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_at(process: subprocess.Popen[str], point: str) -> list[str]:
    """Kill the kit as soon as it prints a line that begins so."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(point):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    assert seen[-1].startswith(point), "".join(seen)
    return seen


def is_unfinished(target: Server) -> bool:
    """Say whether the kit died before its last step; it may have been quicker than its end."""
    return bool(target.execute("SELECT 1 FROM pg_database WHERE datname = 'flexvault_rebuild'"))


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_kit_runs_again_to_the_same_end(source: Server, target: Server, restore: Path, point: str) -> None:
    kill_at(start(restore, target), point)
    if point is not POINTS[-1] or is_unfinished(target):
        rebuild(restore, "demo", target.url(), target.bin)
    assert compare_servers(source.url(), target.url()).differences == ()
    left = target.execute("SELECT datname FROM pg_database WHERE datname LIKE 'flexvault%'")
    left += target.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'flexvault%'", SHOP)
    assert left == []


def test_a_kit_that_is_killed_again_and_again_comes_to_its_end(source: Server, target: Server, restore: Path) -> None:
    for point in (
        f"database {ODD_DATABASE}: data",
        f"database {SHOP}: data, part 1 of 2",
        f"database {SHOP}: post-data",
        f"database {SHOP}: pre-data",  # it was dropped, and is made anew
        f"database {SHOP}: materialized views",
    ):
        kill_at(start(restore, target), point)
    rebuild(restore, "demo", target.url(), target.bin)
    assert compare_servers(source.url(), target.url()).differences == ()


def test_what_was_loaded_is_not_loaded_again(target: Server, restore: Path) -> None:
    kill_at(start(restore, target, "--jobs", "1"), f"database {SHOP}: data, part 1 of 2")
    query = "SELECT oid FROM pg_class WHERE relname = 'customer'"
    before = target.execute(query, SHOP)
    lines: list[str] = []
    rebuild(restore, "demo", target.url(), target.bin, on_line=lines.append)
    assert f"database {SHOP}: goes on with its data" in lines
    assert f"database {EMPTY_DATABASE}: done by an earlier run" in lines
    assert f"database {SHOP}: data, part 1 of 2" not in lines
    assert target.execute(query, SHOP) == before


def test_a_database_that_appeared_after_the_kill_is_not_touched(target: Server, restore: Path) -> None:
    kill_at(start(restore, target), f"database {ODD_DATABASE}: create")
    target.execute(f"CREATE DATABASE {SHOP}")
    target.execute("CREATE TABLE precious (n int)", SHOP)
    with pytest.raises(RebuildFailedError, match="database exists already: shop"):
        rebuild(restore, "demo", target.url(), target.bin)
    assert target.execute("SELECT count(*) FROM precious", SHOP) == [(0,)]


def test_a_second_kit_waits_for_nobody_and_is_refused(target: Server, restore: Path) -> None:
    target.execute("SELECT 1")
    with Held(target), pytest.raises(RebuildFailedError, match="another rebuild is at work on this server"):
        rebuild(restore, "demo", target.url(), target.bin)
    rebuild(restore, "demo", target.url(), target.bin)


class Held:
    """The lock of a rebuild, held by somebody else."""

    def __init__(self, target: Server) -> None:
        self._target = target

    def __enter__(self) -> None:
        self._connection = psycopg.connect(self._target.url(), autocommit=True)
        self._connection.execute("SELECT pg_advisory_lock(7380964220)")

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def test_another_kit_must_come_to_its_end_first(target: Server, restore: Path, tmp_path: Path) -> None:
    kill_at(start(restore, target), f"database {ODD_DATABASE}: create")
    for path in restore.glob("demo_*.sql"):
        (tmp_path / path.name.replace("demo", "other", 1)).write_bytes(path.read_bytes())
    write_kit(tmp_path, "other", kit_facts(tmp_path, "other"))
    with pytest.raises(RebuildFailedError, match="of another restore began to rebuild this server"):
        rebuild(tmp_path, "other", target.url(), target.bin)


def test_without_superuser_it_goes_on_too(run_server: ServerMaker, restore: Path) -> None:
    options = ("--without-extension", "vector")
    with run_server(superuser="azuresu") as target:
        target.execute("CREATE ROLE flexadmin LOGIN CREATEROLE CREATEDB BYPASSRLS REPLICATION")
        target.execute("GRANT pg_monitor TO flexadmin WITH ADMIN OPTION")
        for point in (f"database {SHOP}: pre-data", f"database {SHOP}: data, part 1 of", f"database {SHOP}: post-data"):
            kill_at(start(restore, target, *options, user="flexadmin"), point)
        rebuild(restore, "demo", target.url(user="flexadmin"), target.bin, options=options)
        assert target.execute("SELECT count(*) FROM sales.customer", SHOP) == [(1500,)]
        assert not is_unfinished(target)
