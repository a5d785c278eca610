"""The breaker: a plan that would delete far more than the plans before it announced is not executed."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flexvault.domain.retention import Decision, PointFacts, Reason, Regime, Verdict

MOST_UNANNOUNCED_SHARE = 0.2
MOST_UNANNOUNCED_POINTS = 3
ANNOUNCE_FOR = timedelta(days=2, hours=1)
"""What falls due until the next two plans, of which there is one a day; timers are late by minutes."""
LONGEST_PAUSE = timedelta(days=31)
"""Between two plans: after a longer one either the vault slept or a clock jumped, and a person looks first."""

type PointKey = tuple[str, str]
"""Instance and point id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPlan:
    """What the newest plan that did not trip said, and what a release allowed since."""

    as_of: datetime
    announced: Collection[PointKey] = frozenset()
    """What it would delete, or said would fall due."""
    expiries: Mapping[PointKey, datetime]
    """The expiry of every point as it was then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """Why a plan must not be executed."""

    code: str
    """`TooManyDeletions`, `ExpiryMovedEarlier` or `PlansPaused`."""
    instance: str
    """32 hex digits; empty where it is about the whole plan."""
    message: str

    def to_json(self) -> dict[str, str]:
        """Write it for the plan."""
        return {"code": self.code, "instance": self.instance, "message": self.message}


def find_announced(verdicts: Iterable[Verdict], as_of: datetime) -> list[PointFacts]:
    """Answer the points that a later plan may delete because this one says so.

    Also those that are retained for ever: it says what goes when protection is resumed, which is a change of its own.
    """
    return [
        verdict.point
        for verdict in verdicts
        if verdict.decision is not Decision.EXPIRE
        and verdict.point.regime is not Regime.DELETE
        and verdict.point.expiry_time <= as_of + ANNOUNCE_FOR
    ]


def find_trips(
    verdicts: Sequence[Verdict],
    as_of: datetime,
    earlier: EarlierPlan | None,
    *,
    released: Collection[PointKey] = frozenset(),
    released_at: datetime | None = None,
    regraded: Collection[PointKey] = frozenset(),
) -> tuple[Trip, ...]:
    """Answer why a plan must not be executed; nothing when it may.

    An approved deletion of data is no surprise and does not count; nor does a point whose expiry an approved
    re-evaluation moved to an earlier time since the earlier plan. After a long pause everything counts.

    Args:
        verdicts: One per recovery point.
        as_of: The plan's moment.
        earlier: The newest plan that did not trip; nothing when there is none.
        released: What a person allowed to delete by releasing the breaker.
        released_at: When that was; a person looked then, so nothing slept before it.
        regraded: Points whose expiry an approved re-evaluation changed.
    """
    doomed = [
        verdict.point
        for verdict in verdicts
        if verdict.decision is Decision.EXPIRE and Reason.DATA_DELETION_APPROVED not in verdict.reasons
    ]
    surprising = [point for point in doomed if _key(point) not in released]
    if not surprising:
        return ()
    since = earlier.as_of if earlier else max(verdict.point.recovery_point_time for verdict in verdicts)
    since = max(since, released_at or since)
    if as_of - since > LONGEST_PAUSE:
        text = f"the last plan is of {since.isoformat()}, over {LONGEST_PAUSE.days} days before {as_of.isoformat()}"
        return (Trip(code="PlansPaused", instance="", message=f"{text}: the vault slept, or a clock jumped"),)
    surprising = [point for point in surprising if not _is_approved(point, earlier, regraded)]
    totals = Counter(verdict.point.instance for verdict in verdicts)
    return (
        *_find_moved(surprising, earlier),
        *_find_many(surprising, totals, earlier.announced if earlier else ()),
    )


def read_earlier(plan: Mapping[str, Any]) -> EarlierPlan:
    """Read what a stored plan announced."""
    verdicts = plan["verdicts"]
    announced = {(point["instance"], point["pointId"]) for point in plan.get("announced", ())}
    doomed = read_doomed(plan)
    expiries = {
        (verdict["instance"], verdict["pointId"]): datetime.fromisoformat(verdict["expiryTime"]) for verdict in verdicts
    }
    return EarlierPlan(as_of=datetime.fromisoformat(plan["asOf"]), announced=announced | doomed, expiries=expiries)


def read_doomed(plan: Mapping[str, Any]) -> set[PointKey]:
    """Answer what a stored plan would delete."""
    return {
        (verdict["instance"], verdict["pointId"])
        for verdict in plan["verdicts"]
        if verdict["decision"] == Decision.EXPIRE.value
    }


def read_known(plan: Mapping[str, Any], as_of: datetime) -> set[PointKey]:
    """Answer what whoever released a plan knew would go by a moment: its deletions, and what has expired since then."""
    return read_doomed(plan) | {
        (verdict["instance"], verdict["pointId"])
        for verdict in plan["verdicts"]
        if datetime.fromisoformat(verdict["expiryTime"]) <= as_of and not _is_kept_for_ever(verdict)
    }


def _is_kept_for_ever(verdict: Mapping[str, Any]) -> bool:
    """Nobody was told that such a point would go: protection may be resumed after the release."""
    return any(reason["code"] == Reason.PROTECTION_STOPPED.value for reason in verdict["reasons"])


def _find_many(points: Sequence[PointFacts], totals: Mapping[str, int], announced: Collection[PointKey]) -> list[Trip]:
    trips: list[Trip] = []
    counts = Counter(point.instance for point in points if _key(point) not in announced)
    for instance, count in sorted(counts.items()):
        if count > MOST_UNANNOUNCED_POINTS and count > MOST_UNANNOUNCED_SHARE * totals[instance]:
            text = f"{count} of {totals[instance]} recovery points would be deleted that no earlier plan announced"
            trips.append(Trip(code="TooManyDeletions", instance=instance, message=text))
    return trips


def _is_approved(point: PointFacts, earlier: EarlierPlan | None, regraded: Collection[PointKey]) -> bool:
    """Say whether a re-evaluation since the earlier plan made a point go sooner: a second person saw its new expiry."""
    before = earlier.expiries.get(_key(point)) if earlier else None
    return before is not None and point.expiry_time < before and _key(point) in regraded


def _find_moved(points: Sequence[PointFacts], earlier: EarlierPlan | None) -> list[Trip]:
    expiries: Mapping[PointKey, datetime] = earlier.expiries if earlier else {}
    moved = [point for point in points if point.expiry_time < expiries.get(_key(point), point.expiry_time)]
    trips: list[Trip] = []
    for instance, count in sorted(Counter(point.instance for point in moved).items()):
        text = f"{count} recovery point(s) would be deleted whose expiry moved to an earlier time since the last plan"
        trips.append(Trip(code="ExpiryMovedEarlier", instance=instance, message=text))
    return trips


def _key(point: PointFacts) -> PointKey:
    return (point.instance, point.point_id)
