"""The poisoning guard at the seal: compare a backup with the good recovery point before it."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property

from flexvault.domain.errors import IntegrityError, NotFoundError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.manifest import Manifest
from flexvault.domain.names import sha256_hex
from flexvault.domain.poisoning import Poisoning, find_suspicion
from flexvault.domain.poisoning_events import poisoning_target
from flexvault.domain.suspicion import POISONING_SUSPECTED
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.breaker import find_earlier_plans
from flexvault.services.journal import find_row
from flexvault.services.manifests import find_manifests, read_own_manifest, read_stored
from flexvault.services.progress import warning
from flexvault.services.standings import Standings
from flexvault.services.verifications import stored_numbers

UNTIL = "nothing of this server expires until somebody acknowledges it: POST /api/vault/backupInstances"


def read_poisoning(ports: Ports, instance: str) -> Poisoning:
    """Read what is suspected of an instance, by its 32 hex digits, from its row."""
    row = find_row(ports, poisoning_target(instance))
    return Poisoning() if row is None else Poisoning.from_values(row.values)


def guard_backup(ports: Ports, manifest: Manifest) -> Manifest:
    """Answer a manifest that is about to be created with what the guard suspects and warns of.

    The suspicion is part of the manifest, so that it exists as soon as the point does, whoever dies after that.
    """
    previous = find_previous(ports, manifest)
    suspicion = find_suspicion(manifest, previous) if previous else None
    if suspicion is None:
        return manifest
    name = manifest.instance_id.rpartition("/")[2]
    text = f"the backup may be poisoned: {suspicion.describe()}; {UNTIL}/{name}/acknowledgePoisoning"
    warned = warning(POISONING_SUSPECTED, text, manifest.instance_id)
    return replace(manifest, suspicion=suspicion, warnings=(*manifest.warnings, warned))


def tell_suspicion(ports: Ports, manifest: Manifest) -> None:
    """Send the event of a suspected backup; a repeated seal sends it again rather than never."""
    found = manifest.suspicion
    if found is None:
        return
    facts = {
        "instance": manifest.instance,
        "point_id": manifest.point_id,
        "previous_point_id": found.previous_point_id,
        "previous_size_bytes": found.previous_size_bytes,
        "size_bytes": found.size_bytes,
        "missing_databases": found.missing_count,
        "message": found.describe(),
    }
    ports.telemetry.emit(POISONING_SUSPECTED, facts)


def find_previous(ports: Ports, manifest: Manifest) -> Manifest | None:
    """Find the newest good point of the same chain before this one; one that is still suspected is none.

    So what a first poisoned backup lost is missed by the next one, too. An acknowledged one counts as any other.
    """
    suspected = read_poisoning(ports, manifest.instance)
    for found in _each_good(ports, manifest):
        if found.suspicion is None or not suspected.covers(found.point_id):
            return found
    return None


class _Journal:
    """Says which points of an instance are broken; a row alone switches no comparison off."""

    def __init__(self, ports: Ports, instance: str) -> None:
        self._ports = ports
        self._instance = instance

    def says_broken(self, point_id: str, row: RecoveryPoint | None) -> bool:
        """Say whether a point failed its deep verification; the journal is read only where there may have been one."""
        is_hinted = row is not None and row.is_broken
        is_hinted = is_hinted or any(stored_numbers(self._ports, self._instance, point_id))
        return is_hinted and point_id in self._broken

    @cached_property
    def _broken(self) -> Collection[str]:
        """Go on from where the newest plan read the journal; of a damaged stream what is before the damage counts."""
        plans = find_earlier_plans(self._ports, self._ports.clock.storage_now())
        standings = Standings(self._ports, plans.checkpoint)
        standings.catch_up(self._instance)
        return standings.instance(self._instance).broken


def _each_good(ports: Ports, manifest: Manifest) -> Iterator[Manifest]:
    """Answer the good points of a chain before one, newest first: ids begin with their time."""
    rows = {point.point_id: point for point in catalog.list_all_points(ports, manifest.instance)}
    journal = _Journal(ports, manifest.instance)
    earlier = (found for found in find_manifests(ports, f"{manifest.instance}/") if found.point_id < manifest.point_id)
    for place in sorted(earlier, key=lambda found: found.point_id, reverse=True):
        point_id = place.point_id
        row = rows.get(point_id)
        if row is not None and (row.chain != manifest.chain or row.state != "sealed"):
            continue
        if journal.says_broken(point_id, row):
            continue
        try:
            data = read_stored(ports, place)
            found = read_own_manifest(data, manifest.instance, point_id)
        except (IntegrityError, NotFoundError):
            continue  # its own trouble: restores and retention name it
        is_as_sealed = row is None or row.manifest_hash == sha256_hex(data)
        if found.chain == manifest.chain and is_as_sealed:
            yield found
