"""Configuring protection: what is answered at once, what runs on, and what a repetition meets."""

from dataclasses import replace
from typing import Any

import pytest

from flexvault.domain.errors import TransientError
from flexvault.ports import Server
from flexvault.services.rights import verify_rights
from tests import builders
from tests.api.doors import INSTANCE, POLICY_ID, VAULT_ID, Door, instance_body, policy_body


@pytest.fixture
def door() -> Door:
    door = Door()
    door.send("PUT", POLICY_ID, policy_body())
    return door


def change_server(door: Door, **changes: Any) -> None:
    servers = door.world.memory.servers
    servers.put(replace(servers.get(builders.SERVER_ID), **changes))


def test_a_new_instance_is_201_with_an_operation_to_follow(door: Door) -> None:
    made = door.send("PUT", INSTANCE, instance_body())
    assert (made.status, made.header("Retry-After")) == (201, "15")
    properties = made.json["properties"]
    assert properties["currentProtectionState"] == properties["protectionStatus"]["status"] == "ConfiguringProtection"
    assert properties["provisioningState"] == "Provisioning"
    assert door.begun == [door.world.open_jobs()[0].key]
    running = door.send("GET", made.header("Azure-AsyncOperation"))
    assert running.json["status"] == "Inprogress"
    assert running.json["endTime"] == "0001-01-01T00:00:00Z"
    assert running.header("Retry-After") == "10"
    assert "properties" not in running.json
    assert door.result(made).status == 202
    door.run_jobs()
    assert door.follow(made)["status"] == "Succeeded"
    done = door.result(made)
    assert (done.status, done.json) == (200, door.send("GET", INSTANCE).json)
    assert done.json["properties"]["currentProtectionState"] == "ProtectionConfigured"
    assert done.json["properties"]["provisioningState"] == "Succeeded"


