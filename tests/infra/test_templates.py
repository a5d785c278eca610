"""The templates parse, name only what exists, fit Azure's types, and set every setting of the app."""

import json
import re

import pytest

from tests.infra.arm_types import TABLE, find_type_faults
from tests.infra.bicep import BicepError, Unknown, expand, parse, text_of, walk
from tests.infra.cloud import FILES, INFRA, Cloud

ROOT = INFRA.parent
PARAMETER_FILES = sorted(path.name for path in INFRA.glob("*.bicepparam"))

PRODUCTION = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": Unknown(
        "ClientId=${hostIdentity.properties.clientId};Authorization=AAD"
    ),
    "APPLICATIONINSIGHTS_CONNECTION_STRING": Unknown("component.properties.ConnectionString"),
    "AZURE_CLIENT_ID": Unknown("hostIdentity.properties.clientId"),
    "AzureWebJobsStorage__accountName": Unknown("st${token}"),
    "AzureWebJobsStorage__clientId": Unknown("hostIdentity.properties.clientId"),
    "AzureWebJobsStorage__credential": "managedidentity",
    "FLEXVAULT_ARM_ENDPOINT": Unknown("environment().resourceManager"),
    "FLEXVAULT_CONTROL_CLIENT_ID": Unknown("control.outputs.clientId"),
    "FLEXVAULT_FEDERATED_CLIENT_ID": "",
    "FLEXVAULT_LANDING_BLOB_ENDPOINT": Unknown("landingBlobEndpoint"),
    "FLEXVAULT_LANDING_KEEP_DAYS": "14",
    "FLEXVAULT_LANDING_SAS_PERMISSIONS": "racwl",
    "FLEXVAULT_LOCATION": Unknown("location"),
    "FLEXVAULT_LOOK_AHEAD_SECONDS": "300",
    "FLEXVAULT_NOT_STARTED_AFTER_SECONDS": "180",
    "FLEXVAULT_OPENID_CONFIGURATION_URL": Unknown(
        "${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0/.well-known/openid-configuration"
    ),
    "FLEXVAULT_POLL_FLOORS_SECONDS": "180,600,1200,1800",
    "FLEXVAULT_REQUESTS_PER_MINUTE": "1500",
    "FLEXVAULT_RESTORE_TARGETS": "",
    "FLEXVAULT_RETENTION_CLIENT_ID": Unknown("retention.outputs.clientId"),
    "FLEXVAULT_ROLE": "all",
    "FLEXVAULT_SOURCE_TENANTS": "",
    "FLEXVAULT_STALE_GRACE_SECONDS": "600",
    "FLEXVAULT_SPREAD_SECONDS": "0",
    "FLEXVAULT_TABLE_ENDPOINT": Unknown("hostStorage.outputs.tableEndpoint"),
    "FLEXVAULT_TENANT_ID": Unknown("tenant().tenantId"),
    "FLEXVAULT_TOKEN_AUDIENCES": Unknown("join(tokenAudiences, ',')"),
    "FLEXVAULT_TOKEN_ISSUERS": Unknown("${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0"),
    "FLEXVAULT_UNSEALED_KEEP_DAYS": "14",
    "FLEXVAULT_VAULT_BLOB_ENDPOINT": Unknown("vaultBlobEndpoint"),
    "FLEXVAULT_VAULT_RESOURCE_ID": Unknown("${group.id}/providers/Microsoft.DataProtection/backupVaults/flexvault"),
    "FLEXVAULT_WRITER_CLIENT_ID": Unknown("writer.outputs.clientId"),
    "OTEL_SERVICE_NAME": Unknown("func-${token}"),
    "OTEL_TRACES_SAMPLER": "microsoft.fixed_percentage",
    "OTEL_TRACES_SAMPLER_ARG": "1.0",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
    "PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME": "flexvault",
    "PYTHON_THREADPOOL_THREAD_COUNT": "32",
    "RECONCILE_TICK": "0 2/5 * * * *",
    "RETENTION_TICK": "0 10 3 * * *",
    "SCHEDULE_TICK": "0 */5 * * * *",
    "TASK_HUB_NAME": "flexvault",
}


@pytest.fixture(scope="module")
def cloud() -> Cloud:
    return Cloud()


def settings_of(cloud: Cloud) -> dict[str, object]:
    found = next(r for r in cloud.app if r.symbol == "appSettings").get("properties")
    assert isinstance(found, dict)
    return dict(found)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_template_parses(name: str):
    assert [text_of(node) for node in walk(parse(FILES[name])) if node.type == "ERROR" or node.is_missing] == []


@pytest.mark.parametrize("name", PARAMETER_FILES)
def test_a_parameter_file_parses(name: str):
    root = parse((INFRA / name).read_text())
    # The grammar knows only templates, where a parameter has a type.
    faults = [n for n in walk(root) if n.type == "ERROR" or (n.is_missing and n.parent and n.parent.type != "type")]
    assert faults == []


@pytest.mark.parametrize("name", PARAMETER_FILES)
def test_a_parameter_file_gives_every_required_parameter_and_no_other(name: str):
    source = (INFRA / name).read_text()
    [template] = re.findall(r"^using '(.+)'$", source, re.MULTILINE)
    given = set(re.findall(r"^param (\w+) =", source, re.MULTILINE))
    declared = dict(re.findall(r"^param (\w+) \S+( =)?", FILES[template], re.MULTILINE))
    assert given <= set(declared)
    assert {parameter for parameter, default in declared.items() if not default} <= given


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_declared_name_is_used(name: str):
    root = parse(FILES[name])
    used = [text_of(node) for node in walk(root) if node.type == "identifier"]
    unused: list[str] = []
    for node in root.children:
        if node.type in {"parameter_declaration", "variable_declaration", "import_functionality"}:
            declared = [text_of(child) for child in node.children if child.type == "identifier"]
            unused += [
                word
                for word in declared
                if used.count(word) == 1 and "@export()" not in text_of(node.prev_sibling or node)
            ]
    assert unused == []


