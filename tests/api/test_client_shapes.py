"""Terraform, the Azure CLI and PowerShell, each from the first policy to the last DELETE, in the shapes that they send.

The shapes are those of their recordings and sources; how each waits for an end is in `tests.api.clients`.
"""

from datetime import timedelta
from typing import Any

import pytest

from flexvault.api.wire import Response
from flexvault.domain.vault_settings import Immutability, SoftDelete
from tests import builders
from tests.api.clients import AzureCli, Client, ClientError, PowerShell, Terraform
from tests.api.doors import CONTAINER_URL, INSTANCE, POLICY_ID, VAULT_ID, Door, Sent, restore_body
from tests.api.test_dialects import CLI_POLICY, KIND, POWERSHELL_POLICY, TERRAFORM_POLICY

OTHER_ID = f"{VAULT_ID}/backupPolicies/other"
CLI_NAME = f"{VAULT_ID}/backupInstances/pg-orders-pg-orders-8f6e2c8e-0f2a-4c52-9d5c-3a0a5b7c9d11"


@pytest.fixture
def door() -> Door:
    """A vault that deletes at once: soft delete is off, and storage lets its points go."""
    world = builders.world(immutability=Immutability.DISABLED, soft_delete=SoftDelete.OFF)
    door = Door(world=world)
    door.world.memory.roles.delay = timedelta(seconds=20)
    door.make_target()
    return door


@pytest.fixture
def terraform(door: Door) -> Terraform:
    return Terraform(door)


@pytest.fixture
def cli(door: Door) -> AzureCli:
    return AzureCli(door)


@pytest.fixture
def powershell(door: Door) -> PowerShell:
    return PowerShell(door)


def source(member: str = "resourceID", **changes: Any) -> dict[str, Any]:
    return {
        "datasourceType": KIND,
        "objectType": "Datasource",
        member: builders.SERVER_ID,
        "resourceLocation": "eastus",
        "resourceName": "pg-orders",
        "resourceType": KIND,
        "resourceUri": "",
        **changes,
    }


def delete_with_approval(client: Client, path: str) -> Sent:
    """Delete as the client does; somebody else approves it, and the client runs once more."""
    deleted = client.send("DELETE", path)
    if deleted.status == 403:
        assert deleted.error["code"] == "ApprovalRequired"
        approval = f"/vault/approvals/{deleted.error['target']}/approve"
        assert client.door.send("POST", approval, person="approver", query="").status == 200
        deleted = client.send("DELETE", path)
    return client.succeed(deleted, 202)


def back_up(client: Terraform | AzureCli, path: str, rule: str, tag: str = "Default") -> str:
    """Back up now and wait for the job; answers the recovery point's name."""
    body = {"backupRuleOptions": {"ruleName": rule, "triggerOption": {"retentionTagOverride": tag}}}
    client.finish(client.succeed(client.send("POST", f"{path}/backup", body), 202))
    client.wait(30)
    points = client.succeed(client.send("GET", f"{path}/recoveryPoints")).json["value"]
    return points[0]["name"]


def restored_files(door: Door, prefix: str) -> list[str]:
    return [str(blob) for blob in door.world.memory.ports.restore_target.list_blobs(CONTAINER_URL, prefix)]


# Terraform -----------------------------------------------------------------------------------------------------------


def terraform_instance(policy_id: str = POLICY_ID) -> dict[str, Any]:
    """Both infos the same but for their type, credentials null, no identity, the region in lower case."""
    properties = {
        "dataSourceInfo": source(resourceUri=builders.SERVER_ID),
        "dataSourceSetInfo": source(resourceUri=builders.SERVER_ID, objectType="DatasourceSet"),
        "datasourceAuthCredentials": None,
        "friendlyName": "orders",
        "objectType": "BackupInstance",
        "policyInfo": {"policyId": policy_id, "policyParameters": None},
        "validationType": None,
    }
    return {"properties": properties}


