"""Policies at random, most of them near a day on which their zone's clocks were changed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.domain.strategies import ZONES
from tests.golden.clocks import instant_of, stretches, wall_time
from tests.golden.days import MONTHS, WEEKDAYS
from tests.golden.writing import policy_json, tag

MORE_ZONES = ("America/Nuuk", "Asia/Gaza", "Atlantic/Azores", "+05:45", "")
"""A gap at the end of a day, four changes a year, a doubled midnight, an offset, and no zone."""
NAMES = ("Yearly", "Monthly", "Weekly", "Daily")
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A policy, and what is asked of it."""

    properties: dict[str, Any]
    begin: datetime
    end: datetime
    failures: frozenset[date]


@st.composite
def pivots(draw: st.DrawFn, zone: str) -> datetime:
    """A moment (naive, UTC) at which the zone's clocks were changed in some year, or any one."""
    year = draw(st.integers(2006, 2030))
    changes = [one.begin for one in stretches(zone, year, year)[1:]]
    anywhere = datetime.combine(date(year, 1, 1), datetime.min.time()) + draw(st.integers(0, 365 * 96)) * 15 * _MINUTE
    return draw(st.sampled_from([*changes, anywhere]))


@st.composite
def anchors(draw: st.DrawFn, zone: str, pivot: datetime) -> datetime:
    """A moment up to 200 days before the pivot or 10 after it, mostly at a wall time near the pivot's own."""
    days = draw(st.integers(-10, 200) | st.integers(0, 20).map(lambda weeks: 7 * weeks))
    near = pivot + draw(st.integers(-10, 10)) * 15 * _MINUTE
    if draw(st.booleans()):
        return near - days * _DAY
    seen = stretches(zone, pivot.year - 2, pivot.year + 2)
    wall = wall_time(seen, near) if draw(st.booleans()) else wall_time(seen, pivot - _MINUTE) + 30 * _MINUTE
    return instant_of(seen, wall - days * _DAY)


@st.composite
def intervals(draw: st.DrawFn, zone: str, pivot: datetime) -> str:
    """An interval in one of the notations of a time."""
    anchor = draw(anchors(zone, pivot)).replace(tzinfo=UTC)
    duration = draw(
        st.sampled_from(["P1D", "P1D", "P1W", "P1W", "P2D", "P3D", "P45D", "PT1H", "PT5H", "PT12H", "PT99H"])
    )
    ahead = timezone(timedelta(minutes=draw(st.sampled_from([0, 60, -300, 345, 840]))))
    texts = [
        f"{anchor:%Y-%m-%dT%H:%M:%S}Z",
        f"{anchor:%Y-%m-%dT%H:%M:%S}",
        f"{anchor:%Y-%m-%dT%H:%M}Z",
        anchor.astimezone(ahead).isoformat(timespec="milliseconds"),
    ]
    return f"R/{draw(st.sampled_from(texts))}/{duration}"


def _some(*values: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique_by=str)


def _criteria(times: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    members: dict[str, st.SearchStrategy[Any]] = {
        "absoluteCriteria": _some("AllBackup", "FirstOfDay", "FirstOfWeek", "FirstOfMonth", "FirstOfYear"),
        "daysOfTheWeek": _some(*WEEKDAYS),
        "weeksOfTheMonth": _some("First", "Second", "Third", "Fourth", "Last"),
        "monthsOfYear": _some(*MONTHS),
        "daysOfMonth": st.lists(
            st.builds(lambda number: {"date": number}, st.integers(1, 31))
            | st.sampled_from([{"isLast": True}, {"date": 3, "isLast": True}, {"date": 29, "isLast": False}]),
            min_size=1,
            max_size=5,
        ),
        "scheduleTimes": _some(*times),
    }
    empty = st.sampled_from([{}, {"daysOfTheWeek": None}, {"monthsOfYear": []}])
    chosen = st.lists(st.sampled_from([*members, "absoluteCriteria"]), min_size=1, max_size=3, unique=True)
    given = chosen.flatmap(lambda names: st.fixed_dictionaries({name: members[name] for name in names}))
    return st.builds(lambda more, found: {**more, **found}, empty, given)


DURATIONS = st.sampled_from(["P7D", "P12D", "P5W", "P1M", "P13M", "P1Y", "P1M10D", "P1Y1M1D", "P400D"])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A policy with a window of some months around the pivot and some days that fail."""
    zone = draw(st.sampled_from([*ZONES, *MORE_ZONES]))
    pivot = draw(pivots(zone))
    schedule = draw(st.lists(intervals(zone, pivot), min_size=1, max_size=3, unique=True))
    times = [text.split("/")[1] for text in schedule] + ["2024-07-01T02:00:00Z"]
    names = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
    criteria = st.lists(_criteria(times), min_size=1, max_size=2)
    tags = [tag(name, draw(st.integers(1, 4)), *draw(criteria)) for name in names]
    tags.insert(draw(st.integers(0, len(tags))), tag("Default", draw(st.sampled_from([3, 99])), is_default=True))
    properties = policy_json(zone, schedule, tags, {name: draw(DURATIONS) for name in ["Default", *names]})
    begin = (pivot - draw(st.integers(0, 60 * 1440)) * _MINUTE).replace(tzinfo=UTC)
    end = begin + draw(st.integers(0, 150 * 1440)) * _MINUTE
    failed = draw(st.lists(st.integers(-40, 150), max_size=12))
    failures = frozenset(begin.date() + days * _DAY for days in failed)
    return Case(properties=properties, begin=begin, end=end, failures=failures)
