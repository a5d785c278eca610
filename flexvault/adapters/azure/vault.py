"""The vault account, reached as control, as writer and as retention."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from azure.core.credentials import TokenCredential

from flexvault.adapters.azure.blob_account import BlobAccount
from flexvault.adapters.azure.delegation import SourceDelegation
from flexvault.domain import blob_names
from flexvault.ports import BlobFacts, BlockRange


class _VaultAccount:
    """The account as one identity reaches it.

    Args:
        endpoint: Blob endpoint of the vault account.
        credential: The identity.
    """

    def __init__(self, endpoint: str, credential: TokenCredential) -> None:
        self._account = BlobAccount(endpoint, credential)

    def close(self) -> None:
        """Close the connections."""
        self._account.close()


class AzureVaultReader(_VaultAccount):
    """Reads (control identity)."""

    def read(
        self, container: str, path: str, *, offset: int = 0, length: int | None = None, version_id: str = ""
    ) -> bytes:
        """Read a blob or a part of it."""
        return self._account.read(container, path, offset, length, version_id)

    def find(self, container: str, path: str, *, version_id: str = "") -> BlobFacts | None:
        """Answer what is known of a blob."""
        return self._account.find(container, path, version_id)

    def list_blobs(self, container: str, prefix: str) -> Iterable[BlobFacts]:
        """Answer current blobs; a list names no versions, `find` does."""
        return self._account.list_blobs(container, prefix)

    def list_versions(self, container: str, prefix: str) -> Iterable[BlobFacts]:
        """Answer every version, also behind a base name that was deleted."""
        return self._account.list_blobs(container, prefix, versions=True)

    def list_folders(self, container: str) -> Iterable[str]:
        """Answer what stands before the first slash in the names of current blobs."""
        return self._account.list_folders(container)

    def list_blocks(self, container: str, path: str, *, version_id: str = "") -> Sequence[int]:
        """Answer the sizes of a blob's committed blocks."""
        return self._account.list_blocks(container, path, version_id)


class AzureVaultWriter(_VaultAccount):
    """Create-only writes.

    Args:
        endpoint: Blob endpoint of the vault account.
        credential: The writer.
        sources: Signs reads of the landing account.
    """

    def __init__(self, endpoint: str, credential: TokenCredential, sources: SourceDelegation) -> None:
        super().__init__(endpoint, credential)
        self._sources = sources
        self.delegation = SourceDelegation(self._account.service)

    def create(self, container: str, path: str, data: bytes) -> BlobFacts:
        """Create a blob."""
        return self._account.create(container, path, data)

    def stage_block(self, path: str, index: int, source: BlockRange) -> str:
        """Copy a range of a landing file into a block."""

        def stage(url: str) -> str:
            return self._account.stage_block(blob_names.POINTS, path, index, url, source)

        return self._sources.read_by(source.container, source.name, source.version_id, stage)

    def commit(self, path: str, block_count: int, metadata: Mapping[str, str]) -> str:
        """Make a file of its blocks."""
        return self._account.commit(blob_names.POINTS, path, block_count, metadata)


class AzureVaultGuard(_VaultAccount):
    """Immutability policies and legal holds (control identity)."""

    def protect(self, container: str, path: str, version_id: str, until: datetime, mode: str) -> None:
        """Set a version's policy."""
        self._account.protect(container, path, version_id, until, mode)

    def set_legal_hold(self, container: str, path: str, version_id: str, *, is_held: bool) -> None:
        """Set or clear a version's legal hold."""
        self._account.set_legal_hold(container, path, version_id, is_held=is_held)


class AzureVaultCleaner(_VaultAccount):
    """Deletes, and writes of journal and plans (retention identity)."""

    def create(self, container: str, path: str, data: bytes) -> BlobFacts:
        """Create a blob; the identity's role admits only `journal` and `plans`."""
        return self._account.create(container, path, data)

    def delete(self, container: str, path: str, version_id: str = "") -> None:
        """Delete the base name and then the version: Azure refuses the current version's id first."""
        self._account.delete(container, path)
        if version_id:
            self._account.delete(container, path, version_id)
