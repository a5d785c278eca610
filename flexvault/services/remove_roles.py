"""Remove the roles that flexvault granted itself on a server, once its protection has ended with its data.

The entry `InstanceDeleted` comes first; then `reconcile` removes, by the names that were journalled, until the entry
`RolesRemoved` says that it is done. A server that another backup instance protects keeps them: the last one's end
removes them. Whoever configures the server meanwhile sees the intent: a removal and a grant never cross.
"""

from datetime import datetime, timedelta
from itertools import islice

from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import PermanentError, TransientError, VaultError
from flexvault.domain.event_rows import config_target, put
from flexvault.domain.instance import Instance
from flexvault.domain.source_roles import removal_commands
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.journal import Draft, append, find_row
from flexvault.services.vault import Vault

REMOVED_PER_RUN = 5
ROTATES_EVERY = timedelta(minutes=5)
TRY_AGAIN_AFTER = timedelta(days=1)
EFFECT = timedelta(minutes=10)
"""How long a removal may take to have its effect everywhere, and how long an intent counts that nobody finishes."""
_BEGUN, _DONE, _REFUSED, _WITHDRAWN = "begun", "done", "refused", "withdrawn"


def remove_roles(vault: Vault, now: datetime) -> int:
    """Remove the roles of instances that are gone, a few at a time; answers of how many."""
    pending = [one for one in catalog.list_instances(vault.ports, with_deleted=True) if one.has_roles_to_remove]
    removed = 0
    # Each run begins at another one: servers that cannot be reached must not take every turn.
    begin = int(now.timestamp() // ROTATES_EVERY.total_seconds()) % len(pending) if pending else 0
    pending = [*pending[begin:], *pending[:begin]]
    for instance in islice((one for one in pending if _may_try(vault.ports, one, now)), REMOVED_PER_RUN):
        try:
            removed += _remove(vault, instance, now)
        except VaultError as error:
            # One server's trouble must not keep the others from being looked at; what is open is tried again.
            vault.ports.telemetry.emit("RolesNotRemoved", {"instance": instance.name, "code": error.code})
    return removed


def is_being_removed(ports: Ports, server_id: str, now: datetime) -> bool:
    """Say whether somebody removes a server's roles right now: who wants to grant them waits."""
    return _is_recent(ports, server_id, now, _BEGUN)


def were_just_removed(ports: Ports, server_id: str, now: datetime) -> bool:
    """Say whether a server's roles went so lately that they may still seem to be there."""
    return _is_recent(ports, server_id, now, _BEGUN, _DONE)


def _remove(vault: Vault, instance: Instance, now: datetime) -> bool:
    _write(vault.ports, instance.server_id, _BEGUN, now)
    # After the intent: whoever claims the server from here on sees it before it looks for roles.
    if catalog.find_server_claim(vault.ports, instance.server_id) is not None:
        _write(vault.ports, instance.server_id, _WITHDRAWN, now)
        return False
    try:
        vault.ports.roles.remove(instance.server_id, instance.assignments)
    except PermanentError as error:
        command = removal_commands(instance.server_id, instance.assignments)
        facts = {"instance": instance.name, "server_id": instance.server_id, "code": error.code, "command": command}
        vault.ports.telemetry.emit("RolesNotRemoved", facts)
        _write(vault.ports, instance.server_id, _REFUSED, now)
        return False
    except TransientError:
        _write(vault.ports, instance.server_id, _WITHDRAWN, now)
        raise
    append(vault.ports, _draft(instance))
    _write(vault.ports, instance.server_id, _DONE, vault.ports.clock.storage_now())
    return True


def _may_try(ports: Ports, instance: Instance, now: datetime) -> bool:
    """Who was refused asks again the next day: it is reported once a day, and costs one call."""
    if catalog.find_server_claim(ports, instance.server_id) is not None:
        return False  # another instance protects the server
    return not _is_recent(ports, instance.server_id, now, _REFUSED, within=TRY_AGAIN_AFTER)


def _is_recent(ports: Ports, server_id: str, now: datetime, *states: str, within: timedelta = EFFECT) -> bool:
    row = find_row(ports, config_target(row_keys.removal_row(server_id)))
    at = None if row is None or row.values["state"] not in states else row.values["at"]
    return isinstance(at, datetime) and now < at + within


def _write(ports: Ports, server_id: str, state: str, now: datetime) -> None:
    """Write the state of a removal; raises RowChangedError when another run is at it."""
    target = config_target(row_keys.removal_row(server_id))
    change = put(target, find_row(ports, target), {"server_id": server_id, "state": state, "at": now})
    ports.rows.apply(target.table, target.partition, [change])


def _draft(instance: Instance) -> Draft:
    body = {
        "instance": instance.key,
        "server_id": instance.server_id,
        "deletion_seq": instance.deletion_seq,
        "assignments": list(instance.assignments),
    }
    return Draft(
        stream=blob_names.VAULT_STREAM,
        type="RolesRemoved",
        key=f"{instance.key}-{instance.deletion_seq}",
        body=body,
        actor={"name": "reconcile"},
    )
