"""Faults on order: each one does what its name says, to the requests that it matches, as often as asked."""

import threading
from collections.abc import Generator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from local_cloud.arm_emulator.faults import FAULT_KINDS
from local_cloud.postgres import PostgresServer
from tests.emulator.conftest import StartWorld
from tests.emulator.people import STRANGER
from tests.emulator.places import SERVER_ID, server_of
from tests.emulator.world import Landing, MovableClock, World

START = {"method": "POST", "path": "startLtrBackup"}


@pytest.fixture
def real_world(start_world: StartWorld, postgres: PostgresServer) -> World:
    return start_world(servers=(server_of("pg-orders", postgres=postgres.url),))


@pytest.fixture
def shared_world(calm_world: World) -> Generator[World]:
    """For faults that let nothing happen; they are gone after each test."""
    yield calm_world
    calm_world.clear_faults()


def test_a_fault_acts_as_often_as_asked_and_then_no_more(shared_world: World) -> None:
    shared_world.order("throttle", times=2)

    assert [shared_world.arm("GET", SERVER_ID).status_code for _ in range(3)] == [429, 429, 200]


def test_a_fault_without_number_acts_until_it_is_cleared(shared_world: World) -> None:
    shared_world.order("throttle", times=None)
    before = [shared_world.arm("GET", SERVER_ID).status_code for _ in range(3)]

    shared_world.clear_faults()

    assert before == [429, 429, 429]
    assert shared_world.arm("GET", SERVER_ID).status_code == 200


@pytest.mark.parametrize(
    ("match", "is_hit"),
    [
        pytest.param({}, True, id="everything"),
        pytest.param({"method": "get"}, True, id="method in other case"),
        pytest.param({"method": "POST"}, False, id="other method"),
        pytest.param({"path": "flexibleservers/PG-ORDERS"}, True, id="part of the path in other case"),
        pytest.param({"path": "flexibleServers/[^/?]+(\\?|$)"}, True, id="regular expression"),
        pytest.param({"path": "pg-orders/ltr"}, False, id="other path"),
        pytest.param({"path": "pg-(orders"}, False, id="no regular expression"),
        pytest.param({"path": "api-version=2025"}, True, id="part of the query"),
    ],
)
def test_a_fault_acts_on_the_requests_that_it_matches(shared_world: World, match: dict[str, str], is_hit: bool) -> None:
    shared_world.order("error-before", match=match)

    assert shared_world.arm("GET", SERVER_ID).status_code == (500 if is_hit else 200)


@pytest.mark.parametrize("form", ["seconds", "date", "absent"])
def test_throttle_says_when_to_come_back_in_the_form_asked_for(shared_world: World, form: str) -> None:
    shared_world.order("throttle", retryAfterSeconds=7, retryAfterForm=form)

    answer = shared_world.arm("GET", SERVER_ID)

    assert answer.json()["error"]["code"] == "TooManyRequests"
    said = answer.headers.get("Retry-After")
    if form == "seconds":
        assert said == "7"
    elif form == "date":
        assert said is not None
        assert parsedate_to_datetime(said) > parsedate_to_datetime(answer.headers["Date"])
    else:
        assert said is None


def test_error_before_does_not_act(shared_world: World) -> None:
    shared_world.order(
        "error-before", match=START, status=503, code="ServerBusy", message="later", headers={"Retry-After": "9"}
    )

    answer = shared_world.start_backup("b1")

    assert (answer.status_code, answer.json()["error"]) == (503, {"code": "ServerBusy", "message": "later"})
    assert answer.headers["Retry-After"] == "9"
    assert shared_world.log()["backups"] == []


def test_error_after_acts(world: World) -> None:
    world.order("error-after", match=START)

    assert world.start_backup("b1").status_code == 500
    assert [backup["backupName"] for backup in world.log()["backups"]] == ["b1"]


def test_a_lost_response_acts_and_answers_nothing(world: World) -> None:
    world.order("lost-response", match=START)

    with pytest.raises(httpx.RemoteProtocolError):
        world.start_backup("b1")

    assert [backup["backupName"] for backup in world.log()["backups"]] == ["b1"]
    assert world.arm("GET", SERVER_ID).status_code == 200


def test_a_refusal_can_be_lost_too(shared_world: World) -> None:
    shared_world.order("lost-response")

    with pytest.raises(httpx.RemoteProtocolError):
        shared_world.arm("GET", SERVER_ID, person=STRANGER)


