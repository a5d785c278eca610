"""Request bodies as Azure Backup's clients send them."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from local_cloud.certificates import now

DATASOURCE = "Microsoft.DBforPostgreSQL/flexibleServers"
RULE = "BackupDaily"


def in_a_moment(seconds: float) -> datetime:
    """Answer a slot that lies so far ahead, in whole seconds as slots are."""
    return (now() + timedelta(seconds=seconds)).astimezone(UTC).replace(microsecond=0)


def policy(
    slots: Sequence[datetime] = (), *, period: str = "P1D", keep_for: str = "P3M", zone: str = "UTC"
) -> dict[str, Any]:
    """A policy with these first slots; without any, its first slot is a day away."""
    first_slots = slots or [in_a_moment(86_400)]
    store = {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"}
    tag = {"isDefault": True, "taggingPriority": 99, "tagInfo": {"tagName": "Default"}}
    intervals = [f"R/{slot.isoformat()}/{period}" for slot in first_slots]
    trigger = {
        "objectType": "ScheduleBasedTriggerContext",
        "schedule": {"timeZone": zone, "repeatingTimeIntervals": intervals},
        "taggingCriteria": [tag],
    }
    backup = {
        "name": RULE,
        "objectType": "AzureBackupRule",
        "backupParameters": {"backupType": "Full", "objectType": "AzureBackupParams"},
        "dataStore": store,
        "trigger": trigger,
    }
    lifecycle = {
        "deleteAfter": {"duration": keep_for, "objectType": "AbsoluteDeleteOption"},
        "sourceDataStore": store,
    }
    retention = {"name": "Default", "objectType": "AzureRetentionRule", "isDefault": True, "lifecycles": [lifecycle]}
    rules = [backup, retention]
    return {"properties": {"objectType": "BackupPolicy", "datasourceTypes": [DATASOURCE], "policyRules": rules}}


def instance_name(server_id: str) -> str:
    """Name a backup instance as Azure's own clients do: server, server, GUID."""
    server = server_id.rpartition("/")[2]
    return f"{server}-{server}-{uuid.uuid5(uuid.NAMESPACE_URL, server_id)}"


def instance(vault_id: str, server_id: str, policy_name: str) -> dict[str, Any]:
    """The properties of a backup instance."""
    server = server_id.rpartition("/")[2]
    source = {
        "objectType": "Datasource",
        "resourceID": server_id,
        "resourceName": server,
        "resourceType": DATASOURCE,
        "datasourceType": DATASOURCE,
        "resourceLocation": "eastus",
        "resourceUri": "",
    }
    return {
        "objectType": "BackupInstance",
        "friendlyName": server,
        "dataSourceInfo": source,
        "policyInfo": {"policyId": f"{vault_id}/backupPolicies/{policy_name}"},
    }


def on_demand() -> dict[str, Any]:
    """A backup now, under the policy's only rule and tag."""
    return {"backupRuleOptions": {"ruleName": RULE, "triggerOption": {"retentionTagOverride": "Default"}}}


def restore(point_id: str, container_url: str, account_id: str, prefix: str) -> dict[str, Any]:
    """A restore as files."""
    return {
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "recoveryPointId": point_id,
        "sourceDataStoreType": "VaultStore",
        "restoreTargetInfo": {
            "objectType": "RestoreFilesTargetInfo",
            "recoveryOption": "FailIfExists",
            "restoreLocation": "eastus",
            "targetDetails": {
                "filePrefix": prefix,
                "restoreTargetLocationType": "AzureBlobs",
                "url": container_url,
                "targetResourceArmId": account_id,
            },
        },
    }


def soft_delete(state: str) -> dict[str, Any]:
    """A change of the vault's soft delete."""
    return {"properties": {"securitySettings": {"softDeleteSettings": {"state": state}}}}


def immutability(state: str) -> dict[str, Any]:
    """A change of the vault's immutability."""
    return {"properties": {"securitySettings": {"immutabilitySettings": {"state": state}}}}
