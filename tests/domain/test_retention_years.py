"""Retention over years: judged day by day it comes to what it comes to at once, and a period keeps its one point."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.policy import Policy
from flexvault.domain.retention import Decision, PointFacts, judge
from flexvault.domain.simulation import SimulatedPoint, simulate
from tests.domain.judging import policy_of
from tests.domain.strategies import ZONES
from tests.golden.writing import tag

BEGIN = datetime(2023, 11, 1, tzinfo=UTC)
"""The months after it have a 29 February and the changes of the clocks of a spring."""
DAY = timedelta(days=1)
YEARS = 3652
CRITERIA: Sequence[dict[str, Any]] = (
    {"absoluteCriteria": ["FirstOfWeek"]},
    {"absoluteCriteria": ["FirstOfMonth"]},
    {"absoluteCriteria": ["FirstOfYear"]},
    {"absoluteCriteria": ["FirstOfMonth"], "daysOfTheWeek": ["Monday", "Friday"]},
    {"daysOfMonth": [{"isLast": True}]},
    {"weeksOfTheMonth": ["First", "Last"], "daysOfTheWeek": ["Sunday"]},
    {"monthsOfYear": ["February", "March"]},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A policy, and some days on which every backup fails."""

    policy: Policy
    days: int
    failures: frozenset[date]

    @property
    def end(self) -> datetime:
        return BEGIN + DAY * self.days

    def points(self) -> tuple[SimulatedPoint, ...]:
        return simulate(self.policy, BEGIN, self.end, failures=self.failures)


def runs(days: int) -> st.SearchStrategy[Run]:
    """Policies with up to three tags; single days and whole weeks fail."""
    durations = st.sampled_from(["P7D", "P10D", "P3W", "P1M", "P40D", "P3M", "P1Y", "P3Y"])
    tags = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(CRITERIA), durations), max_size=3)
    starts = st.sampled_from(["R/2023-01-02T00:30:00Z", "R/2023-01-02T13:30:00Z", "R/2023-11-05T23:59:00Z"])
    lengths = st.lists(st.sampled_from(["P1D", "P1D", "P2D", "P1W", "P3W"]), min_size=1, max_size=2, unique=True)
    failing = st.lists(st.tuples(st.integers(0, days), st.sampled_from([1, 1, 8, 40])), max_size=6)

    def build(zone: str, start: str, found: list[str], keep: str, named: list[Any], failed: list[Any]) -> Run:
        rules = [tag(f"Tag{at}", priority, one) for at, (priority, one, _) in enumerate(named)]
        kept = {f"Tag{at}": duration for at, (_, _, duration) in enumerate(named)} | {"Default": keep}
        intervals = [f"{start}/{length}" for length in found]
        policy = policy_of(*rules, zone=zone, intervals=intervals, keep=kept)
        failures = {(BEGIN + DAY * (first + more)).date() for first, count in failed for more in range(count)}
        return Run(policy=policy, days=days, failures=frozenset(failures))

    return st.builds(build, st.sampled_from(ZONES), starts, lengths, durations, tags, failing)


def facts_of(point: SimulatedPoint) -> PointFacts:
    return PointFacts(
        instance="i",
        point_id=point.time.isoformat(),
        chain="c",
        recovery_point_time=point.time,
        expiry_time=point.expiry,
        manifest_hash="h",
        tag=point.tag,
    )


def doomed(points: Sequence[PointFacts], as_of: datetime) -> set[str]:
    return {one.point.point_id for one in judge(points, as_of) if one.decision is Decision.EXPIRE}


def check_steps(run: Run) -> None:
    """Plan, delete and go on, once a day at noon: what goes goes with the first plan that may, and nothing else."""
    points = run.points()
    facts = [facts_of(point) for point in points]
    standing: list[PointFacts] = []
    deleted_at: dict[str, datetime] = {}
    created = 0
    for number in range(run.days):
        noon = BEGIN + DAY * number + DAY / 2
        while created < len(facts) and facts[created].recovery_point_time <= noon:
            standing.append(facts[created])
            created += 1
        gone = doomed(standing, noon)
        deleted_at |= dict.fromkeys(gone, noon)
        standing = [point for point in standing if point.point_id not in gone]
    last_plan = run.end - DAY / 2
    at_once = doomed([point for point in facts if point.recovery_point_time <= last_plan], last_plan)
    assert set(deleted_at) == at_once
    for point in points:
        plan, may_go = deleted_at.get(point.time.isoformat()), point.deleted_at
        if plan is None or may_go is None:
            assert plan is None
            assert may_go is None or may_go > last_plan
        else:
            assert may_go <= plan < may_go + DAY


