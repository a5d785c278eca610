"""What the tables show of each kind of resource, in the words of Azure Backup."""

import json
import re
from collections.abc import Callable
from typing import Any, cast

from flexvault_cli.errors import read_actions
from flexvault_cli.output import Columns
from flexvault_cli.wire import Json, dig, dig_list

_KIB = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


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


def short_time(value: object) -> str:
    """Write a time without the fraction of its second; nothing for no time."""
    return re.sub(r"(?<=:\d\d)\.\d+", "", str(value or ""))


def write_bytes(size: object) -> str:
    """Write a size for people, such as `1.5 GiB`."""
    if not isinstance(size, int | float):
        return ""
    rest = float(size)
    for unit in _UNITS[:-1]:
        if rest < _KIB:
            return f"{rest:.0f} {unit}" if unit == "B" else f"{rest:.1f} {unit}"
        rest /= _KIB
    return f"{rest:.1f} {_UNITS[-1]}"


def byte_count(path: str) -> Callable[[Json], object]:
    """Show the size at a dotted path; nothing where there is none."""
    return lambda resource: write_bytes(dig(resource, path))


def member(path: str) -> Callable[[Json], object]:
    """Show the value at a dotted path."""
    return lambda resource: dig(resource, path)


def moment(path: str) -> Callable[[Json], object]:
    """Show the time at a dotted path."""
    return lambda resource: short_time(dig(resource, path))


def _identities(isolation: Json) -> list[str]:
    return [f"{found.get('name')}: {found.get('clientId')}" for found in dig_list(isolation, "identities")]


def _findings(*, is_ok: bool) -> Callable[[Json], object]:
    """Show the findings of one kind, with what to do about them."""

    def read(isolation: Json) -> list[str]:
        found = [finding for finding in dig_list(isolation, "findings") if bool(finding.get("isOk")) is is_ok]
        return [line for finding in found for line in _describe_finding(finding)]

    return read


def _describe_finding(finding: Json) -> list[str]:
    remedy = finding.get("remedy")
    return [f"{finding.get('code')}: {finding.get('message')}", *([f"  do: {remedy}"] if remedy else [])]


def _property(path: str) -> Callable[[Json], object]:
    return member(f"properties.{path}")


def _duration(job: Json) -> str:
    """Write a duration such as `PT1H2M3.456S` as `1 h 2 min 3 s`; under a minute with one decimal."""
    told = str(dig(job, "properties.duration") or "")
    found = _DURATION.fullmatch(told)
    if not found or not any(found.groups()):
        return told
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    if not hours and not minutes:
        return f"{seconds:.1f} s"
    whole = round(hours * 3600 + minutes * 60 + seconds)
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


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


def _zones(policy: Json) -> list[str]:
    rules = find_rules(policy, "AzureBackupRule")
    return [str(dig(rule, "trigger.schedule.timeZone") or "UTC") for rule in rules]


def _tags(policy: Json) -> list[str]:
    """Answer a line for each tag: its priority, its name, and when it matches."""
    entries = [
        entry for rule in find_rules(policy, "AzureBackupRule") for entry in dig_list(rule, "trigger.taggingCriteria")
    ]
    return [
        f"{entry.get('taggingPriority')} {dig(entry, 'tagInfo.tagName')}: "
        + (" or ".join(_describe_criterion(one) for one in dig_list(entry, "criteria")) or "every backup")
        for entry in sorted(entries, key=lambda entry: int(entry.get("taggingPriority") or 0))
    ]


def _describe_criterion(criterion: Json) -> str:
    given = {name: value for name, value in criterion.items() if value and name != "objectType"}
    return " and ".join(f"{name} {json.dumps(value)}" for name, value in given.items())


def _soft_delete(vault: Json) -> str:
    settings: Json = dig(vault, "properties.securitySettings.softDeleteSettings") or {}
    state, days = settings.get("state"), settings.get("retentionDurationInDays")
    return f"{state}, {days:.0f} days" if state and state != "Off" and days is not None else str(state or "")


def _redundancies(vault: Json) -> list[str]:
    return [str(setting.get("type") or "not known") for setting in dig_list(vault, "properties.storageSettings")]


def _describe(fault: Json) -> str:
    return f"{fault.get('code')}: {fault.get('message')}"


def _protection_error(instance: Json) -> str:
    fault = dig(instance, "properties.protectionErrorDetails")
    return _describe(fault) if fault else ""


def _protection_actions(instance: Json) -> list[str]:
    return read_actions(dig(instance, "properties.protectionErrorDetails") or {})


def _expiry(instance: Json) -> object:
    """Show whether recovery points expire; of an instance of which none does, whatever the guard says, nothing."""
    state, expiry = dig(instance, "properties.currentProtectionState"), dig(instance, "poisoning.expiry")
    return None if expiry == "Running" and state in {"SoftDeleted", "ProtectionStopped"} else expiry