def test_every_resource_fits_azures_types(cloud: Cloud):
    deployed = [resource for resource in cloud.everything + cloud.first_pass if not resource.existing]
    assert [fault for resource in deployed for fault in find_type_faults(resource)] == []


def test_the_table_of_types_holds_nothing_that_is_not_deployed():
    named = {name for source in FILES.values() for name in re.findall(r"'(Microsoft\.[\w./]+@[\d-]+)'", source)}
    assert set(TABLE["resources"]) == named


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        pytest.param(
            "modules/vault-account.bicep", "allowSharedKeyAccess", "allowSharedKey", "no such property", id="misspelt"
        ),
        pytest.param("modules/vault-account.bicep", "'Microsoft.Storage'\n", "7\n", "not of type", id="wrong type"),
        pytest.param("modules/monitoring.bicep", "    Application_Type: 'web'\n", "", "is required", id="missing"),
        pytest.param(
            "modules/host-storage.bicep",
            "publicAccess: 'None'",
            "publicAccess: 'Nobody'",
            "is not one of",
            id="unknown value",
        ),
        pytest.param("modules/function-app.bicep", "name: 'ftp'", "name: 'web'", "is not one of", id="unknown child"),
        pytest.param(
            "modules/vault-account.bicep", "days: softDeleteDays", "days: 4000", "is outside", id="out of range"
        ),
        pytest.param(
            "modules/landing-account.bicep", "@2026-04-01'", "@2026-04-31'", "not in azure-types", id="bogus version"
        ),
        pytest.param(
            "modules/host-storage.bicep", "accessTier: 'Hot'", "creationTime: 'x'", "is read-only", id="read-only"
        ),
    ],
)
def test_a_fault_of_type_is_found(file: str, old: str, new: str, fault: str):
    assert old in FILES[file]
    cloud = Cloud(FILES | {file: FILES[file].replace(old, new, 1)})
    faults = [text for resource in cloud.everything if not resource.existing for text in find_type_faults(resource)]
    assert any(fault in text for text in faults), faults


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        pytest.param(
            "main.bicep", "name: hostStorageName", "name: storageName", "nothing is called storageName", id="name"
        ),
        pytest.param("main.bicep", "toLower(", "lower(", "no function lower", id="function"),
        pytest.param("main.bicep", "modules/identity.bicep", "modules/identities.bicep", "does not exist", id="file"),
        pytest.param(
            "main.bicep", "    planName: 'asp-${token}'\n", "", "does not give planName", id="missing parameter"
        ),
        pytest.param("main.bicep", "planName:", "plan: 1\n    planName:", "no parameter plan", id="foreign parameter"),
        pytest.param("modules/host-storage.bicep", "{ roleIds }", "{ ids }", "exports no ids", id="import"),
        pytest.param(
            "modules/host-storage.bicep",
            "roleIds.storageBlobDataOwner",
            "roleIds.owner",
            "no member owner",
            id="member",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_found(file: str, old: str, new: str, fault: str):
    assert old in FILES[file]
    with pytest.raises(BicepError, match=fault):
        expand(FILES | {file: FILES[file].replace(old, new, 1)}, "main.bicep", {})


def test_every_setting_has_its_production_value(cloud: Cloud):
    assert settings_of(cloud) == PRODUCTION


def test_every_setting_that_the_package_reads_is_set(cloud: Cloud):
    packaged = [
        path
        for folder in ("flexvault", "triggers", "activities", "orchestrators")
        for path in (ROOT / folder).rglob("*.py")
    ]
    sources = [path.read_text() for path in [*packaged, ROOT / "host.json"]]
    read = {
        name
        for source in sources
        for name in re.findall(r'"(FLEXVAULT_[A-Z_]+)"|%([A-Z]{4,}[A-Z_]*)%', source)
        for name in name
        if name
    }
    assert read - set(settings_of(cloud)) == set()


def test_the_app_roles_are_the_four_of_the_door():
    roles = json.loads((INFRA / "entra-app-roles.json").read_text())
    assert [role["value"] for role in roles] == [
        "Backup.Reader",
        "Backup.Operator",
        "Backup.Contributor",
        "Backup.Approver",
    ]
    assert len({role["id"] for role in roles}) == len(roles)


def test_the_linter_is_strict():
    rules = json.loads((INFRA / "bicepconfig.json").read_text())["analyzers"]["core"]["rules"]
    assert {name for name, rule in rules.items() if rule["level"] != "error"} <= {
        "use-description-vars",
        "use-user-defined-types",
    }


def test_every_parameter_and_output_is_described():
    bare = [
        f"{name}: {text_of(node)[:40]}"
        for name, source in FILES.items()
        for node in parse(source).children
        if node.type in {"parameter_declaration", "output_declaration"}
        and "@description" not in text_of(node.prev_sibling or node)
    ]
    assert bare == []


def test_every_variable_that_the_readme_takes_from_the_app_is_an_output():
    declared = set(re.findall(r"^output (\w+)", FILES["main.bicep"], re.MULTILINE))
    assert {"APP_NAME", "FLEXVAULT_API_URL", "FLEXVAULT_VAULT_RESOURCE_ID"} <= declared
    exported = re.findall(r"(\w+)=\.\.\.", (INFRA / "README.md").read_text().partition("# 2.")[2].partition("# 3.")[0])
    assert set(exported) <= declared
    assert "APP_NAME" in exported
