"""Operations on approvals of critical changes."""

import re

from flexvault.api import shapes
from flexvault.api.approval_views import show_approval
from flexvault.api.call import Answer, Call
from flexvault.api.pages import answer_page, read_page
from flexvault.domain.approval import Approval, ApprovalState
from flexvault.domain.errors import InvalidInputError, NotFoundError
from flexvault.domain.texts import LONGEST_REASON
from flexvault.services import approvals


def list_approvals(call: Call) -> Answer:
    """List approvals, newest first, a page at a time; `?state=Pending` shows what waits for a decision."""
    state = _read_state(call.query.get("state", ""))
    page = read_page(call, _PLACE)
    rest = approvals.each_approval(call.vault, state, lambda one: _place(one) > page.after)
    return answer_page(call, page, rest, lambda found: _place(found[0]), lambda found: show_approval(*found))


def get_approval(call: Call) -> Answer:
    """Show one approval."""
    return Answer(body=show_approval(*approvals.get_approval(call.vault, _read_id(call))))


def approve(call: Call) -> Answer:
    """Approve a change that somebody else asked for."""
    return _decide(call, is_approval=True)


def reject(call: Call) -> Answer:
    """Reject a change; its author may ask again."""
    return _decide(call, is_approval=False)


def _decide(call: Call, *, is_approval: bool) -> Answer:
    approval_id, reason = _read_id(call), read_reason(call)
    decided = approvals.decide(call.vault, approval_id, call.actor(), approve=is_approval, reason=reason)
    return Answer(body=show_approval(*decided))


def _read_id(call: Call) -> str:
    """Answer the id in the path, before a table is asked for what cannot be one.

    Raises:
        NotFoundError: As if it had been asked.
    """
    approval_id = call.params["approval"].lower()
    if not _ID.fullmatch(approval_id):
        raise NotFoundError(
            f"the vault has no approval '{approval_id}'",
            target=approval_id,
            hint="list the vault's approvals: GET /api/vault/approvals",
        )
    return approval_id


def read_reason(call: Call) -> str:
    """Read `{"reason": "..."}`; no body is no reason.

    Raises:
        InvalidInputError: It is no text, or too long.
    """
    if not call.request.body.strip():
        return ""
    reason = call.body(shapes.DECISION).get("reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        raise InvalidInputError(
            f"reason: must be a text of at most {LONGEST_REASON} characters",
            target="reason",
            hint='send {"reason": "..."}, or no body',
        )
    return reason


def _read_state(text: str) -> ApprovalState | None:
    if not text:
        return None
    for state in ApprovalState:
        if state.lower() == text.lower():
            return state
    known = ", ".join(state.value for state in ApprovalState)
    raise InvalidInputError(f"'{text}' is no state of an approval", target="state", hint=f"send one of {known}")


def _place(approval: Approval) -> str:
    """Answer where an approval stands in the list, newest first, as text that sorts so."""
    microseconds = int(approval.requested_at.timestamp() * 1_000_000)
    return f"{_NEWEST_FIRST - microseconds:020d}-{approval.id}"


_NEWEST_FIRST = 10**18
_ID = re.compile(r"[0-9a-f]{32}-[0-9]{4,9}")
_PLACE = re.compile(r"[0-9]{20}-[0-9a-f]{32}-[0-9]{4,9}")
