"""Put the result of a deep verification beside a point, as the job that makes one leaves it."""

from collections.abc import Callable

from flexvault.domain import blob_names
from flexvault.domain.deep_verification import DeepVerification, VerifiedFile
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.names import sha256_hex
from flexvault.domain.verification_events import POINT_VERIFIED
from flexvault.services import catalog
from flexvault.services.journal import Draft, append
from tests.builders import World
from tests.domain.pointing import a_verification, counted, verified


def the_point(world: World) -> RecoveryPoint:
    """The newest recovery point."""
    return catalog.list_points(world.vault.ports, world.instance().key)[0]


def seven_rows(file: ManifestFile) -> VerifiedFile:
    """Seven rows in the one table of `tiny_archive`, whose rows are entry 4."""
    return verified(file, *([counted(4, 7)] if file.facts else []))


def put_verification(
    world: World, *, number: int = 1, of: Callable[[ManifestFile], VerifiedFile] = seven_rows
) -> DeepVerification:
    """Leave a result beside the newest point and journal it."""
    point = the_point(world)
    manifest = catalog.read_manifest(world.vault.ports, point)
    result = a_verification(
        *(of(file) for file in manifest.files),
        instance=point.instance,
        point_id=point.point_id,
        number=number,
        manifest_hash=point.manifest_hash,
    )
    path = blob_names.verification_path(point.instance, point.point_id, number)
    world.vault.ports.vault_writer.create(blob_names.MANIFESTS, path, result.to_bytes())
    body = {
        "point_id": point.point_id,
        "instance": point.instance,
        "job_id": point.job_id,
        "number": number,
        "verdict": result.verdict.value,
        "completed_at": result.completed_at.isoformat(),
        "findings": 0,
        "codes": [],
        "manifest_hash": result.manifest_hash,
        "result_hash": sha256_hex(result.to_bytes()),
        "result_version": "",
    }
    draft = Draft(stream=point.instance, type=POINT_VERIFIED, key=f"{point.point_id}-{number}", body=body)
    append(world.vault.ports, draft)
    return result
