"""Make the retention plan of a moment from what the vault account holds, and store it before anything is deleted."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.breaker import EarlierPlan, PointKey, Trip
from flexvault.domain.errors import AlreadyExistsError, IntegrityError, PermanentError
from flexvault.domain.instance import TOMBSTONED, RecoveryPoint
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.keeping_events import KEEPING_KINDS
from flexvault.domain.manifest import Manifest
from flexvault.domain.retention import PointFacts, Verdict, judge
from flexvault.domain.rows import Row
from flexvault.domain.stored_plan import PlanParts, PlanWarning, UnfinishedDeletion, build_plan
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.breaker import breaker_of, find_earlier_plans, find_trips_now, trip_breaker
from flexvault.services.immutability import STORAGE_HOLD, Guarded, read_guards
from flexvault.services.journal import append, project, read_stream
from flexvault.services.keeping import Keeping, fold_keeping, is_point_row_different, is_row_different
from flexvault.services.manifests import (
    FoundManifest,
    find_manifest,
    find_manifests,
    find_verified,
    read_own_manifest,
    read_stored,
)
from flexvault.services.poisoning_guard import tell_suspicion
from flexvault.services.seal import sealed_draft
from flexvault.services.standings import JOURNAL_DIFFERS, Standings
from flexvault.services.vault import Vault
from flexvault.services.vault_files import (
    RENEW_EVERY,
    do_nothing,
    find_unsealed,
    is_written,
)

NO_ENTRY = "it has a manifest but no journal entry"
ROW_UNREADABLE = "its row cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What the vault account says of its recovery points."""

    points: tuple[PointFacts, ...]
    files: Mapping[str, frozenset[str] | None]
    """`{instance}/{point}/` -> the files that its manifest names; nothing for one that cannot be read."""
    damaged: Mapping[str, str]
    """Path of each manifest that cannot be read -> why."""
    regraded: frozenset[PointKey]
    """Points whose expiry an approved re-evaluation changed."""
    tombstoned: tuple[UnfinishedDeletion, ...]
    """Points whose tombstone stands and whose manifest is there: still, or again, where a seal came late."""
    differing: frozenset[str]
    """Instances of which a row says something else than the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan that was stored."""

    path: str
    plan_hash: str
    trips: tuple[Trip, ...]
    """Why it must not be executed."""
    standing: Mapping[str, Any]
    """How far the journal was read, and what it says."""
    warnings: tuple[PlanWarning, ...]


def store_plan(vault: Vault, as_of: datetime, renew: Callable[[], object] = do_nothing) -> StoredPlan:
    """Store the plan of a moment; one that trips the breaker stops retention until a person releases it.

    Args:
        vault: The vault.
        as_of: The moment.
        renew: Called now and then: a large vault takes longer than a lease.
    """
    earlier = find_earlier_plans(vault.ports, as_of)
    standings = Standings(vault.ports, earlier.checkpoint, renew)
    inventory = read_points(vault.ports, standings, renew=renew)
    differing = inventory.differing
    if _journal_found(vault, inventory.points, as_of, renew):
        inventory = read_points(vault.ports, standings, renew=renew)
    for instance in sorted(differing | inventory.differing):
        vault.ports.telemetry.emit("RowsDiffer", {"instance": instance})
    verdicts = judge(inventory.points, as_of)
    parts = PlanParts(
        as_of=as_of,
        verdicts=verdicts,
        trips=(
            *_find_journal_trips(standings.warnings),
            *_find_trips(
                vault.ports, standings, verdicts, as_of, earlier=earlier.untripped, regraded=inventory.regraded
            ),
        ),
        unfinished=tuple(dict.fromkeys([*find_unfinished(vault.ports), *inventory.tombstoned])),
        unsealed=tuple(find_unsealed(vault, as_of, known=inventory.files, renew=renew)),
        damaged=inventory.damaged,
        warnings=(*standings.warnings, *standings.list_problems()),
        standing=standings.to_json(),
    )
    return _store(vault.ports, parts)


def _store(ports: Ports, parts: PlanParts) -> StoredPlan:
    data = names.canonical_json(build_plan(parts))
    plan_hash = names.sha256_hex(data)
    path = blob_names.plan_path(parts.as_of, plan_hash)
    with suppress(AlreadyExistsError):  # the same moment and the same hash: the same plan
        ports.vault_cleaner.create(blob_names.PLANS, path, data)
    if parts.trips:
        trip_breaker(ports, path, plan_hash, parts.trips)
    return StoredPlan(
        path=path, plan_hash=plan_hash, trips=parts.trips, standing=parts.standing, warnings=parts.warnings
    )


def _find_journal_trips(warnings: Iterable[PlanWarning]) -> Iterator[Trip]:
    """Stop when the journal is not the one that an earlier plan read: a hold or a stop may be missing from it now."""
    for found in warnings:
        if found.code == JOURNAL_DIFFERS:
            instance = "" if found.resource == blob_names.VAULT_STREAM else found.resource
            yield Trip(code=found.code, instance=instance, message=found.message)


