"""Preview retention for one instance: what would be deleted, when and why, before anything is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.breaker import PointKey
from flexvault.domain.instance import Instance, RecoveryPoint
from flexvault.domain.reevaluation import Regrade
from flexvault.domain.retention import Decision, PointFacts, Reason, Regime, Verdict, judge, newest_points
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.breaker import find_earlier_plans, find_trips_now, read_breaker
from flexvault.services.immutability import STORAGE_HOLD, Guarded, read_guards
from flexvault.services.keeping import Keeping, read_keeping
from flexvault.services.reevaluate import preview_reevaluation
from flexvault.services.regrades import apply_regrade
from flexvault.services.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedPoint:
    """What becomes of one recovery point if nothing else changes."""

    verdict: Verdict
    deleted_at: datetime | None
    """When it would go; nothing while it is kept for ever, blocked, or kept as the newest of its chain."""
    size_bytes: int
    is_newest: bool
    """It is kept as the newest of its chain, however old it is."""
    is_newest_good: bool
    """The newest good one of its chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedInstance:
    """An instance as it stands, and as a re-evaluation under a policy would make it."""

    present: tuple[PreviewedPoint, ...]
    """Oldest first."""
    reevaluated: tuple[PreviewedPoint, ...]
    """The same points in the same order."""
    preview_hash: str
    """By which the re-evaluation under the instance's present policy is asked for."""
    held_back: tuple[str, ...]
    """Why the next plan would delete nothing of it: the breaker is tripped, or this would trip it."""


def preview_instance(vault: Vault, instance: Instance, as_of: datetime, properties: Any = None) -> PreviewedInstance:
    """Preview an instance: no further backup, hold or change of state.

    The rows are asked, and storage for what it protects; not manifests and journal: retention itself looks at those,
    and keeps what it cannot believe.

    Args:
        vault: The vault.
        instance: Whose points.
        as_of: The moment.
        properties: Of another policy; nothing for the instance's present one.

    Raises:
        InvalidInputError: The policy cannot be understood.
        NotFoundError: The instance's policy is gone.
    """
    keeping = read_keeping(vault.ports, instance.key)
    points = [apply_regrade(point, keeping.regrades) for point in catalog.list_sealed_points(vault.ports, instance.key)]
    sizes = {point.point_id: point.size_bytes for point in points}
    guards = read_guards(vault.ports, f"{instance.key}/")
    facts = [_facts(point, keeping, guards) for point in points]
    found = preview_reevaluation(vault, instance, properties)
    after = {change.point.point_id: change.after for change in found.points}
    regraded = [_regraded(fact, after[fact.point_id]) if fact.point_id in after else fact for fact in facts]
    present = preview_points(facts, sizes, as_of)
    return PreviewedInstance(
        present=present,
        reevaluated=preview_points(regraded, sizes, as_of),
        preview_hash=found.preview_hash,
        held_back=_find_held_back(
            vault.ports,
            [point.verdict for point in present],
            as_of,
            {(instance.key, point_id) for point_id in keeping.regrades},
        ),
    )


def _find_held_back(
    ports: Ports, verdicts: Sequence[Verdict], as_of: datetime, regraded: Collection[PointKey]
) -> tuple[str, ...]:
    state = read_breaker(ports)
    if state.is_tripped:
        return (f"the breaker waits for a release: the plan '{state.plan}' tripped it",)
    earlier = find_earlier_plans(ports, as_of).untripped
    trips = find_trips_now(ports, state, verdicts, as_of, earlier=earlier, regraded=regraded)
    return tuple(trip.message for trip in trips)


def _regraded(facts: PointFacts, grade: Regrade) -> PointFacts:
    return replace(facts, tag=grade.tag, because=grade.because, day=grade.day, expiry_time=grade.expiry_time)


def preview_points(facts: Sequence[PointFacts], sizes: dict[str, int], as_of: datetime) -> tuple[PreviewedPoint, ...]:
    """Judge points now, and say when each of those that are kept would go.

    Args:
        facts: The points.
        sizes: Point id -> bytes.
        as_of: The moment.
    """
    verdicts = judge(facts, as_of)
    newest = newest_points([verdict.point for verdict in verdicts])
    return tuple(
        PreviewedPoint(
            verdict=verdict,
            deleted_at=_deleted_at(verdict, as_of, is_newest=verdict.point.point_id in newest),
            size_bytes=sizes.get(verdict.point.point_id, 0),
            is_newest=verdict.point.point_id in newest,
            is_newest_good=newest.get(verdict.point.point_id) is Reason.NEWEST_GOOD_POINT,
        )
        for verdict in verdicts
    )


def _deleted_at(verdict: Verdict, as_of: datetime, *, is_newest: bool) -> datetime | None:
    point = verdict.point
    kept = {Reason.PROTECTION_STOPPED, Reason.POISONING_SUSPECTED}
    if verdict.decision is Decision.BLOCKED or point.holds or kept.intersection(verdict.reasons):
        return None
    if Reason.SOFT_DELETED in verdict.reasons:
        ends = [end for end in (point.purge_at, point.immutable_until) if end is not None]
        return max(ends, default=None)
    if point.regime is Regime.DELETE or verdict.decision is Decision.EXPIRE:
        return as_of
    return None if is_newest else max(point.expiry_time, point.immutable_until or point.expiry_time)


def _facts(point: RecoveryPoint, keeping: Keeping, guards: Mapping[str, Guarded]) -> PointFacts:
    guarded = guards.get(blob_names.point_prefix(point.instance, point.point_id), Guarded())
    holds = {*keeping.holds, *point.holds}
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
        purge_at=keeping.purge_at,
        is_good=not keeping.problem and not point.is_broken,
        was_broken=point.was_broken,
        holds=tuple(sorted(holds or ({STORAGE_HOLD} if guarded.is_held else ()))),
        immutable_until=guarded.until,
        readers=point.readers,
        suspects=keeping.suspects,
        problem=keeping.problem,
    )
