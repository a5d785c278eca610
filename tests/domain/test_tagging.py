"""Which backups a tag's criteria match, member by member, and which tag a backup gets of all that match."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.policy import Policy
from flexvault.domain.schedule import due_slots
from flexvault.domain.tagging import LAST_WEEK, Because, Occasion, TagMatch, is_last_day, match_tags, weeks_of
from flexvault.domain.zones import find_zone
from tests.domain.judging import days_tagged, days_that_match, points_of, policy_of
from tests.golden.writing import tag

KIRITIMATI: dict[str, Any] = {"zone": "Pacific/Kiritimati", "intervals": ["R/1994-12-01T02:00:00-10:40/P1D"]}
NEW_YORK = "America/New_York"

# (first day, last day, criteria, local dates on which they match)
CALENDAR = [
    pytest.param("2026-01-05", "2026-01-11", [{"daysOfTheWeek": ["Monday", "Sunday"]}], ["2026-01-05", "2026-01-11"],
                 id="of the weekdays one is enough"),
    pytest.param("2026-01-31", "2026-03-01", [{"monthsOfYear": ["February"], "daysOfTheWeek": ["Sunday"]}],
                 ["2026-02-01", "2026-02-08", "2026-02-15", "2026-02-22"], id="month and weekday: both must match"),
    pytest.param("2026-01-01", "2026-01-31", [{"daysOfMonth": [{"date": 1}, {"date": 15}]}],
                 ["2026-01-01", "2026-01-15"], id="of the days of the month one is enough"),
    pytest.param("2026-01-01", "2026-01-12", [{"daysOfMonth": [{"date": 2}]}, {"daysOfTheWeek": ["Monday"]}],
                 ["2026-01-02", "2026-01-05", "2026-01-12"], id="of two criteria one is enough"),
    pytest.param("2026-01-01", "2026-12-31", [{"daysOfMonth": [{"date": 5}], "daysOfTheWeek": ["Monday"]}],
                 ["2026-01-05", "2026-10-05"], id="inside of one criterion day and weekday must both match"),
    pytest.param("2026-01-01", "2026-12-31",
                 [{"weeksOfTheMonth": ["Last"], "monthsOfYear": ["January", "June"], "daysOfTheWeek": ["Friday"]}],
                 ["2026-01-30", "2026-06-26"], id="three members must all match"),
    pytest.param("2026-01-01", "2026-01-03", [{"daysOfTheWeek": None, "monthsOfYear": [], "daysOfMonth": [{"date": 2}]}],
                 ["2026-01-02"], id="null and empty members are not given"),
    pytest.param("2026-01-01", "2026-01-03", [{"absoluteCriteria": ["AllBackup"]}],
                 ["2026-01-01", "2026-01-02", "2026-01-03"], id="AllBackup"),
    pytest.param("2026-01-01", "2026-01-06", [{"absoluteCriteria": ["AllBackup"], "daysOfTheWeek": ["Monday"]}],
                 ["2026-01-05"], id="AllBackup does not undo the other members"),
    pytest.param("2023-01-01", "2023-05-31", [{"daysOfMonth": [{"date": 29}]}],
                 ["2023-01-29", "2023-03-29", "2023-04-29", "2023-05-29"], id="the 29th, not in a common February"),
    pytest.param("2024-02-01", "2024-03-01", [{"daysOfMonth": [{"date": 29}]}], ["2024-02-29"],
                 id="the 29th of a leap year's February"),
    pytest.param("2024-01-01", "2024-05-31", [{"daysOfMonth": [{"date": 30}]}],
                 ["2024-01-30", "2024-03-30", "2024-04-30", "2024-05-30"], id="the 30th, never in February"),
    pytest.param("2024-01-01", "2024-07-31", [{"daysOfMonth": [{"date": 31}]}],
                 ["2024-01-31", "2024-03-31", "2024-05-31", "2024-07-31"], id="the 31st only where there is one"),
    pytest.param("2023-01-01", "2023-04-30", [{"daysOfMonth": [{"isLast": True}]}],
                 ["2023-01-31", "2023-02-28", "2023-03-31", "2023-04-30"], id="the last day of months of a common year"),
    pytest.param("2024-02-01", "2024-03-01", [{"daysOfMonth": [{"isLast": True}]}], ["2024-02-29"],
                 id="the last day of a leap year's February"),
    pytest.param("2100-02-01", "2100-03-01", [{"daysOfMonth": [{"isLast": True}]}], ["2100-02-28"],
                 id="2100 is no leap year"),
    pytest.param("2024-02-01", "2024-02-29", [{"daysOfMonth": [{"date": 3, "isLast": True}]}], ["2024-02-29"],
                 id="isLast, whatever date says"),
    pytest.param("2024-02-01", "2024-02-29", [{"daysOfMonth": [{"date": 3, "isLast": False}]}], ["2024-02-03"],
                 id="isLast false is the date"),
    pytest.param("2024-02-01", "2024-02-29", [{"daysOfMonth": [{"date": 3}, {"isLast": True}]}],
                 ["2024-02-03", "2024-02-29"], id="a date and the last day"),
]  # fmt: skip


@pytest.mark.parametrize(("begin", "end", "criteria", "days"), CALENDAR)
def test_a_criterion_matches_on_days(begin: str, end: str, criteria: list[dict[str, Any]], days: list[str]):
    assert days_that_match(begin, end, *criteria) == days


@pytest.mark.parametrize(
    ("week", "begin", "end", "days"),
    [
        pytest.param("First", "2026-01-01", "2026-01-31", range(1, 8), id="First is the days 1 to 7"),
        pytest.param("Second", "2026-01-01", "2026-01-31", range(8, 15), id="Second is the days 8 to 14"),
        pytest.param("Third", "2026-01-01", "2026-01-31", range(15, 22), id="Third is the days 15 to 21"),
        pytest.param("Fourth", "2026-01-01", "2026-01-31", range(22, 29), id="Fourth is the days 22 to 28"),
        pytest.param("Last", "2026-01-01", "2026-01-31", range(25, 32), id="Last of 31 days overlaps Fourth"),
        pytest.param("Last", "2026-04-01", "2026-04-30", range(24, 31), id="Last of 30 days"),
        pytest.param("Last", "2024-02-01", "2024-02-29", range(23, 30), id="Last of 29 days"),
        pytest.param("Last", "2026-02-01", "2026-02-28", range(22, 29), id="Last of 28 days is the Fourth"),
    ],
)
def test_a_week_of_the_month_is_seven_of_its_days(week: str, begin: str, end: str, days: Sequence[int]):
    found = days_that_match(begin, end, {"weeksOfTheMonth": [week]})
    assert [date.fromisoformat(day).day for day in found] == list(days)


@pytest.mark.parametrize(
    ("week", "weekday", "days"),
    [
        pytest.param("Fourth", "Friday", ["2026-05-22"], id="the fourth of five Fridays"),
        pytest.param("Last", "Friday", ["2026-05-29"], id="the last of five Fridays is the fifth"),
        pytest.param("Last", "Monday", ["2026-05-25"], id="the last of four Mondays is the fourth"),
        pytest.param("Fourth", "Monday", ["2026-05-25"], id="the fourth of four Mondays is the last"),
        pytest.param("First", "Friday", ["2026-05-01"], id="the first Friday is the month's first day"),
        pytest.param("First", "Thursday", ["2026-05-07"], id="the first Thursday is the seventh day"),
    ],
)
def test_a_weekday_of_a_week_of_a_month_is_one_day(week: str, weekday: str, days: list[str]):
    """May 2026 begins on a Friday and has five of them."""
    found = days_that_match("2026-05-01", "2026-05-31", {"weeksOfTheMonth": [week], "daysOfTheWeek": [weekday]})
    assert found == days


@given(day=st.dates())
def test_every_day_lies_in_one_numbered_week_and_seven_days_of_a_month_in_the_last(day: date):
    numbered = weeks_of(day) - {LAST_WEEK}
    assert numbered == {(day.day + 6) // 7}
    month = [date(day.year, day.month, number) for number in range(1, 32) if _is_day(day, number)]
    assert sum(LAST_WEEK in weeks_of(one) for one in month) == 7 or (day.year, day.month) == (9999, 12)


def _is_day(month: date, number: int) -> bool:
    try:
        month.replace(day=number)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("zone", "day", "is_last"),
    [
        pytest.param("Pacific/Kiritimati", date(1994, 12, 30), True, id="Kiritimati's 31 December 1994 never was"),
        pytest.param("Pacific/Kiritimati", date(1994, 12, 29), False, id="the day before it is not the last"),
        pytest.param("UTC", date(1994, 12, 30), False, id="elsewhere the 31st was"),
        pytest.param("Pacific/Apia", date(2011, 12, 29), False, id="Samoa lost the 30th, but had the 31st"),
        pytest.param("Pacific/Apia", date(2011, 12, 31), True, id="Samoa's 31st"),
    ],
)
def test_the_last_day_of_a_month_is_the_last_that_was(zone: str, day: date, is_last: bool):
    known = find_zone(zone)
    assert known is not None
    assert is_last_day(day, known) is is_last


def test_a_month_that_lost_its_31st_ends_on_the_30th():
    days = days_that_match("1994-12-28", "1995-01-31", {"daysOfMonth": [{"isLast": True}]}, **KIRITIMATI)
    assert days == ["1994-12-30", "1995-01-31"]
    assert days_that_match("1994-12-28", "1995-01-31", {"daysOfMonth": [{"date": 31}]}, **KIRITIMATI) == ["1995-01-31"]


def test_the_slot_of_a_lost_last_day_is_of_the_next_year():
    """It runs at midnight of 1 January, beside that day's own slot, and is the first of the year."""
    found = points_of(policy_of(tag("Tag", 1, {"absoluteCriteria": ["FirstOfYear"]}), **KIRITIMATI), "1994-12-30", "1995-01-01")  # fmt: skip
    assert [(point.day.isoformat(), point.tag) for point in found] == [
        ("1994-12-30", "Default"),
        ("1995-01-01", "Tag"),
        ("1995-01-01", "Default"),
    ]


