"""What the services need from the world: small protocols, named by role.

Adapters raise only the errors of `flexvault.domain.errors`: `TransientError` (and its kinds) for what may pass,
`NotFoundError`, `NotAuthorizedError`, `AlreadyExistsError`, `RowChangedError` and `PermanentError` for what will not.
A refusal is never answered as "nothing there". No message or value holds a SAS but `WriteGrant`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flexvault.domain.rows import Change as Change
from flexvault.domain.rows import Delete as Delete
from flexvault.domain.rows import Insert as Insert
from flexvault.domain.rows import Merge as Merge
from flexvault.domain.rows import Replace as Replace
from flexvault.domain.rows import Row as Row
from flexvault.domain.rows import Scalar as Scalar
from flexvault.domain.server import AzureBackupInstance as AzureBackupInstance
from flexvault.domain.server import Server as Server
from flexvault.ports.blobs import BlobFacts as BlobFacts
from flexvault.ports.blobs import BlockRange as BlockRange
from flexvault.ports.blobs import LandingAccount as LandingAccount
from flexvault.ports.blobs import RestoreTarget as RestoreTarget
from flexvault.ports.blobs import VaultCleaner as VaultCleaner
from flexvault.ports.blobs import VaultGuard as VaultGuard
from flexvault.ports.blobs import VaultReader as VaultReader
from flexvault.ports.blobs import VaultWriter as VaultWriter
from flexvault.ports.sources import Identity as Identity
from flexvault.ports.sources import LongTermRetention as LongTermRetention
from flexvault.ports.sources import LtrOperation as LtrOperation
from flexvault.ports.sources import Servers as Servers
from flexvault.ports.sources import SourceRoles as SourceRoles
from flexvault.ports.sources import Surroundings as Surroundings
from flexvault.ports.sources import Tenancy as Tenancy
from flexvault.ports.sources import VaultFacts as VaultFacts
from flexvault.ports.sources import WriteGrant as WriteGrant


class Clock(Protocol):
    """Two clocks: this machine's, and the one that deletions are judged by."""

    def host_now(self) -> datetime:
        """Answer this machine's time, aware, in UTC."""
        ...

    def storage_now(self) -> datetime:
        """Answer the time of the vault account's Date header, aware, in UTC."""
        ...


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


class Telemetry(Protocol):
    """What operations people see in Application Insights."""

    def emit(self, event: str, facts: Mapping[str, Scalar]) -> None:
        """Send one custom event."""
        ...

    def within(self, more: Mapping[str, str]) -> AbstractContextManager[None]:
        """Put facts on the trace and on every log record of this thread until the end of the block."""
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
    surroundings: Surroundings
    landing: LandingAccount
    vault_reader: VaultReader
    vault_writer: VaultWriter
    vault_guard: VaultGuard
    vault_cleaner: VaultCleaner
    restore_target: RestoreTarget
    telemetry: Telemetry
