"""Existing points under another policy: a table of what becomes of a tag, and promises as properties."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain import names
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.reevaluation import Regrade, regrade
from flexvault.domain.schedule import due_slots
from flexvault.domain.tagging import Because, Occasion, match_tags
from tests.builders import policy_properties
from tests.domain.strategies import zones

INSTANCE, CHAIN = "i" * 32, "c"
SUNDAY = datetime(2026, 2, 1, 2, tzinfo=UTC)


def policy_of(
    *criteria: tuple[str, dict[str, Any]],
    interval: str = "R/2026-01-05T02:00:00+00:00/P1D",
    zone: str = "UTC",
    **kept: str,
) -> Policy:
    """A policy with tags by priority, and how long each rule keeps."""
    properties: Any = policy_properties(interval, kept.get("Default", "P7D"), zone)
    backup, default = properties["policyRules"]
    tags = [
        {"isDefault": False, "taggingPriority": number, "tagInfo": {"tagName": tag}, "criteria": [criterion]}
        for number, (tag, criterion) in enumerate(criteria, start=1)
    ]
    backup["trigger"]["taggingCriteria"] = [*tags, *backup["trigger"]["taggingCriteria"]]
    for name, duration in kept.items():
        if name != "Default":
            lifecycle = default["lifecycles"][0]
            after = {**lifecycle["deleteAfter"], "duration": duration}
            rule = {**default, "name": name, "isDefault": False, "lifecycles": [{**lifecycle, "deleteAfter": after}]}
            properties["policyRules"].append(rule)
    return parse_policy(properties)


def first_of(period: str) -> dict[str, Any]:
    return {"objectType": "ScheduleBasedBackupCriteria", "absoluteCriteria": [f"FirstOf{period}"]}


def at(*times: str) -> dict[str, Any]:
    return {"objectType": "ScheduleBasedBackupCriteria", "scheduleTimes": list(times)}


PLAIN = policy_of()
MONTHLY = policy_of(("Monthly", first_of("Month")), Monthly="P1Y")


def point_at(time: datetime, **changes: Any) -> RecoveryPoint:
    """A scheduled point of a slot, tagged by the default rule for a week."""
    job_id = names.slot_job_id(INSTANCE, time)
    point = RecoveryPoint(
        point_id=names.point_id(job_id),
        instance=INSTANCE,
        job_id=job_id,
        recovery_point_time=time + timedelta(minutes=1),
        expiry_time=time + timedelta(days=7, minutes=1),
        tag="Default",
        policy_name="daily",
        policy_seq=1,
        size_bytes=1,
        manifest_hash="h",
        chain=CHAIN,
        state="sealed",
        readers=0,
        sealed_at=time + timedelta(minutes=30),
        because="Default",
        day=time.date().isoformat(),
        judged_at=time,
    )
    return replace(point, **changes)


def on_demand(time: datetime, tag: str = "Default") -> RecoveryPoint:
    return point_at(time, job_id=names.request_job_id("r", time), judged_at=None, tag=tag, because="OnDemand")


NEXT = point_at(SUNDAY + timedelta(days=1))
LAST_MONTH = point_at(SUNDAY - timedelta(days=1))


@pytest.mark.parametrize(
    ("point", "others", "policy", "tag", "because"),
    [
        pytest.param(NEXT, [], PLAIN, "Default", "Default", id="the default rule"),
        pytest.param(NEXT, [], MONTHLY, "Monthly", "FirstOfMonth", id="the first of all"),
        pytest.param(NEXT, [LAST_MONTH], MONTHLY, "Monthly", "FirstOfMonth", id="the first of its month"),
        pytest.param(NEXT, [point_at(SUNDAY)], MONTHLY, "Default", "Default", id="not the first"),
        pytest.param(
            NEXT, [point_at(SUNDAY, state="deleted")], MONTHLY, "Default", "Default", id="the first was deleted since"
        ),
        pytest.param(NEXT, [point_at(SUNDAY, chain="d")], MONTHLY, "Monthly", "FirstOfMonth", id="another chain"),
        pytest.param(NEXT, [on_demand(SUNDAY)], MONTHLY, "Monthly", "FirstOfMonth", id="one on demand does not count"),
        pytest.param(on_demand(SUNDAY, "monthly"), [], MONTHLY, "Monthly", "OnDemand", id="on demand keeps its tag"),
        pytest.param(on_demand(SUNDAY), [], MONTHLY, "Default", "OnDemand", id="on demand is no first"),
        pytest.param(on_demand(SUNDAY, "Gone"), [], MONTHLY, "Default", "OnDemand", id="the rule of its tag is gone"),
        pytest.param(
            point_at(SUNDAY, judged_at=SUNDAY + timedelta(hours=5)),
            [],
            policy_of(("Night", at("2026-01-01T02:00:00Z")), Night="P1M"),
            "Night",
            "Calendar",
            id="a late one has the time of its slot",
        ),
        pytest.param(
            point_at(SUNDAY, job_id="x", judged_at=SUNDAY),
            [],
            policy_of(("Night", at("2026-01-01T02:00:00Z")), Night="P1M"),
            "Night",
            "Calendar",
            id="a job of another origin was due when it was judged",
        ),
    ],
)
def test_a_point_gets_the_tag_that_it_would_have_got(
    point: RecoveryPoint, others: Sequence[RecoveryPoint], policy: Policy, tag: str, because: str
):
    found = regrade([point, *others], policy)[point.point_id]
    assert (found.tag, found.because) == (tag, because)
    assert found.expiry_time == policy.expiry(tag, point.recovery_point_time)


@pytest.mark.parametrize("state", ["deleting", "deleted"])
def test_a_point_that_is_gone_gets_nothing(state: str):
    assert regrade([point_at(SUNDAY, state=state)], MONTHLY) == {}


def test_a_regrade_is_read_as_it_was_written():
    found = regrade([NEXT], MONTHLY)[NEXT.point_id]
    assert Regrade.from_json(found.to_json()) == found


def test_a_reason_alone_keeps_a_point_the_same_way():
    found = Regrade.of(NEXT)
    assert found.keeps_like(replace(found, because="", day=""))
    assert not found.keeps_like(replace(found, tag="Weekly"))
    assert not found.keeps_like(replace(found, expiry_time=SUNDAY))


# Promises ------------------------------------------------------------------------------------------------------------


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    hours = draw(st.sampled_from(["PT6H", "PT12H", "P1D"]))
    periods = draw(st.lists(st.sampled_from(["Day", "Week", "Month", "Year"]), unique=True, max_size=4))
    tags = [(period, first_of(period)) for period in periods]
    kept = {period: draw(st.sampled_from(["P2W", "P1M", "P1Y"])) for period in periods}
    if draw(st.booleans()):
        tags.append(("Time", at("2026-01-01T02:00:00Z", "2026-01-01T14:00:00Z")))
        kept["Time"] = "P3W"
    return policy_of(*tags, interval=f"R/2026-01-05T02:00:00+00:00/{hours}", zone=draw(zones), **kept)


@st.composite
def lives(draw: st.DrawFn) -> tuple[Policy, list[RecoveryPoint]]:
    """A policy and the points that were taken under it: some slots failed, some ran late, some points are gone."""
    policy = draw(policies())
    begin = datetime(2026, 12, 20, tzinfo=UTC)
    points: list[RecoveryPoint] = []
    last = None
    ran_at = begin
    for slot in due_slots(policy.intervals, policy.zone, begin, begin + timedelta(days=20)):
        fate = draw(st.sampled_from(["failed", "in time", "in time", "late", "deleted"]))
        if fate == "failed":
            continue
        ran_at = max(slot + timedelta(hours=5 if fate == "late" else 0), ran_at + timedelta(minutes=1))
        judged_at = ran_at if ran_at - slot > timedelta(hours=1) else slot
        occasion = Occasion(judged_at=judged_at, slot=slot, last_success_on=last)
        match = match_tags(policy.tags, policy.zone, occasion)[0]
        last = match.day if last is None else max(last, match.day)
        points.append(
            point_at(
                slot,
                state="deleted" if fate == "deleted" else "sealed",
                judged_at=judged_at,
                recovery_point_time=ran_at,
                expiry_time=policy.expiry(match.tag, ran_at),
                tag=match.tag,
                because=match.because.value,
                day=match.day.isoformat(),
            )
        )
    if draw(st.booleans()):
        time = ran_at + timedelta(seconds=1)
        day = time.astimezone(policy.zone).date().isoformat()
        asked = on_demand(time)
        points.append(replace(asked, recovery_point_time=time, expiry_time=policy.expiry("Default", time), day=day))
    return policy, points


@given(life=lives())
def test_the_policy_that_points_were_taken_under_gives_them_what_they_have(life: tuple[Policy, list[RecoveryPoint]]):
    policy, points = life
    assert regrade(points, policy) == {point.point_id: Regrade.of(point) for point in points if point.state == "sealed"}


@given(life=lives(), other=policies(), seed=st.integers())
def test_the_order_of_the_points_changes_nothing(life: tuple[Policy, list[RecoveryPoint]], other: Policy, seed: int):
    _, points = life
    mixed = list(points)
    Random(seed).shuffle(mixed)
    assert regrade(mixed, other) == regrade(points, other)


@given(life=lives(), other=policies())
def test_every_tag_has_a_rule_of_the_policy_and_its_expiry(life: tuple[Policy, list[RecoveryPoint]], other: Policy):
    _, points = life
    times = {point.point_id: point.recovery_point_time for point in points}
    for point_id, found in regrade(points, other).items():
        assert found.expiry_time == other.expiry(found.tag, times[point_id])
        assert found.because in {because.value for because in Because}
