"""Simulate a policy over HTTP: points, tags, expiries, deletions, months; every mistake at once."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.api.doors import Door, policy_body
from tests.builders import add_tag, policy_properties

SIMULATE = "/vault/simulatePolicy"


@pytest.fixture
def door() -> Door:
    return Door()


def simulated(door: Door, policy: Any, **members: Any) -> dict[str, Any]:
    answer = door.send("POST", SIMULATE, {"policy": policy, "from": "2026-01-05T00:00:00Z", **members}, person="reader")
    assert answer.status == 200, answer.json
    return answer.json


def test_ten_years_of_daily_backups_are_every_point_that_was_created(door: Door) -> None:
    told = simulated(door, policy_properties(), years=10)
    assert len(told["recoveryPoints"]) == 3652
    assert told["recoveryPoints"][0] == {
        "time": "2026-01-05T02:00:00Z",
        "tags": ["Default"],
        "retentionTag": "Default",
        "expiry": "2026-02-05T02:00:00Z",
        "reason": "backup of 2026-01-05, for which no other tag matched",
    }
    assert told["deletions"][0] == {
        "time": "2026-02-05T02:00:00Z",
        "recoveryPoint": "2026-01-05T02:00:00Z",
        "reason": "expired 2026-02-05: backup of 2026-01-05, for which no other tag matched, rule Default",
    }
    assert list(told["countByMonth"])[:3] == ["2026-01", "2026-02", "2026-03"]
    assert told["countByMonth"]["2026-01"] == 27
    assert told["countByMonth"]["2036-01"] == 31
    assert told["storageBytesByMonth"] == {}


def test_the_policy_may_be_bare_or_the_apis_resource_with_members_in_any_case(door: Door) -> None:
    bare = simulated(door, policy_properties(), years=1)
    resource = {"ID": "/x", "name": "daily", "Properties": policy_body()["properties"]}
    assert simulated(door, resource, years=1) == bare
    assert simulated(door, policy_properties(), until="2027-01-05T01:00:00+01:00") == bare


def test_a_tag_and_all_tags_that_match_are_told(door: Door) -> None:
    policy = add_tag(policy_properties(), "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfMonth"])
    points = simulated(door, policy, until="2026-03-01T00:00:00Z")["recoveryPoints"]
    monthly = [point for point in points if point["retentionTag"] == "Monthly"]
    assert [(point["time"], point["tags"], point["expiry"]) for point in monthly] == [
        ("2026-01-05T02:00:00Z", ["Monthly", "Default"], "2027-01-05T02:00:00Z"),
        ("2026-02-01T02:00:00Z", ["Monthly", "Default"], "2027-02-01T02:00:00Z"),
    ]
    assert monthly[1]["reason"] == "first successful backup of February 2026"


def test_a_failure_gives_its_period_to_the_next_success_and_keeps_the_newest_point(door: Door) -> None:
    policy = add_tag(policy_properties(keep_for="P7D"), "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfMonth"])
    failing = [f"2026-02-{day:02d}" for day in range(1, 16)]
    told = simulated(door, policy, until="2026-03-01T00:00:00Z", failures=failing)
    monthly = [point["time"] for point in told["recoveryPoints"] if point["retentionTag"] == "Monthly"]
    assert monthly == ["2026-01-05T02:00:00Z", "2026-02-16T02:00:00Z"]
    late = next(gone for gone in told["deletions"] if gone["recoveryPoint"] == "2026-01-31T02:00:00Z")
    assert late["time"] == "2026-02-16T02:00:00Z"
    assert late["reason"].endswith("kept until then as the newest recovery point")


def test_a_backup_before_the_begin_can_have_been_the_first_of_its_period(door: Door) -> None:
    policy = add_tag(policy_properties(), "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfMonth"])
    told = simulated(door, policy, **{"from": "2026-01-20T00:00:00Z"}, until="2026-02-02T00:00:00Z")
    assert [point["time"] for point in told["recoveryPoints"] if point["retentionTag"] == "Monthly"] == [
        "2026-02-01T02:00:00Z"
    ]


def test_storage_grows_with_the_server(door: Door) -> None:
    told = simulated(door, policy_properties(keep_for="P7D"), years=2, serverSizeBytes=10**9, growthPerYear=0.5)
    months = told["storageBytesByMonth"]
    assert told["countByMonth"]["2026-06"] == 7
    assert 6.9e9 < months["2026-01"] < 7.2e9
    assert 1.49 < months["2027-06"] / months["2026-06"] < 1.51


def test_what_can_never_match_is_warned_of(door: Door) -> None:
    policy = add_tag(
        policy_properties(), "Never", 15, "P1Y", monthsOfYear=["February"], daysOfMonth=[{"date": 30, "isLast": False}]
    )
    (warning,) = simulated(door, policy, years=1)["warnings"]
    assert (warning["code"], warning["target"]) == ("TagNeverMatches", "Never")


def test_an_hour_is_elapsed_time_across_a_change_of_the_clocks(door: Door) -> None:
    policy = policy_properties(interval="R/2026-03-28T00:00:00+01:00/PT12H", zone="Europe/Berlin")
    points = simulated(door, policy, **{"from": "2026-03-28T12:00:00Z"}, until="2026-03-30T12:00:00Z")["recoveryPoints"]
    times = [datetime.fromisoformat(point["time"]) for point in points]
    assert {(later - earlier).total_seconds() for earlier, later in pairwise(times)} == {43200.0}


MISTAKES = [
    pytest.param({"policy": None}, {"policy"}, id="no policy"),
    pytest.param({"policy": {}}, {"policy.objectType", "policy.datasourceTypes", "policy.policyRules"}, id="empty"),
    pytest.param({"policy": {"properties": []}}, {"policy.properties"}, id="properties that are a list"),
    pytest.param({"from": None}, {"from"}, id="no begin"),
    pytest.param({"from": "2026-01-05"}, {"from"}, id="a date without a time"),
    pytest.param({"from": "2026-01-05T00:00:00"}, {"from"}, id="a time without an offset"),
    pytest.param({"from": "0001-01-01T00:00:00Z"}, {"from"}, id="the calendar's begin"),
    pytest.param({"years": None}, {"until"}, id="no end"),
    pytest.param({"until": "2027-01-01T00:00:00Z"}, {"until"}, id="both ends"),
    pytest.param({"years": None, "until": "2025-01-01T00:00:00Z"}, {"until"}, id="the end before the begin"),
    pytest.param({"years": 0}, {"years"}, id="no years"),
    pytest.param({"years": 101}, {"years"}, id="too many years"),
    pytest.param({"years": 1.5}, {"years"}, id="a part of a year"),
    pytest.param({"years": True}, {"years"}, id="years as a truth value"),
    pytest.param({"failures": "2026-01-06"}, {"failures"}, id="failures that are no list"),
    pytest.param({"failures": ["2026-01-06", "yesterday"]}, {"failures[1]"}, id="a failure that is no date"),
    pytest.param({"failures": ["2026-02-30"]}, {"failures[0]"}, id="a day that never is"),
    pytest.param({"serverSizeBytes": -1}, {"serverSizeBytes"}, id="a negative size"),
    pytest.param({"serverSizeBytes": 1, "growthPerYear": "20%"}, {"growthPerYear"}, id="growth as a text"),
    pytest.param({"growthPerYear": 0.2}, {"serverSizeBytes"}, id="growth without a size"),
    pytest.param({"years": 0, "from": "x", "failures": 7, "policy": 5}, {"policy", "from", "years", "failures"}, id="all at once"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "places"), MISTAKES)
def test_every_mistake_is_told_with_its_place(door: Door, changes: dict[str, Any], places: set[str]) -> None:
    body = {"policy": policy_properties(), "from": "2026-01-05T00:00:00Z", "years": 1, **changes}
    refused = door.send("POST", SIMULATE, body, person="reader")
    assert refused.status == 400
    assert {detail["target"] for detail in refused.error["details"]} == places
    assert refused.error["additionalInfo"][0]["info"]["recommendedAction"]


def test_a_schedule_with_too_many_slots_is_refused(door: Door) -> None:
    policy = policy_properties(interval="R/2026-01-05T00:00:00Z/PT1H")
    refused = door.send("POST", SIMULATE, {"policy": policy, "from": "2026-01-05T00:00:00Z", "years": 100})
    assert refused.status == 400
    assert "over 100000 slots" in refused.error["message"]
    assert refused.error["target"] == "until"


def test_nobody_without_a_role_simulates(door: Door) -> None:
    body = {"policy": policy_properties(), "from": "2026-01-05T00:00:00Z", "years": 1}
    assert door.send("POST", SIMULATE, body, person="nobody").status == 403
    assert door.send("GET", SIMULATE).status == 405


def test_members_that_are_not_known_are_told(door: Door) -> None:
    policy = {**policy_properties(), "color": "green"}
    for sent in (policy, {"properties": policy}):
        (warning,) = simulated(door, sent, years=1)["warnings"]
        assert (warning["code"], warning["target"]) == ("MemberIgnored", "properties.color")


def test_a_member_that_is_nearly_one_of_the_vaults_own_is_a_mistake(door: Door) -> None:
    policy = {**policy_properties(), "deepVerificaton": {"newestEvery": "P7D"}}
    for sent, target in (
        (policy, "policy.deepVerificaton"),
        ({"properties": policy}, "policy.properties.deepVerificaton"),
    ):
        body = {"policy": sent, "from": "2026-01-05T00:00:00Z", "years": 1}
        refused = door.send("POST", SIMULATE, body, person="reader")
        assert (refused.status, [detail["target"] for detail in refused.error["details"]]) == (400, [target])
