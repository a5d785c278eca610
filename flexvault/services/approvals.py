"""Critical changes: ask for a second person's approval, decide on it, use it once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.approval import APPROVED, ENDED, REJECTED, USABLE_FOR, WAITS_FOR, Approval, ApprovalState
from flexvault.domain.approval_events import approval_target
from flexvault.domain.errors import ApprovalRequiredError, ConflictError, NotAuthorizedError, NotFoundError
from flexvault.domain.event_rows import seq_of
from flexvault.domain.events import Rows, Target
from flexvault.domain.redaction import redact
from flexvault.ports import Ports
from flexvault.services.journal import Draft, append, find_row, project, read_entry
from flexvault.services.vault import Vault

MOST_UNDECIDED = 100
"""Of one author: what nobody can look through is no safeguard."""
_ASK_AGAIN = "send the request again: that asks for another approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalChange:
    """A request that needs a second person."""

    operation: str
    """The API's name of it."""
    path: str
    """Of what it changes."""
    body: Any
    """What the author wants, as JSON; an approval covers just this."""
    actor: Mapping[str, str]
    target: Target
    """The row that it changes."""
    target_seq: int
    """That row's journal_seq when it was read for `before` and `reasons`; 0 when there was no row."""
    reasons: tuple[str, ...]
    """Why it is critical, in sentences."""
    before: Any
    after: Any

    @property
    def key(self) -> str:
        """Name what an approval of it covers."""
        target = (self.target.table, self.target.partition, self.target.key, self.target_seq)
        return names.approval_key(self.actor.get("oid", ""), self.operation, self.path, self.body, target)


def require_approval(vault: Vault, change: CriticalChange) -> Approval:
    """Answer the approval of exactly this request, or ask for one.

    Raises:
        ApprovalRequiredError: It waits for a second person, whose approval lets the same request succeed.
        ConflictError: What it changes was changed meanwhile; or code TooManyApprovals.
    """
    now = vault.ports.clock.storage_now()
    earlier: Approval | None = None
    approval_id = names.approval_id(change.key, 0)
    for number in count(1):
        approval = _find(vault.ports, approval_id)
        if approval is None:
            break
        state = approval.state(now, change.target_seq)
        if state is ApprovalState.APPROVED or _is_half_used(vault, approval, state):
            return approval
        if state not in ENDED:
            raise _needs_approval(approval, earlier, _find_outdated(vault, change, now))
        earlier, approval_id = approval, names.approval_id(change.key, number)
    _request(vault, change, approval_id, now)
    outdated = _find_outdated(vault, change, now)
    raise _needs_approval(get_approval(vault, approval_id)[0], earlier, outdated)


def _find_outdated(vault: Vault, change: CriticalChange, now: datetime) -> Approval | None:
    """Find the newest approval that was given to the author for this operation and path, and is of no use here."""
    given = (
        one
        for one in _list_all(vault.ports)
        if one.is_by(change.actor)
        and (one.operation, one.path) == (change.operation, change.path.lower())
        and one.decision == APPROVED
        and not one.used_event_id
        and now < one.expires_at
    )
    return max(given, key=lambda one: one.requested_at, default=None)


def _is_half_used(vault: Vault, approval: Approval, state: ApprovalState) -> bool:
    """Say whether the change is in the journal, but its process died before it was in the tables; it is then.

    The change goes on as if nothing had happened, and finds that its entry is there.
    """
    if state is not ApprovalState.USED:
        return False
    project(vault.ports, read_entry(vault.ports, approval.used_by_stream, approval.used_by_seq))
    return seq_of(find_row(vault.ports, approval.target)) != approval.target_seq


def _request(vault: Vault, change: CriticalChange, approval_id: str, now: datetime) -> None:
    def check(rows: Rows) -> None:
        if seq_of(rows[change.target]) != change.target_seq:
            raise ConflictError(
                f"'{change.path}' was changed by somebody else", target=change.path, hint="read it again"
            )
        _require_room(vault.ports, change.actor, now)

    body = {
        "approval_id": approval_id,
        "operation": change.operation,
        "path": change.path.lower(),
        "author": dict(change.actor),
        "reasons": list(change.reasons),
        "before": change.before,
        "after": change.after,
        "target": asdict(change.target),
        "target_seq": change.target_seq,
        "expires_at": (now + WAITS_FOR).isoformat(),
    }
    draft = Draft(
        stream=blob_names.VAULT_STREAM,
        type="ApprovalRequested",
        key=approval_id,
        body=body,
        actor=change.actor,
        check=check,
    )
    append(vault.ports, draft)


