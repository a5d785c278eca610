"""The smaller operations of Azure Backup: what can be had here, where operations are asked for, whose instance it is."""

from typing import Any

import pytest

from flexvault.api.routing import match
from flexvault.api.table import AZURE, OPERATIONS, OWN, UNSUPPORTED
from tests import builders
from tests.api.doors import (
    INSTANCE,
    POLICY_ID,
    SUBSCRIPTION_SCOPE,
    VAULT_ID,
    Door,
    backup_body,
    instance_body,
    policy_body,
)

GROUP_SCOPE = VAULT_ID.rpartition("/backupVaults/")[0]
NAMES = f"{GROUP_SCOPE}/locations/eastus/checkNameAvailability"
FEATURES = f"{SUBSCRIPTION_SCOPE}/locations/eastus/checkFeatureSupport"
RANGES = f"{INSTANCE}/findRestorableTimeRanges"
SERVERS_INSTANCES = f"{builders.SERVER_ID}/providers/Microsoft.DataProtection/backupInstances"
VAULT_TYPE = "Microsoft.DataProtection/BackupVaults"


@pytest.fixture
def door() -> Door:
    door = Door()
    door.grant_roles()
    return door


# Names of vaults -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("flexvault", "AlreadyExists", id="the vault itself"),
        pytest.param("FlexVault", "AlreadyExists", id="in another case"),
        pytest.param("another-vault", "NotSupported", id="a second vault"),
        pytest.param("v", "Invalid", id="too short"),
        pytest.param("v" * 51, "Invalid", id="too long"),
        pytest.param("1vault", "Invalid", id="begins with a digit"),
        pytest.param("vault-", "Invalid", id="ends with a dash"),
        pytest.param("vault_1", "Invalid", id="an underscore"),
        pytest.param("v\u00e4ult", "Invalid", id="not ASCII"),
        pytest.param("vault\n", "Invalid", id="a line break"),
    ],
)
def test_no_name_of_a_vault_is_free_and_the_answer_says_why(door: Door, name: str, reason: str) -> None:
    answer = door.send("POST", NAMES, {"name": name, "type": VAULT_TYPE}, person="reader")
    assert (answer.status, answer.json["nameAvailable"], answer.json["reason"]) == (200, False, reason)
    assert answer.json["message"]


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "a-vault"}, {"type": VAULT_TYPE}, {"name": "a-vault", "type": "Microsoft.Storage/accounts"}, {"name": 5, "type": VAULT_TYPE}],
)  # fmt: skip
def test_a_question_for_a_name_without_name_or_type_is_refused(door: Door, body: dict[str, Any]) -> None:
    assert door.send("POST", NAMES, body).status == 400


# Features ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Microsoft.DBforPostgreSQL/flexibleServers", "GenerallyAvailable"),
        ("microsoft.dbforpostgresql/FLEXIBLESERVERS", "GenerallyAvailable"),
        ("Microsoft.Compute/disks", "NotSupported"),
        ("Microsoft.DBforPostgreSQL/servers/databases", "NotSupported"),
    ],
)
def test_flexible_servers_are_supported_and_nothing_else(door: Door, name: str, status: str) -> None:
    body = {"objectType": "FeatureValidationRequest", "featureType": "DataSourceType", "featureName": name}
    answer = door.send("POST", FEATURES, body, person="reader")
    assert (answer.status, answer.json["objectType"]) == (200, "FeatureValidationResponse")
    (feature,) = answer.json["features"]
    assert feature == {"featureName": name, "supportStatus": status, "exposureControlledFeatures": []}


@pytest.mark.parametrize(
    "changes", [{"objectType": "Other"}, {"featureType": "Invalid"}, {"featureName": None}, {"featureName": 5}]
)
def test_a_question_for_a_feature_that_names_none_is_refused(door: Door, changes: dict[str, Any]) -> None:
    body = {"objectType": "FeatureValidationRequest", "featureType": "DataSourceType", "featureName": "x"}
    assert door.send("POST", FEATURES, {**body, **changes}).status == 400


