"""What the vault needs on a source server: two roles, four actions.

Source: the built-in role "PostgreSQL Flexible Server Long Term Retention Backup Role". Its first definition has 7
actions and lacks `flexibleServers/read`; the one of 2026-07 has 14 and includes it. Reader covers the gap in both.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LTR_ROLE_ID = "c088a766-074b-43ba-90d4-1fb21feae531"
LTR_ROLE = "PostgreSQL Flexible Server Long Term Retention Backup Role"
READER_ROLE_ID = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
READER_ROLE = "Reader"
ROLES = ((LTR_ROLE_ID, LTR_ROLE), (READER_ROLE_ID, READER_ROLE))

_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
NEEDED_ACTIONS = (
    f"{_SERVERS}/read",
    f"{_SERVERS}/ltrPreBackup/action",
    f"{_SERVERS}/startLtrBackup/action",
    f"{_SERVERS}/ltrBackupOperations/read",
)
"""What a backup calls on the server; the built-in role's location actions serve pollers that the vault does not use."""

GRANT_ACTION = "Microsoft.Authorization/roleAssignments/write"
"""What assigning a role needs; a condition on the right shows only when it is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One entry of ARM's answer to "what may I do here": allowed patterns less excluded ones."""

    actions: Sequence[str]
    not_actions: Sequence[str] = ()


def find_missing_actions(permissions: Iterable[Permission]) -> tuple[str, ...]:
    """Answer the needed actions that no permission allows.

    What one permission excludes another may still allow: an exclusion is no denial.
    """
    held = tuple(permissions)
    return tuple(action for action in NEEDED_ACTIONS if not allow(held, action))


def allow(permissions: Iterable[Permission], action: str) -> bool:
    """Say whether any permission allows an action."""
    return any(_allows(permission, action) for permission in permissions)


def grant_commands(server_id: str, principal_id: str) -> str:
    """Answer the commands with which a person grants both roles."""
    return " && ".join(
        f'az role assignment create --assignee-object-id "{principal_id}" --assignee-principal-type ServicePrincipal '
        f'--role "{role}" --scope "{server_id}"'
        for _, role in ROLES
    )


def removal_commands(server_id: str, assignments: Iterable[str]) -> str:
    """Answer the command with which a person removes assignments at server scope, by their names."""
    provider = "providers/Microsoft.Authorization/roleAssignments"
    ids = " ".join(f'"{server_id}/{provider}/{name}"' for name in assignments)
    return f"az role assignment delete --ids {ids}"


def role_definition_id(scope: str, role_id: str) -> str:
    """Answer the full id of a built-in role's definition as seen from a scope's subscription."""
    subscription = scope.split("/")[2]
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"


def _allows(permission: Permission, action: str) -> bool:
    return _matches(permission.actions, action) and not _matches(permission.not_actions, action)


def _matches(patterns: Sequence[str], action: str) -> bool:
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE) for pattern in patterns
    )
