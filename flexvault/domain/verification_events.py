"""The event of a deep verification: its result counts until the next one of the same recovery point.

A broken point has a row of its own beside the points, while it is there: who asks for the broken ones among thousands
reads these alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.event_rows import batch_of, is_older, job_target, mark_job, put
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Change, Delete, Merge, Row
from flexvault.domain.verification import Verdict

POINT_VERIFIED = "PointVerified"


def _point(stream: str, body: Mapping[str, Any]) -> Target:
    return Target(table=row_keys.POINTS, partition=stream, key=body["point_id"])


def broken_target(stream: str, body: Mapping[str, Any]) -> Target:
    """Answer the row that is there while a recovery point is broken."""
    return Target(table=row_keys.POINTS, partition=stream, key=row_keys.broken_row(body["point_id"]))


def drop_broken(row: Row | None) -> Sequence[Change]:
    """Forget that a recovery point is broken: it was proven intact, or is being deleted."""
    return () if row is None else (Delete(key=row.key, etag=row.etag),)


def _verified(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target, body = _point(entry.stream, entry.body), entry.body
    row = rows[target]
    batches: list[Batch] = []
    if row is not None and is_older(row, entry):
        values: dict[str, Any] = {
            "verified_at": body["completed_at"],
            "verified_number": body["number"],
            "verified_verdict": body["verdict"],
            "verified_hash": body["result_hash"],
            "verified_version": body["result_version"],
            "verified_findings": body["findings"],
            "verified_seq": entry.seq,
            "journal_seq": entry.seq,
        }
        told: Sequence[Change] = ()
        if body["verdict"] != Verdict.NOT_PROVEN:  # which says nothing new of what an earlier one found
            values["is_broken"] = body["verdict"] == Verdict.BROKEN
            values |= {"was_broken": True} if values["is_broken"] else {}
            told = _tell_broken(entry, row, rows) if values["is_broken"] else drop_broken(rows[_broken(entry)])
        batches.append(batch_of(target, Merge(key=target.key, values=values, etag=row.etag), *told))
    return (*batches, *mark_job(entry, rows, "verified_event_id"))


def _broken(entry: Entry) -> Target:
    return broken_target(entry.stream, entry.body)


def _tell_broken(entry: Entry, point: Row, rows: Rows) -> Sequence[Change]:
    target = _broken(entry)
    values = {
        "point_id": entry.body["point_id"],
        "recovery_point_time": point.values["recovery_point_time"],
        "journal_seq": entry.seq,
    }
    return (put(target, rows[target], values),)


VERIFICATION_EVENTS = (
    EventType(
        name=POINT_VERIFIED,
        done_member="verified_event_id",
        targets=lambda stream, body: (job_target(body["job_id"]), _point(stream, body), broken_target(stream, body)),
        project=_verified,
    ),
)
