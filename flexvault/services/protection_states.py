"""Stop, suspend and resume protection, and delete an instance with its data: every change is a journal entry first."""

from collections.abc import Mapping
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.errors import RowChangedError, TransientError
from flexvault.domain.event_rows import instance_target, seq_of
from flexvault.domain.events import Rows
from flexvault.domain.instance import GOING, Instance, ProtectionState
from flexvault.domain.missed_slots import WHILE_PAUSED
from flexvault.domain.protection_moves import Verb, find_move, require_deletable
from flexvault.domain.soft_delete import DAYS
from flexvault.services import catalog
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.holds import list_holds
from flexvault.services.immutability import find_left
from flexvault.services.journal import Draft, append
from flexvault.services.poisoning_guard import read_poisoning
from flexvault.services.vault import Vault

MAX_TRIES = 10
INSTANCE_DELETE = "Microsoft.DataProtection/backupVaults/backupInstances/delete"
INSTANCE_RESUME = "Microsoft.DataProtection/backupVaults/backupInstances/resumeProtection/action"
TOLD_DATES = 3
_EVENTS = {
    ProtectionState.STOPPED: "ProtectionStopped",
    ProtectionState.SUSPENDED: "BackupsSuspended",
    ProtectionState.CONFIGURED: "ProtectionResumed",
}


