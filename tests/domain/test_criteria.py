"""Tagging criteria as clients write them: what is understood, and every mistake with its place."""

from collections.abc import Mapping
from datetime import UTC, time, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.criteria import read_tags
from flexvault.domain.mistakes import Mistakes
from flexvault.domain.tagging import LAST_WEEK, Because, Criterion, TagRule
from tests.golden.writing import tag

PATH = "tags"
DEFAULT = tag("Default", 99, is_default=True)
ALL = {"absoluteCriteria": ["AllBackup"]}


def read(value: Any, zone: tzinfo = UTC) -> tuple[tuple[TagRule, ...], dict[str, str]]:
    """The tags, and JSON path -> what is wrong there."""
    mistakes = Mistakes()
    tags = read_tags(mistakes, PATH, value, zone)
    return tags, {found.target: found.message for found in mistakes.found}


def understood(*tags: Mapping[str, Any], zone: tzinfo = UTC) -> tuple[TagRule, ...]:
    found, wrong = read([DEFAULT, *tags], zone)
    assert wrong == {}
    return found


def criterion_of(members: Mapping[str, Any], zone: tzinfo = UTC) -> Criterion:
    (rule, _) = understood(tag("Tag", 1, members), zone=zone)
    (criterion,) = rule.criteria
    return criterion


MEMBERS = [
    pytest.param(
        {"absoluteCriteria": ["FirstOfMonth", "AllBackup"]},
        Criterion(absolute=(Because.FIRST_OF_MONTH, Because.ALL_BACKUP)),
        id="absolute criteria keep their order",
    ),
    pytest.param({"daysOfTheWeek": ["Sunday", "Monday"]}, Criterion(weekdays=frozenset({0, 6})), id="weekdays"),
    pytest.param(
        {"weeksOfTheMonth": ["First", "Second", "Third", "Fourth", "Last"]},
        Criterion(weeks=frozenset({1, 2, 3, 4, LAST_WEEK})),
        id="weeks of the month",
    ),
    pytest.param({"monthsOfYear": ["January", "December"]}, Criterion(months=frozenset({1, 12})), id="months"),
    pytest.param(
        {"daysOfMonth": [{"date": 1}, {"date": 31, "isLast": False}, {"date": 5, "isLast": None}]},
        Criterion(days=frozenset({1, 5, 31})),
        id="days of the month",
    ),
    pytest.param({"daysOfMonth": [{"isLast": True}]}, Criterion(last_day=True), id="the last day"),
    pytest.param({"daysOfMonth": [{"date": 0, "isLast": True}]}, Criterion(last_day=True), id="the last day, date 0"),
    pytest.param(
        {"scheduleTimes": ["2026-01-05T02:00:00Z", "2026-01-05T14:30:00"]},
        Criterion(times=frozenset({time(2), time(14, 30)})),
        id="schedule times",
    ),
    pytest.param(
        {"absoluteCriteria": ["firstofweek"], "daysOfTheWeek": ["MONDAY"], "weeksOfTheMonth": ["last"],
         "monthsOfYear": ["may"]},
        Criterion(absolute=(Because.FIRST_OF_WEEK,), weekdays=frozenset({0}), weeks=frozenset({LAST_WEEK}),
                  months=frozenset({5})),
        id="words in any case",
    ),
    pytest.param(
        {"absoluteCriteria": ["FirstOfYear"], "daysOfMonth": None, "daysOfTheWeek": None, "monthsOfYear": None,
         "scheduleTimes": None, "weeksOfTheMonth": None},
        Criterion(absolute=(Because.FIRST_OF_YEAR,)),
        id="nulls of what is not given (Terraform)",
    ),
    pytest.param(
        {"daysOfTheWeek": ["Monday"], "monthsOfYear": ["May"], "scheduleTimes": [], "weeksOfTheMonth": ["First"]},
        Criterion(weekdays=frozenset({0}), months=frozenset({5}), weeks=frozenset({1})),
        id="members that are absent or empty",
    ),
    pytest.param({**ALL, "objectType": None}, Criterion(absolute=(Because.ALL_BACKUP,)), id="objectType null"),
    pytest.param({**ALL, "objectType": "scheduleBasedBackupCriteria"}, Criterion(absolute=(Because.ALL_BACKUP,)),
                 id="objectType in another case"),
    pytest.param({**ALL, "comment": 5}, Criterion(absolute=(Because.ALL_BACKUP,)), id="unknown members"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), MEMBERS)
def test_a_criterion_is_read(members: dict[str, Any], expected: Criterion):
    assert criterion_of(members) == expected


