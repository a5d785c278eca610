"""Soft delete through the door, and by the official SDK: lists, undelete, what is refused meanwhile."""

from datetime import datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection.models import DeletedBackupInstanceResource

from flexvault.api.times import wire_time
from flexvault.domain.retention import PURGE_WAITS
from flexvault.domain.vault_settings import Immutability
from flexvault.services.apply_retention import begin_retention
from tests.api.doors import (
    INSTANCE,
    POLICY_ID,
    VAULT_ID,
    Door,
    Sent,
    backup_body,
    instance_body,
    instance_properties,
    policy_body,
    restore_body,
)
from tests.builders import add_server, world
from tests.services.test_retention_rows import edit_instance

PLACE = ("rg-flexvault", "flexvault")
DELETED = f"{VAULT_ID}/deletedBackupInstances"
ONE = f"{DELETED}/pg-orders"
PERIOD = timedelta(days=14)


@pytest.fixture
def door() -> Door:
    return made_door()


def made_door(immutability: Immutability = Immutability.DISABLED) -> Door:
    made = Door(world=world(immutability=immutability))
    made.grant_roles()
    made.make_target()
    return made


def send_approved(door: Door, method: str, path: str) -> Sent:
    refused = door.send(method, path)
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired"), refused.body
    approve = f"/vault/approvals/{refused.error['target']}/approve"
    assert door.send("POST", approve, person="approver", query="").status == 200
    return door.send(method, path, headers={"x-ms-correlation-request-id": "c" * 36})


def clean_up(door: Door) -> None:
    door.world.clock.advance(timedelta(seconds=1))
    begin_retention(door.world.vault, door.world.memory.orchestrations)
    door.run_jobs()


def purge_time(door: Door) -> datetime:
    purge_at = door.world.instance().purge_at
    assert purge_at is not None
    return purge_at


def test_a_deletion_has_ended_for_its_client_at_once_and_the_instance_is_soft_deleted(door: Door) -> None:
    point_id = door.protect_and_back_up()
    deleted = send_approved(door, "DELETE", INSTANCE)
    assert (deleted.status, door.follow(deleted)["status"], door.result(deleted).status) == (202, "Succeeded", 200)
    again = door.send("DELETE", INSTANCE)
    assert (again.status, again.header("Location")) == (202, deleted.header("Location"))
    assert not [key for key in door.begun if key.startswith("open-retention")], "nothing is to be deleted yet"
    assert door.send("GET", f"{VAULT_ID}/backupInstances").json["value"] == []
    shown = door.send("GET", INSTANCE).json["properties"]
    assert (shown["currentProtectionState"], shown["provisioningState"]) == ("SoftDeleted", "Succeeded")
    assert shown["protectionStatus"]["status"] == "SoftDeleted"
    assert purge_time(door).isoformat() in shown["protectionErrorDetails"]["message"]
    assert "undelete" in shown["protectionErrorDetails"]["recommendedAction"][0]
    assert door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"] == point_id
    assert door.send("POST", f"{INSTANCE}/restore", restore_body(point_id)).status == 202
    door.run_jobs()
    clean_up(door)
    assert door.send("GET", f"{INSTANCE}/recoveryPoints/{point_id}").status == 200


def test_a_deleted_instance_is_shown_with_its_dates_and_the_request_that_deleted_it(door: Door) -> None:
    door.protect_and_back_up()
    at = door.world.clock.storage_now()
    send_approved(door, "DELETE", INSTANCE)
    shown = door.send("GET", ONE, person="reader").json
    assert (shown["id"], shown["name"]) == (ONE, "pg-orders")
    assert shown["type"] == "Microsoft.DataProtection/backupVaults/deletedBackupInstances"
    assert shown["undeleteUntil"] == wire_time(at + PERIOD)
    properties = shown["properties"]
    assert properties["currentProtectionState"] == "SoftDeleted"
    assert properties["dataSourceInfo"] == instance_properties()["dataSourceInfo"]
    assert properties["deletionInfo"] == {
        "deletionTime": wire_time(at),
        "billingEndDate": wire_time(at + PERIOD),
        "scheduledPurgeTime": wire_time(at + PERIOD),
        "deleteActivityID": "c" * 36,
    }
    assert door.send("GET", DELETED, person="reader").json == {"value": [shown]}
    assert door.send("GET", f"{DELETED}/PG-Orders", person="reader").json == shown


