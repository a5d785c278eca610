"""Why a backup may be poisoned: a fact of its manifest, of its entry `Sealed` and of its instance's row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flexvault.domain.decisions import SUSPECT_FALL_PERCENT

POISONING_SUSPECTED = "PoisoningSuspected"
MOST_NAMED = 10
"""Missing databases that a suspicion names: it lies in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What a backup lost against the good recovery point before it."""

    previous_point_id: str
    previous_size_bytes: int
    size_bytes: int
    missing: tuple[str, ...] = ()
    """Databases that the point before had, by name; at most `MOST_NAMED` of them."""
    missing_count: int = 0

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Suspicion":
        """Read it from a manifest, an entry or a row."""
        return cls(
            previous_point_id=str(stored["previousPointId"]),
            previous_size_bytes=int(stored["previousSizeBytes"]),
            size_bytes=int(stored["sizeBytes"]),
            missing=tuple(str(name) for name in stored["missing"]),
            missing_count=int(stored["missingCount"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Write it for the manifest and the entry."""
        return {
            "previousPointId": self.previous_point_id,
            "previousSizeBytes": self.previous_size_bytes,
            "sizeBytes": self.size_bytes,
            "missing": list(self.missing),
            "missingCount": self.missing_count,
        }

    def describe(self) -> str:
        """Say what was lost against what."""
        told: list[str] = []
        if has_fallen(self.previous_size_bytes, self.size_bytes):
            percent = (self.previous_size_bytes - self.size_bytes) * 100 // self.previous_size_bytes
            told.append(f"its size fell by {percent} %, from {self.previous_size_bytes} to {self.size_bytes} bytes")
        if self.missing_count:
            unnamed = self.missing_count - len(self.missing)
            more = f" and {unnamed} more" if unnamed else ""
            told.append(f"{self.missing_count} database(s) are gone: {', '.join(self.missing)}{more}")
        return f"{'; '.join(told)}; compared with recovery point {self.previous_point_id}"


def has_fallen(previous_bytes: int, size_bytes: int) -> bool:
    """Say whether a size fell so far that it is suspect."""
    return previous_bytes > 0 and (previous_bytes - size_bytes) * 100 >= SUSPECT_FALL_PERCENT * previous_bytes