def test_schedule_times_are_turned_into_the_policys_zone():
    india = timezone(timedelta(hours=5, minutes=30))
    assert criterion_of({"scheduleTimes": ["2026-01-05T22:00:00Z"]}, india).times == {time(3, 30)}


def test_tags_stand_in_the_order_in_which_they_are_tried():
    tags = understood(tag("B", 99, ALL), tag("A", 99, ALL), tag("C", 5, ALL))
    assert [(rule.name, rule.is_default) for rule in tags] == [
        ("C", False),
        ("B", False),
        ("A", False),
        ("Default", True),
    ]


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({**DEFAULT, "criteria": None}, id="criteria null (Terraform)"),
        pytest.param({**DEFAULT, "criteria": []}, id="criteria empty"),
        pytest.param(
            {**DEFAULT, "tagInfo": {"id": "Default_", "tagName": "default", "eTag": None}}, id="in lower case"
        ),
    ],
)
def test_the_default_tag_of_real_clients_is_understood(written: dict[str, Any]):
    tags, wrong = read([written])
    assert (tags, wrong) == ((TagRule(name="Default", priority=99),), {})


def test_isdefault_that_is_absent_or_null_is_false():
    bare = {name: value for name, value in tag("Tag", 1, ALL).items() if name != "isDefault"}
    for written in (bare, {**bare, "isDefault": None}):
        assert [rule.name for rule in understood(written)] == ["Tag", "Default"]


def wrong_member(**members: Any) -> Any:
    return [DEFAULT, tag("Tag", 1, members)]


CRITERION = f"{PATH}[1].criteria[0]"
# (the list, path of the mistake, a part of what is said)
MISTAKES = [
    pytest.param(None, PATH, "default criterion", id="nothing"),
    pytest.param([], PATH, "default criterion", id="an empty list"),
    pytest.param({}, PATH, "default criterion", id="an object"),
    pytest.param([tag("Tag", 1, ALL)], PATH, "default criterion", id="no default"),
    pytest.param([DEFAULT, DEFAULT], f"{PATH}[1].isDefault", "second time", id="two defaults"),
    pytest.param([DEFAULT, tag("Tag", 1, ALL), tag("TAG", 2, ALL)], f"{PATH}[2].tagInfo.tagName", f"{PATH}[1]",
                 id="two entries of one tag"),
    pytest.param([DEFAULT, {**tag("Tag", 1, ALL), "tagInfo": {}}], f"{PATH}[1].tagInfo.tagName", "missing", id="no name"),
    pytest.param([DEFAULT, {**tag("Tag", 1, ALL), "tagInfo": None}], f"{PATH}[1].tagInfo.tagName", "missing",
                 id="no tagInfo"),
    pytest.param([DEFAULT, 7], f"{PATH}[1].tagInfo.tagName", "missing", id="a tag that is a number"),
    pytest.param([DEFAULT, {**tag("Tag", 1, ALL), "taggingPriority": None}], f"{PATH}[1].taggingPriority", "whole number",
                 id="no priority"),
    pytest.param([DEFAULT, {**tag("Tag", 1, ALL), "taggingPriority": 1.5}], f"{PATH}[1].taggingPriority", "whole number",
                 id="half a priority"),
    pytest.param([{**DEFAULT, "isDefault": False}], f"{PATH}[0].isDefault", "must be true", id="Default that is none"),
    pytest.param([DEFAULT, {**tag("Tag", 1, ALL), "isDefault": "no"}], f"{PATH}[1].isDefault", "true or false",
                 id="isDefault as a text"),
    pytest.param([{**DEFAULT, "criteria": [ALL]}], f"{PATH}[0].criteria", "must be empty", id="criteria of the default"),
    pytest.param([DEFAULT, tag("Tag", 1)], f"{PATH}[1].criteria", "at least one criterion", id="a tag without criteria"),
    pytest.param([DEFAULT, {**tag("Tag", 1), "criteria": None}], f"{PATH}[1].criteria", "at least one criterion",
                 id="a tag with null criteria"),
    pytest.param([DEFAULT, {**tag("Tag", 1), "criteria": ["x"]}], CRITERION, "no object", id="a criterion that is a text"),
    pytest.param(wrong_member(), CRITERION, "names nothing", id="a criterion that names nothing"),
    pytest.param(wrong_member(daysOfTheWeek=[], monthsOfYear=None), CRITERION, "names nothing",
                 id="a criterion of nulls and empty lists"),
    pytest.param(wrong_member(**ALL, objectType="Other"), f"{CRITERION}.objectType", "ScheduleBasedBackupCriteria",
                 id="another object type"),
    pytest.param(wrong_member(absoluteCriteria=["FirstOfQuarter"]), f"{CRITERION}.absoluteCriteria[0]",
                 "FirstOfMonth", id="an absolute criterion that is none"),
    pytest.param(wrong_member(absoluteCriteria="AllBackup"), f"{CRITERION}.absoluteCriteria", "not a list", id="a text"),
    pytest.param(wrong_member(daysOfTheWeek=["Monday", "Mon"]), f"{CRITERION}.daysOfTheWeek[1]", "'Mon' is none of",
                 id="a short weekday"),
    pytest.param(wrong_member(daysOfTheWeek=[1]), f"{CRITERION}.daysOfTheWeek[0]", "none of", id="a weekday's number"),
    pytest.param(wrong_member(weeksOfTheMonth=["Fifth"]), f"{CRITERION}.weeksOfTheMonth[0]", "none of", id="a fifth week"),
    pytest.param(wrong_member(monthsOfYear=["Jan"]), f"{CRITERION}.monthsOfYear[0]", "none of", id="a short month"),
    pytest.param(wrong_member(daysOfMonth=[{"date": 0}]), f"{CRITERION}.daysOfMonth[0]", "1 to 31", id="day 0"),
    pytest.param(wrong_member(daysOfMonth=[{"date": 32}]), f"{CRITERION}.daysOfMonth[0]", "1 to 31", id="day 32"),
    pytest.param(wrong_member(daysOfMonth=[{"date": "5"}]), f"{CRITERION}.daysOfMonth[0]", "1 to 31", id="day as a text"),
    pytest.param(wrong_member(daysOfMonth=[{"date": True}]), f"{CRITERION}.daysOfMonth[0]", "1 to 31", id="day true"),
    pytest.param(wrong_member(daysOfMonth=[{}]), f"{CRITERION}.daysOfMonth[0]", "isLast true", id="no day at all"),
    pytest.param(wrong_member(daysOfMonth=[5]), f"{CRITERION}.daysOfMonth[0]", "no object", id="a bare number"),
    pytest.param(wrong_member(daysOfMonth=[{"isLast": "yes"}]), f"{CRITERION}.daysOfMonth[0]", "true or false",
                 id="isLast as a text"),
    pytest.param(wrong_member(scheduleTimes=["02:00"]), f"{CRITERION}.scheduleTimes[0]", "no date and time", id="no date"),
    pytest.param(wrong_member(scheduleTimes=[2]), f"{CRITERION}.scheduleTimes[0]", "no date and time", id="a number"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "path", "text"), MISTAKES)
