"""Which protection state follows which when a person stops, suspends, resumes or deletes."""

from enum import StrEnum

from flexvault.domain.errors import ConflictError, InvalidInputError, VaultError
from flexvault.domain.instance import BEING_CONFIGURED, GOING, Instance, ProtectionState
from flexvault.domain.soft_delete import tell_dates, tell_way_back

NOT_PROTECTED = "UserErrorBackupInstanceNotProtected"
STOPPED = "UserErrorProtectionStopped"
BEING_DELETED = "UserErrorBackupInstanceBeingDeleted"
SOFT_DELETED = "UserErrorBackupInstanceSoftDeleted"
BUSY = "OperationInProgress"


class Verb(StrEnum):
    """What a person may do with the protection of an instance, in Azure Backup's words."""

    STOP = "stopProtection"
    """No more backups; every recovery point is retained for ever."""
    SUSPEND = "suspendBackups"
    """No more backups; recovery points expire, but for the newest good one."""
    RESUME_BACKUPS = "resumeBackups"
    """End a suspension."""
    RESUME_PROTECTION = "resumeProtection"
    """End a suspension or a stop."""


_CONFIGURED, _SUSPENDED, _STOPPED = ProtectionState.CONFIGURED, ProtectionState.SUSPENDED, ProtectionState.STOPPED
_MOVES: dict[tuple[ProtectionState, Verb], ProtectionState] = {
    (_CONFIGURED, Verb.STOP): _STOPPED,
    (_CONFIGURED, Verb.SUSPEND): _SUSPENDED,
    (_CONFIGURED, Verb.RESUME_BACKUPS): _CONFIGURED,
    (_CONFIGURED, Verb.RESUME_PROTECTION): _CONFIGURED,
    (_SUSPENDED, Verb.STOP): _STOPPED,
    (_SUSPENDED, Verb.SUSPEND): _SUSPENDED,
    (_SUSPENDED, Verb.RESUME_BACKUPS): _CONFIGURED,
    (_SUSPENDED, Verb.RESUME_PROTECTION): _CONFIGURED,
    (_STOPPED, Verb.STOP): _STOPPED,
    (_STOPPED, Verb.RESUME_PROTECTION): _CONFIGURED,
}


def find_move(instance: Instance, verb: Verb) -> ProtectionState | None:
    """Answer the state that a verb leads to; nothing when the instance is in it already.

    Raises:
        ConflictError: It is being configured or deleted.
        InvalidInputError: The verb cannot be used in its state.
    """
    after = _MOVES.get((instance.state, verb))
    if after is not None:
        return None if after is instance.state else after
    if instance.state is _STOPPED:
        text = f"the protection of backup instance '{instance.name}' is stopped and its recovery points are retained"
        hint = "resume it first with resumeProtection: its recovery points expire again from then on"
        raise InvalidInputError(text, code=STOPPED, target=instance.id, hint=hint)
    raise why_not(instance)


def require_deletable(instance: Instance) -> None:
    """Refuse to delete an instance that is being configured.

    Raises:
        ConflictError: code OperationInProgress.
    """
    if instance.state in BEING_CONFIGURED:
        raise why_not(instance)


def require_configurable(instance: Instance) -> None:
    """Refuse to configure what is paused or being deleted: to resume lets recovery points expire, so it is said aloud.

    Raises:
        ConflictError: It is being deleted.
        InvalidInputError: It is paused.
    """
    if instance.state in {_SUSPENDED, _STOPPED, *GOING}:
        raise why_not(instance)


def require_backups(instance: Instance) -> None:
    """Refuse a backup of an instance that is not protected.

    Raises:
        ConflictError: It is being deleted.
        InvalidInputError: code UserErrorBackupInstanceNotProtected.
    """
    if instance.state is _CONFIGURED:
        return
    if instance.state in GOING:
        raise why_not(instance)
    text = f"backup instance '{instance.name}' is in state {instance.state}"
    raise InvalidInputError(text, code=NOT_PROTECTED, target=instance.id, hint=_HINTS[instance.state])


_HINTS = {
    ProtectionState.CONFIGURING: "wait until it is ProtectionConfigured",
    ProtectionState.UPDATING: "wait until it is ProtectionConfigured",
    ProtectionState.FAILED: "do as its protectionErrorDetails say, then PUT it again",
    ProtectionState.SUSPENDED: "resume its backups first, with resumeBackups",
    ProtectionState.STOPPED: "resume its protection first, with resumeProtection",
    ProtectionState.DELETING: (
        "wait until its last recovery point is gone: GET of the instance says what storage keeps until when; "
        "until then a recovery point can be restored"
    ),
    ProtectionState.SOFT_DELETED: (
        "while its soft delete period runs undelete it, with POST deletedBackupInstances/NAME/undelete, then resume "
        "its protection with resumeProtection"
    ),
}


def why_not(instance: Instance) -> VaultError:
    """Say why nothing can be changed at an instance in its present state, and what to do."""
    hint = _HINTS.get(instance.state, "")
    if instance.state is ProtectionState.DELETING:
        text = f"backup instance '{instance.name}' is being deleted with its recovery points"
        return ConflictError(text, code=BEING_DELETED, target=instance.id, hint=hint)
    if instance.state is ProtectionState.SOFT_DELETED:
        until = f"{tell_dates(instance.purge_at)}: " if instance.purge_at else ""
        # The way out is in the message, too: SDKs show no recommended action of a refusal.
        text = f"backup instance '{instance.name}' is SoftDeleted: {until}{tell_way_back(instance.name)}"
        hint = hint.replace("NAME", instance.name)
        return ConflictError(text, code=SOFT_DELETED, target=instance.id, hint=hint)
    text = f"backup instance '{instance.name}' is in state {instance.state}"
    if instance.state in BEING_CONFIGURED:
        return ConflictError(text, code=BUSY, target=instance.id, hint=hint)
    return InvalidInputError(text, code=NOT_PROTECTED, target=instance.id, hint=hint)
