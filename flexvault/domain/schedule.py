"""When backups are due: repeating intervals that recur at their start's wall time in the policy's zone."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from flexvault.domain.errors import InvalidInputError

_INTERVAL = re.compile(
    r"R/(?P<start>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)/P(?P<count>\d{1,2})(?P<unit>[DW])",
    re.ASCII,
)
_YEARS = range(1970, 3000)
"""Of an anchor: at the ends of the calendar a change of zone leaves it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A repeating interval: an anchor and every how many days it recurs."""

    anchor: datetime
    """Aware; the first due moment."""
    every_days: int


def parse_interval(text: object) -> Interval:
    """Read `R/2024-05-06T02:00:00+00:00/P1D`.

    Raises:
        InvalidInputError: It is no interval, or one that this version does not know.
    """
    match = _INTERVAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _no_interval(
            f"'{text}' is no repeating interval of days or weeks: expected R/2024-05-06T02:00:00+00:00/P1D, "
            "recurring after P1D to P99D or P1W to P99W; hours come with a later version"
        )
    try:
        anchor = datetime.fromisoformat(match["start"])
    except ValueError:
        raise _no_interval(f"'{match['start']}' is no date and time") from None
    if anchor.year not in _YEARS:
        raise _no_interval(f"'{match['start']}' is outside of the years {_YEARS[0]} to {_YEARS[-1]}")
    if anchor.tzinfo is None:
        anchor = anchor.replace(tzinfo=UTC)
    days = int(match["count"]) * (7 if match["unit"] == "W" else 1)
    if days == 0:
        raise _no_interval(f"'{text}' recurs after no time at all; hint: use P1D or P1W")
    return Interval(anchor=anchor, every_days=days)


def _no_interval(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="BMSUserErrorDPPBackupPolicyBackupFrequencyNotMatchingRule")


def due_slots(intervals: Iterable[Interval], zone: tzinfo, after: datetime, until: datetime) -> Sequence[datetime]:
    """Answer the due moments in (after, until], in order, each once, in UTC."""
    moments: set[datetime] = set()
    for interval in intervals:
        local = interval.anchor.astimezone(zone).replace(tzinfo=None)
        passed = max(0, (after - interval.anchor).days // interval.every_days - 1)
        step = timedelta(days=interval.every_days)
        wall = local + passed * step
        while (moment := _instant(wall, zone)) <= until:
            if moment > after and moment >= interval.anchor:
                moments.add(moment)
            wall += step
    return sorted(moments)


def next_slot(intervals: Iterable[Interval], zone: tzinfo, after: datetime) -> datetime | None:
    """Answer the first due moment after a moment."""
    intervals = tuple(intervals)
    if not intervals:
        return None
    longest = max(interval.every_days for interval in intervals)
    newest_anchor = max(interval.anchor for interval in intervals)
    horizon = max(after, newest_anchor) + timedelta(days=longest + 2)
    slots = due_slots(intervals, zone, after, horizon)
    return slots[0] if slots else None


def _instant(wall: datetime, zone: tzinfo) -> datetime:
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
