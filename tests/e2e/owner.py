"""The owner of the emulated Azure: changes servers and roles, orders faults, reads the emulator's own log."""

import ssl
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from local_cloud.landscape import object_id_of
from local_cloud.launch import LaunchedCloud

API_VERSIONS = {"roleAssignments": "2022-04-01", "flexibleServers": "2025-08-01", "resourceGroups": "2021-04-01"}
CONTROL = object_id_of("control")
LTR_ROLE, READER = "c088a766-074b-43ba-90d4-1fb21feae531", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SOURCE_ROLES = (LTR_ROLE, READER)
"""What the control identity needs on a source server."""
ACCESS_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
"""What it needs to grant them itself; an operator gives it on the servers' resource group."""


class Owner:
    """Acts in the ARM emulator of one cloud."""

    def __init__(self, cloud: LaunchedCloud) -> None:
        """Connect as the owner."""
        endpoints = cloud.endpoints
        self._http = httpx.Client(
            base_url=endpoints["arm"]["endpoint"],
            headers={"Authorization": f"Bearer {endpoints['arm']['token']}"},
            verify=ssl.create_default_context(cafile=endpoints["storage"]["ca"]),
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def order_fault(self, fault: Mapping[str, Any]) -> int:
        """Order a fault; answers its number."""
        return int(self._send("POST", "/_emulator/faults", fault).json()["id"])

    def clear_fault(self, number: int) -> None:
        """Clear one fault, and let go whom it holds."""
        self._send("DELETE", f"/_emulator/faults/{number}")

    def faults(self) -> list[dict[str, Any]]:
        """List the faults that are still ordered."""
        found: list[dict[str, Any]] = self._send("GET", "/_emulator/faults").json()["value"]
        return found

    def change_server(self, server_id: str, **changes: Any) -> None:
        """Change what ARM shows of a server."""
        self._send("POST", f"/_emulator/servers{server_id}", changes)

    def delete(self, resource_id: str) -> None:
        """Delete a server or a resource group."""
        self._send("DELETE", resource_id, version=_version_of(resource_id))

    def assignments(self, scope: str, role_id: str = "") -> list[str]:
        """Answer the ids of the control identity's assignments at a scope itself."""
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
        found = self._send("GET", path, version=API_VERSIONS["roleAssignments"]).json()["value"]
        return [
            assignment["id"]
            for assignment in found
            if assignment["properties"]["principalId"] == CONTROL
            and assignment["properties"]["scope"].lower() == scope.lower()
            and assignment["properties"]["roleDefinitionId"].endswith(role_id)
        ]

    def revoke(self, scope: str, role_id: str = "") -> int:
        """Take roles at a scope away from the control identity; answers how many."""
        assignments = self.assignments(scope, role_id)
        for assignment in assignments:
            self._send("DELETE", assignment, version=API_VERSIONS["roleAssignments"])
        return len(assignments)

    def grant(self, scope: str, role_id: str) -> None:
        """Give the control identity a role, as a person would."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}|{role_id}|e2e")
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role_id}"
        body = {"properties": {"roleDefinitionId": definition, "principalId": CONTROL}}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"
        self._send("PUT", path, body, version=API_VERSIONS["roleAssignments"])

    def try_to_assign(self, scope: str, role_id: str, *, token: str) -> httpx.Response:
        """Let another principal give the control identity a role; answers what ARM says."""
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{role_id}"
        body = {"properties": {"roleDefinitionId": definition, "principalId": CONTROL}}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid5(uuid.NAMESPACE_URL, role_id)}"
        params = {"api-version": API_VERSIONS["roleAssignments"]}
        return self._http.put(path, json=body, params=params, headers={"Authorization": f"Bearer {token}"})

    def revoke_keys(self, account_id: str) -> None:
        """Revoke the user delegation keys of a storage account, and so every SAS of it."""
        self._send("POST", f"{account_id}/revokeUserDelegationKeys", version="2025-08-01")

    def granted(self, scope: str) -> list[dict[str, Any]]:
        """Answer every role that the emulator's log says was ever assigned at a scope or below it."""
        events: list[dict[str, Any]] = self._send("GET", "/_emulator/log").json()["roleAssignments"]
        return [event for event in events if str(event["scope"]).lower().startswith(scope.lower())]

    def _send(self, method: str, path: str, body: Any = None, *, version: str = "") -> httpx.Response:
        params = {"api-version": version} if version else {}
        return self._http.request(method, path, json=body, params=params).raise_for_status()


class Faults:
    """The faults that one test ordered."""

    def __init__(self, owner: Owner) -> None:
        """Begin with none."""
        self._owner = owner
        self._ordered: list[int] = []

    def order(self, fault: str, path: str, *, method: str = "POST", times: int | None = 1, **parameters: Any) -> int:
        """Order a fault for requests whose path and query match a regular expression; answers its number."""
        match = {"method": method, "path": path}
        self._ordered.append(self._owner.order_fault({"fault": fault, "match": match, "times": times, **parameters}))
        return self._ordered[-1]

    def is_used_up(self, number: int) -> bool:
        """Say whether a fault has met as many requests as it was ordered for."""
        return number not in [ordered["id"] for ordered in self._owner.faults()]

    def clear(self, number: int) -> None:
        """Clear a fault, and let go whom it holds."""
        self._owner.clear_fault(number)

    def clear_all(self) -> None:
        """Clear every fault that was ordered here."""
        for number in self._ordered:
            self._owner.clear_fault(number)


def _version_of(resource_id: str) -> str:
    kinds = [kind for kind in API_VERSIONS if f"/{kind}/".lower() in resource_id.lower()]
    return API_VERSIONS[kinds[-1] if "flexibleServers" not in kinds else "flexibleServers"]
