"""The command against the API itself: what is in a point, its kit, and restores of chosen databases."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flexvault_cli.contents_views import printable

from flexvault.domain.deep_verification import VerifiedFile
from flexvault.domain.manifest import ManifestFile
from tests.api.doors import CONTAINER_URL, Door, door_of
from tests.builders import backup_files, tiny_archive
from tests.cli.real_vault import Flexvault, RealVault
from tests.domain.pointing import counted, verified
from tests.services.stored_verification import put_verification

type Captured = pytest.CaptureFixture[str]

STEERING = "a\x1b[2J\u202eb"
FILES = backup_files(orders=tiny_archive(tables=["a"]), odd=tiny_archive(STEERING), postgres=tiny_archive("postgres"))


@pytest.fixture
def door() -> Door:
    return door_of(FILES)


@pytest.fixture
def point(door: Door) -> str:
    return door.protect_and_back_up()


@pytest.fixture
def flexvault(door: Door) -> Flexvault:
    return RealVault(door).run


def test_contents_are_listed_and_say_that_nothing_was_counted(
    flexvault: Flexvault, point: str, capsys: Captured
) -> None:
    assert flexvault("point", "contents", "pg-orders", point, "--database", "orders", person="reader") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()[:4]) for line in lines[1:5]] == [
        "orders database orders app",
        "orders schema public",
        "orders table public a",
        "orders table public item",
    ]
    assert lines[-1].startswith("nothing was counted")


def test_contents_show_the_rows_of_a_deep_verification(
    door: Door, flexvault: Flexvault, point: str, capsys: Captured
) -> None:
    def million(file: ManifestFile) -> VerifiedFile:
        return verified(file, *([counted(4, 1_000_003)] if file.facts else []))

    put_verification(door.world, of=million)
    words = ("point", "contents", "pg-orders", point, "--database", "orders", "--kind", "table")
    assert flexvault(*words, person="reader") == 0
    shown = capsys.readouterr().out
    assert "1000003" in shown
    assert shown.splitlines()[-1] == "counted by the deep verification of 2026-01-06T03:00:00Z"
    assert flexvault(*words, "--output", "json", person="reader") == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["rows"]) for row in rows] == [("a", None), ("item", 1_000_003)]


def test_a_partitioned_table_says_where_its_rows_are(flexvault: Flexvault, point: str, capsys: Captured) -> None:
    assert flexvault("point", "contents", "pg-orders", point, "--database", "orders", "--kind", "table") == 0
    heading, without, *_ = capsys.readouterr().out.splitlines()
    assert "not counted" in heading
    assert ("a" in without.split(), "a partitioned table are in its partitions" in without) == (True, True)


def test_a_schema_that_is_nowhere_is_an_error_and_one_without_such_objects_is_not(
    flexvault: Flexvault, point: str, capsys: Captured
) -> None:
    words = ("point", "contents", "pg-orders", point)
    assert flexvault(*words, "--schema", "nope", person="reader") == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "error: no database of the recovery point has a schema 'nope'; names are exact"
    assert told[1] == f"recommended: flexvault point contents pg-orders {point} --kind schema"
    assert flexvault(*told[1].split()[2:]) == 0
    assert flexvault(*words, "--database", "orders", "--schema", "no\x1bpe", "--output", "json") == 1
    assert r"database 'orders' has no schema 'no\x1bpe'" in capsys.readouterr().err
    assert flexvault(*words, "--schema", "public", "--kind", "policy") == 0
    assert capsys.readouterr().out == "nothing found of schema 'public', kind 'policy'\n"


def test_a_name_cannot_steer_the_terminal(flexvault: Flexvault, point: str, capsys: Captured) -> None:
    assert printable(STEERING) == r"a\x1b[2J\u202eb"
    restore = ("restore", "pg-orders", point, "--container", CONTAINER_URL, "--prefix", "night", "--check")
    for words in (("point", "contents", "pg-orders", point), restore):
        assert flexvault(*words) == 0
        shown = capsys.readouterr()
        assert printable(STEERING) in shown.out
        assert not {"\x1b", "\u202e"} & set(shown.out + shown.err)


def test_a_check_shows_the_outline_and_starts_nothing(
    door: Door, flexvault: Flexvault, point: str, capsys: Captured
) -> None:
    words = ("restore", "pg-orders", point, "--container", CONTAINER_URL, "--prefix", "night")
    before = len(door.world.jobs())
    assert flexvault(*words, "--database", "orders", "--check") == 0
    shown = capsys.readouterr().out
    assert "order: Roles once; then each database: CreateDatabase, PreData, Data, PostData, Settings" in shown
    assert "leaves out: postgres: it was not chosen" in shown
    assert "roles: night_roles.sql" in shown
    assert len(door.world.jobs()) == before
    assert flexvault(*words, "--check", "--output", "json") == 0
    outline = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in outline["databases"]] == [STEERING, "orders"]


def test_a_restore_of_one_database_says_what_it_leaves_out_and_copies_that_one(
    door: Door, flexvault: Flexvault, point: str, capsys: Captured
) -> None:
    words = ("restore", "pg-orders", point, "--container", CONTAINER_URL, "--prefix", "night")
    assert flexvault(*words, "--database", "orders", "--wait", person="operator") == 0
    assert "rebuilds: orders" in capsys.readouterr().err
    names = [blob.name for blob in door.world.memory.ports.restore_target.list_blobs(CONTAINER_URL, "night_data")]
    assert names == ["night_database_orders.sql"]


def test_a_database_that_is_not_there_starts_nothing(
    door: Door, flexvault: Flexvault, point: str, capsys: Captured
) -> None:
    words = ("restore", "pg-orders", point, "--container", CONTAINER_URL, "--prefix", "night")
    before = len(door.world.jobs())
    assert flexvault(*words, "--database", "Orders") == 1
    assert "has no database 'Orders'" in capsys.readouterr().err
    assert len(door.world.jobs()) == before


def test_a_kit_is_downloaded_into_its_folder_and_runs(
    flexvault: Flexvault, point: str, capsys: Captured, tmp_path: Path
) -> None:
    words = ("point", "kit", "pg-orders", point, "--prefix", "night", "--folder", str(tmp_path))
    assert flexvault(*words, "--database", "orders", person="reader") == 0
    program = tmp_path / "night_rebuild" / "rebuild.pyz"
    assert capsys.readouterr().out.splitlines()[0] == str(program)
    assert sorted(path.name for path in program.parent.iterdir()) == ["README.md", "rebuild.pyz"]
    # Which commands it knows is its own matter; that Python runs it is the download's.
    ran = subprocess.run([sys.executable, program, "--help"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_a_kit_says_what_comes_before_its_check(
    flexvault: Flexvault, point: str, capsys: Captured, tmp_path: Path
) -> None:
    words = ("point", "kit", "pg-orders", point, "--prefix", "night", "--folder", str(tmp_path))
    check = f"python3 {tmp_path / 'night_rebuild' / 'rebuild.pyz'} check"
    assert flexvault(*words, "--database", "orders") == 0
    first, then, last = capsys.readouterr().out.splitlines()[2:]
    restore = first.partition(": ")[2]
    assert (then, last) == (f"then download its files, night_*, into {tmp_path}", f"then: {check}")
    assert flexvault(*restore.replace("URL", CONTAINER_URL).split()[1:], person="operator") == 0
    (tmp_path / "night_database_orders.sql").write_bytes(b"")
    capsys.readouterr()
    assert flexvault(*words) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [f"next: {check}"]


def test_a_prefix_that_no_restore_can_have_writes_nothing(
    flexvault: Flexvault, point: str, capsys: Captured, tmp_path: Path
) -> None:
    words = ("point", "kit", "pg-orders", point, "--prefix", "../up", "--folder", str(tmp_path / "in"))
    assert flexvault(*words) == 1
    assert "is no file prefix" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
