"""The blob ports over one `MemoryStorage`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flexvault.adapters.memory.faults import Faults
from flexvault.adapters.memory.storage import LANDING, RESTORE, VAULT, MemoryStorage
from flexvault.domain import blob_names
from flexvault.domain.account_checks import AccountSettings
from flexvault.domain.errors import NotAuthorizedError, NotFoundError
from flexvault.ports import BlobFacts, BlockRange, WriteGrant

RESTORE_ENDPOINT = "https://restore.example"


class MemoryLanding:
    """The landing account."""

    def __init__(self, storage: MemoryStorage, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults

    def create_container(self, container: str) -> None:
        """Create a container; an existing one is fine."""
        with self._faults.around("landing.create_container"):
            self._storage.create_container(LANDING, container)

    def delete_container(self, container: str) -> None:
        """Delete a container; a missing one is fine."""
        with self._faults.around("landing.delete_container"):
            self._storage.delete_container(LANDING, container)

    def list_containers(self) -> Iterable[BlobFacts]:
        """Answer every container."""
        with self._faults.around("landing.list_containers"):
            return self._storage.list_containers(LANDING)

    def list_files(self, container: str) -> Sequence[BlobFacts]:
        """Answer the files of a container."""
        with self._faults.around("landing.list_files"):
            return self._storage.list_blobs(LANDING, container)

    def read(self, container: str, name: str, offset: int, length: int) -> bytes:
        """Read a part of a file."""
        with self._faults.around("landing.read"):
            return self._storage.read(LANDING, container, name)[offset : offset + length]

    def issue_grant(
        self, containers: Sequence[str], permissions: str, life: timedelta, *, is_backdated: bool = True
    ) -> WriteGrant:
        """Grant writes."""
        with self._faults.around("landing.issue_grant"):
            return self._storage.issue_grant(containers, permissions, life, is_backdated=is_backdated)


class MemoryVaultReader:
    """Reads of the vault account."""

    def __init__(self, storage: MemoryStorage, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults

    def read(
        self, container: str, path: str, *, offset: int = 0, length: int | None = None, version_id: str = ""
    ) -> bytes:
        """Read a blob or a part of it."""
        with self._faults.around("vault_reader.read"):
            data = self._storage.read(VAULT, container, path, version_id)
            return data[offset:] if length is None else data[offset : offset + length]

    def find(self, container: str, path: str, *, version_id: str = "") -> BlobFacts | None:
        """Answer what is known of a blob."""
        with self._faults.around("vault_reader.find"):
            return self._storage.find(VAULT, container, path, version_id)

    def list_blobs(self, container: str, prefix: str) -> Iterable[BlobFacts]:
        """Answer current blobs."""
        with self._faults.around("vault_reader.list_blobs"):
            return self._storage.list_blobs(VAULT, container, prefix)

    def list_versions(self, container: str, prefix: str) -> Iterable[BlobFacts]:
        """Answer every version."""
        with self._faults.around("vault_reader.list_versions"):
            return self._storage.list_versions(VAULT, container, prefix)

    def list_folders(self, container: str) -> Iterable[str]:
        """Answer what stands before the first slash in names."""
        with self._faults.around("vault_reader.list_folders"):
            found = self._storage.list_blobs(VAULT, container)
            return sorted({blob.name.partition("/")[0] for blob in found if "/" in blob.name})

    def list_blocks(self, container: str, path: str, *, version_id: str = "") -> Sequence[int]:
        """Answer the sizes of a blob's committed blocks."""
        with self._faults.around("vault_reader.list_blocks"):
            return self._storage.list_blocks(VAULT, container, path, version_id)


