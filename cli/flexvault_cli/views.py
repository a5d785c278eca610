"""What the tables show of each kind of resource, in the words of Azure Backup."""

from collections.abc import Callable

from flexvault_cli.output import Columns
from flexvault_cli.wire import Json, dig, dig_list


def last_segment(resource_id: object) -> str:
    """Answer the name at the end of a resource id."""
    return str(resource_id or "").rpartition("/")[2]


def find_rules(policy: Json, kind: str) -> list[Json]:
    """Answer the rules of a policy that are of one `objectType`."""
    return [rule for rule in dig_list(policy, "properties.policyRules") if rule.get("objectType") == kind]


def describe_job_tasks(job: Json) -> list[str]:
    """Answer a line for each sub-task of a job."""
    tasks = dig_list(job, "properties.extendedInfo.subTasks")
    return [" ".join(str(task[key]) for key in TASK_MEMBERS if task.get(key)) for task in tasks]


def _property(path: str) -> Callable[[Json], object]:
    return lambda resource: dig(resource, f"properties.{path}")


def _name(resource: Json) -> object:
    return resource.get("name")


def _schedules(policy: Json) -> list[str]:
    rules = find_rules(policy, "AzureBackupRule")
    return [str(interval) for rule in rules for interval in dig_list(rule, "trigger.schedule.repeatingTimeIntervals")]


def _retentions(policy: Json) -> list[str]:
    return [
        f"{rule.get('name')} {dig(lifecycle, 'deleteAfter.duration')}"
        for rule in find_rules(policy, "AzureRetentionRule")
        for lifecycle in dig_list(rule, "lifecycles")
    ]


def _redundancies(vault: Json) -> list[str]:
    return [str(setting.get("type")) for setting in dig_list(vault, "properties.storageSettings")]


def _describe(fault: Json) -> str:
    return f"{fault.get('code')}: {fault.get('message')}"


def _protection_error(instance: Json) -> str:
    fault = dig(instance, "properties.protectionErrorDetails")
    return _describe(fault) if fault else ""


def _errors(job: Json) -> list[str]:
    return [_describe(fault) for fault in dig_list(job, "properties.errorDetails")]


def _warnings(job: Json) -> list[str]:
    details = dig_list(job, "properties.extendedInfo.warningDetails")
    return [str(dig(detail, "warning.message")) for detail in details]


TASK_MEMBERS = ("taskName", "taskStatus", "taskProgress")
VAULT: Columns = {
    "name": _name,
    "location": lambda vault: vault.get("location"),
    "state": _property("provisioningState"),
    "storage": _redundancies,
    "immutability": _property("securitySettings.immutabilitySettings.state"),
    "soft delete": _property("securitySettings.softDeleteSettings.state"),
    "id": lambda vault: vault.get("id"),
}
POLICIES: Columns = {"name": _name, "schedule": _schedules, "retention": _retentions}
INSTANCES: Columns = {
    "name": _name,
    "server": _property("friendlyName"),
    "policy": lambda instance: last_segment(dig(instance, "properties.policyInfo.policyId")),
    "protection": _property("currentProtectionState"),
}
INSTANCE: Columns = {
    **INSTANCES,
    "server id": _property("dataSourceInfo.resourceID"),
    "error": _protection_error,
}
POINTS: Columns = {
    "id": _name,
    "time": _property("recoveryPointTime"),
    "type": _property("recoveryPointType"),
    "tag": _property("retentionTagName"),
    "expires": _property("expiryTime"),
    "state": _property("recoveryPointState"),
}
POINT: Columns = {**POINTS, "policy": _property("policyName")}
JOBS: Columns = {
    "id": _name,
    "operation": _property("operation"),
    "server": _property("backupInstanceFriendlyName"),
    "status": _property("status"),
    "started": _property("startTime"),
    "duration": _property("duration"),
}
JOB: Columns = {
    **JOBS,
    "ended": _property("endTime"),
    "on demand": _property("isUserTriggered"),
    "policy": _property("policyName"),
    "destination": _property("extendedInfo.recoveryDestination"),
    "tasks": describe_job_tasks,
    "warnings": _warnings,
    "errors": _errors,
}