# First of a period ---------------------------------------------------------------------------------------------------

TWICE_A_DAY = ["R/2023-01-01T02:00:00Z/P1D", "R/2023-01-01T14:00:00Z/P1D"]
FIRSTS = [
    pytest.param("FirstOfDay", "2026-01-01", "2026-01-02", (), ["2026-01-01", "2026-01-02"], id="of each day one of two"),
    pytest.param("FirstOfWeek", "2026-12-25", "2027-01-12", (), ["2026-12-28", "2027-01-04", "2027-01-11"],
                 id="weeks go on over the end of the year"),
    pytest.param("FirstOfWeek", "2026-01-04", "2026-01-12", ("2026-01-05", "2026-01-06"), ["2026-01-07", "2026-01-12"],
                 id="the first success of a week whose Monday and Tuesday failed"),
    pytest.param("FirstOfMonth", "2026-01-31", "2026-03-02", (), ["2026-02-01", "2026-03-01"], id="of each month"),
    pytest.param("FirstOfMonth", "2026-01-31", "2026-03-02", ("2026-02-01",), ["2026-02-02", "2026-03-01"],
                 id="the first success of a month whose first day failed"),
    pytest.param("FirstOfMonth", "2026-01-31", "2026-03-02", tuple(f"2026-02-{day:02d}" for day in range(1, 29)),
                 ["2026-03-01"], id="a month without a success has no first"),
    pytest.param("FirstOfYear", "2026-12-30", "2027-02-02", (), ["2027-01-01"], id="of each year"),
    pytest.param("FirstOfYear", "2026-12-30", "2027-02-02", tuple(f"2027-01-{day:02d}" for day in range(1, 32)),
                 ["2027-02-01"], id="the first success of a year whose January failed"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "begin", "end", "failures", "days"), FIRSTS)
