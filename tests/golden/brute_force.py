"""What a policy does from day to day, worked out from docs/policies.md alone and as plainly as can be.

No line of the vault is used, so that the engine and this can only agree by both being right. Steps name the decision that
they follow by its constant. All instants are naive datetimes in UTC until the answer is made.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from tests.golden.clocks import Stretches, find_zone, instant_of, stretches, wall_time
from tests.golden.days import ALL_DAYS, CALENDAR, INDEX, MONTHS, Day, month_length, months_later

type Json = Mapping[str, Any]

_INTERVAL = re.compile(r"R/(?P<start>[^/]+)/P(?:(?P<days>\d+)D|(?P<weeks>\d+)W|T(?P<hours>\d+)H)")
_DURATION = re.compile(r"P(?:(?P<Y>\d+)Y)?(?:(?P<M>\d+)M)?(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?")
_PERIODS = {
    "FirstOfDay": lambda day: day,
    "FirstOfWeek": lambda day: CALENDAR[day].week,
    "FirstOfMonth": lambda day: (day.year, day.month),
    "FirstOfYear": lambda day: day.year,
}
_WEEKS = {"First": range(1, 8), "Second": range(8, 15), "Third": range(15, 22), "Fourth": range(22, 29)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A recovery point: all tags that match in the order of their priority, the one that it has, and its two ends."""

    time: datetime
    tags: tuple[str, ...]
    tag: str
    expiry: datetime
    deleted_at: datetime | None


class Slot(NamedTuple):
    """A due moment. MOVED_SLOT_IS_JUDGED_WHERE_IT_RUNS: day and clock are what the zone shows at that instant."""

    instant: datetime
    day: Day
    clock: time


class Tag(NamedTuple):
    """A tagging criterion with the duration of the retention rule of its name. Tags sort as they win."""

    priority: int
    is_default: bool
    position: int
    name: str
    duration: str
    criteria: Sequence[Json]


def list_points(
    properties: Json, begin: datetime, end: datetime, failures: frozenset[date] = frozenset()
) -> list[Point]:
    """Answer every point that is created in `[begin, end)`, in order; one that is deleted later is not yet deleted.

    SIMULATION_RUNS_SINCE_THE_ANCHOR: all successes since the anchors are worked out, and those before `begin` are left
    out at the very end. `failures` are local dates on which every slot failed.
    """
    begin, end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (begin, end))
    trigger = _rules(properties, "AzureBackupRule")[0]["trigger"]
    zone = trigger["schedule"].get("timeZone") or None
    failed = {Day(one.year, one.month, one.day) for one in failures}
    successes = [slot for slot in _slots(trigger["schedule"], zone, end) if slot.day not in failed]
    firsts = _firsts(successes)
    tags = _tags(trigger["taggingCriteria"], _rules(properties, "AzureRetentionRule"))
    points: list[Point] = []
    for index, slot in enumerate(successes):
        matching = [tag for tag in tags if tag.is_default or _matches_any(tag.criteria, slot, firsts, zone)]
        expiry = add(slot.instant, matching[0].duration)
        following = successes[index + 1].instant if index + 1 < len(successes) else None
        if slot.instant >= begin:
            points.append(
                Point(
                    time=slot.instant.replace(tzinfo=UTC),
                    tags=tuple(tag.name for tag in matching),
                    tag=matching[0].name,  # ONE_TAG_PER_POINT
                    expiry=expiry.replace(tzinfo=UTC),
                    deleted_at=_deleted_at(expiry, following, end),
                )
            )
    return points


def _deleted_at(expiry: datetime, following: datetime | None, end: datetime) -> datetime | None:
    """The newest point is never deleted: one that has expired waits for the point that follows it."""
    if following is None:
        return None
    gone = max(expiry, following)
    return gone.replace(tzinfo=UTC) if gone < end else None


def _rules(properties: Json, object_type: str) -> list[Json]:
    return [rule for rule in properties["policyRules"] if rule["objectType"] == object_type]


# --- The schedule ----------------------------------------------------------------------------------------------------


def _slots(schedule: Json, zone: str | None, end: datetime) -> list[Slot]:
    """ONE_INSTANT_IS_ONE_SLOT: the instants of all intervals are thrown into one set."""
    instants: set[datetime] = set()
    for text in schedule["repeatingTimeIntervals"]:
        parts = _INTERVAL.fullmatch(text)
        assert parts, text
        anchor = read_instant(parts["start"])
        seen = stretches(zone, min(anchor, end).year - 1, end.year + 1)
        if parts["hours"]:
            due = _every_hours(anchor, int(parts["hours"]), end)
        else:
            due = _every_days(anchor, int(parts["days"] or 7 * int(parts["weeks"])), seen, end)
        instants.update(instant for instant in due if instant < end)
    return [_slot(instant, zone) for instant in sorted(instants)]


