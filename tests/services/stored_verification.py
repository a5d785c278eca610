"""Put the result of a deep verification beside a point, as the job that makes one leaves it."""

from collections.abc import Callable

from flexvault.domain import blob_names, row_keys
from flexvault.domain.deep_verification import DeepVerification, VerifiedFile
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.names import sha256_hex
from flexvault.domain.rows import Merge
from flexvault.services import catalog
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
    """Leave a result beside the newest point and name it in the point's row."""
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
    values = {
        "verified_at": result.completed_at.isoformat(),
        "verified_number": number,
        "verified_verdict": result.verdict.value,
        "verified_hash": sha256_hex(result.to_bytes()),
        "verified_findings": 0,
    }
    change = Merge(key=point.point_id, values=values)
    world.vault.ports.rows.apply(row_keys.POINTS, point.instance, [change])
    return result