def test_the_first_of_a_period_is_its_first_success(
    kind: str, begin: str, end: str, failures: tuple[str, ...], days: list[str]
):
    policy = policy_of(tag("Tag", 1, {"absoluteCriteria": [kind]}), intervals=TWICE_A_DAY)
    assert days_tagged(policy, begin, end, *failures) == days


@pytest.mark.parametrize(
    ("last", "because"),
    [
        pytest.param(None, Because.FIRST_OF_MONTH, id="no success before"),
        pytest.param(date(2026, 1, 30), Because.FIRST_OF_MONTH, id="the last success was in another month"),
        pytest.param(date(2025, 2, 1), Because.FIRST_OF_MONTH, id="in the same month of another year"),
        pytest.param(date(2026, 2, 1), Because.DEFAULT, id="on the same day"),
        pytest.param(date(2026, 3, 1), Because.DEFAULT, id="in a later month: this one's first is not made up for"),
    ],
)
def test_a_backup_is_the_first_unless_the_latest_success_lies_in_its_period_or_later(
    last: date | None, because: Because
):
    policy = policy_of(tag("Tag", 1, {"absoluteCriteria": ["FirstOfMonth"]}))
    moment = datetime(2026, 2, 1, 2, tzinfo=UTC)
    assert matches(policy, Occasion(judged_at=moment, slot=moment, last_success_on=last))[0].because is because


