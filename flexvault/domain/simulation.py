"""What a policy does over years: every point that its schedule would create, its tag, its expiry, its end."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.policy import Policy
from flexvault.domain.schedule import TICK, instant_of, iterate_slots
from flexvault.domain.tagging import Because, Occasion, match_tags

MOST_POINTS = 100_000
_LOOK_BACK = timedelta(days=15)
_YEAR = timedelta(days=365.2425)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPoint:
    """A recovery point that would be created."""

    time: datetime
    """In UTC: the slot."""
    tags: tuple[str, ...]
    """Every tag that matches, by priority."""
    tag: str
    """The one that decides."""
    because: Because
    day: date
    """The local date by which it was tagged."""
    expiry: datetime
    deleted_at: datetime | None
    """When it would be deleted; nothing where that is not before the end, or while it is the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What exists when a month of the policy's zone ends, or the simulation does."""

    name: str
    """Such as 2026-01."""
    count: int
    size_bytes: int


def simulate(
    policy: Policy, begin: datetime, end: datetime, *, failures: Collection[date] = frozenset()
) -> tuple[SimulatedPoint, ...]:
    """Answer every point that would be created in [begin, end), oldest first.

    The schedule ran since its anchor: an earlier backup can have been the first of its period. A point is deleted when
    it has expired and a newer one exists.

    Args:
        policy: The policy.
        begin: Aware.
        end: Aware.
        failures: Dates of the policy's zone on which every backup fails.

    Raises:
        InvalidInputError: The schedule has over MOST_POINTS slots in this time.
    """
    last = _last_success_before(policy, begin, failures)
    created: list[SimulatedPoint] = []
    for slot in _successes(policy, begin, end, failures):
        if len(created) == MOST_POINTS:
            raise InvalidInputError(
                f"the schedule has over {MOST_POINTS} slots between {begin.isoformat()} and {end.isoformat()}",
                target="until",
                hint="simulate a shorter time",
            )
        matches = match_tags(policy.tags, policy.zone, Occasion(judged_at=slot, slot=slot, last_success_on=last))
        chosen = matches[0]
        created.append(
            SimulatedPoint(
                time=slot,
                tags=tuple(match.tag for match in matches),
                tag=chosen.tag,
                because=chosen.because,
                day=chosen.day,
                expiry=policy.expiry(chosen.tag, slot),
                deleted_at=None,
            )
        )
        last = chosen.day if last is None else max(last, chosen.day)
    return tuple(_with_ends(created, end))


def months_of(
    policy: Policy, points: Sequence[SimulatedPoint], begin: datetime, end: datetime, sizes: Sequence[int]
) -> tuple[Month, ...]:
    """Answer what exists at the end of each month, of the points of a simulation.

    Args:
        policy: Its zone is the calendar.
        points: Oldest first.
        begin: Of the simulation.
        end: Of the simulation.
        sizes: Size of each point in bytes.
    """
    created = [point.time for point in points]
    grown = [0, *accumulate(sizes)]
    gone = sorted((point.deleted_at, size) for point, size in zip(points, sizes, strict=True) if point.deleted_at)
    gone_at = [moment for moment, _ in gone]
    shrunk = [0, *accumulate(size for _, size in gone)]
    months: list[Month] = []
    for name, month_end in _month_ends(policy, begin, end):
        there, away = bisect_left(created, month_end), bisect_left(gone_at, month_end)
        months.append(Month(name=name, count=there - away, size_bytes=grown[there] - shrunk[away]))
    return tuple(months)


def grow(
    points: Sequence[SimulatedPoint], begin: datetime, server_size_bytes: int, growth_per_year: float
) -> list[int]:
    """Answer the size of each point of a server that grows evenly from its size at the begin."""
    return [round(server_size_bytes * (1 + growth_per_year) ** ((point.time - begin) / _YEAR)) for point in points]


def _successes(policy: Policy, begin: datetime, end: datetime, failures: Collection[date]) -> Iterator[datetime]:
    for slot in iterate_slots(policy.intervals, policy.zone, begin - TICK, end - TICK):
        if not failures or slot.astimezone(policy.zone).date() not in failures:
            yield slot


def _last_success_before(policy: Policy, begin: datetime, failures: Collection[date]) -> date | None:
    first = min(interval.anchor for interval in policy.intervals)
    back = _LOOK_BACK
    while True:
        since = max(first, begin - back) if begin.toordinal() > back.days else first
        if since >= begin:
            return None
        found = max(
            (slot.astimezone(policy.zone).date() for slot in _successes(policy, since, begin, failures)), default=None
        )
        if found or since == first:
            return found
        back *= 4


def _with_ends(created: Sequence[SimulatedPoint], end: datetime) -> Iterator[SimulatedPoint]:
    for point, follower in pairwise(created):
        deleted_at = max(point.expiry, follower.time)
        yield replace(point, deleted_at=deleted_at) if deleted_at < end else point
    yield from created[-1:]


def _month_ends(policy: Policy, begin: datetime, end: datetime) -> Iterator[tuple[str, datetime]]:
    local = begin.astimezone(policy.zone)
    year, month = local.year, local.month
    while True:
        name = f"{year:04d}-{month:02d}"
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004 - December
        following = instant_of(datetime(year, month, 1), policy.zone)  # noqa: DTZ001 - a wall time
        yield name, min(following, end.astimezone(UTC))
        if following >= end:
            return