def test_a_mistake_is_named_by_its_json_path_and_says_what_is_right(value: Any, path: str, text: str):
    _, wrong = read(value)
    assert text in wrong[path]


def test_a_time_at_the_end_of_the_calendar_is_a_mistake():
    _, wrong = read(wrong_member(scheduleTimes=["9999-12-31T23:00:00Z"]), timezone(timedelta(hours=14)))
    assert "end of the calendar" in wrong[f"{CRITERION}.scheduleTimes[0]"]


def test_all_mistakes_of_all_criteria_are_told_at_once():
    first = {"daysOfTheWeek": ["Mon", "Tue"], "monthsOfYear": ["Jan"], "daysOfMonth": [{"date": 0}]}
    second = {"absoluteCriteria": ["Never"], "scheduleTimes": ["noon"]}
    _, wrong = read([{**tag("Tag", 1, first, second), "taggingPriority": "1"}])
    inner = f"{PATH}[0].criteria"
    assert set(wrong) == {
        PATH,
        f"{PATH}[0].taggingPriority",
        f"{inner}[0].daysOfTheWeek[0]",
        f"{inner}[0].daysOfTheWeek[1]",
        f"{inner}[0].monthsOfYear[0]",
        f"{inner}[0].daysOfMonth[0]",
        f"{inner}[1].absoluteCriteria[0]",
        f"{inner}[1].scheduleTimes[0]",
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tagInfo", "tagName", "criteria", "isDefault", "daysOfMonth", "date", "isLast"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=50)
@given(value=json_values, member=st.sampled_from(["daysOfMonth", "scheduleTimes", "absoluteCriteria", "daysOfTheWeek"]))
def test_no_json_breaks_the_reader(value: Any, member: str):
    read(value)
    read([DEFAULT, tag("Tag", 1, {member: value})])
    read([DEFAULT, {**tag("Tag", 1), "criteria": value}])
