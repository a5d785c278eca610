"""End the deletion of backup instances: once nothing of one is left, its server is free again."""

from collections.abc import Iterator

from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import ConflictError, PermanentError
from flexvault.domain.event_rows import instance_target
from flexvault.domain.events import Rows
from flexvault.domain.instance import Instance, ProtectionState
from flexvault.domain.job import Operation
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.holds import list_holds
from flexvault.services.journal import Draft, append
from flexvault.services.retention_plan import list_manifests
from flexvault.services.vault import Vault


def end_deletions(vault: Vault) -> None:
    """Append `InstanceDeleted` for every instance that is being deleted and has nothing left, nor a hold."""
    for instance in list(_list_deleting(vault.ports)):
        if _is_something_left(vault.ports, instance):
            continue
        try:
            append(vault.ports, _draft(instance), by_retention=True)
        except PermanentError as error:
            # One instance's trouble must not keep the others from being ended.
            vault.ports.telemetry.emit("DeletionNotEnded", {"instance": instance.name, "code": error.code})


def _list_deleting(ports: Ports) -> Iterator[Instance]:
    return (instance for instance in catalog.list_instances(ports) if instance.state is ProtectionState.DELETING)


def _is_something_left(ports: Ports, instance: Instance) -> bool:
    """Look at what could still make or be a recovery point; the vault account decides, never a row alone."""
    if catalog.find_open_job(ports, row_keys.open_row(Operation.BACKUP, instance.key)) is not None:
        return True
    if any(point.state == "deleting" for point in catalog.list_all_points(ports, instance.key)):
        return True
    if list_holds(ports, instance.key):
        return True
    return next(list_manifests(ports, f"{instance.key}/"), None) is not None


def _draft(instance: Instance) -> Draft:
    def check(rows: Rows) -> None:
        row = rows[instance_target(instance.key)]
        now = None if row is None else Instance.from_values(row.values)
        is_same = now is not None and now.state is ProtectionState.DELETING and not now.is_deleted
        if now is None or not is_same or now.deletion_seq != instance.deletion_seq:
            raise ConflictError(f"the backup instance '{instance.name}' is not the one that was looked at")

    body = {
        "instance": instance.key,
        "server_id": instance.server_id,
        "deletion_seq": instance.deletion_seq,
        "before": {"state": instance.state.value},
        "after": None,
    }
    return Draft(
        stream=blob_names.VAULT_STREAM,
        type="InstanceDeleted",
        key=f"{instance.key}-{instance.deletion_seq}",
        body=body,
        actor={"name": "retention"},
        check=check,
    )
