"""Names and ids of the tests' cloud."""

from typing import Any

from local_cloud.arm_emulator.resources import FlexibleServer

TENANT = "7c1f0f5e-7d0a-4b6a-9d55-4a1f3f2f9e01"
SUBSCRIPTION = "a2f9c0de-33cc-4d8f-8f43-7b7e5a0e6c11"
GROUP = "rg-databases"
ACCOUNT = "landing"
LOCATION = "eastus"
CREATED_AT = "2025-06-01T18:30:22.123456Z"

SUBSCRIPTION_ID = f"/subscriptions/{SUBSCRIPTION}"
GROUP_ID = f"{SUBSCRIPTION_ID}/resourceGroups/{GROUP}"
SERVERS_ID = f"{GROUP_ID}/providers/Microsoft.DBforPostgreSQL/flexibleServers"
SERVER_ID = f"{SERVERS_ID}/pg-orders"
ACCOUNT_ID = f"{GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"


def server_of(name: str, **changes: Any) -> FlexibleServer:
    """Describe a server of the tests' group; `changes` are wire names."""
    members: dict[str, Any] = {
        "subscriptionId": SUBSCRIPTION,
        "resourceGroup": GROUP,
        "name": name,
        "location": LOCATION,
        "createdAt": CREATED_AT,
    }
    return FlexibleServer.from_json({**members, **changes})


def role_id(role: str) -> str:
    """Return the resource id of a role definition."""
    return f"{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/{role}"
