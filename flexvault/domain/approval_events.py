"""The events of approvals, and how any other event uses one.

An approval is asked for and decided in the vault's stream. Its use is no event of its own: the entry of the change
names it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.event_rows import batch_of
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Insert, Merge


def approval_target(approval_id: str) -> Target:
    """Answer the row of an approval."""
    return Target(table=row_keys.APPROVALS, partition=row_keys.APPROVALS_PARTITION, key=approval_id)


def usable_with_approval(event: EventType) -> EventType:
    """Let an event carry `approval_id` in its body: its projection then marks that approval used, once.

    The mark comes before the event's own rows, the first of which says that all is done. It never looks at the
    journal_seq of the approval's row, which belongs to the vault's stream: the event may be of another one.
    """

    def targets(stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
        approval_id = body.get("approval_id")
        own = event.targets(stream, body)
        return (*own, approval_target(approval_id)) if approval_id else own

    def project(entry: Entry, rows: Rows) -> Sequence[Batch]:
        approval_id = entry.body.get("approval_id")
        own = event.project(entry, rows)
        return (*_mark_used(entry, rows, approval_target(approval_id)), *own) if approval_id else own

    return replace(event, targets=targets, project=project)


def _mark_used(entry: Entry, rows: Rows, target: Target) -> Sequence[Batch]:
    row = rows[target]
    if row is None or row.values.get("used_event_id"):
        return ()
    values = {
        "used_event_id": entry.event_id,
        "used_at": entry.at,
        "used_by_stream": entry.stream,
        "used_by_seq": entry.seq,
    }
    return (batch_of(target, Merge(key=target.key, values=values, etag=row.etag)),)


def _requested(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = approval_target(entry.body["approval_id"])
    if rows[target] is not None:
        return ()
    changed = entry.body["target"]
    values = {
        "approval_id": entry.body["approval_id"],
        "operation": entry.body["operation"],
        "path": entry.body["path"],
        "author": json.dumps(entry.body["author"]),
        "reasons": json.dumps(entry.body["reasons"]),
        "before": json.dumps(entry.body["before"]),
        "after": json.dumps(entry.body["after"]),
        "target_table": changed["table"],
        "target_partition": changed["partition"],
        "target_key": changed["key"],
        "target_seq": entry.body["target_seq"],
        "requested_at": entry.at,
        "expires_at": datetime.fromisoformat(entry.body["expires_at"]),
        "requested_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (batch_of(target, Insert(key=target.key, values=values)),)


def _requested_targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (approval_target(body["approval_id"]), Target(**body["target"]))


def _decided(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = approval_target(entry.body["approval_id"])
    row = rows[target]
    if row is None or row.values.get("decided_event_id"):
        return ()
    values = {
        "decision": entry.body["decision"],
        "decision_reason": entry.body["reason"],
        "decider": json.dumps(dict(entry.actor)),
        "decided_at": entry.at,
        "expires_at": datetime.fromisoformat(entry.body["expires_at"]),
        "decided_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (batch_of(target, Merge(key=target.key, values=values, etag=row.etag)),)


APPROVAL_EVENTS = (
    EventType(
        name="ApprovalRequested",
        done_member="requested_event_id",
        targets=_requested_targets,
        project=_requested,
    ),
    EventType(
        name="ApprovalDecided",
        done_member="decided_event_id",
        targets=lambda _stream, body: (approval_target(body["approval_id"]),),
        project=_decided,
    ),
)