def _job_actions(job: Json) -> list[str]:
    details = dig_list(job, "properties.extendedInfo.warningDetails")
    faults = [*dig_list(job, "properties.errorDetails"), *(detail.get("warning") or {} for detail in details)]
    return list(dict.fromkeys(action for fault in faults for action in read_actions(fault)))


def _errors(job: Json) -> list[str]:
    return [_describe(fault) for fault in dig_list(job, "properties.errorDetails")]


def _warnings(job: Json) -> list[str]:
    details = dig_list(job, "properties.extendedInfo.warningDetails")
    return [_describe(detail.get("warning") or {}) for detail in details]


def _fact(name: str) -> Callable[[Json], object]:
    """Read a fact that the vault keeps in the text `metaData` of a recovery point's data store."""

    def read(point: Json) -> object:
        for details in dig_list(point, "properties.recoveryPointDataStoresDetails"):
            facts: Json = json.loads(str(details.get("metaData") or "{}"))
            found = facts.get(name)
            names: list[Any] = cast("list[Any]", found) if isinstance(found, list) else []
            return ", ".join(str(one) for one in names) if isinstance(found, list) else found
        return None

    return read


_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")
TASK_MEMBERS = ("taskName", "taskStatus", "taskProgress")
KILLED: Columns = {
    "id": member("jobId"),
    "operation": member("operation"),
    "instance": member("backupInstance"),
    "step": member("step"),
    "what happens": member("consequence"),
}
VAULT: Columns = {
    "name": _name,
    "location": lambda vault: vault.get("location"),
    "state": _property("provisioningState"),
    "storage": _redundancies,
    "immutability": _property("securitySettings.immutabilitySettings.state"),
    "soft delete": _soft_delete,
    "id": lambda vault: vault.get("id"),
}
ISOLATION: Columns = {
    "isolated": lambda isolation: "yes" if isolation.get("isIsolated") else "no",
    "role": member("role"),
    "identities": _identities,
    "fine": _findings(is_ok=True),
    "not isolated by": _findings(is_ok=False),
}
POLICIES: Columns = {"name": _name, "schedule": _schedules, "retention": _retentions}
POLICY: Columns = {
    **POLICIES,
    "time zone": _zones,
    "tags": _tags,
    "deep verification": _property("deepVerification.newestEvery"),
}
INSTANCES: Columns = {
    "name": _name,
    "server": _property("friendlyName"),
    "policy": lambda instance: last_segment(dig(instance, "properties.policyInfo.policyId")),
    "protection": _property("currentProtectionState"),
}
INSTANCES_DROPPED = ("server", "policy")
INSTANCE: Columns = {
    **INSTANCES,
    "server id": _property("dataSourceInfo.resourceID"),
    "expiry": _expiry,
    "suspected": lambda instance: [one.get("text") for one in dig_list(instance, "poisoning.suspected")],
    "error": _protection_error,
    "recommended": _protection_actions,
}
DELETED_INSTANCES: Columns = {
    "name": _name,
    "server": _property("friendlyName"),
    "deleted": moment("properties.deletionInfo.deletionTime"),
    "undelete until": moment("undeleteUntil"),
    "gone at": moment("properties.deletionInfo.scheduledPurgeTime"),
}
DELETED_DROPPED = ("server", "deleted")
POINTS: Columns = {
    "id": _name,
    "time": moment("properties.recoveryPointTime"),
    "type": _property("recoveryPointType"),
    "tag": _property("retentionTagName"),
    "expires": moment("properties.expiryTime"),
    "state": _property("recoveryPointState"),
    "verified": _fact("verified"),
}
POINTS_DROPPED = ("type", "state", "tag", "verified")
POINT: Columns = {
    **POINTS,
    "policy": _property("policyName"),
    "size": lambda point: write_bytes(_fact("sizeInBytes")(point)),
    "immutable until": lambda point: short_time(_fact("immutableUntil")(point)),
    "immutability": _fact("immutability"),
    "holds": _fact("holds"),
    "suspected": _fact("poisoningSuspected"),
    "verified at": lambda point: short_time(_fact("verifiedAt")(point)),
    "good": _fact("isGood"),
}
JOBS: Columns = {
    "id": _name,
    "operation": _property("operation"),
    "server": _property("backupInstanceFriendlyName"),
    "status": _property("status"),
    "started": moment("properties.startTime"),
    "duration": _duration,
}
JOBS_DROPPED = ("duration", "started", "server")
JOB: Columns = {
    **JOBS,
    "ended": moment("properties.endTime"),
    "on demand": _property("isUserTriggered"),
    "policy": _property("policyName"),
    "destination": _property("extendedInfo.recoveryDestination"),
    "databases": _property("extendedInfo.additionalDetails.Databases"),
    "tasks": describe_job_tasks,
    "warnings": _warnings,
    "errors": _errors,
    "recommended": _job_actions,
}
