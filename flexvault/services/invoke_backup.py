"""From a claim to a running backup: prepare the landing, start once, poll."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flexvault.domain import names
from flexvault.domain.azure_codes import ARM_CODES, BUSY_CODES, OPERATION_FAILED
from flexvault.domain.errors import ConflictError, ThrottledError, TransientError
from flexvault.domain.instance import RUNS_BACKUPS, Instance
from flexvault.domain.job import (
    MAX_DOUBTS,
    Failure,
    JobStatus,
    Outcome,
    Result,
    Step,
    closes_as,
    may_start_next_attempt,
    predict_wait,
)
from flexvault.domain.missed_slots import WHILE_PAUSED
from flexvault.domain.open_job import OpenJob
from flexvault.domain.server_checks import check_size
from flexvault.ports import LtrOperation, Server, WriteGrant
from flexvault.services import catalog
from flexvault.services.grant_life import cannot_fit, judge_life
from flexvault.services.progress import sub_tasks, warning
from flexvault.services.source_checks import ServerIsChangingError, get_server, require_ready, warnings_of
from flexvault.services.steps import LookAgainError, StepRun

GIVEN_UP_AFTER = timedelta(days=7)
OVERDUE_POLL_SECONDS = 3600.0
LOOK_AGAIN_SECONDS = 30.0


def prepare_landing(run: StepRun) -> Result:
    """Look at the instance and the server, create this attempt's landing containers and fix the grant."""
    instance = catalog.find_instance_by_key(run.ports, run.open.instance)
    why_not = "" if instance is None else _find_reason_to_cancel(run, instance)
    if instance is None or instance.state not in RUNS_BACKUPS or why_not:
        reason = why_not or "the backup instance is not protected any more"
        failure = Failure(code="BackupCancelled", message=reason, recommended_action="nothing was started")
        paused = None if instance is None or why_not else WHILE_PAUSED.get(instance.state)
        return closes_as(JobStatus.CANCELLED, failure, **({"missed_because": paused.value} if paused else {}))
    server = get_server(run.ports.servers, instance.server_id)
    try:
        require_ready(server)
        count = run.ports.ltr.check_prerequisites(server.id, _backup_name(run.open, run.open.attempt))
    except (ServerIsChangingError, ConflictError) as error:
        return _wait_for_server(run, error)
    chain = catalog.find_chain(run.ports, run.open.instance, server)
    grant, warnings = judge_life(run.ports, instance, server, chain)
    if not grant.fits and run.open.state.get("slot"):
        return closes_as(JobStatus.FAILED, cannot_fit(grant, server), warnings=warnings_of(check_size(server)))
    containers = [names.landing_container(run.open.job_id, run.open.attempt, ordinal) for ordinal in range(count)]
    for container in containers:
        run.ports.landing.create_container(container)
    state = {
        "server_id": server.id,
        "server": _server_facts(server, chain),
        "containers": containers,
        "grant": {"permissions": run.settings.landing_sas_permissions, "life_seconds": grant.life.total_seconds()},
        "warnings": [*_other_warnings(run.open, warnings), *warnings],
    }
    job = {"sub_tasks": sub_tasks(run.open.operation, Step.STARTING)}
    return Result(outcome=Outcome.DONE, state=state, job=job)


def start_backup(run: StepRun) -> Result:
    """POST startLtrBackup once per name and container; a doubt is asked about, and one that runs out is left behind."""
    adopted = _find_started(run)
    if adopted is not None:
        return _accepted(run, adopted)
    requested_at = run.open.state.get("start_requested_at")
    if requested_at:
        return _still_in_doubt(run, datetime.fromisoformat(requested_at))
    state = run.open.state
    life = timedelta(seconds=state["grant"]["life_seconds"])
    attempt, now = run.open.attempt, run.now()
    permissions = state["grant"]["permissions"]
    grant = run.ports.landing.issue_grant(state["containers"], permissions, life, is_backdated=attempt == 1)
    # The last write before the POST: a successor that does not find it knows that no POST of this name was sent.
    run.record(lambda current: _claim_start(current, attempt, now, life))
    return _post(run, attempt, grant)


