"""Soft-deleted backup instances: until when nothing of them is deleted, and how they are brought back.

The journal's entry of the deletion says until when, never the instance's row: a forged row must not make it shorter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flexvault.domain.azure_codes import ALREADY_PROTECTED
from flexvault.domain.errors import ConflictError, IntegrityError, InvalidInputError, NotFoundError
from flexvault.domain.instance import GOING, Instance, ProtectionState
from flexvault.domain.protection_moves import BEING_DELETED, why_not
from flexvault.domain.soft_delete import read_purge_at, tell_dates, tell_way_back
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.immutability import find_last_end
from flexvault.services.keeping import read_deletion
from flexvault.services.protection_states import MAX_TRIES, append_change, contended
from flexvault.services.vault import Vault

UNDELETE = "InstanceUndeleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftDeletion:
    """A deletion as its journal entry tells it."""

    deleted_at: datetime
    purge_at: datetime
    """Until then it can be undeleted, and nothing of it is deleted."""
    correlation_id: str
    """Of the request that deleted it; empty where it named none."""


def read_soft_deletion(ports: Ports, instance: Instance) -> SoftDeletion:
    """Read from the journal how an instance was soft-deleted.

    Raises:
        IntegrityError: The journal does not say what the instance's row says, or names no period that a vault has.
    """
    try:
        entry = read_deletion(ports, instance.key, instance.deletion_seq)
        purge_at = read_purge_at(entry) or entry.at
    except (NotFoundError, ValueError) as error:
        text = f"the deletion of backup instance '{instance.name}' is not in the journal as its row says: {error}"
        hint = "treat the tables as tampered with: compare them with the journal"
        raise IntegrityError(text, code="JournalDiffers", target=instance.id, hint=hint) from None
    return SoftDeletion(
        deleted_at=entry.at, purge_at=purge_at, correlation_id=str(entry.actor.get("correlation_id", ""))
    )


def tell_soft_deletion(ports: Ports, instance: Instance) -> SoftDeletion:
    """Answer the same for a list: one row that says something else than the journal must not take away the others."""
    try:
        return read_soft_deletion(ports, instance)
    except IntegrityError:
        ports.telemetry.emit("RowsDiffer", {"instance": instance.key})
        purge_at = instance.purge_at or instance.changed_at
        return SoftDeletion(deleted_at=instance.changed_at, purge_at=purge_at, correlation_id="")


def find_gone_at(ports: Ports, instance: Instance, purge_at: datetime) -> datetime:
    """Answer when the last of a soft-deleted instance's data can go: storage may protect some of it for longer."""
    return max(purge_at, find_last_end(ports, instance.key) or purge_at)


def undelete(vault: Vault, instance_id: str, actor: Mapping[str, str]) -> Instance:
    """Bring a soft-deleted instance back: its protection is stopped then, its recovery points are retained for ever.

    One that was just undeleted is answered as it is.

    Raises:
        NotFoundError: No instance of this name is deleted.
        ConflictError: code UserErrorBackupInstanceBeingDeleted: its soft delete period is over, or it never had one.
        IntegrityError: The journal does not say what the instance's row says.
        TransientError: Others change it all the time.
    """
    for _ in range(MAX_TRIES):
        instance = find_deleted(vault.ports, instance_id)
        if instance is None:
            return _require_undeleted(vault.ports, instance_id)
        if instance.state is ProtectionState.DELETING:
            raise why_not(instance)
        deletion = read_soft_deletion(vault.ports, instance)
        if vault.ports.clock.storage_now() >= deletion.purge_at:
            raise _too_late(instance, deletion.purge_at)
        body = {
            "instance": instance.key,
            "replaces_seq": instance.journal_seq,
            "deletion_seq": instance.deletion_seq,
            "before": {"state": instance.state.value},
            "after": {"state": ProtectionState.STOPPED.value},
        }
        if append_change(vault, instance, UNDELETE, body, actor):
            return catalog.get_instance(vault.ports, instance_id)
    raise contended(instance_id)


def find_deleted(ports: Ports, instance_id: str) -> Instance | None:
    """Find an instance whose deletion was approved and has not ended, by its ARM id."""
    instance = catalog.find_instance(ports, instance_id)
    return instance if instance is not None and instance.state in GOING else None


def no_such_deleted(instance_id: str) -> NotFoundError:
    """Say that no instance of this name is soft-deleted."""
    name = instance_id.rpartition("/")[2]
    return NotFoundError(
        f"the vault has no soft-deleted backup instance '{name}'",
        code="UserErrorGenericResourceNotFound",
        target=instance_id.replace("/backupInstances/", "/deletedBackupInstances/"),
        hint="list the vault's deletedBackupInstances; one whose data are gone cannot be brought back",
    )


def already_soft_deleted(ports: Ports, server_id: str, instance: Instance) -> InvalidInputError:
    """Say why a server cannot be protected while an instance of it is soft-deleted, with every way out."""
    purge_at = read_soft_deletion(ports, instance).purge_at
    gone_at = find_gone_at(ports, instance, purge_at)
    own = f"deletedBackupInstances/{instance.name}/undelete"
    is_late = ports.clock.storage_now() >= purge_at
    undelete_it = (
        "" if is_late else f"undelete it until {purge_at.isoformat()}, with POST {own}, then resumeProtection; or "
    )
    dates = tell_soft_deleted(purge_at, gone_at, is_over=is_late)
    way_back = "" if is_late else f"{tell_way_back(instance.name)}, or "
    return InvalidInputError(
        f"the server '{server_id}' is already associated with the backup instance '{instance.name}' of this vault, "
        f"which is SoftDeleted: {dates}; {way_back}wait, or protect the server in another vault",
        code=ALREADY_PROTECTED,
        target=server_id,
        hint=f"{undelete_it}wait until its data are gone, at {gone_at.isoformat()} at the earliest; "
        "or protect the server in another vault",
    )


def tell_soft_deleted(purge_at: datetime, gone_at: datetime, *, is_over: bool) -> str:
    """Say both dates of a soft-deleted instance; `is_over`: it cannot be undeleted any more."""
    if not is_over:
        return tell_dates(purge_at, gone_at)
    ended = f"its soft delete period ended at {purge_at.isoformat()}"
    if gone_at > purge_at:
        return f"{ended}; its data are gone at {gone_at.isoformat()} at the earliest, for storage keeps some until then"
    return f"{ended}: its recovery points are being deleted"


def _require_undeleted(ports: Ports, instance_id: str) -> Instance:
    """Answer an instance whose last change was its undeletion: the same request came twice."""
    instance = catalog.find_instance(ports, instance_id)
    if instance is None or not instance.undeleted_seq or instance.undeleted_seq != instance.journal_seq:
        raise no_such_deleted(instance_id)
    return instance


def _too_late(instance: Instance, purge_at: datetime) -> ConflictError:
    return ConflictError(
        f"the soft delete period of backup instance '{instance.name}' ended at {purge_at.isoformat()}: its recovery "
        "points are being deleted for good",
        code=BEING_DELETED,
        target=instance.id,
        hint="restore what is left while it can be listed: GET of the instance says what storage keeps until when",
    )
