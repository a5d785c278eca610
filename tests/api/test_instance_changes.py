"""A change of an instance is checked before it is sent; `sync` brings an instance back to what its properties say."""

from typing import Any

import pytest

from flexvault.services.rights import verify_rights
from tests import builders
from tests.api.doors import INSTANCE, POLICY_ID, VAULT_ID, Door, Sent, instance_body, instance_properties, policy_body

CHECK = f"{INSTANCE}/validateForModifyBackup"
SYNC = f"{INSTANCE}/sync"
OTHER_ID = f"{VAULT_ID}/backupPolicies/other"


@pytest.fixture
def door() -> Door:
    door = Door()
    door.protect()
    return door


def check(door: Door, **changes: Any) -> dict[str, Any]:
    """Validate a change and answer how it stands."""
    accepted = door.send("POST", CHECK, {"backupInstance": instance_properties(**changes)}, person="operator")
    assert (accepted.status, accepted.body) == (202, b""), accepted.body
    return door.follow(accepted)


def sync(door: Door, kind: str | None = "Default", **sent: Any) -> Sent:
    return door.send("POST", SYNC, None if kind is None else {"syncType": kind}, **sent)


def state(door: Door) -> str:
    return door.send("GET", INSTANCE).json["properties"]["currentProtectionState"]


# Validate a change ---------------------------------------------------------------------------------------------------


def test_a_change_that_could_be_made_is_valid_and_is_not_made(door: Door) -> None:
    door.send("PUT", OTHER_ID, policy_body(keep_for="P2M"))
    before = door.send("GET", INSTANCE).json
    checked = check(door, policyInfo={"policyId": OTHER_ID}, friendlyName="another")
    assert (checked["status"], checked["properties"]) == ("Succeeded", {"objectType": "OperationJobExtendedInfo"})
    assert door.send("GET", INSTANCE).json == before
    assert door.world.open_jobs() == []


def test_a_change_that_needs_a_second_person_is_valid_with_a_warning_and_asks_nobody(door: Door) -> None:
    door.send("PUT", OTHER_ID, policy_body(keep_for="P7D"))
    checked = check(door, policyInfo={"policyId": OTHER_ID})
    assert checked["status"] == "Succeeded"
    (warning,) = checked["properties"]["warningDetails"]
    assert warning["warning"]["code"] == "ApprovalRequired"
    assert "hint" not in warning["warning"]["message"]
    assert warning["warning"]["recommendedAction"][0].startswith("send it with PUT, which answers 403")
    assert warning["resourceName"] == INSTANCE
    assert "have that approved" in warning["warning"]["recommendedAction"][0]
    assert door.send("GET", "/vault/approvals", query="").json == {"value": []}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"policyInfo": {"policyId": OTHER_ID}}, "ResourceNotFound", id="no such policy"),
        pytest.param(
            {"dataSourceInfo": instance_properties()["dataSourceInfo"] | {"resourceID": f"{builders.SERVER_ID}-other"}},
            "BMSUserErrorInvalidInput",
            id="another server",
        ),
        pytest.param({"friendlyName": "x" * 9_000}, "BMSUserErrorInvalidInput", id="too large"),
    ],
)
def test_a_change_that_the_put_would_refuse_fails_with_the_same_reason(
    door: Door, changes: dict[str, Any], code: str
) -> None:
    checked = check(door, **changes)
    assert (checked["status"], checked["error"]["code"]) == ("Failed", code)
    refused = door.send("PUT", INSTANCE, instance_body(**changes))
    assert (refused.status, refused.error["code"]) == (400, code)


def test_a_paused_instance_cannot_be_changed_and_the_check_says_so(door: Door) -> None:
    door.send("POST", f"{INSTANCE}/stopProtection")
    assert check(door)["error"]["code"] == "UserErrorBackupInstanceNotProtected"


def test_lost_rights_that_the_vault_may_not_grant_fail_the_check_with_the_commands(door: Door) -> None:
    door.world.memory.roles.may_grant = False
    door.world.memory.roles.revoke(builders.SERVER_ID)
    assert "az role assignment create" in check(door)["error"]["message"]


def test_what_cannot_be_read_is_refused_at_once_and_no_instance_is_404(door: Door) -> None:
    for body in ({}, {"backupInstance": 5}, {"backupInstance": instance_properties(objectType="x")}):
        assert door.send("POST", CHECK, body).status == 400
    body = {"backupInstance": instance_properties()}
    assert door.send("POST", CHECK.replace("pg-orders", "pg-none"), body).status == 404


# Read, modify, write -------------------------------------------------------------------------------------------------


def test_what_get_shows_can_be_sent_back_whole_and_changes_nothing(door: Door) -> None:
    whole = door.send("GET", INSTANCE).json
    assert door.send("PUT", INSTANCE, whole).status == 200
    assert door.send("PUT", INSTANCE, lowered(whole)).status == 200, "members in lower case are the same members"
    assert door.send("GET", INSTANCE).json == whole


