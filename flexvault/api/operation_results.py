"""How long-running operations stand, and what they came to."""

from http import HTTPStatus
from typing import Any

from flexvault.api.call import Answer, Call
from flexvault.api.instances import instance_etag
from flexvault.api.job_views import show_warning
from flexvault.api.outline_views import show_outline_of
from flexvault.api.problems import arm_error, error_of
from flexvault.api.resource_ids import INSTANCE_TYPE, normal_location
from flexvault.api.times import UNFINISHED, wire_time
from flexvault.api.vaults import get_vault
from flexvault.api.views import show_instance
from flexvault.domain.errors import NotFoundError
from flexvault.services import catalog
from flexvault.services.operations import OperationRecord, get_operation
from flexvault.services.restore_outlines import OutlinedRestore

RUNNING, FAILED = "Inprogress", "Failed"
PUT_INSTANCE = f"{INSTANCE_TYPE}/write"


def get_status(call: Call) -> Answer:
    """Show how an operation stands; its failure is part of the document, whose own status is 200."""
    record = _find(call)
    document: dict[str, Any] = {
        "id": call.path,
        "name": record.id,
        "status": record.status,
        "startTime": wire_time(record.started_at),
        "endTime": UNFINISHED if record.ended_at is None else wire_time(record.ended_at),
    }
    if record.error:
        # SDKs show only code and message of a failed operation, so the message carries the remedy, too.
        hint = record.error.get("hint")
        message = f"{record.error['message']}; hint: {hint}" if hint else record.error["message"]
        document["error"] = arm_error({**record.error, "message": message}, call.correlation_id)
    if record.status != RUNNING:
        document["properties"] = _job_info(call, record)
    return Answer(body=document, waits=record.status == RUNNING)


def get_result(call: Call) -> Answer:
    """Show what an operation came to; 202 while it runs.

    Below an instance that is the instance, below the vault the vault: clients read nothing else there.

    Raises:
        InvalidInputError: It failed, and why.
    """
    record = _find(call)
    if record.status == RUNNING:
        return Answer(status=HTTPStatus.ACCEPTED, operation_id=record.id, waits=True)
    if record.status == FAILED and record.error:
        raise error_of(record.error)
    if _is_below(call, "vault"):
        return get_vault(call)
    if record.kind == PUT_INSTANCE or _is_below(call, "instance"):
        instance = catalog.get_instance(call.vault.ports, record.resource_id)
        return Answer(body=show_instance(call.ids, instance), etag=instance_etag(instance))
    return Answer(body=_job_info(call, record))


def _find(call: Call) -> OperationRecord:
    """Answer the operation that the path names, in its own region and below its own instance only."""
    location = call.params.get("location")
    record = get_operation(call.vault.ports, call.params["operation"])
    is_elsewhere = location is not None and normal_location(location) != call.ids.location
    instance = call.params.get("instance")
    is_of_another = instance is not None and record.resource_id.lower() != call.ids.instance(instance).lower()
    if is_elsewhere or is_of_another:
        raise NotFoundError(f"there is no operation '{record.id}' at '{call.path}'", target=record.id)
    return record


def _is_below(call: Call, kind: str) -> bool:
    """Say whether the path asks below an instance or right below the vault."""
    narrowest = next((name for name in ("instance", "vault") if name in call.params), "")
    return narrowest == kind


def _job_info(call: Call, record: OperationRecord) -> dict[str, Any]:
    info: dict[str, Any] = {"objectType": "OperationJobExtendedInfo"}
    if record.job_id:
        info["jobId"] = call.ids.job(record.job_id)
    if record.warnings:
        info["warningDetails"] = [show_warning(entry) for entry in record.warnings]
    if record.restore:
        info["restoreOutline"] = show_outline_of(call.vault.ports, OutlinedRestore.from_json(record.restore))
    return info
