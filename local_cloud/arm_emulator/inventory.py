"""Which resources exist now: the configuration, as changed by the events of the ledger.

Names compare case-insensitively; answers carry the names of the configuration. Unlike in Azure, where a server's
name is a DNS name, two subscriptions may each have a server of one name.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from local_cloud.arm_emulator import ledger
from local_cloud.arm_emulator.clock import parse_time
from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.ledger import Ledger
from local_cloud.arm_emulator.problems import (
    resource_group_not_found,
    resource_not_found,
    subscription_not_found,
)
from local_cloud.arm_emulator.resources import (
    SERVER_TYPE,
    STORAGE_TYPE,
    FlexibleServer,
    ResourceGroup,
    StorageAccount,
    Subscription,
)


class Inventory:
    """The emulated cloud's resources. Every change is an event first."""

    def __init__(self, config: EmulatorConfig, log: Ledger) -> None:
        self._log = log
        self._lock = threading.RLock()
        self._subscriptions = {item.subscription_id.lower(): item for item in config.subscriptions}
        self._groups = {item.resource_id.lower(): item for item in config.resource_groups}
        self._accounts = {item.resource_id.lower(): item for item in config.storage_accounts}
        self._known_servers = {item.resource_id.lower(): item for item in config.servers}
        self._deleted_servers: set[str] = set()
        for event in log.events(
            ledger.SERVER_CHANGED, ledger.ACCOUNT_CHANGED, ledger.SERVER_DELETED, ledger.RESOURCE_GROUP_DELETED
        ):
            self._apply(event)

    def subscriptions(self) -> list[Subscription]:
        """Return all subscriptions."""
        return list(self._subscriptions.values())

    def get_subscription(self, subscription_id: str) -> Subscription:
        """Return a subscription.

        Raises:
            ArmError: 404 `SubscriptionNotFound`.
        """
        found = self._subscriptions.get(subscription_id.lower())
        if found is None:
            raise subscription_not_found(subscription_id)
        return found

    def get_resource_group(self, subscription_id: str, name: str) -> ResourceGroup:
        """Return a resource group.

        Raises:
            ArmError: 404 `SubscriptionNotFound` or `ResourceGroupNotFound`.
        """
        self.get_subscription(subscription_id)
        with self._lock:
            found = self._groups.get(f"/subscriptions/{subscription_id}/resourceGroups/{name}".lower())
        if found is None:
            raise resource_group_not_found(name)
        return found

    def get_server(self, subscription_id: str, resource_group: str, name: str) -> FlexibleServer:
        """Return a server.

        Raises:
            ArmError: 404 `SubscriptionNotFound`, `ResourceGroupNotFound` or `ResourceNotFound`.
        """
        group = self.get_resource_group(subscription_id, resource_group)
        key = f"{group.resource_id}/providers/{SERVER_TYPE}/{name}".lower()
        with self._lock:
            found = None if key in self._deleted_servers else self._known_servers.get(key)
        if found is None:
            raise resource_not_found(SERVER_TYPE, name, resource_group)
        return found

    def get_storage_account(self, subscription_id: str, resource_group: str, name: str) -> StorageAccount:
        """Return a storage account.

        Raises:
            ArmError: 404 `SubscriptionNotFound`, `ResourceGroupNotFound` or `ResourceNotFound`.
        """
        group = self.get_resource_group(subscription_id, resource_group)
        with self._lock:
            found = self._accounts.get(f"{group.resource_id}/providers/{STORAGE_TYPE}/{name}".lower())
        if found is None:
            raise resource_not_found(STORAGE_TYPE, name, resource_group)
        return found

    def storage_accounts_under(self, scope: str) -> list[StorageAccount]:
        """Return the storage accounts of a subscription or resource group, by id."""
        with self._lock:
            return [account for key, account in sorted(self._accounts.items()) if key.startswith(f"{scope.lower()}/")]

    def servers_under(self, scope: str) -> list[FlexibleServer]:
        """Return the servers of a subscription or resource group, by id."""
        with self._lock:
            return [
                server
                for key, server in sorted(self._known_servers.items())
                if key not in self._deleted_servers and key.startswith(f"{scope.lower()}/")
            ]

    def change_server(self, name_or_id: str, changes: Mapping[str, Any]) -> FlexibleServer:
        """Change a server; a `createdAt` on a deleted one creates it anew under its old name.

        Args:
            name_or_id: A resource id, or a name that only one server has.
            changes: Wire names and values, see `resources.CHANGEABLE`.

        Raises:
            LookupError: There is no such server, or more than one.
            ValueError: A change is not allowed; the message says what is.
        """
        with self._lock:
            key = _key_of(name_or_id, self._known_servers, "servers")
            if key in self._deleted_servers and "createdAt" not in changes:
                raise LookupError(f"the server {name_or_id} was deleted; hint: a createdAt creates it anew")
            known = self._known_servers[key]
            known.changed(changes)  # refuses before anything is kept
            self._apply(self._log.append(ledger.SERVER_CHANGED, serverId=known.resource_id, changes=dict(changes)))
            return self._known_servers[key]

    def change_account(self, name_or_id: str, changes: Mapping[str, Any]) -> StorageAccount:
        """Change what ARM shows of a storage account.

        Args:
            name_or_id: A resource id, or a name that only one account has.
            changes: Wire names and values, see `resources.ACCOUNT_CHANGEABLE`.

        Raises:
            LookupError: There is no such account, or more than one.
            ValueError: A change is not allowed; the message says what is.
        """
        with self._lock:
            key = _key_of(name_or_id, self._accounts, "storage accounts")
            known = self._accounts[key]
            known.changed(changes)  # refuses before anything is kept
            self._apply(self._log.append(ledger.ACCOUNT_CHANGED, accountId=known.resource_id, changes=dict(changes)))
            return self._accounts[key]

    def delete_server(self, server: FlexibleServer) -> None:
        """Delete a server."""
        with self._lock:
            self._apply(self._log.append(ledger.SERVER_DELETED, serverId=server.resource_id))

    def delete_resource_group(self, group: ResourceGroup) -> None:
        """Delete a resource group with all that is in it."""
        with self._lock:
            self._apply(self._log.append(ledger.RESOURCE_GROUP_DELETED, scope=group.resource_id))

    def _apply(self, event: ledger.Event) -> None:
        if event["event"] == ledger.RESOURCE_GROUP_DELETED:
            self._remove_group(event["scope"].lower())
            return
        if event["event"] == ledger.ACCOUNT_CHANGED:
            account = self._accounts.get(event["accountId"].lower())
            if account is not None:  # else an older configuration's
                self._accounts[event["accountId"].lower()] = account.changed(event["changes"])
            return
        key = event["serverId"].lower()
        known = self._known_servers.get(key)
        if known is None:
            return  # an older configuration's server
        if event["event"] == ledger.SERVER_CHANGED:
            self._known_servers[key] = known.changed(event["changes"])
            if "createdAt" in event["changes"]:
                self._deleted_servers.discard(key)
        elif known.created_at <= parse_time(event["at"]):
            self._deleted_servers.add(key)

    def _remove_group(self, scope: str) -> None:
        self._groups.pop(scope, None)
        for resource_id in [item for item in self._accounts if item.startswith(f"{scope}/")]:
            del self._accounts[resource_id]
        self._deleted_servers.update(key for key in self._known_servers if key.startswith(f"{scope}/"))


def _key_of(name_or_id: str, known: Iterable[str], kind: str) -> str:
    wanted = name_or_id.strip("/").lower()
    found = [key for key in known if key in {wanted, f"/{wanted}"} or key.endswith(f"/{wanted}")]
    if len(found) != 1:
        hint = f"hint: use a resource id, one of {found}" if found else "hint: see the configuration"
        raise LookupError(f"{len(found)} {kind} are called {name_or_id!r}; {hint}")
    return found[0]
