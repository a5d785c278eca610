"""The events of a backup instance's protection, from the first request to the end of its deletion.

A batch of the jobs' partition comes before the one of the instance's row wherever that row tells that all is done.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.approval_events import usable_with_approval
from flexvault.domain.event_rows import (
    batch_of,
    instance_target,
    is_older,
    job_target,
    jobs_target,
    mark_job,
    policy_target,
    put,
    schedule_target,
    seq_of,
    server_target,
)
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.instance import GOING, PAUSED, ProtectionState
from flexvault.domain.journal import Entry
from flexvault.domain.missed_slots import WhyMissed, dump_missed
from flexvault.domain.rows import Change, Delete, Insert, Merge, Row
from flexvault.domain.soft_delete import read_purge_at

# Configuring ---------------------------------------------------------------------------------------------------------


def _instance_change(entry: Entry, rows: Rows, values: Mapping[str, Any]) -> Sequence[Batch]:
    """Change the instance and, in the same transaction, its claim on the server."""
    target, claim = instance_target(entry.body["instance"]), server_target(entry.body["server_id"])
    row, claimed = rows[target], rows[claim]
    if not is_older(row, entry):
        return ()
    common = {"instance": entry.body["instance"], "journal_seq": entry.seq}
    changes = [put(target, row, {**common, "changed_at": entry.at, **values}), put(claim, claimed, common)]
    return (batch_of(target, *changes),)


def _protection_requested(entry: Entry, rows: Rows) -> Sequence[Batch]:
    values = {
        "instance_id": entry.body["instance_id"],
        "instance_name": entry.body["instance_name"],
        "server_id": entry.body["server_id"],
        "server_location": entry.body["server_location"],
        "policy_name": entry.body["policy_name"],
        "properties": json.dumps(entry.body["properties"]),
        "state": entry.body["state"],
        "error": "",
        "job_id": entry.body["job_id"],
        "before_change": "",
        **({} if entry.body["state"] == ProtectionState.UPDATING else {"rights": ""}),
        # Nothing of an instance of this name that was deleted may hold for this one.
        "is_deleted": False,
        "deletion_seq": 0,
        "purge_at": "",
        "undeleted_seq": 0,
        "paused_from": "",
    }
    row = rows[instance_target(entry.body["instance"])]
    if row is not None and entry.body["state"] == ProtectionState.UPDATING:
        # What fails must leave the old policy in force, which is the one that the backups so far follow.
        values["before_change"] = json.dumps({name: row.values[name] for name in ("policy_name", "properties")})
    return (*_instance_change(entry, rows, values), *mark_job(entry, rows, "requested_event_id"))


def _granted(entry: Entry, row: Row | None) -> str:
    """Write the names of all role assignments that the vault made for an instance.

    What it granted once stays known: a later configuration that finds the roles there grants nothing.
    """
    before: list[str] = json.loads(str(row.values.get("assignments", "[]"))) if row else []
    return json.dumps(list(dict.fromkeys([*before, *entry.body.get("assignments", [])])))


def _protection_configured(entry: Entry, rows: Rows) -> Sequence[Batch]:
    row = rows[instance_target(entry.body["instance"])]
    values = {
        "state": ProtectionState.CONFIGURED.value,
        "error": "",
        "assignments": _granted(entry, row),
        "before_change": "",
        "rights": "",  # its job has just verified them
    }
    batches = list(_instance_change(entry, rows, values))
    schedule = schedule_target(entry.body["instance"])
    planned = rows[schedule]
    if is_older(planned, entry) and not _is_past(row, entry):
        slots_from = datetime.fromisoformat(entry.body["slots_from"])
        moved: dict[str, Any] = {"instance": entry.body["instance"], "journal_seq": entry.seq}
        if planned is None or entry.body["restarts_schedule"]:
            moved["slots_from"] = slots_from
        if planned is None:
            moved["last_slot"] = slots_from
        batches.append(batch_of(schedule, put(schedule, planned, moved)))
    return (*batches, *mark_job(entry, rows, "configured_event_id"))


def _protection_failed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = instance_target(entry.body["instance"])
    row = rows[target]
    batches: list[Batch] = []
    if row is not None and is_older(row, entry) and not _is_at_rest(row):
        # A change that failed must not end the backups that ran before it: they go on, with the error beside them.
        ran_before = row.values["state"] in {ProtectionState.UPDATING, ProtectionState.CONFIGURED}
        state = ProtectionState.CONFIGURED if ran_before else ProtectionState.FAILED
        values: dict[str, Any] = {
            "state": state.value,
            "error": json.dumps(entry.body["error"]),
            "assignments": _granted(entry, row),
            "journal_seq": entry.seq,
            "changed_at": entry.at,
            **json.loads(str(row.values.get("before_change") or "{}")),
            "before_change": "",
        }
        batches.append(batch_of(target, Merge(key=target.key, values=values, etag=row.etag)))
    return (*batches, *mark_job(entry, rows, "failed_event_id"))


def _is_past(row: Row | None, entry: Entry) -> bool:
    """Say whether a later entry changed the instance: then this one was projected to its end before that."""
    return seq_of(row) > entry.seq


def _is_at_rest(row: Row) -> bool:
    """Say whether the instance was paused or deleted before the configuration that failed could change it."""
    return row.values["state"] in {*PAUSED, *GOING}


def _protection_targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    instance = body["instance"]
    return (
        job_target(body["job_id"]),
        instance_target(instance),
        server_target(body["server_id"]),
        schedule_target(instance),
    )


def _requested_targets(stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (*_protection_targets(stream, body), policy_target(body["policy_name"]))


# Pausing and resuming ------------------------------------------------------------------------------------------------


def _state_change(entry: Entry, rows: Rows, values: Mapping[str, Any]) -> Sequence[Batch]:
    target = instance_target(entry.body["instance"])
    row = rows[target]
    if row is None or not is_older(row, entry):
        return ()
    common = {"state_event_id": entry.event_id, "journal_seq": entry.seq, "changed_at": entry.at, "error": ""}
    return (batch_of(target, Merge(key=target.key, values={**common, **values}, etag=row.etag)),)


def _paused(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """Put the schedule to sleep; one that sleeps already has slept since it first did."""
    values = {"state": entry.body["after"]["state"], "paused_from": _sleeps_since(entry, rows)}
    return _state_change(entry, rows, values)


def _sleeps_since(entry: Entry, rows: Rows) -> str:
    row = rows[instance_target(entry.body["instance"])]
    since = str(row.values.get("paused_from") or "") if row is not None else ""
    return since or entry.at.isoformat()


def _resumed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """Wake the schedule up: its slots count from now on, and one record says how long it slept."""
    instance = entry.body["instance"]
    schedule, slept = schedule_target(instance), _slept_target(entry.body)
    row, planned = rows[instance_target(instance)], rows[schedule]
    changes: list[Change] = []
    if is_older(planned, entry) and not _is_past(row, entry):
        moved = {"instance": instance, "journal_seq": entry.seq, "slots_from": entry.at, "resumed_at": entry.at}
        moved |= {"last_slot": entry.at} if planned is None else {}
        changes.append(put(schedule, planned, moved))
        if rows[slept] is None:
            first = datetime.fromisoformat(entry.body["paused_from"])
            text = dump_missed(first, entry.at, None, WhyMissed(entry.body["reason"]))
            changes.append(Insert(key=slept.key, values={"missed": text, "instance": instance}))
    values = {"state": ProtectionState.CONFIGURED.value, "paused_from": ""}
    batches = _state_change(entry, rows, values)
    return (batch_of(schedule, *changes), *batches) if changes else batches


def _slept_target(body: Mapping[str, Any]) -> Target:
    paused_from = datetime.fromisoformat(body["paused_from"])
    return jobs_target(row_keys.slept_row(body["instance"], paused_from, int(body["replaces_seq"])))


def _resumed_targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    instance = body["instance"]
    return (instance_target(instance), schedule_target(instance), _slept_target(body))


# Deleting ------------------------------------------------------------------------------------------------------------


def _deletion_requested(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """Begin to delete, or only soft-delete where the entry names a moment: the entry says which, never a setting."""
    purge_at = read_purge_at(entry)
    if purge_at is None:
        values = {"state": ProtectionState.DELETING.value, "deletion_seq": entry.seq, "purge_at": "", "paused_from": ""}
        return _state_change(entry, rows, values)
    values = {"state": ProtectionState.SOFT_DELETED.value, "deletion_seq": entry.seq, "purge_at": purge_at.isoformat()}
    return _state_change(entry, rows, {**values, "paused_from": _sleeps_since(entry, rows)})


def _undeleted(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """Retain the data for ever, as after a stop: the schedule has slept since the deletion, or longer."""
    values = {
        "state": ProtectionState.STOPPED.value,
        "deletion_seq": 0,
        "purge_at": "",
        "undeleted_seq": entry.seq,
        "paused_from": _sleeps_since(entry, rows),
    }
    return _state_change(entry, rows, values)


def _instance_deleted(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """End the instance and release its server; its row stays, so that a file that turns up late is known as deleted."""
    target, claim = instance_target(entry.body["instance"]), server_target(entry.body["server_id"])
    schedule = schedule_target(entry.body["instance"])
    row, claimed, planned = rows[target], rows[claim], rows[schedule]
    if row is None or not is_older(row, entry):
        return ()
    values = {
        "is_deleted": True,
        "deleted_at": entry.at,
        "ended_event_id": entry.event_id,
        "journal_seq": entry.seq,
        "changed_at": entry.at,
    }
    changes: list[Change] = [Merge(key=target.key, values=values, etag=row.etag)]
    if claimed is not None and claimed.values["instance"] == entry.body["instance"]:
        changes.append(Delete(key=claim.key, etag=claimed.etag))
    released = [] if planned is None else [batch_of(schedule, Delete(key=schedule.key, etag=planned.etag))]
    return (*released, batch_of(target, *changes))


def _roles_removed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """Remember for which deletion the roles were removed; an instance made anew under the name is left alone."""
    target = instance_target(entry.body["instance"])
    row = rows[target]
    if row is None or not is_older(row, entry):
        return ()
    values = {
        "roles_removed_for": entry.body["deletion_seq"],
        "roles_removed_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (batch_of(target, Merge(key=target.key, values=values, etag=row.etag)),)


def _ended_targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (instance_target(body["instance"]), server_target(body["server_id"]), schedule_target(body["instance"]))


def _only_instance(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (instance_target(body["instance"]),)


PROTECTION_EVENTS = (
    usable_with_approval(
        EventType(
            name="ProtectionRequested",
            done_member="requested_event_id",
            targets=_requested_targets,
            project=_protection_requested,
        )
    ),
    EventType(
        name="ProtectionConfigured",
        done_member="configured_event_id",
        targets=_protection_targets,
        project=_protection_configured,
    ),
    EventType(
        name="ProtectionFailed",
        done_member="failed_event_id",
        targets=_protection_targets,
        project=_protection_failed,
    ),
    EventType(name="ProtectionStopped", done_member="state_event_id", targets=_only_instance, project=_paused),
    EventType(name="BackupsSuspended", done_member="state_event_id", targets=_only_instance, project=_paused),
    usable_with_approval(
        EventType(name="ProtectionResumed", done_member="state_event_id", targets=_resumed_targets, project=_resumed)
    ),
    usable_with_approval(
        EventType(
            name="DataDeletionRequested",
            done_member="state_event_id",
            targets=_only_instance,
            project=_deletion_requested,
        )
    ),
    EventType(name="InstanceUndeleted", done_member="state_event_id", targets=_only_instance, project=_undeleted),
    EventType(name="InstanceDeleted", done_member="ended_event_id", targets=_ended_targets, project=_instance_deleted),
    EventType(
        name="RolesRemoved", done_member="roles_removed_event_id", targets=_only_instance, project=_roles_removed
    ),
)
