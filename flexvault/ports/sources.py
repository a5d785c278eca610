"""What the vault asks of the servers that it protects, and of the tenants that they and it are in: all by ARM."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flexvault.domain.server import AzureBackupInstance, Server


class Servers(Protocol):
    """Reads of flexible servers."""

    def get(self, server_id: str) -> Server:
        """Read a server.

        Raises:
            NotFoundError: code ResourceNotFound or ResourceGroupNotFound.
            NotAuthorizedError: The control identity may not read it.
        """
        ...

    def list_azure_backup_instances(self, server_id: str) -> Sequence[AzureBackupInstance]:
        """Answer Azure Backup's own backup instances of a server, in whatever vault.

        Raises:
            NotAuthorizedError: The control identity may not ask; the hint holds the command that lets it.
            NotFoundError: There is no such server, or ARM knows no Azure Backup there.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultFacts:
    """What Azure says of the vault itself; what could not be read is empty."""

    redundancy: str = ""
    """Of the vault account: LocallyRedundant, ZoneRedundant or GeoRedundant, Azure Backup's words."""
    principal_id: str = ""
    """Object id of the control identity."""
    tenant_id: str = ""


class Surroundings(Protocol):
    """What the vault stands on."""

    def describe(self) -> VaultFacts:
        """Answer what is known; it never fails, and asks Azure again only now and then."""
        ...
