"""What the CLI, PowerShell, Terraform and others really send, taken from their recordings and sources."""

from typing import Any

import pytest

from tests import builders
from tests.api.doors import (
    CONTAINER_URL,
    INSTANCE,
    POLICY_ID,
    SUBSCRIPTION_SCOPE,
    VAULT_ID,
    Door,
    backup_body,
    instance_body,
    policy_body,
    restore_body,
)

KIND = "Microsoft.DBforPostgreSQL/flexibleServers"
STORE = {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"}


def lifecycle(duration: str) -> dict[str, Any]:
    return {
        "deleteAfter": {"duration": duration, "objectType": "AbsoluteDeleteOption"},
        "sourceDataStore": STORE,
        "targetDataStoreCopySettings": [],
    }


CLI_POLICY: dict[str, Any] = {
    "name": "OssFlexiblePolicy1",
    "objectType": "BackupPolicy",
    "datasourceTypes": [KIND],
    "policyRules": [
        {
            "name": "BackupWeekly",
            "objectType": "AzureBackupRule",
            "backupParameters": {"backupType": "Full", "objectType": "AzureBackupParams"},
            "dataStore": STORE,
            "trigger": {
                "objectType": "ScheduleBasedTriggerContext",
                "schedule": {"timeZone": "UTC", "repeatingTimeIntervals": ["R/2021-08-15T06:30:00+00:00/P1W"]},
                "taggingCriteria": [
                    {"isDefault": True, "taggingPriority": 99, "tagInfo": {"id": "Default_", "tagName": "Default"}}
                ],
            },
        },
        {"name": "Default", "objectType": "AzureRetentionRule", "isDefault": True, "lifecycles": [lifecycle("P3M")]},
    ],
}
POWERSHELL_POLICY: dict[str, Any] = {
    "name": "PGFlexPolicy1",
    "datasourceTypes": [KIND],
    "objectType": "BackupPolicy",
    "policyRules": [
        {"lifecycles": [lifecycle("P10Y")], "isDefault": True, "name": "Default", "objectType": "AzureRetentionRule"},
        {
            "backupParameters": {"backupType": "full", "objectType": "AzureBackupParams"},
            "trigger": {
                "schedule": {"repeatingTimeIntervals": ["R/2024-01-07T23:00:00+00:00/P1W"], "timeZone": "UTC"},
                "taggingCriteria": [
                    {"tagInfo": {"tagName": "Default", "id": "Default_"}, "taggingPriority": 99, "isDefault": True}
                ],
                "objectType": "ScheduleBasedTriggerContext",
            },
            "dataStore": STORE,
            "name": "BackupWeekly",
            "objectType": "AzureBackupRule",
        },
    ],
}
# The provider sends every unset list as null, and an empty time zone when none is configured.
TERRAFORM_POLICY: dict[str, Any] = {
    "objectType": "BackupPolicy",
    "datasourceTypes": [KIND],
    "policyRules": [
        {
            "name": "BackupIntervals",
            "objectType": "AzureBackupRule",
            "backupParameters": {"backupType": "Full", "objectType": "AzureBackupParams"},
            "dataStore": STORE,
            "trigger": {
                "objectType": "ScheduleBasedTriggerContext",
                "schedule": {"timeZone": "", "repeatingTimeIntervals": ["R/2024-05-06T02:00:00+00:00/P1D"]},
                "taggingCriteria": [
                    {
                        "criteria": None,
                        "isDefault": True,
                        "taggingPriority": 99,
                        "tagInfo": {"eTag": None, "id": "Default_", "tagName": "Default"},
                    }
                ],
            },
        },
        {"name": "Default", "objectType": "AzureRetentionRule", "isDefault": True, "lifecycles": [lifecycle("P4M")]},
    ],
}
TERRAFORM_HEADERS = {
    "Accept": "application/json; charset=utf-8; IEEE754Compatible=false",
    "Content-Type": "application/json; charset=utf-8",
    "X-Ms-Correlation-Request-Id": "11111111-2222-3333-4444-555555555555",
}
CLI_POLL_HEADERS = {"Accept": "*/*", "CommandName": "dataprotection backup-instance create"}


@pytest.fixture
def door() -> Door:
    door = Door()
    door.grant_roles()
    return door


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(CLI_POLICY, id="CLI"),
        pytest.param(POWERSHELL_POLICY, id="PowerShell"),
        pytest.param(TERRAFORM_POLICY, id="Terraform"),
    ],
)
def test_every_tools_default_policy_is_accepted_and_comes_back_as_sent(door: Door, properties: dict[str, Any]) -> None:
    made = door.send("PUT", POLICY_ID, {"properties": properties}, headers=TERRAFORM_HEADERS)
    assert made.status == 200, made.body
    shown = made.json["properties"]
    assert "name" not in shown, "the real service drops it"
    assert "null" not in made.body.decode()
    rules = {rule["objectType"]: rule for rule in shown["policyRules"]}
    assert [rule["objectType"] for rule in shown["policyRules"]] == [
        rule["objectType"] for rule in properties["policyRules"]
    ]
    trigger = rules["AzureBackupRule"]["trigger"]
    sent = next(rule for rule in properties["policyRules"] if "trigger" in rule)
    assert trigger["schedule"] == sent["trigger"]["schedule"]
    assert rules["AzureBackupRule"]["backupParameters"] == sent["backupParameters"]
    assert trigger["taggingCriteria"][0]["tagInfo"] == {"tagName": "Default", "id": "Default_"}
    again = door.send("PUT", POLICY_ID, {"properties": properties})
    assert again.header("ETag") == made.header("ETag")


