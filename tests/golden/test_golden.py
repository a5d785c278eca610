"""What six policies do in ten years: as it is written down, as the brute force finds it, and as the engine does.

And any policies for some months: the brute force and the engine find the same.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings

from flexvault.domain.policy import parse_policy
from flexvault.domain.simulation import simulate
from tests.golden.brute_force import list_points
from tests.golden.comments import COMMENTS
from tests.golden.files import BEGIN, END, NAMES, read_data, read_policy, row_of
from tests.golden.strategies import Case, cases

each_policy = pytest.mark.parametrize("name", NAMES)


@each_policy
def test_the_brute_force_finds_what_is_written_down(name: str):
    assert [row_of(point) for point in list_points(read_policy(name), BEGIN, END)] == read_data(name)["points"]


@each_policy
def test_the_engine_finds_what_is_written_down(name: str):
    points = simulate(parse_policy(read_policy(name)), BEGIN, END, failures=frozenset())
    assert [row_of(point) for point in points] == read_data(name)["points"]


@each_policy
def test_every_comment_speaks_of_a_row(name: str):
    data = read_data(name)
    times = {row[0] for row in data["points"]}
    assert [(one["time"], one["comment"]) for one in data["comments"]] == COMMENTS[name]
    assert [one["time"] for one in data["comments"] if one["time"] not in times] == []


def seen(points: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [(point.time, point.tags, point.tag, point.expiry, point.deleted_at) for point in points]


def check(case: Case) -> None:
    expected = list_points(case.properties, case.begin, case.end, case.failures)
    found = simulate(parse_policy(case.properties), case.begin, case.end, failures=case.failures)
    assert seen(found) == seen(expected)


@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_the_engine_and_the_brute_force_find_the_same(case: Case):
    check(case)


@pytest.mark.long
@settings(max_examples=2000, deadline=None)
@given(case=cases())
def test_the_engine_and_the_brute_force_find_the_same_in_many_cases(case: Case):
    check(case)
