"""What ARM says of a storage account, where it lets the control identity read it."""

from typing import Any

from flexvault.adapters.azure.arm import Arm
from flexvault.domain.account_checks import AccountSettings
from flexvault.domain.errors import InvalidInputError, NotAuthorizedError, NotFoundError

_API_VERSION = "2023-05-01"
_ACCOUNT_PARTS = 9


class StorageAccounts:
    """Reads of storage accounts.

    Args:
        arm: The control identity's way into ARM.
    """

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def find(self, resource_id: str, blob_endpoint: str) -> AccountSettings | None:
        """Answer the account, or nothing when ARM does not show it or shows another endpoint.

        Args:
            resource_id: ARM id of the account or of one of its containers.
            blob_endpoint: Where the data plane was reached; the id alone proves nothing.
        """
        account_id = _account_id(resource_id)
        try:
            found = self._arm.get(account_id, _API_VERSION)
        except (NotAuthorizedError, NotFoundError):
            # Not shown is a plain answer here: the caller reports "not readable" and treats the target as outside.
            return None
        properties: dict[str, Any] = found.get("properties") or {}
        endpoints: dict[str, Any] = properties.get("primaryEndpoints") or {}
        endpoint = str(endpoints.get("blob", ""))
        if endpoint.rstrip("/").lower() != blob_endpoint.rstrip("/").lower():
            return None
        return _settings(str(found.get("id") or account_id), found, properties)


def _account_id(resource_id: str) -> str:
    parts = resource_id.rstrip("/").split("/")
    if len(parts) < _ACCOUNT_PARTS or [part.lower() for part in parts[6:8]] != ["microsoft.storage", "storageaccounts"]:
        message = f"'{resource_id}' is no resource id of a storage account or container"
        raise InvalidInputError(message, target="restoreTargetInfo.targetDetails.targetResourceArmId")
    return "/".join(parts[:_ACCOUNT_PARTS])


def _settings(account_id: str, found: dict[str, Any], properties: dict[str, Any]) -> AccountSettings:
    rules: dict[str, Any] = properties.get("networkAcls") or {}
    sku: dict[str, Any] = found.get("sku") or {}
    # An old account shows no allowCrossTenantReplication, which means that it is allowed.
    crosses = properties.get("allowCrossTenantReplication")
    keys = properties.get("allowSharedKeyAccess")
    return AccountSettings(
        id=account_id,
        kind=str(found.get("kind") or ""),
        sku=str(sku.get("name") or ""),
        public_network_access=str(properties.get("publicNetworkAccess") or "Enabled"),
        default_action=str(rules.get("defaultAction") or "Allow"),
        allows_account_keys=keys is None or bool(keys),
        allows_cross_tenant_replication=crosses is None or bool(crosses),
        copy_scope=str(properties.get("allowedCopyScope") or ""),
    )