def test_a_tag_without_id_gets_one_and_an_absent_time_zone_stays_absent(door: Door) -> None:
    body = policy_body()
    trigger = body["properties"]["policyRules"][0]["trigger"]
    del trigger["taggingCriteria"][0]["tagInfo"]["id"]
    del trigger["schedule"]["timeZone"]
    shown = door.send("PUT", POLICY_ID, body).json["properties"]["policyRules"][0]["trigger"]
    assert shown["taggingCriteria"][0]["tagInfo"]["id"] == "Default_"
    assert "timeZone" not in shown["schedule"]


def test_the_portals_name_of_utc_is_understood_and_kept(door: Door) -> None:
    shown = door.send("PUT", POLICY_ID, policy_body(zone="Coordinated Universal Time")).json["properties"]
    assert shown["policyRules"][0]["trigger"]["schedule"]["timeZone"] == "Coordinated Universal Time"


def cli_instance(resource_member: str = "resourceId") -> dict[str, Any]:
    """What `az dataprotection backup-instance validate-for-backup` sends."""
    source = {
        "datasourceType": KIND,
        "objectType": "Datasource",
        resource_member: builders.SERVER_ID,
        "resourceLocation": "eastus",
        "resourceName": "pg-orders",
        "resourceType": KIND,
        "resourceUri": "",
    }
    return {
        "objectType": "BackupInstance",
        "friendlyName": "pg-orders",
        "dataSourceInfo": source,
        "dataSourceSetInfo": None,
        "datasourceAuthCredentials": None,
        "policyInfo": {"policyId": POLICY_ID, "policyParameters": None},
    }


@pytest.mark.parametrize("member", ["resourceId", "resourceID", "ResourceId", "RESOURCEID"])
def test_the_servers_member_is_read_in_any_case_and_answered_in_one(door: Door, member: str) -> None:
    door.send("PUT", POLICY_ID, policy_body())
    validated = door.send("POST", f"{VAULT_ID}/validateForBackup", {"backupInstance": cli_instance(member)})
    assert door.follow(validated)["status"] == "Succeeded"
    made = door.send("PUT", INSTANCE, {"properties": cli_instance(member)})
    assert made.status == 201
    assert made.json["properties"]["dataSourceInfo"]["resourceID"] == builders.SERVER_ID
    assert "resourceId" not in made.json["properties"]["dataSourceInfo"]


def test_the_clis_whole_way_to_a_protected_server(door: Door) -> None:
    name = f"{VAULT_ID}/backupInstances/pg-orders-pg-orders-8f6e2c8e-0f2a-4c52-9d5c-3a0a5b7c9d11"
    lower = name.replace("/resourceGroups/", "/resourcegroups/").replace("/backupVaults/", "/BackupVaults/")
    door.send("PUT", POLICY_ID, {"properties": CLI_POLICY}, query="api-version=2024-04-01")
    validated = door.send("POST", f"{VAULT_ID}/validateForBackup", {"backupInstance": cli_instance()})
    polled = door.send("GET", validated.header("Azure-AsyncOperation"), headers=CLI_POLL_HEADERS)
    assert polled.json["status"] == "Succeeded"
    made = door.send("PUT", lower, {"properties": cli_instance()}, query="api-version=2024-04-01")
    door.run_jobs()
    final = door.send("GET", made.header("Location"), headers=CLI_POLL_HEADERS)
    assert final.json["id"] == name, "the CLI's poller ends at Location and wants the resource"
    assert final.json["properties"]["protectionStatus"]["status"] == "ProtectionConfigured"
    assert final.json["properties"]["policyInfo"]["policyParameters"] is None, "its update reads this member"


