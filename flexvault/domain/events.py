"""The kinds of events, the rows that each one changes, and how.

A projection gets the rows as they are and answers changes by their ETags; it answers none where it is done already.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names, row_keys
from flexvault.domain.approval_events import APPROVAL_EVENTS, usable_with_approval
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.keeping_events import KEEPING_EVENTS, retention_target
from flexvault.domain.rows import Change, Delete, Insert, Merge, Replace, Row


def _job(body: Mapping[str, Any]) -> Target:
    return Target(table=row_keys.JOBS, partition=row_keys.JOBS_PARTITION, key=row_keys.job_row(body["job_id"]))


def _open(body: Mapping[str, Any]) -> Target:
    return Target(table=row_keys.JOBS, partition=row_keys.JOBS_PARTITION, key=body["open_key"])


def _schedule(instance: str) -> Target:
    return Target(table=row_keys.JOBS, partition=row_keys.JOBS_PARTITION, key=row_keys.schedule_row(instance))


def _config(key: str) -> Target:
    return Target(table=row_keys.CONFIG, partition=row_keys.VAULT_PARTITION, key=key)


def _instance(body: Mapping[str, Any]) -> Target:
    return _config(row_keys.instance_row(body["instance"]))


def _server(body: Mapping[str, Any]) -> Target:
    return _config(row_keys.server_row(body["server_id"]))


def _point(stream: str, body: Mapping[str, Any]) -> Target:
    return Target(table=row_keys.POINTS, partition=stream, key=body["point_id"])


def _is_older(row: Row | None, entry: Entry) -> bool:
    return row is None or int(str(row.values.get("journal_seq", 0))) < entry.seq


def _put(target: Target, row: Row | None, values: Mapping[str, Any]) -> Change:
    if row is None:
        return Insert(key=target.key, values=values)
    return Replace(key=target.key, values={**row.values, **values}, etag=row.etag)


def _batch(target: Target, *changes: Change) -> Batch:
    return Batch(table=target.table, partition=target.partition, changes=changes)


# Policies ------------------------------------------------------------------------------------------------------------


def _policy_changed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _config(row_keys.policy_row(entry.body["name"]))
    row = rows[target]
    if not _is_older(row, entry):
        return ()
    values: dict[str, Any] = {
        "name": entry.body["name"],
        "properties": json.dumps(entry.body["properties"]),
        "journal_seq": entry.seq,
        "change_event_id": entry.event_id,
        "is_deleted": False,
        "changed_at": entry.at,
        "schedule_changed_at": entry.at,
    }
    if row is not None and not entry.body.get("schedule_changed", True):
        values["schedule_changed_at"] = row.values["schedule_changed_at"]
    return (_batch(target, _put(target, row, values)),)


def _policy_deleted(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _config(row_keys.policy_row(entry.body["name"]))
    row = rows[target]
    if row is None or not _is_older(row, entry):
        return ()
    values = {"journal_seq": entry.seq, "change_event_id": entry.event_id, "is_deleted": True, "changed_at": entry.at}
    return (_batch(target, Merge(key=target.key, values=values, etag=row.etag)),)


# Protection ----------------------------------------------------------------------------------------------------------


def _mark_job(entry: Entry, rows: Rows, member: str) -> Sequence[Batch]:
    target = _job(entry.body)
    row = rows[target]
    if row is None or row.values.get(member):
        return ()
    return (_batch(target, Merge(key=target.key, values={member: entry.event_id}, etag=row.etag)),)


def _instance_change(entry: Entry, rows: Rows, values: Mapping[str, Any]) -> Sequence[Batch]:
    """Change the instance and, in the same transaction, its claim on the server."""
    target, claim = _instance(entry.body), _server(entry.body)
    row, claimed = rows[target], rows[claim]
    if not _is_older(row, entry):
        return ()
    common = {"instance": entry.body["instance"], "journal_seq": entry.seq}
    changes = [_put(target, row, {**common, "changed_at": entry.at, **values}), _put(claim, claimed, common)]
    return (_batch(target, *changes),)


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
    }
    row = rows[_instance(entry.body)]
    if row is not None and entry.body["state"] == "UpdatingProtection":
        # What fails must leave the old policy in force, which is the one that the backups so far follow.
        values["before_change"] = json.dumps({name: row.values[name] for name in ("policy_name", "properties")})
    return (*_instance_change(entry, rows, values), *_mark_job(entry, rows, "requested_event_id"))


def _protection_configured(entry: Entry, rows: Rows) -> Sequence[Batch]:
    row = rows[_instance(entry.body)]
    before: list[str] = json.loads(str(row.values.get("assignments", "[]"))) if row else []
    # What the vault granted once stays known: a later configuration that finds the roles there grants nothing.
    granted = list(dict.fromkeys([*before, *entry.body["assignments"]]))
    values = {
        "state": "ProtectionConfigured",
        "error": "",
        "assignments": json.dumps(granted),
        "before_change": "",
    }
    schedule = _schedule(entry.body["instance"])
    planned = rows[schedule]
    batches = list(_instance_change(entry, rows, values))
    if _is_older(planned, entry):
        slots_from = datetime.fromisoformat(entry.body["slots_from"])
        moved: dict[str, Any] = {"instance": entry.body["instance"], "journal_seq": entry.seq}
        if planned is None or entry.body["restarts_schedule"]:
            moved["slots_from"] = slots_from
        if planned is None:
            moved["last_slot"] = slots_from
        batches.append(_batch(schedule, _put(schedule, planned, moved)))
    return (*batches, *_mark_job(entry, rows, "configured_event_id"))


def _protection_failed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _instance(entry.body)
    row = rows[target]
    batches: list[Batch] = []
    if row is not None and _is_older(row, entry):
        # A change that failed must not end the backups that ran before it: they go on, with the error beside them.
        ran_before = row.values["state"] in {"UpdatingProtection", "ProtectionConfigured"}
        values: dict[str, Any] = {
            "state": "ProtectionConfigured" if ran_before else "ConfiguringProtectionFailed",
            "error": json.dumps(entry.body["error"]),
            "journal_seq": entry.seq,
            "changed_at": entry.at,
            **json.loads(str(row.values.get("before_change") or "{}")),
            "before_change": "",
        }
        batches.append(_batch(target, Merge(key=target.key, values=values, etag=row.etag)))
    return (*batches, *_mark_job(entry, rows, "failed_event_id"))


def _protection_targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (_job(body), _instance(body), _server(body), _schedule(body["instance"]))


def job_target(job_id: str) -> Target:
    """Answer the row of a job."""
    return _job({"job_id": job_id})


def policy_target(name: str) -> Target:
    """Answer the row of a policy, which a protection needs to be there."""
    return _config(row_keys.policy_row(name))


def instance_target(instance: str) -> Target:
    """Answer the row of a backup instance."""
    return _config(row_keys.instance_row(instance))


def _requested_targets(stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (*_protection_targets(stream, body), policy_target(body["policy_name"]))


# Recovery points -----------------------------------------------------------------------------------------------------


def _sealed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _point(entry.stream, entry.body)
    row = rows[target]
    if row is not None:
        return ()
    values: dict[str, Any] = {
        **{name: value for name, value in entry.body.items() if name != "stream"},
        "sealed_event_id": entry.event_id,
        "journal_seq": entry.seq,
        "state": "sealed",
        "readers": 0,
    }
    return (_batch(target, Insert(key=target.key, values=values)),)


def _restore_started(entry: Entry, rows: Rows) -> Sequence[Batch]:
    return _count_reader(entry, rows, 1, "started_event_id")


def _restore_ended(entry: Entry, rows: Rows) -> Sequence[Batch]:
    return _count_reader(entry, rows, -1, "ended_event_id")


def _count_reader(entry: Entry, rows: Rows, change: int, member: str) -> Sequence[Batch]:
    target = _point(entry.stream, entry.body)
    row = rows[target]
    batches: list[Batch] = []
    if row is not None and _is_older(row, entry):
        readers = max(0, int(str(row.values.get("readers", 0))) + change)
        values = {"readers": readers, "journal_seq": entry.seq}
        batches.append(_batch(target, Merge(key=target.key, values=values, etag=row.etag)))
    return (*batches, *_mark_job(entry, rows, member))


def _tombstoned(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _point(entry.stream, entry.body)
    row = rows[target]
    if row is None or row.values.get("tombstone_event_id"):
        return ()
    values = {
        "state": "deleting",
        "tombstone_event_id": entry.event_id,
        "tombstone_seq": entry.seq,
        "journal_seq": entry.seq,
    }
    return (_batch(target, Merge(key=target.key, values=values, etag=row.etag)),)


def _point_deleted(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _point(entry.stream, entry.body)
    row = rows[target]
    if row is None or row.values.get("deleted_event_id"):
        return ()
    values = {"state": "deleted", "deleted_event_id": entry.event_id, "journal_seq": entry.seq}
    return (_batch(target, Merge(key=target.key, values=values, etag=row.etag)),)


# The breaker --------------------------------------------------------------------------------------------------------


def breaker_target() -> Target:
    """Answer the row that says whether retention waits for a release."""
    return _config(row_keys.BREAKER)


def _breaker_tripped(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = breaker_target()
    row = rows[target]
    if not _is_older(row, entry):
        return ()
    values: dict[str, Any] = {
        "is_tripped": True,
        "plan": entry.body["plan"],
        "plan_hash": entry.body["plan_hash"],
        "trips": json.dumps(entry.body["trips"][:_SHOWN_TRIPS]),
        "tripped_at": entry.at,
        "tripped_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (_batch(target, _put(target, row, values)),)


_SHOWN_TRIPS = 50


def _breaker_released(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = breaker_target()
    row = rows[target]
    if row is None or not _is_older(row, entry):
        return ()
    values: dict[str, Any] = {
        "is_tripped": False,
        "released_at": entry.at,
        "released_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (_batch(target, Merge(key=target.key, values=values, etag=row.etag)),)


# Jobs ----------------------------------------------------------------------------------------------------------------


def _job_closed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """Close the job's row, delete its open row and tell the schedule, in one transaction.

    The deletion is the last fence; who dies right after it must not leave the schedule untold.
    """
    target, opened, schedule = _job(entry.body), _open(entry.body), _schedule(entry.body["instance"])
    row, open_row, planned = rows[target], rows[opened], rows[schedule]
    if row is None or row.values.get("closed_event_id"):
        return ()
    values: dict[str, Any] = {
        "status": entry.body["status"],
        "ended_at": entry.at,
        "closed_event_id": entry.event_id,
        "warnings": json.dumps(entry.body["warnings"]),
    }
    if entry.body.get("error"):
        values["error"] = json.dumps(entry.body["error"])
    changes: list[Change] = [Merge(key=target.key, values=values, etag=row.etag)]
    if open_row is not None and open_row.values.get("job_id") == entry.body["job_id"]:
        changes.append(Delete(key=opened.key, etag=open_row.etag))
    if entry.body["operation"] == "backup" and planned is not None:
        closed = {"last_closed_job": entry.body["job_id"], "last_closed_at": entry.at}
        changes.append(Merge(key=schedule.key, values=closed, etag=planned.etag))
    return (_batch(target, *changes),)


def _closing_targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (_job(body), _open(body), _schedule(body["instance"]))


_TYPES = (
    usable_with_approval(
        EventType(
            name="PolicyChanged",
            done_member="change_event_id",
            targets=lambda _stream, body: (_config(row_keys.policy_row(body["name"])),),
            project=_policy_changed,
        )
    ),
    EventType(
        name="PolicyDeleted",
        done_member="change_event_id",
        targets=lambda _stream, body: (_config(row_keys.policy_row(body["name"])),),
        project=_policy_deleted,
    ),
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
    EventType(
        name="Sealed",
        done_member="sealed_event_id",
        targets=lambda stream, body: (_point(stream, body),),
        project=_sealed,
    ),
    EventType(
        name="RestoreStarted",
        done_member="started_event_id",
        targets=lambda stream, body: (_job(body), _point(stream, body)),
        project=_restore_started,
    ),
    EventType(
        name="RestoreEnded",
        done_member="ended_event_id",
        targets=lambda stream, body: (_job(body), _point(stream, body)),
        project=_restore_ended,
    ),
    EventType(
        name="Tombstoned",
        done_member="tombstone_event_id",
        targets=lambda stream, body: (_point(stream, body), retention_target(stream)),
        project=_tombstoned,
    ),
    EventType(
        name="PointDeleted",
        done_member="deleted_event_id",
        targets=lambda stream, body: (_point(stream, body),),
        project=_point_deleted,
    ),
    EventType(
        name="BreakerTripped",
        done_member="tripped_event_id",
        targets=lambda _stream, _body: (breaker_target(),),
        project=_breaker_tripped,
    ),
    usable_with_approval(
        EventType(
            name="BreakerReleased",
            done_member="released_event_id",
            targets=lambda _stream, _body: (breaker_target(),),
            project=_breaker_released,
        )
    ),
    EventType(name="JobClosed", done_member="closed_event_id", targets=_closing_targets, project=_job_closed),
    *APPROVAL_EVENTS,
    *KEEPING_EVENTS,
)
EVENT_TYPES: Mapping[str, EventType] = {event.name: event for event in _TYPES}


def head_target(stream: str) -> Target:
    """Answer the row that holds a stream's last number and hash."""
    return Target(table=row_keys.CONFIG, partition=row_keys.HEADS_PARTITION, key=stream)


def head_values(entry: Entry, entry_hash: str) -> Mapping[str, Any]:
    """Write the head row after an entry."""
    return {"seq": entry.seq, "hash": entry_hash, "path": blob_names.journal_path(entry.stream, entry.seq)}
