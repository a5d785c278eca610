"""Every change is in the journal: who, from where, by which request, before and after."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.api.table import OPERATIONS
from flexvault.domain.journal import Entry
from flexvault.services.journal import Draft, append
from tests import builders
from tests.api.doors import (
    INSTANCE,
    POLICY_ID,
    VAULT_ID,
    Door,
    Sent,
    backup_body,
    instance_body,
    policy_body,
    restore_body,
)
from tests.services.invariants import entries, streams

CORRELATION = "11111111-2222-3333-4444-555555555555"
SENT = {"x-forwarded-for": "203.0.113.7:51234", "x-ms-correlation-request-id": CORRELATION}
OWN = "/vault/backupInstances/pg-orders"
LONGER_ID = f"{VAULT_ID}/backupPolicies/longer"
WHO = {
    "oid": "oid-of-Backup.Contributor",
    "name": "Somebody",
    "from": "203.0.113.7",
    "correlation_id": CORRELATION,
}


def ready() -> Door:
    door = Door()
    door.grant_roles()
    door.make_target()
    door.protect_and_back_up()
    return door


def approved(door: Door, method: str, path: str, body: Any = None) -> Sent:
    """Send a critical change, have it approved, and send it again."""
    asked = door.send(method, path, body, headers=SENT)
    assert asked.error["code"] == "ApprovalRequired", asked.body
    approval = f"/vault/approvals/{asked.error['target']}/approve"
    assert door.send("POST", approval, person="approver", query="").status == 200
    return door.send(method, path, body, headers=SENT)


def sends(method: str, path: str, body: Any = None) -> Callable[[Door], Sent]:
    return lambda door: door.send(method, path, body, headers=SENT)


def after(*earlier: tuple[str, str, Any], then: Callable[[Door], Sent]) -> Callable[[Door], Sent]:
    def run(door: Door) -> Sent:
        for method, path, body in earlier:
            assert door.send(method, path, body).status < 300
        return then(door)

    return run


def restores(door: Door) -> Sent:
    point = door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]
    return door.send("POST", f"{INSTANCE}/restore", restore_body(point), headers=SENT)


def verifies(door: Door) -> Sent:
    point = door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]
    return door.send("POST", f"{OWN}/recoveryPoints/{point}/verify", headers=SENT, query="")


def decides(verb: str) -> Callable[[Door], Sent]:
    def run(door: Door) -> Sent:
        asked = door.send("DELETE", INSTANCE).error["target"]
        headers = SENT | {"Authorization": f"Bearer {door.token(oid=WHO['oid'] + '2', roles=['Backup.Approver'])}"}
        return door.send("POST", f"/vault/approvals/{asked}/{verb}", person=None, headers=headers, query="")

    return run


def trips_and_releases(door: Door) -> Sent:
    builders.let_pass(door.world, timedelta(days=1))
    trips = [{"code": "TooManyDeletions", "instance": "", "message": "it would delete much"}]
    body = {"plan": "plans/p", "plan_hash": "a" * 64, "trips": trips}
    append(door.world.vault.ports, Draft(stream="vault", type="BreakerTripped", key="h", body=body))
    return approved(door, "POST", "/vault/breaker/release", {"reason": "looked at"})


def loses_and_acknowledges(door: Door) -> Sent:
    files = builders.backup_files(other=builders.tiny_archive("other"))
    door.world.memory.ltr.script = LtrScript(files=files)
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
    door.run_jobs()
    return approved(door, "POST", f"{OWN}/acknowledgePoisoning", {"reason": "it is right so"})


def reevaluates(door: Door) -> Sent:
    assert door.send("PUT", POLICY_ID, policy_body(keep_for="P3M")).status == 200
    found = door.send("POST", "/vault/retentionPreview", {"backupInstance": "pg-orders"}).json["underPolicy"]
    return approved(door, "POST", f"{OWN}/reevaluate", {"previewHash": found["previewHash"]})


def deletes_and_undeletes(door: Door) -> Sent:
    asked = door.send("DELETE", INSTANCE)
    approval = f"/vault/approvals/{asked.error['target']}/approve"
    assert door.send("POST", approval, person="approver", query="").status == 200
    assert door.send("DELETE", INSTANCE).status == 202
    undelete = INSTANCE.replace("/backupInstances/", "/deletedBackupInstances/") + "/undelete"
    return door.send("POST", undelete, headers=SENT)


def locks(door: Door) -> Sent:
    state = {"properties": {"securitySettings": {"immutabilitySettings": {"state": "Locked"}}}}
    return door.send("PATCH", VAULT_ID, state, headers=SENT)


HOLD = f"{OWN}/holds/case-7"
SUSPEND = ("POST", f"{INSTANCE}/suspendBackups", None)
CHANGES: dict[tuple[str, str], tuple[tuple[str, ...], Callable[[Door], Sent]]] = {
    ("PATCH", "backupVaults/write"): (("VaultChanged",), locks),
    ("PUT", "backupVaults/write"): (
        ("VaultChanged",),
        sends("PUT", VAULT_ID, {"location": "eastus", "properties": {}, "tags": {"team": "data"}}),
    ),
    ("PUT", "backupPolicies/write"): (("PolicyChanged",), sends("PUT", POLICY_ID, policy_body(keep_for="P3M"))),
    ("DELETE", "backupPolicies/delete"): (
        ("PolicyDeleted",),
        after(("PUT", LONGER_ID, policy_body()), then=sends("DELETE", LONGER_ID)),
    ),
    ("PUT", "backupInstances/write"): (
        ("ProtectionRequested", "ProtectionConfigured", "JobClosed"),
        after(
            ("PUT", LONGER_ID, policy_body(keep_for="P3M")),
            then=sends("PUT", INSTANCE, instance_body(policyInfo={"policyId": LONGER_ID})),
        ),
    ),
    ("POST", "sync/action"): (
        ("ProtectionRequested", "ProtectionConfigured", "JobClosed"),
        sends("POST", f"{INSTANCE}/sync", {"syncType": "ForceResync"}),
    ),
    ("DELETE", "backupInstances/delete"): (
        ("ApprovalRequested", "DataDeletionRequested"),
        lambda door: approved(door, "DELETE", INSTANCE),
    ),
    ("POST", "undelete/action"): (("InstanceUndeleted",), deletes_and_undeletes),
    ("POST", "stopProtection/action"): (("ProtectionStopped",), sends("POST", f"{INSTANCE}/stopProtection")),
    ("POST", "suspendBackups/action"): (("BackupsSuspended",), sends(*SUSPEND)),
    ("POST", "resumeBackups/action"): (
        ("ProtectionResumed",),
        after(SUSPEND, then=sends("POST", f"{INSTANCE}/resumeBackups")),
    ),
    ("POST", "resumeProtection/action"): (
        ("ProtectionResumed",),
        after(SUSPEND, then=sends("POST", f"{INSTANCE}/resumeProtection")),
    ),
    ("POST", "backup/action"): (("Sealed", "JobClosed"), sends("POST", f"{INSTANCE}/backup", backup_body())),
    ("POST", "restore/action"): (("RestoreStarted", "RestoreEnded", "JobClosed"), restores),
    ("POST", "recoveryPoints/deepVerify/action"): (("PointVerified", "JobClosed"), verifies),
    ("POST", "approve/action"): (("ApprovalDecided",), decides("approve")),
    ("POST", "reject/action"): (("ApprovalDecided",), decides("reject")),
    ("POST", "release/action"): (("ApprovalRequested", "BreakerReleased"), trips_and_releases),
    ("POST", "revokeKeys/action"): (
        ("KeyRevocationRequested",),
        sends("POST", "/vault/emergency/revokeKeys", {"account": "landing", "reason": "a SAS leaked"}),
    ),
    ("PUT", "holds/write"): (("HoldPlaced",), sends("PUT", HOLD, {"reason": "a lawsuit"})),
    ("DELETE", "holds/delete"): (
        ("ApprovalRequested", "HoldReleased"),
        after(("PUT", HOLD, {"reason": "a lawsuit"}), then=lambda door: approved(door, "DELETE", HOLD)),
    ),
    ("POST", "acknowledgePoisoning/action"): (
        ("ApprovalRequested", "PoisoningAcknowledged"),
        loses_and_acknowledges,
    ),
    ("POST", "reevaluate/action"): (("ApprovalRequested", "RetentionReevaluated"), reevaluates),
    ("PUT", "poisoningGuard/write"): (
        ("ApprovalRequested", "VaultChanged"),
        lambda door: approved(door, "PUT", "/vault/poisoningGuard", {"state": "Off"}),
    ),
}
"""Per operation (method and end of its name): the entries that it causes, and how it is carried out."""
TELLS_NO_CHANGE = {"Sealed", "RestoreEnded", "KeyRevocationRequested"}
"""Entries of what is made, or was only announced: there is no before and after."""
ONLY_LOOKS = (
    "validateForBackup/action",
    "validateForModifyBackup/action",
    "findRestorableTimeRanges/action",
    "checkNameAvailability/action",
    "checkFeatureSupport/action",
    "validateRestore/action",
    "simulatePolicy/action",
    "retentionPreview/action",
    "verify/action",
)


def key_of(method: str, name: str) -> tuple[str, str] | None:
    return next((key for key in CHANGES if key[0] == method and name.endswith(f"/{key[1]}")), None)


def changing() -> list[Any]:
    return [
        pytest.param(key_of(one.method, one.name), id=f"{one.method} {one.name.rpartition('Protection/')[2]}")
        for one in OPERATIONS
        if one.method != "GET" and one.statuses and not one.name.endswith(ONLY_LOOKS)
    ]


def all_entries(door: Door) -> dict[str, Entry]:
    found = (entry for stream in streams(door.world) for entry in entries(door.world, stream))
    return {entry.event_id: entry for entry in found}


@pytest.mark.parametrize("key", changing())
def test_a_change_is_journalled_with_who_from_where_before_and_after(key: tuple[str, str] | None) -> None:
    assert key is not None, "a new operation that changes something: say here which entries it causes"
    kinds, carry_out = CHANGES[key]
    door = ready()
    before = set(all_entries(door))
    assert carry_out(door).status < 300
    door.run_jobs()
    caused = [
        entry
        for event_id, entry in all_entries(door).items()
        if event_id not in before and entry.actor.get("correlation_id") == CORRELATION
    ]
    assert {entry.type for entry in caused} >= set(kinds)
    for entry in caused:
        assert {**entry.actor, "oid": entry.actor["oid"].rstrip("2")} == WHO, entry.type
        if entry.type not in TELLS_NO_CHANGE:
            assert {"before", "after"} <= set(entry.body), entry.type
            assert entry.body["before"] != entry.body["after"], entry.type


def test_every_row_of_this_table_is_an_operation() -> None:
    known = {key_of(one.method, one.name) for one in OPERATIONS}
    assert known >= set(CHANGES)


def test_an_identical_request_is_journalled_once() -> None:
    door = ready()
    body = policy_body(keep_for="P3M")
    for _ in range(2):
        assert door.send("PUT", POLICY_ID, body, headers=SENT).status == 200
    kinds = [entry.type for entry in entries(door.world, "vault") if entry.actor.get("correlation_id") == CORRELATION]
    assert kinds == ["PolicyChanged"]


def test_a_job_shows_the_correlation_id_of_its_request() -> None:
    door = ready()
    assert door.send("POST", f"{INSTANCE}/backup", backup_body(), headers=SENT).status == 202
    job = door.send("GET", f"{VAULT_ID}/backupJobs").json["value"][0]
    assert job["properties"]["activityID"] == CORRELATION