def test_terraforms_life_of_an_instance(door: Door, terraform: Terraform) -> None:
    for policy in (POLICY_ID, OTHER_ID):
        assert terraform.send("GET", policy).status == 404, "anything else would be 'already exists'"
        terraform.succeed(terraform.send("PUT", policy, {"properties": TERRAFORM_POLICY}))
        rules = terraform.succeed(terraform.send("GET", policy)).json["properties"]["policyRules"]
        assert rules[0]["trigger"]["schedule"] == TERRAFORM_POLICY["policyRules"][0]["trigger"]["schedule"]
        assert rules[1]["lifecycles"] == TERRAFORM_POLICY["policyRules"][1]["lifecycles"], "its fields are ForceNew"
    assert terraform.send("GET", INSTANCE).status == 404
    terraform.finish(terraform.succeed(terraform.send("PUT", INSTANCE, terraform_instance()), 200, 201, 202))
    shown = terraform.wait_until_protected("ConfiguringProtection")
    assert shown["id"] == INSTANCE, "it parses ids strictly"
    assert shown["properties"]["policyInfo"]["policyId"] == POLICY_ID
    assert shown["properties"]["friendlyName"] == "orders"
    assert shown["properties"]["dataSourceSetInfo"]["resourceUri"] == builders.SERVER_ID
    assert terraform.send("GET", INSTANCE).status == 200, "the second create says: import it"

    shown["properties"]["policyInfo"]["policyId"] = OTHER_ID
    terraform.finish(terraform.succeed(terraform.send("PUT", INSTANCE, shown), 200, 201, 202))
    updated = terraform.wait_until_protected("UpdatingProtection")
    assert updated["properties"]["policyInfo"]["policyId"] == OTHER_ID

    point = back_up(terraform, INSTANCE, "BackupIntervals")
    terraform.finish(terraform.succeed(terraform.send("POST", f"{INSTANCE}/restore", restore_body(point, "tf")), 202))
    terraform.wait(10)
    assert restored_files(door, "tf_")

    for verb, body in (
        ("stopProtection", {}),
        ("resumeProtection", None),
        ("suspendBackups", {}),
        ("resumeBackups", None),
    ):
        terraform.finish(terraform.succeed(terraform.send("POST", f"{INSTANCE}/{verb}", body), 202))
    assert terraform.send("DELETE", OTHER_ID).error["code"] == "UserErrorDppPolicyObjectInUse"
    terraform.finish(delete_with_approval(terraform, INSTANCE))
    assert terraform.send("GET", INSTANCE).status == 404
    for policy in (POLICY_ID, OTHER_ID):
        terraform.succeed(terraform.send("DELETE", policy))
        terraform.succeed(terraform.send("DELETE", policy), 204)


def test_with_soft_delete_a_clients_deletion_ends_and_its_policy_stays_taken(door: Door, terraform: Terraform) -> None:
    builders.set_soft_delete(door.world, SoftDelete.ON)
    terraform.succeed(terraform.send("PUT", POLICY_ID, {"properties": TERRAFORM_POLICY}))
    terraform.finish(terraform.succeed(terraform.send("PUT", INSTANCE, terraform_instance()), 201))
    terraform.wait_until_protected("ConfiguringProtection")
    terraform.finish(delete_with_approval(terraform, INSTANCE))
    deleted = f"{VAULT_ID}/deletedBackupInstances"
    assert [one["name"] for one in terraform.succeed(terraform.send("GET", deleted)).json["value"]] == ["pg-orders"]
    assert terraform.succeed(terraform.send("GET", f"{VAULT_ID}/backupInstances")).json["value"] == []
    in_use = terraform.send("DELETE", POLICY_ID).error
    assert in_use["code"] == "UserErrorDppPolicyObjectInUse"
    assert "pg-orders (soft-deleted)" in in_use["message"]


def test_terraform_ends_with_the_reason_when_protection_cannot_be_configured(door: Door, terraform: Terraform) -> None:
    door.world.memory.roles.may_grant = False
    terraform.succeed(terraform.send("PUT", POLICY_ID, {"properties": TERRAFORM_POLICY}))
    made = terraform.succeed(terraform.send("PUT", INSTANCE, terraform_instance()), 201)
    with pytest.raises(ClientError, match="UserErrorMissingRequiredPermissions"):
        terraform.finish(made)
    with pytest.raises(ClientError, match="unexpected state 'ConfiguringProtectionFailed'"):
        terraform.wait_until_protected("ConfiguringProtection")


