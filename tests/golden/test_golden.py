"""What six policies do in ten years: as it is written down, as the brute force finds it, and as the engine does."""

import pytest

from tests.golden.brute_force import list_points
from tests.golden.comments import COMMENTS
from tests.golden.files import BEGIN, END, NAMES, read_data, read_policy, row_of

each_policy = pytest.mark.parametrize("name", NAMES)


@each_policy
def test_the_brute_force_finds_what_is_written_down(name: str):
    assert [row_of(point) for point in list_points(read_policy(name), BEGIN, END)] == read_data(name)["points"]


@each_policy
def test_every_comment_speaks_of_a_row(name: str):
    data = read_data(name)
    times = {row[0] for row in data["points"]}
    assert [(one["time"], one["comment"]) for one in data["comments"]] == COMMENTS[name]
    assert [one["time"] for one in data["comments"] if one["time"] not in times] == []
