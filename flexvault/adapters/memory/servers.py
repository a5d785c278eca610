"""Flexible servers and the roles on them, in dictionaries."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flexvault.adapters.memory.clock import SimulatedClock
from flexvault.adapters.memory.faults import Faults
from flexvault.domain import names, source_roles
from flexvault.domain.errors import NotAuthorizedError, NotFoundError
from flexvault.ports import AzureBackupInstance, Identity, Server, VaultFacts

VAULT_TENANT = "00000000-0000-4000-8000-000000000001"
CONTROL_PRINCIPAL = "00000000-0000-4000-8000-0000000000c0"


class MemoryServers:
    """Servers by ARM id, without regard to case."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self._servers: dict[str, Server] = {}
        self._azure_backup: dict[str, tuple[AzureBackupInstance, ...]] = {}

    def get(self, server_id: str) -> Server:
        """Read a server."""
        with self._faults.around("servers.get"), self._lock:
            try:
                return self._servers[server_id.lower()]
            except KeyError:
                message = f"server '{server_id}' does not exist"
                raise NotFoundError(message, code="ResourceNotFound", target=server_id) from None

    def list_azure_backup_instances(self, server_id: str) -> Sequence[AzureBackupInstance]:
        """Answer what `protect_by_azure_backup` put there."""
        with self._faults.around("servers.list_azure_backup_instances"), self._lock:
            if server_id.lower() not in self._servers:
                message = f"server '{server_id}' does not exist"
                raise NotFoundError(message, code="ResourceNotFound", target=server_id)
            return self._azure_backup.get(server_id.lower(), ())

    def protect_by_azure_backup(self, server_id: str, *instances: AzureBackupInstance) -> None:
        """Let Azure Backup have these backup instances of a server, and no others."""
        with self._lock:
            self._azure_backup[server_id.lower()] = instances

    def put(self, server: Server) -> None:
        """Add or replace a server."""
        with self._lock:
            self._servers[server.id.lower()] = server

    def change(self, server_id: str, **changes: Any) -> None:
        """Change what ARM says of a server, by the fields of `Server`."""
        self.put(replace(self.get(server_id), **changes))

    def set_state(self, server_id: str, state: str) -> None:
        """Put a server into another state, such as Stopped."""
        self.put(replace(self.get(server_id), state=state))

    def remove(self, server_id: str) -> None:
        """Delete a server."""
        with self._lock:
            del self._servers[server_id.lower()]


class MemoryTenancy:
    """Three identities of one tenant, and the tenants of subscriptions that a test names."""

    def __init__(self) -> None:
        self.identities = [
            Identity(name=name, client_id=name, object_id=f"oid-{name}", tenant_id=VAULT_TENANT)
            for name in ("control", "writer", "retention")
        ]
        self.tenants: dict[str, str] = {}

    def describe_identities(self) -> Sequence[Identity]:
        """Answer the identities."""
        return list(self.identities)

    def find_tenant(self, subscription_id: str) -> str:
        """Answer a subscription's tenant."""
        try:
            return self.tenants[subscription_id.lower()]
        except KeyError:
            message = f"subscription '{subscription_id}' is not shown"
            raise NotAuthorizedError(message, target=subscription_id) from None


class MemorySurroundings:
    """What a test says of the vault itself.

    Attributes:
        facts: Known from the beginning.
    """

    def __init__(self) -> None:
        self.facts = VaultFacts(redundancy="ZoneRedundant", principal_id="oid-control", tenant_id=VAULT_TENANT)

    def describe(self) -> VaultFacts:
        """Answer the facts."""
        return self.facts


class MemoryRoles:
    """Role assignments of the control identity; a new one takes effect after `delay`.

    Attributes:
        may_grant: Whether the vault may assign roles.
        grants: Every assignment made, as (server id, assignment name), in order.
    """

    def __init__(self, clock: SimulatedClock, faults: Faults, delay: timedelta = timedelta()) -> None:
        self._clock = clock
        self._faults = faults
        self._lock = threading.Lock()
        self._effective_at: dict[str, datetime] = {}
        self._assigned: dict[str, set[str]] = {}
        self.delay = delay
        self.may_grant = True
        self.grants: list[tuple[str, str]] = []

    def find_missing(self, server_id: str) -> Sequence[str]:
        """Answer the actions that are not in effect yet."""
        with self._faults.around("roles.find_missing"):
            return () if self.are_effective(server_id) else source_roles.NEEDED_ACTIONS

    def can_grant(self, server_id: str) -> bool:  # noqa: ARG002 - one answer for all servers
        """Answer whether the vault may assign roles."""
        with self._faults.around("roles.can_grant"):
            return self.may_grant

    def planned_assignments(self, server_id: str) -> Sequence[str]:
        """Derive the names of both assignments."""
        return tuple(
            names.role_assignment_name(server_id, role_id, CONTROL_PRINCIPAL) for role_id, _ in source_roles.ROLES
        )

    def grant(self, server_id: str) -> Sequence[str]:
        """Assign both roles; a repetition changes nothing."""
        with self._faults.around("roles.grant"):
            self._require_right(server_id, self.grant_commands(server_id))
            assignments = self.planned_assignments(server_id)
            with self._lock:
                for assignment in assignments:
                    if assignment not in self._assigned.setdefault(server_id.lower(), set()):
                        self._assigned[server_id.lower()].add(assignment)
                        self.grants.append((server_id, assignment))
                self._effective_at.setdefault(server_id.lower(), self._clock.host_now() + self.delay)
            return assignments

    def remove(self, server_id: str, assignments: Sequence[str]) -> None:
        """Delete assignments; without one of the two nothing works any more."""
        with self._faults.around("roles.remove"):
            with self._lock:
                present = self._assigned.get(server_id.lower(), set()) & set(assignments)
            if not present:
                return
            self._require_right(server_id, source_roles.removal_commands(server_id, assignments))
            with self._lock:
                self._assigned[server_id.lower()] -= present
                self._effective_at.pop(server_id.lower(), None)

    def assigned(self, server_id: str) -> frozenset[str]:
        """Answer the names of the assignments that exist on a server."""
        with self._lock:
            return frozenset(self._assigned.get(server_id.lower(), ()))

    def grant_commands(self, server_id: str) -> str:
        """Answer the commands that grant both roles."""
        return source_roles.grant_commands(server_id, CONTROL_PRINCIPAL)

    def revoke(self, server_id: str) -> None:
        """Take both roles away at once, as the owner of the server may."""
        with self._lock:
            self._assigned.pop(server_id.lower(), None)
            self._effective_at.pop(server_id.lower(), None)

    def linger(self, server_id: str) -> None:
        """Let both roles still work although their assignments are gone, as a removal does for some minutes."""
        with self._lock:
            self._effective_at[server_id.lower()] = self._clock.host_now()

    def _require_right(self, server_id: str, hint: str) -> None:
        if not self.may_grant:
            message = f"the vault may not assign roles on server '{server_id}'"
            raise NotAuthorizedError(message, hint=hint, target=server_id)

    def are_effective(self, server_id: str) -> bool:
        """Answer whether both roles are in effect now."""
        with self._lock:
            at = self._effective_at.get(server_id.lower())
        return at is not None and at <= self._clock.host_now()