def test_the_clis_update_puts_everything_back_with_another_policy(door: Door) -> None:
    door.protect()
    other = f"{VAULT_ID}/backupPolicies/other"
    door.send("PUT", other, policy_body())
    whole = door.send("GET", INSTANCE).json
    whole["properties"]["policyInfo"]["policyId"] = other
    assert door.send("PUT", INSTANCE, whole).status == 201
    door.run_jobs()
    shown = door.send("GET", INSTANCE).json["properties"]
    assert (shown["policyInfo"]["policyId"], shown["currentProtectionState"]) == (other, "ProtectionConfigured")


def test_terraforms_whole_way_to_a_protected_server(door: Door) -> None:
    door.send("PUT", POLICY_ID, {"properties": TERRAFORM_POLICY}, headers=TERRAFORM_HEADERS)
    assert door.send("GET", INSTANCE, headers=TERRAFORM_HEADERS).status == 404
    source = instance_body()["properties"]["dataSourceInfo"] | {"resourceUri": builders.SERVER_ID}
    body = instance_body(
        dataSourceInfo=source,
        dataSourceSetInfo=source | {"objectType": "DatasourceSet"},
        datasourceAuthCredentials=None,
        friendlyName="terraform-name",
    )
    made = door.send("PUT", INSTANCE, body, headers=TERRAFORM_HEADERS)
    assert made.status == 201
    running = door.send("GET", made.header("Azure-AsyncOperation"), headers=TERRAFORM_HEADERS)
    assert "application/json" in running.header("Content-Type")
    assert running.json["status"].lower() == "inprogress", "an unknown word would be an error there"
    states = [door.send("GET", INSTANCE).json["properties"]["currentProtectionState"]]
    door.run_jobs()
    states.append(door.send("GET", INSTANCE).json["properties"]["currentProtectionState"])
    assert states == ["ConfiguringProtection", "ProtectionConfigured"], "any other word would be an error there"
    shown = door.send("GET", INSTANCE).json["properties"]
    assert shown["friendlyName"] == "terraform-name"
    assert shown["dataSourceSetInfo"]["objectType"] == "DatasourceSet"


def test_terraforms_strange_accept_header_still_gets_the_reason(door: Door) -> None:
    refused = door.send("PUT", POLICY_ID, {"properties": {}}, headers=TERRAFORM_HEADERS)
    assert (refused.status, refused.error["code"]) == (400, "BMSUserErrorInvalidInput")


def test_powershells_constant_prefix_and_null_members_restore(door: Door) -> None:
    door.make_target()
    point = door.protect_and_back_up()
    body = restore_body(point, prefix="dummyprefix")
    body |= {"identityDetails": None, "resourceGuardOperationRequests": None, "sourceResourceId": None}
    body["restoreTargetInfo"]["targetDetails"]["targetResourceArmId"] = None
    accepted = door.send("POST", f"{INSTANCE}/restore", body)
    assert accepted.status == 202
    door.run_jobs()
    files = door.world.memory.ports.restore_target.list_blobs(CONTAINER_URL, "dummyprefix_")
    assert files


def test_the_job_id_of_a_trigger_is_a_full_arm_id_that_can_be_read(door: Door) -> None:
    door.protect()
    accepted = door.send("POST", f"{INSTANCE}/backup", backup_body("Default"))
    job_id = door.send("GET", accepted.header("Location"), headers=CLI_POLL_HEADERS).json["jobId"]
    assert job_id.startswith("/subscriptions/")
    shown = door.send("GET", job_id)
    assert shown.json["id"] == job_id
    assert shown.json["properties"]["status"] in {"InProgress", "Completed", "Failed"}


def test_an_operation_can_be_asked_with_the_headers_query_that_the_real_service_adds(door: Door) -> None:
    door.send("PUT", POLICY_ID, policy_body())
    accepted = door.send("POST", f"{VAULT_ID}/validateForBackup", {"backupInstance": cli_instance()})
    url = accepted.header("Azure-AsyncOperation") + "&t=1&c=2&s=3&h=4"
    assert door.send("GET", url).json["status"] == "Succeeded"
    assert url.startswith(f"https://vault.example/api{SUBSCRIPTION_SCOPE}/locations/eastus/operationStatus/")
