"""The example of docs/policies.md is a policy, and means what the page draws."""

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.policy_warnings import find_policy_warnings
from tests.domain.judging import points_of

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
LETTERS = {"Yearly": "Y", "Monthly": "M", "Weekly": "W", "Default": "."}


def example() -> Policy:
    (written,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    body: dict[str, Any] = json.loads(written)
    return parse_policy(body["properties"])


def letters(begin: str, end: str) -> dict[date, str]:
    return {point.day: LETTERS[point.tag] for point in points_of(example(), begin, end)}


def test_the_example_has_nothing_without_effect():
    assert find_policy_warnings(example()) == ()


def test_the_example_makes_of_january_2027_what_is_drawn():
    weeks = re.findall(r"^week (\d+) +([YMW.](?: +[YMW.]){0,6})", PAGE, re.MULTILINE)
    assert [week for week, _ in weeks] == ["53", "1", "2", "3", "4"]
    drawn = "".join(row for _, row in weeks).replace(" ", "")
    days = [date(2027, 1, 1) + timedelta(days=number) for number in range(len(drawn))]
    assert letters("2027-01-01", "2027-01-31") == dict(zip(days, drawn, strict=True))


def test_the_example_makes_of_february_2027_what_is_said():
    tagged = {day.day: letter for day, letter in letters("2027-02-01", "2027-02-28").items() if letter != "."}
    assert tagged == {1: "M", 8: "W", 15: "W", 22: "W"}


def test_the_example_lies_as_a_file_beside_the_command():
    (written,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    kept = json.loads((Path(__file__).parents[2] / "cli" / "gfs.json").read_text())
    assert kept == {"name": "gfs", **json.loads(written)}
