"""An approval as the API shows it."""

from datetime import datetime
from typing import Any

from flexvault.api.people import show_person
from flexvault.api.times import wire_time
from flexvault.domain.approval import Approval, ApprovalState


def show_approval(approval: Approval, state: ApprovalState) -> dict[str, Any]:
    """Show who asked for what, why it is critical, and what became of it."""
    return {
        "id": approval.id,
        "state": state.value,
        "operation": approval.operation,
        "path": approval.path,
        "requestedBy": show_person(approval.author),
        "requestedAt": wire_time(approval.requested_at),
        "expiresAt": wire_time(approval.expires_at),
        "reasons": list(approval.reasons),
        "before": approval.before,
        "after": approval.after,
        "decidedBy": None if approval.decider is None else show_person(approval.decider),
        "decidedAt": _show_time(approval.decided_at),
        "decisionReason": approval.decision_reason or None,
        "usedAt": _show_time(approval.used_at),
    }


def _show_time(moment: datetime | None) -> str | None:
    return None if moment is None else wire_time(moment)
