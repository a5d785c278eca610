"""Delete what a tombstone names, version by version; what storage refuses is remembered, not asked each night."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import ConflictError, IntegrityError, PreconditionFailedError
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Merge, Row
from flexvault.ports import BlobFacts, Ports
from flexvault.services.deletion_proofs import PlanProofs
from flexvault.services.journal import Draft, append, find_entry

REFUSED_UNTIL, REFUSED_BECAUSE = "refused_until", "refused_because"

type Refusal = tuple[str, datetime | None]
"""Why storage refuses, and until when, where that is known."""


def finish_deletion(ports: Ports, proofs: PlanProofs, deletion: Mapping[str, Any], now: datetime) -> str:
    """Finish what this or an earlier plan began: its tombstone in the journal and that plan decide, not the row alone.

    Answers why it cannot be finished, or nothing: also where that was said before and nothing has changed since.
    """
    instance, point_id = str(deletion["instance"]), str(deletion["pointId"])
    row = ports.rows.find(row_keys.POINTS, instance, point_id)
    if row is not None and _is_refused_still(row.values, now):
        return ""
    try:
        tombstone = _read_tombstone(ports, instance, point_id, int(deletion["tombstoneSeq"]))
        proofs.require_planned(instance, point_id, tombstone.body)
        refusal = _delete_versions(ports, instance, point_id, now)
    except (ConflictError, IntegrityError, PreconditionFailedError) as error:
        return error.message if point_id in error.message else f"recovery point {point_id}: {error.message}"
    if refusal is None or _is_known(row, refusal):
        return ""
    because, until = refusal
    ports.telemetry.emit("DeletionRefused", {"instance": instance, "point_id": point_id, "because": because})
    if row is not None:  # told first: after a crash between both it is told again rather than never
        values: dict[str, Any] = {REFUSED_BECAUSE: because} | ({REFUSED_UNTIL: until} if until else {})
        ports.rows.apply(row_keys.POINTS, instance, [Merge(key=point_id, values=values)])
    return f"recovery point {point_id} is being deleted, but {because}; it is finished as soon as storage allows it"


def _read_tombstone(ports: Ports, instance: str, point_id: str, seq: int) -> Entry:
    try:
        entry = find_entry(ports, instance, seq)
        if entry is not None and entry.type == "Tombstoned" and entry.body["point_id"] == point_id:
            return entry
    except (IntegrityError, KeyError):
        pass  # not that either
    text = f"recovery point {point_id} has no tombstone at number {seq} of its stream, as its row says"
    raise IntegrityError(text, code="NoTombstone", target=point_id)


def _is_refused_still(values: Mapping[str, Any], now: datetime) -> bool:
    until = values.get(REFUSED_UNTIL)
    return isinstance(until, datetime) and until > now


def _delete_versions(ports: Ports, instance: str, point_id: str, now: datetime) -> Refusal | None:
    """Delete all files of a point by their versions, then its manifest and what lies beside it, and journal that.

    A seal that came late may have made the manifest again: no version of it may stay, or the point would seem to
    exist. Answers what is refused and until when; storage is asked for it before anything is deleted.
    """
    prefix, path = blob_names.point_prefix(instance, point_id), blob_names.manifest_path(instance, point_id)
    files = list(ports.vault_reader.list_versions(blob_names.POINTS, prefix))
    beside = blob_names.verifications_prefix(instance, point_id)
    manifests = [
        blob
        for blob in ports.vault_reader.list_versions(blob_names.MANIFESTS, f"{instance}/{point_id}")
        if blob.name == path or blob.name.startswith(beside)
    ]
    # The manifest last: while it is there, whoever comes after a death knows of the point.
    manifests.sort(key=lambda blob: blob.name == path)
    refusal = _find_refusal([*files, *manifests], now)
    if refusal is not None:
        return refusal
    for container, versions in ((blob_names.POINTS, files), (blob_names.MANIFESTS, manifests)):
        for blob in versions:
            ports.vault_cleaner.delete(container, blob.name, blob.version_id)
    body = {"point_id": point_id, "instance": instance}
    append(ports, Draft(stream=instance, type="PointDeleted", key=point_id, body=body), by_retention=True)
    return None


def _find_refusal(blobs: list[BlobFacts], now: datetime) -> Refusal | None:
    held = [blob.name for blob in blobs if blob.has_legal_hold]
    if held:
        return f"a legal hold stands in the storage account on '{held[0]}'", None
    ends = [blob.immutable_until for blob in blobs if blob.immutable_until is not None and blob.immutable_until > now]
    if not ends:
        return None
    return f"storage protects it until {max(ends).isoformat()}", max(ends)


def _is_known(row: Row | None, refusal: Refusal) -> bool:
    return row is not None and row.values.get(REFUSED_BECAUSE) == refusal[0]
