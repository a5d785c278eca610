"""The events of legal holds and re-evaluations: they say what holds for an instance's recovery points.

A hold has a row of its own, and its name lies on the row of what it covers, where a tombstone looks. A projection
brings the second to what the first says, also where only one of them was lost.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.approval_events import usable_with_approval
from flexvault.domain.event_rows import batch_of, is_older, put
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.poisoning_events import POISONING_EVENTS
from flexvault.domain.rows import Change, Insert, Merge, Replace, Row


def retention_target(stream: str) -> Target:
    """Answer the row that says what holds for all points of an instance; it may not be there."""
    return Target(table=row_keys.POINTS, partition=stream, key=row_keys.RETENTION)


def hold_target(stream: str, name: str) -> Target:
    """Answer the row of a hold."""
    return Target(table=row_keys.POINTS, partition=stream, key=row_keys.hold_row(name))


def scope_target(stream: str, point_id: str) -> Target:
    """Answer the row of what a hold covers: a point, or without its id the instance."""
    return Target(table=row_keys.POINTS, partition=stream, key=point_id) if point_id else retention_target(stream)


def _hold_targets(stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (hold_target(stream, body["hold"]), scope_target(stream, body["recovery_point_id"]))


def _hold_placed(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target, scope = _hold_targets(entry.stream, entry.body)
    row = rows[target]
    if is_older(row, entry):
        return _together(target, [_place(target, row, entry), *_mark(scope, rows[scope], entry, stands=True)])
    return _together(target, _mark(scope, rows[scope], entry, stands=_stands_on(row, entry)))


def _place(target: Target, row: Row | None, entry: Entry) -> Change:
    by = json.dumps(dict(entry.actor))
    values: dict[str, Any] = {
        "name": entry.body["hold"],
        "reason": entry.body["reason"],
        "recovery_point_id": entry.body["recovery_point_id"],
        "placed_by": by,
        "placed_at": entry.at,
        "is_released": False,
        "change_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    if row is None:
        return Insert(key=target.key, values=values)
    if not row.values["is_released"]:
        placed = {name: row.values[name] for name in ("placed_by", "placed_at")}
        values |= {**placed, "changed_by": by, "changed_at": entry.at}
    return Replace(key=target.key, values=values, etag=row.etag)


def _hold_released(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target, scope = _hold_targets(entry.stream, entry.body)
    row = rows[target]
    if row is None or not is_older(row, entry):
        return _together(target, _mark(scope, rows[scope], entry, stands=_stands_on(row, entry)))
    values: dict[str, Any] = {
        "is_released": True,
        "released_by": json.dumps(dict(entry.actor)),
        "released_at": entry.at,
        "approval_id": entry.body["approval_id"],
        "change_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    released = Merge(key=target.key, values=values, etag=row.etag)
    return _together(target, [released, *_mark(scope, rows[scope], entry, stands=False)])


def _stands_on(row: Row | None, entry: Entry) -> bool:
    """Say whether a hold stands now on what an entry that was projected before names."""
    if row is None or row.values["is_released"]:
        return False
    return row.values["recovery_point_id"] == entry.body["recovery_point_id"]


def _mark(scope: Target, row: Row | None, entry: Entry, *, stands: bool) -> Sequence[Change]:
    """Write a hold's name on what it covers, or take it away.

    Names compare without regard to case, as the keys of the holds' rows do.

    The hold's own row decides, never this one's journal_seq: others write that for their own events. The row of a
    point is made by its seal alone.
    """
    before: list[str] = json.loads(str(row.values.get("holds", "[]"))) if row is not None else []
    others = {name for name in before if row_keys.hold_row(name) != row_keys.hold_row(entry.body["hold"])}
    after = sorted(others | {entry.body["hold"]} if stands else others)
    if after == before or (row is None and scope.key != row_keys.RETENTION):
        return ()
    # Escaped, the names of all holds that may stand here would not fit into a row.
    values = {"holds": json.dumps(after, ensure_ascii=False)}
    return (put(scope, row, values),)


def _reevaluated(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = retention_target(entry.stream)
    row = rows[target]
    if not is_older(row, entry):
        return ()
    values = {
        "reevaluated_seq": entry.seq,
        "reevaluated_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (batch_of(target, put(target, row, values)),)


def _together(target: Target, changes: Sequence[Change]) -> Sequence[Batch]:
    return (batch_of(target, *changes),) if changes else ()


KEEPING_EVENTS = (
    EventType(name="HoldPlaced", done_member="change_event_id", targets=_hold_targets, project=_hold_placed),
    usable_with_approval(
        EventType(name="HoldReleased", done_member="change_event_id", targets=_hold_targets, project=_hold_released)
    ),
    usable_with_approval(
        EventType(
            name="RetentionReevaluated",
            done_member="reevaluated_event_id",
            targets=lambda stream, _body: (retention_target(stream),),
            project=_reevaluated,
        )
    ),
    *POISONING_EVENTS,
)
KEEPING_KINDS = frozenset(event.name for event in KEEPING_EVENTS)
