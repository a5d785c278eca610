"""The rows that say what is suspected of an instance: raised by a seal, ended by an acknowledgement."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.approval_events import usable_with_approval
from flexvault.domain.event_rows import batch_of, is_older, put
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.poisoning import MOST_SHOWN, Poisoning, Suspect
from flexvault.domain.rows import Change, Row
from flexvault.domain.suspicion import Suspicion


def poisoning_target(stream: str) -> Target:
    """Answer the row that says what is suspected of an instance; it is not there before the first suspicion."""
    return Target(table=row_keys.POINTS, partition=stream, key=row_keys.POISONING)


def mark_suspected(entry: Entry, row: Row | None) -> Sequence[Change]:
    """Add the point of an entry `Sealed` that names a suspicion; once, also where only the point's row was lost."""
    if not entry.body.get("suspicion") or not is_older(row, entry):
        return ()
    before = _read(row)
    point_id = str(entry.body["point_id"])
    found = Suspect(point_id=point_id, suspected_at=entry.at, suspicion=Suspicion.from_json(entry.body["suspicion"]))
    after = replace(
        before,
        suspects=(*before.suspects, found)[-MOST_SHOWN:],
        count=before.count + 1,
        first_point_id=before.first_point_id if before.is_suspected else point_id,
    )
    return (_write(entry, row, after),)


def drop_suspect(entry: Entry, row: Row | None) -> Sequence[Change]:
    """Forget a suspected point that is gone: only an approved deletion of the data lets one go."""
    before = _read(row)
    left = tuple(suspect for suspect in before.suspects if suspect.point_id != entry.body["point_id"])
    if len(left) == len(before.suspects) or not is_older(row, entry):
        return ()
    return (_write(entry, row, replace(before, suspects=left, count=before.count - 1 if left else 0)),)


def _acknowledged(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = poisoning_target(entry.stream)
    row = rows[target]
    if not is_older(row, entry):
        return ()
    before = _read(row)
    ids = [suspect.point_id for suspect in before.suspects]
    known = entry.body["recovery_point_id"]
    left = before.suspects[ids.index(known) + 1 :] if known in ids else before.suspects
    after = replace(
        before,
        suspects=left,
        count=len(left),
        first_point_id=left[0].point_id if left else "",
    )
    told: dict[str, Any] = {
        "acknowledged_at": entry.at,
        "acknowledged_by": json.dumps(dict(entry.actor)),
        "acknowledged_reason": entry.body["reason"],
        "acknowledged_event_id": entry.event_id,
    }
    return (batch_of(target, _write(entry, row, after, told)),)


def _read(row: Row | None) -> Poisoning:
    return Poisoning() if row is None else Poisoning.from_values(row.values)


def _write(entry: Entry, row: Row | None, after: Poisoning, more: Mapping[str, Any] | None = None) -> Change:
    values = {
        # Escaped, long names of databases might not fit into a row.
        "suspects": json.dumps([suspect.to_json() for suspect in after.suspects], ensure_ascii=False),
        "suspect_count": after.count,
        "first_point_id": after.first_point_id,
        "journal_seq": entry.seq,
        **(more or {}),
    }
    return put(poisoning_target(entry.stream), row, values)


POISONING_EVENTS = (
    usable_with_approval(
        EventType(
            name="PoisoningAcknowledged",
            done_member="acknowledged_event_id",
            targets=lambda stream, _body: (poisoning_target(stream),),
            project=_acknowledged,
        )
    ),
)
