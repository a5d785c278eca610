"""Checks as operations: the verdict is kept under the request's name."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain.errors import TransientError
from tests import builders
from tests.api.doors import (
    CONTAINER_URL,
    INSTANCE,
    POLICY_ID,
    SUBSCRIPTION_SCOPE,
    VAULT_ID,
    Door,
    Sent,
    instance_properties,
    policy_body,
    restore_body,
)

URL = f"{VAULT_ID}/validateForBackup"
MINE = {"x-ms-client-request-id": "mine"}


@pytest.fixture
def door() -> Door:
    door = Door()
    door.send("PUT", POLICY_ID, policy_body())
    door.grant_roles()
    return door


def validate(door: Door, headers: dict[str, str] | None = None, **changes: Any) -> Sent:
    body = {"backupInstance": instance_properties(**changes)}
    return door.send("POST", URL, body, person="operator", headers=headers)


def test_a_server_that_can_be_backed_up_succeeds(door: Door) -> None:
    accepted = validate(door)
    assert (accepted.status, accepted.body, accepted.header("Retry-After")) == (202, b"", "10")
    status = door.follow(accepted)
    assert status["id"].startswith(f"{SUBSCRIPTION_SCOPE}/locations/eastus/operationStatus/")
    assert status["id"].endswith(status["name"])
    assert (status["status"], status["startTime"]) == ("Succeeded", "2026-01-05T00:00:00.0000000Z")
    assert status["endTime"] == "2026-01-05T00:00:00.0000000Z"
    result = door.result(accepted)
    assert (result.status, result.json) == (200, {"objectType": "OperationJobExtendedInfo"})
    assert door.world.jobs() == []


def test_a_large_server_succeeds_with_a_warning(door: Door) -> None:
    servers = door.world.memory.servers
    servers.put(replace(servers.get(builders.SERVER_ID), storage_size_gib=2048))
    accepted = validate(door)
    (warning,) = door.follow(accepted)["properties"]["warningDetails"]
    assert warning["resourceName"] == builders.SERVER_ID
    assert warning["warning"]["code"] == "ServerLargerThanSupported"
    assert door.result(accepted).json["warningDetails"] == [warning]


def stop(door: Door) -> None:
    door.world.memory.servers.set_state(builders.SERVER_ID, "Stopped")


def remove(door: Door) -> None:
    door.world.memory.servers.remove(builders.SERVER_ID)


def revoke(door: Door) -> None:
    door.world.memory.roles.revoke(builders.SERVER_ID)
    door.world.memory.roles.may_grant = False


def delete_policy(door: Door) -> None:
    door.send("DELETE", POLICY_ID)


def replicate(door: Door) -> None:
    servers = door.world.memory.servers
    servers.put(replace(servers.get(builders.SERVER_ID), replication_role="AsyncReplica"))


def test_rights_that_the_vault_can_give_itself_are_no_obstacle(door: Door) -> None:
    door.world.memory.roles.revoke(builders.SERVER_ID)
    assert door.follow(validate(door))["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(remove, "PostgreSQLFlexOperationFailedUserError", id="gone"),
        pytest.param(stop, "PostgreSQLFlexOperationFailedUserError", id="stopped"),
        pytest.param(replicate, "UserErrorReplicaServerNotSupported", id="replica"),
        pytest.param(revoke, "UserErrorMissingRequiredPermissions", id="no rights"),
        pytest.param(delete_policy, "ResourceNotFound", id="no policy"),
    ],
)  # fmt: skip
def test_what_is_wrong_fails_the_operation(door: Door, spoil: Any, code: str) -> None:
    spoil(door)
    accepted = validate(door)
    assert accepted.status == 202
    status = door.follow(accepted)
    assert (status["status"], status["error"]["code"]) == ("Failed", code)
    assert status["error"]["additionalInfo"][0]["info"]["recommendedAction"]
    assert "hint: " in status["error"]["message"], "SDKs show nothing but the message"
    result = door.result(accepted)
    assert (result.status, result.error["code"]) == (400, code)


def test_a_server_that_is_protected_already_is_refused_at_once(door: Door) -> None:
    door.protect()
    refused = validate(door)
    assert (refused.status, refused.error["code"]) == (400, "UserErrorDppDatasourceAlreadyProtected")


@pytest.mark.parametrize(
    "body",
    [{}, {"backupInstance": None}, {"backupInstance": {}}, {"properties": instance_properties()}],
    ids=["nothing", "null", "empty", "another member"],
)
def test_a_body_that_names_no_instance_is_refused_at_once(door: Door, body: dict[str, Any]) -> None:
    refused = door.send("POST", URL, body)
    assert refused.status == 400
    assert "backupInstance" in refused.error["message"]


def test_an_outage_is_no_verdict(door: Door) -> None:
    door.world.memory.faults.fail_next("servers.get", TransientError("ARM is away"))
    assert validate(door, MINE).status == 503
    assert door.follow(validate(door, MINE))["status"] == "Succeeded"


def test_a_repetition_gets_the_first_verdict(door: Door) -> None:
    first = validate(door, MINE)
    stop(door)
    again = validate(door, MINE)
    assert again.header("Location") == first.header("Location")
    assert door.follow(again)["status"] == "Succeeded"


def test_a_repetition_gets_the_first_verdict_although_the_server_is_protected_by_now(door: Door) -> None:
    first = validate(door, MINE)
    door.protect()
    assert validate(door, MINE).header("Location") == first.header("Location")
    assert validate(door).status == 400


@pytest.mark.parametrize("headers", [{}, {"x-ms-client-request-id": "another"}], ids=["without an id", "another id"])
def test_another_request_gets_its_own_verdict(door: Door, headers: dict[str, str]) -> None:
    first = validate(door, headers and MINE)
    stop(door)
    assert validate(door, headers).header("Location") != first.header("Location")


# Restore -------------------------------------------------------------------------------------------------------------


def validate_restore(door: Door, request: dict[str, Any]) -> Sent:
    body = {"restoreRequestObject": request}
    return door.send("POST", f"{INSTANCE}/validateRestore", body, person="operator")


def test_a_restore_that_can_begin_succeeds_and_writes_nothing(door: Door) -> None:
    door.make_target()
    accepted = validate_restore(door, restore_body(door.protect_and_back_up()))
    assert door.follow(accepted)["status"] == "Succeeded"
    [warned] = door.result(accepted).json["warningDetails"]
    assert warned["warning"]["code"] == "TargetNotReadable"  # ARM shows no account, and none was named
    assert door.world.memory.ports.restore_target.list_blobs(CONTAINER_URL, "") == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"point_id": "0" * 32}, "UserErrorRecoveryPointNotFound", id="unknown point"),
        pytest.param({"point_id": "newest"}, "UserErrorRecoveryPointNotFound", id="no point id"),
        pytest.param({"url": "https://restore.example/missing"}, "ContainerNotFound", id="missing container"),
        pytest.param({"url": "https://restore.example"}, "BMSUserErrorInvalidInput", id="no container"),
        pytest.param({"url": "https://vault.example/points"}, "UserErrorRestoreTargetOutside", id="the vault itself"),
        pytest.param({"prefix": "a/b"}, "BMSUserErrorInvalidInput", id="prefix with a slash"),
    ],
)
def test_a_restore_that_cannot_begin_fails_the_operation(door: Door, changes: dict[str, str], code: str) -> None:
    door.make_target()
    point_id = door.protect_and_back_up()
    accepted = validate_restore(door, restore_body(**{"point_id": point_id, **changes}))
    status = door.follow(accepted)
    assert (status["status"], status["error"]["code"]) == ("Failed", code)


def test_a_restore_of_an_unknown_instance_is_404(door: Door) -> None:
    assert validate_restore(door, restore_body("0" * 32)).status == 404


# The schedule --------------------------------------------------------------------------------------------------------


def found_warnings(door: Door, **policy: Any) -> list[tuple[str, str]]:
    door.send("PUT", POLICY_ID, {"properties": builders.policy_properties(**policy)})
    details = door.follow(validate(door))["properties"].get("warningDetails", [])
    return [(one["warning"]["code"], one["resourceName"]) for one in details]


def back_up_once(door: Door, hours: int) -> None:
    """Let the server itself take a backup, as another vault would have it done."""
    memory = door.world.memory
    memory.ltr.script = replace(memory.ltr.script, duration=timedelta(hours=hours))
    containers = ["l" + "0" * 32 + "a1c0"]
    memory.ports.landing.create_container(containers[0])
    grant = memory.ports.landing.issue_grant(containers, "racwl", timedelta(hours=48))
    memory.ports.ltr.start(builders.SERVER_ID, "somebody-elses", grant)
    door.world.clock.advance(timedelta(hours=hours + 1))


def test_backups_that_take_longer_than_the_interval_are_warned_of(door: Door) -> None:
    back_up_once(door, hours=5)
    every_four_hours = {"interval": "R/2026-01-05T02:00:00Z/PT4H"}
    assert found_warnings(door, **every_four_hours) == [("BackupLongerThanInterval", builders.SERVER_ID)]


def test_backups_that_fit_into_the_interval_are_not(door: Door) -> None:
    back_up_once(door, hours=5)
    assert found_warnings(door) == []


def test_the_duration_of_a_server_that_was_never_backed_up_is_not_guessed(door: Door) -> None:
    assert found_warnings(door, interval="R/2026-01-05T02:00:00Z/PT1H") == []


def test_what_in_the_policy_has_no_effect_is_warned_of(door: Door) -> None:
    policy = builders.add_tag(builders.policy_properties(), "Yearly", 10, "P10Y")
    door.send("PUT", POLICY_ID, {"properties": policy})
    (detail,) = door.follow(validate(door))["properties"]["warningDetails"]
    assert (detail["warning"]["code"], detail["resourceName"]) == ("RuleOnlyOnDemand", "daily")
