"""Tag and expiry of existing recovery points under another policy: computed when the owner asks, never by itself.

It is a function of the points as they were sealed and of the policy, so a re-evaluation under the policy that a point
was taken under gives the point back what it had.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flexvault.domain import names
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.policy import Policy
from flexvault.domain.tagging import DEFAULT_TAG, Because, Occasion, TagMatch, match_tags


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrade:
    """Tag and expiry that a re-evaluation gives a point."""

    tag: str
    because: str
    day: str
    expiry_time: datetime

    @classmethod
    def of(cls, point: RecoveryPoint) -> "Regrade":
        """Answer what a point has now."""
        return cls(tag=point.tag, because=point.because, day=point.day, expiry_time=point.expiry_time)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Regrade":
        """Read it from the entry."""
        return cls(
            tag=stored["tag"],
            because=stored["because"],
            day=stored["day"],
            expiry_time=datetime.fromisoformat(stored["expiry_time"]),
        )

    def to_json(self) -> dict[str, str]:
        """Write it for the entry."""
        return {
            "tag": self.tag,
            "because": self.because,
            "day": self.day,
            "expiry_time": self.expiry_time.isoformat(),
        }

    def keeps_like(self, other: "Regrade") -> bool:
        """Say whether a point is kept the same way: the reason alone changes nothing."""
        return (self.tag, self.expiry_time) == (other.tag, other.expiry_time)


def regrade(points: Iterable[RecoveryPoint], policy: Policy) -> Mapping[str, Regrade]:
    """Answer tag and expiry of every sealed point of an instance under a policy, by point id.

    Args:
        points: All rows as they were sealed, also of points that were deleted since: those can have been the first of
            their period. Their order does not matter.
        policy: The policy.
    """
    ordered = sorted(points, key=lambda point: (point.recovery_point_time, point.point_id))
    return {
        point.point_id: Regrade(
            tag=match.tag,
            because=match.because.value,
            day=match.day.isoformat(),
            expiry_time=policy.expiry(match.tag, point.recovery_point_time),
        )
        for point, match in _tag_all(ordered, policy)
        if point.state == "sealed"
    }


def _tag_all(points: Iterable[RecoveryPoint], policy: Policy) -> Iterator[tuple[RecoveryPoint, TagMatch]]:
    """Tag points, oldest first, as each one was tagged when its backup had succeeded."""
    last: dict[str, date] = {}
    for point in points:
        if point.judged_at is None:
            yield point, _tag_on_demand(point, policy)
            continue
        before = last.get(point.chain)
        occasion = Occasion(judged_at=point.judged_at, slot=_slot_of(point, point.judged_at), last_success_on=before)
        match = match_tags(policy.tags, policy.zone, occasion)[0]
        yield point, match
        # A late backup can be judged behind the one that follows it.
        last[point.chain] = match.day if before is None else max(before, match.day)


def _tag_on_demand(point: RecoveryPoint, policy: Policy) -> TagMatch:
    rules = {name.lower(): name for name in policy.retention}
    day = point.recovery_point_time.astimezone(policy.zone).date()
    return TagMatch(tag=rules.get(point.tag.lower(), DEFAULT_TAG), because=Because.ON_DEMAND, day=day)


def _slot_of(point: RecoveryPoint, judged_at: datetime) -> datetime:
    """Answer the slot that the job's id carries; a point of another origin counts as due when it was judged."""
    try:
        slot = names.job_time(point.job_id)
    except (ValueError, OverflowError):
        return judged_at
    return slot if names.slot_job_id(point.instance, slot) == point.job_id else judged_at
