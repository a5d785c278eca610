"""Give existing recovery points the tags and expiries of the present policy: previewed, approved, then done at once.

A changed policy does not touch existing points by itself, as in Azure Backup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flexvault.domain import names
from flexvault.domain.approval import Approval
from flexvault.domain.errors import ConflictError
from flexvault.domain.event_rows import seq_of
from flexvault.domain.events import Rows, retention_target
from flexvault.domain.instance import Instance, ProtectionState, RecoveryPoint, StoredPolicy
from flexvault.domain.policy import parse_policy
from flexvault.domain.reevaluation import Regrade, regrade
from flexvault.domain.rows import Row
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.journal import Draft, append, read_entry
from flexvault.services.regrades import (
    REEVALUATED,
    apply_regrade,
    find_retention_row,
    read_regrades,
    reevaluated_seq,
    require_entry,
)
from flexvault.services.strengthen import strengthen
from flexvault.services.vault import Vault

REEVALUATE = "Microsoft.DataProtection/backupVaults/backupInstances/reevaluate/action"
NAMED = 3
"""Points that a reason names."""
SHOWN = 20
"""Points that an approval shows: it lies in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointChange:
    """What a re-evaluation makes of one recovery point."""

    point: RecoveryPoint
    """As it was sealed."""
    before: Regrade
    """What it has now."""
    after: Regrade

    @property
    def is_changed(self) -> bool:
        """Say whether its tag or its expiry changes."""
        return not self.after.keeps_like(self.before)

    @property
    def is_earlier(self) -> bool:
        """Say whether it expires earlier."""
        return self.after.expiry_time < self.before.expiry_time

    @property
    def is_later(self) -> bool:
        """Say whether it expires later."""
        return self.after.expiry_time > self.before.expiry_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Reevaluated:
    """How many recovery points a re-evaluation changes."""

    changed: int
    earlier: int
    later: int

    def to_json(self) -> dict[str, int]:
        """Write it for the entry and for people."""
        return {"changed": self.changed, "earlier": self.earlier, "later": self.later}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReevaluationPreview:
    """What a re-evaluation would do now."""

    points: tuple[PointChange, ...]
    """Every recovery point that exists, newest first."""
    preview_hash: str
    """Names exactly these changes under this policy; a point that keeps what it has does not count."""

    @property
    def counts(self) -> Reevaluated:
        """Count what changes."""
        return Reevaluated(
            changed=sum(change.is_changed for change in self.points),
            earlier=sum(change.is_earlier for change in self.points),
            later=sum(change.is_later for change in self.points),
        )


def preview_reevaluation(vault: Vault, instance: Instance, properties: Any = None) -> ReevaluationPreview:
    """Answer what a re-evaluation would do, and change nothing.

    Args:
        vault: The vault.
        instance: Whose recovery points.
        properties: Of a policy that is only thought of; nothing for the instance's own present one.

    Raises:
        InvalidInputError: The policy cannot be understood.
        NotFoundError: The instance's policy is gone.
    """
    if properties is None:
        properties = catalog.get_policy(vault.ports, instance.policy_name).properties
    row = find_retention_row(vault.ports, instance.key)
    return _preview(vault.ports, instance, properties, row)