def _post(run: StepRun, attempt: int, grant: WriteGrant) -> Result:
    try:
        run.ports.ltr.start(run.open.state["server_id"], _backup_name(run.open, attempt), grant)
    except ThrottledError as error:
        return _refused(max(LOOK_AGAIN_SECONDS, error.retry_after_seconds or 0))
    except TransientError as error:
        if error.code == "NotSent":
            return _refused(LOOK_AGAIN_SECONDS)  # nothing was sent
        return Result(outcome=Outcome.AGAIN, wait_seconds=min(5.0, run.settings.not_started_after.total_seconds()))
    except ConflictError as error:
        return _wait_for_server(run, error, start_requested_at="")
    return _accepted(run, attempt)


def poll_backup(run: StepRun) -> Result:
    """Look at the running backup and decide when to look again."""
    state, now = run.open.state, run.now()
    requested_at = datetime.fromisoformat(state["start_requested_at"])
    operation = run.ports.ltr.find(state["server_id"], _backup_name(run.open, run.open.attempt))
    if operation is None:
        get_server(run.ports.servers, state["server_id"])  # a server that is gone ends the job; a late answer does not
    if operation is not None and operation.status == "Succeeded":
        return _succeeded(run, operation, requested_at)
    if operation is not None and operation.status in {"Failed", "Cancelled", "Canceled"}:
        return _failed(run, operation)
    if now - requested_at > GIVEN_UP_AFTER:
        failure = Failure(
            code="BackupOverdue",
            message=f"the backup '{_backup_name(run.open, run.open.attempt)}' did not end within 7 days",
            recommended_action="look at the server's long-term-retention operations, then back up on demand",
        )
        return closes_as(JobStatus.FAILED, failure)
    return _still_running(run, operation, now - requested_at)


def next_attempt(run: StepRun, failure: Failure, **state: Any) -> Result:
    """Begin anew with new names after a retryable failure, or close when there were enough."""
    failures = int(run.open.state.get("failures", 0)) + 1
    follower = run.open.state.get("next_slot")
    next_slot = datetime.fromisoformat(follower) if follower else None
    if not may_start_next_attempt(failures, run.now(), run.open.not_before, next_slot):
        return closes_as(JobStatus.FAILED, failure, failures=failures, **state)
    retried = warning("AttemptFailed", f"attempt {run.open.attempt}: {failure.message}", _server_id(run))
    attempt = _free_attempt(run.open)
    changes = {
        "failures": failures,
        "highest_attempt": attempt,
        "start_requested_at": "",
        "polls": 0,
        "checked": False,
        "warnings": [*run.open.state.get("warnings", []), retried],
        **state,
    }
    job = {"sub_tasks": sub_tasks(run.open.operation, Step.PREPARING)}
    return Result(outcome=Outcome.NEXT_ATTEMPT, attempt=attempt, state=changes, job=job)


def _find_reason_to_cancel(run: StepRun, instance: Instance) -> str:
    """A slot at or before a newer `slots_from` is nobody's any more; one that was started is never given up."""
    slot, started = run.open.state.get("slot"), run.open.state.get("start_requested_at")
    if not slot or started or run.open.attempt > 1:
        return ""
    policy = catalog.find_policy(run.ports, instance.policy_name)
    begins = [catalog.find_slots_from(run.ports, instance.key), policy.schedule_changed_at if policy else None]
    if any(begin is not None and datetime.fromisoformat(slot) <= begin for begin in begins):
        return f"the schedule changed after slot {slot}"
    return ""


