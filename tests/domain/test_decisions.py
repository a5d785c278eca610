"""Each decision of flexvault.domain.decisions, seen in what the vault does; a test has its decision's name."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flexvault.domain import decisions
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.policy import parse_policy
from flexvault.domain.schedule import due_slots, parse_interval
from flexvault.domain.suspicion import has_fallen
from flexvault.domain.zones import find_zone, zone_name
from flexvault.services.tag_backup import find_last_success, tag_backup
from tests.builders import policy_properties, world
from tests.domain.judging import days_tagged, days_that_match, points_of, policy_of
from tests.domain.recorded import recorded_point, slot_job
from tests.golden.writing import tag

PAGE = Path(__file__).parents[2] / "docs" / "policies.md"
FIRST_OF_MONTH = tag("Tag", 1, {"absoluteCriteria": ["FirstOfMonth"]})
FIRST_OF_WEEK = tag("Tag", 1, {"absoluteCriteria": ["FirstOfWeek"]})


def local_slots(zone: str, begin: str, until: str, *intervals: str) -> list[str]:
    """The slots of (begin, until] as the zone's clocks show them."""
    known = find_zone(zone)
    assert known is not None
    after, end = (datetime.fromisoformat(text).replace(tzinfo=known).astimezone(UTC) for text in (begin, until))
    found = due_slots([parse_interval(text) for text in intervals], known, after, end)
    return [slot.astimezone(known).isoformat(timespec="minutes") for slot in found]


def test_every_decision_is_on_the_page_and_has_a_test_and_the_other_way_round():
    decided = {name for name in vars(decisions) if name.isupper() and name not in {"UTC", "MONDAY"}}
    documented = re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text(), re.MULTILINE)
    tests = {name.removeprefix("test_").upper() for name in globals() if name.startswith("test_")}
    assert sorted(documented) == sorted(decided)
    assert tests - {"EVERY_DECISION_IS_ON_THE_PAGE_AND_HAS_A_TEST_AND_THE_OTHER_WAY_ROUND"} == decided


@pytest.mark.parametrize("zone", ["", None, ...], ids=["empty", "null", "absent"])
def test_default_zone(zone: Any):
    """A policy without a zone lives in UTC: its dates, weekdays and months are those of UTC."""
    properties = policy_properties()
    schedule = properties["policyRules"][0]["trigger"]["schedule"]
    schedule.pop("timeZone")
    if zone is not ...:
        schedule["timeZone"] = zone
    assert zone_name(parse_policy(properties).zone) == zone_name(decisions.DEFAULT_ZONE)
    late: dict[str, Any] = {"intervals": ["R/2026-01-01T23:30:00Z/P1D"]}
    month = {"daysOfMonth": [{"isLast": True}]}
    assert days_that_match("2026-01-30", "2026-02-01", month, zone="", **late) == ["2026-01-31"]
    assert points_of(policy_of(zone="", **late), "2026-01-31", "2026-01-31")[0].time.day == 31
    (berlin,) = points_of(policy_of(zone="Europe/Berlin", **late), "2026-02-01", "2026-02-01")
    assert (berlin.time.day, berlin.day.day) == (31, 1), "00:30 of the next day in Berlin"


def test_weeks_begin_on():
    """New year's Friday ends a week that began on Monday, and its successor begins the year's first week."""
    firsts = days_tagged(policy_of(FIRST_OF_WEEK), "2026-12-20", "2027-01-11")
    assert firsts == ["2026-12-21", "2026-12-28", "2027-01-04", "2027-01-11"]
    assert {datetime.fromisoformat(day).weekday() for day in firsts} == {decisions.WEEKS_BEGIN_ON}
    assert datetime(2027, 1, 1, tzinfo=UTC).isocalendar()[:2] == (2026, 53)


def test_first_slot_is_the_anchor():
    """The start instant is the first slot, whatever offset it was written with; nothing is due before it."""
    interval = "R/2026-07-01T02:00:00+05:00/P1D"
    slots = local_slots("Europe/Berlin", "2026-06-01", "2026-07-02", interval)
    assert (slots == ["2026-06-30T23:00+02:00", "2026-07-01T23:00+02:00"]) is decisions.FIRST_SLOT_IS_THE_ANCHOR


