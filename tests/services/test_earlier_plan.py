"""Which plan a new one is compared with: the newest before it that did not trip, however long ago that was."""

from datetime import UTC, datetime, timedelta

import pytest

from flexvault.domain import blob_names
from flexvault.services.breaker import find_earlier_plans
from flexvault.services.retention_plan import store_plan
from tests.builders import World, world


def with_plans(*moments: datetime) -> World:
    here = world()
    for moment in moments:
        here.clock.advance_to(moment)
        store_plan(here.vault, moment)
    return here


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moments", "as_of", "found"),
    [
        pytest.param([at(2, 1), at(2, 2)], at(2, 3), at(2, 2), id="of the day before"),
        pytest.param([at(1, 30), at(1, 31)], at(2, 1), at(1, 31), id="of the month before"),
        pytest.param([at(1, 30), at(1, 31)], at(3, 31), at(1, 31), id="of a month that is longer ago"),
        pytest.param([at(2, 1), at(2, 3)], at(2, 2), at(2, 1), id="not one of a later moment"),
        pytest.param([at(2, 1), at(2, 2)], at(2, 2), at(2, 1), id="not one of the same moment"),
        pytest.param([at(2, 2)], at(2, 1), None, id="none that is earlier"),
    ],
)
def test_the_earlier_plan_is_the_newest_one_before(moments: list[datetime], as_of: datetime, found: datetime | None):
    earlier = find_earlier_plans(with_plans(*moments).vault.ports, as_of).untripped
    assert (earlier and earlier.as_of) == found


def test_a_plan_that_is_none_is_passed_over_for_one_of_a_month_before():
    here = with_plans(at(1, 31))
    path = blob_names.plan_path(at(2, 1), "0" * 64)
    here.vault.ports.vault_cleaner.create(blob_names.PLANS, path, b"not JSON")
    earlier = find_earlier_plans(here.vault.ports, at(2, 1) + timedelta(days=1)).untripped
    assert earlier is not None
    assert earlier.as_of == at(1, 31)
