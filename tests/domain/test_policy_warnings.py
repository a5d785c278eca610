"""What in a policy will never have an effect: told, not refused."""

from typing import Any

import pytest

from flexvault.domain.policy import parse_policy
from flexvault.domain.policy_warnings import find_policy_warnings
from tests.builders import add_tag, policy_properties

DAILY = policy_properties()
MONDAYS = policy_properties("R/2026-01-05T02:00:00Z/P1W")
ALL = {"absoluteCriteria": ["AllBackup"]}
LEAP_DAY: dict[str, Any] = {"daysOfMonth": [{"date": 29}], "monthsOfYear": ["February"]}


def warned(properties: dict[str, Any]) -> list[tuple[str, str]]:
    """(code, target) of each warning."""
    return [(found.code, found.target) for found in find_policy_warnings(parse_policy(properties))]


def add(properties: dict[str, Any], name: str, priority: int, criterion: dict[str, Any]) -> dict[str, Any]:
    return add_tag(properties, name, priority, "P1Y", **criterion)


MONTHS = {"absoluteCriteria": ["FirstOfMonth"]}
WARNED = [
    pytest.param(add(MONDAYS, "Sunday", 1, {"daysOfTheWeek": ["Sunday"]}), [("TagNeverMatches", "Sunday")],
                 id="a weekday on which nothing is due"),
    pytest.param(add(DAILY, "Never", 1, {"daysOfMonth": [{"date": 30}], "monthsOfYear": ["February"]}),
                 [("TagNeverMatches", "Never")], id="30 February"),
    pytest.param(add(DAILY, "Never", 1, {"daysOfMonth": [{"date": 1}], "weeksOfTheMonth": ["Last"]}),
                 [("TagNeverMatches", "Never")], id="the 1st in the last week of a month"),
    pytest.param(add(DAILY, "Noon", 1, {"scheduleTimes": ["2026-01-05T12:00:00Z"]}), [("TagNeverMatches", "Noon")],
                 id="a time of day at which nothing is due"),
    pytest.param(add(policy_properties("R/2026-01-05T02:00:00Z/P1D", zone="Europe/Berlin"), "Two", 1,
                     {"scheduleTimes": ["2026-01-05T02:00:00+02:00"]}), [("TagNeverMatches", "Two")],
                 id="a time of day that is meant for another zone"),
    pytest.param(add(add(DAILY, "Month", 1, MONTHS), "Year", 2, {"absoluteCriteria": ["FirstOfYear"]}),
                 [("TagNeverChosen", "Year")], id="the year's first loses to the month's first"),
    pytest.param(add(add(DAILY, "All", 1, ALL), "Monday", 2, {"daysOfTheWeek": ["Monday"]}),
                 [("TagNeverChosen", "Monday"), ("TagNeverChosen", "Default")], id="behind a tag that takes every backup"),
    pytest.param(add(DAILY, "Month", 100, MONTHS), [("TagNeverChosen", "Month")], id="behind the default tag"),
    pytest.param(add_tag(DAILY, "Keep", 0, "P1Y"), [("RuleOnlyOnDemand", "Keep")], id="a rule without a tag"),
    pytest.param(add(add(DAILY, "A", 5, MONTHS), "B", 5, {"daysOfTheWeek": ["Monday"]}), [("EqualPriorities", "B")],
                 id="two tags of the same priority"),
    pytest.param(add(DAILY, "A", 99, MONTHS), [("EqualPriorities", "Default")], id="the priority of the default tag"),
]  # fmt: skip


@pytest.mark.parametrize(("properties", "expected"), WARNED)
def test_what_has_no_effect_is_told(properties: dict[str, Any], expected: list[tuple[str, str]]):
    assert warned(properties) == expected


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(DAILY, id="the default tag alone"),
        pytest.param(add(DAILY, "Month", 1, MONTHS), id="a tag of a month's first"),
        pytest.param(add(DAILY, "Leap", 1, LEAP_DAY), id="29 February, once in four years"),
        pytest.param(add(policy_properties("R/2097-01-05T02:00:00Z/P1D"), "Leap", 1, LEAP_DAY),
                     id="29 February, where a century's leap day is left out"),
        pytest.param(add(MONDAYS, "Leap", 1, {**LEAP_DAY, "daysOfMonth": [{"date": 31}], "monthsOfYear": ["December"]}),
                     id="a weekly schedule that meets 31 December in some year"),
        pytest.param(add(add(DAILY, "Year", 1, {"absoluteCriteria": ["FirstOfYear"]}), "Month", 2, MONTHS),
                     id="the year's first before the month's first"),
    ],
)  # fmt: skip
def test_what_has_an_effect_is_not(properties: dict[str, Any]):
    assert warned(properties) == []


def test_a_warning_says_what_it_is_about():
    properties = add(add_tag(MONDAYS, "Keep", 0, "P1Y"), "Sunday", 99, {"daysOfTheWeek": ["Sunday"]})
    texts = [found.message for found in find_policy_warnings(parse_policy(properties))]
    assert texts == [
        "the tag 'Sunday' can never match: no slot of the schedule fits its criteria",
        "no criterion tags a backup 'Keep': only an on-demand backup can ask for this rule",
        "the tags 'Sunday' and 'Default' have the same priority 99: 'Sunday' wins",
    ]


def test_29_february_of_an_hourly_schedule_that_begins_after_it_is_no_never():
    assert warned(add(policy_properties("R/2028-03-05T00:00:00Z/PT1H"), "Leap", 1, LEAP_DAY)) == []