def _find_trips(
    ports: Ports,
    standings: Standings,
    verdicts: Sequence[Verdict],
    as_of: datetime,
    *,
    earlier: EarlierPlan | None,
    regraded: Collection[PointKey],
) -> tuple[Trip, ...]:
    state = breaker_of(ports, standings.breaker_seq)
    trips = find_trips_now(ports, state, verdicts, as_of, earlier=earlier, regraded=regraded)
    if state.is_tripped and not trips:
        text = f"the breaker was tripped by the plan '{state.plan}' and was not released since"
        return (Trip(code="BreakerHolds", instance="", message=text),)
    return trips


def read_points(
    ports: Ports, standings: Standings, *, within: str = "", renew: Callable[[], object] = do_nothing
) -> Inventory:
    """Read every recovery point that the vault account holds: manifests and journal decide, never a row alone.

    A manifest that cannot be read might be the newest good point of its instance, or not: until somebody has looked,
    no point of that instance is deleted.

    Args:
        ports: What may be reached.
        standings: The journal, which is read to its end.
        within: Only points whose manifests lie below this prefix of container `manifests`.
        renew: Called now and then.
    """
    standings.catch_up(blob_names.VAULT_STREAM)
    reading = _Reading(ports, standings, read_guards(ports, within))
    renew()
    for count, found in enumerate(find_manifests(ports, within), start=1):
        if count % RENEW_EVERY == 0:
            renew()
        reading.read(found)
    for instance, point_id in find_verified(ports, within):
        reading.read_left_behind(instance, point_id)
    return reading.end()


class _Reading:
    """Gathers an inventory, manifest by manifest."""

    def __init__(self, ports: Ports, standings: Standings, guards: Mapping[str, Guarded]) -> None:
        self._ports = ports
        self._standings = standings
        self._guards = guards
        self._points: list[PointFacts] = []
        self._files: dict[str, frozenset[str] | None] = {}
        self._damaged: dict[str, str] = {}
        self._keeping: dict[str, Keeping] = {}
        self._tombstoned: list[UnfinishedDeletion] = []
        self._unjournalled: dict[str, list[str]] = {}  # instance -> suspected points whose entry is not there yet
        self._differing: set[str] = set()

    def read(self, found: FoundManifest) -> None:
        """Read one manifest and what is known of its point."""
        instance, point_id = found.instance, found.point_id
        if instance not in self._keeping:
            self._read_instance(instance)
        row = self._ports.rows.find(row_keys.POINTS, instance, point_id)
        if row is not None and row.values.get("state") in TOMBSTONED:
            self._tombstoned.append(_unfinished(instance, row))
            return
        path = blob_names.manifest_path(instance, point_id)
        point = blob_names.point_prefix(instance, point_id)
        data = read_stored(self._ports, found)
        try:
            manifest = read_own_manifest(data, instance, point_id)
        except IntegrityError as error:
            self._damaged[path], self._files[point] = error.message, None
            return
        self._files[point] = frozenset(file.path for file in manifest.files)
        self._points.append(self._facts(manifest, names.sha256_hex(data), row))
        if manifest.suspicion is not None and row is None:
            self._unjournalled.setdefault(instance, []).append(point_id)

    def read_left_behind(self, instance: str, point_id: str) -> None:
        """Notice a point that is gone, and beside whose manifest a deep verification wrote its result too late."""
        row = self._ports.rows.find(row_keys.POINTS, instance, point_id)
        is_known = blob_names.point_prefix(instance, point_id) in self._files
        if not is_known and row is not None and row.values.get("state") in TOMBSTONED:
            self._tombstoned.append(_unfinished(instance, row))

    def end(self) -> Inventory:
        """Answer what was found."""
        doubtful = {path.partition("/")[0]: path for path in self._damaged}
        regraded = ((key, point_id) for key, found in self._keeping.items() for point_id in found.regrades)
        return Inventory(
            points=tuple(_doubt(self._suspect(point), doubtful) for point in self._points),
            files=self._files,
            damaged=self._damaged,
            regraded=frozenset(regraded),
            tombstoned=tuple(self._tombstoned),
            differing=frozenset(self._differing),
        )

    def _suspect(self, point: PointFacts) -> PointFacts:
        """Pause expiry from the manifest on: whoever writes its entry may be slow or dead."""
        more = self._unjournalled.get(point.instance)
        return replace(point, suspects=(*point.suspects, *more)) if more else point

    def _read_instance(self, instance: str) -> None:
        self._standings.catch_up(instance)
        self._keeping[instance] = fold_keeping(self._ports, self._standings, instance)
        if is_row_different(self._ports, self._standings, instance):
            self._differing.add(instance)

    def _facts(self, manifest: Manifest, manifest_hash: str, row: Row | None) -> PointFacts:
        keeping = self._keeping[manifest.instance]
        standing = self._standings.instance(manifest.instance)
        # Into a stream that cannot be read nothing is written: so that comes before what an entry would mend.
        problem = self._standings.find_problem(manifest.instance)
        problem = problem or self._find_problem(manifest, manifest_hash, row) or keeping.problem
        regrade = keeping.regrades.get(manifest.point_id)
        guarded = self._guards.get(blob_names.point_prefix(manifest.instance, manifest.point_id), Guarded())
        holds = {*keeping.holds, *standing.point_holds(manifest.point_id)}
        return PointFacts(
            instance=manifest.instance,
            point_id=manifest.point_id,
            chain=manifest.chain,
            recovery_point_time=manifest.recovery_point_time,
            expiry_time=regrade.expiry_time if regrade else manifest.expiry_time,
            manifest_hash=manifest_hash,
            tag=regrade.tag if regrade else manifest.tag,
            because=regrade.because if regrade else manifest.tagging.get("because", ""),
            day=regrade.day if regrade else manifest.tagging.get("day", ""),
            regime=keeping.regime,
            purge_at=keeping.purge_at,
            holds=tuple(sorted(holds or ({STORAGE_HOLD} if guarded.is_held else ()))),
            immutable_until=guarded.until,
            is_good=not problem and manifest.point_id not in standing.broken,
            was_broken=manifest.point_id in standing.ever_broken,
            readers=standing.readers(manifest.point_id),
            suspects=keeping.suspects,
            problem=problem,
        )

    def _find_problem(self, manifest: Manifest, manifest_hash: str, row: Row | None) -> str:
        """Answer why a point cannot be believed, or nothing; and notice a row that differs from the journal."""
        if row is None:
            return NO_ENTRY
        try:
            point = RecoveryPoint.from_values(row.values)
            if is_point_row_different(self._standings, point):
                self._differing.add(manifest.instance)
        except MALFORMED:
            return ROW_UNREADABLE
        return "" if point.manifest_hash == manifest_hash else "its manifest is not the one that was sealed"