def reevaluate(vault: Vault, instance: Instance, preview_hash: str, actor: Mapping[str, str]) -> Reevaluated:
    """Do what a preview under the instance's present policy showed, once a second person approved it.

    It is answered once storage protects each point as long as it is kept now; a policy of storage is never shortened.
    The same request again, after it succeeded, answers the same.

    Raises:
        TransientError: code StorageNotDoneYet: it is journalled, and the same request goes on with what is left.
        ConflictError: code PreviewOutdated: it would do something else now; or OperationInProgress.
        ApprovalRequiredError: It must be approved first.
    """
    if instance.state is ProtectionState.UPDATING:
        raise ConflictError(
            f"backup instance '{instance.name}' is being put under another policy",
            code="OperationInProgress",
            target=instance.id,
            hint="wait for its end: list the vault's backup jobs; then preview the re-evaluation again",
        )
    row = find_retention_row(vault.ports, instance.key)
    done = _find_done(vault.ports, instance.key, row, preview_hash)
    if done is not None:
        strengthen(vault.ports, instance.key)
        return done
    policy = catalog.get_policy(vault.ports, instance.policy_name)
    preview = _preview(vault.ports, instance, policy.properties, row)
    _require_current(instance, preview, preview_hash)
    if not preview.counts.changed:
        return preview.counts
    order = _Order(instance=instance, policy=policy, preview=preview, row=row, actor=actor)
    append(vault.ports, _draft(vault, order, _require_approval(vault, order)))
    strengthen(vault.ports, instance.key)
    return preview.counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A re-evaluation that somebody asks for, and what it was previewed on."""

    instance: Instance
    policy: StoredPolicy
    preview: ReevaluationPreview
    row: Row | None
    """What holds for all points."""
    actor: Mapping[str, str]


def _preview(ports: Ports, instance: Instance, properties: Any, row: Row | None) -> ReevaluationPreview:
    policy = parse_policy(properties)
    points = list(catalog.list_own_points(ports, instance))
    regrades = read_regrades(ports, instance.key, reevaluated_seq(row))
    after = regrade(points, policy)
    changes = tuple(
        PointChange(point=point, before=Regrade.of(apply_regrade(point, regrades)), after=after[point.point_id])
        for point in sorted(points, key=lambda point: (point.recovery_point_time, point.point_id), reverse=True)
        if point.point_id in after
    )
    named = {change.point.point_id: change.after.to_json() for change in changes if change.is_changed}
    content = names.canonical_json([instance.key, properties, named])
    return ReevaluationPreview(points=changes, preview_hash=names.sha256_hex(content))


def _find_done(ports: Ports, instance: str, row: Row | None, preview_hash: str) -> Reevaluated | None:
    """Answer what the newest re-evaluation did, if it was this one."""
    seq = reevaluated_seq(row)
    if not seq:
        return None
    entry = require_entry(read_entry(ports, instance, seq), REEVALUATED, instance)
    return Reevaluated(**entry.body["counts"]) if entry.body["preview_hash"] == preview_hash else None


def _require_current(instance: Instance, preview: ReevaluationPreview, preview_hash: str) -> None:
    if preview.preview_hash != preview_hash:
        raise ConflictError(
            f"the preview '{preview_hash}' is not what a re-evaluation of backup instance '{instance.name}' would do "
            "now: its policy or its recovery points changed",
            code="PreviewOutdated",
            target=instance.id,
            hint="preview it again, then send the new previewHash",
        )


def _require_approval(vault: Vault, order: _Order) -> Approval:
    changed = [change for change in order.preview.points if change.is_changed]
    # What expires earlier is what the second person has to see.
    shown = sorted(changed, key=lambda change: not change.is_earlier)[:SHOWN]
    change = CriticalChange(
        operation=REEVALUATE,
        path=f"{order.instance.id}/reevaluate".lower(),
        body={"previewHash": order.preview.preview_hash},
        actor=order.actor,
        target=retention_target(order.instance.key),
        target_seq=seq_of(order.row),
        reasons=_reasons(order.instance, order.policy, order.preview),
        before={change.point.point_id: _show(change.before) for change in shown},
        after={change.point.point_id: _show(change.after) for change in shown},
    )
    return require_approval(vault, change)


def _show(regrade: Regrade) -> dict[str, str]:
    """Say it to the second person in the API's words."""
    expiry = regrade.expiry_time.isoformat()
    return {"retentionTag": regrade.tag, "expiry": expiry, "because": regrade.because, "day": regrade.day}


def _reasons(instance: Instance, policy: StoredPolicy, preview: ReevaluationPreview) -> tuple[str, ...]:
    counts = preview.counts
    begin = (
        f"it gives {counts.changed} recovery point(s) of backup instance '{instance.name}' what the policy "
        f"'{policy.name}' says now"
    )
    earlier = [change for change in preview.points if change.is_earlier]
    later = [change for change in preview.points if change.is_later]
    return (begin, *_tell("earlier", earlier), *_tell("later", later))


def _tell(word: str, changes: Sequence[PointChange]) -> tuple[str, ...]:
    if not changes:
        return ()
    told = ", ".join(
        f"{change.point.point_id} of {change.point.recovery_point_time.date().isoformat()} on "
        f"{change.after.expiry_time.date().isoformat()} instead of {change.before.expiry_time.date().isoformat()}"
        for change in changes[:NAMED]
    )
    more = f" and {len(changes) - NAMED} more" if len(changes) > NAMED else ""
    return (f"{len(changes)} expire(s) {word}: {told}{more}",)


def _draft(vault: Vault, order: _Order, approval: Approval) -> Draft:
    instance, policy, preview = order.instance, order.policy, order.preview
    earlier = read_regrades(vault.ports, instance.key, reevaluated_seq(order.row))
    body: dict[str, Any] = {
        "instance": instance.key,
        "policy_name": policy.name,
        "policy_seq": policy.journal_seq,
        "approval_id": approval.id,
        "preview_hash": preview.preview_hash,
        "counts": preview.counts.to_json(),
        "before": {"reevaluated_seq": reevaluated_seq(order.row), "points": len(earlier)},
        "after": {"policy_name": policy.name, **preview.counts.to_json()},
        "points": {
            change.point.point_id: change.after.to_json()
            for change in preview.points
            # The newest map counts alone; what it does not name is kept as it was sealed.
            if change.point.point_id in earlier or not change.after.keeps_like(Regrade.of(change.point))
        },
    }
    # An approval is used once, so its id names the event.
    draft = Draft(stream=instance.key, type=REEVALUATED, key=approval.id, body=body, actor=order.actor)

    def check(rows: Rows) -> None:
        check_unused(rows, approval.id, vault.ports.clock.storage_now())
        # After the head: a point that was sealed or deleted since then has an entry of its own.
        present = catalog.get_policy(vault.ports, policy.name)
        now = rows[retention_target(instance.key)]
        _require_current(instance, _preview(vault.ports, instance, present.properties, now), preview.preview_hash)

    return replace(draft, check=check)