def _require_room(ports: Ports, author: Mapping[str, str], now: datetime) -> None:
    own = (approval for approval in _list_all(ports) if approval.is_by(author))
    waiting = [one for one in own if one.state(now, one.target_seq) is ApprovalState.PENDING]
    if len(waiting) < MOST_UNDECIDED:
        return
    # What was changed meanwhile is void: nobody can decide it any more, so it takes no room.
    undecided = sum(one.state(now, seq_of(find_row(ports, one.target))) is ApprovalState.PENDING for one in waiting)
    if undecided >= MOST_UNDECIDED:
        raise ConflictError(
            f"{undecided} approvals that '{author.get('name') or author.get('oid')}' asked for wait for a decision, "
            f"at most {MOST_UNDECIDED} of one author may",
            code="TooManyApprovals",
            target="approvals",
            hint="have them decided, with GET /api/vault/approvals?state=Pending, or wait until they expire: "
            f"{WAITS_FOR // timedelta(hours=1)} hours after they were asked for",
        )


def check_unused(rows: Rows, approval_id: str, now: datetime) -> None:
    """Refuse a change whose approval is not good any more; part of the check of the change's own draft.

    The change's own use is no matter of it: `append` finds that before it asks the check.

    Args:
        rows: The rows as of the head; the approval's is among them.
        approval_id: The approval that the change names.
        now: The vault account's time.

    Raises:
        ApprovalRequiredError: It was used, has expired, or covers another state of what the change changes.
    """
    row = rows[approval_target(approval_id)]
    approval = None if row is None else Approval.from_values(row.values)
    state = ApprovalState.VOID
    if approval is not None:
        seq = seq_of(rows[approval.target]) if approval.target in rows else approval.target_seq
        state = approval.state(now, seq)
    if state is not ApprovalState.APPROVED:
        raise ApprovalRequiredError(
            f"the approval '{approval_id}' cannot be used any more: it is {state}",
            target=approval_id,
            hint=_ASK_AGAIN,
        )


def each_approval(
    vault: Vault, wanted: ApprovalState | None = None, is_shown: Callable[[Approval], bool] = lambda _: True
) -> Iterator[tuple[Approval, ApprovalState]]:
    """Answer the approvals in a state, or all, newest first; what one would change is read only when it is asked for.

    Args:
        vault: The vault.
        wanted: A state, or nothing for all.
        is_shown: Leaves approvals out before they are judged.
    """
    now = vault.ports.clock.storage_now()
    for approval in sorted(_list_all(vault.ports), key=lambda one: (-one.requested_at.timestamp(), one.id)):
        # That row can only make it void.
        may_be = {None, ApprovalState.VOID, approval.state(now, approval.target_seq)}
        if wanted not in may_be or not is_shown(approval):
            continue
        state = _judge(vault.ports, approval, now)
        if wanted in {None, state}:
            yield approval, state


def _list_all(ports: Ports) -> Iterator[Approval]:
    rows = ports.rows.query(row_keys.APPROVALS, row_keys.APPROVALS_PARTITION, start="0", end="g")
    return (Approval.from_values(row.values) for row in rows)


def get_approval(vault: Vault, approval_id: str) -> tuple[Approval, ApprovalState]:
    """Read an approval and what it is worth now.

    Raises:
        NotFoundError: There is none of that id.
    """
    approval = _find(vault.ports, approval_id)
    if approval is None:
        raise NotFoundError(
            f"the vault has no approval '{approval_id}'",
            target=approval_id,
            hint="list the vault's approvals: GET /api/vault/approvals",
        )
    return approval, _judge(vault.ports, approval, vault.ports.clock.storage_now())


