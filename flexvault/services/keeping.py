"""What holds for all recovery points of an instance: its protection state, its legal holds, a re-evaluation.

Rows point the way; whatever lets a point go sooner is read from the journal, never from a row alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.instance import ProtectionState
from flexvault.domain.reevaluation import Regrade
from flexvault.domain.retention import Regime
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.journal import read_entry
from flexvault.services.regrades import (
    find_retention_row,
    read_common_holds,
    read_regrades,
    reevaluated_seq,
    require_entry,
)

DELETION_REQUESTED = "DataDeletionRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What holds for the points of one instance."""

    regime: Regime = Regime.POLICY
    holds: tuple[str, ...] = ()
    """Names of the holds on the whole instance."""
    regrades: Mapping[str, Regrade] = field(default_factory=dict[str, Regrade])
    """By point id."""
    problem: str = ""
    """Why no point of this instance may be deleted."""


def read_keeping(ports: Ports, instance: str) -> Keeping:
    """Read what holds for an instance's points.

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
    if known is None:
        return Keeping(holds=holds, regrades=regrades, problem="its backup instance is not known")
    return Keeping(regime=_find_regime(ports, instance, known.values), holds=holds, regrades=regrades)


def _find_regime(ports: Ports, instance: str, values: Mapping[str, Any]) -> Regime:
    if values["state"] == ProtectionState.STOPPED:
        return Regime.FOREVER
    if values["state"] == ProtectionState.DELETING:
        seq = int(values["deletion_seq"])
        require_entry(read_entry(ports, blob_names.VAULT_STREAM, seq), DELETION_REQUESTED, instance)
        return Regime.DELETE
    return Regime.POLICY
