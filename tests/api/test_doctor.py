"""What a Reader sees of the doctor: of one server now, of all as the last night found them."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from flexvault.domain.errors import TransientError
from flexvault.services.reconcile import reconcile
from tests.api.doors import INSTANCE, ORIGIN, POLICY_ID, Door, instance_body, policy_body
from tests.api.test_soft_delete import send_approved
from tests.builders import INSTANCE_ID, SERVER_ID, add_server, protect

DOCTOR = "/vault/doctor"
MEMBERS = {"code", "severity", "subject", "message", "remedy", "check", "sql"}
SQL = ["LargeByteaValues", "DatabasesOfAzure", "UnloggedTables", "LargeObjects"]


@pytest.fixture
def door() -> Door:
    return Door()


def ask(door: Door, query: str = "", path: str = DOCTOR, status: int = 200) -> dict[str, Any]:
    answer = door.send("GET", f"{ORIGIN}{path}{query}", person="reader", query="")
    assert answer.status == status
    return answer.json


def codes(examined: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in examined["findings"]]


def night(door: Door) -> None:
    door.world.clock.advance(timedelta(days=1))
    reconcile(door.world.vault, door.world.memory.orchestrations)


def test_any_server_is_examined_now(door: Door):
    [examined] = ask(door, f"?server={quote(SERVER_ID, safe='')}")["value"]
    assert (examined["server"], examined["backupInstance"]) == (SERVER_ID, None)
    assert examined["checkedAt"] == "2026-01-05T00:00:00Z"
    assert codes(examined) == ["RolesNotYetGranted", *SQL]
    assert all(set(finding) == MEMBERS for finding in examined["findings"])


def test_what_arm_does_not_know_comes_with_the_sql_that_does(door: Door):
    [examined] = ask(door, f"?server={SERVER_ID}")["value"]
    unknown = [finding for finding in examined["findings"] if finding["check"] == "NotCheckable"]
    assert [finding["code"] for finding in unknown] == SQL
    assert all(finding["sql"].startswith("SELECT ") and finding["remedy"] for finding in unknown)
    assert {finding["severity"] for finding in unknown} == {"Information"}


def test_the_server_of_an_instance_is_known_by_its_id_and_by_the_instance(door: Door):
    door.protect_and_back_up()
    [by_server] = ask(door, f"?server={SERVER_ID.upper()}")["value"]
    by_instance = ask(door, path="/vault/backupInstances/PG-orders/doctor")
    assert by_server == by_instance
    assert (by_instance["backupInstance"], by_instance["server"]) == ("pg-orders", SERVER_ID)
    assert codes(by_instance) == ["LastBackupSize", *SQL]


@pytest.mark.parametrize(
    ("query", "target"),
    [
        pytest.param("?server=", "server", id="empty"),
        pytest.param("?server=pg-orders", "server", id="a name"),
        pytest.param(f"?server={SERVER_ID}/../x", "server", id="a trick"),
        pytest.param(f"?server={SERVER_ID.replace('flexibleServers', 'servers')}", "server", id="another kind"),
        pytest.param("?now=perhaps", "now", id="neither true nor false"),
        pytest.param("?$skipToken=eA==", "$skipToken", id="a token of somebody else"),
    ],
)
def test_wrong_input_is_named(door: Door, query: str, target: str):
    error = ask(door, query, status=400)["error"]
    assert error["target"] == target


def test_an_instance_that_is_not_there_is_not_found(door: Door):
    assert ask(door, path="/vault/backupInstances/nothing/doctor", status=404)["error"]["code"]


def test_the_list_shows_what_the_last_night_found(door: Door):
    door.protect()
    [new] = ask(door)["value"]
    assert (new["backupInstance"], new["checkedAt"], codes(new)) == ("pg-orders", None, ["NotExaminedYet", *SQL])
    assert (new["findings"][0]["severity"], new["findings"][0]["check"]) == ("Warning", "NotCheckable")
    door.world.memory.servers.change(SERVER_ID, state="Stopped")
    night(door)
    door.world.memory.servers.change(SERVER_ID, state="Ready")
    [kept] = ask(door)["value"]
    assert kept["checkedAt"].startswith("2026-01-06T")
    assert kept["findings"][0]["code"] == "ServerNotReadyForLongTermBackup"
    [live] = ask(door, "?now=true")["value"]
    assert "ServerNotReadyForLongTermBackup" not in codes(live)


@pytest.mark.parametrize(("query", "first"), [("", 11), ("?now=true", 10)], ids=["last night", "now"])
def test_the_list_comes_in_pages_and_a_live_one_in_pages_of_ten(query: str, first: int):
    door = Door(page_size=11)
    door.protect()
    for number in range(11):
        server_id = add_server(door.world, str(number))
        protect(door.world, request_key=f"p{number}", instance_id=f"{INSTANCE_ID}-{number}", server_id=server_id)
    page = ask(door, query)
    assert len(page["value"]) == first
    rest = door.send("GET", page["nextLink"], person="reader", query="").json
    assert (len(rest["value"]), rest.get("nextLink")) == (12 - first, None)
    assert len({one["server"] for one in [*page["value"], *rest["value"]]}) == 12
    assert {bool(one["checkedAt"]) for one in rest["value"]} == {bool(query)}


def test_what_arm_cannot_say_of_one_server_hides_no_other(door: Door):
    door.protect()
    door.world.memory.faults.fail_next("servers.get", TransientError("ARM is away"))
    [examined] = ask(door, "?now=true")["value"]
    assert codes(examined)[0] == "ServerNotReadable"
    door.world.memory.faults.fail_next("servers.get", TransientError("ARM is away"))
    assert ask(door, f"?server={SERVER_ID}", status=503)["error"]["code"] == "ServiceUnavailable"


# Of what runs no backups ---------------------------------------------------------------------------------------------


def everywhere(door: Door) -> list[dict[str, Any]]:
    """What is told of the server of pg-orders by its id, by its instance, and in both lists of all."""
    ways = (f"?server={SERVER_ID}", "?now=true", "")
    listed = [one for way in ways for one in ask(door, way)["value"]]
    return [*listed, ask(door, path="/vault/backupInstances/pg-orders/doctor")]


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        pytest.param("stopProtection", "are retained for ever", id="stopped"),
        pytest.param("suspendBackups", "expire as their policy says", id="suspended"),
    ],
)
def test_a_paused_protection_is_told_wherever_the_doctor_is_asked(door: Door, verb: str, told: str):
    door.protect_and_back_up()
    night(door)
    assert door.send("POST", f"{INSTANCE}/{verb}", {}).status == 202
    found = [examined["findings"][0] for examined in everywhere(door)]
    assert len(found) == 4
    assert {(one["code"], one["severity"]) for one in found} == {("ProtectionPaused", "Warning")}
    assert all("no backups run since 2026-01-06" in one["message"] and told in one["message"] for one in found)
    assert {one["remedy"] for one in found} == {"flexvault instance resume pg-orders"}
    assert door.send("POST", f"{INSTANCE}/resumeProtection", {}).status == 202
    assert not [one for one in everywhere(door) if "ProtectionPaused" in codes(one)]


def test_a_server_that_is_gone_while_its_protection_is_stopped_is_no_error(door: Door):
    door.protect_and_back_up()
    assert door.send("POST", f"{INSTANCE}/stopProtection", {}).status == 202
    door.world.memory.servers.remove(SERVER_ID)
    [examined] = ask(door, "?now=true")["value"]
    assert codes(examined)[:2] == ["ProtectionPaused", "ServerNotReadable"]
    assert {finding["severity"] for finding in examined["findings"]} == {"Warning", "Information"}


def test_a_soft_deleted_instance_is_an_error_with_every_way_out(door: Door):
    door.protect_and_back_up()
    assert send_approved(door, "DELETE", INSTANCE).status == 202
    [by_server] = ask(door, f"?server={SERVER_ID}")["value"]
    by_instance = ask(door, path="/vault/backupInstances/pg-orders/doctor")
    for examined in (by_server, by_instance):
        first = examined["findings"][0]
        assert (first["code"], first["severity"]) == ("SoftDeleted", "Error")
        assert "flexvault instance undelete pg-orders, then: flexvault instance resume pg-orders" in first["remedy"]
        assert "or wait until its data are gone, at 2026-" in first["remedy"]
    assert ask(door)["value"] == []


def test_a_protection_that_could_not_be_configured_is_an_error(door: Door):
    door.world.memory.roles.may_grant = False
    assert door.send("PUT", POLICY_ID, policy_body()).status == 200
    assert door.send("PUT", INSTANCE, instance_body()).status == 201
    assert codes(ask(door)["value"][0])[:2] == ["ProtectionNotConfigured", "NotExaminedYet"]
    door.run_jobs()
    assert ask(door)["value"][0]["findings"][0]["severity"] == "Error"
    assert codes(ask(door, "?now=true")["value"][0])[0] == "ProtectionNotConfigured"


def test_nobody_without_a_role_asks_the_doctor(door: Door):
    assert door.send("GET", f"{ORIGIN}{DOCTOR}", person=None, query="").status == 401
