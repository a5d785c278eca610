"""What an instance's own state means for its backups: none run while it is paused, going or not configured."""

from collections.abc import Sequence
from datetime import datetime

from flexvault.domain.findings import Finding, FindingCheck, FindingSeverity
from flexvault.domain.instance import BEING_CONFIGURED, PAUSED, BrokenPoint, Instance, ProtectionState

PAUSED_CODE = "ProtectionPaused"
SOFT_DELETED_CODE = "SoftDeleted"
DELETING_CODE = "SoftDeleting"
NOT_CONFIGURED_CODE = "ProtectionNotConfigured"
BROKEN_CODE = "RecoveryPointsBroken"
NOT_EXAMINED_CODE = "NotExaminedYet"
STATE_CODES = frozenset({PAUSED_CODE, SOFT_DELETED_CODE, DELETING_CODE, NOT_CONFIGURED_CODE})
"""Codes that follow from the instance's row: whoever shows what a night found says anew what is so now."""


def examine_state(
    instance: Instance, now: datetime, *, purge_at: datetime | None = None, gone_at: datetime | None = None
) -> list[Finding]:
    """Say when no backups run for an instance's own sake.

    Args:
        instance: The instance.
        now: The moment.
        purge_at: Of a soft-deleted instance: until when it can be undeleted.
        gone_at: Of a soft-deleted instance: when the last of its data can be gone.
    """
    state = instance.state
    if state in PAUSED:
        return [_paused(instance)]
    if state is ProtectionState.SOFT_DELETED:
        return [_soft_deleted(instance, now, purge_at, gone_at)]
    if state is ProtectionState.DELETING:
        text = (
            f"backup instance '{instance.name}' is being deleted with its recovery points: no backups run, and to "
            "protect the server is refused until they are gone"
        )
        remedy = f"wait; until when, says: flexvault instance show {instance.name}"
        return [_about(instance, DELETING_CODE, FindingSeverity.ERROR, text, remedy)]
    if state is ProtectionState.FAILED:
        why = f": {instance.error['message']}" if instance.error and instance.error.get("message") else ""
        text = f"the protection of backup instance '{instance.name}' could not be configured, and no backups run{why}"
        remedy = f"flexvault instance show {instance.name} says what to do; then PUT it again"
        return [_about(instance, NOT_CONFIGURED_CODE, FindingSeverity.ERROR, text, remedy)]
    if state in BEING_CONFIGURED and state is not ProtectionState.UPDATING:
        text = f"the protection of backup instance '{instance.name}' is being configured: no backups run yet"
        return [
            _about(instance, NOT_CONFIGURED_CODE, FindingSeverity.WARNING, text, "wait, then ask again", passes=True)
        ]
    return []


def describe_broken(instance: Instance, broken: Sequence[BrokenPoint]) -> Finding:
    """Say that recovery points, newest first, failed their deep verification.

    They can be restored, and what is damaged of them cannot: that is no failure of the next backup, so a warning.
    """
    newest = broken[0]
    text = (
        f"{len(broken)} recovery point(s) of backup instance '{instance.name}' failed their deep verification, the "
        f"newest of them is {newest.point_id} of {newest.recovery_point_time:%Y-%m-%d %H:%M} UTC"
    )
    remedy = (
        f"what is damaged says: flexvault point verification {instance.name} {newest.point_id}; take a new backup: "
        f"flexvault backup {instance.name}"
    )
    return _about(instance, BROKEN_CODE, FindingSeverity.WARNING, text, remedy)


def not_examined(instance: Instance) -> Finding:
    """Say that nothing was looked at, so that the absence of findings says nothing."""
    return Finding(
        code=NOT_EXAMINED_CODE,
        severity=FindingSeverity.WARNING,
        subject=instance.server_id,
        message=f"no night has examined the server of backup instance '{instance.name}' yet: nothing was looked at",
        remedy="flexvault doctor --now, or wait for the first minutes of the next day (UTC)",
        check=FindingCheck.NOT_CHECKABLE,
        passes=True,
    )


def _paused(instance: Instance) -> Finding:
    since = f"{instance.paused_from or instance.changed_at:%Y-%m-%d %H:%M} UTC"
    kept = (
        "are retained for ever"
        if instance.state is ProtectionState.STOPPED
        else "expire as their policy says, but for the newest good one"
    )
    text = (
        f"no backups run since {since}: backup instance '{instance.name}' is in state {instance.state.value}; its "
        f"recovery points {kept}"
    )
    return _about(instance, PAUSED_CODE, FindingSeverity.WARNING, text, f"flexvault instance resume {instance.name}")


def _soft_deleted(instance: Instance, now: datetime, purge_at: datetime | None, gone_at: datetime | None) -> Finding:
    text = (
        f"no backups run: backup instance '{instance.name}' of this vault was deleted and is SoftDeleted; to protect "
        "the server again is refused until its data are gone"
    )
    at_least = f", at {gone_at:%Y-%m-%d %H:%M} UTC at the earliest" if gone_at else ""
    wait = f"wait until its data are gone{at_least}"
    if purge_at is None or now < purge_at:
        until = f" until {purge_at:%Y-%m-%d %H:%M} UTC" if purge_at else ""
        name = instance.name
        wait = (
            f"undelete it{until}: flexvault instance undelete {name}, then: flexvault instance resume {name}; or {wait}"
        )
    return _about(instance, SOFT_DELETED_CODE, FindingSeverity.ERROR, text, wait)


def _about(
    instance: Instance, code: str, severity: FindingSeverity, message: str, remedy: str, *, passes: bool = False
) -> Finding:
    return Finding(
        code=code, severity=severity, subject=instance.server_id, message=message, remedy=remedy, passes=passes
    )
