"""Which actions the vault still lacks on a source server."""

import pytest

from flexvault.domain.source_roles import (
    NEEDED_ACTIONS,
    Permission,
    find_missing_actions,
    grant_commands,
    role_definition_id,
)

SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"
READ = f"{SERVERS}/read"
SEVEN = Permission(
    actions=(
        f"{SERVERS}/ltrBackupOperations/read",
        f"{SERVERS}/ltrPreBackup/action",
        f"{SERVERS}/startLtrBackup/action",
        "Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read",
        "Microsoft.DBforPostgreSQL/locations/operationResults/read",
        "Microsoft.Resources/subscriptions/read",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
    )
)
FOURTEEN = Permission(
    actions=(*SEVEN.actions, READ, f"{SERVERS}/ltrBackup/action", f"{SERVERS}/ltrBackupAccess/action")
)
READER = Permission(actions=("*/read",))


@pytest.mark.parametrize(
    ("permissions", "missing"),
    [
        pytest.param([], NEEDED_ACTIONS, id="no role"),
        pytest.param([READER], (f"{SERVERS}/ltrPreBackup/action", f"{SERVERS}/startLtrBackup/action"), id="Reader"),
        pytest.param([SEVEN], (READ,), id="the role's first definition alone"),
        pytest.param([SEVEN, READER], (), id="the role's first definition and Reader"),
        pytest.param([FOURTEEN], (), id="the role's definition of today"),
        pytest.param([Permission(actions=("*",))], (), id="Owner"),
        pytest.param([Permission(actions=(f"{SERVERS.upper()}/*",))], (), id="another case"),
        pytest.param([Permission(actions=("*",), not_actions=(READ,))], (READ,), id="an exclusion"),
        pytest.param([Permission(actions=("*",), not_actions=("*/read",)), READER], (), id="excluded, then allowed"),
        pytest.param([Permission(actions=(f"{SERVERS}/reads",))], NEEDED_ACTIONS, id="a longer word"),
        pytest.param([Permission(actions=(READ.replace(".", "x"),))], NEEDED_ACTIONS, id="a dot is a dot"),
    ],
)
def test_missing_actions_are_those_that_no_permission_allows(
    permissions: list[Permission], missing: tuple[str, ...]
) -> None:
    assert find_missing_actions(permissions) == missing


def test_the_commands_name_both_roles_the_principal_and_the_scope() -> None:
    commands = grant_commands("/subscriptions/s/x", "principal").split(" && ")

    assert len(commands) == 2
    assert all('--scope "/subscriptions/s/x"' in command for command in commands)
    assert all('--assignee-object-id "principal"' in command for command in commands)


def test_a_role_definition_is_named_in_the_scopes_own_subscription() -> None:
    assert role_definition_id("/subscriptions/s/resourceGroups/g", "role") == (
        "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/role"
    )
