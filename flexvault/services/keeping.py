"""What holds for all recovery points of an instance: its protection state, its legal holds, a re-evaluation.

Retention asks the journal. Previews ask the rows, which point to the entries that let a point go sooner.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.errors import IntegrityError, NotFoundError
from flexvault.domain.instance import ProtectionState, RecoveryPoint
from flexvault.domain.journal import Entry
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.reevaluation import Regrade
from flexvault.domain.retention import Regime
from flexvault.domain.soft_delete import read_purge_at
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.journal import read_entry
from flexvault.services.poisoning_guard import read_poisoning
from flexvault.services.regrades import (
    find_retention_row,
    read_common_holds,
    read_regrades,
    reevaluated_seq,
    require_entry,
)
from flexvault.services.standings import Standings

DELETION_REQUESTED = "DataDeletionRequested"
NOT_KNOWN = "its backup instance is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What holds for the points of one instance."""

    regime: Regime = Regime.POLICY
    purge_at: datetime | None = None
    """Until when an approved deletion is soft."""
    holds: tuple[str, ...] = ()
    """Names of the holds on the whole instance."""
    suspects: tuple[str, ...] = ()
    """Points that may be poisoned: while there are any, nothing of the instance expires."""
    regrades: Mapping[str, Regrade] = field(default_factory=dict[str, Regrade])
    """By point id."""
    problem: str = ""
    """Why no point of this instance may be deleted."""


def read_keeping(ports: Ports, instance: str) -> Keeping:
    """Read what holds for an instance's points from its rows: for previews, nothing is deleted by it.

    An instance that is not known may have been one whose data are retained for ever: nothing of it is deleted.

    Args:
        ports: What may be reached.
        instance: 32 hex digits.

    Raises:
        IntegrityError: The journal does not say what a row says that it does.
    """
    known = catalog.find_instance_row(ports, instance)
    row = find_retention_row(ports, instance)
    regrades = read_regrades(ports, instance, reevaluated_seq(row))
    holds = read_common_holds(row)
    suspects = tuple(suspect.point_id for suspect in read_poisoning(ports, instance).suspects)
    if known is None:
        return Keeping(holds=holds, suspects=suspects, regrades=regrades, problem=NOT_KNOWN)
    regime, purge_at = _regime_of(known.values), None
    if regime is Regime.DELETE:
        purge_at = read_purge_at(read_deletion(ports, instance, int(str(known.values["deletion_seq"]))))
    return Keeping(regime=regime, purge_at=purge_at, holds=holds, suspects=suspects, regrades=regrades)


def read_deletion(ports: Ports, instance: str, seq: int) -> Entry:
    """Read the entry by which an instance's data are deleted, as its row names it.

    Raises:
        IntegrityError: The journal has another entry there.
    """
    entry = read_entry(ports, blob_names.VAULT_STREAM, seq)
    require_entry(entry, DELETION_REQUESTED, instance)
    return entry


def fold_keeping(ports: Ports, standings: Standings, instance: str) -> Keeping:
    """Answer what holds for an instance's points as the journal, as far as it was read, says.

    An instance that the journal does not know, or of which it cannot be believed, keeps all of its points.
    """
    protection, found = standings.protection(instance), standings.instance(instance)
    problem = standings.find_problem(instance)
    if protection is None:
        return Keeping(holds=found.common_holds, suspects=found.suspects, problem=problem or NOT_KNOWN)
    regrades: Mapping[str, Regrade] = {}
    try:
        regrades = read_regrades(ports, instance, found.reevaluated_seq)
    except (IntegrityError, NotFoundError, *MALFORMED):
        seq = found.reevaluated_seq
        problem = problem or f"its re-evaluation, journal entry {instance} {seq}, cannot be understood"
    return Keeping(
        regime=protection.regime,
        purge_at=protection.purge_at,
        holds=found.common_holds,
        suspects=found.suspects,
        regrades=regrades,
        problem=problem,
    )


def is_row_different(ports: Ports, standings: Standings, instance: str) -> bool:
    """Say whether the rows of an instance say something else of its points than the journal does."""
    protection, found = standings.protection(instance), standings.instance(instance)
    row, common = catalog.find_instance_row(ports, instance), find_retention_row(ports, instance)
    if row is None or protection is None:
        return row is not None or protection is not None
    try:
        is_ended = bool(row.values.get("is_deleted"))
        said = (_regime_of(row.values), is_ended, _deletion_of(row.values), purge_at_of(row.values))
        holds, seq = read_common_holds(common), reevaluated_seq(common)
        is_suspected = read_poisoning(ports, instance).is_suspected
    except MALFORMED:
        return True
    is_same = said == (protection.regime, protection.is_ended, protection.deletion_seq, protection.purge_at)
    is_same = is_same and is_suspected is bool(found.suspects)
    return not is_same or _lower(holds) != _lower(found.common_holds) or seq != found.reevaluated_seq


def is_point_row_different(standings: Standings, row: RecoveryPoint) -> bool:
    """Say whether a point's row says something else of its holds, readers and verdict than the journal does."""
    found = standings.instance(row.instance)
    held = _lower(found.point_holds(row.point_id))
    if (row.is_broken, row.was_broken) != (row.point_id in found.broken, row.point_id in found.ever_broken):
        return True
    return _lower(row.holds) != held or row.readers != found.readers(row.point_id)


def _lower(holds: Iterable[str]) -> set[str]:
    return {name.lower() for name in holds}


def _deletion_of(values: Mapping[str, Any]) -> int:
    """Answer the deletion that a row names; after another change of state it means nothing."""
    return int(values["deletion_seq"]) if _regime_of(values) is Regime.DELETE else 0


def purge_at_of(values: Mapping[str, Any]) -> datetime | None:
    """Answer until when an instance's row says that its deletion is soft; nothing where it is not deleted."""
    text = str(values.get("purge_at") or "") if _regime_of(values) is Regime.DELETE else ""
    return datetime.fromisoformat(text) if text else None


def _regime_of(values: Mapping[str, Any]) -> Regime:
    match ProtectionState(values["state"]):
        case ProtectionState.STOPPED:
            return Regime.FOREVER
        case ProtectionState.DELETING | ProtectionState.SOFT_DELETED:
            return Regime.DELETE
        case _:
            return Regime.POLICY
