"""Which changes of a policy keep less than before, and so need a second person: a table of old and new."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.durations import add_duration, is_sometimes_shorter
from flexvault.domain.policy import parse_policy
from flexvault.domain.policy_change import SHOWN, find_weakenings, find_weakenings_of
from tests.builders import add_tag, policy_properties

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAILY = policy_properties()
FIRST_OF_MONTH = {"absoluteCriteria": ["FirstOfMonth"]}
MONTHLY = add_tag(DAILY, "Monthly", 15, "P1Y", **FIRST_OF_MONTH)
MONDAYS = {"daysOfTheWeek": ["Monday"]}


def keeping(duration: str) -> dict[str, Any]:
    return policy_properties(keep_for=duration)


def scheduled(*intervals: str, zone: str = "UTC") -> dict[str, Any]:
    """The builder's policy on another schedule."""
    properties = policy_properties(zone=zone)
    properties["policyRules"][0]["trigger"]["schedule"]["repeatingTimeIntervals"] = list(intervals)
    return properties


def weekly(*days: int, time: str = "T02:00:00Z") -> dict[str, Any]:
    """On some days of the week; 5 is Monday, 11 is Sunday: the days of January 2026."""
    return scheduled(*(f"R/2026-01-{day:02d}{time}/P1W" for day in days))


def without_tag(properties: dict[str, Any], name: str) -> dict[str, Any]:
    """The same policy without a tag; its rule stays."""
    changed = deepcopy(properties)
    trigger = changed["policyRules"][0]["trigger"]
    trigger["taggingCriteria"] = [one for one in trigger["taggingCriteria"] if one["tagInfo"]["tagName"] != name]
    return changed


WEEKLY_FIRST = add_tag(add_tag(DAILY, "Monthly", 10, "P1Y", **FIRST_OF_MONTH), "Weekly", 20, "P2M", **MONDAYS)
MONTHLY_LOSES = add_tag(add_tag(DAILY, "Monthly", 20, "P1Y", **FIRST_OF_MONTH), "Weekly", 10, "P2M", **MONDAYS)

