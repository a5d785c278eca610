"""The results of deep verifications: blobs beside the manifest, each of which a journal entry names by its hash."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from flexvault.domain import blob_names, row_keys
from flexvault.domain.deep_verification import DeepVerification
from flexvault.domain.errors import IntegrityError
from flexvault.domain.instance import BrokenPoint, RecoveryPoint
from flexvault.domain.journal import Entry
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.names import sha256_hex
from flexvault.domain.verification import Verdict
from flexvault.domain.verification_events import POINT_VERIFIED
from flexvault.ports import Ports
from flexvault.services.first_versions import list_first
from flexvault.services.journal import find_entry
from flexvault.services.stored_names import read_if_there

_DISTRUST = "treat the vault account as tampered with; verify the recovery point again"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalledVerification:
    """What an entry `PointVerified` says of a deep verification."""

    number: int
    verdict: Verdict
    result_hash: str
    """SHA-256 of the result's bytes."""
    result_version: str
    """Version id of the result."""


def find_newest(ports: Ports, point: RecoveryPoint) -> JournalledVerification | None:
    """Find what the journal says of a recovery point's newest deep verification; nothing when it was never verified.

    The row only says where to look: the entry that it names is read. No later one can be there while no result of a
    higher number lies beside the manifest. Where one does, the stream is read on from that entry, or from its begin.

    Raises:
        IntegrityError: An entry that must be read is none.
        TransientError, NotAuthorizedError: It cannot be read now: a refusal is never an answer.
    """
    named = _find_named(ports, point)
    highest = max(stored_numbers(ports, point.instance, point.point_id), default=0)
    if named is not None and highest <= named.number:
        return named
    if named is None and not highest and not point.verified_number:
        return None
    newest = named
    for seq in count(1 + (point.verified_seq if named is not None else 0)):
        entry = find_entry(ports, point.instance, seq)
        if entry is None:
            return newest
        newest = _read_entry(entry, point) or newest
    return newest


def _find_named(ports: Ports, point: RecoveryPoint) -> JournalledVerification | None:
    if point.verified_seq < 1:
        return None
    entry = find_entry(ports, point.instance, point.verified_seq)
    return None if entry is None else _read_entry(entry, point)


def _read_entry(entry: Entry, point: RecoveryPoint) -> JournalledVerification | None:
    """Read an entry; nothing when it is another event's or another point's."""
    body = entry.body
    try:
        if entry.type != POINT_VERIFIED or body["point_id"] != point.point_id:
            return None
        return JournalledVerification(
            number=int(body["number"]),
            verdict=Verdict(body["verdict"]),
            result_hash=str(body["result_hash"]),
            result_version=str(body["result_version"]),
        )
    except MALFORMED:
        text = f"journal entry {entry.stream} {entry.seq} ({entry.type}) cannot be understood"
        raise IntegrityError(text, code="EntryUnreadable", target=entry.stream, hint=_DISTRUST) from None


def stored_numbers(ports: Ports, instance: str, point_id: str) -> Iterator[int]:
    """Answer the numbers of the results that lie beside a manifest, be they journalled or not."""
    prefix = blob_names.verifications_prefix(instance, point_id)
    for blob in list_first(ports.vault_reader, blob_names.MANIFESTS, prefix):
        found = blob_names.verification_of(blob.name)
        if found is not None and found.ordinal is None:
            yield found.number


def read_newest(ports: Ports, point: RecoveryPoint) -> DeepVerification | None:
    """Read the newest deep verification of a recovery point; nothing when it was never verified.

    Number, version and hash are the journal's, never the row's.

    Raises:
        IntegrityError: code VerificationMissing or VerificationDiffers: what lies there is not what was journalled;
            code EntryUnreadable: the journal cannot be read.
        TransientError, NotAuthorizedError: It cannot be read now: a refusal is never an answer.
    """
    journalled = find_newest(ports, point)
    if journalled is None:
        return None
    path = blob_names.verification_path(point.instance, point.point_id, journalled.number)
    data = read_if_there(ports.vault_reader, blob_names.MANIFESTS, path, journalled.result_version)
    which = f"the deep verification {journalled.number} of recovery point {point.point_id}"
    if data is None:
        raise IntegrityError(f"{which} is not there", code="VerificationMissing", target=path, hint=_DISTRUST)
    if sha256_hex(data) != journalled.result_hash:
        text = f"{which} is not the one that was journalled"
        raise IntegrityError(text, code="VerificationDiffers", target=path, hint=_DISTRUST)
    return DeepVerification.from_bytes(data)


def list_broken(ports: Ports, instance: str) -> list[BrokenPoint]:
    """Answer an instance's recovery points that failed their deep verification, newest first; no other row is read."""
    end = row_keys.prefix_end(row_keys.BROKEN)
    rows = ports.rows.query(row_keys.POINTS, instance, start=row_keys.BROKEN, end=end)
    broken = [BrokenPoint.from_values(row.values) for row in rows]
    return sorted(broken, key=lambda point: point.recovery_point_time, reverse=True)