def test_a_policy_is_applied_again_and_again_unchanged_also_in_use(door: Door, terraform: Terraform) -> None:
    door.grant_roles()
    for _ in range(2):
        terraform.succeed(terraform.send("PUT", POLICY_ID, {"properties": TERRAFORM_POLICY}))
        terraform.finish(terraform.succeed(terraform.send("PUT", INSTANCE, terraform_instance()), 200, 201))
    assert len(door.world.jobs()) == 1


def test_an_interval_without_a_start_is_refused_in_words_that_say_what_is_missing(terraform: Terraform) -> None:
    schedule = {"timeZone": "", "repeatingTimeIntervals": ["R/PT4H"]}
    backup, retention = TERRAFORM_POLICY["policyRules"]
    rules = [{**backup, "trigger": {**backup["trigger"], "schedule": schedule}}, retention]
    refused = terraform.send("PUT", POLICY_ID, {"properties": {**TERRAFORM_POLICY, "policyRules": rules}})
    assert (refused.status, refused.error["code"]) == (400, "BMSUserErrorInvalidInput")
    assert "'R/PT4H'" in refused.error["message"]
    assert "R/START/LENGTH" in refused.error["message"]


# Azure CLI -----------------------------------------------------------------------------------------------------------


def cli_properties(member: str = "resourceID", policy_id: str = POLICY_ID) -> dict[str, Any]:
    return {
        "dataSourceInfo": source(member),
        "friendlyName": "pg-orders",
        "objectType": "BackupInstance",
        "policyInfo": {"policyId": policy_id},
    }


def test_the_clis_life_of_an_instance(door: Door, cli: AzureCli) -> None:
    cli.succeed(cli.send("PUT", POLICY_ID, {"properties": {**CLI_POLICY, "targetDataStoreCopySettings": None}}))
    cli.succeed(cli.send("PUT", OTHER_ID, {"properties": CLI_POLICY}))
    nulls = {"dataSourceSetInfo": None, "datasourceAuthCredentials": None}
    checked = {**cli_properties("resourceId"), **nulls, "policyInfo": {"policyId": POLICY_ID, "policyParameters": None}}
    validated = cli.succeed(cli.send("POST", f"{VAULT_ID}/validateForBackup", {"backupInstance": checked}), 202)
    assert cli.finish(validated).json == {"objectType": "OperationJobExtendedInfo"}
    made = cli.finish(cli.succeed(cli.send("PUT", CLI_NAME, {"properties": cli_properties()}), 200, 201, 202))
    assert (made.status, made.json["id"]) == (200, CLI_NAME), "final-state-via: location wants the resource"
    while cli.send("GET", CLI_NAME).json["properties"]["protectionStatus"]["status"] != "ProtectionConfigured":
        cli.wait(60)

    whole = cli.succeed(cli.send("GET", CLI_NAME)).json
    assert "policyParameters" in whole["properties"]["policyInfo"], "its update ends with KeyError without it"
    whole["properties"]["policyInfo"]["policyId"] = OTHER_ID.replace("/resourceGroups/", "/resourcegroups/")
    updated = cli.finish(cli.succeed(cli.send("PUT", CLI_NAME, whole), 200, 201, 202)).json
    assert updated["properties"]["policyInfo"]["policyId"] == OTHER_ID

    body = {"backupRuleOptions": {"ruleName": "BackupWeekly", "triggerOption": {"retentionTagOverride": ""}}}
    triggered = cli.finish(cli.succeed(cli.send("POST", f"{CLI_NAME}/backup", body), 202)).json
    assert triggered["jobId"].startswith("/subscriptions/"), "`job show --ids` takes a whole id"
    assert cli.show_job(triggered["jobId"])["operationCategory"] == "Backup"
    jobs = cli.succeed(cli.send("GET", f"{VAULT_ID}/backupJobs")).json["value"]
    assert triggered["jobId"] in {job["id"] for job in jobs}

    (point,) = cli.succeed(cli.send("GET", f"{CLI_NAME}/recoveryPoints", query="$filter=")).json["value"]
    restore = {"restoreRequestObject": restore_body(point["name"], "cli")}
    cli.finish(cli.succeed(cli.send("POST", f"{CLI_NAME}/validateRestore", restore), 202))
    restoring = cli.finish(
        cli.succeed(cli.send("POST", f"{CLI_NAME}/restore", restore["restoreRequestObject"]), 202)
    ).json
    done = cli.show_job(restoring["jobId"])
    assert done["extendedInfo"]["recoveryDestination"] == CONTAINER_URL
    assert done["extendedInfo"]["sourceRecoverPoint"]["recoveryPointID"] == point["name"]
    assert done["extendedInfo"]["additionalDetails"] == {"Restore File Prefix": "cli"}
    assert restored_files(door, "cli_")

    cli.finish(delete_with_approval(cli, CLI_NAME), has_result=False)
    assert cli.send("GET", CLI_NAME).error["code"] == "UserErrorGenericResourceNotFound"
    cli.succeed(cli.send("DELETE", CLI_NAME), 204)


