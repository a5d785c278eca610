"""`flexvault journal` against the API itself: who did what, newest first."""

import json

import pytest

from tests.api.doors import Door
from tests.cli.real_vault import RealVault

type Captured = pytest.CaptureFixture[str]


@pytest.fixture
def vault() -> RealVault:
    door = Door()
    door.protect_and_back_up()
    return RealVault(door)


def test_it_shows_who_did_what_newest_first(vault: RealVault, capsys: Captured) -> None:
    assert vault.run("journal", person="reader") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2:3] for line in lines[1:]] == [
        ["ProtectionConfigured"],
        ["ProtectionRequested"],
        ["PolicyChanged"],
    ]
    assert "Somebody" in lines[-1]
    assert lines[-1].split()[-1] == "daily"


def test_an_instance_is_named_by_its_server_too_and_its_jobs_say_how_they_ended(
    vault: RealVault, capsys: Captured
) -> None:
    assert vault.run("journal", "--instance", "PG-orders", "--type", "JobClosed", person="reader") == 0
    assert "backup Completed" in capsys.readouterr().out.splitlines()[1]


def test_no_more_is_fetched_than_the_limit_needs(vault: RealVault, capsys: Captured) -> None:
    assert vault.run("journal", "--limit", "2", "--output", "json", person="reader") == 0
    assert [one["seq"] for one in json.loads(capsys.readouterr().out)] == [3, 2]
    assert len(vault.sent) == 1


def test_an_instance_that_never_was_is_told_with_what_to_do(vault: RealVault, capsys: Captured) -> None:
    assert vault.run("journal", "--instance", "nope", person="reader") == 1
    assert "had, no backup instance 'nope'" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "x"])
def test_a_limit_is_a_number_of_entries(vault: RealVault, limit: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit, match="2"):
        vault.run("journal", f"--limit={limit}")
    assert "is no number of entries" in capsys.readouterr().err
