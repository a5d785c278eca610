"""Which recovery points may go, and why each of the others stays: pure, so a plan can be explained and repeated."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Decision(StrEnum):
    """What becomes of a recovery point at one moment."""

    KEEP = "keep"
    """A rule wants it: nothing to do."""
    EXPIRE = "expire"
    """No rule wants it any more: it will be deleted."""
    BLOCKED = "blocked"
    """It has expired, but may not be deleted now; the reason says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFacts:
    """What a verdict is made of."""

    instance: str
    point_id: str
    chain: str
    recovery_point_time: datetime
    expiry_time: datetime
    manifest_hash: str
    is_good: bool = True
    is_held: bool = False
    immutable_until: datetime | None = None
    readers: int = 0
    """Restores that read it now."""
    problem: str = ""
    """Why what the vault account says of it cannot be believed; it is no good point then, and is never deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision on one recovery point, with its reasons."""

    point: PointFacts
    decision: Decision
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        return {
            "instance": self.point.instance,
            "pointId": self.point.point_id,
            "manifestHash": self.point.manifest_hash,
            "recoveryPointTime": self.point.recovery_point_time.isoformat(),
            "expiryTime": self.point.expiry_time.isoformat(),
            "decision": self.decision.value,
            "reasons": list(self.reasons),
        }


def newest_good_points(points: Iterable[PointFacts]) -> Collection[str]:
    """Answer the id of the newest good point of each chain: these are never deleted."""
    newest: dict[tuple[str, str], PointFacts] = {}
    for point in points:
        if not point.is_good:
            continue
        chain = (point.instance, point.chain)
        best = newest.get(chain)
        if best is None or _age_order(point) > _age_order(best):
            newest[chain] = point
    return {point.point_id for point in newest.values()}


def judge(points: Sequence[PointFacts], as_of: datetime) -> tuple[Verdict, ...]:
    """Judge every recovery point at one moment; the order of the input changes nothing."""
    newest = newest_good_points(points)
    return tuple(_judge_one(point, as_of, newest) for point in sorted(points, key=_age_order))


def _judge_one(point: PointFacts, as_of: datetime, newest: Collection[str]) -> Verdict:
    if point.expiry_time > as_of:
        return Verdict(point=point, decision=Decision.KEEP, reasons=(f"expires {point.expiry_time.isoformat()}",))
    if point.point_id in newest:
        reason = f"expired {point.expiry_time.isoformat()}, but it is the newest good point of its server"
        return Verdict(point=point, decision=Decision.KEEP, reasons=(reason,))
    blocks = [point.problem] if point.problem else []
    if point.is_held:
        blocks.append("a legal hold stands")
    if point.immutable_until is not None and point.immutable_until > as_of:
        blocks.append(f"immutable until {point.immutable_until.isoformat()}")
    if point.readers > 0:
        blocks.append(f"{point.readers} running restore(s) read it")
    if blocks:
        return Verdict(point=point, decision=Decision.BLOCKED, reasons=tuple(blocks))
    return Verdict(point=point, decision=Decision.EXPIRE, reasons=(f"expired {point.expiry_time.isoformat()}",))


def _age_order(point: PointFacts) -> tuple[datetime, str, str]:
    return (point.recovery_point_time, point.instance, point.point_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedDeletion:
    """A recovery point whose tombstone stands, but whose deletion was not finished."""

    instance: str
    point_id: str
    tombstone_seq: int
    """Number of the tombstone in the instance's stream."""

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        return {"instance": self.instance, "pointId": self.point_id, "tombstoneSeq": self.tombstone_seq}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsealedFile:
    """A file in the vault account that no manifest names and no open job writes."""

    path: str
    version_id: str
    last_modified: datetime

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        return {"path": self.path, "versionId": self.version_id, "lastModified": self.last_modified.isoformat()}


def build_plan(
    verdicts: Iterable[Verdict],
    as_of: datetime,
    unfinished: Iterable[UnfinishedDeletion] = (),
    unsealed: Iterable[UnsealedFile] = (),
    damaged: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """Build the plan that is stored before anything is deleted.

    Args:
        verdicts: One per recovery point.
        as_of: The moment.
        unfinished: Deletions to finish.
        unsealed: Files to remove.
        damaged: Path of each manifest that cannot be read -> why; points of its instance are not deleted.
    """
    return {
        "version": 1,
        "asOf": as_of.isoformat(),
        "verdicts": [verdict.to_json() for verdict in verdicts],
        "unfinished": [deletion.to_json() for deletion in unfinished],
        "unsealed": [file.to_json() for file in unsealed],
        "damaged": [{"path": path, "reason": reason} for path, reason in sorted((damaged or {}).items())],
    }
