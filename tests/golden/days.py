"""A printed calendar: every day of 1968 to 2099, written down one after the other.

Nothing here asks the standard library what day it is: that is the point of an independent check.
"""

from typing import NamedTuple

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIRST_YEAR, _LAST_YEAR = 1968, 2099


class Day(NamedTuple):
    """A date of the Gregorian calendar; days compare as they follow each other."""

    year: int
    month: int
    number: int


class Page(NamedTuple):
    """What the printed calendar says of a day. The week is an ISO week: its year and its number."""

    weekday: str
    week: tuple[int, int]


def is_leap_year(year: int) -> bool:
    """Say whether the year has a 29 February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year: int, month: int) -> int:
    """Answer how many days the month has."""
    return 29 if month == 2 and is_leap_year(year) else _LENGTHS[month - 1]


def _write_down_all_days() -> list[Day]:
    return [
        Day(year, month, number)
        for year in range(_FIRST_YEAR, _LAST_YEAR + 1)
        for month in range(1, 13)
        for number in range(1, month_length(year, month) + 1)
    ]


def _print_calendar(days: list[Day]) -> dict[Day, Page]:
    """WEEKS_BEGIN_ON: a week belongs to the year of its Thursday, and is one more than the week before in that year.

    1968 began on a Monday, and so with its first week.
    """
    calendar: dict[Day, Page] = {}
    week = (_FIRST_YEAR, 0)
    for index, day in enumerate(days):
        weekday = WEEKDAYS[index % 7]
        if weekday == "Monday" and index + 3 < len(days):
            year = days[index + 3].year
            week = (year, week[1] + 1 if year == week[0] else 1)
        calendar[day] = Page(weekday, week)
    return calendar


ALL_DAYS = _write_down_all_days()
CALENDAR = _print_calendar(ALL_DAYS)
INDEX = {day: index for index, day in enumerate(ALL_DAYS)}
"""Where a day stands in `ALL_DAYS`."""


def months_later(day: Day, months: int) -> Day:
    """EXPIRY_ZONE: count the months off one by one; a day that the last one has not becomes that month's last."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return Day(year, month, min(day.number, month_length(year, month)))