def change_protection(vault: Vault, instance_id: str, verb: Verb, actor: Mapping[str, str]) -> Instance:
    """Stop, suspend or resume; what is so already is left alone. Answers the instance as it is then.

    To resume a stopped protection whose recovery points have expired meanwhile needs a second person: "for ever" is
    no promise if one person can end it.

    Raises:
        NotFoundError: There is no such instance.
        ApprovalRequiredError: A second person must approve it first.
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
            **(_resumption(vault, instance, actor) if after is ProtectionState.CONFIGURED else {}),
        }
        if append_change(vault, instance, _EVENTS[after], body, actor):
            return catalog.get_instance(vault.ports, instance_id)
    raise contended(instance_id)


def request_deletion(vault: Vault, instance_id: str, actor: Mapping[str, str]) -> Instance | None:
    """Begin to delete an instance with all of its recovery points, which needs a second person.

    With soft delete on nothing is deleted before the period that is in force now has run out: the entry keeps it.
    Answers the instance; nothing when there is no such instance, or not any more.

    Raises:
        ApprovalRequiredError: A second person must approve it first.
        ConflictError: It is being configured.
        TransientError: Others change it all the time.
    """
    for _ in range(MAX_TRIES):
        instance = catalog.find_instance(vault.ports, instance_id)
        if instance is None:
            return None
        if instance.state in GOING:
            return instance
        require_deletable(instance)
        days = read_believed_settings(vault.ports).days_deleted_softly
        approval = require_approval(vault, _deletion_of(vault, instance, days, actor))
        body = {
            "instance": instance.key,
            "server_id": instance.server_id,
            "replaces_seq": instance.journal_seq,
            "before": {"state": instance.state.value},
            "after": {"state": _state_deleted(days).value},
            DAYS: days,
            "approval_id": approval.id,
        }
        if append_change(vault, instance, "DataDeletionRequested", body, actor):
            begun = catalog.find_instance(vault.ports, instance_id)
            # A request that slept until its deletion had ended, and another instance stood there, has nothing to begin.
            return begun if begun is not None and begun.state in GOING else None
    raise contended(instance_id)


def append_change(
    vault: Vault, instance: Instance, kind: str, body: Mapping[str, Any], actor: Mapping[str, str]
) -> bool:
    """Append a change of state; answers False when the instance was changed otherwise meanwhile.

    An event is named by the state that it replaces: the same change of the same state is one event.
    """

    def check(rows: Rows) -> None:
        approval_id = body.get("approval_id")
        if approval_id:
            check_unused(rows, approval_id, vault.ports.clock.storage_now())
        if seq_of(rows[instance_target(instance.key)]) != instance.journal_seq:
            raise RowChangedError(f"the backup instance '{instance.name}' was changed meanwhile")
        # Settings are entries of the same stream: none can come between this look and the entry.
        if DAYS in body and read_believed_settings(vault.ports).days_deleted_softly != body[DAYS]:
            raise RowChangedError("the vault's soft delete was changed meanwhile")

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


def _resumption(vault: Vault, instance: Instance, actor: Mapping[str, str]) -> dict[str, str]:
    approval_id = _find_resumption_id(vault, instance, actor)
    return {**_pause_of(instance), **({"approval_id": approval_id} if approval_id else {})}


def _find_resumption_id(vault: Vault, instance: Instance, actor: Mapping[str, str]) -> str:
    """Answer the approval by which an instance may be resumed; nothing when it needs none."""
    if instance.state is not ProtectionState.STOPPED:
        return ""
    now = vault.ports.clock.storage_now()
    points = catalog.list_points(vault.ports, instance.key)
    expired = sorted(point.expiry_time for point in points if point.expiry_time <= now)
    if not expired:
        return ""
    dates = ", ".join(f"{moment:%Y-%m-%d}" for moment in expired[:TOLD_DATES])
    more = " and later" if len(expired) > TOLD_DATES else ""
    text = (
        f"its recovery points are retained for ever now; {len(expired)} of {len(points)} would expire at once, "
        f"as their dates have passed: {dates}{more}"
    )
    change = CriticalChange(
        operation=INSTANCE_RESUME,
        path=f"{instance.id}/resumeProtection".lower(),
        body=None,
        actor=actor,
        target=instance_target(instance.key),
        target_seq=instance.journal_seq,
        reasons=(text,),
        before={"state": instance.state.value, "recoveryPoints": len(points)},
        after={"state": ProtectionState.CONFIGURED.value, "expiredRecoveryPoints": len(expired)},
    )
    return require_approval(vault, change).id


def _pause_of(instance: Instance) -> dict[str, str]:
    """Say from when and why the schedule slept; a row that does not know since when slept since its last change."""
    since = instance.paused_from or instance.changed_at
    return {"paused_from": since.isoformat(), "reason": WHILE_PAUSED[instance.state].value}


def _state_deleted(days: int) -> ProtectionState:
    return ProtectionState.SOFT_DELETED if days else ProtectionState.DELETING


def _deletion_of(vault: Vault, instance: Instance, days: int, actor: Mapping[str, str]) -> CriticalChange:
    points = catalog.list_points(vault.ports, instance.key)
    if points:
        newest, oldest = points[0].recovery_point_time, points[-1].recovery_point_time
        text = (
            "it deletes for good all recovery points that exist when it is carried out: "
            f"now {len(points)}, from {oldest:%Y-%m-%d} to {newest:%Y-%m-%d}; and what is backed up until then"
        )
    else:
        text = (
            "it ends the protection of its server and deletes for good all recovery points that exist when it is "
            "carried out: now 0; and what is backed up until then"
        )
    before = {"state": instance.state.value, "serverId": instance.server_id, "recoveryPoints": len(points)}
    softly = (
        f"it is soft-deleted first: nothing is deleted for {days} days from when it is carried out, in which it can be "
        "undeleted, and its server cannot be protected again in this vault"
    )
    return CriticalChange(
        operation=INSTANCE_DELETE,
        path=instance.id.lower(),
        # With another period it is another change: who approved a soft deletion approved no other.
        body={"softDeleteDays": days} if days else None,
        actor=actor,
        target=instance_target(instance.key),
        target_seq=instance.journal_seq,
        reasons=(
            *([softly, f"after that {text}"] if days else [text]),
            *_find_kept(vault, instance),
            *_find_holds(vault, instance),
            *_find_suspects(vault, instance),
        ),
        before=before,
        after={**before, "state": _state_deleted(days).value, "softDeleteDays": days} if days else None,
    )


def _find_kept(vault: Vault, instance: Instance) -> tuple[str, ...]:
    """Tell the second person that storage lets nothing of it go yet, and what that means for the server."""
    left = find_left(vault.ports, instance.key, vault.ports.clock.storage_now())
    if left is None or left.until is None:
        return ()
    text = (
        f"storage keeps {left.count} recovery point(s) of it until {left.until:%Y-%m-%d} at the latest: each stays "
        "until its own date, and the server cannot be protected again before the last one is gone"
    )
    return (text,)


def _find_holds(vault: Vault, instance: Instance) -> tuple[str, ...]:
    held = [hold.name for hold in list_holds(vault.ports, instance.key)]
    if not held:
        return ()
    return (f"{len(held)} legal hold(s) keep it from ending until they are released: {', '.join(held[:5])}",)


def _find_suspects(vault: Vault, instance: Instance) -> tuple[str, ...]:
    """Tell the second person what only a good recovery point could bring back."""
    count = read_poisoning(vault.ports, instance.key).count
    return (f"{count} backup(s) of it may be poisoned, and nobody acknowledged that",) if count else ()


def contended(instance_id: str) -> TransientError:
    """Say that others were faster, again and again."""
    return TransientError(f"the backup instance '{instance_id}' is changed by others", code="JournalContended")
