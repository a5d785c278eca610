"""What exists in the emulated cloud, as values: subscriptions, resource groups, servers, storage accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from local_cloud.arm_emulator.clock import parse_time

SERVER_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
STORAGE_TYPE = "Microsoft.Storage/storageAccounts"


class ServerState(StrEnum):
    """The states of a flexible server; only a ready one can be backed up."""

    READY = "Ready"
    DROPPING = "Dropping"
    DISABLED = "Disabled"
    STARTING = "Starting"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    UPDATING = "Updating"
    RESTARTING = "Restarting"
    INACCESSIBLE = "Inaccessible"
    PROVISIONING = "Provisioning"

    def serves(self) -> bool:
        """Tell whether PostgreSQL can be reached in this state, so that a running backup goes on."""
        return self in {ServerState.READY, ServerState.UPDATING}


class ReplicationRole(StrEnum):
    """What a server is in a replication set; only a replica cannot be backed up."""

    NONE = "None"
    PRIMARY = "Primary"
    ASYNC_REPLICA = "AsyncReplica"
    GEO_ASYNC_REPLICA = "GeoAsyncReplica"

    def is_replica(self) -> bool:
        """Tell whether the server follows another one."""
        return self in {ReplicationRole.ASYNC_REPLICA, ReplicationRole.GEO_ASYNC_REPLICA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """An Azure subscription."""

    subscription_id: str
    display_name: str

    @property
    def resource_id(self) -> str:
        return f"/subscriptions/{self.subscription_id}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an element of `subscriptions` in the configuration."""
        return cls(subscription_id=data["id"], display_name=data.get("displayName", data["id"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceGroup:
    """A resource group; its name compares case-insensitively."""

    subscription_id: str
    name: str
    location: str

    @property
    def resource_id(self) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.name}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an element of `resourceGroups` in the configuration."""
        return cls(subscription_id=data["subscriptionId"], name=data["name"], location=data["location"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccount:
    """A storage account; `blob_endpoint` carries no final slash."""

    subscription_id: str
    resource_group: str
    name: str
    location: str
    blob_endpoint: str
    kind: str = "StorageV2"
    sku: str = "Standard_LRS"
    public_network_access: str = "Enabled"
    default_action: str = "Allow"
    """What its firewall does with whom no rule names."""
    allow_shared_key_access: bool = True
    allow_cross_tenant_replication: bool = False
    allowed_copy_scope: str | None = None
    """`AAD`, `PrivateLink`; None = copies from anywhere."""

    @property
    def resource_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/{STORAGE_TYPE}/{self.name}"
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an element of `storageAccounts` in the configuration."""
        account = cls(
            subscription_id=data["subscriptionId"],
            resource_group=data["resourceGroup"],
            name=data["name"],
            location=data["location"],
            blob_endpoint=data["blobEndpoint"].rstrip("/"),
        )
        fixed = {"subscriptionId", "resourceGroup", "name", "location", "blobEndpoint"}
        return account.changed({key: value for key, value in data.items() if key not in fixed})

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return the account with members of `ACCOUNT_CHANGEABLE` set, under their wire names.

        Raises:
            ValueError: A name is unknown, or a value is not of its kind; the message says what is allowed.
        """
        return replace(self, **_read_changes("account", changes, ACCOUNT_CHANGEABLE))


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureBackupInstance:
    """A backup instance of an Azure Backup vault, somewhere in the cloud."""

    resource_id: str
    state: str = "ProtectionConfigured"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an element of a server's `azureBackupInstances`."""
        return cls(resource_id=str(data["id"]), state=str(data.get("currentProtectionState", "ProtectionConfigured")))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlexibleServer:
    """A flexible server and the PostgreSQL that stands for it; several may share one PostgreSQL."""

    subscription_id: str
    resource_group: str
    name: str
    location: str
    created_at_text: str
    """When this incarnation was created, as answers show it: a server made anew under its name has another one."""
    version: str = "18"
    storage_size_gb: int = 128
    state: ServerState = ServerState.READY
    replication_role: ReplicationRole = ReplicationRole.PRIMARY
    source_server_resource_id: str | None = None
    """The primary of a replica."""
    public_network_access: str = "Enabled"
    delegated_subnet_resource_id: str | None = None
    """Of a server that lies in a virtual network."""
    private_endpoints: int = 0
    storage_type: str | None = None
    """None = not shown, as by servers of before there was a choice."""
    cluster_size: int | None = None
    """Nodes of an elastic cluster."""
    azure_backup_instances: tuple["AzureBackupInstance", ...] = ()
    """Backup instances of Azure Backup that protect the server."""
    postgres: str | None = None
    """A `postgresql://` URL of a superuser; without one every backup fails."""
    containers: int = 1
    """How many containers `ltrPreBackup` asks for."""
    minimum_duration_seconds: float | None = None
    """How long a backup at least says Running; None = the emulator's own setting."""

    @property
    def created_at(self) -> datetime:
        return parse_time(self.created_at_text)

    @property
    def resource_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/{SERVER_TYPE}/{self.name}"
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an element of `servers` in the configuration."""
        server = cls(
            subscription_id=data["subscriptionId"],
            resource_group=data["resourceGroup"],
            name=data["name"],
            location=data["location"],
            created_at_text=_time_text(data["createdAt"]),
        )
        fixed = {"subscriptionId", "resourceGroup", "name", "location", "createdAt"}
        return server.changed({key: value for key, value in data.items() if key not in fixed})

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Return the server with members of `CHANGEABLE` set, under their wire names.

        Raises:
            ValueError: A name is unknown, or a value is not of its kind; the message says what is allowed.
        """
        return replace(self, **_read_changes("server", changes, CHANGEABLE))


def _read_changes(kind: str, changes: Mapping[str, Any], changeable: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    unknown = sorted(set(changes) - set(changeable))
    if unknown:
        raise ValueError(f"unknown {kind} members {unknown}; hint: use {sorted(changeable)}")
    values: dict[str, Any] = {}
    for key, value in changes.items():
        field, convert = changeable[key]
        try:
            values[field] = convert(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{key} cannot be {value!r}: {error}") from error
    return values


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("it must be true or false")
    return value


def _time_text(value: str) -> str:
    parse_time(value)
    return value


def _optional_text(value: object) -> str | None:
    return None if value is None else str(value)


def _optional_count(value: Any) -> int | None:
    return None if value is None else int(value)


def _azure_backup_instances(value: Any) -> tuple[AzureBackupInstance, ...]:
    try:
        return tuple(AzureBackupInstance.from_json(one) for one in value)
    except KeyError as error:
        raise ValueError(f"each needs the member {error}") from error


def _optional_seconds(value: Any) -> float | None:
    return None if value is None else float(value)


CHANGEABLE: Mapping[str, tuple[str, Any]] = {
    "createdAt": ("created_at_text", _time_text),
    "version": ("version", str),
    "storageSizeGB": ("storage_size_gb", int),
    "state": ("state", ServerState),
    "replicationRole": ("replication_role", ReplicationRole),
    "sourceServerResourceId": ("source_server_resource_id", _optional_text),
    "publicNetworkAccess": ("public_network_access", str),
    "delegatedSubnetResourceId": ("delegated_subnet_resource_id", _optional_text),
    "privateEndpoints": ("private_endpoints", int),
    "storageType": ("storage_type", _optional_text),
    "clusterSize": ("cluster_size", _optional_count),
    "azureBackupInstances": ("azure_backup_instances", _azure_backup_instances),
    "postgres": ("postgres", _optional_text),
    "containers": ("containers", int),
    "minimumDurationSeconds": ("minimum_duration_seconds", _optional_seconds),
}
"""Wire name of each member that may change -> (field, reader)."""

ACCOUNT_CHANGEABLE: Mapping[str, tuple[str, Any]] = {
    "kind": ("kind", str),
    "sku": ("sku", str),
    "publicNetworkAccess": ("public_network_access", str),
    "defaultAction": ("default_action", str),
    "allowSharedKeyAccess": ("allow_shared_key_access", _flag),
    "allowCrossTenantReplication": ("allow_cross_tenant_replication", _flag),
    "allowedCopyScope": ("allowed_copy_scope", _optional_text),
}
"""The same of a storage account. What these settings refuse is not played: they are only shown."""
