"""The kinds of events, the rows that each one changes, and how.

A projection gets the rows as they are and answers changes by their ETags; it answers none where it is done already.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names, row_keys
from flexvault.domain.access_events import ACCESS_EVENTS
from flexvault.domain.approval_events import APPROVAL_EVENTS, usable_with_approval
from flexvault.domain.emergency_events import EMERGENCY_EVENTS
from flexvault.domain.event_rows import (
    batch_of,
    config_target,
    is_older,
    job_target,
    jobs_target,
    mark_job,
    policy_target,
    put,
    schedule_target,
)
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.keeping_events import KEEPING_EVENTS, retention_target
from flexvault.domain.missed_slots import WhyMissed, dump_missed
from flexvault.domain.poisoning_events import drop_suspect, mark_suspected, poisoning_target
from flexvault.domain.protection_events import PROTECTION_EVENTS
from flexvault.domain.rows import Change, Delete, Insert, Merge
from flexvault.domain.verification_events import VERIFICATION_EVENTS, broken_target, drop_broken

# Policies ------------------------------------------------------------------------------------------------------------


def _policy_changed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = policy_target(entry.body["name"])
    row = rows[target]
    if not is_older(row, entry):
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
    return (batch_of(target, put(target, row, values)),)


def _policy_deleted(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = policy_target(entry.body["name"])
    row = rows[target]
    if row is None or not is_older(row, entry):
        return ()
    values = {"journal_seq": entry.seq, "change_event_id": entry.event_id, "is_deleted": True, "changed_at": entry.at}
    return (batch_of(target, Merge(key=target.key, values=values, etag=row.etag)),)


# Recovery points -----------------------------------------------------------------------------------------------------


def _point(stream: str, body: Mapping[str, Any]) -> Target:
    return Target(table=row_keys.POINTS, partition=stream, key=body["point_id"])


def _sealed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _point(entry.stream, entry.body)
    changes = [*mark_suspected(entry, rows.get(poisoning_target(entry.stream)))]
    if rows[target] is None:
        values: dict[str, Any] = {
            **{name: value for name, value in entry.body.items() if name not in {"stream", "suspicion"}},
            "sealed_event_id": entry.event_id,
            "journal_seq": entry.seq,
            "state": "sealed",
            "readers": 0,
            "is_suspected": bool(entry.body.get("suspicion")),
        }
        changes.append(Insert(key=target.key, values=values))
    return (batch_of(target, *changes),) if changes else ()


def _sealed_targets(stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    own = _point(stream, body)
    return (own, poisoning_target(stream)) if body.get("suspicion") else (own,)


def _restore_started(entry: Entry, rows: Rows) -> Sequence[Batch]:
    return _count_reader(entry, rows, 1, "started_event_id")


def _restore_ended(entry: Entry, rows: Rows) -> Sequence[Batch]:
    return _count_reader(entry, rows, -1, "ended_event_id")


def _count_reader(entry: Entry, rows: Rows, change: int, member: str) -> Sequence[Batch]:
    target = _point(entry.stream, entry.body)
    row = rows[target]
    batches: list[Batch] = []
    if row is not None and is_older(row, entry):
        readers = max(0, int(str(row.values.get("readers", 0))) + change)
        values = {"readers": readers, "journal_seq": entry.seq}
        batches.append(batch_of(target, Merge(key=target.key, values=values, etag=row.etag)))
    return (*batches, *mark_job(entry, rows, member))


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
    tombstoned = Merge(key=target.key, values=values, etag=row.etag)
    return (batch_of(target, tombstoned, *drop_broken(rows[broken_target(entry.stream, entry.body)])),)


def _point_deleted(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = _point(entry.stream, entry.body)
    row = rows[target]
    if row is None or row.values.get("deleted_event_id"):
        return ()
    values = {"state": "deleted", "deleted_event_id": entry.event_id, "journal_seq": entry.seq}
    deleted = Merge(key=target.key, values=values, etag=row.etag)
    return (batch_of(target, deleted, *drop_suspect(entry, rows[poisoning_target(entry.stream)])),)


# The vault's settings -----------------------------------------------------------------------------------------------


def settings_target() -> Target:
    """Answer the row of the vault's settings, which is not there before their first change."""
    return config_target(row_keys.SETTINGS)


