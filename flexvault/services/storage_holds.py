"""Storage's own legal holds, which follow those of the journal: a flag on each version that a hold covers.

The journal's entry comes first and binds the vault at once. Storage has one flag however many holds stand, so it is
cleared only where none is left, and set again where one was placed meanwhile.
"""

from collections.abc import Sequence
from functools import partial

from flexvault.domain import blob_names, row_keys
from flexvault.domain.hold import Hold
from flexvault.domain.instance import TOMBSTONED
from flexvault.domain.manifest import Manifest
from flexvault.ports import BlobFacts, Ports
from flexvault.services.immutability import Version, carry_out, hold, list_versions, point_id_of, versions_of
from flexvault.services.regrades import standing_holds


def hold_in_storage(ports: Ports, instance: str, placed: Hold) -> int:
    """Set storage's hold on every version that a hold covers, and read each back; answers how many had none.

    Raises:
        TransientError: code StorageNotDoneYet: some is left; the same call goes on.
        IntegrityError: code LegalHoldNotSet: storage does not show what was set.
    """
    free = [version for version, blob in _covered(ports, instance, placed) if not blob.has_legal_hold]
    carry_out(ports, (partial(hold, ports, version, is_held=True) for version in free), f"hold '{placed.name}'")
    _let_go_of_unbound(ports, instance, free)
    return len(free)


def hold_sealed(ports: Ports, manifest: Manifest, manifest_version: str) -> None:
    """Set storage's hold on every version of a point that was just sealed, where one stands on it.

    Raises:
        IntegrityError: code VersionMissing, or LegalHoldNotSet.
    """
    hold_versions(ports, manifest.instance, manifest.point_id, list(versions_of(manifest, manifest_version)))


def hold_versions(ports: Ports, instance: str, point_id: str, covered: Sequence[Version]) -> None:
    """Set storage's hold on versions that a point just got, where one stands on it.

    Raises:
        IntegrityError: code VersionMissing, or LegalHoldNotSet.
    """
    if not _is_bound(ports, instance, point_id):
        return
    for version in covered:
        hold(ports, version, is_held=True)
    _let_go_of_unbound(ports, instance, covered)


def let_go_in_storage(ports: Ports, instance: str, released: Hold) -> None:
    """Clear storage's hold where the journal has none left, and wherever a tombstone stands.

    Raises:
        TransientError: code StorageNotDoneYet: some is left; the same call goes on.
    """
    found = list_versions(ports, f"{instance}/{released.recovery_point_id}")
    held = [version for version, blob in found if blob.has_legal_hold]
    # Files before manifests: retention looks at all, but what a manifest shows never outlives what it names.
    work = (partial(_let_go, ports, instance, version) for version in reversed(held))
    carry_out(ports, work, f"the release of hold '{released.name}'")


def _let_go_of_unbound(ports: Ports, instance: str, versions: Sequence[Version]) -> None:
    """Clear what was just set and was released, or tombstoned, meanwhile: nobody would ever ask for it again."""
    points = {point_id_of(version) for version in versions}
    unbound = {point_id for point_id in points if not _is_bound(ports, instance, point_id)}
    for version in versions:
        if point_id_of(version) in unbound:
            _let_go(ports, instance, version)


def _let_go(ports: Ports, instance: str, version: Version) -> None:
    point_id = point_id_of(version)
    if _is_bound(ports, instance, point_id):
        return
    hold(ports, version, is_held=False)
    if _is_bound(ports, instance, point_id):  # it was placed between the look and the deed, and may be answered
        hold(ports, version, is_held=True)


def _is_bound(ports: Ports, instance: str, point_id: str) -> bool:
    """Say whether a hold stands on a point; one that came after its tombstone does not bind it."""
    row = ports.rows.find(row_keys.POINTS, instance, point_id)
    is_tombstoned = row is not None and row.values.get("state") in TOMBSTONED
    return not is_tombstoned and bool(standing_holds(ports, instance, point_id))


def _covered(ports: Ports, instance: str, covering: Hold) -> list[tuple[Version, BlobFacts]]:
    """Answer what a hold covers: not a point whose tombstone came before it, which only goes on being deleted.

    Files that no manifest names yet are no point: the seal that makes them one sees the hold and sets it.
    """
    # A manifest's name goes on with `.json`, so the prefix of a point has no final slash.
    found = list(list_versions(ports, f"{instance}/{covering.recovery_point_id}"))
    existing = {point_id_of(version) for version, _ in found if version.container == blob_names.MANIFESTS}
    rows = ports.rows.query(row_keys.POINTS, instance, start="0", end="g")
    states = {row.key: row.values.get("state") for row in rows}
    existing |= {point_id for point_id, state in states.items() if state == "sealed"}
    existing -= {point_id for point_id, state in states.items() if state in TOMBSTONED}
    return [(version, blob) for version, blob in found if point_id_of(version) in existing]
