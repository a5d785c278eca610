"""The results of deep verifications: blobs beside the manifest, each of which a journal entry names by its hash."""

from flexvault.domain import blob_names, row_keys
from flexvault.domain.deep_verification import DeepVerification
from flexvault.domain.errors import IntegrityError
from flexvault.domain.instance import BrokenPoint, RecoveryPoint
from flexvault.domain.names import sha256_hex
from flexvault.ports import Ports
from flexvault.services.stored_names import read_if_there

_DISTRUST = "treat the vault account as tampered with; verify the recovery point again"


def read_newest(ports: Ports, point: RecoveryPoint) -> DeepVerification | None:
    """Read the newest deep verification of a recovery point; nothing when it was never verified.

    Raises:
        IntegrityError: code VerificationMissing or VerificationDiffers: what lies there is not what was journalled.
        TransientError, NotAuthorizedError: It cannot be read now: a refusal is never an answer.
    """
    if not point.verified_number:
        return None
    path = blob_names.verification_path(point.instance, point.point_id, point.verified_number)
    data = read_if_there(ports.vault_reader, blob_names.MANIFESTS, path, point.verified_version)
    if data is None:
        text = f"the deep verification {point.verified_number} of recovery point {point.point_id} is not there"
        raise IntegrityError(text, code="VerificationMissing", target=path, hint=_DISTRUST)
    if sha256_hex(data) != point.verified_hash:
        text = f"the deep verification {point.verified_number} of recovery point {point.point_id} is not the one that "
        raise IntegrityError(f"{text}was journalled", code="VerificationDiffers", target=path, hint=_DISTRUST)
    return DeepVerification.from_bytes(data)


def list_broken(ports: Ports, instance: str) -> list[BrokenPoint]:
    """Answer an instance's recovery points that failed their deep verification, newest first; no other row is read."""
    end = row_keys.prefix_end(row_keys.BROKEN)
    rows = ports.rows.query(row_keys.POINTS, instance, start=row_keys.BROKEN, end=end)
    broken = [BrokenPoint.from_values(row.values) for row in rows]
    return sorted(broken, key=lambda point: point.recovery_point_time, reverse=True)
