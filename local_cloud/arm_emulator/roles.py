"""The built-in roles that a vault meets, as Azure defines them.

Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles (read in its public repository).
"""

import re
from dataclasses import dataclass

OWNER_ROLE = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR_ROLE = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER_ROLE = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
RBAC_ADMINISTRATOR_ROLE = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
LTR_BACKUP_ROLE = "c088a766-074b-43ba-90d4-1fb21feae531"
BLOB_CONTRIBUTOR_ROLE = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"

_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
_LOCATIONS = "Microsoft.DBforPostgreSQL/locations"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDefinition:
    """A role: what it allows on the control plane and in the data plane. A `*` stands for any text."""

    role_id: str
    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def permits(self, action: str) -> bool:
        """Tell whether the role allows a control-plane action; case does not matter."""
        return _matches_any(action, self.actions) and not _matches_any(action, self.not_actions)

    def permissions(self) -> dict[str, list[str]]:
        """Return the role's permission as the wire shows it."""
        return {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": list(self.not_data_actions),
        }


def _matches_any(action: str, patterns: tuple[str, ...]) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) is not None for pattern in patterns
    )


BUILT_IN_ROLES = (
    RoleDefinition(
        role_id=OWNER_ROLE,
        name="Owner",
        description="Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
        actions=("*",),
    ),
    RoleDefinition(
        role_id=CONTRIBUTOR_ROLE,
        name="Contributor",
        description="Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.",
        actions=("*",),
        not_actions=(
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ),
    ),
    RoleDefinition(
        role_id=READER_ROLE,
        name="Reader",
        description="View all resources, but does not allow you to make any changes.",
        actions=("*/read",),
    ),
    RoleDefinition(
        role_id=RBAC_ADMINISTRATOR_ROLE,
        name="Role Based Access Control Administrator",
        description="Manage access to Azure resources by assigning roles using Azure RBAC.",
        actions=(
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ),
    ),
    RoleDefinition(
        role_id=LTR_BACKUP_ROLE,
        name="PostgreSQL Flexible Server Long Term Retention Backup Role",
        description="Role to allow backup vault to access PostgreSQL Flexible Server Resource APIs for Long Term "
        "Retention Backup.",
        actions=(
            f"{_SERVERS}/ltrBackup/action",
            f"{_SERVERS}/ltrBackupAccess/action",
            f"{_SERVERS}/ltrBackupOperations/read",
            f"{_SERVERS}/ltrBackupPreCheck/action",
            f"{_SERVERS}/ltrPreBackup/action",
            f"{_SERVERS}/ltrRestoreFinalize/action",
            f"{_SERVERS}/ltrRestoreInitialize/action",
            f"{_SERVERS}/ltrRestorePreCheck/action",
            f"{_SERVERS}/read",
            f"{_SERVERS}/startLtrBackup/action",
            f"{_LOCATIONS}/azureAsyncOperation/read",
            f"{_LOCATIONS}/operationResults/read",
            "Microsoft.Resources/subscriptions/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
    ),
    RoleDefinition(
        role_id=BLOB_CONTRIBUTOR_ROLE,
        name="Storage Blob Data Contributor",
        description="Allows for read, write and delete access to Azure Storage blob containers and data.",
        actions=(
            f"{_CONTAINERS}/delete",
            f"{_CONTAINERS}/read",
            f"{_CONTAINERS}/write",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        ),
        data_actions=(
            f"{_CONTAINERS}/blobs/delete",
            f"{_CONTAINERS}/blobs/read",
            f"{_CONTAINERS}/blobs/move/action",
            f"{_CONTAINERS}/blobs/write",
        ),
    ),
)

_BY_ID = {role.role_id: role for role in BUILT_IN_ROLES}


def find_role(role_definition_id: str) -> RoleDefinition | None:
    """Find a role by its GUID or by a resource id that ends in it; None when there is none."""
    return _BY_ID.get(role_definition_id.rstrip("/").rpartition("/")[2].lower())
