"""What holds for all recovery points of an instance: its protection state, its legal holds, a re-evaluation.

Rows point the way; whatever lets a point go sooner is read from the journal, never from a row alone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import IntegrityError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.journal import Entry
from flexvault.domain.retention import Regime
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.journal import read_entry

REEVALUATED = "RetentionReevaluated"
DELETION_REQUESTED = "DataDeletionRequested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrade:
    """Tag and expiry that an approved re-evaluation gave a point."""

    tag: str
    because: str
    day: str
    expiry_time: datetime

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Regrade":
        """Read it from the entry."""
        return cls(
            tag=stored["tag"],
            because=stored["because"],
            day=stored["day"],
            expiry_time=datetime.fromisoformat(stored["expiry_time"]),
        )


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
    row = ports.rows.find(row_keys.POINTS, instance, row_keys.RETENTION)
    values: Mapping[str, Any] = row.values if row is not None else {}
    regrades = read_regrades(ports, instance, int(values.get("reevaluated_seq", 0)))
    holds = tuple(json.loads(str(values.get("holds", "[]"))))
    if known is None:
        return Keeping(holds=holds, regrades=regrades, problem="its backup instance is not known")
    return Keeping(regime=_find_regime(ports, instance, known.values), holds=holds, regrades=regrades)


def read_regrades(ports: Ports, instance: str, seq: int) -> Mapping[str, Regrade]:
    """Read what the newest re-evaluation gave to each point; nothing for 0."""
    if not seq:
        return {}
    entry = _require_entry(read_entry(ports, instance, seq), REEVALUATED, instance)
    return {point_id: Regrade.from_json(stored) for point_id, stored in entry.body["points"].items()}


def _find_regime(ports: Ports, instance: str, values: Mapping[str, Any]) -> Regime:
    if values["state"] == ProtectionState.STOPPED:
        return Regime.FOREVER
    if values["state"] == ProtectionState.DELETING:
        seq = int(values["deletion_seq"])
        _require_entry(read_entry(ports, blob_names.VAULT_STREAM, seq), DELETION_REQUESTED, instance)
        return Regime.DELETE
    return Regime.POLICY


def _require_entry(entry: Entry, kind: str, instance: str) -> Entry:
    if entry.type != kind or entry.body.get("instance") != instance:
        raise IntegrityError(
            f"journal entry {entry.stream} {entry.seq} is no {kind} of instance {instance}, as its row says",
            code="JournalDiffers",
            target=instance,
            hint="treat the tables as tampered with: compare them with the journal",
        )
    return entry