def test_gap_goes_to_its_end():
    """On 8 March 2026 New York has no 02:30, and in 2011 Samoa had no 30 December at all."""
    spring = local_slots("America/New_York", "2026-03-08", "2026-03-09", "R/2026-03-01T02:30:00-05:00/P1D")
    samoa = local_slots("Pacific/Apia", "2011-12-29T12:00", "2012-01-01", "R/2011-12-01T02:30:00-10:00/P1D")
    swallowed_day = ["2011-12-31T00:00+14:00", "2011-12-31T02:30+14:00"]
    assert ((spring, samoa) == (["2026-03-08T03:00-04:00"], swallowed_day)) is decisions.GAP_GOES_TO_ITS_END


def test_doubled_time_is_its_first():
    """On 1 November 2026 New York's clocks show 01:30 twice."""
    slots = local_slots("America/New_York", "2026-11-01", "2026-11-02", "R/2026-10-01T01:30:00-04:00/P1D")
    assert (slots == ["2026-11-01T01:30-04:00"]) is decisions.DOUBLED_TIME_IS_ITS_FIRST


def test_one_instant_is_one_slot():
    """A daily and a weekly interval meet on Monday; in a gap two times of day meet."""
    both = local_slots("UTC", "2026-01-04", "2026-01-06", "R/2026-01-01T02:00:00Z/P1D", "R/2026-01-05T02:00:00Z/P1W")
    in_gap = local_slots(
        "America/New_York", "2026-03-08", "2026-03-09",
        "R/2026-03-01T02:10:00-05:00/P1D", "R/2026-03-01T02:50:00-05:00/P1D",
    )  # fmt: skip
    assert ((len(both), len(in_gap)) == (2, 1)) is decisions.ONE_INSTANT_IS_ONE_SLOT


def test_moved_slot_is_judged_where_it_runs():
    """The slot of Samoa's 30 December 2011 ran on the 31st, so the 30th has no backup and the 31st has two."""
    policy = {"zone": "Pacific/Apia", "intervals": ["R/2011-12-01T02:30:00-10:00/P1D"]}
    thirtieth = days_that_match("2011-12-25", "2012-01-02", {"daysOfMonth": [{"date": 30}]}, **policy)
    last = days_that_match("2011-12-25", "2012-01-02", {"daysOfMonth": [{"date": 31}]}, **policy)
    assert ((thirtieth, last) == ([], ["2011-12-31"] * 2)) is decisions.MOVED_SLOT_IS_JUDGED_WHERE_IT_RUNS


def test_schedule_times_are_what_the_clock_shows():
    """02:30 matches the slot that ran at 03:00, for the clocks swallowed it; on other days 03:00 is another time."""
    policy = {"zone": "America/New_York", "intervals": ["R/2026-03-01T02:30:00-05:00/P1D"]}
    meant = days_that_match("2026-03-07", "2026-03-09", {"scheduleTimes": ["2026-03-01T02:30:00-05:00"]}, **policy)
    shown = days_that_match("2026-03-07", "2026-03-09", {"scheduleTimes": ["2026-03-01T03:00:00-05:00"]}, **policy)
    expected = (["2026-03-07", "2026-03-08", "2026-03-09"], ["2026-03-08"])
    assert ((meant, shown) == expected) is decisions.SCHEDULE_TIMES_ARE_WHAT_THE_CLOCK_SHOWS


def test_hours_are_elapsed():
    """Every 12 hours stays every 12 hours when New York's day has only 23."""
    slots = local_slots("America/New_York", "2026-03-07T12:00", "2026-03-09", "R/2026-03-01T00:00:00-05:00/PT12H")
    expected = ["2026-03-08T00:00-05:00", "2026-03-08T13:00-04:00"]
    assert (slots[:2] == expected) is decisions.HOURS_ARE_ELAPSED


@pytest.mark.parametrize("unit", decisions.REFUSED_UNITS)
def test_refused_units(unit: str):
    """`TM` is PT5M: a unit is written as it stands in a duration."""
    length = f"PT5{unit[1:]}" if unit.startswith("T") else f"P5{unit}"
    with pytest.raises(InvalidInputError):
        parse_interval(f"R/2026-01-05T02:00:00Z/{length}")
    assert parse_interval("R/2026-01-05T02:00:00Z/P5D").every_days == 5


