"""The retention plan as it is stored, before anything is deleted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flexvault.domain.breaker import Trip, find_announced
from flexvault.domain.retention import Verdict


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWarning:
    """What the people who read the retention job must hear, although the plan could be made."""

    code: str
    message: str
    resource: str

    def to_json(self) -> dict[str, str]:
        """Write it for the plan."""
        return {"code": self.code, "message": self.message, "resource": self.resource}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanParts:
    """What a plan is made of."""

    as_of: datetime
    verdicts: tuple[Verdict, ...]
    """One per recovery point."""
    trips: tuple[Trip, ...] = ()
    """Why it must not be executed; such a plan announces nothing."""
    unfinished: tuple[UnfinishedDeletion, ...] = ()
    unsealed: tuple[UnsealedFile, ...] = ()
    damaged: Mapping[str, str]
    """Path of each manifest that cannot be read -> why; points of its instance are not deleted."""
    warnings: tuple[PlanWarning, ...] = ()
    standing: Mapping[str, Any]
    """How far each stream of the journal was read, and what it says: the next plan reads on from here."""


def build_plan(parts: PlanParts) -> Mapping[str, Any]:
    """Build the plan that is stored before anything is deleted."""
    announced = () if parts.trips else find_announced(parts.verdicts, parts.as_of)
    return {
        "version": 2,
        "asOf": parts.as_of.isoformat(),
        "trips": [trip.to_json() for trip in parts.trips],
        "verdicts": [verdict.to_json() for verdict in parts.verdicts],
        "announced": [{"instance": point.instance, "pointId": point.point_id} for point in announced],
        "unfinished": [deletion.to_json() for deletion in parts.unfinished],
        "unsealed": [file.to_json() for file in parts.unsealed],
        "damaged": [{"path": path, "reason": reason} for path, reason in sorted(parts.damaged.items())],
        "warnings": [found.to_json() for found in parts.warnings],
        "standing": parts.standing,
    }
