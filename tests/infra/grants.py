"""Who may do what: the reviewed rights of every identity, and how the templates differ from them."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator

from tests.infra.bicep import BicepError, Resource, Unknown, Value, expand
from tests.infra.cloud import (
    ACCOUNT,
    ASSIGNMENT,
    CONTAINER,
    CONTROL,
    DEFINITION,
    DELEGATION,
    RETENTION,
    SITE,
    VAULT_TENANT,
    WRITER,
    Cloud,
    unlike,
)

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
SHARED_TABLES = {("account", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3")}
"""What a janitor's host may do in the account of the first app."""
MAY = {
    "control": {
        "read",
        "blobServices/read",
        "blobServices/containers/read",
        "blobServices/containers/immutabilityPolicies/read",
        "blobServices/containers/blobs/read",
        "blobServices/containers/blobs/immutableStorage/runAsSuperUser/action",
    },
    "writer": {"blobServices/generateUserDelegationKey/action", "blobServices/containers/blobs/read"},
    "retention": {"blobServices/containers/blobs/read"},
    "recorder": {"blobServices/containers/blobs/write", "blobServices/containers/blobs/add/action"},
    "cleaner": {"blobServices/containers/blobs/delete", "blobServices/containers/blobs/deleteBlobVersion/action"},
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


def texts(value: Value) -> set[str]:
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
        actions, data_actions = texts(permission["actions"]), texts(permission["dataActions"])
        held = {name.removeprefix(f"{ACCOUNT}/") for name in actions | data_actions}
        misplaced = {name for name in actions if "/blobs/" in name} | {n for n in data_actions if "/blobs/" not in n}
        return [f"{role} may {sorted(held)}"] * (held != MAY[role]) + [f"{role}: wrong plane {n}" for n in misplaced]

    return find


def find_wrong_vault_grants(cloud: Cloud) -> list[str]:
    """Compare all assignments in the vault's group; the first pass must make none."""
    roles = list(MAY)
    by_container = {
        ("points", WRITER, "recorder"),
        ("points", RETENTION, "cleaner"),
        ("manifests", WRITER, "recorder"),
        ("manifests", RETENTION, "cleaner"),
        ("journal", WRITER, "recorder"),
        ("journal", RETENTION, "recorder"),
        ("plans", RETENTION, "recorder"),
    }
    expected = {
        *((who, f"container {name}", f"definitions[{roles.index(role)}].id") for name, who, role in by_container),
        (CONTROL, "vault", f"definitions[{roles.index('control')}].id"),
        (WRITER, "vault", f"definitions[{roles.index('writer')}].id"),
        (RETENTION, "vault", f"definitions[{roles.index('retention')}].id"),
        (WRITER, "landing", BLOB_CONTRIBUTOR),
    }
    held = {(str(r.get("properties.principalId")), *granted) for r, granted in list_vault_grants(cloud)}
    early = [f"first pass grants {r.symbol}" for r in cloud.first_pass if r.type == ASSIGNMENT]
    return early + [f"differs: {grant}" for grant in held ^ expected]


def list_vault_grants(cloud: Cloud) -> Iterator[tuple[Resource, tuple[str, str]]]:
    """Answer the assignments of the vault's group; those of a module on one container are named by that container."""
    container = ""
    for resource in cloud.vault:
        if resource.file.endswith("container-roles.bicep") and resource.type == CONTAINER:
            container = str(resource.get("name"))
        if resource.type == ASSIGNMENT:
            scope, role = _granted(resource)
            is_on_one = scope == "account::blobService::container"
            yield resource, (f"container {container}" if is_on_one else scope, role)


def find_wrong_host_grants(cloud: Cloud) -> list[str]:
    """Compare all assignments of the app's template, which are the hosts' alone."""
    return [
        fault
        for resources, expected in ((cloud.app, HOST_ROLES), (cloud.split, [*HOST_ROLES, *HOST_ROLES, *SHARED_TABLES]))
        for fault in _find_host_faults([r for r in resources if r.type == ASSIGNMENT], expected)
    ]


def _find_host_faults(assignments: list[Resource], expected: Collection[tuple[str, str]]) -> list[str]:
    hosts = (
        Unknown("hostIdentity.properties.principalId"),
        Unknown("hostIdentities[0].properties.principalId"),
        Unknown("hostIdentities[1].properties.principalId"),
        Unknown("tableIdentities[0].properties.principalId"),
    )
    foreign = unlike(assignments, "properties.principalId", *hosts)
    held = Counter(_granted(r) for r in assignments)
    held.subtract(Counter(expected))
    return foreign + [f"differs: {grant}" for grant, count in held.items() if count]


def _list_identities(site: Resource) -> set[str]:
    """Name the identities that a site may use, by the end of their names."""
    given = site.get("identity.userAssignedIdentities")
    assert isinstance(given, dict)
    return {name.rpartition("-${token}-")[2] for name in given}


APP_IDENTITIES = {
    "func-${token}": ({"host", "control", "writer", "retention"}, {"host", "control", "writer"}),
    "func-${token}-janitor": (set[str](), {"host-janitor", "retention"}),
}


def find_wrong_identities(cloud: Cloud) -> list[str]:
    """Compare the identities of every app, in one app and in two."""
    faults: list[str] = []
    for is_split, resources in enumerate((cloud.app, cloud.split)):
        held = {_label(r.get("name")): _list_identities(r) for r in resources if r.type == SITE}
        expected = {name: sets[is_split] for name, sets in APP_IDENTITIES.items() if sets[is_split]}
        faults += [
            f"{name}: {held.get(name)}" for name in held.keys() | expected if held.get(name) != expected.get(name)
        ]
    return faults


def find_shared_hosts(cloud: Cloud) -> list[str]:
    """Say so when two apps share a host account, a package container, a host identity or a task hub."""
    settings = [r.get("properties") for r in cloud.split if r.symbol == "appSettings"]
    sites = [r for r in cloud.split if r.type == SITE]
    hosts = [_label(found.get("AzureWebJobsStorage__accountName")) for found in settings if isinstance(found, dict)]
    hubs = [_label(found.get("TASK_HUB_NAME")) for found in settings if isinstance(found, dict)]
    packages = [_label(r.get("properties.functionAppConfig.deployment.storage.value")) for r in sites]
    accounts = [_label(r.get("name")) for r in cloud.split if r.type == ACCOUNT and not r.existing]
    several = {"hosts": hosts, "hubs": hubs, "packages": packages, "accounts": accounts}
    return [f"{what}: {found}" for what, found in several.items() if len(set(found)) != 2]


def find_wrong_delegation(cloud: Cloud) -> list[str]:
    """Compare what an owner in another tenant delegates by Lighthouse."""
    [definition] = [r for r in cloud.lighthouse if r.type == DELEGATION]
    authorizations = definition.get("properties.authorizations")
    assert isinstance(authorizations, list)
    roles = {str(found["roleDefinitionId"]) for found in authorizations if isinstance(found, dict)}
    people = {str(found["principalId"]) for found in authorizations if isinstance(found, dict)}
    faults = unlike([definition], "properties.managedByTenantId", VAULT_TENANT)
    return faults + [f"delegates {roles} to {people}"] * ((roles, people) != ({LTR_BACKUP, READER}, {CONTROL}))


def _label(value: Value) -> str:
    return value.text if isinstance(value, Unknown) else str(value)


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
