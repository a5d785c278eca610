"""Jobs as Azure Backup shows them."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flexvault.api.resource_ids import JOB_TYPE, VAULT_TYPE, ResourceIds
from flexvault.api.times import wire_duration, wire_time
from flexvault.domain.job import JobStatus, Operation, Step
from flexvault.domain.open_job import JobRecord
from flexvault.domain.policy import DATASOURCE_TYPE
from flexvault.services.progress import sub_tasks

_SUCCEEDED = frozenset({JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_WARNINGS})
_CATEGORIES: Mapping[Operation, str] = {
    Operation.BACKUP: "Backup",
    Operation.RESTORE: "Restore",
    Operation.CONFIGURE: "Management",
    Operation.RETENTION: "Management",
    Operation.VERIFY: "Management",
}
_NAMES: Mapping[Operation, str] = {
    Operation.BACKUP: "Backup",
    Operation.RESTORE: "Restore",
    Operation.CONFIGURE: "ConfigureProtection",
    Operation.RETENTION: "ApplyRetention",
    Operation.VERIFY: "DeepVerification",
}
_READ_A_POINT = frozenset({Operation.RESTORE, Operation.VERIFY})
ON_DEMAND_BACKUP = "OnDemandBackup"


def show_job(ids: ResourceIds, job: JobRecord) -> dict[str, Any]:
    """Show a job as the list has it: without its extended info."""
    on_demand = job.operation is Operation.BACKUP and job.is_user_triggered
    is_running = job.status is JobStatus.IN_PROGRESS
    duration = timedelta() if job.ended_at is None else job.ended_at - job.started_at
    policy_name = job.facts.get("policy_name")
    properties: dict[str, Any] = {
        "activityID": job.facts.get("correlation_id") or job.job_id,
        **_source_members(ids, job),
        "policyId": ids.policy(policy_name) if policy_name else None,
        "policyName": policy_name,
        "operation": ON_DEMAND_BACKUP if on_demand else _NAMES[job.operation],
        "operationCategory": _CATEGORIES[job.operation],
        "isUserTriggered": job.is_user_triggered,
        "status": job.status.value,
        "startTime": wire_time(job.started_at),
        "endTime": None if job.ended_at is None else wire_time(job.ended_at),
        "duration": wire_duration(duration),
        "progressEnabled": True,
        "supportedActions": [""] if is_running else [],
        "subscriptionId": ids.subscription_id,
        "vaultName": ids.vault_name,
        "etag": job.etag,
        "sourceDataStoreName": "VaultStore" if job.operation in _READ_A_POINT else None,
        "destinationDataStoreName": "VaultStore" if job.operation is Operation.BACKUP else None,
        "errorDetails": [job.error] if job.error else None,
        "extendedInfo": None,
    }
    return {"id": ids.job(job.job_id), "name": job.job_id, "type": JOB_TYPE, "properties": properties}


def show_job_fully(ids: ResourceIds, job: JobRecord, at: Step) -> dict[str, Any]:
    """Show a job with its sub-tasks, warnings and recovery points.

    Args:
        ids: The vault's ids.
        job: The job.
        at: Where it stands, for a job that has recorded no sub-tasks of its own yet.
    """
    shown = show_job(ids, job)
    tasks = _tasks(job, at)
    recovery = _recovery_point(job.recovery)
    is_source = job.operation in _READ_A_POINT
    shown["properties"]["extendedInfo"] = {
        "additionalDetails": _details(job),
        "backupInstanceState": None,
        "dataTransferredInBytes": job.transferred_bytes,
        "recoveryDestination": job.target.get("url"),
        "sourceRecoverPoint": recovery if is_source else None,
        "targetRecoverPoint": None if is_source else recovery,
        "subTasks": [_show_task(task) for task in tasks],
        "warningDetails": [show_warning(entry) for entry in job.warnings],
    }
    return shown


def show_warning(warning: Mapping[str, Any]) -> dict[str, Any]:
    """Show a warning as the job's `warningDetails` have it."""
    actions = [warning["remedy"]] if warning.get("remedy") else []
    text: dict[str, Any] = {"code": warning["code"], "message": warning["message"], "recommendedAction": actions}
    return {"resourceName": warning.get("resource") or None, "warning": text}


def _source_members(ids: ResourceIds, job: JobRecord) -> dict[str, Any]:
    """Say what a job works on; a job of the whole vault works on the vault."""
    facts = job.facts
    server_id = str(facts.get("server_id", ""))
    if not server_id:
        return {
            "backupInstanceId": None,
            "backupInstanceFriendlyName": ids.vault_name,
            "dataSourceId": ids.vault,
            "dataSourceName": ids.vault_name,
            "dataSourceSetName": None,
            "dataSourceType": VAULT_TYPE,
            "dataSourceLocation": ids.location,
            "sourceResourceGroup": ids.resource_group,
            "sourceSubscriptionID": ids.subscription_id,
        }
    segments = server_id.split("/")
    return {
        "backupInstanceId": facts["instance_id"],
        "backupInstanceFriendlyName": facts["friendly_name"],
        "dataSourceId": server_id,
        "dataSourceName": facts["server_name"],
        "dataSourceSetName": None,
        "dataSourceType": DATASOURCE_TYPE,
        "dataSourceLocation": facts["server_location"],
        "sourceResourceGroup": segments[4],
        "sourceSubscriptionID": segments[2],
    }


def _tasks(job: JobRecord, at: Step) -> Sequence[Mapping[str, Any]]:
    """Answer a job's sub-tasks; when it is over, so are they, whatever the last step had time to write."""
    tasks = job.sub_tasks or sub_tasks(job.operation, at)
    if job.status is JobStatus.IN_PROGRESS:
        return tasks
    if job.status in _SUCCEEDED:
        return [{**task, "status": JobStatus.COMPLETED.value, "percent": 100.0} for task in tasks]
    return [{**task, "status": job.status.value} if task["status"] == "InProgress" else task for task in tasks]


def _show_task(task: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "taskId": task["id"],
        "taskName": task["name"],
        "taskStatus": task["status"],
        "taskProgress": f"{task.get('percent', 0.0):g}%",
        "additionalDetails": task.get("details"),
    }


def _recovery_point(recovery: Mapping[str, Any]) -> dict[str, Any] | None:
    if not recovery:
        return None
    taken = datetime.fromisoformat(recovery["recovery_point_time"])
    return {"recoveryPointID": recovery["point_id"], "recoveryPointTime": wire_time(taken)}


def _details(job: JobRecord) -> dict[str, str] | None:
    prefix, databases = job.target.get("file_prefix"), job.target.get("databases")
    if not prefix:
        return None
    chosen = {"Databases": json.dumps(databases, ensure_ascii=False)} if databases else {}
    return {"Restore File Prefix": str(prefix), **chosen}
