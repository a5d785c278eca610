"""Who may do what: the reviewed rights of every identity, and how the templates differ from them."""

from collections.abc import Callable

from tests.infra.bicep import BicepError, Resource, Unknown, Value, expand
from tests.infra.cloud import ACCOUNT, ASSIGNMENT, CONTROL, DEFINITION, RETENTION, WRITER, Cloud, unlike

# The two roles on sources, and the roles of the host: ids of Microsoft's page "Azure built-in roles".
LTR_BACKUP = "c088a766-074b-43ba-90d4-1fb21feae531"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
RBAC_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
HOST_ROLES = {
    ("account", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),  # Storage Blob Data Owner
    ("account", "974c5e8b-45b9-4653-ba55-5f855dd0fb88"),  # Storage Queue Data Contributor
    ("account", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"),  # Storage Table Data Contributor
    ("component", "3913510d-42f4-4e42-8a64-420c390055eb"),  # Monitoring Metrics Publisher
}
MAY = {
    "control": {
        "read",
        "blobServices/read",
        "blobServices/containers/read",
        "blobServices/containers/immutabilityPolicies/read",
        "blobServices/containers/blobs/read",
        "blobServices/containers/blobs/immutableStorage/runAsSuperUser/action",
    },
    "writer": {
        "blobServices/generateUserDelegationKey/action",
        "blobServices/containers/blobs/read",
        "blobServices/containers/blobs/write",
        "blobServices/containers/blobs/add/action",
    },
    "retention": {
        "blobServices/containers/blobs/read",
        "blobServices/containers/blobs/delete",
        "blobServices/containers/blobs/deleteBlobVersion/action",
    },
    "recorder": {"blobServices/containers/blobs/write", "blobServices/containers/blobs/add/action"},
}
# Form: Learn, "Examples to delegate Azure role assignment management with conditions". Nothing checks it offline.
CONDITION = (
    "((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/write'}})) OR "
    "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{roles}}} AND "
    "@Request[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {{{principal}}})) AND "
    "((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/delete'}})) OR "
    "(@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{roles}}} AND "
    "@Resource[Microsoft.Authorization/roleAssignments:PrincipalId] ForAnyOfAnyValues:GuidEquals {{{principal}}}))"
).format(roles=f"{LTR_BACKUP}, {READER}", principal=CONTROL)


def _texts(value: Value) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else set()


def _granted(resource: Resource) -> tuple[str, str]:
    """Answer scope and role id of an assignment."""
    scope, role = resource.outer.get("scope"), resource.get("properties.roleDefinitionId")
    return (
        scope.text if isinstance(scope, Unknown) else str(scope),
        role.text if isinstance(role, Unknown) else str(role).removeprefix(f"{DEFINITION}/"),
    )


def find_wrong_rights(role: str) -> Callable[[Cloud], list[str]]:
    """Make a check that a custom role holds exactly its reviewed rights, each in its plane."""

    def find(cloud: Cloud) -> list[str]:
        position = list(MAY).index(role)
        definitions = cloud.all(DEFINITION)
        if len(definitions) != len(MAY):
            return [f"{len(definitions)} custom roles"]
        permissions = definitions[position].get("properties.permissions")
        assert isinstance(permissions, list)
        [permission] = permissions
        assert isinstance(permission, dict)
        actions, data_actions = _texts(permission["actions"]), _texts(permission["dataActions"])
        held = {name.removeprefix(f"{ACCOUNT}/") for name in actions | data_actions}
        misplaced = {name for name in actions if "/blobs/" in name} | {n for n in data_actions if "/blobs/" not in n}
        return [f"{role} may {sorted(held)}"] * (held != MAY[role]) + [f"{role}: wrong plane {n}" for n in misplaced]

    return find


def find_wrong_vault_grants(cloud: Cloud) -> list[str]:
    """Compare all assignments in the vault's group; the first pass must make none."""
    roles = list(MAY)
    expected = {
        (CONTROL, "vault", f"definitions[{roles.index('control')}].id"),
        (WRITER, "vault", f"definitions[{roles.index('writer')}].id"),
        (RETENTION, "vault", f"definitions[{roles.index('retention')}].id"),
        (RETENTION, "vault::blobService::journal", f"definitions[{roles.index('recorder')}].id"),
        (RETENTION, "vault::blobService::plans", f"definitions[{roles.index('recorder')}].id"),
        (WRITER, "landing", BLOB_CONTRIBUTOR),
    }
    held = {(str(r.get("properties.principalId")), *_granted(r)) for r in cloud.vault if r.type == ASSIGNMENT}
    early = [f"first pass grants {r.symbol}" for r in cloud.first_pass if r.type == ASSIGNMENT]
    return early + [f"differs: {grant}" for grant in held ^ expected]


def find_wrong_host_grants(cloud: Cloud) -> list[str]:
    """Compare all assignments of the app's template, which are the host's alone."""
    assignments = [r for r in cloud.app if r.type == ASSIGNMENT]
    foreign = unlike(assignments, "properties.principalId", Unknown("hostIdentity.properties.principalId"))
    return foreign + [f"differs: {grant}" for grant in {_granted(r) for r in assignments} ^ HOST_ROLES]


def find_wrong_source_grants(cloud: Cloud) -> list[str]:
    """Compare the roles on source subscriptions, in both modes."""
    static = {_granted(r)[1] for r in cloud.source("static")}
    delegated = [_granted(r)[1] for r in cloud.source("delegated")]
    return [f"static: {sorted(static)}"] * (static != {LTR_BACKUP, READER}) + [f"delegated: {delegated}"] * (
        delegated != [RBAC_ADMINISTRATOR]
    )


def find_half_accepted(cloud: Cloud) -> list[str]:
    """Say so when the template takes one identity without the others."""
    try:
        expand(cloud.files, "vault.bicep", {"controlPrincipalId": CONTROL})
    except BicepError:
        return []
    return ["one identity alone was accepted"]
