"""Sealed recovery points as they were before any attack: every version with its bytes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import ImmutabilityPolicy


@dataclass(frozen=True, kw_only=True)
class SealedVersion:
    """A file or the manifest of a recovery point."""

    container: str
    name: str
    version_id: str
    data: bytes

    def blob(self, service: Any, *, is_named: bool = True) -> Any:
        """Answer its client: of this version, or of whatever is current at its name."""
        version_id = self.version_id if is_named else None
        return service.get_blob_client(self.container, self.name, version_id=version_id)

    def is_intact(self, owner: Any) -> bool:
        """Say whether it is there with its bytes; a refusal to read is no answer."""
        try:
            data: bytes = self.blob(owner).download_blob().readall()
        except ResourceNotFoundError:
            return False
        return data == self.data


@dataclass(frozen=True, kw_only=True)
class SealedPoint:
    """A recovery point."""

    name: str
    instance: str
    """Path of its backup instance in the API."""
    key: str
    """32 hex digits of the instance: its stream of the journal."""
    versions: tuple[SealedVersion, ...]
    """Its files, then its manifest."""

    def is_intact(self, owner: Any) -> bool:
        """Say whether every version is there with its bytes."""
        return all(version.is_intact(owner) for version in self.versions)


def take_up(owner: Any, instance: str, name: str) -> SealedPoint:
    """Read a recovery point as it is now.

    Args:
        owner: The vault account, as its owner.
        instance: Path of its backup instance.
        name: The point's.
    """
    manifests = owner.get_container_client("manifests").list_blobs(include=["versions"])
    (stored,) = (blob for blob in manifests if blob.name.endswith(f"/{name}.json"))
    manifest = _version(owner, "manifests", stored.name, stored.version_id)
    files = json.loads(manifest.data)["files"]
    return SealedPoint(
        name=name,
        instance=instance,
        key=stored.name.partition("/")[0],
        versions=(*(_version(owner, "points", file["path"], file["versionId"]) for file in files), manifest),
    )


def take_up_entry(owner: Any, stream: str, seq: int) -> SealedVersion:
    """Read a journal entry as it was created: its first version."""
    path = f"{stream}/{seq:012d}.json"
    first, *_ = owner.get_container_client("journal").list_blobs(path, include=["versions"])
    return _version(owner, "journal", path, first.version_id)


def _version(owner: Any, container: str, name: str, version_id: str) -> SealedVersion:
    data = owner.get_blob_client(container, name, version_id=version_id).download_blob().readall()
    return SealedVersion(container=container, name=name, version_id=version_id, data=data)


def policies(owner: Any, point: SealedPoint) -> Iterator[Any]:
    """Answer storage's policy on each version."""
    return (version.blob(owner).get_blob_properties().immutability_policy for version in point.versions)


def protect_again(owner: Any, point: SealedPoint, until: datetime) -> None:
    """Give every version an Unlocked policy, as reconcile does in the night after one was taken away."""
    for version in point.versions:
        version.blob(owner).set_immutability_policy(ImmutabilityPolicy(expiry_time=until, policy_mode="Unlocked"))