def lowered(value: Any) -> Any:
    """Write every member's name in lower case."""
    if isinstance(value, dict):
        return {str(name).lower(): lowered(member) for name, member in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


def test_a_friendly_name_that_was_filled_in_can_be_sent_back(door: Door) -> None:
    body = instance_body()
    del body["properties"]["friendlyName"]
    door.send("PUT", INSTANCE, body)
    door.run_jobs()
    whole = door.send("GET", INSTANCE).json
    assert whole["properties"]["friendlyName"] == "pg-orders"
    assert door.send("PUT", INSTANCE, whole).status == 200


@pytest.mark.parametrize(
    "sent",
    [
        POLICY_ID.lower(),
        POLICY_ID.upper(),
        POLICY_ID.replace("/daily", "/Daily"),
        POLICY_ID.replace("/resourceGroups/", "/resourcegroups/").replace("/backupVaults/", "/BackupVaults/"),
        f"{POLICY_ID}/",
    ],
)
def test_a_policys_id_is_understood_in_any_case_and_shown_in_one(door: Door, sent: str) -> None:
    assert door.send("PUT", INSTANCE, instance_body(policyInfo={"policyId": sent})).status == 200, "it is the same"
    made = door.send("PUT", INSTANCE, instance_body(policyInfo={"policyId": sent}, friendlyName="another"))
    assert made.json["properties"]["policyInfo"]["policyId"] == POLICY_ID
    door.run_jobs()
    assert door.send("GET", INSTANCE).json["properties"]["policyInfo"]["policyId"] == POLICY_ID


# Synchronize ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Default", "ForceResync", "forceresync", None])
def test_sync_tries_a_failed_configuration_again_once_its_reason_is_gone(kind: str | None) -> None:
    door = Door()
    door.world.memory.roles.may_grant = False
    door.send("PUT", POLICY_ID, policy_body())
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    assert state(door) == "ConfiguringProtectionFailed"
    first = sync(door, kind)
    assert (first.status, first.body) == (202, b"")
    door.run_jobs()
    failed = door.follow(first)
    assert (failed["status"], failed["error"]["code"]) == ("Failed", "UserErrorMissingRequiredPermissions")
    door.world.memory.roles.may_grant = True
    again = sync(door, kind)
    assert door.follow(again)["status"] == "Inprogress"
    assert state(door) == "ConfiguringProtection"
    door.run_jobs()
    assert door.follow(again)["status"] == "Succeeded"
    assert state(door) == "ProtectionConfigured"


def test_sync_of_a_protected_instance_verifies_its_rights_and_has_nothing_else_to_do(door: Door) -> None:
    done = sync(door)
    assert done.status == 202
    assert door.follow(done)["status"] == "Succeeded"
    assert door.result(done).status == 200
    assert door.world.open_jobs() == []


def test_forced_sync_configures_a_protected_instance_again_and_its_schedule_goes_on(door: Door) -> None:
    before = door.send("GET", "/vault/backupInstances/pg-orders/schedule", query="").json
    forced = sync(door, "ForceResync")
    assert len(door.world.open_jobs()) == 1
    door.run_jobs()
    assert door.follow(forced)["status"] == "Succeeded"
    assert door.send("GET", "/vault/backupInstances/pg-orders/schedule", query="").json == before


def test_sync_restores_rights_that_were_lost(door: Door) -> None:
    door.world.memory.roles.revoke(builders.SERVER_ID)
    verify_rights(door.world.vault, door.world.clock.storage_now())
    assert state(door) == "ProtectionError"
    healed = sync(door)
    door.run_jobs()
    assert door.follow(healed)["status"] == "Succeeded"
    assert state(door) == "ProtectionConfigured"


def test_sync_while_a_configuration_runs_is_that_operation(door: Door) -> None:
    door.send("PUT", OTHER_ID, policy_body(keep_for="P2M"))
    door.send("PUT", INSTANCE, instance_body(policyInfo={"policyId": OTHER_ID}))
    running = sync(door)
    assert running.status == 202
    assert door.follow(running)["status"] == "Inprogress"
    assert len(door.world.open_jobs()) == 1
    door.run_jobs()
    assert door.follow(running)["status"] == "Succeeded"


def test_a_repeated_sync_is_the_first_ones_operation(door: Door) -> None:
    headers = {"x-ms-client-request-id": "the-same-request"}
    first, second = (sync(door, headers=headers) for _ in range(2))
    assert first.header("Azure-AsyncOperation") == second.header("Azure-AsyncOperation")


@pytest.mark.parametrize(
    ("verb", "way_out"), [("stopProtection", "resumeProtection"), ("suspendBackups", "resumeBackups")]
)
def test_sync_of_a_paused_instance_is_refused_with_the_way_out(door: Door, verb: str, way_out: str) -> None:
    door.send("POST", f"{INSTANCE}/{verb}")
    refused = sync(door)
    assert (refused.status, refused.error["code"]) == (400, "UserErrorBackupInstanceNotProtected")
    assert way_out in refused.error["additionalInfo"][0]["info"]["recommendedAction"][0]


@pytest.mark.parametrize("body", [{"syncType": "Full"}, {"syncType": 5}, b"[]", b"{"])
def test_a_kind_of_sync_that_is_none_is_refused(door: Door, body: Any) -> None:
    assert door.send("POST", SYNC, body).status == 400


def test_sync_of_no_instance_is_404(door: Door) -> None:
    assert door.send("POST", SYNC.replace("pg-orders", "pg-none"), {}).status == 404
