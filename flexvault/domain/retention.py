"""Which recovery points may go, and why each of the others stays: pure, so a plan can be explained and repeated."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any


class Decision(StrEnum):
    """What becomes of a recovery point at one moment."""

    KEEP = "keep"
    """A rule wants it: nothing to do."""
    EXPIRE = "expire"
    """No rule wants it any more: it will be deleted."""
    BLOCKED = "blocked"
    """It has expired, but may not be deleted now; the reason says why."""


class Regime(StrEnum):
    """What the protection state of an instance means for its recovery points."""

    POLICY = "policy"
    """Each is kept until its expiry."""
    FOREVER = "forever"
    """Protection was stopped and the data are retained: none expires."""
    DELETE = "delete"
    """An approved deletion of the data: none is wanted any more, not even the newest, once it is no longer soft."""


class Reason(StrEnum):
    """Why a point is kept, goes or must stay; with the point's facts it is the whole reason."""

    RETENTION_RULE = "RetentionRule"
    PROTECTION_STOPPED = "ProtectionStopped"
    SOFT_DELETED = "SoftDeleted"
    """The deletion of the data was approved, and its soft delete period has not run out."""
    NEWEST_GOOD_POINT = "NewestGoodPoint"
    NO_NEWER_UNBROKEN_POINT = "NoNewerUnbrokenPoint"
    """No newer point of its chain is there that no deep verification ever found broken: a verdict deletes nothing."""
    EXPIRED = "Expired"
    DATA_DELETION_APPROVED = "DataDeletionApproved"
    UNCERTAIN = "Uncertain"
    """What the vault account says of it cannot be believed."""
    LEGAL_HOLD = "LegalHold"
    IMMUTABLE = "Immutable"
    RESTORE_RUNNING = "RestoreRunning"
    POISONING_SUSPECTED = "PoisoningSuspected"
    """A backup of its server lost much: expiry waits until somebody acknowledges that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFacts:
    """What a verdict is made of."""

    instance: str
    point_id: str
    chain: str
    recovery_point_time: datetime
    expiry_time: datetime
    manifest_hash: str
    tag: str = ""
    because: str = ""
    """Why it has that tag: a word of `flexvault.domain.tagging.Because`."""
    day: str = ""
    """The local date by which it was tagged, such as 2026-01-05."""
    regime: Regime = Regime.POLICY
    purge_at: datetime | None = None
    """Of an instance whose data are deleted: none goes before; nothing where soft delete was off."""
    is_good: bool = True
    was_broken: bool = False
    """A deep verification failed once, whatever a later one said: it takes no older point's protection away."""
    holds: tuple[str, ...] = ()
    """Names of the legal holds that stand on it or on its instance."""
    immutable_until: datetime | None = None
    readers: int = 0
    """Restores that read it now."""
    suspects: tuple[str, ...] = ()
    """Points of its instance that may be poisoned and that nobody acknowledged: while there are any, none expires."""
    problem: str = ""
    """Why what the vault account says of it cannot be believed; it is no good point then, and is never deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision on one recovery point, with its reasons."""

    point: PointFacts
    decision: Decision
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        point = self.point
        return {
            "instance": point.instance,
            "pointId": point.point_id,
            "manifestHash": point.manifest_hash,
            "recoveryPointTime": point.recovery_point_time.isoformat(),
            "expiryTime": point.expiry_time.isoformat(),
            "tag": point.tag,
            "decision": self.decision.value,
            "reasons": [describe_reason(reason, point) for reason in self.reasons],
        }


def describe_reason(reason: Reason, point: PointFacts) -> dict[str, Any]:
    """Write a reason with the facts that it rests on."""
    described: dict[str, Any] = {"code": reason.value}
    match reason:
        case Reason.RETENTION_RULE | Reason.EXPIRED:
            described |= {"expiryTime": point.expiry_time.isoformat(), "rule": point.tag}
            described |= {"because": point.because, "day": point.day} if point.because else {}
        case Reason.LEGAL_HOLD:
            described["holds"] = list(point.holds)
        case Reason.IMMUTABLE:
            described["until"] = point.immutable_until.isoformat() if point.immutable_until else None
        case Reason.RESTORE_RUNNING:
            described["readers"] = point.readers
        case Reason.UNCERTAIN:
            described["problem"] = point.problem
        case Reason.POISONING_SUSPECTED:
            described["suspects"] = list(point.suspects)
        case Reason.SOFT_DELETED:
            described["until"] = point.purge_at.isoformat() if point.purge_at else None
        case (
            Reason.PROTECTION_STOPPED
            | Reason.NEWEST_GOOD_POINT
            | Reason.NO_NEWER_UNBROKEN_POINT
            | Reason.DATA_DELETION_APPROVED
        ):
            pass
    return described


