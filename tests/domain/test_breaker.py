"""The breaker: which plans stop retention until a person has looked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.breaker import (
    ANNOUNCE_FOR,
    LONGEST_PAUSE,
    EarlierPlan,
    PointKey,
    Trip,
    find_announced,
    find_trips,
    read_doomed,
    read_earlier,
    read_known,
)
from flexvault.domain.retention import Decision, PointFacts, Reason, Regime, judge
from flexvault.domain.stored_plan import PlanParts, build_plan

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YESTERDAY = EarlierPlan(as_of=NOW - DAY, expiries={})


def make_points(expired: int, kept: int, instance: str = "i", **changes: Any) -> list[PointFacts]:
    """Daily points, the newest of yesterday; the oldest ones have expired."""
    return [
        PointFacts(
            instance=instance,
            point_id=f"{instance}{number}",
            chain="c",
            recovery_point_time=NOW - DAY * (expired + kept - number),
            expiry_time=NOW - DAY if number < expired else NOW + DAY * 30,
            manifest_hash="h",
            **(changes if number < expired else {}),
        )
        for number in range(expired + kept)
    ]


def trips_of(
    points: Sequence[PointFacts], earlier: EarlierPlan | None = YESTERDAY, as_of: datetime = NOW, **allowed: Any
) -> tuple[Trip, ...]:
    return find_trips(judge(points, as_of), as_of, earlier, **allowed)


def codes(*args: Any, **allowed: Any) -> list[str]:
    return [trip.code for trip in trips_of(*args, **allowed)]


def keys(points: Sequence[PointFacts]) -> set[PointKey]:
    return {(point.instance, point.point_id) for point in points}


@pytest.mark.parametrize(
    ("expired", "kept", "expected"),
    [
        pytest.param(0, 5, [], id="nothing goes"),
        pytest.param(3, 1, [], id="three points are never too many, not even of four"),
        pytest.param(4, 16, [], id="four of twenty are exactly 20 %"),
        pytest.param(4, 15, ["TooManyDeletions"], id="four of nineteen are over 20 %"),
        pytest.param(20, 80, [], id="twenty of a hundred are exactly 20 %"),
        pytest.param(21, 79, ["TooManyDeletions"], id="twenty-one of a hundred are over 20 %"),
    ],
)
def test_over_20_percent_and_over_3_points_that_nobody_announced_are_too_many(
    expired: int, kept: int, expected: list[str]
):
    assert codes(make_points(expired, kept)) == expected


def test_points_are_counted_by_instance():
    two = [*make_points(3, 3, "a"), *make_points(3, 3, "b")]
    assert codes(two) == []
    (trip,) = trips_of([*make_points(4, 3, "a"), *make_points(0, 90, "b")])
    assert (trip.instance, trip.message) == (
        "a",
        "4 of 7 recovery points would be deleted that no earlier plan announced",
    )


def test_what_was_announced_is_not_counted():
    points = make_points(10, 3)
    assert codes(points, replace(YESTERDAY, announced=keys(points[:10]))) == []
    assert codes(points, replace(YESTERDAY, announced=keys(points[:7]))) == []
    assert codes(points, replace(YESTERDAY, announced=keys(points[:6]))) == ["TooManyDeletions"]


def test_what_was_released_does_not_trip_again():
    points = make_points(10, 3)
    assert codes(points, released=keys(points[:10])) == []
    assert codes(points, released=keys(points[:6])) == ["TooManyDeletions"]


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        pytest.param({"holds": ("case-7",)}, Decision.BLOCKED, id="held"),
        pytest.param({"regime": Regime.FOREVER}, Decision.KEEP, id="kept for ever"),
    ],
)
def test_what_is_not_deleted_does_not_count(changes: dict[str, Any], decision: Decision):
    points = make_points(10, 3, **changes)
    assert {verdict.decision for verdict in judge(points, NOW)[:10]} == {decision}
    assert codes(points) == []


def test_an_approved_deletion_of_data_does_not_count():
    points = [replace(point, regime=Regime.DELETE) for point in make_points(10, 3)]
    assert {verdict.decision for verdict in judge(points, NOW)} == {Decision.EXPIRE}
    assert codes(points) == []
    assert codes([*points, *make_points(4, 3, "j")]) == ["TooManyDeletions"]


def moved_from(points: Sequence[PointFacts], earlier: timedelta) -> EarlierPlan:
    return replace(YESTERDAY, expiries=dict.fromkeys(keys(points), NOW - DAY + earlier), announced=keys(points))


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        pytest.param(timedelta(0), [], id="the expiry is what it was"),
        pytest.param(timedelta(microseconds=1), ["ExpiryMovedEarlier"], id="it moved earlier, by however little"),
        pytest.param(-DAY, [], id="it moved later"),
    ],
)
def test_one_point_whose_expiry_moved_earlier_trips(earlier: timedelta, expected: list[str]):
    points = make_points(1, 90)
    assert codes(points, moved_from(points[:1], earlier)) == expected


def test_an_expiry_that_an_approved_reevaluation_moved_does_not_trip():
    points = make_points(2, 90)
    assert codes(points, moved_from(points[:2], DAY), regraded=keys(points[:2])) == []
    (trip,) = trips_of(points, moved_from(points[:2], DAY), regraded=keys(points[:1]))
    assert trip.message.startswith("1 recovery point(s) would be deleted whose expiry moved")


def test_an_expiry_that_moved_earlier_but_has_not_passed_waits():
    points = make_points(0, 10)
    moved = replace(YESTERDAY, expiries=dict.fromkeys(keys(points), NOW + 300 * DAY))
    assert codes(points, moved) == []


def test_regraded_points_count_as_unannounced_like_all():
    points = make_points(10, 3)
    assert codes(points, regraded=keys(points)) == ["TooManyDeletions"]


def test_both_reasons_are_told():
    points = make_points(10, 3)
    assert codes(points, replace(moved_from(points[:10], DAY), announced=())) == [
        "ExpiryMovedEarlier",
        "TooManyDeletions",
    ]


@pytest.mark.parametrize(
    ("expired", "expected"),
    [pytest.param(3, [], id="three"), pytest.param(4, ["TooManyDeletions"], id="four")],
)
def test_a_first_plan_ever_has_nothing_that_announced_it(expired: int, expected: list[str]):
    assert codes(make_points(expired, 3), None) == expected


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        pytest.param(LONGEST_PAUSE, [], id="31 days"),
        pytest.param(LONGEST_PAUSE + timedelta(microseconds=1), ["PlansPaused"], id="over 31 days"),
    ],
)
@pytest.mark.parametrize("is_first", [False, True], ids=["since a plan", "since the newest point, before any plan"])
def test_a_pause_of_over_31_days_trips_where_anything_would_go(pause: timedelta, expected: list[str], is_first: bool):
    points = make_points(1, 90)
    as_of = points[-1].recovery_point_time + pause
    earlier = None if is_first else EarlierPlan(as_of=as_of - pause, announced=keys(points), expiries={})
    kept = [replace(point, expiry_time=as_of + DAY) if point is not points[0] else point for point in points]
    assert codes(kept, earlier, as_of) == expected
    nothing_goes = [replace(point, expiry_time=as_of + DAY) for point in points]
    assert codes(nothing_goes, earlier, as_of) == []


# What a plan announces, as it is stored ------------------------------------------------------------------------------


def stored(points: Sequence[PointFacts], as_of: datetime = NOW, trips: tuple[Trip, ...] = ()) -> Mapping[str, Any]:
    return build_plan(PlanParts(as_of=as_of, verdicts=judge(points, as_of), trips=trips, damaged={}, standing={}))


@pytest.mark.parametrize(
    ("due_in", "changes", "is_announced"),
    [
        pytest.param(timedelta(seconds=1), {}, True, id="what falls due next"),
        pytest.param(ANNOUNCE_FOR, {}, True, id="what falls due until the next two plans"),
        pytest.param(ANNOUNCE_FOR + timedelta(seconds=1), {}, False, id="not what falls due later"),
        pytest.param(-DAY, {"holds": ("case-7",)}, True, id="what has expired and is held"),
        pytest.param(
            -DAY, {"regime": Regime.FOREVER}, True, id="what is retained for ever and goes when protection is resumed"
        ),
        pytest.param(-DAY, {}, False, id="not what goes at once: that is the plan itself"),
    ],
)
def test_a_plan_announces(due_in: timedelta, changes: dict[str, Any], is_announced: bool):
    old, *others = make_points(1, 3)
    point = replace(old, expiry_time=NOW + due_in, **changes)
    announced = find_announced(judge([point, *others], NOW), NOW)
    assert (point in announced) is is_announced


def test_the_newest_point_that_has_expired_is_announced_for_it_goes_when_another_comes():
    (point,) = make_points(1, 0)
    assert find_announced(judge([point], NOW), NOW) == [point]


def test_a_plan_that_tripped_announces_nothing():
    due_soon = [replace(point, expiry_time=NOW + DAY) for point in make_points(0, 5)]
    trip = Trip(code="TooManyDeletions", instance="i", message="m")
    assert len(stored(due_soon)["announced"]) == 5
    tripped = stored(due_soon, trips=(trip,))
    assert (tripped["announced"], tripped["trips"]) == ([], [{"code": trip.code, "instance": "i", "message": "m"}])


def test_a_stored_plan_tells_what_it_announced_what_it_would_delete_and_every_expiry():
    points = make_points(2, 3)
    points[2] = replace(points[2], expiry_time=NOW + DAY)
    plan = stored(points)
    earlier = read_earlier(plan)
    assert earlier.as_of == NOW
    assert set(earlier.announced) == keys(points[:3])
    assert earlier.expiries == {(point.instance, point.point_id): point.expiry_time for point in points}
    assert read_doomed(plan) == keys(points[:2])


def test_a_release_allows_what_the_plan_would_delete_and_what_has_expired_since():
    points = make_points(2, 3)
    points[2] = replace(points[2], expiry_time=NOW + DAY)
    assert read_known(stored(points), NOW) == keys(points[:2])
    assert read_known(stored(points), NOW + DAY) == keys(points[:3])


def test_a_release_does_not_allow_what_the_plan_kept_for_ever():
    """Protection may be resumed after the release: nobody was told then that this point would go."""
    points = make_points(2, 3)
    points[0] = replace(points[0], regime=Regime.FOREVER)
    assert read_known(stored(points), NOW) == keys(points[1:2])


def test_daily_plans_that_follow_each_other_never_trip_by_retention_alone():
    """A hundred points that expire on one day were announced the day before."""
    points = [replace(point, expiry_time=NOW) for point in make_points(0, 100)]
    newest = replace(points[-1], point_id="newest", recovery_point_time=NOW, expiry_time=NOW + 30 * DAY)
    before = read_earlier(stored([*points, newest], NOW - DAY))
    assert len(trips_of([*points, newest], before)) == 0
    assert len(trips_of([*points, newest], None)) == 1


# A clock that jumps --------------------------------------------------------------------------------------------------

ages = st.integers(0, 4000)
facts = st.builds(
    lambda instance, number, age, kept, chain, regime, good: PointFacts(
        instance=instance,
        point_id=f"{number:032x}",
        chain=chain,
        recovery_point_time=NOW - DAY * age,
        expiry_time=NOW - DAY * age + DAY * kept,
        manifest_hash="h",
        regime=regime,
        is_good=good,
    ),
    st.sampled_from("ab"),
    st.integers(0, 2**64),
    ages,
    st.integers(7, 3660),
    st.sampled_from("cd"),
    st.sampled_from([Regime.POLICY, Regime.POLICY, Regime.FOREVER]),
    st.booleans(),
)
many = st.lists(facts, max_size=40, unique_by=lambda point: (point.instance, point.point_id))


@settings(max_examples=100)
@given(points=many, years=st.integers(1, 900), has_plan=st.booleans())
def test_a_clock_years_ahead_deletes_nothing(points: list[PointFacts], years: int, has_plan: bool):
    """A plan of a moment years later trips or expires nothing, with or without an earlier plan of the true time."""
    earlier = read_earlier(stored(points)) if has_plan else None
    later = NOW + timedelta(days=366 * years)
    verdicts = judge(points, later)
    goes = [verdict for verdict in verdicts if verdict.decision is Decision.EXPIRE]
    trips = find_trips(verdicts, later, earlier)
    assert trips or not goes
    assert {trip.code for trip in trips} <= {"PlansPaused"}


@settings(max_examples=100)
@given(points=many, back=st.integers(0, 4000))
def test_a_clock_that_goes_back_dooms_nothing_new(points: list[PointFacts], back: int):
    def doomed(as_of: datetime) -> set[str]:
        return {one.point.point_id for one in judge(points, as_of) if one.decision is Decision.EXPIRE}

    assert doomed(NOW - DAY * back) <= doomed(NOW)


@settings(max_examples=100)
@given(points=many)
def test_whatever_trips_an_approved_deletion_goes_through(points: list[PointFacts]):
    approved = [replace(point, regime=Regime.DELETE) for point in points]
    verdicts = judge(approved, NOW)
    assert all(verdict.reasons == (Reason.DATA_DELETION_APPROVED,) for verdict in verdicts)
    assert find_trips(verdicts, NOW, None) == ()
