"""What the services need from the world: small protocols, named by role.

Adapters raise only the errors of `flexvault.domain.errors`: `TransientError` (and its kinds) for what may pass,
`NotFoundError`, `NotAuthorizedError`, `AlreadyExistsError`, `RowChangedError` and `PermanentError` for what will not.
A refusal is never answered as "nothing there". No message or value holds a SAS but `WriteGrant.urls`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from flexvault.domain.rows import Change as Change
from flexvault.domain.rows import Delete as Delete
from flexvault.domain.rows import Insert as Insert
from flexvault.domain.rows import Merge as Merge
from flexvault.domain.rows import Replace as Replace
from flexvault.domain.rows import Row as Row
from flexvault.domain.rows import Scalar as Scalar


class Clock(Protocol):
    """Two clocks: this machine's, and the one that deletions are judged by."""

    def host_now(self) -> datetime:
        """Answer this machine's time, aware, in UTC."""
        ...

    def storage_now(self) -> datetime:
        """Answer the time of the vault account's Date header, aware, in UTC."""
        ...


# Tables --------------------------------------------------------------------------------------------------------------


class Rows(Protocol):
    """Table Storage."""

    def find(self, table: str, partition: str, key: str) -> Row | None: ...

    def query(self, table: str, partition: str, *, start: str, end: str, limit: int | None = None) -> Iterator[Row]:
        """Answer rows whose key is in [start, end), in key order, at most `limit`."""
        ...

    def apply(self, table: str, partition: str, changes: Sequence[Change]) -> None:
        """Carry out all changes or none (at most 100).

        Raises:
            AlreadyExistsError: A row to insert exists.
            RowChangedError: A row is not the one that was read, or is gone.
        """
        ...


# ARM -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What ARM says of a flexible server."""

    id: str
    name: str
    location: str
    state: str
    version: str = ""
    replication_role: str = "Primary"
    storage_size_gib: int | None = None
    created_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class Servers(Protocol):
    """Reads of flexible servers."""

    def get(self, server_id: str) -> Server:
        """Read a server.

        Raises:
            NotFoundError: code ResourceNotFound or ResourceGroupNotFound.
            NotAuthorizedError: The control identity may not read it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LtrOperation:
    """What the server says of one long-term-retention backup."""

    backup_name: str
    status: str
    """Running, Succeeded, Failed, Cancelled, or a word not known yet: treat it as Running."""
    percent_complete: float | None = None
    datasource_size_bytes: int | None = None
    transferred_bytes: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error_code: str = ""
    error_message: str = ""


class WriteGrant:
    """Container URLs with a write SAS: goes into one message only and prints as nothing."""

    __slots__ = ("_urls",)

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(urls)

    def reveal(self) -> tuple[str, ...]:
        """Hand out the URLs; only the adapter that sends them may ask."""
        return self._urls

    def __repr__(self) -> str:
        return f"WriteGrant({len(self._urls)} containers)"

    def __reduce__(self) -> str | tuple[Any, ...]:
        message = "a write grant is never stored"
        raise TypeError(message)


class LongTermRetention(Protocol):
    """The server's own backup API."""

    def check_prerequisites(self, server_id: str, backup_name: str) -> int:
        """Ask how many containers the backup needs (ltrPreBackup)."""
        ...

    def start(self, server_id: str, backup_name: str, grant: WriteGrant) -> None:
        """POST startLtrBackup once, never repeated by the client.

        Raises:
            OutcomeUnknownError: No answer, or one that does not say whether it was accepted.
            ThrottledError: 429: surely not accepted.
            ConflictError: code ServerIsBusy, ServerBusy or ServerNotReadyForLongTermBackup: surely not accepted.
            NotAuthorizedError, NotFoundError, InvalidInputError: surely not accepted.
        """
        ...

    def find(self, server_id: str, backup_name: str) -> LtrOperation | None:
        """Read one operation; nothing when the server knows no such name (404)."""
        ...

    def list_by_server(self, server_id: str) -> Sequence[LtrOperation]: ...


class SourceRoles(Protocol):
    """The two roles that a backup needs on its source server."""

    def find_missing(self, server_id: str) -> Sequence[str]:
        """Answer the actions that the control identity may not do on the server, by asking what it may do."""
        ...

    def can_grant(self, server_id: str) -> bool:
        """Say whether the control identity may assign roles on the server."""
        ...

    def planned_assignments(self, server_id: str) -> Sequence[str]:
        """Answer the names of the assignments that `grant` would make: they derive from server, role and identity."""
        ...

    def grant(self, server_id: str) -> Sequence[str]:
        """Assign the roles at server scope under derived names; answers the names that exist then.

        A role that the identity holds there under another name is not ours and is not among them.

        Raises:
            NotAuthorizedError: The vault may not grant; the hint holds the commands for a person.
        """
        ...

    def remove(self, server_id: str, assignments: Sequence[str]) -> None:
        """Delete assignments at server scope by their names; a missing one, or a missing server, is fine.

        Raises:
            NotAuthorizedError: The vault may not; the hint holds the commands for a person.
        """
        ...

    def grant_commands(self, server_id: str) -> str:
        """Answer the commands that grant both roles."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What an identity of this app says of itself."""

    name: str
    """control, writer or retention."""
    client_id: str
    object_id: str = ""
    """Empty without a token."""
    tenant_id: str = ""


class Tenancy(Protocol):
    """Whose identities these are, and whose subscriptions."""

    def describe_identities(self) -> Sequence[Identity]:
        """Answer the identities that this app holds; one without a token is answered without ids."""
        ...

    def find_tenant(self, subscription_id: str) -> str:
        """Answer the home tenant of a subscription.

        Raises:
            NotFoundError, NotAuthorizedError: The control identity may not see it.
        """
        ...


# Blobs ---------------------------------------------------------------------------------------------------------------


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

    def find_account(self, container_url: str, resource_id: str) -> Mapping[str, str]:
        """Ask ARM for the container's account; nothing is sent to the URL, which may be anybody's.

        Answers `account_id` (when ARM shows the control identity an account of that id with that blob endpoint, else
        "") and `settings` (in words).
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


# Telemetry and the host ----------------------------------------------------------------------------------------------


class Telemetry(Protocol):
    """What operations people see in Application Insights."""

    def emit(self, event: str, facts: Mapping[str, Scalar]) -> None:
        """Send one custom event."""
        ...


class Orchestrations(Protocol):
    """The durable task hub: what runs right now, never a truth."""

    def start(self, name: str, instance_id: str, payload: Mapping[str, Any]) -> bool:
        """Start an orchestration; False when one of that id is running already.

        Raises:
            TransientError: code TaskHubUnusable: the hub refused.
        """
        ...

    def is_alive(self, instance_id: str) -> bool:
        """Say whether the hub holds an instance of this id that has not ended: a hint, never a truth."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that a service may reach."""

    clock: Clock
    rows: Rows
    servers: Servers
    ltr: LongTermRetention
    roles: SourceRoles
    tenancy: Tenancy
    landing: LandingAccount
    vault_reader: VaultReader
    vault_writer: VaultWriter
    vault_guard: VaultGuard
    vault_cleaner: VaultCleaner
    restore_target: RestoreTarget
    telemetry: Telemetry
