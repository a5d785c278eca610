"""Storage's own legal holds, which follow those of the journal: a flag on each version that a hold covers.

The journal's entry comes first and binds the vault at once. Storage has one flag however many holds stand, so it is
cleared only where none is left, and set again where one was placed meanwhile.
"""

from collections.abc import Iterator
from functools import partial

from flexvault.domain import row_keys
from flexvault.domain.hold import Hold
from flexvault.domain.instance import TOMBSTONED
from flexvault.ports import BlobFacts, Ports
from flexvault.services.immutability import Version, carry_out, hold, list_versions, point_id_of
from flexvault.services.regrades import standing_holds


def hold_in_storage(ports: Ports, instance: str, placed: Hold) -> int:
    """Set storage's hold on every version that a hold covers, and read each back; answers how many had none.

    Raises:
        TransientError: code StorageNotDoneYet: some is left; the same call goes on.
        IntegrityError: code LegalHoldNotSet: storage does not show what was set.
    """
    free = [version for version, blob in _covered(ports, instance, placed) if not blob.has_legal_hold]
    carry_out(ports, (partial(hold, ports, version, is_held=True) for version in free), f"hold '{placed.name}'")
    return len(free)


def let_go_in_storage(ports: Ports, instance: str, released: Hold) -> None:
    """Clear storage's hold where the journal has none left.

    Raises:
        TransientError: code StorageNotDoneYet: some is left; the same call goes on.
    """
    held = [version for version, blob in _covered(ports, instance, released) if blob.has_legal_hold]
    # Files before manifests: retention looks at all, but what a manifest shows never outlives what it names.
    work = (partial(_let_go, ports, instance, version) for version in reversed(held))
    carry_out(ports, work, f"the release of hold '{released.name}'")


def _let_go(ports: Ports, instance: str, version: Version) -> None:
    point_id = point_id_of(version)
    if standing_holds(ports, instance, point_id):
        return
    hold(ports, version, is_held=False)
    if standing_holds(ports, instance, point_id):  # it was placed between the look and the deed, and may be answered
        hold(ports, version, is_held=True)


def _covered(ports: Ports, instance: str, covering: Hold) -> Iterator[tuple[Version, BlobFacts]]:
    """Answer what a hold covers: not a point whose tombstone came before it, which only goes on being deleted."""
    # A manifest's name goes on with `.json`, so the prefix of a point has no final slash.
    found = list_versions(ports, f"{instance}/{covering.recovery_point_id}")
    rows = ports.rows.query(row_keys.POINTS, instance, start="0", end="g")
    states = {row.key: row.values.get("state") for row in rows}
    return ((version, blob) for version, blob in found if states.get(point_id_of(version)) not in TOMBSTONED)
