"""Which step follows which, when to look again, and how a failure is told."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.job import (
    STEPS,
    Failure,
    InvalidTransitionError,
    JobStatus,
    Operation,
    Outcome,
    Step,
    closes_as,
    may_start_next_attempt,
    next_step,
    predict_wait,
)

FOLLOWERS = {
    Operation.BACKUP: "Preparing Starting Polling Promoting Sealing Closing",
    Operation.RESTORE: "Probing Copying Finishing Closing",
    Operation.CONFIGURE: "Granting Verifying Recording Closing",
    Operation.RETENTION: "Planning Executing Closing",
    Operation.VERIFY: "Indexing Counting Concluding Closing",
}
NEW_ATTEMPT_FROM = {"Starting", "Polling", "Promoting"}


def expected(operation: Operation, step: Step, outcome: Outcome) -> str | None:
    """The table, written a second time: the name of the next step, nothing at the end, "never" for no move."""
    order = FOLLOWERS[operation].split()
    if step not in order:
        return "never"
    is_closing = step == "Closing"
    match outcome:
        case Outcome.AGAIN:
            return step.value
        case Outcome.DONE:
            return None if is_closing else order[order.index(step) + 1]
        case Outcome.CLOSE:
            return "never" if is_closing else "Closing"
        case Outcome.NEXT_ATTEMPT:
            return "Preparing" if operation is Operation.BACKUP and step in NEW_ATTEMPT_FROM else "never"


@pytest.mark.parametrize(("operation", "step", "outcome"), list(product(Operation, Step, Outcome)))
def test_every_step_and_outcome_has_one_follower_or_none(operation: Operation, step: Step, outcome: Outcome):
    wanted = expected(operation, step, outcome)
    if wanted == "never":
        with pytest.raises(InvalidTransitionError):
            next_step(operation, step, outcome)
    else:
        assert next_step(operation, step, outcome) == wanted


def test_every_operation_ends_by_closing():
    assert all(steps[-1] is Step.CLOSING for steps in STEPS.values())


FLOORS = (180.0, 600.0, 1200.0, 1800.0)


@given(polls=st.integers(0, 500), percent=st.none() | st.floats(-50, 250), minutes=st.integers(0, 10_000))
def test_a_look_is_never_sooner_than_the_first_floor_nor_later_than_the_last(
    polls: int, percent: float | None, minutes: int
):
    wait = predict_wait(FLOORS, polls, percent, timedelta(minutes=minutes)).total_seconds()
    assert FLOORS[0] <= wait <= FLOORS[-1]


@pytest.mark.parametrize(
    ("polls", "percent", "minutes", "seconds"),
    [
        pytest.param(0, 50, 10, 180, id="the first look finds early failures"),
        pytest.param(1, None, 10, 600, id="without a percentage the floors in turn"),
        pytest.param(9, None, 10, 1800, id="and the last floor from then on"),
        pytest.param(1, 0, 10, 600, id="0 percent says nothing"),
        pytest.param(1, 50, 20, 1080, id="90 percent of the rest"),
        pytest.param(1, 99, 20, 180, id="nearly over"),
        pytest.param(1, 100, 20, 180, id="over, but not said so"),
        pytest.param(1, 140, 20, 180, id="more than all"),
        pytest.param(1, 1, 600, 1800, id="far from over"),
    ],
)
def test_the_next_look_follows_the_percentage(polls: int, percent: float | None, minutes: int, seconds: float):
    assert predict_wait(FLOORS, polls, percent, timedelta(minutes=minutes)).total_seconds() == pytest.approx(seconds)


START = datetime(2026, 1, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("failures", "hours", "interval_hours", "may"),
    [
        (1, 1, 24, True),
        (2, 11, 24, True),
        (3, 1, 24, False),
        (1, 12, 24, False),
        (1, 11.99, 24, True),
        (1, 90, None, True),
    ],
)
def test_there_are_three_attempts_and_none_in_the_second_half(
    failures: int, hours: float, interval_hours: float | None, may: bool
):
    follower = None if interval_hours is None else START + timedelta(hours=interval_hours)
    assert may_start_next_attempt(failures, START + timedelta(hours=hours), START, follower) is may


def test_a_failure_is_told_as_azure_backup_tells_it():
    failure = Failure(code="C", message="m", recommended_action="do", inner_code="I", is_retryable=True)
    assert failure.to_json() == {
        "code": "C",
        "message": "m",
        "recommendedAction": ["do"],
        "isRetryable": True,
        "isUserError": True,
        "innerError": {"code": "I"},
    }
    assert "innerError" not in Failure(code="C", message="m").to_json()
    assert Failure(code="C", message="m").to_json()["recommendedAction"] == []


def test_closing_keeps_the_status_and_the_error_for_whoever_finishes():
    result = closes_as(JobStatus.FAILED, Failure(code="C", message="m"), failures=2)
    assert result.outcome is Outcome.CLOSE
    state = dict(result.state or {})
    assert (state["closing_status"], state["failures"], state["closing_error"]["code"]) == ("Failed", 2, "C")
    assert "closing_error" not in (closes_as(JobStatus.COMPLETED).state or {})
