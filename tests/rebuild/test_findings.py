"""What a person at a restore met: the check says it before, and nothing is forgotten or advised wrongly."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.rebuild import RebuildFailedError, rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.test_kills import environment, is_unfinished, kill_at, start

SOURCE = """
CREATE ROLE ana LOGIN PASSWORD 'not-a-real-secret' CONNECTION LIMIT 3;
CREATE ROLE team;
GRANT team TO ana;
"""
ONE = """
CREATE EXTENSION vector;
CREATE TABLE public.product (id int PRIMARY KEY, v vector(3));
CREATE TABLE public.photo (id int PRIMARY KEY, product int REFERENCES public.product);
CREATE VIEW public.shown AS SELECT id FROM public.photo;
INSERT INTO public.product VALUES (1, '[1,2,3]');
INSERT INTO public.photo VALUES (1, 1);
"""


@pytest.fixture(scope="module")
def living(run_server: ServerMaker) -> Iterator[Server]:
    with run_server() as server:
        server.execute(SOURCE)
        server.execute("CREATE DATABASE one")
        server.execute("CREATE DATABASE two")
        server.execute(ONE, "one")
        server.execute("CREATE TABLE t AS SELECT 1 AS n", "two")
        yield server


@pytest.fixture(scope="module")
def restored(living: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("findings")
    dump_server(living, folder, "f")
    write_kit(folder, "f", kit_facts(folder, "f"))
    return folder


@pytest.fixture(scope="module")
def empty(run_server: ServerMaker) -> Iterator[Server]:
    """One server for all checks, which change nothing."""
    with run_server() as server:
        yield server


def run_kit(folder: Path, server: Server, *words: str, user: str = "postgres") -> subprocess.CompletedProcess[str]:
    kit = folder / "f_rebuild" / "rebuild.pyz"
    command = [sys.executable, "-I", str(kit), *words, "--files", str(folder)]
    return subprocess.run(command, env=environment(server, user), capture_output=True, text=True, check=False)


def test_a_database_that_was_begun_is_not_forgotten_by_a_rebuild_of_another(restored: Path, target: Server) -> None:
    process = start(restored, target, "--database", "one", kit="f_rebuild")
    kill_at(process, "database one: pre-data")
    said = run_kit(restored, target, "check", "--database", "two")
    assert "database one was begun by an earlier run and is not chosen: it stays unfinished" in said.stdout
    assert "a rebuild by this kit is unfinished on this server; hint: run restore again" in said.stdout
    lines: list[str] = []
    rebuild(restored, "f", target.url(), target.bin, on_line=lines.append, options=("--database", "two"))
    assert lines[-1] == "what was chosen is rebuilt, the rebuild is unfinished"
    assert "unfinished since an earlier run of this kit: run restore --database one" in lines[-2]
    assert is_unfinished(target)
    rebuild(restored, "f", target.url(), target.bin, on_line=lines.append, options=("--database", "one"))
    assert lines[-1] == "rebuild complete"
    assert target.execute("SELECT count(*) FROM photo", "one") == [(1,)]
    assert not is_unfinished(target)


def test_of_two_rebuilds_at_once_one_waits_and_advises_nothing_to_drop(restored: Path, target: Server) -> None:
    first = start(restored, target, kit="f_rebuild")
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("database one: pre-data"):
            break
    first.send_signal(signal.SIGSTOP)  # it is at work for as long as this test wants
    try:
        checked = run_kit(restored, target, "check")
        second = run_kit(restored, target, "restore")
    finally:
        first.send_signal(signal.SIGCONT)
    rest = first.communicate()[0]
    for said in (checked, second):
        assert said.returncode == 1
        assert "another rebuild is at work on this server" in said.stderr
        assert "drop it" not in said.stdout + said.stderr
    assert rest.endswith("rebuild complete\n")


def test_the_living_source_is_no_target_unless_that_is_said(restored: Path, living: Server) -> None:
    before = living.execute("SELECT datname FROM pg_database ORDER BY 1")
    words = ("--database", "two", "--into", "two again", "--existing-roles", "update")
    with pytest.raises(RebuildFailedError, match="the target is the source of this backup, or a copy of it"):
        rebuild(restored, "f", living.url(), living.bin, options=words)
    assert living.execute("SELECT datname FROM pg_database ORDER BY 1") == before
    rebuild(restored, "f", living.url(), living.bin, options=(*words, "--allow-source"))
    assert living.execute("SELECT n FROM t", "two again") == [(1,)]
    living.execute('DROP DATABASE "two again"')


def test_roles_of_another_administrator_are_found_by_the_check_and_may_be_kept(
    restored: Path, run_server: ServerMaker
) -> None:
    with run_server(superuser="azuresu") as target:
        target.execute("CREATE ROLE other LOGIN CREATEROLE; CREATE ROLE flexadmin LOGIN CREATEROLE CREATEDB")
        target.execute("SET ROLE other; CREATE ROLE ana NOLOGIN")
        words = ("--database", "two", "--existing-roles", "update")
        checked = run_kit(restored, target, "check", *words, user="flexadmin")
        assert "role ana exists, and flexadmin may not change it: no ADMIN OPTION" in checked.stdout
        assert "--keep-role ana" in checked.stdout
        url = target.url(user="flexadmin")
        rebuild(restored, "f", url, target.bin, options=(*words, "--keep-role", "ana"))
        assert target.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'ana'") == [(False,)]
    report = json.loads((restored / "rebuild-report.json").read_text())["objects"]
    assert ("ana", "left out", "left as it is: --keep-role") in {(o["name"], o["state"], o["reason"]) for o in report}


def test_a_superuser_of_the_target_whose_name_the_backup_has_is_found(restored: Path, run_server: ServerMaker) -> None:
    with run_server() as target:
        target.execute("CREATE ROLE flexadmin LOGIN CREATEROLE CREATEDB")
        words = ("check", "--database", "two", "--existing-roles", "update")
        said = run_kit(restored, target, *words, user="flexadmin").stdout
    assert "role postgres is a superuser of the target: only a superuser may change it" in said


def test_the_roles_alone_are_not_stopped_by_what_is_no_role(restored: Path, target: Server) -> None:
    target.execute("CREATE DATABASE one")
    target.execute("ALTER DATABASE postgres SET azure.extensions = 'pg_trgm'")
    said = run_kit(restored, target, "roles")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "roles (2 of 3)" in said.stdout
    assert target.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'ana'") == [(3,)]


def test_what_an_extension_costs_is_said_before(restored: Path, empty: Server) -> None:
    said = run_kit(restored, empty, "check", "--without-extension", "vector").stdout
    assert "--without-extension leaves out of database one what needs it: table public.product" in said
    assert "foreign key public.photo photo_product_fkey" in said
    assert "GiB" not in said


MEANINGLESS = {
    "extension": (("--without-extension", "nope"), "no database that is restored has that extension"),
    "database_of_a_path": (("--search-path", "nope", "public"), "no database of this name is restored"),
    "schema_of_a_path": (("--search-path", "one", "public, nope"), "database one has no schema nope"),
    "role": (("--keep-role", "nope"), "the server has no such role"),
    "own_database": (("--database", "two", "--into", "flexvault_rebuild"), "the kit's own database"),
    "view": (("--table", "one", "public", "shown"), "public.shown is a view"),
}


@pytest.mark.parametrize(("words", "text"), MEANINGLESS.values(), ids=MEANINGLESS)
def test_a_choice_that_means_nothing_is_in_the_way(
    restored: Path, empty: Server, words: tuple[str, ...], text: str
) -> None:
    said = run_kit(restored, empty, "check", *words)
    assert said.returncode == 1
    assert text in said.stdout


@pytest.mark.parametrize("name", ["", "ü" * 35], ids=["empty", "cut"])
def test_a_name_that_the_server_would_not_keep_is_wrong_usage(restored: Path, empty: Server, name: str) -> None:
    said = run_kit(restored, empty, "restore", "--database", "two", "--into", name)
    assert said.returncode == 2
    assert "--into" in said.stderr


def test_show_names_what_a_database_holds_and_ends_quietly_when_nobody_reads_on(restored: Path, empty: Server) -> None:
    said = run_kit(restored, empty, "show", "--database", "one").stdout
    assert "table public.product" in said
    assert "view public.shown" in said
    assert "extension vector" in said
    kit = restored / "f_rebuild" / "rebuild.pyz"
    command = f"{sys.executable} -I {kit} show --files {restored} | head -n 1"
    quiet = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert quiet.stderr == ""


def test_a_server_that_is_not_there_is_said_with_what_to_set(restored: Path, empty: Server) -> None:
    nowhere = Server(port=1, bin=empty.bin)
    said = run_kit(restored, nowhere, "check").stdout
    assert "PGSSLMODE" in said


def test_a_server_that_goes_away_says_to_run_the_same_command_again(restored: Path, run_server: ServerMaker) -> None:
    with run_server() as target:
        process = start(restored, target, kit="f_rebuild")
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("database one: pre-data"):
                break
        process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGCONT)
    said = process.communicate()[0]
    assert process.returncode == 1
    assert "hint: see to the server and to PGHOST" in said
    assert "run the same command again: it goes on" in said
