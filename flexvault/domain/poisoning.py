"""The poisoning guard: a backup that lost much holds back the expiry of its server's good recovery points."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flexvault.domain.dump_facts import SERVICE_DATABASES
from flexvault.domain.landing_files import FileKind, is_known_layout, read_name
from flexvault.domain.manifest import Manifest, ManifestFile
from flexvault.domain.suspicion import MOST_NAMED, Suspicion, has_fallen

MOST_SHOWN = 10
"""Suspected points that the row of an instance shows, the newest ones."""


def find_suspicion(manifest: Manifest, previous: Manifest) -> Suspicion | None:
    """Compare a backup with the good recovery point before it of the same chain; nothing when it lost little.

    In a layout that is not known a database may lie under a name that is not understood: only its size counts.
    """
    missing: list[str] = []
    if is_known_layout([FileKind(file.kind) for file in manifest.files]):
        missing = sorted(_databases(previous) - _databases(manifest) - SERVICE_DATABASES)
    if not missing and not has_fallen(previous.size_bytes, manifest.size_bytes):
        return None
    return Suspicion(
        previous_point_id=previous.point_id,
        previous_size_bytes=previous.size_bytes,
        size_bytes=manifest.size_bytes,
        missing=tuple(missing[:MOST_NAMED]),
        missing_count=len(missing),
    )


def _databases(manifest: Manifest) -> set[str]:
    return {name for file in manifest.files if (name := _database_of(file))}


def _database_of(file: ManifestFile) -> str:
    """Name a file's database: as its archive says, else as its name does; nothing for a file of none."""
    exact = file.facts.get("database")
    if exact:
        return str(exact)
    return read_name(file.suffix, "").database_label if file.kind == FileKind.DATABASE else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A suspected recovery point that nobody has acknowledged."""

    point_id: str
    suspected_at: datetime
    suspicion: Suspicion

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Suspect":
        """Read it from the row."""
        return cls(
            point_id=str(stored["pointId"]),
            suspected_at=datetime.fromisoformat(stored["at"]),
            suspicion=Suspicion.from_json(stored["suspicion"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Write it for the row."""
        return {
            "pointId": self.point_id,
            "at": self.suspected_at.isoformat(),
            "suspicion": self.suspicion.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisoning:
    """What is suspected of an instance, as its row says; retention asks the journal, never this."""

    suspects: tuple[Suspect, ...] = ()
    """The newest ones, oldest first."""
    count: int = 0
    """Of all that are suspected."""
    first_point_id: str = ""
    """The oldest one."""
    journal_seq: int = 0
    acknowledged_at: datetime | None = None
    acknowledged_by: Mapping[str, str] | None = None
    acknowledged_reason: str = ""

    @property
    def is_suspected(self) -> bool:
        """Say whether nothing of the instance expires."""
        return bool(self.suspects)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Poisoning":
        """Read the row."""
        by = values.get("acknowledged_by")
        return cls(
            suspects=tuple(Suspect.from_json(stored) for stored in json.loads(values["suspects"])),
            count=int(values["suspect_count"]),
            first_point_id=str(values["first_point_id"]),
            journal_seq=int(values["journal_seq"]),
            acknowledged_at=values.get("acknowledged_at"),
            acknowledged_by=json.loads(by) if by else None,
            acknowledged_reason=str(values.get("acknowledged_reason", "")),
        )

    def covers(self, point_id: str) -> bool:
        """Say whether a point that was suspected still is; ids begin with their time."""
        return self.is_suspected and point_id >= self.first_point_id
