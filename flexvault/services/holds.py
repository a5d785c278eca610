"""Legal holds: while one stands on a recovery point or on its instance, nothing deletes the point."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flexvault.domain import names, row_keys
from flexvault.domain.approval import Approval
from flexvault.domain.errors import ConflictError, InvalidInputError, NotFoundError
from flexvault.domain.event_rows import seq_of
from flexvault.domain.events import Rows
from flexvault.domain.hold import Hold
from flexvault.domain.instance import Instance
from flexvault.domain.keeping_events import hold_target, scope_target
from flexvault.domain.redaction import redact
from flexvault.domain.rows import Row
from flexvault.domain.texts import require_reason
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.journal import Draft, append, find_row
from flexvault.services.storage_holds import hold_in_storage, let_go_in_storage
from flexvault.services.vault import Vault

HOLD_DELETE = "Microsoft.DataProtection/backupVaults/backupInstances/holds/delete"
LONGEST_NAME = 100
MOST_HOLDS = 50
"""That stand on one point, or on an instance as a whole: their names lie in one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOrder:
    """A hold as a client wants it."""

    name: str
    """The reference of the case."""
    reason: str
    recovery_point_id: str = ""
    """32 hex digits; empty for the whole instance with all its points, also future ones."""


def list_holds(ports: Ports, instance: str) -> list[Hold]:
    """Answer the holds that stand on an instance or on one of its points, by name."""
    end = row_keys.prefix_end(row_keys.HOLD)
    rows = ports.rows.query(row_keys.POINTS, instance, start=row_keys.HOLD, end=end)
    holds = (Hold.from_values(row.values) for row in rows)
    return sorted((hold for hold in holds if not hold.is_released), key=lambda hold: hold.name.lower())


def get_hold(ports: Ports, instance: Instance, name: str) -> Hold:
    """Read a hold that stands.

    Raises:
        NotFoundError: None of that name stands.
    """
    hold = _standing(find_row(ports, hold_target(instance.key, name)))
    if hold is None:
        raise NotFoundError(
            f"no hold '{name}' stands on backup instance '{instance.name}'",
            target=name,
            hint="list the instance's holds, or place this one with PUT",
        )
    return hold


def place_hold(vault: Vault, instance: Instance, order: HoldOrder, actor: Mapping[str, str]) -> Hold:
    """Place a hold, or give a standing one another reason; an identical one changes nothing.

    It is answered once storage itself shows its hold on every version that it covers.

    Raises:
        TransientError: code StorageNotDoneYet: it stands, and the same request goes on with what is left.
        InvalidInputError: The name or the reason is missing or too long.
        NotFoundError: There is no such point.
        ConflictError: code RecoveryPointIsBeingDeleted; HoldStandsElsewhere: a standing hold covers something else;
            or TooManyHolds.
    """
    _require_texts(order)
    reason = redact(order.reason)
    point_id = order.recovery_point_id
    row = find_row(vault.ports, hold_target(instance.key, order.name))
    standing = _standing(row)
    if standing is not None and standing.recovery_point_id != point_id:
        raise ConflictError(
            f"the hold '{standing.name}' stands on {_describe(standing.recovery_point_id)}, not on "
            f"{_describe(point_id)}",
            code="HoldStandsElsewhere",
            target=standing.name,
            hint="place another hold under another name, then release this one if it is not needed any more",
        )
    if standing is not None and standing.reason == reason:
        hold_in_storage(vault.ports, instance.key, standing)
        return standing
    body = {
        "hold": standing.name if standing else order.name,
        "instance": instance.key,
        "recovery_point_id": point_id,
        "reason": reason,
        "before": {"reason": standing.reason} if standing else None,
    }
    draft = _draft("HoldPlaced", instance.key, row, body, actor, after={"reason": reason})

    def check(rows: Rows) -> None:
        draft.check(rows)
        if standing is None:
            _require_room(vault.ports, instance, order)
        if point_id:
            _require_sealed(instance, point_id, rows[scope_target(instance.key, point_id)])

    append(vault.ports, replace(draft, check=check))
    placed = get_hold(vault.ports, instance, order.name)
    hold_in_storage(vault.ports, instance.key, placed)
    return placed