def test_a_held_request_acts_when_its_fault_is_deleted(world: World) -> None:
    fault_id = world.order("hold", match=START)
    answers: list[int] = []
    request = threading.Thread(target=lambda: answers.append(world.start_backup("b1").status_code))
    request.start()
    while world.log()["requests"].get("POST BackupsLongTermRetention_Start") is None:
        pass
    while_held = world.log()["backups"]

    world.http.delete(f"/_emulator/faults/{fault_id}")
    request.join(10)

    assert (while_held, answers) == ([], [202])


def test_a_held_backup_runs_when_its_fault_is_deleted(real_world: World, landing: Landing) -> None:
    real_world.order("hold-backup")
    real_world.start_backup("b1", landing.sas("held"))
    while_held = real_world.operation("b1")["status"], landing.files("held")

    real_world.clear_faults()
    real_world.wait_for_backups()

    assert while_held == ("Running", {})
    assert real_world.operation("b1")["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("ordered", "has_files"),
    [
        pytest.param({"errorCode": "OutOfDisk", "errorMessage": "no room"}, False, id="before the first file"),
        pytest.param(
            {"errorCode": "OutOfDisk", "errorMessage": "no room", "filesPresent": True}, True, id="at the end"
        ),
    ],
)
def test_backup_failed_ends_with_the_code_asked_for(
    real_world: World, landing: Landing, ordered: dict[str, Any], has_files: bool
) -> None:
    container = f"failed{int(has_files)}"
    real_world.order("backup-failed", match=START, **ordered)
    real_world.start_backup("b1", landing.sas(container))
    real_world.wait_for_backups()

    operation = real_world.operation("b1")
    assert (operation["status"], operation["errorCode"], operation["errorMessage"]) == (
        "Failed",
        "OutOfDisk",
        "no room",
    )
    assert bool(landing.files(container)) is has_files


def test_backup_failed_can_end_in_any_status(world: World) -> None:
    world.order("backup-failed", status="Cancelled")
    world.start_backup("b1")
    world.wait_for_backups()

    assert world.operation("b1")["status"] == "Cancelled"
    assert world.log()["backups"][0]["status"] == "Cancelled"


@pytest.mark.parametrize(
    ("ordered", "missing"),
    [
        pytest.param(
            {}, {"b1_database_orders.sql", "b1_database_O%27Brien%20%26%20S%C3%B6hne%2E1.sql"}, id="databases"
        ),
        pytest.param({"database": "orders"}, {"b1_database_orders.sql"}, id="one database"),
        pytest.param({"kind": "roles"}, {"b1_roles.sql"}, id="roles"),
    ],
)
def test_missing_file_leaves_files_out_and_succeeds(
    *, real_world: World, landing: Landing, request: pytest.FixtureRequest, ordered: dict[str, Any], missing: set[str]
) -> None:
    container = f"missing-{request.node.callspec.id.replace(' ', '-')}"
    real_world.order("missing-file", **ordered)
    real_world.start_backup("b1", landing.sas(container))
    real_world.wait_for_backups()

    everything = {
        "b1_roles.sql",
        "b1_tablespace.sql",
        "b1_schema.sql",
        "b1_database_orders.sql",
        "b1_database_O%27Brien%20%26%20S%C3%B6hne%2E1.sql",
    }
    assert real_world.operation("b1")["status"] == "Succeeded"
    assert set(landing.files(container)) == everything - missing


def test_truncated_file_cuts_at_a_byte_or_a_fraction_and_succeeds(real_world: World, landing: Landing) -> None:
    orders: list[dict[str, Any]] = [{}, {"atByte": 100}, {"fraction": 0.25}, {"kind": "roles", "atByte": 0}]
    files: list[dict[str, bytes]] = []
    for number, ordered in enumerate(orders):
        if ordered:
            real_world.order("truncated-file", database=None if "kind" in ordered else "orders", **ordered)
        real_world.start_backup("b", landing.sas(f"cut{number}"))
        real_world.wait_for_backups()
        assert real_world.operation("b")["status"] == "Succeeded"
        files.append(landing.files(f"cut{number}"))

    whole, at_byte, quarter, no_roles = files
    name = "b_database_orders.sql"
    assert len(at_byte[name]) == 100
    assert abs(len(quarter[name]) - len(whole[name]) / 4) < 100
    assert at_byte[name].startswith(b"PGDMP")
    assert no_roles["b_roles.sql"] == b""


def test_unknown_layout_gives_files_other_names(real_world: World, landing: Landing) -> None:
    real_world.order("unknown-layout")
    real_world.start_backup("b1", landing.sas("layout"))
    real_world.wait_for_backups()

    assert real_world.operation("b1")["status"] == "Succeeded"
    assert set(landing.files("layout")) == {f"b1/part-{number:04d}.dat" for number in range(5)}