def test_the_date_is_the_last_one_of_storage_where_that_is_later() -> None:
    door = made_door(Immutability.UNLOCKED)
    door.protect_and_back_up()
    send_approved(door, "DELETE", INSTANCE)
    point = door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]
    expires = point["properties"]["expiryTime"]
    listed = door.send("GET", ONE).json
    info = listed["properties"]["deletionInfo"]
    assert listed["undeleteUntil"] < info["scheduledPurgeTime"]
    assert info["scheduledPurgeTime"][:19] == expires[:19]
    told = [
        door.send("GET", INSTANCE).json["properties"]["protectionErrorDetails"]["message"],
        door.send("PUT", f"{INSTANCE}-again", instance_body()).error["message"],
    ]
    dates = f"it can be undeleted until {door.world.instance().purge_at.isoformat()}"  # type: ignore[union-attr]
    assert all(f"{dates}; its data are gone at {expires[:19]}" in message for message in told), told
    assert dates in door.send("POST", f"{INSTANCE}/backup", backup_body()).error["message"]
    door.world.clock.advance(PERIOD + PURGE_WAITS)
    clean_up(door)
    shown = door.send("GET", INSTANCE).json["properties"]
    assert shown["currentProtectionState"] == "SoftDeleted"
    assert expires[:19] in shown["protectionErrorDetails"]["message"]
    assert "restore what you need" in shown["protectionErrorDetails"]["recommendedAction"][0]
    late = door.send("POST", f"{ONE}/undelete")
    assert (late.status, late.error["code"]) == (409, "UserErrorBackupInstanceBeingDeleted")


def test_an_undeletion_is_one_operation_and_the_instance_is_stopped_then(door: Door) -> None:
    door.protect_and_back_up()
    send_approved(door, "DELETE", INSTANCE)
    undeleted = door.send("POST", f"{ONE}/undelete")
    assert (undeleted.status, door.follow(undeleted)["status"], door.result(undeleted).status) == (
        202,
        "Succeeded",
        200,
    )
    again = door.send("POST", f"{ONE}/undelete", {})
    assert (again.status, again.header("Location")) == (202, undeleted.header("Location"))
    shown = door.send("GET", INSTANCE).json["properties"]
    assert (shown["currentProtectionState"], shown["protectionErrorDetails"]) == ("ProtectionStopped", None)
    assert door.send("GET", DELETED).json == {"value": []}
    assert door.send("GET", ONE).status == 404
    assert door.send("POST", f"{INSTANCE}/resumeProtection").status == 202
    assert door.send("POST", f"{ONE}/undelete").status == 404, "it is no stopped one any more"
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202


@pytest.mark.parametrize("person", ["reader", "operator", "approver"])
def test_only_a_contributor_undeletes(door: Door, person: str) -> None:
    door.protect()
    send_approved(door, "DELETE", INSTANCE)
    assert door.send("POST", f"{ONE}/undelete", person=person).error["code"] == "AuthorizationFailed"
    unknown = door.send("POST", f"{DELETED}/none/undelete")
    assert (unknown.status, unknown.error["target"]) == (404, f"{DELETED}/none")
    assert door.send("POST", f"{ONE}/undelete", b"[]").status == 400


def test_a_server_is_refused_while_its_old_instance_is_soft_deleted(door: Door) -> None:
    door.protect()
    send_approved(door, "DELETE", INSTANCE)
    until = purge_time(door).isoformat()
    for refused in (
        door.send("PUT", INSTANCE, instance_body()),
        door.send("PUT", f"{INSTANCE}-again", instance_body()),
        door.send("POST", f"{VAULT_ID}/validateForBackup", {"backupInstance": instance_properties()}),
    ):
        assert (refused.status, refused.error["code"]) == (400, "UserErrorDppDatasourceAlreadyProtected")
        assert (
            f"can be undeleted until {until}; its data are gone at {until} at the earliest" in refused.error["message"]
        )
        told = refused.error["additionalInfo"][0]["info"]["recommendedAction"][0]
        assert "undelete it until" in told
        assert "resumeProtection" in told
        assert "wait until its data are gone" in told
    for verb in ("stopProtection", "suspendBackups", "resumeBackups", "resumeProtection"):
        refused = door.send("POST", f"{INSTANCE}/{verb}")
        assert (refused.status, refused.error["code"]) == (409, "UserErrorBackupInstanceSoftDeleted")
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 409