def test_the_clis_failed_validation_ends_with_azures_code(door: Door, cli: AzureCli) -> None:
    door.world.memory.roles.may_grant = False
    cli.succeed(cli.send("PUT", POLICY_ID, {"properties": CLI_POLICY}))
    sent = cli.send("POST", f"{VAULT_ID}/validateForBackup", {"backupInstance": cli_properties("resourceId")})
    with pytest.raises(ClientError, match="UserErrorMissingRequiredPermissions"):
        cli.finish(cli.succeed(sent, 202))


@pytest.mark.parametrize(
    "version", ["2023-01-01", "2023-11-01", "2024-04-01", "2025-07-01", "2026-03-01", "2026-06-01"]
)
def test_every_version_that_clients_were_built_for_is_answered_and_kept_in_links(door: Door, version: str) -> None:
    client = AzureCli(door, version)
    client.succeed(client.send("PUT", POLICY_ID, {"properties": CLI_POLICY}))
    sent = client.send("POST", f"{VAULT_ID}/validateForBackup", {"backupInstance": cli_properties()})
    assert sent.header("Azure-AsyncOperation").endswith(f"?api-version={version}")
    assert client.finish(sent).status == 200


# PowerShell ----------------------------------------------------------------------------------------------------------


def powershell_properties() -> dict[str, Any]:
    """Its manifest says that the set info is filled; identity only when asked for."""
    return {
        "dataSourceInfo": source(),
        "dataSourceSetInfo": source(objectType="DatasourceSet"),
        "friendlyName": "pg-orders",
        "identityDetails": {"useSystemAssignedIdentity": True, "userAssignedIdentityArmUrl": None},
        "objectType": "BackupInstance",
        "policyInfo": {"policyId": POLICY_ID, "policyParameters": {"dataStoreParametersList": []}},
    }


def test_powershells_life_of_an_instance(door: Door, powershell: PowerShell) -> None:
    client = powershell
    client.succeed(client.send("PUT", POLICY_ID, {"properties": POWERSHELL_POLICY}))
    body = {"properties": powershell_properties()}
    made = client.finish(client.succeed(client.send("PUT", CLI_NAME, body), 200, 201, 202)).json
    assert made["properties"]["dataSourceSetInfo"]["objectType"] == "DatasourceSet"
    checked = {"backupInstance": {**powershell_properties(), "friendlyName": "renamed"}}
    client.finish(client.succeed(client.send("POST", f"{CLI_NAME}/validateForModifyBackup", checked), 202))
    made["properties"]["friendlyName"] = "renamed"
    renamed = client.finish(client.succeed(client.send("PUT", CLI_NAME, made), 200, 201, 202)).json
    assert renamed["properties"]["friendlyName"] == "renamed"
    client.finish(client.succeed(client.send("POST", f"{CLI_NAME}/sync", {"syncType": "Default"}), 202))

    point = back_up(client, CLI_NAME, "Default")
    start, end = "2026-01-05T00:00:00.0000000Z", "2026-01-06T00:00:00.0000000Z"
    for text, count in (
        (f"startDate eq '{start}'", 1),
        (f"endDate eq '{end}'", 1),
        (f"startDate eq '{start}' and endDate eq '{end}'", 1),
        (f"startDate eq '{end}'", 0),
    ):
        query = "$filter=" + text.replace(" ", "%20").replace("'", "%27")
        listed = client.succeed(client.send("GET", f"{CLI_NAME}/recoveryPoints", query=query)).json["value"]
        assert len(listed) == count, text

    request = restore_body(point, "dummyprefix")
    request |= {"identityDetails": None, "resourceGuardOperationRequests": None, "sourceResourceId": None}
    checked = {"restoreRequestObject": request}
    client.finish(client.succeed(client.send("POST", f"{CLI_NAME}/validateRestore", checked), 202))
    restoring = client.finish(client.succeed(client.send("POST", f"{CLI_NAME}/restore", request), 202)).json
    client.show_job(restoring["jobId"])
    assert restored_files(door, "dummyprefix_")

    client.finish(delete_with_approval(client, CLI_NAME), has_result=False)
    client.succeed(client.send("DELETE", CLI_NAME), 204)
    client.succeed(client.send("DELETE", POLICY_ID), 200)


