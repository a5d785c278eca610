"""`SECURITY.md` shows exactly the tables that the attacks are asserted against."""

import re
from pathlib import Path

import pytest

from tests.e2e.attacks.outcomes import MEANINGS, Outcome, write_tables

PAGE = (Path(__file__).parents[3] / "SECURITY.md").read_text()


@pytest.mark.parametrize("name", write_tables())
def test_the_page_shows_the_table_that_is_asserted(name: str) -> None:
    shown = re.findall(rf"^<!-- table: {name} -->\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert shown == [f"{write_tables()[name]}\n"]


def test_every_word_of_the_tables_is_explained() -> None:
    assert set(MEANINGS) == set(Outcome)
