"""An approval: a second person's consent to one critical request, used once.

What it is worth at a moment is derived, never stored: from its decision, its use, the time, and whether the row that
it would change is still the one that was shown to the approver.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from flexvault.domain.event_type import Target

WAITS_FOR = timedelta(hours=72)
"""How long a request waits for a decision."""
USABLE_FOR = timedelta(hours=24)
"""How long the author may use it once it is approved."""

APPROVED, REJECTED = "approved", "rejected"


class ApprovalState(StrEnum):
    """What an approval is worth at one moment."""

    PENDING = "Pending"
    """Nobody has decided yet."""
    APPROVED = "Approved"
    """The identical request succeeds, once."""
    REJECTED = "Rejected"
    """The next identical request asks anew."""
    EXPIRED = "Expired"
    """Nobody decided, or nobody used it, in time."""
    USED = "Used"
    """An entry of the journal names it."""
    VOID = "Void"
    """What it would change was changed otherwise meanwhile."""


ENDED = frozenset({ApprovalState.USED, ApprovalState.REJECTED, ApprovalState.EXPIRED})
"""An identical request needs another approval then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approval as its row holds it."""

    id: str
    operation: str
    path: str
    """Lower-cased path of what would change."""
    author: Mapping[str, str]
    """Who asks: `oid`, `name`, `from`, `correlation_id`."""
    reasons: tuple[str, ...]
    """Why the change is critical, in sentences."""
    before: Any
    after: Any
    target: Target
    """The row that would change."""
    target_seq: int
    """Its journal_seq when the approval was asked for; 0 when there was no row."""
    requested_at: datetime
    expires_at: datetime
    """Until then it waits for a decision or, once approved, for its use."""
    decision: str = ""
    """`approved`, `rejected`, or nothing."""
    decision_reason: str = ""
    decider: Mapping[str, str] | None = None
    decided_at: datetime | None = None
    used_event_id: str = ""
    used_at: datetime | None = None
    used_by_stream: str = ""
    used_by_seq: int = 0

    def state(self, now: datetime, target_seq: int) -> ApprovalState:
        """Answer what it is worth.

        Args:
            now: The vault account's time.
            target_seq: The journal_seq that the row which would change has now; 0 when there is none.
        """
        if self.used_event_id:
            return ApprovalState.USED
        if self.decision == REJECTED:
            return ApprovalState.REJECTED
        if now >= self.expires_at:
            return ApprovalState.EXPIRED
        if target_seq != self.target_seq:
            return ApprovalState.VOID
        return ApprovalState.APPROVED if self.decision == APPROVED else ApprovalState.PENDING

    def is_by(self, actor: Mapping[str, str]) -> bool:
        """Say whether somebody is the author."""
        return self.author.get("oid", "").lower() == actor.get("oid", "").lower()

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Approval":
        """Read the row."""
        return cls(
            id=values["approval_id"],
            operation=values["operation"],
            path=values["path"],
            author=json.loads(values["author"]),
            reasons=tuple(json.loads(values["reasons"])),
            before=json.loads(values["before"]),
            after=json.loads(values["after"]),
            target=Target(table=values["target_table"], partition=values["target_partition"], key=values["target_key"]),
            target_seq=values["target_seq"],
            requested_at=values["requested_at"],
            expires_at=values["expires_at"],
            decision=values.get("decision", ""),
            decision_reason=values.get("decision_reason", ""),
            decider=json.loads(values["decider"]) if values.get("decider") else None,
            decided_at=values.get("decided_at"),
            used_event_id=values.get("used_event_id", ""),
            used_at=values.get("used_at"),
            used_by_stream=values.get("used_by_stream", ""),
            used_by_seq=values.get("used_by_seq", 0),
        )