# A shell script around `az`, and what all answers have ------------------------------------------------------------------


def test_a_shell_script_finds_the_newest_point_by_cutting_its_time(door: Door, cli: AzureCli) -> None:
    door.grant_roles()
    door.protect_and_back_up()
    (point,) = cli.send("GET", f"{INSTANCE}/recoveryPoints").json["value"]
    time = point["properties"]["recoveryPointTime"]
    whole, _, rest = time.partition(".")
    assert rest.endswith("Z")
    assert rest[:-1].isdigit()
    assert len(whole) == len("2026-01-05T00:00:00")


def test_every_answer_carries_the_security_headers_and_both_request_ids(door: Door, terraform: Terraform) -> None:
    for sent in (
        terraform.send("GET", VAULT_ID),
        terraform.send("GET", INSTANCE),
        terraform.send("PUT", POLICY_ID, {}),
    ):
        assert sent.header("Strict-Transport-Security").startswith("max-age=")
        assert sent.header("X-Content-Type-Options") == "nosniff"
        assert sent.header("Pragma") == "no-cache"
        assert sent.header("Cache-Control")
        assert sent.header("x-ms-request-id")
        assert sent.header("x-ms-correlation-request-id") == "11111111-2222-3333-4444-555555555555"
        assert (sent.header("x-ms-error-code") != "") == (sent.status >= 400)


def test_an_error_has_what_dotnet_and_go_show_of_it(terraform: Terraform) -> None:
    error = terraform.send("PUT", POLICY_ID, {"properties": {}}).error
    (additional,) = error["additionalInfo"]
    assert additional["type"] == "UserFacingError"
    info = additional["info"]
    assert {"code", "message", "recommendedAction", "isRetryable", "isUserError", "details", "target"} <= info.keys()
    assert info["properties"]["ActivityId"]
    assert (info["isRetryable"], info["isUserError"]) == (False, True)
    assert info["recommendedAction"]


# The helpers themselves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason"),
    [
        pytest.param(200, {"Content-Type": "text/html"}, b'{"status": "Succeeded"}', "content type", id="no JSON"),
        pytest.param(200, {"Content-Type": "application/json"}, b'{"status": "Working"}', "not known", id="a new word"),
        pytest.param(200, {"Content-Type": "application/json"}, b'{"value": []}', "neither status", id="no word"),
        pytest.param(200, {"Content-Type": "application/json"}, b'{"status": "Failed", "error": {"code": "X"}}', "Failed", id="failed"),
        pytest.param(404, {}, b"", "404", id="not found"),
    ],
)  # fmt: skip
def test_terraforms_poller_gives_up_on_what_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
    terraform: Terraform,
    status: int,
    headers: dict[str, str],
    body: bytes,
    reason: str,
) -> None:
    first = Sent(Response(status=202, headers={"Location": "https://vault.example/api/x?api-version=1"}))
    monkeypatch.setattr(
        terraform.door, "send", lambda *_, **__: Sent(Response(status=status, headers=headers, body=body))
    )
    with pytest.raises(ClientError, match=reason):
        terraform.finish(first)


@pytest.mark.parametrize("url", ["", "/subscriptions/x", "https://elsewhere.example/x"])
def test_terraforms_poller_follows_only_absolute_urls_of_its_host(terraform: Terraform, url: str) -> None:
    with pytest.raises(ClientError):
        terraform.finish(Sent(Response(status=202, headers={"Location": url} if url else {})))