@settings(max_examples=30, deadline=None)
@given(run=runs(120))
def test_months_judged_day_by_day_come_to_what_they_come_to_at_once(run: Run):
    check_steps(run)


@pytest.mark.long
@settings(max_examples=3000, deadline=None)
@given(run=runs(150))
def test_months_of_many_policies_judged_day_by_day(run: Run):
    check_steps(run)


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(run=runs(YEARS))
def test_ten_years_judged_day_by_day_come_to_what_they_come_to_at_once(run: Run):
    check_steps(run)


# A period keeps its one point ----------------------------------------------------------------------------------------

FIRST_OF_MONTH = tag("Monthly", 1, {"absoluteCriteria": ["FirstOfMonth"]})


def monthly_runs(days: int) -> st.SearchStrategy[Run]:
    """A month's first backup is kept for longer than the others, by a schedule that began with the simulation."""

    def build(interval: str, keep: tuple[str, str], failed: list[tuple[int, int]]) -> Run:
        policy = policy_of(
            FIRST_OF_MONTH, intervals=[interval], keep=dict(zip(("Default", "Monthly"), keep, strict=True))
        )
        failures = {(BEGIN + DAY * (first + more)).date() for first, count in failed for more in range(count)}
        return Run(policy=policy, days=days, failures=frozenset(failures))

    intervals = st.sampled_from([f"R/2023-11-0{day}T02:00:00Z/{length}" for day in (1, 6) for length in ("P1D", "P1W")])
    keeps = st.sampled_from([("P7D", "P3M"), ("P7D", "P1Y"), ("P1M", "P2M"), ("P40D", "P6M")])
    failing = st.lists(st.tuples(st.integers(0, days), st.sampled_from([1, 3, 8, 40, 75])), max_size=8)
    return st.builds(build, intervals, keeps, failing)


def check_only_ones(run: Run) -> None:
    """A new point dooms the last one of a month only where the month's first has outlived its own rule."""
    points = run.points()
    first = {month_of(point.time): point for point in reversed(points)}
    standing: list[PointFacts] = []
    for point in points:
        now = point.time
        before = doomed(standing, now)
        grown = [*standing, facts_of(point)]
        gone = doomed(grown, now)
        left = {month_of(one.recovery_point_time) for one in grown if one.point_id not in gone}
        newly = {month_of(one.recovery_point_time) for one in standing if one.point_id in gone - before}
        assert all(first[month].expiry <= now for month in newly - left)
        standing = [one for one in grown if one.point_id not in gone]
        require_a_point_a_month(points, standing, now)


def month_of(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def require_a_point_a_month(points: Sequence[SimulatedPoint], standing: Sequence[PointFacts], now: datetime) -> None:
    """Every month that had a success still has its first one, until that one's own expiry."""
    first = {month_of(point.time): point for point in reversed(points) if point.time <= now}
    left = {one.recovery_point_time for one in standing}
    assert all(one.time in left for one in first.values() if one.expiry > now)


@settings(max_examples=25, deadline=None)
@given(run=monthly_runs(150))
def test_a_new_point_never_dooms_the_only_one_of_a_month_before_its_time(run: Run):
    check_only_ones(run)


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(run=monthly_runs(500))
def test_a_new_point_never_dooms_the_only_one_of_a_month_before_its_time_in_many_cases(run: Run):
    check_only_ones(run)


@settings(max_examples=25, deadline=None)
@given(run=monthly_runs(150), added=st.integers(0, 149))
def test_a_further_success_takes_a_month_from_no_other_month(run: Run, added: int):
    """One day less fails: the other months' tags stay as they were."""
    healed = replace(run, failures=run.failures - {(BEGIN + DAY * added).date()})
    month = month_of(BEGIN + DAY * added)
    before = {point.time for point in run.points() if point.tag == "Monthly"}
    after = {point.time for point in healed.points() if point.tag == "Monthly"}
    assert {month_of(moment) for moment in before ^ after} <= {month}
