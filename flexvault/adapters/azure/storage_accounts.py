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
        if not _is_at(found, blob_endpoint):
            return None
        return _settings(str(found.get("id") or account_id), found, found.get("properties") or {})

    def find_sku(self, subscription_id: str, blob_endpoint: str) -> str:
        """Answer the SKU of the account that has an endpoint, such as Standard_ZRS; "" when ARM shows none.

        The list of a subscription holds the accounts that the identity may read, whatever group they are in.

        Raises:
            VaultError: ARM cannot be asked now.
        """
        listed = f"/subscriptions/{subscription_id}/providers/Microsoft.Storage/storageAccounts"
        try:
            accounts = self._arm.list_all(listed, _API_VERSION)
        except (NotAuthorizedError, NotFoundError):
            return ""
        skus: list[dict[str, Any]] = [
            account.get("sku") or {} for account in accounts if _is_at(account, blob_endpoint)
        ]
        return str(skus[0].get("name") or "") if skus else ""


def _is_at(account: dict[str, Any], blob_endpoint: str) -> bool:
    properties: dict[str, Any] = account.get("properties") or {}
    endpoints: dict[str, Any] = properties.get("primaryEndpoints") or {}
    return str(endpoints.get("blob", "")).rstrip("/").lower() == blob_endpoint.rstrip("/").lower()


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
