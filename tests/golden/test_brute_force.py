"""The brute force itself, checked by hand against a printed calendar and what the governments decreed."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.golden.brute_force import Point, add, list_points
from tests.golden.clocks import instant_of, stretches
from tests.golden.days import CALENDAR, Day, months_later
from tests.golden.writing import policy_json, tag

DEFAULT = tag("Default", 99, is_default=True)


def run(
    zone: str,
    intervals: Sequence[str],
    window: tuple[str, str],
    *tags: Any,
    failed: Sequence[str] = (),
    keep: str = "P7D",
) -> list[Point]:
    """The points of a policy; the default tag comes last, and all are kept for as long."""
    names = {one["tagInfo"]["tagName"] for one in tags} | {"Default"}
    policy = policy_json(zone, intervals, [*tags, DEFAULT], dict.fromkeys(sorted(names), keep))
    begin, end = (datetime.fromisoformat(f"{one}T00:00:00Z") for one in window)
    return list_points(policy, begin, end, frozenset(date.fromisoformat(one) for one in failed))


def days_of(points: Sequence[Point], name: str) -> list[str]:
    return [f"{point.time:%Y-%m-%d}" for point in points if name in point.tags]


@pytest.mark.parametrize(
    ("day", "weekday", "week"),
    [
        pytest.param(Day(2000, 1, 1), "Saturday", (1999, 52), id="the millennium"),
        pytest.param(Day(2021, 1, 3), "Sunday", (2020, 53), id="week 53 of 2020"),
        pytest.param(Day(2024, 2, 29), "Thursday", (2024, 9), id="a leap day"),
        pytest.param(Day(2024, 12, 30), "Monday", (2025, 1), id="week 1 begins in the year before"),
        pytest.param(Day(2027, 1, 1), "Friday", (2026, 53), id="2027-01-01 lies in week 53 of 2026"),
        pytest.param(Day(2027, 1, 4), "Monday", (2027, 1), id="week 1 of 2027"),
        pytest.param(Day(2033, 12, 31), "Saturday", (2033, 52), id="the last day of the lists"),
    ],
)
def test_the_calendar_is_the_printed_one(day: Day, weekday: str, week: tuple[int, int]):
    assert CALENDAR[day] == (weekday, week)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        pytest.param(Day(2024, 1, 31), 1, Day(2024, 2, 29), id="31 January in a leap year"),
        pytest.param(Day(2025, 1, 31), 1, Day(2025, 2, 28), id="31 January in a common year"),
        pytest.param(Day(2024, 2, 29), 120, Day(2034, 2, 28), id="29 February and ten years"),
        pytest.param(Day(2025, 11, 30), 3, Day(2026, 2, 28), id="over the end of a year"),
    ],
)
def test_months_are_counted_off_and_clipped(day: Day, months: int, later: Day):
    assert months_later(day, months) == later


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        pytest.param(
            "America/New_York", "2026-03-08T02:30", "2026-03-08T07:00", id="New York's gap ends at 03:00-04:00"
        ),
        pytest.param("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30", id="New York's doubled 01:30"),
        pytest.param("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30", id="Berlin's doubled 02:30"),
        pytest.param("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00", id="the first minute of Berlin's gap"),
        pytest.param("Europe/Berlin", "2026-03-29T03:00", "2026-03-29T01:00", id="the end of Berlin's gap"),
        pytest.param("Pacific/Apia", "2011-12-30T02:30", "2011-12-30T10:00", id="Apia's 30 December 2011 never was"),
        pytest.param("Australia/Lord_Howe", "2024-10-06T02:15", "2024-10-05T15:30", id="half an hour at Lord Howe"),
        pytest.param(
            "America/Santiago", "2024-09-08T00:00", "2024-09-08T04:00", id="Santiago has no midnight that day"
        ),
        pytest.param("America/Nuuk", "2024-03-30T23:30", "2024-03-31T01:00", id="Nuuk's gap ends with the day"),
        pytest.param("Asia/Kathmandu", "2024-03-31T00:00", "2024-03-30T18:15", id="Kathmandu never changes"),
        pytest.param("+05:30", "2024-03-31T00:00", "2024-03-30T18:30", id="an offset"),
        pytest.param("", "2024-03-31T00:00", "2024-03-31T00:00", id="no zone"),
    ],
)
def test_a_wall_time_is_found_where_the_clocks_show_it(zone: str, wall: str, instant: str):
    moment = datetime.fromisoformat(wall)
    assert instant_of(stretches(zone, moment.year - 1, moment.year + 1), moment) == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    ("begin", "duration", "end"),
    [
        pytest.param("2024-01-31T10:00", "P1M", "2024-02-29T10:00", id="clipped"),
        pytest.param("2024-01-31T10:00", "P1Y2M3W4D", "2025-04-25T10:00", id="31 March 2025 and 25 days"),
        pytest.param("2024-01-30T10:00", "P1M1D", "2024-03-01T10:00", id="clipped before the days are added"),
        pytest.param("2024-02-28T23:30", "P5W", "2024-04-03T23:30", id="weeks over a leap day"),
    ],
)
def test_a_duration_is_added_in_the_calendar(begin: str, duration: str, end: str):
    assert add(datetime.fromisoformat(begin), duration) == datetime.fromisoformat(end)


def test_a_failed_first_leaves_its_tag_to_the_next_success():
    monthly = tag("Monthly", 15, {"absoluteCriteria": ["FirstOfMonth"]})
    window = ("2026-01-01", "2026-03-01")
    points = run("UTC", ["R/2026-01-01T02:00:00Z/P1D"], window, monthly, failed=["2026-02-01", "2026-02-02"])
    assert days_of(points, "Monthly") == ["2026-01-01", "2026-02-03"]


def test_a_backup_before_the_window_can_have_been_the_first():
    weekly = tag("Weekly", 20, {"absoluteCriteria": ["FirstOfWeek"]})
    points = run("UTC", ["R/2025-06-01T02:00:00Z/P1D"], ("2027-01-01", "2027-01-06"), weekly)
    assert days_of(points, "Default")[0] == "2027-01-01"
    assert days_of(points, "Weekly") == ["2027-01-04"], "28 December was the first of week 53"


def test_an_expired_point_waits_for_its_successor_and_the_last_one_stays():
    points = run("UTC", ["R/2026-01-05T02:00:00Z/P1W"], ("2026-01-01", "2026-01-20"), failed=["2026-01-12"], keep="P1D")
    first, last = (datetime(2026, 1, number, 2, tzinfo=UTC) for number in (5, 19))
    assert [(point.time, point.deleted_at) for point in points] == [(first, last), (last, None)]


def test_of_equal_priorities_the_first_in_the_list_wins_and_the_default_tag_is_last():
    often = {"absoluteCriteria": ["AllBackup"]}
    tags = [tag("B", 99, often), tag("A", 99, often), tag("C", 5, often)]
    assert run("UTC", ["R/2026-01-05T02:00:00Z/P1D"], ("2026-01-05", "2026-01-06"), *tags)[0].tags == (
        "C",
        "B",
        "A",
        "Default",
    )


@pytest.mark.parametrize(
    ("criteria", "days"),
    [
        pytest.param([{"daysOfMonth": [{"date": 30}]}], ["01-30", "03-30"], id="February has no 30th"),
        pytest.param([{"daysOfMonth": [{"date": 3, "isLast": True}]}], ["01-31", "02-28", "03-31"], id="the last day"),
        pytest.param(
            [{"weeksOfTheMonth": ["Last"], "daysOfTheWeek": ["Sunday"]}], ["01-25", "02-22", "03-29"], id="AND"
        ),
        pytest.param(
            [{"absoluteCriteria": ["FirstOfMonth"], "daysOfTheWeek": ["Sunday"], "monthsOfYear": None}],
            ["02-01", "03-01"],
            id="the month's first, if it is a Sunday",
        ),
        pytest.param(
            [{"daysOfMonth": [{"date": 9}], "monthsOfYear": ["March"]}, {"absoluteCriteria": ["FirstOfYear"]}],
            ["01-01", "03-09"],
            id="OR",
        ),
        pytest.param(
            [{"scheduleTimes": ["2020-07-01T01:00:00Z"], "daysOfMonth": [{"date": 1}]}],
            ["01-01", "02-01", "03-01"],
            id="01:00Z in July is 03:00 in Berlin",
        ),
        pytest.param([{"scheduleTimes": ["2020-07-01T02:00:00Z"]}], [], id="02:00Z in July is 04:00 in Berlin"),
    ],
)
def test_criteria_pick_the_days_that_the_calendar_shows(criteria: list[dict[str, Any]], days: list[str]):
    """1 January 2026 is a Thursday; February and March begin on Sundays."""
    points = run(
        "Europe/Berlin", ["R/2026-01-01T03:00:00+01:00/P1D"], ("2026-01-01", "2026-04-01"), tag("T", 1, *criteria)
    )
    assert days_of(points, "T") == [f"2026-{day}" for day in days]


def test_two_days_begin_where_a_day_was_swallowed():
    daily = tag("Daily", 25, {"absoluteCriteria": ["FirstOfDay"]})
    points = run("Pacific/Apia", ["R/2011-12-28T02:30:00-10:00/P1D"], ("2011-12-29", "2012-01-01"), daily)
    assert [(f"{point.time:%d %H:%M}", point.tag) for point in points] == [
        ("29 12:30", "Daily"),
        ("30 10:00", "Daily"),
        ("30 12:30", "Default"),
        ("31 12:30", "Daily"),
    ]


def test_hours_go_on_whatever_the_clocks_do():
    points = run("Europe/Berlin", ["R/2026-03-28T22:00:00Z/PT2H"], ("2026-03-29", "2026-03-30"))
    assert [point.time.hour for point in points] == list(range(0, 24, 2))
