"""What the demo and the benchmark order: a policy, the protection of one server, a restore."""

import uuid
from datetime import UTC, timedelta
from typing import Any

from local_cloud.certificates import now
from local_cloud.demo.client import ApiError, VaultClient
from local_cloud.endpoints import Endpoints

SERVER, POLICY = "pg-orders", "demo-daily"
DATASOURCE = "Microsoft.DBforPostgreSQL/flexibleServers"
CONTAINER = "restores"


def protect(vault: VaultClient, endpoints: Endpoints) -> str:
    """Put the server under a policy that is not due yet; answers the instance's path below the vault.

    Raises:
        ApiError: It is not protected at the end.
    """
    server_id = endpoints["servers"][SERVER]["resourceId"]
    name = f"{SERVER}-{SERVER}-{uuid.uuid5(uuid.NAMESPACE_URL, server_id)}"
    vault.put(f"/backupPolicies/{POLICY}", daily_policy(first_slot_in=timedelta(days=1)))
    source = {
        "objectType": "Datasource",
        "resourceID": server_id,
        "resourceName": SERVER,
        "resourceType": DATASOURCE,
        "datasourceType": DATASOURCE,
        "resourceLocation": "eastus",
        "resourceUri": "",
    }
    properties = {
        "objectType": "BackupInstance",
        "friendlyName": SERVER,
        "dataSourceInfo": source,
        "policyInfo": {"policyId": f"{vault.vault_id}/backupPolicies/{POLICY}"},
    }
    vault.put(f"/backupInstances/{name}", {"properties": properties})
    state = vault.get(f"/backupInstances/{name}")["properties"]["currentProtectionState"]
    if state != "ProtectionConfigured":
        raise ApiError(f"backup instance {name} is {state}")
    return f"/backupInstances/{name}"


def restore_order(point_id: str, prefix: str, endpoints: Endpoints) -> dict[str, Any]:
    """Order a restore as files into the local restore container."""
    account = endpoints["storage"]["restore"]
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
                "url": f"{account['blobEndpoint']}/{CONTAINER}",
                "targetResourceArmId": account["resourceId"],
            },
        },
    }


def daily_policy(*, first_slot_in: timedelta) -> dict[str, Any]:
    """A daily policy whose first slot lies a little ahead."""
    slot = (now() + first_slot_in).astimezone(UTC).replace(microsecond=0)
    store = {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"}
    tag = {"isDefault": True, "taggingPriority": 99, "tagInfo": {"tagName": "Default"}}
    schedule = {"timeZone": "UTC", "repeatingTimeIntervals": [f"R/{slot.isoformat()}/P1D"]}
    trigger = {"objectType": "ScheduleBasedTriggerContext", "schedule": schedule, "taggingCriteria": [tag]}
    backup = {
        "name": "BackupDaily",
        "objectType": "AzureBackupRule",
        "backupParameters": {"backupType": "Full", "objectType": "AzureBackupParams"},
        "dataStore": store,
        "trigger": trigger,
    }
    lifecycle: dict[str, Any] = {
        "deleteAfter": {"duration": "P3M", "objectType": "AbsoluteDeleteOption"},
        "sourceDataStore": store,
        "targetDataStoreCopySettings": [],
    }
    retention: dict[str, Any] = {
        "name": "Default",
        "objectType": "AzureRetentionRule",
        "isDefault": True,
        "lifecycles": [lifecycle],
    }
    return {
        "properties": {
            "objectType": "BackupPolicy",
            "datasourceTypes": [DATASOURCE],
            "policyRules": [backup, retention],
        }
    }
