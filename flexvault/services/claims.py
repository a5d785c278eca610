"""Make a job: its row, its open row and whatever must be claimed with it, in one transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.errors import AlreadyExistsError
from flexvault.domain.instance import Instance, StoredPolicy
from flexvault.domain.job import STEPS, JobStatus, Operation
from flexvault.domain.open_job import JobRecord, OpenJob
from flexvault.domain.rows import Change, Insert
from flexvault.messages import ORCHESTRATORS, StartRequest, StepRequest
from flexvault.ports import Ports
from flexvault.services import catalog


def claim_job(
    ports: Ports,
    *,
    job_id: str,
    operation: Operation,
    subject: str,
    instance: str,
    now: datetime,
    not_before: datetime,
    is_user_triggered: bool,
    facts: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    target: Mapping[str, Any] | None = None,
    recovery: Mapping[str, Any] | None = None,
    with_changes: Sequence[Change] = (),
) -> OpenJob:
    """Insert a job; the insert is the claim.

    Args:
        ports: Where to write.
        job_id: A derived id.
        operation: What it does.
        subject: With the operation the key of the open row: at most one open job each.
        instance: 32 hex digits of the backup instance, or `vault`.
        now: When it is claimed.
        not_before: When its first step may run.
        is_user_triggered: Whether a person asked.
        facts: What is true at the claim.
        state: What its steps begin with.
        target: Of a restore: where to.
        recovery: Of a restore: the recovery point.
        with_changes: Further rows of the jobs' partition, in the same transaction.

    Raises:
        AlreadyExistsError: One of the rows is there already.
        RowChangedError: One of the further rows changed.
    """
    opened = OpenJob(
        key=row_keys.open_row(operation, subject),
        job_id=job_id,
        operation=operation,
        instance=instance,
        step=STEPS[operation][0],
        next_check_at=max(now, not_before),
        not_before=not_before,
        claimed_at=now,
        state=state or {},
    )
    record = JobRecord(
        job_id=job_id,
        operation=operation,
        status=JobStatus.IN_PROGRESS,
        instance=instance,
        is_user_triggered=is_user_triggered,
        started_at=max(now, not_before),
        facts=facts,
        target=target or {},
        recovery=recovery or {},
    )
    changes: list[Change] = [
        Insert(key=opened.job_key, values=record.to_values()),
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


def request_insert(request_key: str, job_id: str, now: datetime) -> Insert:
    """Remember a client's request with its job, so that its repetition meets the first one's answer."""
    return Insert(key=row_keys.request_row(request_key), values={"job_id": job_id, "arrived_at": now})


def claim_once(ports: Ports, request_key: str, now: datetime, **claim: Any) -> OpenJob | str:
    """Claim a job for a client's request; answers the job, or the id of the one that the same request made before."""
    known = catalog.find_request(ports, request_key)
    if known is not None:
        return known
    extra = [request_insert(request_key, claim["job_id"], now), *claim.pop("with_changes", ())]
    try:
        return claim_job(ports, now=now, with_changes=extra, **claim)
    except AlreadyExistsError:
        known = catalog.find_request(ports, request_key)
        if known is not None:
            return known
        raise


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


def dump_missed(first: datetime, last: datetime, count: int, reason: str) -> str:
    """Write a record of missed slots."""
    return json.dumps({"first": first.isoformat(), "last": last.isoformat(), "count": count, "reason": reason})
