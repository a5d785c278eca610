"""Results of deep verifications: blobs beside the manifest, each held by the hash that was journalled."""

from collections.abc import Mapping
from typing import Any

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.deep_verification import DeepVerification
from flexvault.domain.errors import IntegrityError
from flexvault.domain.instance import RecoveryPoint
from flexvault.ports import Ports
from flexvault.services.first_versions import read_first


def read_newest(ports: Ports, point: RecoveryPoint) -> DeepVerification | None:
    """Read the newest deep verification of a point; nothing when there was none.

    Raises:
        IntegrityError: code VerificationDiffers: it is not the one that was journalled.
    """
    row = ports.rows.find(row_keys.POINTS, point.instance, point.point_id)
    values: Mapping[str, Any] = {} if row is None else row.values
    number = int(values.get("verified_number") or 0)
    if not number:
        return None
    path = blob_names.verification_path(point.instance, point.point_id, number)
    data = read_first(ports.vault_reader, blob_names.MANIFESTS, path)
    if names.sha256_hex(data) != values["verified_hash"]:
        raise IntegrityError(
            f"deep verification {number} of recovery point {point.point_id} is not the one that was journalled",
            code="VerificationDiffers",
            target=path,
            hint="verify the recovery point again, and treat the vault account as tampered with",
        )
    return DeepVerification.from_bytes(data)
