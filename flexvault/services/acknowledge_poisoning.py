"""Acknowledge what a backup lost: a critical operation, for the good recovery points expire again from then on."""

from collections.abc import Mapping

from flexvault.domain.approval import Approval
from flexvault.domain.errors import ConflictError
from flexvault.domain.event_rows import seq_of
from flexvault.domain.events import Rows
from flexvault.domain.instance import Instance
from flexvault.domain.poisoning import Poisoning
from flexvault.domain.poisoning_events import poisoning_target
from flexvault.domain.redaction import redact
from flexvault.domain.texts import require_reason, shorten
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.breaker import find_earlier_plans
from flexvault.services.journal import Draft, append, project, read_stream
from flexvault.services.poisoning_guard import read_poisoning
from flexvault.services.standings import Standings
from flexvault.services.vault import Vault

ACKNOWLEDGE = "Microsoft.DataProtection/backupVaults/backupInstances/acknowledgePoisoning/action"
_TOLD = 3
"""Suspected points that a reason of the approval describes, the oldest of those that are shown."""


def acknowledge_poisoning(vault: Vault, instance: Instance, reason: str, actor: Mapping[str, str]) -> Poisoning:
    """Let an instance's points expire again although backups lost much, once a second person approved it.

    It holds up to the newest suspected point; what is backed up later is compared with the newest point, and a later
    loss is suspected anew. Where nothing is suspected nothing changes.

    Raises:
        InvalidInputError: The reason is missing or too long.
        ApprovalRequiredError: It must be approved first.
        ConflictError: Another backup was suspected meanwhile.
    """
    hint = 'send {"reason": "..."}: why the data that are gone may be gone'
    require_reason(reason, "an acknowledgement", hint)
    before = read_poisoning(vault.ports, instance.key)
    if not before.is_suspected:
        _mend(vault, instance.key)
        before = read_poisoning(vault.ports, instance.key)
    if not before.is_suspected:
        return before
    kept_reason = redact(reason)
    approval = _require_approval(vault, instance, before, kept_reason, actor)
    body = {
        "instance": instance.key,
        "recovery_point_id": before.suspects[-1].point_id,
        "reason": kept_reason,
        "before": {"suspects": before.count, "first": before.first_point_id},
        "after": {"suspects": 0},
        "approval_id": approval.id,
    }

    def check(rows: Rows) -> None:
        if seq_of(rows[poisoning_target(instance.key)]) != before.journal_seq:
            raise ConflictError(
                f"what is suspected of backup instance '{instance.name}' changed meanwhile",
                target=instance.id,
                hint=f"look at it again: GET /api/vault/backupInstances/{instance.name}/poisoning",
            )
        check_unused(rows, approval.id, vault.ports.clock.storage_now())

    # An approval is used once, so its id names the event.
    draft = Draft(
        stream=instance.key, type="PoisoningAcknowledged", key=approval.id, body=body, actor=actor, check=check
    )
    append(vault.ports, draft)
    return read_poisoning(vault.ports, instance.key)


def _require_approval(
    vault: Vault, instance: Instance, before: Poisoning, reason: str, actor: Mapping[str, str]
) -> Approval:
    change = CriticalChange(
        operation=ACKNOWLEDGE,
        path=f"{instance.id}/acknowledgePoisoning".lower(),
        body={"reason": reason},
        actor=actor,
        target=poisoning_target(instance.key),
        target_seq=before.journal_seq,
        reasons=_reasons(instance, before),
        before={"suspected": [suspect.point_id for suspect in before.suspects], "count": before.count},
        after={"suspected": [], "count": 0, "reason": reason},
    )
    return require_approval(vault, change)


def _reasons(instance: Instance, before: Poisoning) -> tuple[str, ...]:
    """Say what may be poisoned; an approval lies in a row, so each text is short."""
    told = before.suspects[:_TOLD]
    more = before.count - len(told)
    begin = f"{before.count} backup(s) of backup instance '{instance.name}' may be poisoned"
    return (
        f"it lets recovery points expire again although {begin}",
        *(f"recovery point {suspect.point_id}: {shorten(suspect.suspicion.describe(), 1_000)}" for suspect in told),
        *((f"and {more} more",) if more else ()),
    )


def _mend(vault: Vault, instance: str) -> None:
    """Give an instance its row back when the journal knows of a suspicion and the row, which may be lost, of none."""
    checkpoint = find_earlier_plans(vault.ports, vault.ports.clock.storage_now()).checkpoint
    standings = Standings(vault.ports, checkpoint)
    standings.catch_up(instance)
    if not standings.instance(instance).suspects:
        return
    for entry in read_stream(vault.ports, instance):
        if entry.type in _KINDS:
            project(vault.ports, entry)


_KINDS = frozenset({"Sealed", "PointDeleted", "PoisoningAcknowledged"})
