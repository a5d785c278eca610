"""What lies under the names of the vault account: of each name the first version, and whether others lie over it."""

from collections.abc import Iterator
from dataclasses import dataclass

from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.errors import NotFoundError
from flexvault.domain.verification import Finding
from flexvault.ports import BlobFacts, VaultReader


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredName:
    """One name: its first version is the vault's own, because the vault writes a name once."""

    first: BlobFacts
    later: int
    """How many versions lie over the first one."""
    is_current: bool
    """Something lies at the name; else only versions are left, behind a deletion."""

    def find_wrong(self, container: str) -> Iterator[Finding]:
        """Answer what was done to the name; a deletion is the caller's to judge."""
        subject = f"{container}/{self.first.name}"
        if self.later:
            text = f"{self.later} later version(s) lie over the first one: somebody wrote it again"
            yield Finding(code="LaterVersion", subject=subject, message=text)
        if not self.is_current:
            text = f"its name was deleted; version {self.first.version_id} is left"
            yield Finding(code="NameDeleted", subject=subject, message=text)


def list_names(reader: VaultReader, container: str, prefix: str) -> list[StoredName]:
    """Answer every name below a prefix, in order."""
    versions: dict[str, list[BlobFacts]] = {}
    for blob in reader.list_versions(container, prefix):
        versions.setdefault(blob.name, []).append(blob)
    keeps_versions = any(blob.version_id for found in versions.values() for blob in found)
    current = {blob.name for blob in reader.list_blobs(container, prefix)} if keeps_versions else set(versions)
    return [
        StoredName(first=min(found, key=lambda blob: blob.version_id), later=len(found) - 1, is_current=name in current)
        for name, found in sorted(versions.items())
    ]


def read_if_there(reader: VaultReader, container: str, path: str, version_id: str = "") -> bytes | None:
    """Read a blob; nothing when there is none. A refusal is raised, never an answer."""
    try:
        return reader.read(container, path, version_id=version_id)
    except NotFoundError as error:
        if error.code != BLOB_NOT_FOUND:
            raise
        return None
