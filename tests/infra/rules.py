"""The security rules of the templates: what is checked, why, and one change of the templates that must be caught."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.infra.bicep import Resource
from tests.infra.cloud import ACCOUNT, ASSIGNMENT, CONTAINER, SERVICE, SITE, Cloud, unlike
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: Its id in the tests' output: the rule as a phrase.
        why: What goes wrong without it.
        find: Names every resource that breaks it.
        file: Template that the mutation changes.
        old: Text that the mutation replaces, once.
        new: The replacement, which must break the rule.
    """

    name: str
    why: str
    find: Callable[[Cloud], list[str]]
    file: str
    old: str
    new: str


def _vault(cloud: Cloud, kind: str) -> list[Resource]:
    return cloud.all(kind, file="vault-account.bicep")


def _landing(cloud: Cloud, kind: str) -> list[Resource]:
    return cloud.all(kind, file="landing-account.bicep")


def _find_wrong_containers(cloud: Cloud) -> list[str]:
    names = [str(r.get("name")) for r in _vault(cloud, CONTAINER)]
    return [] if sorted(names) == ["journal", "manifests", "plans", "points"] else [f"containers: {names}"]


def _find_short_soft_delete(cloud: Cloud) -> list[str]:
    services = _vault(cloud, SERVICE)
    return [
        fault
        for policy in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy")
        for fault in unlike(services, f"properties.{policy}.enabled", True)
        + unlike(services, f"properties.{policy}.days", *range(7, 366))
    ] + unlike(services, "properties.deleteRetentionPolicy.allowPermanentDelete", False)


def _find_secrets(cloud: Cloud) -> list[str]:
    settings = next(r for r in cloud.app if r.symbol == "appSettings").get("properties")
    assert isinstance(settings, dict)
    secrets = ("AccountKey=", "sig=", "listKeys", "SharedAccess", "Password")
    leaks = [name for name, value in settings.items() if any(word in str(value) for word in secrets)]
    connection = settings.get("AzureWebJobsStorage__credential")
    return leaks + [f"credential {connection!r}"] * (connection != "managedidentity")


def _find_other_doors(cloud: Cloud) -> list[str]:
    return [str(r.get("name")) for r in cloud.all(f"{SITE}/config") if r.get("name") != "appsettings"]


def _find_wrong_platform(cloud: Cloud) -> list[str]:
    sites, at = cloud.all(SITE), "properties.functionAppConfig"
    return (
        unlike(cloud.all("Microsoft.Web/serverfarms"), "sku.name", "FC1")
        + unlike(sites, f"{at}.runtime.name", "python")
        + unlike(sites, f"{at}.runtime.version", "3.13")
        + unlike(sites, f"{at}.deployment.storage.authentication.type", "UserAssignedIdentity")
    )


def _rule(name: str, why: str, find: Callable[[Cloud], list[str]], file: str, change: tuple[str, str]) -> Rule:
    return Rule(name=name, why=why, find=find, file=file, old=change[0], new=change[1])


