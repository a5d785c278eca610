"""What an event does to the rows: once, in order, and never backwards."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.rows import MemoryRows
from flexvault.domain import names, row_keys
from flexvault.domain.approval_events import approval_target
from flexvault.domain.events import EVENT_TYPES, Target
from flexvault.domain.job import JobStatus, Operation, Step
from flexvault.domain.journal import Entry
from flexvault.domain.open_job import JobRecord, OpenJob
from flexvault.domain.rows import Insert, Merge, Row
from flexvault.domain.vault_settings import Immutability, VaultSettings

AT = datetime(2026, 1, 5, 2, tzinfo=UTC)
INSTANCE = "i" * 32
JOB = names.slot_job_id(INSTANCE, AT)
OTHER_JOB = names.slot_job_id(INSTANCE, AT + timedelta(days=1))
OPEN_KEY = row_keys.open_row("backup", INSTANCE)
SERVER = "/subscriptions/s/resourceGroups/r/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg"

REQUESTED: Mapping[str, Any] = {
    "instance": INSTANCE,
    "instance_id": "/vault/pg",
    "instance_name": "pg",
    "server_id": SERVER,
    "server_location": "eastus",
    "policy_name": "daily",
    "properties": {},
    "state": "ConfiguringProtection",
    "job_id": JOB,
}
CONFIGURED: Mapping[str, Any] = {
    "job_id": JOB,
    "instance": INSTANCE,
    "server_id": SERVER,
    "assignments": ["a"],
    "slots_from": AT.isoformat(),
    "restarts_schedule": True,
}
SEALED: Mapping[str, Any] = {
    "point_id": "p1",
    "instance": INSTANCE,
    "job_id": JOB,
    "recovery_point_time": AT.isoformat(),
    "expiry_time": (AT + timedelta(days=30)).isoformat(),
    "tag": "Default",
    "policy_name": "daily",
    "policy_seq": 1,
    "size_bytes": 1,
    "manifest_hash": "h",
    "chain": "c",
    "sealed_at": AT.isoformat(),
}
TRIPPED: Mapping[str, Any] = {
    "plan": "plans/p",
    "plan_hash": "h",
    "trips": [{"code": "TooManyDeletions", "instance": INSTANCE, "message": "m"}],
}
POINT = {"point_id": "p1", "instance": INSTANCE, "job_id": JOB}
CLOSED: Mapping[str, Any] = {
    "job_id": JOB,
    "open_key": OPEN_KEY,
    "operation": "backup",
    "instance": INSTANCE,
    "status": "Completed",
    "error": None,
    "warnings": [],
}
POLICY = {"name": "daily", "properties": {"objectType": "BackupPolicy"}, "schedule_changed": True}
ASKED: Mapping[str, Any] = {
    "approval_id": f"{'a' * 32}-0000",
    "operation": "policy/write",
    "path": "/vault/daily",
    "author": {"oid": "author"},
    "reasons": ["it keeps less"],
    "before": {},
    "after": {},
    "target": {"table": "config", "partition": "vault", "key": "policy-daily"},
    "target_seq": 10,
    "expires_at": (AT + timedelta(hours=72)).isoformat(),
}
STATE: Mapping[str, Any] = {"instance": INSTANCE, "replaces_seq": 19}
RESUMED: Mapping[str, Any] = {
    "instance": INSTANCE,
    "replaces_seq": 21,
    "paused_from": (AT + timedelta(minutes=20)).isoformat(),
    "reason": "Stopped",
}
DECIDED: Mapping[str, Any] = {
    "approval_id": ASKED["approval_id"],
    "decision": "approved",
    "reason": "",
    "expires_at": (AT + timedelta(hours=24)).isoformat(),
}


HELD: Mapping[str, Any] = {"hold": "case-7", "instance": INSTANCE, "recovery_point_id": "p1", "reason": "a lawsuit"}
REEVALUATED: Mapping[str, Any] = {"instance": INSTANCE, "approval_id": ASKED["approval_id"], "points": {}}


def entry(kind: str, body: Mapping[str, Any], seq: int = 1, key: str = "") -> Entry:
    return Entry(
        stream=INSTANCE,
        seq=seq,
        previous_hash="",
        event_id=names.event_id(INSTANCE, kind, key or kind),
        type=kind,
        at=AT + timedelta(minutes=seq),
        body=body,
    )


def project(rows: MemoryRows, *entries: Entry) -> int:
    """Project entries one after the other; answers how many batches were written."""
    written = 0
    for one in entries:
        event = EVENT_TYPES[one.type]
        found = {
            target: rows.find(target.table, target.partition, target.key)
            for target in event.targets(one.stream, one.body)
        }
        for batch in event.project(one, found):
            rows.apply(batch.table, batch.partition, batch.changes)
            written += 1
    return written


def with_job(*, open_job: str = JOB) -> MemoryRows:
    """Rows with a job, and an open row that belongs to it or to another."""
    rows = MemoryRows()
    record = JobRecord(
        job_id=JOB,
        operation=Operation.BACKUP,
        status=JobStatus.IN_PROGRESS,
        instance=INSTANCE,
        is_user_triggered=False,
        started_at=AT,
    )
    opened = OpenJob(
        key=OPEN_KEY,
        job_id=open_job,
        operation=Operation.BACKUP,
        instance=INSTANCE,
        step=Step.CLOSING,
        next_check_at=AT,
        not_before=AT,
        claimed_at=AT,
    )
    changes = [
        Insert(key=row_keys.job_row(JOB), values=record.to_values()),
        Insert(key=OPEN_KEY, values=opened.to_values()),
    ]
    rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, changes)
    return rows


def find(rows: MemoryRows, target: Target) -> Row:
    row = rows.find(target.table, target.partition, target.key)
    assert row is not None
    return row


def picture(rows: MemoryRows) -> dict[str, dict[str, Any]]:
    places = [
        (row_keys.CONFIG, "vault"),
        (row_keys.JOBS, "jobs"),
        (row_keys.POINTS, INSTANCE),
        (row_keys.APPROVALS, "vault"),
    ]
    return {
        f"{table}/{row.key}": dict(row.values)
        for table, partition in places
        for row in rows.query(table, partition, start="", end="\U0010ffff")
    }


def point(rows: MemoryRows) -> Mapping[str, Any]:
    return find(rows, Target(table=row_keys.POINTS, partition=INSTANCE, key="p1")).values


def job(rows: MemoryRows) -> Mapping[str, Any]:
    return find(rows, Target(table=row_keys.JOBS, partition="jobs", key=row_keys.job_row(JOB))).values


def schedule(rows: MemoryRows) -> Mapping[str, Any]:
    return find(rows, Target(table=row_keys.JOBS, partition="jobs", key=row_keys.schedule_row(INSTANCE))).values


def instance(rows: MemoryRows) -> Mapping[str, Any]:
    return find(rows, Target(table=row_keys.CONFIG, partition="vault", key=row_keys.instance_row(INSTANCE))).values


VERIFIED = {
    **POINT,
    "number": 1,
    "verdict": "Broken",
    "completed_at": AT.isoformat(),
    "findings": 2,
    "result_hash": "a" * 64,
    "result_version": "v",
}
LIFE = [
    entry("PolicyChanged", POLICY, 1),
    entry("ProtectionRequested", REQUESTED, 2),
    entry("ProtectionConfigured", CONFIGURED, 3),
    entry("Sealed", SEALED, 3),
    entry("RestoreStarted", POINT, 4),
    entry("RestoreEnded", POINT, 5),
    entry("PointVerified", VERIFIED, 6),
    entry("JobClosed", CLOSED, 7),
    entry("Tombstoned", POINT, 8),
    entry("PointDeleted", POINT, 9),
    entry("PolicyDeleted", {"name": "daily"}, 10),
]
SEVERAL = [
    *LIFE,
    entry("ProtectionFailed", {**CONFIGURED, "error": {"code": "C"}}, 11),
    entry("ApprovalRequested", ASKED, 12),
    entry("ApprovalDecided", DECIDED, 13),
    entry("PolicyChanged", {**POLICY, "approval_id": ASKED["approval_id"]}, 14, key="approved"),
    entry("BreakerTripped", TRIPPED, 15),
    entry("BreakerReleased", {"plan": "p", "plan_hash": "h", "known_plan": "q", "known_hash": "k"}, 16),
    entry("VaultChanged", {"settings": VaultSettings(immutability=Immutability.LOCKED).to_json(), "before": {}}, 16),
    entry("HoldPlaced", HELD, 17),
    entry("HoldReleased", {**HELD, "approval_id": ASKED["approval_id"]}, 18),
    entry("RetentionReevaluated", REEVALUATED, 19),
    entry("BackupsSuspended", {**STATE, "after": {"state": "BackupSchedulesSuspended"}}, 20),
    entry("ProtectionStopped", {**STATE, "after": {"state": "ProtectionStopped"}}, 21),
    entry("ProtectionResumed", RESUMED, 22),
    entry("InstanceUndeleted", {**STATE, "deletion_seq": 20}, 23),
    entry("DataDeletionRequested", {**STATE, "server_id": SERVER}, 24),
    entry("PoisoningAcknowledged", {"instance": INSTANCE, "recovery_point_id": "p1", "reason": "fine"}, 23),
    entry("InstanceDeleted", {"instance": INSTANCE, "server_id": SERVER, "deletion_seq": 24}, 25),
    entry("RolesRemoved", {"instance": INSTANCE, "server_id": SERVER, "deletion_seq": 24, "assignments": ["a"]}, 26),
    entry("KeyRevocationRequested", {"request_key": "k" * 8, "account": "landing"}, 26),
    entry("AccessRefused", {"code": "AuthorizationFailed", "suppressed": 0}, 27),
]


def through(kind: str) -> list[Entry]:
    """The events up to the last one of a kind."""
    last = max(index for index, one in enumerate(SEVERAL) if one.type == kind)
    return SEVERAL[: last + 1]


def test_every_kind_of_event_is_tried_here():
    assert {one.type for one in SEVERAL} == set(EVENT_TYPES)


@pytest.mark.parametrize("last", range(len(SEVERAL)), ids=[one.type for one in SEVERAL])
def test_projecting_an_event_twice_changes_nothing(last: int):
    rows = with_job()
    project(rows, *SEVERAL[: last + 1])
    before = picture(rows)
    assert project(rows, SEVERAL[last]) == 0
    assert picture(rows) == before


@pytest.mark.parametrize("late", range(len(SEVERAL)), ids=[one.type for one in SEVERAL])
def test_an_entry_that_is_projected_late_moves_nothing_back(late: int):
    rows = with_job()
    project(rows, *SEVERAL)
    before = picture(rows)
    project(rows, SEVERAL[late])
    assert picture(rows) == before


@pytest.mark.parametrize("last", range(len(SEVERAL)), ids=[one.type for one in SEVERAL])
def test_the_first_target_says_that_the_event_is_done(last: int):
    rows = with_job()
    project(rows, *SEVERAL[: last + 1])
    event = EVENT_TYPES[SEVERAL[last].type]
    first = event.targets(INSTANCE, SEVERAL[last].body)[0]
    assert find(rows, first).values[event.done_member] == SEVERAL[last].event_id


@pytest.mark.parametrize("kind", ["Sealed", "Tombstoned", "PointDeleted", "JobClosed"])
def test_the_id_of_what_happens_once_is_never_overwritten(kind: str):
    rows = with_job()
    project(rows, *LIFE)
    member = EVENT_TYPES[kind].done_member
    mine = next(one for one in LIFE if one.type == kind)
    before = picture(rows)
    project(rows, replace(mine, seq=99, event_id="another"))
    assert picture(rows) == before
    assert mine.event_id in {values.get(member) for values in before.values()}


def test_a_failure_and_a_success_of_one_configuration_keep_an_id_each():
    rows = with_job()
    failed = entry("ProtectionFailed", {**CONFIGURED, "error": {"code": "C"}}, 3)
    configured = entry("ProtectionConfigured", CONFIGURED, 4)
    project(rows, entry("ProtectionRequested", REQUESTED, 2), failed, configured)
    for one in (failed, configured):
        assert job(rows)[EVENT_TYPES[one.type].done_member] == one.event_id
    assert instance(rows)["state"] == "ProtectionConfigured"


def test_closing_leaves_the_open_row_of_another_job_alone():
    rows = with_job(open_job=OTHER_JOB)
    project(rows, entry("JobClosed", CLOSED))
    assert job(rows)["status"] == "Completed"
    assert rows.find(row_keys.JOBS, "jobs", OPEN_KEY) is not None


def test_closing_ends_the_job_removes_its_open_row_and_tells_the_schedule():
    rows = with_job()
    project(rows, entry("ProtectionConfigured", CONFIGURED, 1))
    closed = entry("JobClosed", {**CLOSED, "status": "Failed", "error": {"code": "C"}}, 2)
    project(rows, closed)
    assert (job(rows)["status"], job(rows)["error"], job(rows)["ended_at"]) == ("Failed", '{"code": "C"}', closed.at)
    assert rows.find(row_keys.JOBS, "jobs", OPEN_KEY) is None
    assert (schedule(rows)["last_closed_job"], schedule(rows)["last_closed_at"]) == (JOB, closed.at)


def test_readers_are_counted_and_never_below_zero():
    rows = with_job()
    project(rows, entry("Sealed", SEALED, 1))
    for seq, kind, readers in [(2, "RestoreStarted", 1), (3, "RestoreStarted", 2), (4, "RestoreEnded", 1)]:
        project(rows, entry(kind, POINT, seq))
        assert point(rows)["readers"] == readers
    project(rows, entry("RestoreEnded", POINT, 5), entry("RestoreEnded", POINT, 6))
    assert point(rows)["readers"] == 0


def test_a_policy_that_only_changes_retention_does_not_move_the_schedule():
    rows = with_job()
    project(rows, entry("PolicyChanged", POLICY, 1), entry("PolicyChanged", {**POLICY, "schedule_changed": False}, 2))
    row = find(rows, Target(table=row_keys.CONFIG, partition="vault", key=row_keys.policy_row("daily")))
    assert row.values["schedule_changed_at"] == AT + timedelta(minutes=1)
    assert (row.values["changed_at"], row.values["journal_seq"]) == (AT + timedelta(minutes=2), 2)


def test_a_policy_that_was_deleted_can_be_made_again():
    rows = with_job()
    project(rows, entry("PolicyChanged", POLICY, 1), entry("PolicyDeleted", {"name": "daily"}, 2))
    project(rows, entry("PolicyChanged", POLICY, 3))
    row = find(rows, Target(table=row_keys.CONFIG, partition="vault", key=row_keys.policy_row("daily")))
    assert row.values["is_deleted"] is False
    assert row.values["schedule_changed_at"] == AT + timedelta(minutes=3)


@pytest.mark.parametrize(("restarts", "moved"), [(True, True), (False, False)])
def test_slots_count_anew_only_if_the_schedule_restarts(restarts: bool, moved: bool):
    rows = with_job()
    later = (AT + timedelta(days=9)).isoformat()
    project(rows, entry("ProtectionConfigured", CONFIGURED, 1))
    project(
        rows,
        entry("ProtectionConfigured", {**CONFIGURED, "slots_from": later, "restarts_schedule": restarts}, 2, "again"),
    )
    assert schedule(rows)["slots_from"] == (AT + timedelta(days=9) if moved else AT)
    assert schedule(rows)["last_slot"] == AT


def test_a_use_by_another_stream_marks_the_approval_once_and_leaves_its_number_alone():
    rows = with_job()
    project(rows, *(one for one in SEVERAL if not one.body.get("approval_id") or one.type.startswith("Approval")))
    use = {**POLICY, "approval_id": ASKED["approval_id"]}
    project(rows, entry("PolicyChanged", use, 1), entry("PolicyChanged", use, 2, key="another"))
    target = approval_target(ASKED["approval_id"])
    assert EVENT_TYPES["PolicyChanged"].targets(INSTANCE, use)[-1] == target
    values = find(rows, target).values
    assert (values["used_by_stream"], values["used_by_seq"], values["journal_seq"]) == (INSTANCE, 1, 13)


def test_a_schedule_that_sleeps_twice_over_has_slept_since_it_first_did():
    rows = with_job()
    project(rows, *through("ProtectionStopped"))
    assert (instance(rows)["state"], instance(rows)["paused_from"]) == (
        "ProtectionStopped",
        (AT + timedelta(minutes=20)).isoformat(),
    )


def test_a_schedule_that_wakes_up_counts_its_slots_anew_and_keeps_one_record_of_its_sleep():
    rows = with_job()
    project(rows, *through("ProtectionResumed"))
    woken_at = AT + timedelta(minutes=22)
    assert (instance(rows)["state"], instance(rows)["paused_from"]) == ("ProtectionConfigured", "")
    assert schedule(rows)["slots_from"] == woken_at
    (record,) = rows.query(row_keys.JOBS, "jobs", start=row_keys.MISSED, end=row_keys.prefix_end(row_keys.MISSED))
    assert json.loads(str(record.values["missed"])) == {
        "first": RESUMED["paused_from"],
        "last": woken_at.isoformat(),
        "count": None,
        "reason": "Stopped",
    }


def test_the_end_of_an_instance_releases_its_server_and_its_schedule_and_keeps_its_row():
    rows = with_job()
    project(rows, *SEVERAL)
    assert (instance(rows)["is_deleted"], instance(rows)["deletion_seq"]) == (True, 24)
    assert rows.find(row_keys.CONFIG, "vault", row_keys.server_row(SERVER)) is None
    assert rows.find(row_keys.JOBS, "jobs", row_keys.schedule_row(INSTANCE)) is None


def test_the_end_of_an_instance_leaves_a_server_alone_that_another_one_protects():
    rows = with_job()
    project(rows, *through("PoisoningAcknowledged"))
    claim = Target(table=row_keys.CONFIG, partition="vault", key=row_keys.server_row(SERVER))
    other = Merge(key=claim.key, values={"instance": "o" * 32}, etag=find(rows, claim).etag)
    rows.apply(row_keys.CONFIG, "vault", [other])
    project(rows, through("InstanceDeleted")[-1])
    assert find(rows, claim).values["instance"] == "o" * 32


def test_nothing_of_a_deleted_instance_holds_for_the_next_one_of_its_name_but_the_roles_that_the_vault_granted():
    rows = with_job()
    project(rows, *SEVERAL, entry("ProtectionRequested", REQUESTED, 27, key="anew"))
    kept = {name: instance(rows)[name] for name in ("is_deleted", "deletion_seq", "paused_from", "error", "state")}
    assert kept == {
        "is_deleted": False,
        "deletion_seq": 0,
        "paused_from": "",
        "error": "",
        "state": "ConfiguringProtection",
    }
    assert instance(rows)["assignments"] == '["a"]'


ENDS = ["BackupsSuspended", "ProtectionStopped", "DataDeletionRequested", "InstanceDeleted"]


@pytest.mark.parametrize("last", ENDS, ids=["suspended", "stopped", "being deleted", "deleted"])
def test_a_configuration_that_fails_late_wakes_nothing_up(last: str):
    rows = with_job()
    project(rows, *through(last))
    before = instance(rows)["state"]
    project(rows, entry("ProtectionFailed", {**CONFIGURED, "error": {"code": "C"}}, 30, key="late"))
    assert (instance(rows)["state"], instance(rows)["error"]) == (before, "")
