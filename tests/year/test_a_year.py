"""A year of backups and retention through the real services and orchestrators: what exists is what the policy says."""

from datetime import UTC, date, datetime, time
from itertools import filterfalse

import pytest

from flexvault.domain import blob_names
from flexvault.domain.job import JobStatus, Operation
from flexvault.services import catalog
from flexvault.services.breaker import read_breaker
from tests.builders import add_tag, policy_properties
from tests.year.days import A_DAY, Days, Outage, Troubles, days_under

DAILY = policy_properties("R/2026-01-05T02:00:00+01:00/P1D", keep_for="P7D", zone="Europe/Berlin")
WEEKLY = add_tag(DAILY, "Weekly", 20, "P5W", absoluteCriteria=["FirstOfWeek"])
MONTHLY = add_tag(WEEKLY, "Monthly", 15, "P6M", absoluteCriteria=["FirstOfMonth"])
GENERATIONS = add_tag(MONTHLY, "Yearly", 10, "P10Y", absoluteCriteria=["FirstOfYear"])
TROUBLES = Troubles(
    failures={
        *(date(2026, 1, 12) + days * A_DAY for days in range(2)),  # the first two of a week
        date(2026, 2, 1),  # the first of a month
        *(date(2026, 6, 20) + days * A_DAY for days in range(9)),  # longer than a daily point is kept
        date(2027, 1, 1),  # the first of a year
    },
    hiccups={date(2026, 1, 20), date(2026, 3, 2), date(2026, 8, 31)},
    outages=(
        # While a backup runs, until hours after the slot of another day: three points expire that no plan announced.
        Outage(begin=datetime(2026, 2, 10, 1, 5, tzinfo=UTC), end=datetime(2026, 2, 13, 18, 40, tzinfo=UTC)),
        Outage(begin=datetime(2026, 10, 24, 0, 3, tzinfo=UTC), end=datetime(2026, 10, 26, 9, 15, tzinfo=UTC)),
    ),
)


AFTER_RETENTION = time(3, 40)


def days_to_compare(until: date) -> list[date]:
    """Every Sunday, the first of every month, and the last day."""
    first = date(2026, 1, 6)
    days = [first + number * A_DAY for number in range((until - first).days)]
    return [*(day for day in days if day.day == 1 or day.weekday() == 6), until]


def live_and_compare(days: Days, until: date) -> None:
    for day in filterfalse(days.sleeps_on, days_to_compare(until)):
        days.live_until(datetime.combine(day, AFTER_RETENTION, UTC))
        assert days.sealed() == days.expected(), day
        assert len(days.stored()) == len(days.sealed())
    assert days.events("RetentionBreakerTripped") == []
    assert not read_breaker(days.world.vault.ports).is_tripped
    assert days.world.open_jobs() == []


def require_that_troubles_happened(days: Days) -> None:
    """Else the test would prove nothing."""
    backups = [job for job in days.world.jobs() if job.operation is Operation.BACKUP]
    failed = {job.started_at.date() for job in backups if job.status is JobStatus.FAILED}
    missed = catalog.list_missed(days.world.vault.ports, days.world.instance().key)
    assert failed == TROUBLES.failures
    assert [record["count"] for record in missed] == [2, 1]
    assert set(days.catch_ups) == {outage.end.date() for outage in TROUBLES.outages}
    assert len(plans(days)) > 350


def plans(days: Days) -> list[str]:
    return [blob.name for blob in days.world.vault.ports.vault_reader.list_blobs(blob_names.PLANS, "")]


A_YEAR_LATER = date(2027, 1, 9)


@pytest.mark.parametrize(
    "until",
    [
        pytest.param(date(2026, 4, 1), id="a quarter"),
        pytest.param(A_YEAR_LATER, id="a year", marks=pytest.mark.long),
    ],
)
def test_the_points_that_exist_are_those_of_the_simulated_policy(until: date):
    days = days_under(GENERATIONS)
    live_and_compare(days, until)


def test_they_are_so_too_when_backups_fail_and_the_control_plane_sleeps():
    days = days_under(GENERATIONS, TROUBLES)
    live_and_compare(days, A_YEAR_LATER)
    require_that_troubles_happened(days)


def test_weekly_backups_that_are_kept_a_week_never_trip_the_breaker():
    days = days_under(policy_properties("R/2026-01-05T01:00:00+00:00/P1W", keep_for="P7D"))
    live_and_compare(days, A_YEAR_LATER)


def test_after_so_long_a_sleep_that_plans_did_not_look_ahead_to_its_end_nothing_is_deleted_and_backups_go_on():
    begin, end = datetime(2026, 2, 10, 1, 5, tzinfo=UTC), datetime(2026, 2, 14, 18, 40, tzinfo=UTC)
    days = days_under(GENERATIONS, Troubles(outages=(Outage(begin=begin, end=end),)))
    days.live_until(begin)
    before = days.sealed()
    days.live_until(datetime(2026, 2, 17, 3, 40, tzinfo=UTC))
    assert before <= days.sealed()
    assert [time.date().day for time, _, _ in sorted(days.sealed() - before)] == [10, 14, 15, 16, 17]
    (trip,) = read_breaker(days.world.vault.ports).trips
    assert trip["code"] == "TooManyDeletions"