def _vault_changed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = settings_target()
    row = rows[target]
    if not is_older(row, entry):
        return ()
    kept = {name: value for name, value in entry.body["settings"].items() if name != "tags"}
    values: dict[str, Any] = {
        **kept,
        "changed_at": entry.at,
        "change_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (batch_of(target, put(target, row, values)),)


# The breaker --------------------------------------------------------------------------------------------------------


def breaker_target() -> Target:
    """Answer the row that says whether retention waits for a release."""
    return config_target(row_keys.BREAKER)


def _breaker_tripped(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = breaker_target()
    row = rows[target]
    if not is_older(row, entry):
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
    return (batch_of(target, put(target, row, values)),)


_SHOWN_TRIPS = 50


def _breaker_released(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = breaker_target()
    row = rows[target]
    if row is None or not is_older(row, entry):
        return ()
    values: dict[str, Any] = {
        "is_tripped": False,
        "released_at": entry.at,
        "known_plan": entry.body["known_plan"],
        "known_hash": entry.body["known_hash"],
        "released_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (batch_of(target, Merge(key=target.key, values=values, etag=row.etag)),)


# Jobs ----------------------------------------------------------------------------------------------------------------


def _job_closed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    """Close the job's row, delete its open row and tell the schedule, in one transaction.

    The deletion is the last fence; who dies right after it must not leave the schedule untold.
    """
    target, opened, schedule = (
        job_target(entry.body["job_id"]),
        jobs_target(entry.body["open_key"]),
        schedule_target(entry.body["instance"]),
    )
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
    if "missed" in entry.body and rows[missed := _missed_target(entry.body)] is None:
        slot = datetime.fromisoformat(entry.body["missed"]["slot"])
        text = dump_missed(slot, slot, 1, WhyMissed(entry.body["missed"]["reason"]))
        changes.append(Insert(key=missed.key, values={"missed": text, "instance": entry.body["instance"]}))
    return (batch_of(target, *changes),)


def _missed_target(body: Mapping[str, Any]) -> Target:
    return jobs_target(row_keys.missed_row(body["instance"], datetime.fromisoformat(body["missed"]["slot"])))


def _closing_targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    own = (job_target(body["job_id"]), jobs_target(body["open_key"]), schedule_target(body["instance"]))
    return (*own, _missed_target(body)) if "missed" in body else own


_TYPES = (
    usable_with_approval(
        EventType(
            name="PolicyChanged",
            done_member="change_event_id",
            targets=lambda _stream, body: (policy_target(body["name"]),),
            project=_policy_changed,
        )
    ),
    EventType(
        name="PolicyDeleted",
        done_member="change_event_id",
        targets=lambda _stream, body: (policy_target(body["name"]),),
        project=_policy_deleted,
    ),
    EventType(
        name="Sealed",
        done_member="sealed_event_id",
        targets=_sealed_targets,
        project=_sealed,
    ),
    usable_with_approval(
        EventType(
            name="RestoreStarted",
            done_member="started_event_id",
            targets=lambda stream, body: (job_target(body["job_id"]), _point(stream, body)),
            project=_restore_started,
        )
    ),
    EventType(
        name="RestoreEnded",
        done_member="ended_event_id",
        targets=lambda stream, body: (job_target(body["job_id"]), _point(stream, body)),
        project=_restore_ended,
    ),
    EventType(
        name="Tombstoned",
        done_member="tombstone_event_id",
        targets=lambda stream, body: (_point(stream, body), retention_target(stream), broken_target(stream, body)),
        project=_tombstoned,
    ),
    EventType(
        name="PointDeleted",
        done_member="deleted_event_id",
        targets=lambda stream, body: (_point(stream, body), poisoning_target(stream)),
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
    usable_with_approval(
        EventType(
            name="VaultChanged",
            done_member="change_event_id",
            targets=lambda _stream, _body: (settings_target(),),
            project=_vault_changed,
        )
    ),
    EventType(name="JobClosed", done_member="closed_event_id", targets=_closing_targets, project=_job_closed),
    *PROTECTION_EVENTS,
    *APPROVAL_EVENTS,
    *KEEPING_EVENTS,
    *EMERGENCY_EVENTS,
    *ACCESS_EVENTS,
    *VERIFICATION_EVENTS,
)
EVENT_TYPES: Mapping[str, EventType] = {event.name: event for event in _TYPES}


def head_target(stream: str) -> Target:
    """Answer the row that holds a stream's last number and hash."""
    return Target(table=row_keys.CONFIG, partition=row_keys.HEADS_PARTITION, key=stream)


def head_values(entry: Entry, entry_hash: str) -> Mapping[str, Any]:
    """Write the head row after an entry."""
    return {"seq": entry.seq, "hash": entry_hash, "path": blob_names.journal_path(entry.stream, entry.seq)}