WEAKER = [
    pytest.param(DAILY, keeping("P7D"), "the rule 'Default' keeps P7D instead of P1M", id="shorter"),
    pytest.param(DAILY, keeping("P30D"), "P30D instead of P1M", id="P1M to P30D: shorter in a month of 31 days"),
    pytest.param(keeping("P30D"), DAILY, "P1M instead of P30D", id="P30D to P1M: shorter in February"),
    pytest.param(keeping("P1Y"), keeping("P365D"), "P365D instead of P1Y", id="P1Y to P365D: shorter in a leap year"),
    pytest.param(MONTHLY, add_tag(DAILY, "Monthly", 15, "P11M", **FIRST_OF_MONTH), "'Monthly' keeps P11M",
                 id="a tag's rule is shorter"),
    pytest.param(MONTHLY, DAILY, "tagged 'Default' (P1M) instead of 'Monthly' (P1Y)", id="a tag is removed with its rule"),
    pytest.param(MONTHLY, without_tag(MONTHLY, "Monthly"), "tagged 'Default'", id="a tag is removed, its rule stays"),
    pytest.param(MONTHLY, add_tag(DAILY, "Mensual", 15, "P6M", **FIRST_OF_MONTH), "tagged 'Mensual' (P6M)",
                 id="a tag is renamed, and shorter"),
    pytest.param(MONTHLY, add_tag(DAILY, "Monthly", 15, "P1Y", **FIRST_OF_MONTH, **MONDAYS), "tagged 'Default'",
                 id="criteria are narrowed: the first of a month only if it ran on a Monday"),
    pytest.param(MONTHLY, add_tag(DAILY, "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfYear"]), "tagged 'Default'",
                 id="the first of a year instead of a month"),
    pytest.param(MONTHLY, add_tag(DAILY, "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfWeek"]), "of 2026-07-01",
                 id="the first of a week instead of a month: a Sunday is none"),
    pytest.param(add_tag(DAILY, "Leap", 1, "P10Y", daysOfMonth=[{"date": 29}], monthsOfYear=["February"]), DAILY,
                 "of 2028-02-29", id="a tag is removed that only 29 February has"),
    pytest.param(MONTHLY, add_tag(DAILY, "Monthly", 100, "P1Y", **FIRST_OF_MONTH), "tagged 'Default'",
                 id="the default tag wins by another priority"),
    pytest.param(WEEKLY_FIRST, MONTHLY_LOSES, "tagged 'Weekly' (P2M) instead of 'Monthly' (P1Y)",
                 id="a longer tag loses by another priority"),
    pytest.param(DAILY, add_tag(DAILY, "Short", 1, "P7D", **MONDAYS), "tagged 'Short' (P7D) instead of 'Default' (P1M)",
                 id="a new tag that is shorter"),
    pytest.param(add_tag(weekly(5), "Monday", 1, "P1Y", **MONDAYS), weekly(6), "of 2026-06-01",
                 id="a tag is removed together with the weekday that had it"),
    pytest.param(DAILY, scheduled("R/2026-01-05T02:00:00Z/P2D"), "longest time between two backups grows",
                 id="rarer: every second day"),
    pytest.param(DAILY, weekly(5), "longest time between two backups grows", id="rarer: weekly"),
    pytest.param(scheduled("R/2026-01-05T02:00:00Z/PT12H"), DAILY, "longest time between two backups grows",
                 id="rarer: once instead of twice a day"),
    pytest.param(weekly(5, 6, 7, 8), weekly(5, 8), "the backups in 364 days become 104 instead of 208",
                 id="fewer weekdays with the same longest gap of four days"),
    pytest.param(DAILY, scheduled("R/2026-07-01T02:00:00Z/P1D"), "next backup moves from 2026-06-01T02:00Z to 2026-07-01T02:00Z",
                 id="a later begin, weeks ahead"),
    pytest.param(DAILY, scheduled("R/2026-06-03T02:00:00Z/P1D"), "next backup moves from 2026-06-01T02:00Z to 2026-06-03T02:00Z",
                 id="a later begin, two days ahead"),
    pytest.param(scheduled("R/2027-01-05T02:00:00Z/P1D"), scheduled("R/2027-01-05T03:00:00Z/P1D"), "next backup moves from 2027-01-05T02:00Z to 2027-01-05T03:00Z",
                 id="neither has begun yet, the new one begins later"),
    pytest.param(scheduled("R/2026-01-05T02:00:00Z/PT24H"), scheduled(*["R/2026-01-05T02:00:00Z/PT25H"] * 40),
                 "longest time between two backups grows", id="an hour rarer, forty times the same interval"),
    pytest.param(add_tag(policy_properties(zone="UTC"), "Last", 5, "P1Y", daysOfMonth=[{"isLast": True}]),
                 add_tag(policy_properties(zone="America/New_York"), "Last", 5, "P1Y", daysOfMonth=[{"isLast": True}]),
                 "tagged 'Default'", id="another zone: 02:00 UTC is the day before in New York"),
]  # fmt: skip

