"""What a rebuild kit knows of its recovery point: the same for a restore's kit and for one that is downloaded."""

from collections.abc import Collection, Mapping

from flexvault.domain.deep_verification import DeepVerification, VerifiedFile
from flexvault.domain.errors import IntegrityError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.manifest import Manifest
from flexvault.domain.restored_files import RestoredFile, list_databases, list_restored
from flexvault.kit.facts import KitFacts, KitFile, KitVerification
from flexvault.ports import Ports
from flexvault.services.verifications import read_newest


def kit_facts(
    ports: Ports, point: RecoveryPoint, manifest: Manifest, file_prefix: str, databases: Collection[str] = ()
) -> KitFacts:
    """Answer the facts of a kit for files of a restore of this prefix.

    Args:
        ports: Where to read.
        point: The recovery point.
        manifest: Its manifest.
        file_prefix: What all names of files begin with.
        databases: Exact names of the chosen ones, which the point has; none for all.

    A deep verification that is not the one that was journalled is left out, and `notice` says so: it proves nothing.
    """
    restored = list_restored(file_prefix, manifest.files, databases)
    verification, notice = _find_verification(ports, point)
    verified = {file.path: file for file in verification.files} if verification is not None else {}
    copied = {one.database for one in restored}
    return KitFacts(
        file_prefix=file_prefix,
        server_name=str(manifest.server["name"]),
        server_id=str(manifest.server["id"]),
        server_version=str(manifest.server["version"]),
        recovery_point_id=point.point_id,
        recovery_point_time=point.recovery_point_time.isoformat(),
        manifest_hash=point.manifest_hash,
        files=tuple(_kit_file(one, verified.get(one.file.path)) for one in restored),
        left_out=tuple(name for name in list_databases(manifest.files) if name not in copied),
        verification=_kit_verification(restored, verified, verification) if verification is not None else None,
        notice=notice,
    )


def _find_verification(ports: Ports, point: RecoveryPoint) -> tuple[DeepVerification | None, str]:
    try:
        return read_newest(ports, point), ""
    except IntegrityError as error:
        return None, f"{error.message}; {error.hint}" if error.hint else error.message


def _kit_file(restored: RestoredFile, verified: VerifiedFile | None) -> KitFile:
    return KitFile(
        name=restored.name,
        kind=restored.file.kind,
        size_bytes=restored.file.size_bytes,
        sha256=verified.sha256 if verified is not None else "",
        database=restored.database,
    )


def _kit_verification(
    restored: tuple[RestoredFile, ...], verified: Mapping[str, VerifiedFile], verification: DeepVerification
) -> KitVerification:
    files = {one.name: verified[one.file.path] for one in restored if one.file.path in verified}
    return KitVerification(
        number=verification.number,
        completed_at=verification.completed_at.isoformat(),
        verdict=verification.verdict.value,
        files=files,
    )
