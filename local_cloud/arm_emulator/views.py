"""What resources and operations look like on the wire.

Source of the shapes: the recorded live traffic of the Azure CLI's own test of long-term retention
(`test_postgres_flexible_server_ltr.yaml` in Azure/azure-cli), and the examples of the specification for servers.
"""

import base64
import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from local_cloud.arm_emulator.clock import wire_time
from local_cloud.arm_emulator.operations import FAILED, RUNNING, BackupOperation
from local_cloud.arm_emulator.resources import (
    SERVER_TYPE,
    STORAGE_TYPE,
    AzureBackupInstance,
    FlexibleServer,
    ResourceGroup,
    StorageAccount,
    Subscription,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# The service keeps two start times of one operation; lists and results show the later one.
_SECOND_START = timedelta(milliseconds=140)

# Real links are about 3.5 KB: long enough to break whoever uses one as a key.
_CERTIFICATE_BYTES = 2400
_SIGNATURE_BYTES = 256


def subscription_view(subscription: Subscription, tenant_id: str) -> dict[str, Any]:
    """Show a subscription."""
    return {
        "id": subscription.resource_id,
        "subscriptionId": subscription.subscription_id,
        "tenantId": tenant_id,
        "displayName": subscription.display_name,
        "state": "Enabled",
    }


def resource_group_view(group: ResourceGroup) -> dict[str, Any]:
    """Show a resource group."""
    return {
        "id": group.resource_id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "properties": {"provisioningState": "Succeeded"},
    }


def storage_account_view(account: StorageAccount) -> dict[str, Any]:
    """Show a storage account; Azure ends the endpoint with a slash."""
    copies = {} if account.allowed_copy_scope is None else {"allowedCopyScope": account.allowed_copy_scope}
    return {
        "id": account.resource_id,
        "name": account.name,
        "type": STORAGE_TYPE,
        "location": account.location,
        "kind": account.kind,
        "sku": {"name": account.sku, "tier": account.sku.partition("_")[0]},
        "properties": {
            "provisioningState": "Succeeded",
            "accessTier": "Hot",
            "supportsHttpsTrafficOnly": True,
            "primaryLocation": account.location,
            "statusOfPrimary": "available",
            "primaryEndpoints": {"blob": f"{account.blob_endpoint}/"},
            "publicNetworkAccess": account.public_network_access,
            "networkAcls": {
                "bypass": "AzureServices",
                "virtualNetworkRules": [],
                "ipRules": [],
                "defaultAction": account.default_action,
            },
            "allowSharedKeyAccess": account.allow_shared_key_access,
            "allowCrossTenantReplication": account.allow_cross_tenant_replication,
            **copies,
        },
    }


def server_view(server: FlexibleServer) -> dict[str, Any]:
    """Show a flexible server."""
    is_replica = server.replication_role.is_replica()
    login = conninfo_to_dict(server.postgres).get("user") if server.postgres else None
    properties: dict[str, Any] = {
        "administratorLogin": login or "postgres",
        "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
        "availabilityZone": "1",
        "backup": {
            "backupRetentionDays": 7,
            "earliestRestoreDate": wire_time(server.created_at),
            "geoRedundantBackup": "Disabled",
        },
        "dataEncryption": {"type": "SystemManaged"},
        "fullyQualifiedDomainName": f"{server.name}.postgres.database.azure.com",
        "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
        "minorVersion": "0",
        "network": {"publicNetworkAccess": server.public_network_access},
        "privateEndpointConnections": [
            {"id": f"{server.resource_id}/privateEndpointConnections/endpoint-{number}"}
            for number in range(1, server.private_endpoints + 1)
        ],
        "replica": {"capacity": 0 if is_replica else 5, "role": server.replication_role},
        "replicaCapacity": 0 if is_replica else 5,
        "replicationRole": server.replication_role,
        "state": server.state,
        "storage": {"autoGrow": "Disabled", "storageSizeGB": server.storage_size_gb},
        "version": server.version,
    }
    if server.source_server_resource_id is not None:
        properties["sourceServerResourceId"] = server.source_server_resource_id
    if server.delegated_subnet_resource_id is not None:
        properties["network"]["delegatedSubnetResourceId"] = server.delegated_subnet_resource_id
    if server.storage_type is not None:
        properties["storage"]["type"] = server.storage_type
    if server.cluster_size is not None:
        properties["cluster"] = {"clusterSize": server.cluster_size, "defaultDatabaseName": "postgres"}
    return {
        "id": server.resource_id,
        "name": server.name,
        "type": SERVER_TYPE,
        "location": server.location,
        "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
        "systemData": {"createdAt": server.created_at_text},
        "tags": {},
        "properties": properties,
    }


def azure_backup_instance_view(server: FlexibleServer, instance: AzureBackupInstance) -> dict[str, Any]:
    """Show a backup instance of Azure Backup, as the list by its server does."""
    source = {
        "objectType": "Datasource",
        "resourceID": server.resource_id,
        "resourceName": server.name,
        "resourceType": SERVER_TYPE,
        "datasourceType": SERVER_TYPE,
        "resourceLocation": server.location,
    }
    return {
        "id": instance.resource_id,
        "name": instance.resource_id.rpartition("/")[2],
        "type": "Microsoft.DataProtection/backupVaults/backupInstances",
        "properties": {
            "objectType": "BackupInstance",
            "friendlyName": server.name,
            "dataSourceInfo": source,
            "policyInfo": {"policyId": f"{instance.resource_id.rpartition('/backupInstances/')[0]}/backupPolicies/p"},
            "protectionStatus": {"status": instance.state},
            "currentProtectionState": instance.state,
            "provisioningState": "Succeeded",
        },
    }


def backup_view(operation: BackupOperation, now: datetime, *, is_listed: bool = False) -> dict[str, Any]:
    """Show an operation as `ltrBackupOperations` does."""
    properties = _backup_properties(operation, now, _SECOND_START if is_listed else timedelta())
    properties["status"] = operation.status
    shown = {**properties, **operation.reported}
    return {
        "properties": {key: value for key, value in shown.items() if value is not None},
        "id": f"{operation.server_id}/ltrBackupOperations/{operation.backup_name}",
        "name": operation.backup_name,
        "type": f"{SERVER_TYPE}/ltrBackupOperations",
    }


def backup_result_view(operation: BackupOperation, now: datetime) -> dict[str, Any]:
    """Show an operation as `operationResults` does: without its status."""
    return {"properties": _backup_properties(operation, now, _SECOND_START)}


def async_operation_view(operation: BackupOperation) -> dict[str, Any]:
    """Show an operation as `azureAsyncOperation` does: no end, no percentage."""
    view: dict[str, Any] = {
        "name": operation.operation_id,
        "status": "InProgress" if operation.status == RUNNING else operation.status,
        "startTime": wire_time(operation.started_at),
    }
    if operation.status == FAILED:
        view["error"] = {"code": operation.error_code, "message": operation.error_message}
    return view


def long_running_headers(
    base_url: str, *, subscription_id: str, location: str, operation_id: str, api_version: str, started_at: datetime
) -> dict[str, str]:
    """Return the two links of a 202: no `Retry-After`, as on the wire."""
    root = f"{base_url}/subscriptions/{subscription_id}/providers/Microsoft.DBforPostgreSQL/locations/{location}"
    query = f"api-version={api_version}&{_signature(operation_id, started_at)}"
    return {
        "Azure-AsyncOperation": f"{root}/azureAsyncOperation/{operation_id}?{query}",
        "Location": f"{root}/operationResults/{operation_id}?{query}",
    }


def _backup_properties(operation: BackupOperation, now: datetime, later: timedelta) -> dict[str, Any]:
    optional: Mapping[str, Any] = {
        "datasourceSizeInBytes": operation.datasource_size_bytes,
        "endTime": wire_time(operation.ended_at) if operation.ended_at is not None else None,
        "errorCode": operation.error_code,
        "errorMessage": operation.error_message,
    }
    return {
        "backupName": operation.backup_name,
        "dataTransferredInBytes": operation.transferred_bytes,
        "backupMetadata": "",
        "startTime": wire_time(operation.started_at + later),
        "percentComplete": operation.percent_complete(now),
        **{key: value for key, value in optional.items() if value is not None},
    }


def _signature(operation_id: str, started_at: datetime) -> str:
    stretched = hashlib.shake_256(operation_id.encode()).digest(_CERTIFICATE_BYTES + 2 * _SIGNATURE_BYTES)
    text = base64.urlsafe_b64encode(stretched).decode().rstrip("=")
    signature = text[: _SIGNATURE_BYTES * 4 // 3]
    ticks = int(started_at.timestamp() * 10_000_000) + 621_355_968_000_000_000
    return f"t={ticks}&c={text[len(signature) :]}&s={signature}&h={signature[:43]}"