APP, HOST = "modules/function-app.bicep", "modules/host-storage.bicep"
CONTAINER_ROLES = "modules/container-roles.bicep"
VAULT, LANDING, ROLES = "modules/vault-account.bicep", "modules/landing-account.bicep", "modules/vault-roles.bicep"
RULES = [
    _rule(
        "no account has shared keys",
        "an account key opens everything and names nobody",
        lambda c: unlike(c.all(ACCOUNT), "properties.allowSharedKeyAccess", False, least=3),
        VAULT,
        ("allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
    ),
    _rule(
        "no blob is public",
        "a dump is the whole database",
        lambda c: unlike(c.all(ACCOUNT), "properties.allowBlobPublicAccess", False, least=3),
        LANDING,
        ("allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
    ),
    _rule(
        "no container is public",
        "a dump is the whole database",
        lambda c: unlike(c.all(CONTAINER), "properties.publicAccess", "None", least=5),
        HOST,
        ("publicAccess: 'None'", "publicAccess: 'Blob'"),
    ),
    _rule(
        "accounts speak TLS 1.2 or newer",
        "dumps travel encrypted",
        lambda c: unlike(c.all(ACCOUNT), "properties.minimumTlsVersion", "TLS1_2", "TLS1_3", least=3),
        HOST,
        ("minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'"),
    ),
    _rule(
        "accounts speak https only",
        "a SAS sent in the clear is a SAS given away",
        lambda c: unlike(c.all(ACCOUNT), "properties.supportsHttpsTrafficOnly", True, least=3),
        LANDING,
        ("supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: false"),
    ),
    _rule(
        "no account replicates to another tenant",
        "object replication would copy dumps out",
        lambda c: unlike(c.all(ACCOUNT), "properties.allowCrossTenantReplication", False, least=3),
        VAULT,
        ("allowCrossTenantReplication: false", "allowCrossTenantReplication: true"),
    ),
    _rule(
        "the vault keeps versions",
        "an overwrite must leave what was there",
        lambda c: unlike(_vault(c, SERVICE), "properties.isVersioningEnabled", True),
        VAULT,
        ("isVersioningEnabled: true", "isVersioningEnabled: false"),
    ),
    _rule(
        "the vault can hold immutable versions",
        "it can be enabled only when the account is created",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.immutableStorageWithVersioning.enabled", True),
        VAULT,
        ("immutableStorageWithVersioning: { enabled: true }", "immutableStorageWithVersioning: { enabled: false }"),
    ),
    _rule(
        "the vault has no default immutability policy",
        "it would bind unsealed files and plans, too",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.immutableStorageWithVersioning.immutabilityPolicy", None),
        VAULT,
        (
            "immutableStorageWithVersioning: { enabled: true }",
            "immutableStorageWithVersioning: {\n      enabled: true\n      immutabilityPolicy: { state: 'Unlocked' }\n    }",
        ),
    ),
    _rule(
        "the vault soft-deletes for at least a week",
        "a stolen right to delete must be mendable",
        _find_short_soft_delete,
        VAULT,
        ("allowPermanentDelete: false", "allowPermanentDelete: true"),
    ),
    _rule(
        "the vault takes copies of its own tenant only",
        "nobody pulls foreign data in",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.allowedCopyScope", "AAD"),
        VAULT,
        ("allowedCopyScope: 'AAD'", "allowedCopyScope: 'All'"),
    ),
    _rule(
        "the vault encrypts twice",
        "it can be enabled only when the account is created",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.encryption.requireInfrastructureEncryption", True),
        VAULT,
        ("requireInfrastructureEncryption: true", "requireInfrastructureEncryption: false"),
    ),
    _rule(
        "the vault has exactly its four containers",
        "the app may not create any",
        _find_wrong_containers,
        VAULT,
        ("'plans', 'journal']", "'plans']"),
    ),
    _rule(
        "landing keeps no versions",
        "promoted files must vanish from it",
        lambda c: unlike(_landing(c, SERVICE), "properties.isVersioningEnabled", False),
        LANDING,
        ("isVersioningEnabled: false", "isVersioningEnabled: true"),
    ),
    _rule(
        "landing logs a long SAS and never blocks it",
        "a backup must not fail on a policy",
        lambda c: unlike(_landing(c, ACCOUNT), "properties.sasPolicy.expirationAction", "Log"),
        LANDING,
        ("expirationAction: 'Log'", "expirationAction: 'Block'"),
    ),
    _rule(
        "control may protect, and neither write nor delete",
        "whoever commands the vault must not be able to change what it holds",
        find_wrong_rights("control"),
        ROLES,
        ("dataActions: [readBlobs, setImmutability]", "dataActions: [readBlobs, writeBlobs, setImmutability]"),
    ),
    _rule(
        "writer may neither delete nor touch protection",
        "whoever stands behind the HTTP door must not be able to remove a backup",
        find_wrong_rights("writer"),
        ROLES,
        (
            "actions: [delegateKeys]\n    dataActions: [readBlobs]",
            "actions: [delegateKeys]\n    dataActions: [readBlobs, deleteBlobs]",
        ),
    ),
    _rule(
        "retention may not write, nor lift protection",
        "whoever deletes must not be able to make anything deletable",
        find_wrong_rights("retention"),
        ROLES,
        (
            "actions: []\n    dataActions: [readBlobs]",
            "actions: []\n    dataActions: [readBlobs, writeBlobs]",
        ),
    ),
    _rule(
        "recorder writes, nothing else",
        "it is lent to the identity that deletes",
        find_wrong_rights("recorder"),
        ROLES,
        (
            "    actions: []\n    dataActions: [writeBlobs, addBlobs]",
            "    actions: [delegateKeys]\n    dataActions: [writeBlobs, addBlobs]",
        ),
    ),
    _rule(
        "cleaner deletes, nothing else",
        "whoever deletes must not be able to make anything deletable",
        find_wrong_rights("cleaner"),
        ROLES,
        ("dataActions: [deleteBlobs, deleteVersions]", "dataActions: [deleteBlobs, deleteVersions, setImmutability]"),
    ),
    _rule(
        "every right to write or delete is on single containers",
        "a right at the account would reach the recovery points, the plans and the journal",
        find_wrong_vault_grants,
        CONTAINER_ROLES,
        ("    scope: account::blobService::container\n", "    scope: account\n"),
    ),
    _rule(
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
    _rule(
        "only retention writes plans",
        "a stored plan is what lets the janitor delete",
        find_wrong_vault_grants,
        ROLES,
        (
            "    containerName: 'plans'\n    grants: [\n      {\n        principalId: retentionPrincipalId",
            "    containerName: 'plans'\n    grants: [\n      {\n        principalId: writerPrincipalId",
        ),
    ),
    _rule(
        "the app behind the HTTP door cannot delete",
        "code that runs there would empty the vault",
        find_wrong_identities,
        "main.bicep",
        (
            "      ? [controlIdentityName, writerIdentityName]\n",
            "      ? [controlIdentityName, writerIdentityName, retentionIdentityName]\n",
        ),
    ),
    _rule(
        "the janitor holds no identity that reaches sources, landing or restore targets",
        "it deletes, and needs nothing else",
        find_wrong_identities,
        "main.bicep",
        (
            "vaultIdentityNames: [retentionIdentityName]",
            "vaultIdentityNames: [retentionIdentityName, writerIdentityName]",
        ),
    ),
    _rule(
        "two apps share no host account, host identity or task hub",
        "whoever may write an app's host account owns its code and its hub",
        find_shared_hosts,
        "main.bicep",
        ("    hostStorageName: janitorStorageName\n", "    hostStorageName: hostStorageName\n"),
    ),
    _rule(
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
    _rule(
        "Lighthouse delegates the two source roles to the vault alone",
        "the source is somebody else's production",
        find_wrong_delegation,
        "lighthouse.bicep",
        (
            "[roleIds.longTermRetentionBackup, roleIds.reader]",
            "[roleIds.longTermRetentionBackup, roleIds.storageBlobDataOwner]",
        ),
    ),
    _rule(
        "the host has rights on its own account and telemetry only",
        "whoever owns the app's code must not own the backups",
        find_wrong_host_grants,
        HOST,
        ("  roleIds.storageBlobDataOwner\n", "  roleIds.storageBlobDataOwner\n  roleIds.storageBlobDataContributor\n"),
    ),
    _rule(
        "every principal is a service principal",
        "without it a new identity is looked for among users and refused",
        lambda c: unlike(c.all(ASSIGNMENT), "properties.principalType", "ServicePrincipal", least=12),
        ROLES,
        ("principalType: 'ServicePrincipal'", "principalType: 'User'"),
    ),
    _rule(
        "all identities are given, or none",
        "half of them would be a vault that cannot write, or cannot delete",
        find_half_accepted,
        "vault.bicep",
        ("fail('Give the object ids of all three identities, or of none.')", "false"),
    ),
    _rule(
        "on a source the vault reads and starts backups",
        "the source is somebody else's production",
        find_wrong_source_grants,
        "source-roles.bicep",
        ("[roleIds.longTermRetentionBackup, roleIds.reader]", "[roleIds.longTermRetentionBackup]"),
    ),
    _rule(
        "delegated granting is bound to two roles and itself",
        "the right to assign roles is the right to everything",
        lambda c: (
            unlike(c.source("delegated"), "properties.condition", CONDITION)
            + unlike(c.source("delegated"), "properties.conditionVersion", "2.0")
        ),
        "source-roles.bicep",
        ("roleAssignments/delete\\'})) OR (@Resource", "roleAssignments/delete\\'})) OR (@Request"),
    ),
    _rule(
        "the app speaks https only",
        "a bearer token in the clear is a token given away",
        lambda c: (
            unlike(c.all(SITE), "properties.httpsOnly", True)
            + unlike(c.all(SITE), "properties.siteConfig.minTlsVersion", "1.2", "1.3")
        ),
        APP,
        ("httpsOnly: true", "httpsOnly: false"),
    ),
    _rule(
        "nobody publishes with a password",
        "it would be a second door to the code",
        lambda c: (
            unlike(c.all(f"{SITE}/basicPublishingCredentialsPolicies"), "properties.allow", False, least=2)
            + unlike(c.all(SITE), "properties.siteConfig.ftpsState", "Disabled")
        ),
        APP,
        ("  name: 'scm'\n  properties: { allow: false }", "  name: 'scm'\n  properties: { allow: true }"),
    ),
    _rule(
        "the settings hold no secret",
        "settings are read by everybody who may see the app",
        _find_secrets,
        APP,
        ("'managedidentity'", "'DefaultEndpointsProtocol=https;AccountKey=x'"),
    ),
    _rule(
        "there is no Easy Auth",
        "one door: the app validates tokens itself",
        _find_other_doors,
        APP,
        ("  name: 'appsettings'", "  name: 'authsettingsV2'"),
    ),
    _rule(
        "the app runs Python 3.13 on Flex Consumption",
        "durable 2.x needs it",
        _find_wrong_platform,
        APP,
        ("version: '3.13'", "version: '3.12'"),
    ),
    _rule(
        "telemetry comes from identities only",
        "nobody forges an event with a key",
        lambda c: (
            unlike(c.all("Microsoft.Insights/components"), "properties.DisableLocalAuth", True)
            + unlike(c.all("Microsoft.OperationalInsights/workspaces"), "properties.features.disableLocalAuth", True)
        ),
        "modules/monitoring.bicep",
        ("DisableLocalAuth: true", "DisableLocalAuth: false"),
    ),
]