def test_of_two_absolute_criteria_one_is_enough_and_the_reason_names_it():
    policy = policy_of(tag("Tag", 1, {"absoluteCriteria": ["FirstOfYear", "FirstOfMonth"]}))
    tagged = [point for point in points_of(policy, "2026-12-31", "2027-02-02") if point.tag == "Tag"]
    assert [(point.day.isoformat(), point.because) for point in tagged] == [
        ("2027-01-01", Because.FIRST_OF_YEAR),
        ("2027-02-01", Because.FIRST_OF_MONTH),
    ]


def test_a_first_that_does_not_fit_the_other_members_uses_its_period_up():
    criterion = {"absoluteCriteria": ["FirstOfMonth"], "daysOfTheWeek": ["Monday"]}
    assert days_that_match("2026-01-15", "2026-05-31", criterion) == []
    assert days_that_match("2026-05-15", "2026-06-30", criterion) == ["2026-06-01"]


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        pytest.param("UTC", "2026-02-01", id="UTC"),
        pytest.param("Pacific/Kiritimati", "2026-02-01", id="14 hours ahead"),
        pytest.param("Pacific/Pago_Pago", "2026-02-01", id="11 hours behind"),
    ],
)
def test_a_month_begins_where_the_policy_lives(zone: str, day: str):
    policy = policy_of(tag("Tag", 1, {"absoluteCriteria": ["FirstOfMonth"]}), zone=zone)
    assert days_tagged(policy, "2026-01-20", "2026-02-20") == [day]


# Schedule times ------------------------------------------------------------------------------------------------------

TIMES = [
    pytest.param("UTC", TWICE_A_DAY, ["2026-07-01T14:00:00Z"], ("2026-01-01", "2026-01-02"),
                 ["2026-01-01T14:00", "2026-01-02T14:00"], id="the date says nothing"),
    pytest.param("UTC", TWICE_A_DAY, ["2026-07-01T16:00:00+02:00"], ("2026-01-01", "2026-01-01"),
                 ["2026-01-01T14:00"], id="an instant of another offset"),
    pytest.param("UTC", TWICE_A_DAY, ["2026-07-01T14:00:00"], ("2026-01-01", "2026-01-01"),
                 ["2026-01-01T14:00"], id="a time without an offset is UTC"),
    pytest.param("UTC", TWICE_A_DAY, ["2026-07-01T14:00:01Z"], ("2026-01-01", "2026-01-01"), [], id="a second off"),
    pytest.param("Europe/Berlin", ["R/2026-01-05T02:00:00+01:00/P1D"], ["2026-07-01T02:00:00+02:00"],
                 ("2026-01-05", "2026-01-05"), ["2026-01-05T02:00"], id="summer's instant, winter's slot: the clock decides"),
    pytest.param(NEW_YORK, ["R/2026-03-01T02:30:00-05:00/P1D"], ["2026-03-01T02:30:00-05:00"],
                 ("2026-03-08", "2026-03-08"), ["2026-03-08T03:00"], id="swallowed by a gap: the slot at its end"),
    pytest.param(NEW_YORK, ["R/2026-03-01T03:00:00-05:00/P1D"], ["2026-03-01T02:30:00-05:00"],
                 ("2026-03-07", "2026-03-09"), ["2026-03-08T03:00"], id="the gap's end is also what was swallowed"),
    pytest.param(NEW_YORK, ["R/2026-10-30T01:30:00-04:00/P1D"], ["2026-10-30T01:30:00-04:00"],
                 ("2026-11-01", "2026-11-01"), ["2026-11-01T01:30"], id="a doubled time is one slot"),
    pytest.param(NEW_YORK, ["R/2026-10-30T00:30:00-04:00/PT1H"], ["2026-10-30T01:30:00-04:00"],
                 ("2026-11-01", "2026-11-01"), ["2026-11-01T01:30", "2026-11-01T01:30"],
                 id="hourly slots meet a doubled time twice"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "intervals", "times", "window", "expected"), TIMES)