def is_soft_deleted(purge_at: datetime | None, as_of: datetime) -> bool:
    """Say whether an approved deletion of data must not begin yet; without a moment it begins at once."""
    return purge_at is not None and as_of < purge_at + PURGE_WAITS


PURGE_WAITS = timedelta(minutes=10)
"""A request to undelete that came in time may write its entry that late: an HTTP request ends after 230 seconds."""


def newest_points(oldest_first: Sequence[PointFacts]) -> Mapping[str, Reason]:
    """Answer the ids of the points that a policy never deletes, as the newest of their chains, and why each of them.

    These are the newest point that no deep verification ever found broken, and every point after it. So no verdict
    takes protection away, be it true or false: a failed one only adds what is kept, an intact one changes nothing.
    """
    kept: dict[str, Reason] = {}
    with_good: set[tuple[str, str]] = set()
    done: set[tuple[str, str]] = set()
    for point in reversed(oldest_first):
        chain = (point.instance, point.chain)
        if chain in done or point.problem:  # which is never deleted, and protects no other one
            continue
        is_newest_good = point.is_good and chain not in with_good
        kept[point.point_id] = Reason.NEWEST_GOOD_POINT if is_newest_good else Reason.NO_NEWER_UNBROKEN_POINT
        if point.is_good:
            with_good.add(chain)
            if not point.was_broken:
                done.add(chain)
    return kept


def judge(points: Iterable[PointFacts], as_of: datetime) -> tuple[Verdict, ...]:
    """Judge every recovery point at one moment; the order of the input changes nothing."""
    oldest_first = _sort(points)
    newest = newest_points(oldest_first)
    return tuple(_judge_one(point, as_of, newest) for point in oldest_first)


def _sort(points: Iterable[PointFacts]) -> list[PointFacts]:
    """Sort by instance, then by age: stable sorts by one member each build no keys, which halves the time."""
    ordered = sorted(points, key=attrgetter("point_id"))
    for member in ("recovery_point_time", "instance"):
        ordered.sort(key=attrgetter(member))
    return ordered


def _judge_one(point: PointFacts, as_of: datetime, newest: Mapping[str, Reason]) -> Verdict:
    if point.regime is Regime.DELETE and is_soft_deleted(point.purge_at, as_of):
        return Verdict(point=point, decision=Decision.KEEP, reasons=(Reason.SOFT_DELETED,))
    if point.regime is Regime.DELETE:
        return _end(point, as_of, Reason.DATA_DELETION_APPROVED)
    if point.regime is Regime.FOREVER:
        return Verdict(point=point, decision=Decision.KEEP, reasons=(Reason.PROTECTION_STOPPED,))
    if point.expiry_time > as_of:
        return Verdict(point=point, decision=Decision.KEEP, reasons=_rule_of(point))
    if point.point_id in newest:
        return Verdict(point=point, decision=Decision.KEEP, reasons=(Reason.EXPIRED, newest[point.point_id]))
    return _end(point, as_of, Reason.EXPIRED)


def _rule_of(point: PointFacts) -> tuple[Reason, ...]:
    """Answer why a point is kept that has not expired, and what will keep it when it has."""
    held, paused = _HELD if point.holds else (), _PAUSED if point.suspects else ()
    return (*_RULE, *held, *paused) if held or paused else _RULE


_RULE, _HELD, _PAUSED = (Reason.RETENTION_RULE,), (Reason.LEGAL_HOLD,), (Reason.POISONING_SUSPECTED,)


def _end(point: PointFacts, as_of: datetime, why: Reason) -> Verdict:
    """Let a point go, unless something forbids that now: every reason that does is named."""
    blocks: list[Reason] = []
    if point.problem:
        blocks.append(Reason.UNCERTAIN)
    if point.holds:
        blocks.append(Reason.LEGAL_HOLD)
    if point.immutable_until is not None and point.immutable_until > as_of:
        blocks.append(Reason.IMMUTABLE)
    if point.readers > 0:
        blocks.append(Reason.RESTORE_RUNNING)
    if point.suspects and point.regime is not Regime.DELETE:  # two people decided on a deletion, nobody on an expiry
        blocks.append(Reason.POISONING_SUSPECTED)
    return Verdict(point=point, decision=Decision.BLOCKED if blocks else Decision.EXPIRE, reasons=(why, *blocks))