def read_instant(text: str) -> datetime:
    """Answer the UTC instant of a time; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _every_hours(anchor: datetime, hours: int, end: datetime) -> Iterator[datetime]:
    """HOURS_ARE_ELAPSED: no clock is asked."""
    while anchor < end:
        yield anchor
        anchor += timedelta(hours=hours)


def _every_days(anchor: datetime, days: int, seen: Stretches, end: datetime) -> Iterator[datetime]:
    """FIRST_SLOT_IS_THE_ANCHOR: the instant itself, then its wall time on each n-th of the days that follow.

    The days are those of the calendar, also one that a zone never had.
    """
    if anchor >= end:
        return
    yield anchor
    wall = wall_time(seen, anchor)
    first = INDEX[_day(wall)]
    for passed, day in enumerate(ALL_DAYS[first + 1 :], start=1):
        due = datetime.combine(date(*day), wall.time())
        if due > end + timedelta(days=2):
            return
        if passed % days == 0:
            yield instant_of(seen, due)


def _slot(instant: datetime, zone: str | None) -> Slot:
    """MOVED_SLOT_IS_JUDGED_WHERE_IT_RUNS."""
    wall = wall_time(stretches(zone, instant.year - 1, instant.year + 1), instant)
    return Slot(instant, _day(wall), wall.time())


def _day(wall: datetime) -> Day:
    return Day(wall.year, wall.month, wall.day)


# --- The tags --------------------------------------------------------------------------------------------------------


def _firsts(successes: Sequence[Slot]) -> dict[str, set[datetime]]:
    """FIRST_COUNTS_ANY_POLICY: group all successes by period; the earliest of a group is its first."""
    found: dict[str, set[datetime]] = {}
    for name, period_of in _PERIODS.items():
        groups: dict[Any, list[datetime]] = {}
        for slot in successes:
            groups.setdefault(period_of(slot.day), []).append(slot.instant)
        found[name] = {min(group) for group in groups.values()}
    return found


def _tags(criteria: Sequence[Json], rules: Sequence[Json]) -> list[Tag]:
    """The smallest priority first; of equal ones the first in the list, the default tag last."""
    durations = {rule["name"].lower(): rule["lifecycles"][0]["deleteAfter"]["duration"] for rule in rules}
    return sorted(
        Tag(
            priority=criterion["taggingPriority"],
            is_default=bool(criterion["isDefault"]),
            position=position,
            name=criterion["tagInfo"]["tagName"],
            duration=durations[criterion["tagInfo"]["tagName"].lower()],
            criteria=criterion.get("criteria") or (),
        )
        for position, criterion in enumerate(criteria)
    )


def _matches_any(criteria: Sequence[Json], slot: Slot, firsts: Mapping[str, set[datetime]], zone: str | None) -> bool:
    """One of the objects must match."""
    return any(_matches(criterion, slot, firsts, zone) for criterion in criteria)


def _matches(criterion: Json, slot: Slot, firsts: Mapping[str, set[datetime]], zone: str | None) -> bool:
    """MEMBERS_MUST_ALL_MATCH: of each member that is given one value, and that of every such member."""
    day, last = slot.day, month_length(slot.day.year, slot.day.month)
    verdicts: list[bool] = []
    if values := criterion.get("absoluteCriteria"):
        verdicts.append(any(value == "AllBackup" or slot.instant in firsts[value] for value in values))
    if values := criterion.get("daysOfTheWeek"):
        verdicts.append(CALENDAR[day].weekday in values)
    if values := criterion.get("weeksOfTheMonth"):
        weeks = _WEEKS | {"Last": range(last - 6, last + 1)}
        verdicts.append(any(day.number in weeks[value] for value in values))
    if values := criterion.get("monthsOfYear"):
        verdicts.append(MONTHS[day.month - 1] in values)
    if values := criterion.get("daysOfMonth"):
        verdicts.append(any(day.number == (last if value.get("isLast") else value["date"]) for value in values))
    if values := criterion.get("scheduleTimes"):
        clocks = [_clock_of(value, zone) for value in values]
        verdicts.append(any(slot.clock == clock or _is_swallowed(clock, slot, zone) for clock in clocks))
    return all(verdicts)


def _clock_of(text: str, zone: str | None) -> time:
    """The time of day that an instant has in the zone on its own date."""
    return read_instant(text).replace(tzinfo=UTC).astimezone(find_zone(zone)).time()


def _is_swallowed(clock: time, slot: Slot, zone: str | None) -> bool:
    """SCHEDULE_TIMES_ARE_WHAT_THE_CLOCK_SHOWS: a time of the slot's day that a gap took is the gap's end."""
    wall = datetime.combine(date(slot.day.year, slot.day.month, slot.day.number), clock)
    seen = stretches(zone, slot.instant.year - 1, slot.instant.year + 1)
    return any(
        later.begin == slot.instant and earlier.end + earlier.offset <= wall < later.begin + later.offset
        for earlier, later in pairwise(seen)
    )


# --- The end ---------------------------------------------------------------------------------------------------------


def add(instant: datetime, duration: str) -> datetime:
    """EXPIRY_ZONE: years and months on the UTC calendar, clipped to the month's end, and then weeks and days."""
    parts = _DURATION.fullmatch(duration)
    assert parts, duration
    years, months, weeks, days = (int(parts[unit] or 0) for unit in "YMWD")
    later = months_later(_day(instant), 12 * years + months)
    return datetime.combine(date(*later), instant.time()) + timedelta(days=7 * weeks + days)
