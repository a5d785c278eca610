"""Recovery points and jobs: newest first, filtered by date, page by page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.api.times import wire_duration, wire_time
from flexvault.services.apply_retention import begin_retention
from tests import builders
from tests.api.doors import INSTANCE, ORIGIN, VAULT_ID, Door, backup_body

POINTS = f"{INSTANCE}/recoveryPoints"
JOBS = f"{VAULT_ID}/backupJobs"


def door_with_points(count: int, page_size: int = 100) -> Door:
    """A vault with a backup a day from Monday, 5 January 2026, 00:00 on."""
    door = Door(page_size=page_size)
    door.protect()
    for day in range(count):
        door.world.clock.advance_to(builders.MONDAY + timedelta(days=day))
        assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
        door.run_jobs()
    return door


@pytest.fixture(scope="module")
def week() -> Door:
    return door_with_points(5)


def days(door: Door, query: str) -> list[int]:
    answer = door.send("GET", POINTS, person="reader", query=f"api-version=2026-06-01&{query}")
    assert answer.status == 200, answer.body
    return [int(point["properties"]["recoveryPointTime"][8:10]) for point in answer.json["value"]]


def pages(door: Door, path: str, query: str = "api-version=2026-06-01") -> Iterator[dict[str, Any]]:
    url: str | None = f"{ORIGIN}{path}?{query}"
    while url:
        answer = door.send("GET", url)
        assert answer.status == 200, answer.body
        yield answer.json
        url = answer.json.get("nextLink")


FILTERS = [
    pytest.param("", [9, 8, 7, 6, 5], id="no filter"),
    pytest.param("$filter=", [9, 8, 7, 6, 5], id="the CLI's empty filter"),
    pytest.param("%24filter=", [9, 8, 7, 6, 5], id="empty, with the dollar escaped"),
    pytest.param("$filter=startDate%20eq%20%272026-01-07T00:00:00.0000000Z%27%20and%20endDate%20eq%20%272026-01-08T00:00:00.0000000Z%27", [8, 7], id="the CLI's both dates"),
    pytest.param("$filter=startDate+eq+'2026-01-08T00:00:00Z'", [9, 8], id="only a start"),
    pytest.param("$filter=endDate%20eq%20'2026-01-06T00:00:00Z'", [6, 5], id="only an end"),
    pytest.param("$filter=STARTDATE%20EQ%20'2026-01-08'", [9, 8], id="a date without time, in upper case"),
    pytest.param("$filter=startDate%20eq%20'2026-01-08T01:00:00%2B02:00'", [9, 8], id="an offset"),
    pytest.param("$filter=startDate%20eq%20'2027-01-01T00:00:00Z'", list[int](), id="nothing in it"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_points_are_filtered_by_date(week: Door, query: str, expected: list[int]) -> None:
    assert days(week, query) == expected


@pytest.mark.parametrize(
    "text",
    [
        "startDate gt '2026-01-07'",
        "startDate eq 2026-01-07",
        "startDate eq 'yesterday'",
        "startDate eq '2026-01-07' or endDate eq '2026-01-08'",
        "startDate eq '2026-01-07' and startDate eq '2026-01-08'",
        "name eq 'x'",
        "startDate eq '2026-01-07' and",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(week: Door, text: str) -> None:
    refused = week.send("GET", POINTS, query=f"api-version=1&$filter={text.replace(' ', '%20')}")
    assert (refused.status, refused.error["target"]) == (400, "$filter")


def test_points_are_read_page_by_page_and_keep_their_filter() -> None:
    door = door_with_points(5, page_size=2)
    query = "api-version=2024-04-01&$filter=startDate%20eq%20'2026-01-06T00:00:00Z'"
    found = list(pages(door, POINTS, query))
    assert [len(page["value"]) for page in found] == [2, 2]
    assert "api-version=2024-04-01" in found[0]["nextLink"]
    names = [point["name"] for page in found for point in page["value"]]
    assert len(set(names)) == 4


def test_a_point_that_vanishes_between_two_pages_takes_no_other_with_it() -> None:
    door = door_with_points(4, page_size=2)
    first = next(pages(door, POINTS))
    last = first["value"][-1]["name"]
    door.world.memory.rows._tables["points"][door.world.instance().key].pop(last)
    rest = door.send("GET", first["nextLink"]).json["value"]
    assert [point["properties"]["recoveryPointTime"][8:10] for point in rest] == ["06", "05"]


@pytest.mark.parametrize("path", [POINTS, JOBS])
@pytest.mark.parametrize("token", ["x", "!!", "AAAA", "%C3%BC", "Li4vLi4v"])
def test_a_skip_token_that_the_vault_did_not_make_is_refused(week: Door, path: str, token: str) -> None:
    refused = week.send("GET", path, query=f"api-version=1&$skipToken={token}")
    assert (refused.status, refused.error["target"]) == (400, "$skipToken")


def test_a_point_is_shown_as_azure_backup_shows_it(week: Door) -> None:
    listed = week.send("GET", POINTS).json["value"][0]
    name = listed["name"]
    assert week.send("GET", f"{POINTS}/{name}").json == listed
    assert week.send("GET", f"{POINTS}/{name.upper()}").json == listed
    assert listed["id"] == f"{POINTS}/{name}"
    properties = listed["properties"]
    assert properties["objectType"] == "AzureBackupDiscreteRecoveryPoint"
    assert properties["recoveryPointId"] == name
    assert properties["recoveryPointTime"] == "2026-01-09T00:00:00.0000000Z"
    assert properties["expiryTime"] == "2026-02-09T00:00:00.0000000Z"
    assert (properties["retentionTagName"], properties["policyName"]) == ("Default", "daily")
    assert properties["retentionTagVersion"].isdigit()
    (store,) = properties["recoveryPointDataStoresDetails"]
    assert (store["type"], store["state"], store["visible"]) == ("VaultStore", "COMMITTED", True)


@pytest.mark.parametrize("name", ["0" * 32, "x", "a%23b", "0" * 33])
def test_an_unknown_point_is_404(week: Door, name: str) -> None:
    missing = week.send("GET", f"{POINTS}/{name}")
    assert (missing.status, missing.error["code"]) == (404, "UserErrorRecoveryPointNotFound")


# Jobs ----------------------------------------------------------------------------------------------------------------


def test_jobs_are_listed_newest_first_page_by_page() -> None:
    door = door_with_points(4, page_size=2)
    found = list(pages(door, JOBS))
    assert [len(page["value"]) for page in found] == [2, 2, 1]
    starts = [job["properties"]["startTime"] for page in found for job in page["value"]]
    assert starts == sorted(starts, reverse=True)


def test_a_list_that_fits_one_page_has_no_next_link(week: Door) -> None:
    assert "nextLink" not in week.send("GET", JOBS).json
    assert "nextLink" not in week.send("GET", POINTS).json


REQUIRED = (
    "activityID", "backupInstanceFriendlyName", "dataSourceId", "dataSourceLocation", "dataSourceName",
    "dataSourceType", "isUserTriggered", "operation", "operationCategory", "progressEnabled", "sourceResourceGroup",
    "sourceSubscriptionID", "startTime", "status", "subscriptionId", "supportedActions", "vaultName",
)  # fmt: skip


def test_a_job_has_every_member_that_clients_demand(week: Door) -> None:
    for job in week.send("GET", JOBS, person="reader").json["value"]:
        assert {name for name in REQUIRED if job["properties"].get(name) is None} == set()
        assert job["properties"]["extendedInfo"] is None
        assert job["id"] == f"{JOBS}/{job['name']}"


def test_a_finished_backup_is_shown_with_its_tasks_and_point(week: Door) -> None:
    job = week.send("GET", JOBS).json["value"][0]
    shown = week.send("GET", job["id"]).json["properties"]
    assert (shown["operation"], shown["operationCategory"], shown["status"]) == (
        "OnDemandBackup",
        "Backup",
        "Completed",
    )
    assert (shown["isUserTriggered"], shown["sourceResourceGroup"]) == (True, "rg-orders")
    assert shown["duration"] == "PT12M18S"
    assert shown["policyId"].endswith("/backupPolicies/daily")
    info = shown["extendedInfo"]
    assert [task["taskId"] for task in info["subTasks"]] == [1, 2, 3, 4, 5]
    assert {(task["taskStatus"], task["taskProgress"]) for task in info["subTasks"]} == {("Completed", "100%")}
    assert info["dataTransferredInBytes"] > 0
    assert info["targetRecoverPoint"]["recoveryPointTime"] == "2026-01-09T00:00:00.0000000Z"
    assert info["warningDetails"] == []


def test_a_scheduled_backup_is_not_user_triggered() -> None:
    door = door_with_points(0)
    from flexvault.services.scheduling import tick

    door.world.clock.advance(timedelta(hours=3))
    tick(door.world.vault, door.world.memory.orchestrations)
    job = door.send("GET", JOBS).json["value"][0]["properties"]
    assert (job["operation"], job["isUserTriggered"], job["status"]) == ("Backup", False, "InProgress")


def test_a_failed_backup_says_why_and_where() -> None:
    door = door_with_points(0)
    door.world.memory.ltr.script = LtrScript(status="Failed", error_code="OutOfDisk", error_message="no space")
    accepted = door.send("POST", f"{INSTANCE}/backup", backup_body())
    for _ in range(4):
        door.run_jobs()
    shown = door.send("GET", door.result(accepted).json["jobId"]).json["properties"]
    assert shown["status"] == "Failed"
    (error,) = shown["errorDetails"]
    assert {"code", "message", "recommendedAction", "isRetryable", "isUserError"} <= error.keys()
    statuses = [task["taskStatus"] for task in shown["extendedInfo"]["subTasks"]]
    assert "InProgress" not in statuses
    assert door.follow(accepted)["status"] == "Succeeded", "the operation was to start the job"


def test_warnings_of_a_job_name_their_object() -> None:
    door = door_with_points(0)
    door.world.memory.ltr.script = LtrScript(files={**builders.backup_files(), "_extra.bin": b"?"})
    accepted = door.send("POST", f"{INSTANCE}/backup", backup_body())
    door.run_jobs()
    shown = door.send("GET", door.result(accepted).json["jobId"]).json["properties"]
    assert shown["status"] == "CompletedWithWarnings"
    warning = shown["extendedInfo"]["warningDetails"][0]
    assert warning["warning"]["code"] == "UnknownLayout"
    assert warning["resourceName"]


def test_a_running_protection_says_at_which_step_it_is() -> None:
    door = Door()
    door.world.memory.roles.delay = timedelta(minutes=1)
    door.send("PUT", f"{VAULT_ID}/backupPolicies/daily", {"properties": builders.policy_properties()})
    from tests.api.doors import instance_body

    door.send("PUT", INSTANCE, instance_body())
    (opened,) = door.world.open_jobs()
    builders.run_one(door.world, opened)
    info = door.send("GET", f"{JOBS}/{opened.job_id}").json["properties"]["extendedInfo"]
    assert [task["taskStatus"] for task in info["subTasks"]] == ["Completed", "InProgress", "NotStarted"]


def test_a_job_of_the_whole_vault_names_the_vault() -> None:
    door = Door()
    job_id = begin_retention(door.world.vault, door.world.memory.orchestrations)
    door.run_jobs()
    shown = door.send("GET", f"{JOBS}/{job_id}").json["properties"]
    assert {name for name in REQUIRED if shown.get(name) is None} == set()
    assert (shown["dataSourceId"], shown["operation"]) == (VAULT_ID, "ApplyRetention")


@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "newest", "0" * 32, "{0}"])
def test_an_unknown_job_is_404(week: Door, name: str) -> None:
    assert week.send("GET", f"{JOBS}/{name}").status == 404


# Times ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        pytest.param(timedelta(), "PT0S", id="nothing"),
        pytest.param(timedelta(seconds=-1), "PT0S", id="less than nothing"),
        pytest.param(timedelta(seconds=5.6503), "PT5.6503S", id="a fraction"),
        pytest.param(timedelta(minutes=2, seconds=5, microseconds=650351), "PT2M5.650351S", id="as the real service"),
        pytest.param(timedelta(hours=1), "PT1H", id="an hour"),
        pytest.param(timedelta(days=2, hours=3, seconds=4), "PT51H4S", id="days are hours"),
        pytest.param(timedelta(seconds=59, microseconds=999999), "PT59.999999S", id="almost a minute"),
    ],
)
def test_durations_are_iso_8601(duration: timedelta, text: str) -> None:
    assert wire_duration(duration) == text


def test_times_are_utc_with_seven_digits() -> None:
    moment = datetime.fromisoformat("2026-01-05T02:00:00.123456+02:00")
    assert wire_time(moment) == "2026-01-05T00:00:00.1234560Z"
    assert datetime.fromisoformat(wire_time(moment)) == moment.astimezone(UTC)