AS_MUCH = [
    pytest.param(DAILY, DAILY, id="nothing"),
    pytest.param(DAILY, keeping("P2M"), id="longer"),
    pytest.param(DAILY, keeping("P31D"), id="P1M to P31D: never shorter"),
    pytest.param(keeping("P1Y"), keeping("P12M"), id="P1Y to P12M: the same"),
    pytest.param(keeping("P1W"), keeping("P7D"), id="P1W to P7D: the same"),
    pytest.param(DAILY, MONTHLY, id="a tag is added that is longer"),
    pytest.param(MONTHLY, add_tag(DAILY, "Mensual", 15, "P1Y", **FIRST_OF_MONTH), id="a tag is renamed"),
    pytest.param(MONTHLY, add_tag(DAILY, "MONTHLY", 15, "P1Y", **FIRST_OF_MONTH), id="in another case"),
    pytest.param(add_tag(DAILY, "Keep", 0, "P10Y"), DAILY, id="a rule is removed that no backup has by schedule"),
    pytest.param(MONTHLY, add_tag(DAILY, "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfMonth", "FirstOfWeek"]),
                 id="criteria are widened"),
    pytest.param(MONTHLY, add_tag(DAILY, "Monthly", 98, "P1Y", **FIRST_OF_MONTH), id="another priority that changes nothing"),
    pytest.param(MONTHLY_LOSES, WEEKLY_FIRST, id="a longer tag wins by another priority"),
    pytest.param(DAILY, scheduled("R/2026-01-05T02:00:00Z/PT6H"), id="more frequent"),
    pytest.param(weekly(5), DAILY, id="daily instead of weekly"),
    pytest.param(weekly(5, 8), weekly(5, 6, 7, 8), id="more weekdays"),
    pytest.param(DAILY, scheduled("R/2026-01-05T14:30:00Z/P1D"), id="another time of day"),
    pytest.param(MONTHLY, add_tag(scheduled("R/2026-01-05T23:00:00Z/P1D"), "Monthly", 15, "P1Y", **FIRST_OF_MONTH),
                 id="another time of day, with a tag"),
    pytest.param(weekly(5), weekly(7), id="another weekday"),
    pytest.param(DAILY, policy_properties(zone="Europe/Berlin"), id="another zone, no tag but the default one"),
    pytest.param(DAILY, scheduled("R/2026-06-01T12:00:00Z/P1D"), id="a later begin, within the day"),
    pytest.param(DAILY, scheduled("R/2024-01-05T02:00:00Z/P1D"), id="an earlier begin"),
    pytest.param(scheduled("R/2024-01-05T02:00:00Z/P1D"), DAILY, id="a later begin that has passed"),
    pytest.param(scheduled("R/2027-01-05T02:00:00Z/P1D"), scheduled("R/2027-01-05T01:00:00Z/P1D"),
                 id="neither has begun yet, the new one begins no later"),
]  # fmt: skip


def weakenings(old: dict[str, Any], new: dict[str, Any], as_of: datetime = NOW) -> tuple[str, ...]:
    return find_weakenings(parse_policy(old), parse_policy(new), as_of)


@pytest.mark.parametrize(("old", "new", "text"), WEAKER)
def test_what_keeps_less_says_of_what(old: dict[str, Any], new: dict[str, Any], text: str):
    assert any(text in found for found in weakenings(old, new)), weakenings(old, new)


@pytest.mark.parametrize(("old", "new"), AS_MUCH)
def test_what_keeps_as_much_needs_nobody(old: dict[str, Any], new: dict[str, Any]):
    assert weakenings(old, new) == ()


def test_a_later_begin_is_judged_by_the_moment_of_the_change():
    begins = scheduled("R/2026-06-03T02:00:00Z/P1D")
    assert weakenings(DAILY, begins, NOW) != ()
    assert weakenings(DAILY, begins, NOW + timedelta(days=2)) == ()


def test_each_pair_of_tags_is_told_once_and_at_most_some():
    old, new = DAILY, DAILY
    for number, month in enumerate(("January", "February", "March", "April", "May")):
        old = add_tag(old, f"Month{number}", number, "P1Y", monthsOfYear=[month])
    found = weakenings(old, new)
    assert len(found) == SHOWN
    assert all("tagged 'Default' (P1M)" in text for text in found)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        pytest.param(None, DAILY, "cannot read the present policy", id="the old one"),
        pytest.param(DAILY, {"policyRules": []}, "cannot read the new policy", id="the new one"),
    ],
)
def test_what_this_version_cannot_read_may_keep_less(old: Any, new: Any, text: str):
    (found,) = find_weakenings_of(old, new, NOW)
    assert text in found


