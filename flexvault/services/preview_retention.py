"""Preview retention for one instance: what would be deleted, when and why, before anything is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flexvault.domain.instance import Instance, RecoveryPoint
from flexvault.domain.retention import Decision, PointFacts, Reason, Regime, Verdict, judge, newest_good_points
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.keeping import Keeping, read_keeping


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedPoint:
    """What becomes of one recovery point if nothing else changes."""

    verdict: Verdict
    deleted_at: datetime | None
    """When it would go; nothing while it is kept for ever, blocked, or the newest good point."""
    size_bytes: int


def preview_instance(ports: Ports, instance: Instance, as_of: datetime) -> tuple[PreviewedPoint, ...]:
    """Preview an instance as it stands, oldest point first: no further backup, hold or change of policy.

    The rows are asked, not the manifests: retention itself looks at those, and keeps what it cannot believe.
    """
    keeping = read_keeping(ports, instance.key)
    points = catalog.list_points(ports, instance.key)
    return preview_points(
        [_facts(point, keeping) for point in points], {p.point_id: p.size_bytes for p in points}, as_of
    )


def preview_points(facts: Sequence[PointFacts], sizes: dict[str, int], as_of: datetime) -> tuple[PreviewedPoint, ...]:
    """Judge points now, and say when each of those that are kept would go.

    Args:
        facts: The points.
        sizes: Point id -> bytes.
        as_of: The moment.
    """
    newest = newest_good_points(facts)
    return tuple(
        PreviewedPoint(
            verdict=verdict,
            deleted_at=_deleted_at(verdict, as_of, is_newest=verdict.point.point_id in newest),
            size_bytes=sizes.get(verdict.point.point_id, 0),
        )
        for verdict in judge(facts, as_of)
    )


def _deleted_at(verdict: Verdict, as_of: datetime, *, is_newest: bool) -> datetime | None:
    point = verdict.point
    if verdict.decision is Decision.BLOCKED or point.holds or Reason.PROTECTION_STOPPED in verdict.reasons:
        return None
    if point.regime is Regime.DELETE or verdict.decision is Decision.EXPIRE:
        return as_of
    return None if is_newest else max(point.expiry_time, point.immutable_until or point.expiry_time)


def _facts(point: RecoveryPoint, keeping: Keeping) -> PointFacts:
    return PointFacts(
        instance=point.instance,
        point_id=point.point_id,
        chain=point.chain,
        recovery_point_time=point.recovery_point_time,
        expiry_time=point.expiry_time,
        manifest_hash=point.manifest_hash,
        tag=point.tag,
        because=point.because,
        day=point.day,
        regime=keeping.regime,
        is_good=not keeping.problem,
        holds=tuple(sorted({*keeping.holds, *point.holds})),
        readers=point.readers,
        problem=keeping.problem,
    )