def test_a_schedule_time_is_a_time_of_day_in_the_policys_zone(
    zone: str, intervals: list[str], times: list[str], window: tuple[str, str], expected: list[str]
):
    policy = policy_of(tag("Tag", 1, {"scheduleTimes": times}), zone=zone, intervals=intervals)
    found = [point.time.astimezone(policy.zone) for point in points_of(policy, *window) if point.tag == "Tag"]
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in found] == expected


def test_a_backup_that_ran_late_is_still_that_of_its_schedule_time():
    policy = policy_of(tag("Tag", 1, {"scheduleTimes": ["2026-01-05T02:00:00Z"]}))
    slot, ran = datetime(2026, 1, 5, 2, tzinfo=UTC), datetime(2026, 1, 6, 9, tzinfo=UTC)
    first, *_ = matches(policy, Occasion(judged_at=ran, slot=slot, last_success_on=None))
    assert (first.tag, first.day) == ("Tag", ran.date())


# Priorities ----------------------------------------------------------------------------------------------------------


def matches(policy: Policy, occasion: Occasion) -> tuple[TagMatch, ...]:
    return match_tags(policy.tags, policy.zone, occasion)


ALL = {"absoluteCriteria": ["AllBackup"]}


@pytest.mark.parametrize(
    ("tags", "order"),
    [
        pytest.param([tag("A", 20, ALL), tag("B", 10, ALL)], ["B", "A", "Default"], id="the smaller number wins"),
        pytest.param([tag("A", 10, ALL), tag("B", 10, ALL)], ["A", "B", "Default"], id="of equals the first listed"),
        pytest.param([tag("B", 10, ALL), tag("A", 10, ALL)], ["B", "A", "Default"], id="not the alphabet"),
        pytest.param([tag("A", 99, ALL)], ["A", "Default"], id="of equals the default tag last, though listed first"),
        pytest.param([tag("A", 100, ALL)], ["Default", "A"], id="the default tag wins by a smaller number"),
        pytest.param([tag("A", -1, ALL), tag("B", 0, ALL)], ["A", "B", "Default"], id="numbers may be negative"),
    ],
)
def test_the_smallest_priority_decides(tags: list[dict[str, Any]], order: list[str]):
    moment = datetime(2026, 1, 5, 2, tzinfo=UTC)
    found = matches(policy_of(*tags), Occasion(judged_at=moment, slot=moment, last_success_on=None))
    assert [match.tag for match in found] == order


@pytest.mark.parametrize(
    ("criterion", "because"),
    [
        ({"absoluteCriteria": ["AllBackup"]}, Because.ALL_BACKUP),
        ({"absoluteCriteria": ["FirstOfDay"]}, Because.FIRST_OF_DAY),
        ({"absoluteCriteria": ["FirstOfWeek"]}, Because.FIRST_OF_WEEK),
        ({"absoluteCriteria": ["FirstOfMonth"], "daysOfTheWeek": ["Monday"]}, Because.FIRST_OF_MONTH),
        ({"absoluteCriteria": ["FirstOfYear"]}, Because.FIRST_OF_YEAR),
        ({"daysOfTheWeek": ["Monday"]}, Because.CALENDAR),
        ({"daysOfTheWeek": ["Sunday"]}, Because.DEFAULT),
    ],
)
def test_a_match_says_why(criterion: dict[str, Any], because: Because):
    moment = datetime(2026, 1, 5, 2, tzinfo=UTC)
    occasion = Occasion(judged_at=moment, slot=moment, last_success_on=None)
    assert matches(policy_of(tag("Tag", 1, criterion)), occasion)[0].because is because


def test_the_default_tag_matches_every_backup():
    policy = policy_of()
    slots = due_slots(policy.intervals, policy.zone, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    for slot in slots:
        assert matches(policy, Occasion(judged_at=slot, slot=slot, last_success_on=slot.date()))[-1].tag == "Default"
