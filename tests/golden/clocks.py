"""What the clocks of a zone show, found by looking at them: hour by hour, and minute by minute where they were changed.

A zone is cut into stretches between two changes. A stretch shows a run of wall times without a break, so a wall time that
occurs twice lies in two stretches, and one that was swallowed lies between two of them.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)


class Stretch(NamedTuple):
    """From `begin` until just before `end` (both naive, in UTC) the clocks are ahead of UTC by `offset`."""

    begin: datetime
    end: datetime
    offset: timedelta

    def shows(self, wall: datetime) -> bool:
        """Say whether a clock shows this wall time during the stretch."""
        return self.begin + self.offset <= wall < self.end + self.offset


type Stretches = Sequence[Stretch]


@cache
def find_zone(name: str | None) -> tzinfo:
    """DEFAULT_ZONE: empty or absent is UTC. The zones are those of the package tzdata, whatever the machine has."""
    if name in {None, "", "Z"}:
        return UTC
    assert name is not None
    if name[0] in "+-":
        hours, minutes = name[1:].split(":")
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-ahead if name[0] == "-" else ahead)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as stored:
        return ZoneInfo.from_file(stored, key=name)


def _offset_at(zone: tzinfo, instant: datetime) -> timedelta:
    offset = instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _new_year(year: int) -> datetime:
    return datetime.combine(date(year, 1, 1), time())


@cache
def _changes_in(name: str | None, year: int) -> tuple[tuple[datetime, timedelta], ...]:
    """Answer each minute of the UTC year at which the clocks were changed, with the offset from then on."""
    zone, found = find_zone(name), list[tuple[datetime, timedelta]]()
    hour = _new_year(year)
    before = _offset_at(zone, hour - _MINUTE)
    while hour.year == year:
        if _offset_at(zone, hour + 59 * _MINUTE) != before:
            for minute in range(60):
                offset = _offset_at(zone, hour + minute * _MINUTE)
                if offset != before:
                    found.append((hour + minute * _MINUTE, offset))
                    before = offset
        hour += _HOUR
    return tuple(found)


@cache
def stretches(name: str | None, first_year: int, last_year: int) -> Stretches:
    """Answer the stretches of a zone from the first UTC year to the end of the last, in their order."""
    begin, end = _new_year(first_year), _new_year(last_year + 1)
    offset, found = _offset_at(find_zone(name), begin - _MINUTE), list[Stretch]()
    for year in range(first_year, last_year + 1):
        for change, new_offset in _changes_in(name, year):
            found.append(Stretch(begin, change, offset))
            begin, offset = change, new_offset
    return (*found, Stretch(begin, end, offset))


def wall_time(seen: Stretches, instant: datetime) -> datetime:
    """Answer what the clocks show at a UTC instant."""
    return next(instant + one.offset for one in seen if one.begin <= instant < one.end)


def instant_of(seen: Stretches, wall: datetime) -> datetime:
    """Answer the UTC instant at which a slot of this wall time runs.

    DOUBLED_TIME_IS_ITS_FIRST: the first stretch that shows it. GAP_GOES_TO_ITS_END: if none does, the beginning of the
    stretch that follows the gap.
    """
    for one in seen:
        if one.shows(wall):
            return wall - one.offset
    for earlier, later in pairwise(seen):
        if earlier.end + earlier.offset <= wall < later.begin + later.offset:
            return later.begin
    raise LookupError(f"{wall} lies outside the years that were looked at")
