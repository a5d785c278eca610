"""Long-running operations of the API: rows that say how a request ended, or which job knows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.errors import AlreadyExistsError, NotFoundError, VaultError
from flexvault.domain.instance import Instance, ProtectionState
from flexvault.domain.job import JobStatus
from flexvault.domain.names import instance_key
from flexvault.domain.redaction import redact
from flexvault.domain.rows import Insert
from flexvault.domain.texts import shorten
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.immutability import find_left

PARTITION = "operations"
MOST_DETAILS = 5
"""Further mistakes that a row keeps; the message names them all as far as there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRecord:
    """One long-running operation."""

    id: str
    kind: str
    """Operation name of the API, such as `backup`."""
    started_at: datetime
    status: str
    """Inprogress, Succeeded or Failed: the API's words."""
    ended_at: datetime | None = None
    job_id: str = ""
    resource_id: str = ""
    error: Mapping[str, Any] | None = None
    warnings: tuple[Mapping[str, Any], ...] = ()
    restore: Mapping[str, Any] | None = None
    """Of a checked restore: what its outline is made of, see `OutlinedRestore`."""


def record_operation(
    ports: Ports,
    *,
    operation_id: str,
    kind: str,
    job_id: str = "",
    follows_job: bool = False,
    follows_deletion: int = 0,
    resource_id: str = "",
    error: Mapping[str, Any] | None = None,
    warnings: tuple[Mapping[str, Any], ...] = (),
    restore: Mapping[str, Any] | None = None,
) -> OperationRecord:
    """Remember an operation under a derived id; a repetition answers the first one.

    Args:
        ports: Where to write.
        operation_id: A GUID derived from the request.
        kind: Operation name of the API.
        job_id: The job that it made.
        follows_job: The operation ends when the job does; else it has ended already.
        follows_deletion: The operation ends when the instance that it is about is gone, which this entry of the
            vault's stream wanted, or when storage lets go of nothing more; 0 for any other operation.
        resource_id: The resource that it is about.
        error: Why it failed, in the API's error shape.
        warnings: What a person should look at although it succeeded.
        restore: Of a checked restore: what its outline is made of.
    """
    now = ports.clock.storage_now()
    values: dict[str, Any] = {
        "kind": kind,
        "started_at": now,
        "job_id": job_id,
        "follows_job": follows_job,
        "follows_deletion": follows_deletion,
        "resource_id": resource_id,
        "error": json.dumps(error) if error else "",
        "warnings": json.dumps([dict(entry) for entry in warnings]),
        **({"restore": json.dumps(dict(restore))} if restore else {}),
    }
    try:
        ports.rows.apply(row_keys.OPERATIONS, PARTITION, [Insert(key=operation_id, values=values)])
    except AlreadyExistsError:
        return get_operation(ports, operation_id)
    return get_operation(ports, operation_id)


def get_operation(ports: Ports, operation_id: str) -> OperationRecord:
    """Read an operation; one that follows a job asks the job, one that follows a deletion the instance.

    Raises:
        NotFoundError: There is none of that id.
    """
    row = ports.rows.find(row_keys.OPERATIONS, PARTITION, row_keys.escape(operation_id.lower()))
    if row is None:
        raise NotFoundError(
            f"there is no operation '{operation_id}'",
            target=operation_id,
            hint="use the URL that the answer's header Azure-AsyncOperation or Location names",
        )
    values: Mapping[str, Any] = row.values
    status, ended_at = ("Failed" if values["error"] else "Succeeded"), values["started_at"]
    error = json.loads(values["error"]) if values["error"] else None
    if values["follows_job"]:
        status, ended_at, error = _ask_job(ports, values["job_id"])
    if values.get("follows_deletion"):
        status, ended_at = _ask_instance(ports, values["resource_id"], values["follows_deletion"])
    return OperationRecord(
        id=row.key,
        kind=values["kind"],
        started_at=values["started_at"],
        status=status,
        ended_at=ended_at,
        job_id=values["job_id"],
        resource_id=values["resource_id"],
        error=error,
        warnings=tuple(json.loads(values["warnings"])),
        restore=json.loads(values["restore"]) if values.get("restore") else None,
    )


def describe_error(error: VaultError) -> dict[str, Any]:
    """Write an error for an operation's row, so that the API can show it later as it would have at once."""
    return {
        "code": error.code,
        "message": redact(shorten(error.message)),
        "target": redact(shorten(error.target)),
        "hint": redact(shorten(error.hint, 2_000)),
        "inner_code": error.inner_code,
        "details": [describe_error(detail) for detail in error.details[:MOST_DETAILS]],
    }


def _ask_job(ports: Ports, job_id: str) -> tuple[str, datetime | None, Mapping[str, Any] | None]:
    job = catalog.find_job(ports, job_id)
    if job is None:
        raise NotFoundError(f"the job '{job_id}' of this operation is gone", target=job_id)
    if job.status is JobStatus.IN_PROGRESS:
        return "Inprogress", None, None
    if job.status in {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_WARNINGS}:
        return "Succeeded", job.ended_at, None
    facing: Mapping[str, Any] = job.error or {"code": "OperationFailed", "message": f"the job ended {job.status}"}
    error: dict[str, Any] = {
        "code": facing["code"],
        "message": facing["message"],
        "target": str(job.facts.get("instance_id", "")),
        "hint": " ".join(facing.get("recommendedAction", [])),
        "inner_code": facing.get("innerError", {}).get("code", ""),
        "details": [],
    }
    return "Failed", job.ended_at, error


def _ask_instance(ports: Ports, instance_id: str, deletion_seq: int) -> tuple[str, datetime | None]:
    """Answer how a deletion stands; an instance of the same name that came later says nothing of it.

    It has ended as far as it can while storage lets go of no point that is left: nobody polls for years.
    """
    row = catalog.find_instance_row(ports, instance_key(instance_id))
    instance = None if row is None else Instance.from_values(row.values)
    if instance is None or instance.deletion_seq != deletion_seq:
        return "Succeeded", ports.clock.storage_now()
    now = ports.clock.storage_now()
    is_ended = instance.is_deleted or find_left(ports, instance.key, now) is not None
    return ("Succeeded", instance.changed_at) if is_ended else ("Inprogress", None)


def provisioning_state(state: ProtectionState) -> str:
    """Answer the ARM word for a protection state."""
    match state:
        case ProtectionState.CONFIGURED | ProtectionState.SUSPENDED | ProtectionState.STOPPED:
            return "Succeeded"
        case ProtectionState.SOFT_DELETED:  # its deletion is done, as far as it is asked for
            return "Succeeded"
        case ProtectionState.DELETING:
            return "Deleting"
        case ProtectionState.FAILED:
            return "Failed"
        case ProtectionState.CONFIGURING:
            return "Provisioning"
        case ProtectionState.UPDATING:
            return "Updating"