def test_an_operation_that_is_not_visible_is_not_found_for_its_time(start_world: StartWorld) -> None:
    clock = MovableClock()
    world = start_world(clock=clock, servers=(server_of("pg-orders"),))
    world.order("not-visible", seconds=100)
    world.start_backup("b1")
    path = f"{SERVER_ID}/ltrBackupOperations"

    hidden = world.arm("GET", f"{path}/b1").status_code, world.arm("GET", path).json()["value"]
    clock.move(seconds=101)
    shown = world.arm("GET", f"{path}/b1").status_code, len(world.arm("GET", path).json()["value"])

    assert (hidden, shown) == ((404, []), (200, 1))


def test_a_slow_backup_says_running_for_its_time(start_world: StartWorld) -> None:
    clock = MovableClock()
    world = start_world(clock=clock, servers=(server_of("pg-orders"),))
    world.order("slow-backup", seconds=0.5)
    world.order("backup-failed", status="Succeeded", errorCode=None, errorMessage=None)
    world.start_backup("b1")

    before = world.operation("b1")["status"]
    world.wait_for_backups()

    assert (before, world.operation("b1")["status"]) == ("Running", "Succeeded")


def test_an_odd_report_replaces_and_takes_away_members(world: World) -> None:
    world.order("odd-report", properties={"status": "Dreaming", "percentComplete": 250.0, "endTime": None})
    world.start_backup("b1")
    world.wait_for_backups()

    operation = world.operation("b1")
    assert (operation["status"], operation["percentComplete"]) == ("Dreaming", 250.0)
    assert "endTime" not in operation
    assert world.log()["backups"][0]["status"] == "Failed"


def test_a_refused_start_uses_up_no_fault_of_a_backup(world: World) -> None:
    world.order("backup-failed", errorCode="Ordered")
    world.change_server("pg-orders", state="Stopped")
    world.start_backup("b1")
    world.change_server("pg-orders", state="Ready")

    world.start_backup("b2")
    world.wait_for_backups()

    assert world.operation("b2")["errorCode"] == "Ordered"


def test_ordered_faults_are_listed_until_they_are_used_up(world: World) -> None:
    world.order("throttle", times=2, match={"method": "GET"}, retryAfterSeconds=3)
    world.arm("GET", SERVER_ID)

    assert world.http.get("/_emulator/faults").json()["value"] == [
        {
            "id": 1,
            "fault": "throttle",
            "match": {"method": "GET"},
            "times": 1,
            "applied": 1,
            "retryAfterSeconds": 3,
            "retryAfterForm": "seconds",
        }
    ]
    world.arm("GET", SERVER_ID)
    assert world.http.get("/_emulator/faults").json()["value"] == []


@pytest.mark.parametrize(
    ("body", "hints"),
    [
        pytest.param({"fault": "thunder"}, sorted(FAULT_KINDS), id="unknown fault"),
        pytest.param({}, ["throttle"], id="no fault"),
        pytest.param({"fault": "throttle", "match": {"host": "x"}}, ["method", "path"], id="unknown match key"),
        pytest.param({"fault": "throttle", "match": "GET"}, ["object"], id="match that is no object"),
        pytest.param({"fault": "throttle", "seconds": 3}, ["retryAfterSeconds"], id="unknown parameter"),
        pytest.param({"fault": "throttle", "times": 0}, ["times"], id="no times"),
        pytest.param({"fault": "missing-file", "kind": "index"}, ["tablespace"], id="unknown kind of file"),
        pytest.param({"fault": "throttle", "retryAfterForm": "later"}, ["absent"], id="unknown form"),
        pytest.param({"fault": "hold", "seconds": "long"}, ["seconds", "float"], id="seconds that are no number"),
        pytest.param({"fault": "error-before", "status": "bad"}, ["status"], id="status that is no number"),
        pytest.param({"fault": "odd-report", "properties": []}, ["properties"], id="properties that are no object"),
        pytest.param([], ["object"], id="body that is no object"),
    ],
)
def test_a_wrong_order_is_refused_with_what_is_allowed(calm_world: World, body: Any, hints: list[str]) -> None:
    answer = calm_world.http.post("/_emulator/faults", json=body)

    assert answer.status_code == 400
    assert all(hint in answer.json()["error"]["message"] for hint in hints)


def test_an_unknown_path_of_the_emulator_names_the_known_ones(calm_world: World) -> None:
    answer = calm_world.http.get("/_emulator/nothing")

    assert answer.status_code == 404
    assert "GET log" in answer.json()["error"]["message"]