def _wait_for_server(run: StepRun, error: ConflictError | ServerIsChangingError, **state: Any) -> Result:
    """Wait for a state that passes by itself, not counted as an attempt; but no longer than half of the interval."""
    if isinstance(error, ConflictError) and error.code not in BUSY_CODES:
        raise error
    follower = run.open.state.get("next_slot")
    if follower:
        half = run.open.not_before + (datetime.fromisoformat(follower) - run.open.not_before) / 2
        if run.now() > half:
            action = "let the server become Ready; the next slot tries again"
            failure = Failure(
                code=OPERATION_FAILED, message=error.message, recommended_action=action, inner_code=error.code
            )
            return closes_as(JobStatus.FAILED, failure, **state)
    looks = int(run.open.state.get("looks", 0))
    return Result(outcome=Outcome.AGAIN, wait_seconds=_busy_wait(run, looks), state={"looks": looks + 1, **state})


def _busy_wait(run: StepRun, looks: int) -> float:
    """Look again soon, then more and more seldom: a server may be stopped for days."""
    floors = run.settings.poll_floors_seconds
    return min(LOOK_AGAIN_SECONDS, floors[0]) if looks == 0 else floors[min(looks, len(floors)) - 1]


def _other_warnings(opened: OpenJob, new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    codes = {entry["code"] for entry in new}
    return [entry for entry in opened.state.get("warnings", []) if entry["code"] not in codes]


def _claim_start(current: OpenJob, attempt: int, now: datetime, life: timedelta) -> Mapping[str, Any]:
    if current.attempt != attempt or current.state.get("start_requested_at"):
        raise LookAgainError(current.step)
    return {"start_requested_at": now.isoformat(), "grant_expires_at": (now + life).isoformat()}


def _find_started(run: StepRun) -> int | None:
    """Ask for every name that may have been started, the newest first."""
    state = run.open.state
    asked = [*([run.open.attempt] if state.get("start_requested_at") else []), *state.get("doubts", [])]
    if not asked:
        return None
    known = {operation.backup_name for operation in run.ports.ltr.list_by_server(state["server_id"])}
    for attempt in asked:
        name = _backup_name(run.open, attempt)
        if name in known or run.ports.ltr.find(state["server_id"], name) is not None:
            return attempt
    return None


def _accepted(run: StepRun, attempt: int) -> Result:
    state: dict[str, Any] = {"polls": 0, "accepted": True}
    if attempt != run.open.attempt:
        state |= _adopt(run.open, attempt)
    wait = run.settings.poll_floors_seconds[0]
    job = {"sub_tasks": sub_tasks(run.open.operation, Step.POLLING)}
    return Result(outcome=Outcome.DONE, attempt=attempt, wait_seconds=wait, state=state, job=job)


def _adopt(opened: OpenJob, attempt: int) -> dict[str, Any]:
    """Go on with a name that was in doubt: with its own moment and containers.

    It leaves the doubts, else a run that failed would be adopted again; the present name enters them if it was posted.
    """
    state: dict[str, Any] = {"doubts": opened.state["doubts"], "doubted": opened.state["doubted"]}
    if opened.state.get("start_requested_at"):
        state = _leave_in_doubt(opened)
    adopted = state["doubted"][str(attempt)]
    doubts = [other for other in state["doubts"] if other != attempt]
    return {**state, "doubts": doubts, "start_requested_at": adopted["at"], "containers": adopted["containers"]}


def _still_in_doubt(run: StepRun, requested_at: datetime) -> Result:
    left = run.settings.not_started_after - (run.now() - requested_at)
    if left > timedelta(0):
        return Result(outcome=Outcome.AGAIN, wait_seconds=left.total_seconds() + 0.5)
    if len(run.open.state.get("doubts", [])) >= MAX_DOUBTS:
        failure = Failure(
            code=OPERATION_FAILED,
            message=f"{MAX_DOUBTS + 1} starts got no answer, and the server knows none of them",
            recommended_action="look at the server's long-term-retention operations, then back up on demand",
            inner_code="StartOutcomeUnknown",
            is_user_error=False,
            is_retryable=True,
        )
        return closes_as(JobStatus.FAILED, failure)
    attempt = _free_attempt(run.open)
    state = {**_leave_in_doubt(run.open), "start_requested_at": "", "highest_attempt": attempt}
    return Result(outcome=Outcome.NEXT_ATTEMPT, attempt=attempt, state=state)


def _leave_in_doubt(opened: OpenJob) -> dict[str, Any]:
    """Remember all that a later adoption of the present name needs."""
    remembered = {"at": opened.state["start_requested_at"], "containers": opened.state["containers"]}
    return {
        "doubts": [opened.attempt, *opened.state.get("doubts", [])],
        "doubted": {**opened.state.get("doubted", {}), str(opened.attempt): remembered},
    }


def _refused(wait_seconds: float) -> Result:
    """A definite refusal ends the doubt at once: nothing was started under this name."""
    return Result(outcome=Outcome.AGAIN, wait_seconds=wait_seconds, state={"start_requested_at": ""})


def _free_attempt(opened: OpenJob) -> int:
    """Answer a number that was never used: an adopted, older attempt does not free the newer ones."""
    return max(opened.attempt, int(opened.state.get("highest_attempt", 1))) + 1


def _succeeded(run: StepRun, operation: LtrOperation, requested_at: datetime) -> Result:
    state = {"service_bytes": operation.transferred_bytes}
    job = {
        "sub_tasks": sub_tasks(run.open.operation, Step.PROMOTING),
        "transferred_bytes": operation.transferred_bytes,
        "ran_for_seconds": max(0.0, _ran_for(run, operation, requested_at).total_seconds()),
    }
    return Result(outcome=Outcome.DONE, state=state, job=job)


def _ran_for(run: StepRun, operation: LtrOperation, requested_at: datetime) -> timedelta:
    """Answer how long the server wrote, by one clock: its own, else the vault's; the two may differ."""
    if operation.started_at is not None and operation.ended_at is not None:
        return operation.ended_at - operation.started_at
    return run.now() - requested_at


def _failed(run: StepRun, operation: LtrOperation) -> Result:
    text = operation.error_message or f"the server reported {operation.status} without a reason"
    failure = Failure(
        code=OPERATION_FAILED,
        message=f"the backup '{operation.backup_name}' failed: {text}",
        recommended_action="look at the server's state and its long-term-retention operations, then back up on demand",
        inner_code=operation.error_code,
        is_retryable=operation.error_code not in ARM_CODES,
    )
    if not failure.is_retryable:
        return closes_as(JobStatus.FAILED, failure)
    return next_attempt(run, failure)


def _still_running(run: StepRun, operation: LtrOperation | None, running_for: timedelta) -> Result:
    polls = int(run.open.state.get("polls", 0)) + 1
    percent = operation.percent_complete if operation else None
    wait = predict_wait(run.settings.poll_floors_seconds, polls, percent, running_for).total_seconds()
    warnings = list(run.open.state.get("warnings", []))
    if run.now() > datetime.fromisoformat(run.open.state["grant_expires_at"]):
        wait = OVERDUE_POLL_SECONDS
        if not any(entry["code"] == "BackupIsOverdue" for entry in warnings):
            text = "the backup runs longer than the SAS of its containers lives; it is looked at hourly"
            warnings.append(warning("BackupIsOverdue", text, _server_id(run)))
    job: dict[str, Any] = {
        "sub_tasks": sub_tasks(run.open.operation, Step.POLLING, max(0.0, min(100.0, percent or 0.0))),
        "transferred_bytes": operation.transferred_bytes if operation else None,
        "warnings": warnings,
    }
    state = {"polls": polls, "progress": f"poll {polls}", "warnings": warnings}
    return Result(outcome=Outcome.AGAIN, wait_seconds=wait, state=state, job=job)


def _backup_name(opened: OpenJob, attempt: int) -> str:
    return names.backup_name(opened.job_id, attempt)


def _server_id(run: StepRun) -> str:
    return str(run.open.state.get("server_id", ""))


def _server_facts(server: Server, chain: str) -> dict[str, Any]:
    return {
        "id": server.id,
        "name": server.name,
        "version": server.version,
        "location": server.location,
        "createdAt": server.created_at.isoformat() if server.created_at else None,
        "chain": chain,
    }
