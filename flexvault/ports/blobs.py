"""The storage that the vault reads and writes: one protocol per identity, with no call more than it needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from flexvault.domain.account_checks import AccountSettings
from flexvault.ports.sources import WriteGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFacts:
    """What storage says of one blob (or one version of it)."""

    name: str
    size_bytes: int
    etag: str
    version_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    last_modified: datetime | None = None
    immutable_until: datetime | None = None
    """End of the version's immutability policy, to the second; a policy that has run out protects nothing."""
    immutability_mode: str = ""
    """Unlocked or Locked; empty without a policy."""
    has_legal_hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRange:
    """A part of a source blob that becomes one block of the target."""

    container: str
    name: str
    offset: int
    length: int
    version_id: str = ""


class LandingAccount(Protocol):
    """The only place that LTR writes to (writer identity)."""

    def create_container(self, container: str) -> None:
        """Create a container; an existing one is fine, because its name is this attempt's alone."""
        ...

    def delete_container(self, container: str) -> None:
        """Delete a container; a missing one is fine."""
        ...

    def list_containers(self) -> Iterable[BlobFacts]:
        """Answer every container's name and time of its last change; sizes are 0."""
        ...

    def list_files(self, container: str) -> Sequence[BlobFacts]: ...

    def read(self, container: str, name: str, offset: int, length: int) -> bytes:
        """Read at most `length` bytes; fewer at the end of the blob."""
        ...

    def issue_grant(
        self, containers: Sequence[str], permissions: str, life: timedelta, *, is_backdated: bool = True
    ) -> WriteGrant:
        """Mint a user delegation SAS per container, starting 15 minutes back, or now.

        Not backdated is what follows a failed attempt: its keys may have been revoked, and one that starts before
        the revocation may be taken for a revoked one.
        """
        ...


class VaultReader(Protocol):
    """Reads of the vault account (control identity)."""

    def read(
        self, container: str, path: str, *, offset: int = 0, length: int | None = None, version_id: str = ""
    ) -> bytes:
        """Read bytes.

        Raises:
            NotFoundError: code BlobNotFound.
        """
        ...

    def find(self, container: str, path: str, *, version_id: str = "") -> BlobFacts | None: ...

    def list_blobs(self, container: str, prefix: str) -> Iterable[BlobFacts]: ...

    def list_versions(self, container: str, prefix: str) -> Iterable[BlobFacts]:
        """Answer every version with its policy and hold, also behind a base name that was deleted."""
        ...

    def list_folders(self, container: str) -> Iterable[str]:
        """Answer, in order, what stands before the first slash in the names of current blobs, each once."""
        ...

    def list_blocks(self, container: str, path: str, *, version_id: str = "") -> Sequence[int]:
        """Answer the sizes in bytes of a blob's committed blocks, in order; none for a blob that was written whole.

        Raises:
            NotFoundError: code BlobNotFound.
        """
        ...


class VaultWriter(Protocol):
    """Writes of the vault account: create-only (writer identity)."""

    def create(self, container: str, path: str, data: bytes) -> BlobFacts:
        """Create a blob with `If-None-Match: *`.

        Raises:
            AlreadyExistsError: There is one.
        """
        ...

    def stage_block(self, path: str, index: int, source: BlockRange) -> str:
        """Copy a range of a landing file into a block of a file in `points`; answers its CRC64, in base64."""
        ...

    def commit(self, path: str, block_count: int, metadata: Mapping[str, str]) -> str:
        """Make a file of its blocks with `If-None-Match: *`; answers the version's id.

        Raises:
            AlreadyExistsError: There is a blob of that name.
        """
        ...


class VaultGuard(Protocol):
    """Immutability and legal holds of versions in the vault account (control identity, which may not write or delete).

    Source: https://learn.microsoft.com/rest/api/storageservices/set-blob-immutability-policy, .../set-blob-legal-hold
    """

    def protect(self, container: str, path: str, version_id: str, until: datetime, mode: str) -> None:
        """Set a version's policy, in place of the one that it has; storage keeps whole seconds.

        Args:
            container: Where it lies.
            path: Its name.
            version_id: The version; the current one without.
            until: In the future.
            mode: Unlocked or Locked.

        Raises:
            NotFoundError: There is no such version.
            ConflictError: A Locked policy can only be made longer.
        """
        ...

    def set_legal_hold(self, container: str, path: str, version_id: str, *, is_held: bool) -> None:
        """Set or clear a version's legal hold; it stands beside the policy.

        Raises:
            NotFoundError: There is no such version.
        """
        ...


class VaultCleaner(Protocol):
    """Deletes of the vault account, and writes of journal and plans (retention identity)."""

    def create(self, container: str, path: str, data: bytes) -> BlobFacts:
        """Create a blob in `journal` or `plans` with `If-None-Match: *`; raises AlreadyExistsError."""
        ...

    def delete(self, container: str, path: str, version_id: str = "") -> None:
        """Delete the base name and then the version; a missing blob is fine.

        Raises:
            ConflictError: code BlobImmutableDueToPolicy or BlobImmutableDueToLegalHold: it is protected.
        """
        ...


class RestoreTarget(Protocol):
    """A container that a restore writes to (writer identity), named by its URL."""

    def find_account(self, container_url: str, resource_id: str) -> AccountSettings | None:
        """Ask ARM for the container's account; nothing is sent to the URL, which may be anybody's.

        Answers its settings when ARM shows the control identity an account of that id with that blob endpoint.
        """
        ...

    def probe(self, container_url: str, resource_id: str) -> None:
        """Reach the container with the writer's token: only for a container that is known to be inside.

        Raises:
            NotFoundError: code ContainerNotFound.
            NotAuthorizedError: The hint holds the command that grants Storage Blob Data Contributor.
        """
        ...

    def list_blobs(self, container_url: str, prefix: str) -> Sequence[BlobFacts]: ...

    def stage_block(self, container_url: str, name: str, index: int, source: BlockRange) -> str:
        """Copy a range of a version in the vault account into a block of the target; answers its CRC64, in base64."""
        ...

    def commit(
        self, container_url: str, name: str, block_count: int, metadata: Mapping[str, str], *, etag: str = ""
    ) -> None:
        """Make a blob of its blocks with `If-None-Match: *`, or `If-Match` when an ETag is given.

        Raises:
            AlreadyExistsError: There is a blob of that name.
        """
        ...

    def create(self, container_url: str, name: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Create a small blob with `If-None-Match: *`; raises AlreadyExistsError."""
        ...