def test_what_is_already_so_is_200_at_once(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    shown = door.send("GET", INSTANCE)
    again = door.send("PUT", INSTANCE, instance_body())
    assert (again.status, again.json, again.header("ETag")) == (200, shown.json, shown.header("ETag"))
    assert again.header("Azure-AsyncOperation") == ""
    assert door.world.open_jobs() == []


def test_what_the_vault_answered_can_be_put_back_unchanged(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    assert door.send("PUT", INSTANCE, door.send("GET", INSTANCE).json).status == 200


def test_the_same_body_while_it_runs_is_the_same_operation(door: Door) -> None:
    first = door.send("PUT", INSTANCE, instance_body())
    second = door.send("PUT", INSTANCE, instance_body(), headers={"x-ms-client-request-id": "another"})
    assert (second.status, second.header("Azure-AsyncOperation")) == (201, first.header("Azure-AsyncOperation"))
    assert len(door.world.open_jobs()) == len(door.begun) == 1


def test_another_body_while_it_runs_is_a_conflict(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    refused = door.send("PUT", INSTANCE, instance_body(friendlyName="another"))
    assert (refused.status, refused.error["code"]) == (409, "OperationInProgress")


def test_a_faster_twin_of_the_same_request_wins_and_both_get_its_operation(door: Door) -> None:
    twins: list[Any] = []
    door.world.memory.faults.run_next("servers.get", lambda: twins.append(door.send("PUT", INSTANCE, instance_body())))
    slow = door.send("PUT", INSTANCE, instance_body())
    assert (slow.status, twins[0].status) == (201, 201)
    assert slow.header("Azure-AsyncOperation") == twins[0].header("Azure-AsyncOperation")


def test_another_policy_is_put_in_force_by_an_update(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    longer = f"{VAULT_ID}/backupPolicies/longer"
    door.send("PUT", longer, policy_body(keep_for="P2M"))
    changed = door.send("PUT", INSTANCE, instance_body(policyInfo={"policyId": longer}))
    assert changed.status == 201
    assert changed.json["properties"]["currentProtectionState"] == "UpdatingProtection"
    assert changed.json["properties"]["provisioningState"] == "Updating"
    door.run_jobs()
    assert door.send("GET", INSTANCE).json["properties"]["policyInfo"]["policyId"] == longer


def test_a_stale_if_match_is_412_and_changes_nothing(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    before = door.send("GET", INSTANCE)
    body = instance_body(friendlyName="another")
    assert door.send("PUT", INSTANCE, body, headers={"If-Match": '"stale"'}).status == 412
    assert door.send("GET", INSTANCE).json == before.json
    assert door.send("PUT", INSTANCE, body, headers={"If-Match": before.header("ETag")}).status == 201


def test_an_unknown_instance_is_404_with_azure_backups_code(door: Door) -> None:
    missing = door.send("GET", INSTANCE)
    assert (missing.status, missing.error["code"]) == (404, "UserErrorGenericResourceNotFound")
    assert door.send("GET", f"{VAULT_ID}/backupInstances").json == {"value": []}


def test_a_start_that_the_hub_refuses_is_postponed_and_reported(door: Door) -> None:
    door.hub_is_down = True
    made = door.send("PUT", INSTANCE, instance_body())
    assert made.status == 201
    (event,) = [facts for name, facts in door.world.memory.telemetry.events if name == "StartPostponed"]
    assert event["flexvault.error"] == "TaskHubUnusable"
    assert len(door.world.open_jobs()) == 1


def test_a_request_that_died_after_its_claim_is_finished_by_its_job(door: Door) -> None:
    door.world.memory.faults.fail_next("vault_writer.create", TransientError("the vault account is away"))
    assert door.send("PUT", INSTANCE, instance_body()).status == 503
    waiting = door.send("PUT", INSTANCE, instance_body())
    assert (waiting.status, waiting.error["code"]) == (503, "OperationInProgress")
    assert waiting.header("Retry-After")
    door.run_jobs()
    assert door.send("PUT", INSTANCE, instance_body()).status == 200
    assert len(door.world.jobs()) == 1


def test_an_instance_whose_source_was_never_sent_still_shows_it(door: Door) -> None:
    builders.protect(door.world)
    shown = door.send("GET", INSTANCE).json["properties"]
    assert shown["dataSourceInfo"]["resourceID"] == builders.SERVER_ID
    assert shown["policyInfo"]["policyId"] == POLICY_ID


def test_rights_that_nobody_may_grant_fail_the_operation_with_the_commands(door: Door) -> None:
    door.world.memory.roles.may_grant = False
    made = door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    failed = door.follow(made)
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "UserErrorMissingRequiredPermissions")
    assert "az role assignment create" in failed["error"]["message"]
    shown = door.send("GET", INSTANCE).json["properties"]
    assert shown["currentProtectionState"] == "ConfiguringProtectionFailed"
    assert shown["provisioningState"] == "Failed"
    for member in (shown["protectionErrorDetails"], shown["protectionStatus"]["errorDetails"]):
        assert member["code"] == "UserErrorMissingRequiredPermissions"
        assert "az role assignment create" in member["recommendedAction"][0]
    assert door.result(made).error["code"] == "UserErrorMissingRequiredPermissions"


def test_put_again_mends_what_failed(door: Door) -> None:
    door.world.memory.roles.may_grant = False
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    door.world.memory.roles.may_grant = True
    assert door.send("PUT", INSTANCE, instance_body()).status == 201
    door.run_jobs()
    assert door.send("GET", INSTANCE).json["properties"]["currentProtectionState"] == "ProtectionConfigured"


def source(**changes: Any) -> dict[str, Any]:
    return {"dataSourceInfo": {**instance_body()["properties"]["dataSourceInfo"], **changes}}


MISSING = builders.SERVER_ID.replace("pg-orders", "pg-missing")


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        pytest.param({"objectType": "Backup"}, "properties.objectType", id="another object type"),
        pytest.param({"dataSourceInfo": None}, "properties.dataSourceInfo", id="no source"),
        pytest.param({"dataSourceInfo": "pg-orders"}, "properties.dataSourceInfo", id="source is a text"),
        pytest.param(source(resourceID=None), "properties.dataSourceInfo.resourceID", id="no server"),
        pytest.param(source(resourceID=5), "properties.dataSourceInfo.resourceID", id="server is a number"),
        pytest.param(source(resourceID="pg-orders"), "properties.dataSourceInfo.resourceID", id="server is no id"),
        pytest.param(source(resourceID=builders.SERVER_ID + "?x=/"), "properties.dataSourceInfo.resourceID", id="server with a query"),
        pytest.param(source(resourceID=builders.SERVER_ID.replace("pg-orders", "..")), "properties.dataSourceInfo.resourceID", id="server with dots"),
        pytest.param(source(resourceID=VAULT_ID), "properties.dataSourceInfo.resourceID", id="a vault as server"),
        pytest.param(source(datasourceType="Microsoft.Compute/disks"), "properties.dataSourceInfo.datasourceType", id="a disk"),
        pytest.param({"policyInfo": {}}, "properties.policyInfo.policyId", id="no policy"),
        pytest.param({"policyInfo": {"policyId": VAULT_ID}}, "properties.policyInfo.policyId", id="policy is a vault"),
        pytest.param({"policyInfo": {"policyId": f"{POLICY_ID}/x"}}, "properties.policyInfo.policyId", id="more than a policy"),
        pytest.param({"policyInfo": {"policyId": POLICY_ID + "x"}}, "dailyx", id="unknown policy"),
        pytest.param({"validationType": "Deep"}, "properties.validationType", id="unknown validation type"),
        pytest.param({"friendlyName": 5}, "properties.friendlyName", id="friendly name is a number"),
        pytest.param({"datasourceAuthCredentials": {"value": "PLANTED"}}, "properties.datasourceAuthCredentials", id="credentials"),
        pytest.param(source(resourceID=MISSING), MISSING, id="unknown server"),
    ],
)  # fmt: skip
def test_a_wrong_instance_is_400_and_leaves_nothing(door: Door, changes: dict[str, Any], target: str) -> None:
    refused = door.send("PUT", INSTANCE, instance_body(**changes))
    assert refused.status == 400
    assert target in {refused.error["target"], *(detail["target"] for detail in refused.error["details"])}
    assert "PLANTED" not in refused.body.decode()
    assert door.send("GET", INSTANCE).status == 404
    assert door.world.jobs() == []


def test_all_mistakes_are_told_at_once(door: Door) -> None:
    refused = door.send("PUT", INSTANCE, {"properties": {"policyInfo": {"policyId": 5}}})
    assert [detail["target"] for detail in refused.error["details"]] == [
        "properties.objectType",
        "properties.dataSourceInfo",
        "properties.dataSourceInfo.resourceID",
        "properties.policyInfo.policyId",
    ]


@pytest.mark.parametrize("name", ["a:b", "a?b", "a*b", "<x>", "a#b", " "])
def test_a_name_that_arm_does_not_allow_is_refused(door: Door, name: str) -> None:
    escaped = name.replace("?", "%3F").replace("#", "%23")
    refused = door.send("PUT", f"{VAULT_ID}/backupInstances/{escaped}", instance_body())
    assert (refused.status, refused.error["code"]) == (400, "InvalidResourceName")
    assert "letters, digits and dashes" in refused.error["additionalInfo"][0]["info"]["recommendedAction"][0]


@pytest.mark.parametrize(
    ("changes", "code", "inner"),
    [
        pytest.param({"state": "Stopped"}, "PostgreSQLFlexOperationFailedUserError", "ServerNotReadyForLongTermBackup", id="stopped"),
        pytest.param({"state": "Updating"}, "PostgreSQLFlexOperationFailedUserError", "ServerNotReadyForLongTermBackup", id="changing"),
        pytest.param({"replication_role": "AsyncReplica"}, "UserErrorReplicaServerNotSupported", None, id="replica"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_be_backed_up_is_400(
    door: Door, changes: dict[str, Any], code: str, inner: str | None
) -> None:
    change_server(door, **changes)
    refused = door.send("PUT", INSTANCE, instance_body())
    info = refused.error["additionalInfo"][0]["info"]
    assert (refused.status, refused.error["code"], info.get("innerError", {}).get("code")) == (400, code, inner)
    assert info["recommendedAction"]
    assert door.send("GET", INSTANCE).status == 404


def test_a_second_instance_of_the_same_server_is_refused(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    refused = door.send("PUT", f"{INSTANCE}-2", instance_body())
    assert (refused.status, refused.error["code"]) == (400, "UserErrorDppDatasourceAlreadyProtected")
    assert door.send("GET", f"{INSTANCE}-2").status == 404


def test_an_instance_cannot_be_moved_to_another_server(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    other = builders.SERVER_ID.replace("pg-orders", "pg-billing")
    door.world.memory.servers.put(Server(id=other, name="pg-billing", location="eastus", state="Ready"))
    refused = door.send("PUT", INSTANCE, instance_body(**source(resourceID=other)))
    assert (refused.status, refused.error["code"]) == (400, "BMSUserErrorInvalidInput")
    assert builders.SERVER_ID in refused.error["message"]


def test_deep_validation_asks_for_the_rights_at_once(door: Door) -> None:
    door.world.memory.roles.may_grant = False
    body = instance_body(validationType="DeepValidation")
    refused = door.send("PUT", INSTANCE, body)
    assert (refused.status, refused.error["code"]) == (403, "UserErrorMissingRequiredPermissions")
    door.world.memory.roles.may_grant = True
    door.grant_roles()
    assert door.send("PUT", INSTANCE, body).status == 201


def test_names_compare_without_regard_to_case_and_keep_their_first_spelling(door: Door) -> None:
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    shown = door.send("GET", f"{VAULT_ID}/BACKUPINSTANCES/PG-ORDERS")
    assert (shown.json["id"], shown.json["name"]) == (INSTANCE, "pg-orders")
    assert door.send("PUT", f"{VAULT_ID}/backupInstances/PG-ORDERS", instance_body()).status == 200


def lose_rights(door: Door) -> None:
    door.world.memory.roles.revoke(builders.SERVER_ID)
    verify_rights(door.world.vault, door.world.clock.storage_now())


def test_an_identical_put_looks_at_the_rights_at_once_and_grants_what_is_missing(door: Door) -> None:
    door.protect()
    assert door.send("PUT", INSTANCE, instance_body()).status == 200
    door.world.memory.roles.revoke(builders.SERVER_ID)  # and no night has looked yet
    assert door.send("PUT", INSTANCE, instance_body()).status == 201
    door.run_jobs()
    assert door.world.vault.ports.roles.find_missing(builders.SERVER_ID) == ()
    assert door.send("GET", INSTANCE).json["properties"]["currentProtectionState"] == "ProtectionConfigured"


def test_rights_that_disappeared_are_shown_with_the_command_that_restores_them(door: Door) -> None:
    door.protect()
    lose_rights(door)
    shown = door.send("GET", INSTANCE).json["properties"]
    error = shown["protectionErrorDetails"]
    assert shown["currentProtectionState"] == "ProtectionError"
    assert shown["protectionStatus"] == {"status": "ProtectionConfigured", "errorDetails": error}
    assert error["code"] == "UserErrorMissingRequiredPermissions"
    assert "az role assignment create" in error["recommendedAction"][0]


def test_the_identical_put_grants_lost_rights_again_because_a_person_asks_for_it(door: Door) -> None:
    door.protect()
    assert door.send("PUT", INSTANCE, instance_body()).status == 200
    lose_rights(door)
    door.send("GET", INSTANCE)
    assert door.world.memory.roles.assigned(builders.SERVER_ID) == frozenset()

    assert door.send("PUT", INSTANCE, instance_body()).status == 201
    door.run_jobs()

    shown = door.send("GET", INSTANCE).json["properties"]
    assert (shown["currentProtectionState"], shown["protectionErrorDetails"]) == ("ProtectionConfigured", None)
    assert len(door.world.memory.roles.assigned(builders.SERVER_ID)) == 2
    assert door.send("PUT", INSTANCE, instance_body()).status == 200
