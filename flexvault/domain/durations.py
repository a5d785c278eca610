"""ISO 8601 durations of retention rules: calendar arithmetic, bounds, and which of two is shorter."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import isodate

from flexvault.domain.decisions import EXPIRY_ZONE

SHORTEST_RETENTION, LONGEST_RETENTION_DAYS = timedelta(days=7), 3660
SHORTEST_PERIOD, LONGEST_PERIOD = timedelta(days=1), timedelta(days=365)
_DURATION = re.compile(r"P(?=\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?", re.ASCII)
_STARTS = tuple(
    datetime(year, month, day, tzinfo=UTC) for year in range(2023, 2027) for month in range(1, 13) for day in (1, 28)
) + tuple(datetime(year, month, 31, tzinfo=UTC) for year in range(2023, 2027) for month in (1, 3, 5, 7, 8, 10, 12))


def add_duration(moment: datetime, duration: str) -> datetime:
    """Add an ISO 8601 duration in calendar arithmetic: 31 January + P1M is 28 or 29 February."""
    moved: datetime = moment + _length(duration)
    return moved


def expiry_of(recovery_point_time: datetime, duration: str) -> datetime:
    """Answer when a point of that time expires: on the UTC calendar, clipped to the month's end."""
    return add_duration(recovery_point_time.astimezone(EXPIRY_ZONE), duration)


@cache
def is_sometimes_shorter(duration: str, than: str) -> bool:
    """Say whether a point that is taken on some day of four years would be kept less long under one duration."""
    return any(add_duration(start, duration) < add_duration(start, than) for start in _STARTS)


def find_duration_problem(duration: Any) -> str:
    """Say what is wrong with a retention duration, or nothing: P7D to P10Y, whole days, weeks, months or years."""
    if not isinstance(duration, str) or not _DURATION.fullmatch(duration):
        return f"'{duration}' is no ISO 8601 duration of days, weeks, months or years, such as P3M"
    length = _length_from(duration)
    if length < SHORTEST_RETENTION or length.days > LONGEST_RETENTION_DAYS:
        return f"'{duration}' is outside of P7D to P10Y"
    return ""


def find_period_problem(period: Any) -> str:
    """Say what is wrong with the period of something that comes again, or nothing: P1D to P1Y."""
    if not isinstance(period, str) or not _DURATION.fullmatch(period):
        return f"'{period}' is no ISO 8601 duration of days, weeks, months or years, such as P7D"
    length = _length_from(period)
    if length < SHORTEST_PERIOD or length > LONGEST_PERIOD:
        return f"'{period}' is outside of P1D to P1Y"
    return ""


def _length_from(duration: str) -> timedelta:
    start = datetime(2023, 1, 1)  # noqa: DTZ001 - only the length counts
    try:
        return add_duration(start, duration) - start
    except (OverflowError, ValueError):  # past the end of the calendar
        return timedelta.max


@cache
def _length(duration: str) -> Any:
    return isodate.parse_duration(duration)  # pyright: ignore[reportUnknownMemberType] - half typed there