def release_hold(vault: Vault, instance: Instance, name: str, actor: Mapping[str, str]) -> bool:
    """Release a hold once a second person approved it; answers whether one stood.

    Storage lets go of what no other hold covers; one that was released before is asked after again.

    Raises:
        TransientError: code StorageNotDoneYet: it is released, and the same request goes on with what is left.
        ApprovalRequiredError: It must be approved first.
        ConflictError: Somebody else changed it meanwhile.
    """
    row = find_row(vault.ports, hold_target(instance.key, name))
    hold = _standing(row)
    if hold is None:
        if row is not None:
            let_go_in_storage(vault.ports, instance.key, Hold.from_values(row.values))
        return False
    approval = _require_release(vault, instance, hold, actor)
    body = {
        "hold": hold.name,
        "instance": instance.key,
        "recovery_point_id": hold.recovery_point_id,
        "before": {"reason": hold.reason},
        "approval_id": approval.id,
    }

    draft = _draft("HoldReleased", instance.key, row, body, actor, after=None)

    def check(rows: Rows) -> None:
        check_unused(rows, approval.id, vault.ports.clock.storage_now())
        draft.check(rows)

    append(vault.ports, replace(draft, check=check))
    let_go_in_storage(vault.ports, instance.key, hold)
    return True


def _require_release(vault: Vault, instance: Instance, hold: Hold, actor: Mapping[str, str]) -> Approval:
    scope = f"{_describe(hold.recovery_point_id)} of backup instance '{instance.name}'"
    before = {"hold": hold.name, "recoveryPointId": hold.recovery_point_id or None, "reason": hold.reason}
    change = CriticalChange(
        operation=HOLD_DELETE,
        path=f"{instance.id}/holds/{hold.name}".lower(),
        body=None,
        actor=actor,
        target=hold_target(instance.key, hold.name),
        target_seq=hold.journal_seq,
        reasons=(
            f"it releases the legal hold '{hold.name}' on {scope}",
            f"it was placed {hold.placed_at.date().isoformat()}: {hold.reason}",
        ),
        before=before,
        after=None,
    )
    return require_approval(vault, change)


def _require_texts(order: HoldOrder) -> None:
    if not order.name.strip() or len(order.name) > LONGEST_NAME:
        raise InvalidInputError(
            f"the name of a hold has 1 to {LONGEST_NAME} characters, '{order.name}' has {len(order.name)}",
            code="InvalidResourceName",
            target="hold",
            hint="use the reference of the case",
        )
    require_reason(order.reason, f"hold '{order.name}'", 'send {"reason": "..."}')


def _require_room(ports: Ports, instance: Instance, order: HoldOrder) -> None:
    held = [hold for hold in list_holds(ports, instance.key) if hold.recovery_point_id == order.recovery_point_id]
    if len(held) >= MOST_HOLDS:
        raise ConflictError(
            f"{len(held)} holds stand on {_describe(order.recovery_point_id)} of backup instance '{instance.name}', "
            f"at most {MOST_HOLDS} may",
            code="TooManyHolds",
            target=order.name,
            hint="one hold keeps as much as many: name further cases in a standing hold's reason, or release one",
        )


def _require_sealed(instance: Instance, point_id: str, row: Row | None) -> None:
    state = None if row is None else row.values.get("state")
    if state == "deleting":
        raise ConflictError(
            f"recovery point '{point_id}' of backup instance '{instance.name}' is being deleted",
            code="RecoveryPointIsBeingDeleted",
            target=point_id,
            hint="its tombstone is in the journal and cannot be taken back: place the hold on another recovery point",
        )
    if state != "sealed":
        raise catalog.no_such_point(instance, point_id)


def _draft(
    kind: str,
    instance: str,
    row: Row | None,
    body: Mapping[str, Any],
    actor: Mapping[str, str],
    *,
    after: Mapping[str, Any] | None,
) -> Draft:
    """An event on a hold is named by the state that it replaces: the same change of the same state is one event."""
    name = str(body["hold"])

    def check(rows: Rows) -> None:
        if seq_of(rows[hold_target(instance, name)]) != seq_of(row):
            raise ConflictError(f"the hold '{name}' was changed by somebody else", target=name, hint="read it again")

    key = names.sha256_hex(names.canonical_json([seq_of(row), body]))
    told = {**body, "after": after}  # not in the key: entries of an earlier version have no such member
    return Draft(stream=instance, type=kind, key=key, body=told, actor=actor, check=check)


def _standing(row: Row | None) -> Hold | None:
    hold = None if row is None else Hold.from_values(row.values)
    return None if hold is None or hold.is_released else hold


def _describe(point_id: str) -> str:
    return f"recovery point {point_id}" if point_id else "the whole instance"