class MemoryVaultWriter:
    """Create-only writes of the vault account."""

    def __init__(self, storage: MemoryStorage, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults

    def create(self, container: str, path: str, data: bytes) -> BlobFacts:
        """Create a blob."""
        with self._faults.around("vault_writer.create"):
            return self._storage.put(VAULT, container, path, data, only_if_missing=True)

    def stage_block(self, path: str, index: int, source: BlockRange) -> str:
        """Copy a range of a landing file into a block."""
        with self._faults.around("vault_writer.stage_block"):
            return self._storage.stage(VAULT, blob_names.POINTS, path, index, _cut(self._storage, LANDING, source))

    def commit(self, path: str, block_count: int, metadata: Mapping[str, str]) -> str:
        """Make a file of its blocks."""
        with self._faults.around("vault_writer.commit"):
            return self._storage.commit(VAULT, blob_names.POINTS, path, block_count, metadata).version_id


class MemoryVaultGuard:
    """Immutability policies and legal holds of the vault account."""

    def __init__(self, storage: MemoryStorage, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults

    def protect(self, container: str, path: str, version_id: str, until: datetime, mode: str) -> None:
        """Set a version's policy."""
        with self._faults.around("vault_guard.protect"):
            self._storage.protect(container, path, version_id, until, mode)

    def set_legal_hold(self, container: str, path: str, version_id: str, *, is_held: bool) -> None:
        """Set or clear a version's legal hold."""
        with self._faults.around("vault_guard.set_legal_hold"):
            self._storage.set_legal_hold(container, path, version_id, is_held=is_held)


class MemoryVaultCleaner:
    """Deletes of the vault account, and writes of journal and plans."""

    def __init__(self, storage: MemoryStorage, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults

    def create(self, container: str, path: str, data: bytes) -> BlobFacts:
        """Create a blob in `journal` or `plans`; the identity may write nowhere else."""
        if container not in (blob_names.JOURNAL, blob_names.PLANS):
            raise NotAuthorizedError(f"container '{container}' may not be written by the retention identity")
        with self._faults.around("vault_cleaner.create"):
            return self._storage.put(VAULT, container, path, data, only_if_missing=True)

    def delete(self, container: str, path: str, version_id: str = "") -> None:
        """Delete the base name and then the version."""
        with self._faults.around("vault_cleaner.delete"):
            self._storage.delete(VAULT, container, path, version_id)


class MemoryRestoreTarget:
    """Containers of one restore account at `RESTORE_ENDPOINT`.

    Attributes:
        visible_account_id: The ARM id that ARM shows to the control identity; "" when it shows none.
        settings: What ARM says of that account; its id is the one above.
        refused: Containers that the writer may not reach.
        probed: Every URL that the writer's token was sent to, in order.
    """

    def __init__(self, storage: MemoryStorage, faults: Faults) -> None:
        self._storage = storage
        self._faults = faults
        self.visible_account_id = ""
        self.settings = AccountSettings(id="")
        self.refused: set[str] = set()
        self.probed: list[str] = []

    def find_account(self, container_url: str, resource_id: str) -> AccountSettings | None:
        """Ask ARM, which shows the one restore account at most."""
        with self._faults.around("restore_target.find_account"):
            is_there = container_url.startswith(f"{RESTORE_ENDPOINT}/")
            is_shown = bool(self.visible_account_id) and resource_id.lower().startswith(self.visible_account_id.lower())
            return replace(self.settings, id=self.visible_account_id) if is_there and is_shown else None

    def probe(self, container_url: str, resource_id: str) -> None:  # noqa: ARG002 - the id is for the command alone
        """Reach the container."""
        with self._faults.around("restore_target.probe"):
            self.probed.append(container_url)
            container = self._container(container_url)
            if not self._storage.has_container(RESTORE, container):
                raise NotFoundError(f"container '{container_url}' does not exist", code="ContainerNotFound")

    def list_blobs(self, container_url: str, prefix: str) -> Sequence[BlobFacts]:
        """Answer the blobs of a prefix."""
        with self._faults.around("restore_target.list_blobs"):
            return self._storage.list_blobs(RESTORE, self._container(container_url), prefix)

    def stage_block(self, container_url: str, name: str, index: int, source: BlockRange) -> str:
        """Copy a range of a version in the vault account into a block."""
        with self._faults.around("restore_target.stage_block"):
            data = _cut(self._storage, VAULT, source)
            return self._storage.stage(RESTORE, self._container(container_url), name, index, data)

    def commit(
        self, container_url: str, name: str, block_count: int, metadata: Mapping[str, str], *, etag: str = ""
    ) -> None:
        """Make a blob of its blocks."""
        with self._faults.around("restore_target.commit"):
            self._storage.commit(RESTORE, self._container(container_url), name, block_count, metadata, etag=etag)

    def create(self, container_url: str, name: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Create a small blob."""
        with self._faults.around("restore_target.create"):
            container = self._container(container_url)
            self._storage.put(RESTORE, container, name, data, metadata, only_if_missing=True)

    def _container(self, container_url: str) -> str:
        container = urlsplit(container_url).path.strip("/")
        if container in self.refused:
            raise NotAuthorizedError(
                f"the writer identity may not write to container '{container_url}'",
                hint='az role assignment create --role "Storage Blob Data Contributor"',
            )
        return container


def _cut(storage: MemoryStorage, account: str, source: BlockRange) -> bytes:
    data = storage.read(account, source.container, source.name, source.version_id)
    return data[source.offset : source.offset + source.length]
