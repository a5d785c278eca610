"""Stop, suspend, resume and delete through the door, and by the official SDK."""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection.models import StopProtectionRequest, SuspendBackupRequest

from flexvault.domain.vault_settings import Immutability, SoftDelete
from tests.api.doors import (
    INSTANCE,
    POLICY_ID,
    SUBSCRIPTION_SCOPE,
    Door,
    Sent,
    backup_body,
    instance_body,
)
from tests.api.sdk import DoorTransport, sdk_client
from tests.builders import world

PLACE = ("rg-flexvault", "flexvault")
SCHEDULE = "/vault/backupInstances/pg-orders/schedule"


@pytest.fixture
def door() -> Door:
    """A vault whose points storage lets go, and that deletes at once, so that a deletion ends."""
    return made_door(Immutability.DISABLED)


def made_door(immutability: Immutability) -> Door:
    made = Door(world=world(immutability=immutability, soft_delete=SoftDelete.OFF))
    made.grant_roles()
    made.make_target()
    made.protect()
    return made


@pytest.fixture
def client(door: Door) -> Iterator[DataProtectionMgmtClient]:
    with sdk_client(door, DoorTransport(door)) as client:
        yield client


def state(door: Door) -> str:
    return door.send("GET", INSTANCE).json["properties"]["currentProtectionState"]


def act(door: Door, verb: str, body: Any = None) -> Sent:
    return door.send("POST", f"{INSTANCE}/{verb}", body)


def approve_deletion(door: Door) -> str:
    refused = door.send("DELETE", INSTANCE)
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired"), refused.body
    approval_id = refused.error["target"]
    approved = door.send("POST", f"/vault/approvals/{approval_id}/approve", person="approver", query="")
    assert approved.status == 200
    return approval_id


@pytest.mark.parametrize(
    ("verb", "before", "after", "shown"),
    [
        pytest.param("stopProtection", [], "ProtectionStopped", "ProtectionStopped", id="stop"),
        pytest.param("suspendBackups", [], "BackupSchedulesSuspended", "ProtectionStopped", id="suspend"),
        pytest.param(
            "resumeBackups", ["suspendBackups"], "ProtectionConfigured", "ProtectionConfigured", id="resume backups"
        ),
        pytest.param(
            "resumeProtection", ["stopProtection"], "ProtectionConfigured", "ProtectionConfigured", id="resume"
        ),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="no body"),
        pytest.param({}, id="an empty object"),
        pytest.param({"resourceGuardOperationRequests": ["/x"], "unknown": 1}, id="requests to a guard"),
    ],
)
def test_a_change_of_protection_has_ended_when_its_answer_goes_out(
    door: Door, verb: str, before: list[str], after: str, shown: str, body: Any
) -> None:
    for earlier in before:
        act(door, earlier)
    changed = act(door, verb, body)
    assert (changed.status, changed.body) == (202, b"")
    assert door.follow(changed)["status"] == "Succeeded"
    assert f"{SUBSCRIPTION_SCOPE}/locations/eastus/operationResults/" in changed.header("Location")
    result = door.result(changed)
    assert (result.status, result.json["objectType"]) == (200, "OperationJobExtendedInfo")
    properties = door.send("GET", INSTANCE).json["properties"]
    assert (properties["currentProtectionState"], properties["provisioningState"]) == (after, "Succeeded")
    assert properties["protectionStatus"]["status"] == shown
    again = act(door, verb, body)
    assert again.header("Azure-AsyncOperation") == changed.header("Azure-AsyncOperation"), "the same operation"


@pytest.mark.parametrize("body", [b"[]", b"{", {"resourceGuardOperationRequests": 5}], ids=["list", "broken", "number"])
def test_a_body_that_cannot_be_read_changes_nothing(door: Door, body: Any) -> None:
    assert act(door, "stopProtection", body).status == 400
    assert state(door) == "ProtectionConfigured"