def decide(
    vault: Vault, approval_id: str, actor: Mapping[str, str], *, approve: bool, reason: str = ""
) -> tuple[Approval, ApprovalState]:
    """Approve or reject a request; the same decision by the same person changes nothing.

    Raises:
        NotFoundError: There is no such approval.
        NotAuthorizedError: code AuthorCannotApprove.
        ConflictError: It does not wait for a decision any more.
    """
    approval, state = get_approval(vault, approval_id)
    decision = APPROVED if approve else REJECTED
    if approve and approval.is_by(actor):
        raise NotAuthorizedError(
            f"the approval '{approval.id}' was asked for by the same person who would approve it",
            code="AuthorCannotApprove",
            target=approval.id,
            hint="have another person with the role Backup.Approver approve it",
        )
    if approval.decision == decision and _oid(approval.decider or {}) == _oid(actor):
        return approval, state
    _require_pending(approval, state)
    now = vault.ports.clock.storage_now()

    def check(rows: Rows) -> None:
        row = rows[approval_target(approval.id)]
        latest = approval if row is None else Approval.from_values(row.values)
        _require_pending(latest, _judge(vault.ports, latest, now))

    body = {
        "approval_id": approval.id,
        "decision": decision,
        "before": {"state": ApprovalState.PENDING.value},
        "after": {"state": decision},
        "reason": redact(reason),
        "expires_at": (now + USABLE_FOR).isoformat(),
    }
    draft = Draft(
        stream=blob_names.VAULT_STREAM,
        type="ApprovalDecided",
        key=f"{approval.id}|{decision}|{_oid(actor)}",
        body=body,
        actor=actor,
        check=check,
    )
    append(vault.ports, draft)
    return get_approval(vault, approval.id)


def _require_pending(approval: Approval, state: ApprovalState) -> None:
    if state is ApprovalState.PENDING:
        return
    by = _decider(approval)
    text, hint = {
        ApprovalState.APPROVED: (f"was approved by {by}", "its author can send the request again now"),
        ApprovalState.REJECTED: (f"was rejected by {by}", f"have the author {_ASK_AGAIN}"),
        ApprovalState.EXPIRED: (f"expired at {approval.expires_at.isoformat()}", f"have the author {_ASK_AGAIN}"),
        ApprovalState.USED: ("was used", "nothing is left to be decided: the change is made"),
        ApprovalState.VOID: (f"is void: '{approval.path}' was changed meanwhile", f"have the author {_ASK_AGAIN}"),
    }[state]
    raise ConflictError(f"the approval '{approval.id}' {text}", target=approval.id, hint=hint)


def _needs_approval(approval: Approval, earlier: Approval | None, outdated: Approval | None) -> ApprovalRequiredError:
    history = "" if earlier is None else f" ({_tell_end(earlier)})"
    if outdated is not None:
        history += (
            f"; approval '{outdated.id}', which was given, does not count here: what it covers, the request or the "
            "state of what it changes, is not the same any more"
        )
    return ApprovalRequiredError(
        f"'{approval.operation}' on '{approval.path}' needs a second person, because "
        f"{'; '.join(approval.reasons)}; it waits as approval '{approval.id}'{history}",
        target=approval.id,
        hint=f"have a person with the role Backup.Approver who is not the author approve it until "
        f"{approval.expires_at.isoformat()} with POST /api/vault/approvals/{approval.id}/approve, "
        f"then send the same request again within {USABLE_FOR // timedelta(hours=1)} hours",
    )


def _tell_end(earlier: Approval) -> str:
    if earlier.used_event_id:
        return f"the one before, '{earlier.id}', was used"
    if earlier.decision == REJECTED:
        why = f": {earlier.decision_reason}" if earlier.decision_reason else ""
        return f"the one before, '{earlier.id}', was rejected by {_decider(earlier)}{why}"
    unused = "nobody used" if earlier.decision == APPROVED else "nobody decided on"
    return f"the one before, '{earlier.id}', expired: {unused} it in time"


def _decider(approval: Approval) -> str:
    decider = approval.decider or {}
    return decider.get("name") or decider.get("oid") or "somebody"


def _oid(actor: Mapping[str, str]) -> str:
    return actor.get("oid", "").lower()


def _judge(ports: Ports, approval: Approval, now: datetime) -> ApprovalState:
    """Answer what an approval is worth; the row that it would change is read only where it counts."""
    state = approval.state(now, approval.target_seq)
    if state in ENDED:
        return state
    return approval.state(now, seq_of(find_row(ports, approval.target)))


def _find(ports: Ports, approval_id: str) -> Approval | None:
    row = find_row(ports, approval_target(approval_id))
    return None if row is None else Approval.from_values(row.values)