@pytest.mark.parametrize("path", [NAMES, FEATURES])
def test_another_region_is_not_served(door: Door, path: str) -> None:
    elsewhere = door.send("POST", path.replace("eastus", "westus"), {})
    assert elsewhere.status == 404
    assert "eastus" in elsewhere.error["message"]
    assert door.send("POST", path.replace("eastus", "East%20US"), {}).status == 400, (
        "the same region, written otherwise"
    )


# Restorable time ranges ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"sourceDataStoreType": "VaultStore"},
        {"sourceDataStoreType": "vaultstore", "startTime": "2026-01-01T00:00:00.0000000Z", "endTime": "2026-02-01"},
        {"SourceDataStoreType": "OperationalStore", "startTime": None, "endTime": ""},
    ],
)
def test_between_discrete_points_there_is_no_range_of_time(door: Door, body: dict[str, Any]) -> None:
    door.protect_and_back_up()
    answer = door.send("POST", RANGES, body, person="reader")
    assert answer.status == 200, answer.body
    assert answer.json["properties"] == {
        "objectType": "AzureBackupFindRestorableTimeRangesResponse",
        "restorableTimeRanges": [],
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sourceDataStoreType": "SnapshotStore"},
        {"sourceDataStoreType": "VaultStore", "startTime": "yesterday"},
        {"sourceDataStoreType": "VaultStore", "endTime": 5},
        {"sourceDataStoreType": "VaultStore", "startTime": "2026-02-01T00:00:00Z", "endTime": "2026-01-01T00:00:00Z"},
    ],
)
def test_a_question_for_ranges_that_cannot_be_read_is_refused(door: Door, body: dict[str, Any]) -> None:
    door.protect()
    refused = door.send("POST", RANGES, body)
    assert (refused.status, refused.error["code"]) == (400, "BMSUserErrorInvalidInput")


def test_ranges_of_no_instance_are_404(door: Door) -> None:
    assert door.send("POST", RANGES, {"sourceDataStoreType": "VaultStore"}).status == 404


# The instances of a server -------------------------------------------------------------------------------------------


def test_the_instance_of_a_server_is_found_below_the_server(door: Door) -> None:
    assert door.send("GET", SERVERS_INSTANCES, person="reader").json == {"value": []}
    door.protect()
    assert door.send("GET", SERVERS_INSTANCES).json["value"] == [door.send("GET", INSTANCE).json]
    assert door.send("GET", SERVERS_INSTANCES.upper()).json == door.send("GET", SERVERS_INSTANCES).json
    assert door.send("GET", "//" + SERVERS_INSTANCES.lstrip("/")).status == 200, (
        "as a client with a leading slash sends"
    )
    assert door.send("GET", SERVERS_INSTANCES.replace("pg-orders", "pg-other")).json == {"value": []}


@pytest.mark.parametrize(
    "path",
    [
        "/x/providers/Microsoft.DataProtection/backupInstances",
        "/vault/providers/Microsoft.DataProtection/backupInstances",
        "/subscriptions/not-a-guid/resourceGroups/x/providers/Microsoft.DataProtection/backupInstances",
    ],
)
def test_below_what_is_no_resource_nothing_is_found(door: Door, path: str) -> None:
    assert door.send("GET", path).status == 404


@pytest.mark.parametrize(
    ("template", "path", "params"),
    [
        pytest.param("/{*all}/end", ["a", "end"], {"all": "/a"}, id="one segment"),
        pytest.param("/{*all}/end", ["a", "b", "c", "END"], {"all": "/a/b/c"}, id="three"),
        pytest.param("/{*all}/end", ["end"], None, id="none"),
        pytest.param("/{*all}/end", ["a", "b"], None, id="another end"),
        pytest.param("/{*all}/x/{name}", ["a", "x", "y"], {"all": "/a", "name": "y"}, id="names behind it"),
        pytest.param("/{*all}/x/{name}", ["x", "y"], None, id="too short"),
        pytest.param("/x/{name}", ["a", "x", "y"], None, id="a template without it is as long as its path"),
    ],
)
def test_a_template_may_begin_with_any_number_of_segments(
    template: str, path: list[str], params: dict[str, str] | None
) -> None:
    assert match(template, path) == params


