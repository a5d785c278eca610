"""Policies in Azure's JSON from a few words."""

from collections.abc import Mapping, Sequence
from typing import Any

_STORE = {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"}


def tag(name: str, priority: int, *criteria: Mapping[str, Any], is_default: bool = False) -> dict[str, Any]:
    """A tagging criterion; each of `criteria` holds the members of one object."""
    written = [{"objectType": "ScheduleBasedBackupCriteria", **one} for one in criteria]
    named = {"tagInfo": {"tagName": name}, "taggingPriority": priority, "isDefault": is_default}
    return named if is_default else {**named, "criteria": written}


def policy_json(
    zone: str, intervals: Sequence[str], tags: Sequence[Mapping[str, Any]], durations: Mapping[str, str]
) -> dict[str, Any]:
    """The properties of a policy with a retention rule for each of `durations`."""
    schedule = {"timeZone": zone, "repeatingTimeIntervals": list(intervals)}
    backup = {
        "name": "Backup",
        "objectType": "AzureBackupRule",
        "backupParameters": {"backupType": "Full", "objectType": "AzureBackupParams"},
        "dataStore": _STORE,
        "trigger": {
            "objectType": "ScheduleBasedTriggerContext",
            "schedule": schedule,
            "taggingCriteria": list(tags),
        },
    }
    return {
        "objectType": "BackupPolicy",
        "datasourceTypes": ["Microsoft.DBforPostgreSQL/flexibleServers"],
        "policyRules": [backup, *(_retention_rule(name, duration) for name, duration in durations.items())],
    }


def _retention_rule(name: str, duration: str) -> dict[str, Any]:
    kept = {"objectType": "AbsoluteDeleteOption", "duration": duration}
    return {
        "name": name,
        "objectType": "AzureRetentionRule",
        "isDefault": name == "Default",
        "lifecycles": [{"deleteAfter": kept, "sourceDataStore": _STORE, "targetDataStoreCopySettings": []}],
    }
