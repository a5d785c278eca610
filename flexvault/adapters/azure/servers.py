"""Flexible servers, as ARM shows them to the control identity."""

from typing import Any

from azure.core.exceptions import AzureError

from flexvault.adapters.azure.arm import Arm, ServerId
from flexvault.adapters.azure.arm_errors import classify
from flexvault.domain.source_roles import grant_commands
from flexvault.ports import Server


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


def _server(server_id: str, found: Any) -> Server:
    properties: Any = found.properties or {}
    storage: Any = properties.get("storage") or {}
    return Server(
        id=str(found.id or server_id),
        name=str(found.name),
        location=str(found.location),
        state=_word(properties.get("state")),
        version=_word(properties.get("version")),
        replication_role=_word(properties.get("replicationRole")) or "Primary",
        storage_size_gib=storage.get("storageSizeGB"),
        created_at=found.system_data.created_at if found.system_data else None,
        tags=dict(found.tags or {}),
    )


def _word(value: Any) -> str:
    # A word that this SDK does not know stays a plain text; a known one is an enum.
    return str(getattr(value, "value", value) or "")
