"""When backups are due: repeating intervals that recur at their start's wall time in the policy's zone."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from heapq import merge
from itertools import pairwise

from flexvault.domain import names
from flexvault.domain.errors import InvalidInputError

_START = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})?"
_INTERVAL = re.compile(rf"R/(?P<start>{_START})/(?P<length>P\S*)", re.ASCII)
_LENGTH = re.compile(r"P(?:(?P<days>\d{1,2})D|(?P<weeks>\d{1,2})W|T(?P<hours>\d{1,2})H)", re.ASCII)
_CALENDAR_LENGTH = re.compile(r"P\d+[MY]", re.ASCII)
_YEARS = range(1970, 3000)
"""Of an anchor: at the ends of the calendar a change of zone leaves it."""
TICK = timedelta(microseconds=1)
"""The shortest time: slots are looked for behind a moment, so one at it lies a tick behind the tick before."""
_LOOKED_AT = timedelta(days=400)
"""How far gaps between slots are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A repeating interval: an anchor, and after how many days or hours it recurs."""

    anchor: datetime
    """Aware; the first due moment."""
    every_days: int = 0
    """Recurs at the anchor's local wall time; 0 for an interval of hours."""
    every_hours: int = 0
    """Recurs after so many elapsed hours; 0 for an interval of days."""

    @property
    def length(self) -> timedelta:
        """Answer after how long it recurs, but for changes of the clocks."""
        return timedelta(days=self.every_days, hours=self.every_hours)


def parse_interval(text: object) -> Interval:
    """Read `R/2024-05-06T02:00:00+00:00/P1D`.

    Raises:
        InvalidInputError: It is no interval, or one that a schedule cannot have.
    """
    match = _INTERVAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _no_interval(
            f"'{text}' is no repeating interval: expected R/START/LENGTH, such as R/2024-05-06T02:00:00+00:00/P1D; "
            "the start has the form YYYY-MM-DDThh:mm[:ss[.fff]] with Z or an offset"
        )
    length = _LENGTH.fullmatch(match["length"])
    if length is None:
        raise _no_interval(_explain_length(str(text), match["length"]))
    days = int(length["days"] or 0) + 7 * int(length["weeks"] or 0)
    interval = Interval(anchor=_read_anchor(match["start"]), every_days=days, every_hours=int(length["hours"] or 0))
    if not interval.length:
        raise _no_interval(f"'{text}' recurs after no time at all; hint: use P1D or P1W")
    return interval


def _read_anchor(start: str) -> datetime:
    try:
        anchor = datetime.fromisoformat(start)
    except ValueError:
        raise _no_interval(f"'{start}' is no date and time") from None
    if anchor.year not in _YEARS:
        raise _no_interval(f"'{start}' is outside of the years {_YEARS[0]} to {_YEARS[-1]}")
    return anchor if anchor.tzinfo is not None else anchor.replace(tzinfo=UTC)


def _explain_length(text: str, length: str) -> str:
    if _CALENDAR_LENGTH.fullmatch(length):
        return (
            f"'{text}' recurs by months or years, which a schedule cannot; back up daily, and give the day of the "
            "month or year a tag of its own (daysOfMonth, monthsOfYear, FirstOfMonth, FirstOfYear)"
        )
    return f"'{text}' recurs after '{length}': use P1D to P99D, P1W to P99W or PT1H to PT99H"


def _no_interval(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="BMSUserErrorDPPBackupPolicyBackupFrequencyNotMatchingRule")


def iterate_slots(intervals: Iterable[Interval], zone: tzinfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Answer the due moments in (after, until] one by one, in order, each once, in UTC."""
    last: datetime | None = None
    for moment in merge(*(_due(interval, zone, after, until) for interval in set(intervals))):
        if moment != last:
            yield moment
        last = moment


def due_slots(intervals: Iterable[Interval], zone: tzinfo, after: datetime, until: datetime) -> Sequence[datetime]:
    """Answer the due moments in (after, until], in order, each once, in UTC."""
    return list(iterate_slots(intervals, zone, after, until))


def next_slot(intervals: Iterable[Interval], zone: tzinfo, after: datetime) -> datetime | None:
    """Answer the first due moment after a moment."""
    intervals = tuple(intervals)
    if not intervals:
        return None
    longest = max(interval.length for interval in intervals)
    newest_anchor = max(interval.anchor for interval in intervals)
    horizon = max(after, newest_anchor) + longest + timedelta(days=2)
    return next(iterate_slots(intervals, zone, after, horizon), None)


def gaps_between_slots(
    intervals: Iterable[Interval], zone: tzinfo, since: datetime | None = None
) -> tuple[timedelta, timedelta]:
    """Answer the shortest and the longest time from one slot to the next.

    Args:
        intervals: At least one.
        zone: The policy's.
        since: From when on slots are looked at; otherwise from when every interval has begun.
    """
    intervals = tuple(intervals)
    begin = (since or max(interval.anchor for interval in intervals)).astimezone(UTC)
    span = max(_LOOKED_AT, 3 * max(interval.length for interval in intervals))
    gaps = [later - earlier for earlier, later in pairwise(iterate_slots(intervals, zone, begin - TICK, begin + span))]
    return (min(gaps), max(gaps)) if gaps else (span, span)


def spread_offset(instance: str, window: timedelta, gap: timedelta) -> timedelta:
    """Answer how long after its slot an instance's backup begins, so that a fleet does not begin at one moment.

    The same instance always has the same offset; it is at most a quarter of the gap to the next slot, so that there
    is time left for further attempts.

    Args:
        instance: 32 hex digits.
        window: Over how long the fleet is spread; zero for not at all.
        gap: To the next slot.
    """
    share = int(names.sha256_hex(f"spread|{instance}".encode())[:8], 16) / 0x1_0000_0000
    return timedelta(seconds=int(min(window, gap / 4).total_seconds() * share))


def instant_of(wall: datetime, zone: tzinfo) -> datetime:
    """Answer the first instant of a wall time; one that a gap swallows becomes the first instant after the gap."""
    early = wall.replace(tzinfo=zone, fold=0)
    instant = early.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # In a gap fold 0 uses the offset before it and fold 1 the one after it: their difference is the gap's length.
    late = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    gap = abs(instant - late)
    low, high = min(instant, late) - gap, max(instant, late)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def _due(interval: Interval, zone: tzinfo, after: datetime, until: datetime) -> Iterator[datetime]:
    anchor, step = interval.anchor.astimezone(UTC), interval.length
    if anchor > until:
        return
    if anchor > after:
        # The instant itself: of a wall time that occurs twice it may be the second.
        yield anchor
    # One step earlier than reckoned: the clocks may have moved a slot.
    passed = max(1, (after - anchor) // step - 1)
    if interval.every_hours:
        moment = anchor + passed * step
        while moment <= until:
            if moment > after:
                yield moment
            moment += step
        return
    wall = anchor.astimezone(zone).replace(tzinfo=None, fold=0) + passed * step
    while (moment := instant_of(wall, zone)) <= until:
        if moment > after:
            yield moment
        wall += step
