"""Stop, suspend and resume protection, and delete an instance with its data: every change is a journal entry first."""

from collections.abc import Mapping
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.errors import RowChangedError, TransientError
from flexvault.domain.event_rows import instance_target, seq_of
from flexvault.domain.events import Rows
from flexvault.domain.instance import Instance, ProtectionState
from flexvault.domain.protection_moves import Verb, find_move, require_deletable
from flexvault.services import catalog
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.holds import list_holds
from flexvault.services.journal import Draft, append
from flexvault.services.vault import Vault

MAX_TRIES = 10
INSTANCE_DELETE = "Microsoft.DataProtection/backupVaults/backupInstances/delete"
_EVENTS = {
    ProtectionState.STOPPED: "ProtectionStopped",
    ProtectionState.SUSPENDED: "BackupsSuspended",
    ProtectionState.CONFIGURED: "ProtectionResumed",
}
_REASONS = {ProtectionState.SUSPENDED: "Suspended", ProtectionState.STOPPED: "Stopped"}


def change_protection(vault: Vault, instance_id: str, verb: Verb, actor: Mapping[str, str]) -> Instance:
    """Stop, suspend or resume; what is so already is left alone. Answers the instance as it is then.

    Raises:
        NotFoundError: There is no such instance.
        ConflictError: It is being configured or deleted.
        InvalidInputError: The verb cannot be used in its state.
        TransientError: Others change it all the time.
    """
    for _ in range(MAX_TRIES):
        instance = catalog.get_instance(vault.ports, instance_id)
        after = find_move(instance, verb)
        if after is None:
            return instance
        body = {
            "instance": instance.key,
            "replaces_seq": instance.journal_seq,
            "before": {"state": instance.state.value},
            "after": {"state": after.value},
            **(_pause_of(instance) if after is ProtectionState.CONFIGURED else {}),
        }
        if _append(vault, instance, _EVENTS[after], body, actor):
            return catalog.get_instance(vault.ports, instance_id)
    raise _contended(instance_id)


def request_deletion(vault: Vault, instance_id: str, actor: Mapping[str, str]) -> tuple[Instance, bool] | None:
    """Begin to delete an instance with all of its recovery points, which needs a second person.

    Answers the instance and whether this call began it; nothing when there is no such instance.

    Raises:
        ApprovalRequiredError: A second person must approve it first.
        ConflictError: It is being configured.
        TransientError: Others change it all the time.
    """
    for _ in range(MAX_TRIES):
        instance = catalog.find_instance(vault.ports, instance_id)
        if instance is None:
            return None
        if instance.state is ProtectionState.DELETING:
            return instance, False
        require_deletable(instance)
        approval = require_approval(vault, _deletion_of(vault, instance, actor))
        body = {
            "instance": instance.key,
            "server_id": instance.server_id,
            "replaces_seq": instance.journal_seq,
            "before": {"state": instance.state.value},
            "after": {"state": ProtectionState.DELETING.value},
            "approval_id": approval.id,
        }
        if _append(vault, instance, "DataDeletionRequested", body, actor):
            return catalog.get_instance(vault.ports, instance_id), True
    raise _contended(instance_id)


def _append(vault: Vault, instance: Instance, kind: str, body: Mapping[str, Any], actor: Mapping[str, str]) -> bool:
    """Append a change of state; answers False when the instance was changed otherwise meanwhile.

    An event is named by the state that it replaces: the same change of the same state is one event.
    """

    def check(rows: Rows) -> None:
        approval_id = body.get("approval_id")
        if approval_id and check_unused(rows, approval_id, draft.event_id, vault.ports.clock.storage_now()):
            return
        if seq_of(rows[instance_target(instance.key)]) != instance.journal_seq:
            raise RowChangedError(f"the backup instance '{instance.name}' was changed meanwhile")

    draft = Draft(
        stream=blob_names.VAULT_STREAM,
        type=kind,
        key=f"{instance.key}-{instance.journal_seq}",
        body=body,
        actor=actor,
        check=check,
    )
    try:
        append(vault.ports, draft)
    except RowChangedError:
        return False
    return True


def _pause_of(instance: Instance) -> dict[str, str]:
    """Say from when and why the schedule slept; a row that does not know since when slept since its last change."""
    since = instance.paused_from or instance.changed_at
    return {"paused_from": since.isoformat(), "reason": _REASONS[instance.state]}


def _deletion_of(vault: Vault, instance: Instance, actor: Mapping[str, str]) -> CriticalChange:
    points = catalog.list_points(vault.ports, instance.key)
    if points:
        newest, oldest = points[0].recovery_point_time, points[-1].recovery_point_time
        text = (
            f"it deletes {len(points)} recovery point(s) for good, "
            f"the oldest of {oldest:%Y-%m-%d}, the newest of {newest:%Y-%m-%d}"
        )
    else:
        text = "it ends the protection of its server; there are no recovery points yet"
    return CriticalChange(
        operation=INSTANCE_DELETE,
        path=instance.id.lower(),
        body=None,
        actor=actor,
        target=instance_target(instance.key),
        target_seq=instance.journal_seq,
        reasons=(text, *_find_holds(vault, instance)),
        before={"state": instance.state.value, "serverId": instance.server_id, "recoveryPoints": len(points)},
        after=None,
    )


def _find_holds(vault: Vault, instance: Instance) -> tuple[str, ...]:
    held = [hold.name for hold in list_holds(vault.ports, instance.key)]
    if not held:
        return ()
    return (f"{len(held)} legal hold(s) keep it from ending until they are released: {', '.join(held[:5])}",)


def _contended(instance_id: str) -> TransientError:
    return TransientError(f"the backup instance '{instance_id}' is changed by others", code="JournalContended")