def find_unfinished(ports: Ports, instance: str = "") -> Iterator[UnfinishedDeletion]:
    """Answer every recovery point, or an instance's, whose tombstone stands and whose deletion is not journalled."""
    for key in [instance] if instance else catalog.list_instance_keys(ports):
        for row in ports.rows.query(row_keys.POINTS, key, start="0", end="g"):
            if row.values.get("state") == "deleting":
                yield _unfinished(key, row)


def _unfinished(instance: str, row: Row) -> UnfinishedDeletion:
    stored = row.values.get("tombstone_seq")
    # A row without a number has no tombstone: whoever looks for it there says so.
    return UnfinishedDeletion(
        instance=instance, point_id=row.key, tombstone_seq=stored if isinstance(stored, int) else 0
    )


def _journal_found(vault: Vault, points: Iterable[PointFacts], as_of: datetime, renew: Callable[[], object]) -> bool:
    """Give manifests that no row names their rows back, or their entry; answers whether anything changed.

    A missing row proves nothing: rows can get lost. So the journal is asked first, each stream once.
    """
    unnamed: dict[str, set[str]] = {}
    for point in points:
        if point.problem == NO_ENTRY and not is_written(vault.ports, _prefix(point)):  # its open job writes the entry
            unnamed.setdefault(point.instance, set()).add(point.point_id)
    is_changed = False
    for instance, wanted in unnamed.items():
        told = _project_again(vault.ports, instance, wanted, renew)
        for point_id in sorted(wanted - told):
            is_changed |= _append_sealed(vault, instance, point_id, as_of)
        is_changed |= bool(told)
    return is_changed


def _project_again(ports: Ports, stream: str, wanted: set[str], renew: Callable[[], object]) -> set[str]:
    """Project the entries of points whose rows were lost, so that a tombstone or a reader stays what it was.

    With them the rows of holds and of re-evaluations may be lost: those entries are projected, too.
    """
    told: set[str] = set()
    for entry in read_stream(ports, stream):
        if entry.seq % RENEW_EVERY == 0:
            renew()
        point_id = str(entry.body.get("point_id"))
        if point_id in wanted:
            project(ports, entry)
            told.add(point_id)
        elif entry.type in KEEPING_KINDS:
            project(ports, entry)
    return told


def _append_sealed(vault: Vault, instance: str, point_id: str, as_of: datetime) -> bool:
    """Write the entry of a manifest that none names, from its stored bytes."""
    found = find_manifest(vault.ports, instance, point_id)
    if found is None:
        return False  # it was deleted meanwhile
    data, facts = read_stored(vault.ports, found), {"point_id": point_id, "instance": instance}
    try:
        manifest = Manifest.from_bytes(data)
        append(vault.ports, sealed_draft(manifest, data, found.version_id, as_of), by_retention=True)
        tell_suspicion(vault.ports, manifest)
    except PermanentError as error:  # one manifest's trouble must not keep the others' plan from being made
        vault.ports.telemetry.emit("PointNotJournalled", {**facts, "code": error.code})
        return False
    vault.ports.telemetry.emit("PointFound", facts)
    return True


def _prefix(point: PointFacts) -> str:
    return blob_names.point_prefix(point.instance, point.point_id)


def _doubt(point: PointFacts, doubtful: Mapping[str, str]) -> PointFacts:
    path = doubtful.get(point.instance)
    if path is None or point.problem:
        return point
    return replace(point, problem=f"the manifest '{path}' of its instance cannot be read")
