"""Make a job: its row, its open row and whatever must be claimed with it, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.errors import AlreadyExistsError, RowChangedError
from flexvault.domain.instance import Instance, StoredPolicy
from flexvault.domain.job import STEPS, JobStatus, Operation
from flexvault.domain.open_job import JobRecord, OpenJob
from flexvault.domain.rows import Change, Insert, Replace
from flexvault.messages import ORCHESTRATORS, StartRequest, StepRequest
from flexvault.ports import Ports
from flexvault.services import catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that is to be claimed."""

    job_id: str
    """A derived id."""
    operation: Operation
    subject: str
    """With the operation the key of the open row: at most one open job each."""
    instance: str
    """32 hex digits of the backup instance, or `vault`."""
    not_before: datetime
    """When its first step may run."""
    is_user_triggered: bool
    facts: Mapping[str, Any]
    """What is true at the claim."""
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What its steps begin with."""
    target: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of a restore: where to."""
    recovery: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of a restore: the recovery point."""

    def open_row(self, now: datetime) -> OpenJob:
        """Answer the row by which it runs."""
        return OpenJob(
            key=row_keys.open_row(self.operation, self.subject),
            job_id=self.job_id,
            operation=self.operation,
            instance=self.instance,
            step=STEPS[self.operation][0],
            next_check_at=max(now, self.not_before),
            not_before=self.not_before,
            claimed_at=now,
            state=self.state,
        )

    def record(self, now: datetime) -> JobRecord:
        """Answer the row that people see."""
        return JobRecord(
            job_id=self.job_id,
            operation=self.operation,
            status=JobStatus.IN_PROGRESS,
            instance=self.instance,
            is_user_triggered=self.is_user_triggered,
            started_at=max(now, self.not_before),
            facts=self._facts(),
            target=self.target,
            recovery=self.recovery,
        )

    def _facts(self) -> Mapping[str, Any]:
        """Answer the facts, with the correlation id of whoever asked for the job."""
        correlation_id = self.state.get("actor", {}).get("correlation_id")
        return {**self.facts, "correlation_id": correlation_id} if correlation_id else self.facts


def claim_job(ports: Ports, job: NewJob, now: datetime, with_changes: Sequence[Change] = ()) -> OpenJob:
    """Insert a job; the insert is the claim.

    Args:
        ports: Where to write.
        job: The job.
        now: When it is claimed.
        with_changes: Further rows of the jobs' partition, in the same transaction.

    Raises:
        AlreadyExistsError: One of the rows is there already.
        RowChangedError: One of the further rows changed.
    """
    opened = job.open_row(now)
    changes: list[Change] = [
        Insert(key=opened.job_key, values=job.record(now).to_values()),
        Insert(key=opened.key, values=opened.to_values()),
        *with_changes,
    ]
    ports.rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, changes)
    return opened


def instance_facts(instance: Instance, policy: StoredPolicy | None, **more: Any) -> dict[str, Any]:
    """Gather what a job shows of its instance and policy."""
    facts: dict[str, Any] = {
        "instance_id": instance.id,
        "instance_name": instance.name,
        "friendly_name": instance.friendly_name,
        "server_id": instance.server_id,
        "server_name": instance.server_name,
        "server_location": instance.server_location,
    }
    if policy is not None:
        facts |= {"policy_name": policy.name, "policy_seq": policy.journal_seq}
    return facts | more


def claim_once(ports: Ports, request_key: str, job: NewJob, now: datetime) -> OpenJob | str:
    """Claim a job for a client's request; answers the job, or the id of the one that the same request made before.

    Raises:
        AlreadyExistsError: Another request's job is open.
    """
    known = catalog.find_request(ports, request_key, now)
    if known is not None:
        return known
    try:
        return claim_job(ports, job, now, [_remember(ports, request_key, job, now)])
    except (AlreadyExistsError, RowChangedError):
        known = catalog.find_request(ports, request_key, now)
        if known is not None:
            return known
        raise


def _remember(ports: Ports, request_key: str, job: NewJob, now: datetime) -> Change:
    key, values = row_keys.request_row(request_key), {"job_id": job.job_id, "arrived_at": now}
    old = ports.rows.find(row_keys.JOBS, row_keys.JOBS_PARTITION, key)
    return Insert(key=key, values=values) if old is None else Replace(key=key, values=values, etag=old.etag)


def start_request(opened: OpenJob) -> StartRequest:
    """Say how the present generation of a job is started."""
    payload = StepRequest(
        open_key=opened.key,
        job_id=opened.job_id,
        generation=opened.generation,
        step=opened.step,
        not_before=opened.not_before.timestamp(),
    )
    return StartRequest(
        orchestrator=ORCHESTRATORS[opened.operation], instance_id=opened.orchestration_id, payload=payload.to_json()
    )