def test_deleted_instances_come_in_pages_and_one_forged_row_takes_none_away() -> None:
    door = made_door()
    door = Door(world=door.world, page_size=2)
    door.protect()
    paths = [INSTANCE]
    for number in range(4):
        server_id = add_server(door.world, str(number))
        source = {**instance_properties()["dataSourceInfo"], "resourceID": server_id}
        paths.append(f"{VAULT_ID}/backupInstances/more-{number}")
        door.world.memory.roles.grant(server_id)
        assert door.send("PUT", paths[-1], instance_body(dataSourceInfo=source)).status == 201
    door.run_jobs()
    for path in paths:
        send_approved(door, "DELETE", path)
    edit_instance(door.world, door.world.instance().key, deletion_seq=1)
    found: list[str] = []
    link = DELETED
    while link:
        page = door.send("GET", link).json
        assert len(page["value"]) <= 2
        found += [one["name"] for one in page["value"]]
        link = page.get("nextLink", "")
    assert sorted(found) == ["more-0", "more-1", "more-2", "more-3", "pg-orders"]
    assert door.send("GET", ONE).status == 409, "the journal says otherwise"


@pytest.mark.parametrize(
    "forged",
    [{"properties": "5"}, {"properties": "[]"}, {"properties": '{"policyInfo": 5}'}, {"purge_at": "then"}],
    ids=str,
)
def test_a_row_that_cannot_be_read_takes_no_list_away_and_is_no_unexpected_error(
    door: Door, forged: dict[str, str]
) -> None:
    door.protect()
    send_approved(door, "DELETE", INSTANCE)
    edit_instance(door.world, door.world.instance().key, **forged)
    for listed in (DELETED, f"{VAULT_ID}/backupInstances"):
        assert door.send("GET", listed).json == {"value": []}
    for method, path in (("GET", ONE), ("GET", INSTANCE), ("POST", f"{ONE}/undelete"), ("DELETE", INSTANCE)):
        refused = door.send(method, path)
        assert (refused.status, refused.error["code"]) == (409, "RowUnreadable")


def test_what_was_never_configured_is_not_shown_as_protected_once_it_is_undeleted_and_resumed() -> None:
    door = Door()
    door.world.memory.roles.may_grant = False
    door.send("PUT", POLICY_ID, policy_body())
    door.send("PUT", INSTANCE, instance_body())
    door.run_jobs()
    send_approved(door, "DELETE", INSTANCE)
    assert door.send("POST", f"{ONE}/undelete").status == 202
    assert door.send("POST", f"{INSTANCE}/resumeProtection").status == 202
    shown = door.send("GET", INSTANCE).json["properties"]
    assert shown["currentProtectionState"] == "ProtectionError"
    assert shown["protectionErrorDetails"]["code"] == "UserErrorMissingRequiredPermissions"
    door.world.memory.roles.may_grant = True
    assert door.send("POST", f"{INSTANCE}/sync").status == 202
    door.run_jobs()
    assert door.send("GET", INSTANCE).json["properties"]["currentProtectionState"] == "ProtectionConfigured"


# The official SDK ----------------------------------------------------------------------------------------------------


def test_the_sdk_deletes_lists_and_undeletes(client: DataProtectionMgmtClient, door: Door) -> None:
    door.protect_and_back_up()
    with pytest.raises(HttpResponseError):
        client.backup_instances.begin_delete(*PLACE, "pg-orders")
    send_approved(door, "DELETE", INSTANCE)
    assert client.backup_instances.begin_delete(*PLACE, "pg-orders").result() is None, "the same operation"
    assert list(client.backup_instances.list(*PLACE)) == []
    [listed] = client.deleted_backup_instances.list(*PLACE)
    found = client.deleted_backup_instances.get(*PLACE, "pg-orders")
    assert isinstance(found, DeletedBackupInstanceResource)
    assert listed.properties is not None
    assert found.properties is not None
    assert listed.properties.deletion_info is not None
    assert listed.properties.deletion_info.scheduled_purge_time == wire_time(purge_time(door))
    assert found.properties.current_protection_state == "SoftDeleted"
    with pytest.raises(ResourceExistsError):
        client.backup_instances.begin_stop_protection(*PLACE, "pg-orders")
    assert client.deleted_backup_instances.begin_undelete(*PLACE, "pg-orders").result() is None
    with pytest.raises(ResourceNotFoundError):
        client.deleted_backup_instances.get(*PLACE, "pg-orders")
    back = client.backup_instances.get(*PLACE, "pg-orders")
    assert back.properties is not None
    assert back.properties.current_protection_state == "ProtectionStopped"
    assert client.backup_instances.begin_resume_protection(*PLACE, "pg-orders").result() is None