# What the provider can do --------------------------------------------------------------------------------------------


def test_the_providers_operations_are_those_of_the_table(door: Door) -> None:
    listed = door.send("GET", "/providers/Microsoft.DataProtection/operations", person="reader").json["value"]
    assert [one["name"] for one in listed] == sorted({operation.name for operation in (*OWN, *AZURE)})
    for one in listed:
        assert one["isDataAction"] is False
        assert all(one["display"][member] for member in ("provider", "resource", "operation", "description"))
    texts = {one["name"].partition("/")[2]: one["display"] for one in listed}
    assert texts["backupVaults/backupInstances/stopProtection/action"]["operation"] == "Stop protection"
    assert texts["backupVaults/backupPolicies/write"]["operation"] == "Create or change backup policies"
    assert "Backup.Contributor" in texts["backupVaults/backupPolicies/write"]["description"]


def test_the_three_sets_make_the_table() -> None:
    assert {*OWN, *AZURE, *UNSUPPORTED} == set(OPERATIONS)
    assert len(OWN) + len(AZURE) + len(UNSUPPORTED) == len(OPERATIONS)


# Where an operation is asked for -------------------------------------------------------------------------------------

STATUS_SCOPES = [f"{SUBSCRIPTION_SCOPE}/locations/eastus", f"{SUBSCRIPTION_SCOPE}/locations/East%20US", GROUP_SCOPE, VAULT_ID]  # fmt: skip


def an_operation(door: Door) -> str:
    door.protect()
    accepted = door.send("POST", f"{INSTANCE}/backup", backup_body())
    return accepted.header("Azure-AsyncOperation").partition("?")[0].rpartition("/")[2]


@pytest.mark.parametrize("scope", STATUS_SCOPES)
def test_a_status_is_found_in_each_scope(door: Door, scope: str) -> None:
    operation = an_operation(door)
    answer = door.send("GET", f"{scope}/operationStatus/{operation}", person="reader")
    assert (answer.status, answer.json["name"], answer.json["status"]) == (200, operation, "Succeeded")


def test_a_result_is_what_its_scope_is_about(door: Door) -> None:
    operation = an_operation(door)
    of_region = door.send("GET", f"{SUBSCRIPTION_SCOPE}/locations/eastus/operationResults/{operation}").json
    assert of_region["objectType"] == "OperationJobExtendedInfo"
    assert door.send("GET", f"{INSTANCE}/operationResults/{operation}").json == door.send("GET", INSTANCE).json
    assert door.send("GET", f"{VAULT_ID}/operationResults/{operation}").json == door.send("GET", VAULT_ID).json


def test_a_result_that_is_not_there_yet_is_202_with_both_absolute_headers(door: Door) -> None:
    door.send("PUT", POLICY_ID, policy_body())
    made = door.send("PUT", INSTANCE, instance_body())
    for scope in ("Location", "vault"):
        url = made.header("Location")
        if scope == "vault":
            url = f"{VAULT_ID}/operationResults/{url.partition('?')[0].rpartition('/')[2]}"
        running = door.send("GET", url)
        assert (running.status, running.body) == (202, b"")
        assert int(running.header("Retry-After")) >= 1
        for name in ("Azure-AsyncOperation", "Location"):
            assert running.header(name).startswith("https://vault.example/api/subscriptions/"), name
            assert "api-version=" in running.header(name)


@pytest.mark.parametrize("name", ["MTIzNDs0NTY3OA==", "MTIzNDs0NTY3OA%3D%3D", "a;b", "x" * 200])
@pytest.mark.parametrize("scope", [*STATUS_SCOPES, INSTANCE])
def test_an_operation_id_of_the_real_services_form_is_simply_not_known(door: Door, scope: str, name: str) -> None:
    door.protect()
    kind = "operationResults" if scope == INSTANCE else "operationStatus"
    assert door.send("GET", f"{scope}/{kind}/{name}").status == 404
