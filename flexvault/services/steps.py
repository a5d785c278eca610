"""Run one step of a job: read the open row once, fence by generation and step, do the effect, write by the ETag held.

Only a result moves the step. A run whose step is not the row's does nothing and answers "look again"; a run of an
older generation, or of a job that is closed, answers "superseded". Who loses a write by ETag reads again: at the
same generation, step and attempt it applies its change to the newer row; otherwise others have the job now.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.azure_codes import ARM_CODES, OPERATION_FAILED
from flexvault.domain.errors import PermanentError, RowChangedError, ThrottledError, TransientError
from flexvault.domain.job import Failure, JobStatus, Operation, Outcome, Result, Step, closes_as, next_step
from flexvault.domain.open_job import OpenJob, encode
from flexvault.domain.rows import Change, Merge, Replace
from flexvault.messages import StepAnswer, StepRequest
from flexvault.ports import Ports
from flexvault.services.vault import Vault
from flexvault.settings import Settings

MAX_TRIES = 20
LONGEST_PAUSE_SECONDS = 900.0


def lease(settings: Settings) -> timedelta:
    """Answer how long a step may go without renewing before its grace begins: stale after 15 minutes in production."""
    return settings.stale_grace / 2


class SupersededError(Exception):
    """Another generation has the job, or it is closed: stop."""


class LookAgainError(Exception):
    """The row's step is another one: do nothing."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.step = step


class StepRun:
    """One run of one step, as an effect sees it."""

    def __init__(self, vault: Vault, request: StepRequest) -> None:
        self._vault = vault
        self._request = request
        self.open = self._read()

    @property
    def ports(self) -> Ports:
        """Answer what the effect may reach."""
        return self._vault.ports

    @property
    def settings(self) -> Settings:
        """Answer the app's settings."""
        return self._vault.settings

    @property
    def vault(self) -> Vault:
        """Answer the whole vault, for services that an effect calls."""
        return self._vault

    def now(self) -> datetime:
        """Answer the time by which slots, staleness and retention are judged."""
        return self.ports.clock.storage_now()

    def record(
        self,
        change: Callable[[OpenJob], Mapping[str, Any]] | None = None,
        *,
        job: Mapping[str, Any] | None = None,
    ) -> OpenJob:
        """Write an intent at the same step, and so renew the lease.

        Args:
            change: Answers the changes of the state from the newest row; may raise LookAgainError instead.
            job: Changes of what people see.

        Raises:
            SupersededError, LookAgainError: The row is not this run's any more; nothing was written.
        """

        def apply(current: OpenJob) -> OpenJob:
            state: Mapping[str, Any] = change(current) if change else {}
            return current.changed(state=state, next_check_at=self.now() + lease(self.settings))

        return self._write(apply, job)

    def finish(self, result: Result) -> StepAnswer:
        """Write a result, which alone moves the step, and answer what comes next."""
        step = self.open.step
        following = next_step(self.open.operation, step, result.outcome)
        wait = timedelta(seconds=result.wait_seconds)
        if following is None:
            return StepAnswer(next=None)

        def apply(current: OpenJob) -> OpenJob:
            state = {**(result.state or {}), "outage": ""}
            moved: dict[str, Any] = {"step": following, "next_check_at": self.now() + wait, "state": state}
            # A step that came to a result is not stuck, however often it was before.
            moved |= {"stuck_at": "", "stuck_count": 0, "stuck_since": None}
            if result.attempt is not None:
                moved["attempt"] = result.attempt
            return current.changed(**moved)

        self._write(apply, result.job)
        return StepAnswer(next=following, wait_seconds=result.wait_seconds)

    def _read(self) -> OpenJob:
        row = self._vault.ports.rows.find(row_keys.JOBS, row_keys.JOBS_PARTITION, self._request.open_key)
        if row is None:
            raise SupersededError
        current = OpenJob.from_values(row.key, row.values, row.etag)
        if current.job_id != self._request.job_id or current.generation != self._request.generation:
            raise SupersededError
        if current.step is not self._request.step:
            raise LookAgainError(current.step)
        return current

    def _read_again(self, attempt: int) -> OpenJob:
        """Read the row, which must still be at this attempt.

        The host runs a held activity again, with the same generation: that run may have gone on to the same step of
        the next attempt, to which nothing belongs that this one knows.
        """
        current = self._read()
        if current.attempt != attempt:
            raise LookAgainError(current.step)
        return current

    def _write(self, apply: Callable[[OpenJob], OpenJob], job: Mapping[str, Any] | None) -> OpenJob:
        for _ in range(MAX_TRIES):
            changed = apply(self.open).changed(written_generation=self.open.generation)
            changes: list[Change] = [Replace(key=changed.key, values=changed.to_values(), etag=self.open.etag)]
            if job:
                changes.append(Merge(key=changed.job_key, values=encode(job)))
            try:
                self.ports.rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, changes)
            except RowChangedError:
                self.open = self._read_again(self.open.attempt)
                continue
            if changed.step is self._request.step:
                self.open = self._read_again(changed.attempt)
            return changed
        raise TransientError(f"the open row of job {self._request.job_id} is contended", code="RowContended")


