"""Give a backup its retention tag, once it has succeeded: only then it can be the first of its period."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from flexvault.domain.decisions import CATCH_UP_AFTER
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.open_job import OpenJob
from flexvault.domain.policy import Policy
from flexvault.domain.tagging import Because, Occasion, TagMatch, match_tags
from flexvault.ports import Ports
from flexvault.services import catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """The tag of a backup and why it is that."""

    match: TagMatch
    judged_at: datetime | None
    """Of a scheduled backup; nothing for one on demand, which never counts for "first of"."""

    @property
    def tag(self) -> str:
        """Answer the tag's name."""
        return self.match.tag

    def to_json(self) -> dict[str, Any]:
        """Write it for the manifest."""
        written = {"because": self.match.because.value, "day": self.match.day.isoformat()}
        return written | ({"judgedAt": self.judged_at.isoformat()} if self.judged_at else {})


def tag_backup(ports: Ports, opened: OpenJob, policy: Policy, ran_at: datetime) -> Tagged:
    """Tag a backup.

    Args:
        ports: Where earlier points are found.
        opened: The backup's open row.
        policy: As of the claim.
        ran_at: When it was started.
    """
    slot = opened.state.get("slot")
    if not slot:
        day = ran_at.astimezone(policy.zone).date()
        match = TagMatch(tag=str(opened.state["tag"]), because=Because.ON_DEMAND, day=day)
        return Tagged(match=match, judged_at=None)
    due_at = datetime.fromisoformat(slot)
    begins_at = datetime.fromisoformat(opened.state.get("begins_at") or slot)
    judged_at = ran_at if ran_at - begins_at > CATCH_UP_AFTER else due_at
    instance = catalog.find_instance_by_key(ports, opened.instance)
    points = () if instance is None else catalog.list_own_points(ports, instance)
    last = find_last_success(points, str(opened.state["server"]["chain"]), policy.zone)
    occasion = Occasion(judged_at=judged_at, slot=due_at, last_success_on=last)
    return Tagged(match=match_tags(policy.tags, policy.zone, occasion)[0], judged_at=judged_at)


def find_last_success(points: Iterable[RecoveryPoint], chain: str, zone: tzinfo) -> date | None:
    """Answer the latest date by which a scheduled point of a chain was judged, also of one that was deleted since."""
    moments = [point.judged_at for point in points if point.chain == chain and point.judged_at is not None]
    return max((moment.astimezone(zone).date() for moment in moments), default=None)
