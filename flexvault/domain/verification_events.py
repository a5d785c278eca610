"""The event of a deep verification: its result counts until the next one of the same recovery point."""

from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.event_rows import batch_of, is_older, job_target, mark_job
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Merge
from flexvault.domain.verification import Verdict

POINT_VERIFIED = "PointVerified"


def _point(stream: str, body: Mapping[str, Any]) -> Target:
    return Target(table=row_keys.POINTS, partition=stream, key=body["point_id"])


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
            "journal_seq": entry.seq,
        }
        if body["verdict"] != Verdict.NOT_PROVEN:  # which says nothing new of what an earlier one found
            values["is_broken"] = body["verdict"] == Verdict.BROKEN
        batches.append(batch_of(target, Merge(key=target.key, values=values, etag=row.etag)))
    return (*batches, *mark_job(entry, rows, "verified_event_id"))


VERIFICATION_EVENTS = (
    EventType(
        name=POINT_VERIFIED,
        done_member="verified_event_id",
        targets=lambda stream, body: (job_target(body["job_id"]), _point(stream, body)),
        project=_verified,
    ),
)