type Effect = Callable[[StepRun], Result]


def run_step(vault: Vault, request: StepRequest, effects: Mapping[Step, Effect]) -> StepAnswer:
    """Run a step, and the closing right after it where the step leads there.

    Raises:
        TransientError: It may pass by itself; the caller repeats the step.
    """
    try:
        answer = _run_known(vault, request, effects)
        if answer.next is Step.CLOSING and answer.wait_seconds == 0 and request.step is not Step.CLOSING:
            closing = StepRequest(
                open_key=request.open_key, job_id=request.job_id, generation=request.generation, step=Step.CLOSING
            )
            return _run_known(vault, closing, effects)
    except SupersededError:
        return StepAnswer(next=None, superseded=True)
    except LookAgainError as other:
        return StepAnswer(next=other.step)
    return answer


def _run_known(vault: Vault, request: StepRequest, effects: Mapping[Step, Effect]) -> StepAnswer:
    """Run one step so that its logs and traces name the job, and the request that asked for it."""
    run = StepRun(vault, request)
    facts = {"job_id": run.open.job_id, "instance": run.open.instance, "step": request.step.value}
    correlation_id = run.open.actor.get("correlation_id")
    with run.ports.telemetry.within({**facts, **({"correlation_id": correlation_id} if correlation_id else {})}):
        return _run_one(run, request, effects)


def _run_one(run: StepRun, request: StepRequest, effects: Mapping[Step, Effect]) -> StepAnswer:
    run.record()
    try:
        result = effects[request.step](run)
    except ThrottledError as error:
        run.record(_mark_outage(error.code))
        if error.retry_after_seconds is None or request.step is Step.CLOSING:
            raise
        # The service asked for a pause: a durable timer keeps it, a retry would not.
        pause = min(float(error.retry_after_seconds), LONGEST_PAUSE_SECONDS)
        return run.finish(Result(outcome=Outcome.AGAIN, wait_seconds=pause))
    except TransientError as error:
        # Repeated by Durable, then by takeovers; they must know that it was an outage and no fault of the job.
        run.record(_mark_outage(error.code))
        raise
    except PermanentError as error:
        if request.step is Step.CLOSING:
            raise
        result = fail(run, error)
    if result.outcome is Outcome.DONE and request.step is Step.CLOSING:
        return StepAnswer(next=None)
    return run.finish(result)


def _mark_outage(code: str) -> Callable[[OpenJob], Mapping[str, Any]]:
    return lambda _current: {"outage": code}


def fail(run: StepRun, error: PermanentError) -> Result:
    """End a job because of an error that will not pass by itself."""
    is_arms = run.open.operation is Operation.BACKUP and error.code in ARM_CODES
    failure = Failure(
        code=OPERATION_FAILED if is_arms else error.code,
        message=error.message,
        recommended_action=error.hint,
        inner_code=error.code if is_arms else error.inner_code,
        is_user_error=error.code not in {"InternalError", "ChecksumDiffers", "InvalidTransition"},
    )
    return closes_as(JobStatus.FAILED, failure, warnings=list(run.open.state.get("warnings", [])))
