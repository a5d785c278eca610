"""A legal hold as its row holds it: while it stands, nothing deletes what it covers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A legal hold on one recovery point, or on a backup instance with all its points, also future ones."""

    name: str
    """The reference of the case; names compare without regard to case."""
    reason: str
    recovery_point_id: str
    """Empty: the whole instance."""
    placed_by: Mapping[str, str]
    placed_at: datetime
    changed_by: Mapping[str, str] | None
    """Who gave it another reason since then."""
    changed_at: datetime | None
    is_released: bool
    journal_seq: int

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Hold":
        """Read the row."""
        return cls(
            name=values["name"],
            reason=values["reason"],
            recovery_point_id=values["recovery_point_id"],
            placed_by=json.loads(values["placed_by"]),
            placed_at=values["placed_at"],
            changed_by=json.loads(values["changed_by"]) if values.get("changed_by") else None,
            changed_at=values.get("changed_at"),
            is_released=values["is_released"],
            journal_seq=values["journal_seq"],
        )