@pytest.mark.parametrize("verb", ["suspendBackups", "resumeBackups"])
def test_what_would_let_retained_points_expire_is_refused_with_the_way_out(door: Door, verb: str) -> None:
    act(door, "stopProtection")
    refused = act(door, verb)
    assert (refused.status, refused.error["code"]) == (400, "UserErrorProtectionStopped")
    assert "resumeProtection" in refused.error["additionalInfo"][0]["info"]["recommendedAction"][0]


def test_who_stopped_the_protection_and_from_where_is_in_the_journal(door: Door) -> None:
    headers = {"x-forwarded-for": "203.0.113.7:51234", "x-ms-correlation-request-id": "c" * 36}
    door.send("POST", f"{INSTANCE}/stopProtection", headers=headers)
    storage = door.world.memory.storage
    newest = max(blob.name for blob in storage.list_blobs("vault", "journal", "vault/"))
    text = storage.read("vault", "journal", newest).decode()
    for fact in ("ProtectionStopped", "203.0.113.7", "c" * 36, "oid-of-Backup.Contributor"):
        assert fact in text


def test_an_identical_put_of_a_paused_instance_changes_nothing_and_another_one_is_refused(door: Door) -> None:
    act(door, "stopProtection")
    assert door.send("PUT", INSTANCE, instance_body()).status == 200
    refused = door.send("PUT", INSTANCE, instance_body(friendlyName="other"))
    assert refused.status == 400
    assert state(door) == "ProtectionStopped"


def test_a_deletion_runs_until_the_last_point_is_gone(door: Door) -> None:
    point_id = back_up(door)
    approval_id = approve_deletion(door)
    deleting = door.send("DELETE", INSTANCE)
    assert deleting.status == 202
    assert door.follow(deleting)["status"] == "Inprogress"
    assert door.result(deleting).status == 202
    shown = door.send("GET", INSTANCE).json["properties"]
    assert (shown["currentProtectionState"], shown["provisioningState"]) == ("SoftDeleting", "Deleting")
    again = door.send("DELETE", INSTANCE)
    assert (again.status, again.header("Location")) == (202, deleting.header("Location"))
    assert door.send("GET", f"{INSTANCE}/recoveryPoints/{point_id}").status == 200
    assert [key.startswith("open-retention") for key in door.begun].count(True) == 1, "retention begins at once, once"
    for verb in ("stopProtection", "suspendBackups", "resumeBackups", "resumeProtection"):
        assert act(door, verb).status == 409
    assert door.send("PUT", INSTANCE, instance_body()).status == 409
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 409
    door.run_jobs()
    assert door.follow(deleting)["status"] == "Succeeded"
    assert door.result(deleting).status == 200
    assert door.send("GET", INSTANCE).status == 404
    assert door.send("GET", f"{INSTANCE}/recoveryPoints").status == 404
    assert door.send("DELETE", INSTANCE).status == 204
    used = door.send("GET", f"/vault/approvals/{approval_id}", person="reader", query="").json
    assert used["state"] == "Used"
    assert used["before"]["recoveryPoints"] == 1
    assert door.send("DELETE", POLICY_ID).status == 200


def test_a_deletion_ends_for_its_client_when_storage_lets_nothing_more_go_and_says_until_when() -> None:
    door = made_door(Immutability.UNLOCKED)
    point_id = back_up(door)
    approve_deletion(door)
    deleting = door.send("DELETE", INSTANCE)
    assert door.follow(deleting)["status"] == "Succeeded", "nobody polls for a month"
    door.run_jobs()
    shown = door.send("GET", INSTANCE).json["properties"]
    assert shown["currentProtectionState"] == "SoftDeleting"
    assert shown["protectionErrorDetails"]["code"] == "RecoveryPointsImmutable"
    assert "1 recovery point(s) are kept by storage until 2026-02-05" in shown["protectionErrorDetails"]["message"]
    assert door.send("GET", f"{INSTANCE}/recoveryPoints/{point_id}").status == 200


