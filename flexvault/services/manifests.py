"""Manifests in the vault account: the first version at a name is the manifest, any later one is tampering."""

from collections.abc import Iterator
from dataclasses import dataclass

from flexvault.domain import blob_names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.manifest import Manifest
from flexvault.ports import Ports
from flexvault.services.first_versions import list_first


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundManifest:
    """Where the manifest of a recovery point lies."""

    instance: str
    point_id: str
    version_id: str


def find_manifests(ports: Ports, prefix: str) -> Iterator[FoundManifest]:
    """Answer the manifest of every recovery point below a prefix, also behind a base name that was deleted."""
    for blob in list_first(ports.vault_reader, blob_names.MANIFESTS, prefix):
        instance, _, file = blob.name.partition("/")
        point_id = file.removesuffix(".json")
        if file.endswith(".json") and "." not in point_id:  # not a later fact beside a manifest
            yield FoundManifest(instance=instance, point_id=point_id, version_id=blob.version_id)


def find_verified(ports: Ports, prefix: str) -> Iterator[tuple[str, str]]:
    """Answer instance and id of every recovery point below a prefix that has blobs of a deep verification."""
    before: tuple[str, str] | None = None
    for blob in ports.vault_reader.list_versions(blob_names.MANIFESTS, prefix):
        name = blob_names.verification_of(blob.name)
        if name is not None and before != (name.instance, name.point):
            before = (name.instance, name.point)
            yield before


def list_manifests(ports: Ports, prefix: str) -> Iterator[tuple[str, str]]:
    """Answer instance and point id of every manifest below a prefix."""
    for found in find_manifests(ports, prefix):
        yield found.instance, found.point_id


def find_manifest(ports: Ports, instance: str, point_id: str) -> FoundManifest | None:
    """Find the manifest of one recovery point."""
    prefix = blob_names.manifest_path(instance, point_id)
    return next((found for found in find_manifests(ports, prefix) if found.point_id == point_id), None)


def find_manifest_version(ports: Ports, point: RecoveryPoint) -> str | None:
    """Answer the version of a sealed point's manifest; an entry of an older flexvault names none: then the first one.

    Nothing when there is no manifest.
    """
    if point.manifest_version:
        return point.manifest_version
    found = find_manifest(ports, point.instance, point.point_id)
    return None if found is None else found.version_id


def read_stored(ports: Ports, found: FoundManifest) -> bytes:
    """Read the bytes of a manifest, whatever was written over it since."""
    path = blob_names.manifest_path(found.instance, found.point_id)
    return ports.vault_reader.read(blob_names.MANIFESTS, path, version_id=found.version_id)


def read_own_manifest(data: bytes, instance: str, point_id: str) -> Manifest:
    """Read the manifest of a point from its bytes.

    Raises:
        IntegrityError: code ManifestDiffers: it is none, or another point's.
    """
    manifest = Manifest.from_bytes(data)
    if (manifest.instance, manifest.point_id) != (instance, point_id):
        raise IntegrityError("the manifest that lies there is another point's", code="ManifestDiffers")
    return manifest
