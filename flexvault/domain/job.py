"""What a job is, which step follows which, and when to look again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flexvault.domain.errors import PermanentError
from flexvault.domain.texts import shorten


class Operation(StrEnum):
    """What a job does; also the first part of its open row's key."""

    BACKUP = "backup"
    RESTORE = "restore"
    CONFIGURE = "configure"
    RETENTION = "retention"
    VERIFY = "verify"


class JobStatus(StrEnum):
    """Azure Backup's words for the state of a job."""

    IN_PROGRESS = "InProgress"
    """It runs, waits for its moment or waits for the server: nothing to do."""
    COMPLETED = "Completed"
    """All of it was done and checked."""
    COMPLETED_WITH_WARNINGS = "CompletedWithWarnings"
    """Done and checked; its warnings name what a person should look at."""
    FAILED = "Failed"
    """Not done; its error names the cause and the next action."""
    CANCELLED = "Cancelled"
    """Nothing was started, because the instance or its schedule changed first."""


class Step(StrEnum):
    """Where a job stands; kept in its open row and moved only by a result."""

    PREPARING = "Preparing"
    STARTING = "Starting"
    POLLING = "Polling"
    PROMOTING = "Promoting"
    SEALING = "Sealing"
    PROBING = "Probing"
    COPYING = "Copying"
    FINISHING = "Finishing"
    GRANTING = "Granting"
    VERIFYING = "Verifying"
    RECORDING = "Recording"
    PLANNING = "Planning"
    EXECUTING = "Executing"
    INDEXING = "Indexing"
    COUNTING = "Counting"
    CONCLUDING = "Concluding"
    CLOSING = "Closing"


class Outcome(StrEnum):
    """What one run of a step came to."""

    DONE = "done"
    """The step is finished: the next one may begin."""
    AGAIN = "again"
    """Look again, after the wait."""
    NEXT_ATTEMPT = "next-attempt"
    """Begin anew with the next attempt's names."""
    CLOSE = "close"
    """The job ends here, with the status and error in the changes."""


_BACKUP = (Step.PREPARING, Step.STARTING, Step.POLLING, Step.PROMOTING, Step.SEALING, Step.CLOSING)
_RESTORE = (Step.PROBING, Step.COPYING, Step.FINISHING, Step.CLOSING)
_CONFIGURE = (Step.GRANTING, Step.VERIFYING, Step.RECORDING, Step.CLOSING)
_RETENTION = (Step.PLANNING, Step.EXECUTING, Step.CLOSING)
_VERIFY = (Step.INDEXING, Step.COUNTING, Step.CONCLUDING, Step.CLOSING)
STEPS: Mapping[Operation, Sequence[Step]] = {
    Operation.BACKUP: _BACKUP,
    Operation.RESTORE: _RESTORE,
    Operation.CONFIGURE: _CONFIGURE,
    Operation.RETENTION: _RETENTION,
    Operation.VERIFY: _VERIFY,
}
_NEW_ATTEMPT_AFTER = frozenset({Step.STARTING, Step.POLLING, Step.PROMOTING})


class InvalidTransitionError(PermanentError):
    """A step came to an outcome that it cannot have."""

    default_code = "InvalidTransition"


def next_step(operation: Operation, step: Step, outcome: Outcome) -> Step | None:
    """Answer the step that follows, or nothing when the job is over.

    Raises:
        InvalidTransitionError: The table has no such move.
    """
    steps = STEPS[operation]
    if step in steps:
        match outcome:
            case Outcome.AGAIN:
                return step
            case Outcome.DONE:
                return None if step is Step.CLOSING else steps[steps.index(step) + 1]
            case Outcome.CLOSE if step is not Step.CLOSING:
                return Step.CLOSING
            case Outcome.NEXT_ATTEMPT if step in _NEW_ATTEMPT_AFTER:
                return Step.PREPARING
            case _:
                pass
    raise InvalidTransitionError(f"a {operation} job cannot go on from {step} by '{outcome}'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of a step answers: only this moves the step."""

    outcome: Outcome
    wait_seconds: float = 0.0
    """How long to wait before the next step is called."""
    state: Mapping[str, Any] | None = None
    """Changes to the open row's state."""
    attempt: int | None = None
    """The attempt to go on with, when it is another one."""
    job: Mapping[str, Any] | None = None
    """Changes to what people see of the job."""


def predict_wait(
    floors_seconds: Sequence[float], polls: int, percent: float | None, running_for: timedelta
) -> timedelta:
    """Answer when to look at a running backup again.

    The first looks find early failures. With a known percentage the next look comes when 90 % of the rest should be
    over, never sooner than the first floor and never later than the last; without one the floors are used in turn.
    """
    floor = timedelta(seconds=floors_seconds[min(polls, len(floors_seconds) - 1)])
    if polls == 0 or percent is None or percent <= 0:
        return floor
    # In seconds, because a tiny percentage makes a rest that no timedelta holds.
    rest_seconds = running_for.total_seconds() * (100 - min(percent, 100)) / percent * 0.9
    return timedelta(seconds=max(floors_seconds[0], min(rest_seconds, floors_seconds[-1])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job failed, as the job shows it and as `errorDetails` says it."""

    code: str
    message: str
    recommended_action: str = ""
    inner_code: str = ""
    is_user_error: bool = True
    is_retryable: bool = False

    def to_json(self) -> dict[str, Any]:
        """Write it as Azure Backup's UserFacingError."""
        facing: dict[str, Any] = {
            "code": self.code,
            "message": shorten(self.message),
            "recommendedAction": [shorten(self.recommended_action, 2_000)] if self.recommended_action else [],
            "isRetryable": self.is_retryable,
            "isUserError": self.is_user_error,
        }
        if self.inner_code:
            facing["innerError"] = {"code": self.inner_code}
        return facing


def closes_as(status: JobStatus, failure: Failure | None = None, **state: Any) -> Result:
    """End a job: the status and error are written before it closes, and who meets them only finishes it."""
    closing: dict[str, Any] = {"closing_status": status.value, **state}
    if failure is not None:
        closing["closing_error"] = failure.to_json()
    return Result(outcome=Outcome.CLOSE, state=closing)


def may_start_next_attempt(failures: int, now: datetime, not_before: datetime, next_slot: datetime | None) -> bool:
    """Say whether a failed attempt is followed by another: at most 3, none in the second half of the interval."""
    if failures >= MAX_ATTEMPTS:
        return False
    return next_slot is None or now < not_before + (next_slot - not_before) / 2


MAX_ATTEMPTS = 3
MAX_TAKEOVERS_WITHOUT_PROGRESS = 4
MAX_DOUBTS = 5
"""Starts without an answer, one after the other, before a job gives up."""


def patience(step: Step, stale_grace: timedelta, *, is_outage: bool) -> timedelta:
    """Answer how long a step may make no progress before the job is closed.

    A step that fails by itself is given up after its takeovers. While a service cannot be reached, nothing is wrong
    with the job: it waits an hour in production, and four while the server may still be writing the dump.
    """
    if not is_outage:
        return timedelta(0)
    return stale_grace * (24 if step is Step.POLLING else 6)
