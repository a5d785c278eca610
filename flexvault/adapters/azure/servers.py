"""Flexible servers, as ARM shows them to the control identity."""

from collections.abc import Mapping, Sequence
from typing import Any

from azure.core.exceptions import AzureError

from flexvault.adapters.azure.arm import Arm, ServerId
from flexvault.adapters.azure.arm_errors import classify
from flexvault.domain.source_roles import grant_commands
from flexvault.ports import AzureBackupInstance, Server

_DATA_PROTECTION_VERSION = "2026-06-01"


class AzureServers:
    """Reads of flexible servers.

    Args:
        arm: The control identity's way into ARM.
    """

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def get(self, server_id: str) -> Server:
        """Read a server."""
        place = ServerId.parse(server_id)
        client = self._arm.postgres(place.subscription_id)
        try:
            found: Any = client.servers.get(place.resource_group, place.name)
        except AzureError as error:
            hint = grant_commands(server_id, self._arm.find_principal_id(server_id))
            raise classify(error, f"server '{server_id}'", hint=hint, target=server_id) from None
        return _server(server_id, found)

    def list_azure_backup_instances(self, server_id: str) -> Sequence[AzureBackupInstance]:
        """Ask Azure Backup by the server's own id: its vaults may be in any subscription."""
        ServerId.parse(server_id)
        path = f"{server_id}/providers/Microsoft.DataProtection/backupInstances"
        hint = grant_commands(server_id, self._arm.find_principal_id(server_id))
        found = self._arm.list_all(path, _DATA_PROTECTION_VERSION, hint=hint)
        return [
            AzureBackupInstance(id=str(one.get("id") or ""), state=_protection_state(one.get("properties") or {}))
            for one in found
        ]


def _protection_state(properties: Mapping[str, Any]) -> str:
    status: Mapping[str, Any] = properties.get("protectionStatus") or {}
    return str(properties.get("currentProtectionState") or status.get("status") or "")


def _server(server_id: str, found: Any) -> Server:
    properties: Any = found.properties or {}
    storage: Any = properties.get("storage") or {}
    network: Any = properties.get("network") or {}
    cluster: Any = properties.get("cluster") or {}
    return Server(
        id=str(found.id or server_id),
        name=str(found.name),
        location=str(found.location),
        state=_word(properties.get("state")),
        version=_word(properties.get("version")),
        replication_role=_word(properties.get("replicationRole")) or "Primary",
        storage_size_gib=storage.get("storageSizeGB"),
        storage_type=_word(storage.get("type")),
        cluster_size=cluster.get("clusterSize"),
        public_network_access=_word(network.get("publicNetworkAccess")),
        delegated_subnet_id=str(network.get("delegatedSubnetResourceId") or ""),
        private_endpoints=len(properties.get("privateEndpointConnections") or ()),
        source_server_id=str(properties.get("sourceServerResourceId") or ""),
        created_at=found.system_data.created_at if found.system_data else None,
        tags=dict(found.tags or {}),
    )


def _word(value: Any) -> str:
    # A word that this SDK does not know stays a plain text; a known one is an enum.
    return str(getattr(value, "value", value) or "")