def test_members_must_all_match():
    """The month's first backup counts only if it ran on a Monday: in 2026 June begins on one, but not April or May."""
    criterion = {"absoluteCriteria": ["FirstOfMonth"], "daysOfTheWeek": ["Monday", "Tuesday"]}
    days = days_that_match("2026-04-01", "2026-07-31", criterion)
    assert (days == ["2026-06-01"]) is decisions.MEMBERS_MUST_ALL_MATCH


def test_first_counts_any_policy():
    """What ran under another policy, or was deleted since, was still the month's first; another chain's was not."""
    moment = datetime(2026, 1, 5, 2, tzinfo=UTC)
    other = recorded_point(judged_at=moment, policy_name="another", state="deleted")
    counted = find_last_success([other], other.chain, UTC) == moment.date()
    assert counted is decisions.FIRST_COUNTS_ANY_POLICY
    assert find_last_success([other], "another chain", UTC) is None


def test_first_counts_on_demand():
    """An on-demand backup has no moment by which "first of" counts it."""
    moment = datetime(2026, 1, 5, 2, tzinfo=UTC)
    asked_for = recorded_point(judged_at=None, recovery_point_time=moment)
    counted = find_last_success([asked_for], asked_for.chain, UTC) is not None
    assert counted is decisions.FIRST_COUNTS_ON_DEMAND


def test_one_tag_per_point():
    """The year's first is not also the month's first, and the smaller priority wins although it keeps less long."""
    yearly = tag("Yearly", 1, {"absoluteCriteria": ["FirstOfYear"]})
    policy = policy_of(yearly, tag("Tag", 2, {"absoluteCriteria": ["FirstOfMonth"]}), keep={"Tag": "P1Y"})
    first, *_ = points_of(policy, "2026-01-01", "2026-02-01")
    assert first.tags == ("Yearly", "Tag", "Default")
    is_one = first.tag == "Yearly" and first.expiry == first.time + timedelta(days=7)
    assert is_one is decisions.ONE_TAG_PER_POINT
    assert days_tagged(policy, "2026-01-01", "2026-02-28") == ["2026-02-01"]


def test_expiry_zone():
    """New York's evening of 31 January is 1 February in UTC: a month later is 1 March, and no clipping."""
    late = policy_of(zone="America/New_York", intervals=["R/2026-01-01T23:30:00-05:00/P1D"], keep={"Default": "P1M"})
    (evening,) = points_of(late, "2026-01-31", "2026-01-31")
    assert evening.expiry == datetime(2026, 3, 1, 4, 30, tzinfo=decisions.EXPIRY_ZONE)
    (clipped,) = points_of(policy_of(keep={"Default": "P1M"}), "2026-01-31", "2026-01-31")
    assert clipped.expiry == datetime(2026, 2, 28, 2, tzinfo=decisions.EXPIRY_ZONE)


@pytest.mark.parametrize(
    ("late", "day"),
    [
        pytest.param(timedelta(0), "2026-01-31", id="in time"),
        pytest.param(decisions.CATCH_UP_AFTER, "2026-01-31", id="an hour late is not yet a catch-up"),
        pytest.param(decisions.CATCH_UP_AFTER + timedelta(microseconds=1), "2026-02-01", id="later is one"),
    ],
)
def test_catch_up_after(late: timedelta, day: str):
    """A slot of 23:59 on a month's last day that starts after midnight stays there, unless it is a catch-up."""
    slot = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    tagged = tag_backup(world().vault.ports, slot_job(slot), policy_of(FIRST_OF_MONTH), slot + late)
    assert tagged.match.day.isoformat() == day


def test_simulation_runs_since_the_anchor():
    """From the 20th on no backup is the first of January any more, unless the schedule began only then."""
    window = ("2026-01-20", "2026-02-02")
    since_years = days_tagged(policy_of(FIRST_OF_MONTH), *window)
    assert (since_years == ["2026-02-01"]) is decisions.SIMULATION_RUNS_SINCE_THE_ANCHOR
    just_begun = policy_of(FIRST_OF_MONTH, intervals=["R/2026-01-20T02:00:00Z/P1D"])
    assert days_tagged(just_begun, *window) == ["2026-01-20", "2026-02-01"]
    assert days_tagged(policy_of(FIRST_OF_MONTH), *window, "2026-02-01") == ["2026-02-02"]


def test_suspect_fall_percent():
    """At 60 % less a backup is suspect, at a byte more than that it is not."""
    assert decisions.SUSPECT_FALL_PERCENT == 60
    assert has_fallen(1_000, 400)
    assert not has_fallen(1_000, 401)