def back_up(door: Door) -> str:
    """Back up once; answers the recovery point's id."""
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
    door.run_jobs()
    return door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]


def test_the_operation_of_a_deletion_stays_ended_when_the_name_is_used_again(door: Door) -> None:
    approve_deletion(door)
    deleting = door.send("DELETE", INSTANCE)
    door.run_jobs()
    assert door.send("PUT", INSTANCE, instance_body()).status == 201
    assert door.follow(deleting)["status"] == "Succeeded"
    door.run_jobs()
    assert state(door) == "ProtectionConfigured"


def test_a_deletion_goes_on_although_the_hub_is_down(door: Door) -> None:
    approve_deletion(door)
    door.hub_is_down = True
    assert door.send("DELETE", INSTANCE).status == 202
    door.run_jobs()
    assert door.send("GET", INSTANCE).status == 404


def test_a_stale_etag_deletes_nothing(door: Door) -> None:
    assert door.send("DELETE", INSTANCE, headers={"If-Match": '"other"'}).status == 412
    assert door.send("GET", "/vault/approvals", person="reader", query="").json["value"] == []


def test_the_schedule_says_what_comes_what_was_and_how_long_it_slept(door: Door) -> None:
    fresh = door.send("GET", SCHEDULE, person="reader", query="").json
    assert (fresh["nextSlot"], fresh["lastSlot"], fresh["missed"]) == ("2026-01-05T02:00:00.0000000Z", None, [])
    act(door, "suspendBackups")
    assert door.send("GET", SCHEDULE, person="reader", query="").json["nextSlot"] is None
    act(door, "resumeBackups")
    (record,) = door.send("GET", SCHEDULE, person="reader", query="").json["missed"]
    assert set(record) == {"first", "last", "count", "reason"}
    assert (record["count"], record["reason"]) == (None, "Suspended")
    assert door.send("GET", SCHEDULE.replace("pg-orders", "none"), person="reader", query="").status == 404


# The official SDK ----------------------------------------------------------------------------------------------------


def test_the_sdk_stops_suspends_and_resumes(client: DataProtectionMgmtClient, door: Door) -> None:
    instances = client.backup_instances
    assert instances.begin_suspend_backups(*PLACE, "pg-orders", SuspendBackupRequest()).result() is None
    assert state(door) == "BackupSchedulesSuspended"
    assert instances.begin_resume_backups(*PLACE, "pg-orders").result() is None
    assert state(door) == "ProtectionConfigured"
    assert instances.begin_stop_protection(*PLACE, "pg-orders", StopProtectionRequest()).result() is None
    assert state(door) == "ProtectionStopped"
    assert instances.begin_resume_protection(*PLACE, "pg-orders").result() is None
    assert state(door) == "ProtectionConfigured"
    assert instances.begin_stop_protection(*PLACE, "pg-orders").result() is None
    with pytest.raises(HttpResponseError) as refused:
        instances.begin_suspend_backups(*PLACE, "pg-orders")
    assert refused.value.status_code == 400


def test_the_sdk_deletes_after_an_approval_and_waits_for_the_end(client: DataProtectionMgmtClient, door: Door) -> None:
    back_up(door)
    with pytest.raises(HttpResponseError) as refused:
        client.backup_instances.begin_delete(*PLACE, "pg-orders")
    assert (refused.value.status_code, refused.value.error and refused.value.error.code) == (403, "ApprovalRequired")
    approve_deletion(door)
    client.backup_instances.begin_delete(*PLACE, "pg-orders", polling=False)
    with pytest.raises(ResourceExistsError):
        client.backup_instances.begin_stop_protection(*PLACE, "pg-orders")
    assert client.backup_instances.begin_delete(*PLACE, "pg-orders").result() is None, "the same operation"
    with pytest.raises(ResourceNotFoundError):
        client.backup_instances.get(*PLACE, "pg-orders")
    assert client.backup_instances.begin_delete(*PLACE, "pg-orders").result() is None, "204: there is none"
