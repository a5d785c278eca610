"""When backups are due: the calendar's awkward places as tables, the rest as properties."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.schedule import Interval, due_slots, gaps_between_slots, next_slot, parse_interval, spread_offset
from tests.domain.strategies import moments, zones


def slots(interval: str, zone: str, after: str, until: str) -> list[str]:
    found = due_slots(
        [parse_interval(interval)], ZoneInfo(zone), datetime.fromisoformat(after), datetime.fromisoformat(until)
    )
    return [slot.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for slot in found]


DST = [
    pytest.param(
        "R/2024-03-01T02:30:00-05:00/P1D",
        "America/New_York",
        ("2024-03-09T12:00:00Z", "2024-03-11T12:00:00Z"),
        ["2024-03-10T03:00-04:00", "2024-03-11T02:30-04:00"],
        id="a wall time in the gap moves to the gap's end: 02:30 becomes 03:00",
    ),
    pytest.param(
        "R/2024-03-01T03:00:00-05:00/P1D",
        "America/New_York",
        ("2024-03-09T12:00:00Z", "2024-03-11T12:00:00Z"),
        ["2024-03-10T03:00-04:00", "2024-03-11T03:00-04:00"],
        id="the gap's end itself is an ordinary time",
    ),
    pytest.param(
        "R/2024-10-01T01:30:00-04:00/P1D",
        "America/New_York",
        ("2024-11-02T12:00:00Z", "2024-11-04T12:00:00Z"),
        ["2024-11-03T01:30-04:00", "2024-11-04T01:30-05:00"],
        id="a wall time that occurs twice is its first occurrence",
    ),
    pytest.param(
        "R/2024-09-01T02:15:00+10:30/P1D",
        "Australia/Lord_Howe",
        ("2024-10-05T00:00:00Z", "2024-10-06T20:00:00Z"),
        ["2024-10-06T02:30+11:00", "2024-10-07T02:15+11:00"],
        id="a gap of half an hour",
    ),
    pytest.param(
        "R/2024-09-01T00:00:00-04:00/P1D",
        "America/Santiago",
        ("2024-09-07T12:00:00Z", "2024-09-09T12:00:00Z"),
        ["2024-09-08T01:00-03:00", "2024-09-09T00:00-03:00"],
        id="a gap at midnight stays on its own day",
    ),
    pytest.param(
        "R/2011-12-01T02:30:00-10:00/P1D",
        "Pacific/Apia",
        ("2011-12-29T00:00:00Z", "2012-01-01T00:00:00Z"),
        ["2011-12-29T02:30-10:00", "2011-12-31T00:00+14:00", "2011-12-31T02:30+14:00", "2012-01-01T02:30+14:00"],
        id="of a day that never was, the first instant after it",
    ),
    pytest.param(
        "R/2024-02-28T23:30:00+00:00/P1D",
        "UTC",
        ("2024-02-28T23:30:00Z", "2024-03-01T23:30:00Z"),
        ["2024-02-29T23:30+00:00", "2024-03-01T23:30+00:00"],
        id="29 February",
    ),
    pytest.param(
        "R/2020-12-28T01:00:00+00:00/P1W",
        "UTC",
        ("2020-12-28T01:00:00Z", "2021-01-11T01:00:00Z"),
        ["2021-01-04T01:00+00:00", "2021-01-11T01:00+00:00"],
        id="ISO week 53",
    ),
    pytest.param(
        "R/2024-05-06T02:00:00+02:00/P1D",
        "UTC",
        ("2024-05-07T00:00:00Z", "2024-05-08T00:00:00Z"),
        ["2024-05-08T00:00+00:00"],
        id="the anchor is an instant: its own offset is not the policy's zone",
    ),
    pytest.param(
        "R/2024-05-06T02:00:00/P1D",
        "UTC",
        ("2024-05-01T00:00:00Z", "2024-05-07T02:00:00Z"),
        ["2024-05-06T02:00+00:00", "2024-05-07T02:00+00:00"],
        id="an anchor without an offset is UTC, and is the first slot",
    ),
]


@pytest.mark.parametrize(("interval", "zone", "window", "expected"), DST)
def test_a_slot_recurs_at_its_anchors_wall_time(interval: str, zone: str, window: tuple[str, str], expected: list[str]):
    assert slots(interval, zone, *window) == expected


def test_two_intervals_that_are_due_at_one_instant_are_one_slot():
    daily, weekly = parse_interval("R/2024-05-06T02:00:00Z/P1D"), parse_interval("R/2024-05-06T02:00:00Z/P1W")
    start = datetime(2024, 5, 6, tzinfo=UTC)
    assert len(due_slots([daily, weekly], ZoneInfo("UTC"), start, start + timedelta(days=7))) == 7


intervals = st.builds(Interval, anchor=moments, every_days=st.sampled_from([1, 2, 7, 14, 28]))


@given(interval=intervals, zone=zones, start=moments, days=st.integers(0, 60))
def test_slots_rise_strictly_and_stay_in_their_window(interval: Interval, zone: str, start: datetime, days: int):
    until = start + timedelta(days=days)
    found = due_slots([interval], ZoneInfo(zone), start, until)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert all(start < slot <= until and slot >= interval.anchor for slot in found)


@given(interval=intervals, zone=zones, start=moments, days=st.integers(0, 400), share=st.floats(0, 1))
def test_two_halves_of_a_window_have_the_slots_of_the_whole(
    interval: Interval, zone: str, start: datetime, days: int, share: float
):
    middle, until = start + share * timedelta(days=days), start + timedelta(days=days)
    halves = [due_slots([interval], ZoneInfo(zone), *window) for window in ((start, middle), (middle, until))]
    assert [*halves[0], *halves[1]] == list(due_slots([interval], ZoneInfo(zone), start, until))


@given(interval=intervals, name=zones, start=moments)
def test_a_slot_keeps_the_wall_time_or_is_the_end_of_a_gap_that_swallowed_it(
    interval: Interval, name: str, start: datetime
):
    zone = ZoneInfo(name)
    anchored = interval.anchor.astimezone(zone).time()
    for slot in due_slots([interval], zone, start, start + timedelta(days=400)):
        before = (slot - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
        now = slot.astimezone(zone).replace(tzinfo=None)
        is_gap_end = now - before > timedelta(seconds=1)
        assert now.time() == anchored or is_gap_end


@given(interval=intervals, name=zones, after=moments)
def test_the_next_slot_is_the_first_of_all_that_follow(interval: Interval, name: str, after: datetime):
    zone = ZoneInfo(name)
    following = next_slot([interval], zone, after)
    assert following is not None
    assert list(due_slots([interval], zone, after, following)) == [following]


def test_without_an_interval_there_is_no_next_slot():
    assert next_slot([], ZoneInfo("UTC"), datetime(2024, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="nothing"),
        pytest.param(5, id="a number"),
        pytest.param("", id="empty"),
        pytest.param("P1D", id="no anchor"),
        pytest.param("R/2024-05-06T02:00:00+00:00", id="no period"),
        pytest.param("R/2024-05-06T02:00:00+00:00/P1M", id="months"),
        pytest.param("R/2024-05-06T02:00:00+00:00/P1Y", id="years"),
        pytest.param("R/2024-05-06T02:00:00+00:00/PT30M", id="minutes"),
        pytest.param("R/2024-05-06T02:00:00+00:00/PT0H", id="no hours"),
        pytest.param("R/2024-05-06T02:00:00+00:00/P1DT6H", id="days and hours"),
        pytest.param("R/PT4H", id="no start (Crossplane)"),
        pytest.param("R/2024-05-06T02:00:00+00:00/P100D", id="over 99 days"),
        pytest.param("R/2024-05-06T02:00:00+00:00/P100W", id="over 99 weeks"),
        pytest.param("R/2024-05-06T02:00:00+00:00/PT100H", id="over 99 hours"),
        pytest.param("R/2024-05-06T02:00:00+00:00/PT1S", id="seconds"),
        pytest.param("R/2024-05-06T02:00:00+00:00/P0D", id="never"),
        pytest.param("R5/2024-05-06T02:00:00+00:00/P1D", id="a count"),
        pytest.param("R/2024-02-30T02:00:00+00:00/P1D", id="a day that is none"),
        pytest.param("R/2024-05-06T25:00:00+00:00/P1D", id="an hour that is none"),
        pytest.param("R/2024-05-06T02:00:00+99:00/P1D", id="an offset that is none"),
        pytest.param("R/0001-01-01T00:00:00+14:00/P1D", id="before all calendars"),
        pytest.param("R/9999-12-31T23:00:00-14:00/P1D", id="after all calendars"),
        pytest.param("R/\u0662\u0660\u0662\u0664-05-06T02:00:00+00:00/P1D", id="other digits"),
        pytest.param("R/2024-05-06T02:00:00+00:00/P\u0663D", id="other digits in the period"),
    ],
)
def test_what_is_no_interval_is_refused_with_azure_backups_code(text: object):
    with pytest.raises(InvalidInputError) as refused:
        parse_interval(text)
    assert refused.value.code == "BMSUserErrorDPPBackupPolicyBackupFrequencyNotMatchingRule"


@pytest.mark.parametrize(
    ("text", "anchor", "days"),
    [
        ("R/2021-08-15T06:30:00+00:00/P1W", "2021-08-15T06:30:00+00:00", 7),
        ("R/2024-01-07T23:00:00+00:00/P1D", "2024-01-07T23:00:00+00:00", 1),
        ("R/2024-01-07T23:00Z/P2D", "2024-01-07T23:00:00+00:00", 2),
        ("R/2024-01-07T23:00:00.000Z/P1D", "2024-01-07T23:00:00+00:00", 1),
        ("R/2024-01-07T23:00:00+05:45/P1D", "2024-01-07T23:00:00+05:45", 1),
    ],
)
def test_an_interval_is_an_anchor_and_a_number_of_days(text: str, anchor: str, days: int):
    assert parse_interval(text) == Interval(anchor=datetime.fromisoformat(anchor), every_days=days)


@pytest.mark.parametrize(
    ("length", "days", "hours"),
    [
        ("P99D", 99, 0),
        ("P1W", 7, 0),
        ("P99W", 693, 0),
        ("PT1H", 0, 1),
        ("PT4H", 0, 4),
        ("PT24H", 0, 24),
        ("PT99H", 0, 99),
    ],
)
def test_days_weeks_and_hours_up_to_99_are_taken(length: str, days: int, hours: int):
    interval = parse_interval(f"R/2024-05-06T02:00:00Z/{length}")
    assert (interval.every_days, interval.every_hours) == (days, hours)
    assert interval.length == timedelta(days=days, hours=hours)


@pytest.mark.parametrize("length", ["P1M", "P1Y"])
def test_months_and_years_are_refused_with_what_to_do_instead(length: str):
    with pytest.raises(InvalidInputError, match="daysOfMonth, monthsOfYear"):
        parse_interval(f"R/2024-05-06T02:00:00Z/{length}")


def test_a_day_of_24_hours_is_no_day_where_the_clocks_change():
    """In New York a slot of every 24 hours moves on the clock; a daily one does not."""
    window = ("2024-03-09T12:00:00-05:00", "2024-03-11T12:00:00-04:00")
    hours = slots("R/2024-03-01T02:00:00-05:00/PT24H", "America/New_York", *window)
    days = slots("R/2024-03-01T01:00:00-05:00/P1D", "America/New_York", *window)
    assert hours == ["2024-03-10T03:00-04:00", "2024-03-11T03:00-04:00"]
    assert days == ["2024-03-10T01:00-05:00", "2024-03-11T01:00-04:00"]


@pytest.mark.parametrize(
    ("texts", "zone", "shortest", "longest"),
    [
        pytest.param(["R/2024-05-06T02:00:00Z/P1D"], "UTC", 24, 24, id="daily"),
        pytest.param(["R/2024-05-06T02:00:00Z/P1D"], "Europe/Berlin", 23, 25, id="daily, where the clocks change"),
        pytest.param(["R/2024-05-06T02:00:00Z/PT4H"], "Europe/Berlin", 4, 4, id="hours are elapsed"),
        pytest.param(
            ["R/2024-05-06T02:00:00Z/P1W", "R/2024-05-08T02:00:00Z/P1W"], "UTC", 48, 120, id="Monday, Wednesday"
        ),
        pytest.param(
            ["R/2024-05-06T02:00:00Z/P1D", "R/2024-05-06T02:00:00Z/P1W"], "UTC", 24, 24, id="one slot on Mondays"
        ),
    ],
)
def test_the_gaps_of_a_schedule_are_known(texts: list[str], zone: str, shortest: int, longest: int):
    found = gaps_between_slots([parse_interval(text) for text in texts], ZoneInfo(zone))
    assert found == (timedelta(hours=shortest), timedelta(hours=longest))


def test_a_fleet_is_spread_evenly_always_alike_and_over_a_quarter_of_the_gap_at_most():
    window, gap = timedelta(hours=4), timedelta(hours=24)
    offsets = [spread_offset(f"{number:032x}", window, gap) for number in range(500)]
    assert offsets == [spread_offset(f"{number:032x}", window, gap) for number in range(500)]
    assert all(timedelta(0) <= offset < window for offset in offsets)
    halves = sum(offset < window / 2 for offset in offsets)
    assert 200 < halves < 300
    assert all(spread_offset(f"{number:032x}", window, timedelta(hours=4)) < timedelta(hours=1) for number in range(50))
    assert spread_offset("0" * 32, timedelta(0), gap) == timedelta(0)
