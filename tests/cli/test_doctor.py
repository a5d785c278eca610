"""What a person sees of the doctor, and of a check that warns."""

import json
from datetime import timedelta

import pytest

from flexvault.services.reconcile import reconcile
from tests.api.doors import Door
from tests.builders import SERVER_ID, add_server
from tests.cli.real_vault import Flexvault, RealVault

type Captured = pytest.CaptureFixture[str]


@pytest.fixture
def door() -> Door:
    made = Door()
    made.protect_and_back_up()
    return made


@pytest.fixture
def flexvault(door: Door) -> Flexvault:
    return RealVault(door).run


def test_the_doctor_finds_nothing_and_then_says_what_stands_in_the_way(
    flexvault: Flexvault, door: Door, capsys: Captured
) -> None:
    assert flexvault("doctor", "--instance", "pg-orders", person="reader") == 0
    shown = capsys.readouterr().out
    assert "LastBackupSize" in shown
    assert "not checkable from ARM: LargeByteaValues, DatabasesOfAzure, UnloggedTables, LargeObjects" in shown
    door.world.memory.servers.change(SERVER_ID, state="Stopped", location="westeurope")

    assert flexvault("doctor", "--server", SERVER_ID, person="reader") == 1
    shown, error = capsys.readouterr()
    assert shown.index("Error") < shown.index("Warning")
    assert "RegionDiffers: protect it with a vault in westeurope" in shown
    assert error.splitlines() == [
        "error: DoctorFoundErrors: 1 thing(s) keep backups from being done",
        f"recommended: start the server: az postgres flexible-server start --ids {SERVER_ID}",
    ]


def test_the_doctor_of_all_servers_says_when_it_looked(flexvault: Flexvault, door: Door, capsys: Captured) -> None:
    assert flexvault("doctor") == 0
    shown = capsys.readouterr().out
    assert "NotExaminedYet" in shown
    assert "nothing stands in the way" not in shown
    assert shown.splitlines()[-1] == "not examined yet: pg-orders"
    assert flexvault("doctor", "--now", "--output", "json") == 0
    [server] = json.loads(capsys.readouterr().out)
    assert (server["backupInstance"], server["findings"][0]["code"]) == ("pg-orders", "LastBackupSize")
    door.world.clock.advance(timedelta(days=1))
    reconcile(door.world.vault, door.world.memory.orchestrations)
    assert flexvault("doctor") == 0
    assert "as of 2026-01-06T" in capsys.readouterr().out


def test_the_doctor_prints_sql_that_can_be_run_as_it_is(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("doctor", "--instance", "pg-orders", "--sql") == 0
    out, err = capsys.readouterr()
    statements = _split_statements(out)
    assert len(statements) == 4
    assert all(statement.startswith("SELECT ") for statement in statements)
    assert "LastBackupSize" in err
    assert SERVER_ID in err


def _split_statements(script: str) -> list[str]:
    """What psql would run: no comments, one statement up to each semicolon at the end of a line."""
    told = "\n".join(line for line in script.splitlines() if line and not line.startswith("--"))
    assert told.endswith(";")
    return told.removesuffix(";").split(";\n")


def test_the_doctor_of_all_servers_names_those_of_which_no_backups_run(
    flexvault: Flexvault, door: Door, capsys: Captured
) -> None:
    assert flexvault("instance", "stop", "pg-orders") == 0
    door.world.clock.advance(timedelta(days=1))
    reconcile(door.world.vault, door.world.memory.orchestrations)
    capsys.readouterr()
    assert flexvault("doctor") == 0
    shown = capsys.readouterr().out
    assert "ProtectionPaused: flexvault instance resume pg-orders" in shown
    assert shown.splitlines()[-1] == "no backups run: pg-orders"


def test_what_a_check_warns_of_is_said_with_what_to_do_before_the_server_is_protected(
    flexvault: Flexvault, door: Door, capsys: Captured
) -> None:
    server_id = add_server(door.world, "2")
    door.world.memory.servers.change(server_id, storage_size_gib=2048)
    assert flexvault("instance", "protect", server_id, "--policy", "daily") == 0
    warned, recommended, *_ = capsys.readouterr().err.splitlines()
    assert warned.startswith("warning: ServerLargerThanSupported: the server 'pg-orders-2' has 2048 GiB provisioned")
    assert recommended.startswith("recommended: back up on demand and see whether it is done")
