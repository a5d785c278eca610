"""The security rules about who may do what."""

from tests.infra.cloud import ASSIGNMENT, SITE, unlike
from tests.infra.grants import (
    CONDITION,
    find_half_accepted,
    find_shared_hosts,
    find_wrong_delegation,
    find_wrong_host_grants,
    find_wrong_identities,
    find_wrong_rights,
    find_wrong_source_grants,
    find_wrong_vault_grants,
)
from tests.infra.rule import Rule, make_rule

HOST, ROLES, CONTAINER_ROLES = (
    "modules/host-storage.bicep",
    "modules/vault-roles.bicep",
    "modules/container-roles.bicep",
)
ACCESS_RULES: list[Rule] = [
    make_rule(
        "control may protect, and neither write nor delete",
        "whoever commands the vault must not be able to change what it holds",
        find_wrong_rights("control"),
        ROLES,
        ("dataActions: [readBlobs, setImmutability]", "dataActions: [readBlobs, writeBlobs, setImmutability]"),
    ),
    make_rule(
        "writer may neither delete nor touch protection",
        "whoever stands behind the HTTP door must not be able to remove a backup",
        find_wrong_rights("writer"),
        ROLES,
        (
            "actions: [delegateKeys]\n    dataActions: [readBlobs]",
            "actions: [delegateKeys]\n    dataActions: [readBlobs, deleteBlobs]",
        ),
    ),
    make_rule(
        "retention may not write, nor lift protection",
        "whoever deletes must not be able to make anything deletable",
        find_wrong_rights("retention"),
        ROLES,
        (
            "actions: []\n    dataActions: [readBlobs]",
            "actions: []\n    dataActions: [readBlobs, writeBlobs]",
        ),
    ),
    make_rule(
        "recorder writes, nothing else",
        "it is lent to the identity that deletes",
        find_wrong_rights("recorder"),
        ROLES,
        (
            "    actions: []\n    dataActions: [writeBlobs, addBlobs]",
            "    actions: [delegateKeys]\n    dataActions: [writeBlobs, addBlobs]",
        ),
    ),
    make_rule(
        "cleaner deletes, nothing else",
        "whoever deletes must not be able to make anything deletable",
        find_wrong_rights("cleaner"),
        ROLES,
        ("dataActions: [deleteBlobs, deleteVersions]", "dataActions: [deleteBlobs, deleteVersions, setImmutability]"),
    ),
    make_rule(
        "every right to write or delete is on single containers",
        "a right at the account would reach the recovery points, the plans and the journal",
        find_wrong_vault_grants,
        CONTAINER_ROLES,
        ("    scope: account::blobService::container\n", "    scope: account\n"),
    ),
    make_rule(
        "nobody deletes in the journal",
        "an entry that is gone tells nobody what happened",
        find_wrong_vault_grants,
        ROLES,
        (
            (
                "        principalId: retentionPrincipalId\n        roleName: 'recorder'\n"
                "        roleDefinitionId: definitions[3].id"
            ),
            (
                "        principalId: retentionPrincipalId\n        roleName: 'recorder'\n"
                "        roleDefinitionId: definitions[4].id"
            ),
        ),
    ),
    make_rule(
        "only retention writes plans",
        "a stored plan is what lets the janitor delete",
        find_wrong_vault_grants,
        ROLES,
        (
            "    containerName: 'plans'\n    grants: [\n      {\n        principalId: retentionPrincipalId",
            "    containerName: 'plans'\n    grants: [\n      {\n        principalId: writerPrincipalId",
        ),
    ),
    make_rule(
        "the app behind the HTTP door cannot delete",
        "code that runs there would empty the vault",
        find_wrong_identities,
        "main.bicep",
        (
            "      ? [controlIdentityName, writerIdentityName]\n",
            "      ? [controlIdentityName, writerIdentityName, retentionIdentityName]\n",
        ),
    ),
    make_rule(
        "the janitor holds no identity that reaches sources, landing or restore targets",
        "it deletes, and needs nothing else",
        find_wrong_identities,
        "main.bicep",
        (
            "vaultIdentityNames: [retentionIdentityName]",
            "vaultIdentityNames: [retentionIdentityName, writerIdentityName]",
        ),
    ),
    make_rule(
        "two apps share no host account, host identity or task hub",
        "whoever may write an app's host account owns its code and its hub",
        find_shared_hosts,
        "main.bicep",
        ("    hostStorageName: janitorStorageName\n", "    hostStorageName: hostStorageName\n"),
    ),
    make_rule(
        "a janitor has no public door",
        "nobody calls it",
        lambda c: unlike(
            [r for r in c.split if r.type == SITE and "janitor" in str(r.get("name"))],
            "properties.siteConfig.ipSecurityRestrictionsDefaultAction",
            "Deny",
        ),
        "main.bicep",
        ("    openDoor: false\n", "    openDoor: true\n"),
    ),
    make_rule(
        "Lighthouse delegates the two source roles to the vault alone",
        "the source is somebody else's production",
        find_wrong_delegation,
        "lighthouse.bicep",
        (
            "[roleIds.longTermRetentionBackup, roleIds.reader]",
            "[roleIds.longTermRetentionBackup, roleIds.storageBlobDataOwner]",
        ),
    ),
    make_rule(
        "the host has rights on its own account and telemetry only",
        "whoever owns the app's code must not own the backups",
        find_wrong_host_grants,
        HOST,
        ("  roleIds.storageBlobDataOwner\n", "  roleIds.storageBlobDataOwner\n  roleIds.storageBlobDataContributor\n"),
    ),
    make_rule(
        "every principal is a service principal",
        "without it a new identity is looked for among users and refused",
        lambda c: unlike(c.all(ASSIGNMENT), "properties.principalType", "ServicePrincipal", least=12),
        ROLES,
        ("principalType: 'ServicePrincipal'", "principalType: 'User'"),
    ),
    make_rule(
        "all identities are given, or none",
        "half of them would be a vault that cannot write, or cannot delete",
        find_half_accepted,
        "vault.bicep",
        ("fail('Give the object ids of all three identities, or of none.')", "false"),
    ),
    make_rule(
        "on a source the vault reads and starts backups",
        "the source is somebody else's production",
        find_wrong_source_grants,
        "source-roles.bicep",
        ("[roleIds.longTermRetentionBackup, roleIds.reader]", "[roleIds.longTermRetentionBackup]"),
    ),
    make_rule(
        "delegated granting is bound to two roles and itself",
        "the right to assign roles is the right to everything",
        lambda c: (
            unlike(c.source("delegated"), "properties.condition", CONDITION)
            + unlike(c.source("delegated"), "properties.conditionVersion", "2.0")
        ),
        "source-roles.bicep",
        ("roleAssignments/delete\\'})) OR (@Resource", "roleAssignments/delete\\'})) OR (@Request"),
    ),
]
