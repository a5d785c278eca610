"""The security rules of the templates; those on rights are in `access_rules.py`."""

from tests.infra.access_rules import ACCESS_RULES
from tests.infra.bicep import Resource
from tests.infra.cloud import ACCOUNT, CONTAINER, SERVICE, SITE, Cloud, unlike
from tests.infra.rule import make_rule


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


APP, HOST = "modules/function-app.bicep", "modules/host-storage.bicep"
VAULT, LANDING = "modules/vault-account.bicep", "modules/landing-account.bicep"
RULES = [
    make_rule(
        "no account has shared keys",
        "an account key opens everything and names nobody",
        lambda c: unlike(c.all(ACCOUNT), "properties.allowSharedKeyAccess", False, least=3),
        VAULT,
        ("allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
    ),
    make_rule(
        "no blob is public",
        "a dump is the whole database",
        lambda c: unlike(c.all(ACCOUNT), "properties.allowBlobPublicAccess", False, least=3),
        LANDING,
        ("allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
    ),
    make_rule(
        "no container is public",
        "a dump is the whole database",
        lambda c: unlike(c.all(CONTAINER), "properties.publicAccess", "None", least=5),
        HOST,
        ("publicAccess: 'None'", "publicAccess: 'Blob'"),
    ),
    make_rule(
        "accounts speak TLS 1.2 or newer",
        "dumps travel encrypted",
        lambda c: unlike(c.all(ACCOUNT), "properties.minimumTlsVersion", "TLS1_2", "TLS1_3", least=3),
        HOST,
        ("minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_0'"),
    ),
    make_rule(
        "accounts speak https only",
        "a SAS sent in the clear is a SAS given away",
        lambda c: unlike(c.all(ACCOUNT), "properties.supportsHttpsTrafficOnly", True, least=3),
        LANDING,
        ("supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: false"),
    ),
    make_rule(
        "no account replicates to another tenant",
        "object replication would copy dumps out",
        lambda c: unlike(c.all(ACCOUNT), "properties.allowCrossTenantReplication", False, least=3),
        VAULT,
        ("allowCrossTenantReplication: false", "allowCrossTenantReplication: true"),
    ),
    make_rule(
        "the vault keeps versions",
        "an overwrite must leave what was there",
        lambda c: unlike(_vault(c, SERVICE), "properties.isVersioningEnabled", True),
        VAULT,
        ("isVersioningEnabled: true", "isVersioningEnabled: false"),
    ),
    make_rule(
        "the vault can hold immutable versions",
        "it can be enabled only when the account is created",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.immutableStorageWithVersioning.enabled", True),
        VAULT,
        ("immutableStorageWithVersioning: { enabled: true }", "immutableStorageWithVersioning: { enabled: false }"),
    ),
    make_rule(
        "the vault has no default immutability policy",
        "it would bind unsealed files and plans, too",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.immutableStorageWithVersioning.immutabilityPolicy", None),
        VAULT,
        (
            "immutableStorageWithVersioning: { enabled: true }",
            "immutableStorageWithVersioning: {\n      enabled: true\n      immutabilityPolicy: { state: 'Unlocked' }\n    }",
        ),
    ),
    make_rule(
        "the vault soft-deletes for at least a week",
        "a stolen right to delete must be mendable",
        _find_short_soft_delete,
        VAULT,
        ("allowPermanentDelete: false", "allowPermanentDelete: true"),
    ),
    make_rule(
        "the vault takes copies of its own tenant only",
        "nobody pulls foreign data in",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.allowedCopyScope", "AAD"),
        VAULT,
        ("allowedCopyScope: 'AAD'", "allowedCopyScope: 'All'"),
    ),
    make_rule(
        "the vault encrypts twice",
        "it can be enabled only when the account is created",
        lambda c: unlike(_vault(c, ACCOUNT), "properties.encryption.requireInfrastructureEncryption", True),
        VAULT,
        ("requireInfrastructureEncryption: true", "requireInfrastructureEncryption: false"),
    ),
    make_rule(
        "the vault has exactly its four containers",
        "the app may not create any",
        _find_wrong_containers,
        VAULT,
        ("'plans', 'journal']", "'plans']"),
    ),
    make_rule(
        "landing keeps no versions",
        "promoted files must vanish from it",
        lambda c: unlike(_landing(c, SERVICE), "properties.isVersioningEnabled", False),
        LANDING,
        ("isVersioningEnabled: false", "isVersioningEnabled: true"),
    ),
    make_rule(
        "landing logs a long SAS and never blocks it",
        "a backup must not fail on a policy",
        lambda c: unlike(_landing(c, ACCOUNT), "properties.sasPolicy.expirationAction", "Log"),
        LANDING,
        ("expirationAction: 'Log'", "expirationAction: 'Block'"),
    ),
    *ACCESS_RULES,
    make_rule(
        "the app speaks https only",
        "a bearer token in the clear is a token given away",
        lambda c: (
            unlike(c.all(SITE), "properties.httpsOnly", True)
            + unlike(c.all(SITE), "properties.siteConfig.minTlsVersion", "1.2", "1.3")
        ),
        APP,
        ("httpsOnly: true", "httpsOnly: false"),
    ),
    make_rule(
        "nobody publishes with a password",
        "it would be a second door to the code",
        lambda c: (
            unlike(c.all(f"{SITE}/basicPublishingCredentialsPolicies"), "properties.allow", False, least=2)
            + unlike(c.all(SITE), "properties.siteConfig.ftpsState", "Disabled")
        ),
        APP,
        ("  name: 'scm'\n  properties: { allow: false }", "  name: 'scm'\n  properties: { allow: true }"),
    ),
    make_rule(
        "the settings hold no secret",
        "settings are read by everybody who may see the app",
        _find_secrets,
        APP,
        ("'managedidentity'", "'DefaultEndpointsProtocol=https;AccountKey=x'"),
    ),
    make_rule(
        "there is no Easy Auth",
        "one door: the app validates tokens itself",
        _find_other_doors,
        APP,
        ("  name: 'appsettings'", "  name: 'authsettingsV2'"),
    ),
    make_rule(
        "the app runs Python 3.13 on Flex Consumption",
        "durable 2.x needs it",
        _find_wrong_platform,
        APP,
        ("version: '3.13'", "version: '3.12'"),
    ),
    make_rule(
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