any_duration = st.sampled_from(
    [
        "P7D",
        "P1M",
        "P28D",
        "P29D",
        "P30D",
        "P31D",
        "P2M",
        "P59D",
        "P60D",
        "P1M4W",
        "P8W",
        "P1Y",
        "P365D",
        "P366D",
        "P52W",
        "P12M",
        "P13M",
        "P1Y1M",
        "P3Y",
        "P1095D",
        "P1096D",
        "P4Y",
    ]
)
durations = st.sampled_from(["P7D", "P30D", "P1M", "P31D", "P3M", "P1Y", "P366D"])
criteria = st.sampled_from(
    [FIRST_OF_MONTH, MONDAYS, {"weeksOfTheMonth": ["Last"]}, {"absoluteCriteria": ["FirstOfWeek"]}]
)
policies = st.builds(
    lambda keep, tags: _with_tags(policy_properties(keep_for=keep), tags),
    durations,
    st.lists(st.tuples(st.integers(1, 4), durations, criteria), max_size=2),
)


def _with_tags(properties: dict[str, Any], tags: list[tuple[int, str, dict[str, Any]]]) -> dict[str, Any]:
    for number, (priority, keep_for, criterion) in enumerate(tags):
        properties = add_tag(properties, f"Tag{number}", priority, keep_for, **criterion)
    return properties


@settings(max_examples=8, deadline=None)
@given(policy=policies)
def test_no_policy_keeps_less_than_itself(policy: dict[str, Any]):
    assert weakenings(policy, policy) == ()


@settings(max_examples=8, deadline=None)
@given(policy=policies)
def test_whatever_the_tags_all_of_them_kept_for_ten_years_keep_no_less(policy: dict[str, Any]):
    longest = deepcopy(policy)
    for rule in longest["policyRules"][1:]:
        rule["lifecycles"][0]["deleteAfter"]["duration"] = "P10Y"
    assert weakenings(policy, longest) == ()


@settings(max_examples=20, deadline=None)
@given(pair=st.tuples(any_duration, any_duration))
def test_of_two_durations_the_one_that_is_shorter_on_some_day_is_found(pair: tuple[str, str]):
    """Judged on every day of four years; the product looks at some of them."""
    one, other = pair
    days = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(4 * 365 + 1)]
    assert is_sometimes_shorter(one, other) is any(add_duration(day, one) < add_duration(day, other) for day in days)


HOURLY = scheduled("R/2026-01-05T00:00:00Z/PT1H")
DECEMBER = add_tag(HOURLY, "December", 1, "P10Y", monthsOfYear=["December"])


def test_a_tag_of_december_is_missed_on_an_hourly_schedule_too():
    assert weakenings(DECEMBER, HOURLY) != ()


def test_a_further_interval_that_begins_later_takes_nothing_away():
    more = scheduled("R/2026-01-05T02:00:00Z/P1D", "R/2027-01-04T14:00:00Z/P1W")
    assert weakenings(DAILY, more) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            add_tag(weekly(5), "Long", 1, "P1Y", **MONDAYS),
            add_tag(weekly(6), "Long", 1, "P1Y", **MONDAYS),
            id="another weekday",
        ),
        pytest.param(
            add_tag(DAILY, "Long", 1, "P1Y", scheduleTimes=["2026-01-05T02:00:00Z"]),
            add_tag(scheduled("R/2026-01-05T14:00:00Z/P1D"), "Long", 1, "P1Y", scheduleTimes=["2026-01-05T02:00:00Z"]),
            id="another time of day",
        ),
    ],
)
def test_a_schedule_that_no_longer_meets_a_longer_tag_keeps_less(old: dict[str, Any], new: dict[str, Any]):
    """Every backup was kept for a year, and none is any more."""
    assert weakenings(old, new) != ()
