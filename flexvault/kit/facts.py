"""What a kit knows of its recovery point: `kit.json` in `rebuild.pyz`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from flexvault.domain.deep_verification import VerifiedFile
from flexvault.domain.names import canonical_json, sha256_hex
from flexvault.domain.verification import Verdict

KIT_VERSION: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class KitFile:
    """A file of the restore.

    Attributes:
        name: As it lies in the restore's folder, beside the kit's.
        kind: See `landing_files.FileKind`.
        sha256: In hex; empty when no deep verification knows it.
        database: Exact name as the manifest has it; empty where the file is no archive.
    """

    name: str
    kind: str
    size_bytes: int
    sha256: str = ""
    database: str = ""

    def to_json(self) -> dict[str, Any]:
        """Write it for `kit.json`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "sizeBytes": self.size_bytes,
            "sha256": self.sha256,
            "database": self.database,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read it from `kit.json`."""
        return cls(
            name=stored["name"],
            kind=stored["kind"],
            size_bytes=stored["sizeBytes"],
            sha256=stored["sha256"],
            database=stored["database"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KitVerification:
    """The newest deep verification of the point.

    Attributes:
        completed_at: ISO 8601 with zone.
        verdict: See `verification.Verdict`.
        files: Name of a file of the kit -> what was found in it.
    """

    number: int
    completed_at: str
    verdict: str
    files: Mapping[str, VerifiedFile]

    def to_json(self) -> dict[str, Any]:
        """Write it for `kit.json`."""
        return {
            "number": self.number,
            "completedAt": self.completed_at,
            "verdict": self.verdict,
            "files": {name: file.to_json() for name, file in self.files.items()},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read it from `kit.json`."""
        return cls(
            number=stored["number"],
            completed_at=stored["completedAt"],
            verdict=stored["verdict"],
            files={name: VerifiedFile.from_json(file) for name, file in stored["files"].items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KitFacts:
    """All that a kit is made of.

    Attributes:
        file_prefix: Of the restore request; what all names of files begin with. None has a folder part.
        server_version: Of the source server, such as `16.4`.
        recovery_point_time: ISO 8601 with zone.
        left_out: Exact names of databases of the point whose files this restore does not have.
        verification: Nothing when the point was never deeply verified, or `notice` says why it is not here.
        notice: What whoever uses the kit must know of it, or empty.
    """

    file_prefix: str
    server_name: str
    server_id: str
    server_version: str
    recovery_point_id: str
    recovery_point_time: str
    manifest_hash: str
    files: tuple[KitFile, ...]
    left_out: tuple[str, ...] = ()
    verification: KitVerification | None = None
    notice: str = ""

    @property
    def kit_id(self) -> str:
        """Name the kit: same point and same files, same id, whenever it was made."""
        named = [self.manifest_hash, self.file_prefix, sorted(file.name for file in self.files)]
        return sha256_hex(canonical_json(named))[:16]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is known to be wrong with the point, in sentences."""
        found = self.verification
        if found is None or found.verdict != Verdict.BROKEN:
            return ()
        said = f"its deep verification {found.number} of {found.completed_at}"
        advice = "take another point if there is one, and compare afterwards"
        return (f"THE RECOVERY POINT IS BROKEN, says {said}: rows or objects of it may be lost; {advice}",)

    def to_bytes(self) -> bytes:
        """Write `kit.json`."""
        stored = {
            "kitVersion": KIT_VERSION,
            "kitId": self.kit_id,
            "filePrefix": self.file_prefix,
            "server": {"name": self.server_name, "id": self.server_id, "version": self.server_version},
            "recoveryPoint": {
                "id": self.recovery_point_id,
                "time": self.recovery_point_time,
                "manifestHash": self.manifest_hash,
            },
            "files": [file.to_json() for file in self.files],
            "leftOut": list(self.left_out),
            "verification": self.verification.to_json() if self.verification else None,
            "notice": self.notice,
        }
        return json.dumps(stored, indent=1, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read `kit.json`; raises KeyError, TypeError or ValueError for anything else."""
        stored = json.loads(data)
        if stored["kitVersion"] != KIT_VERSION:
            raise ValueError(stored["kitVersion"])
        server, point, verification = stored["server"], stored["recoveryPoint"], stored["verification"]
        return cls(
            file_prefix=stored["filePrefix"],
            server_name=server["name"],
            server_id=server["id"],
            server_version=server["version"],
            recovery_point_id=point["id"],
            recovery_point_time=point["time"],
            manifest_hash=point["manifestHash"],
            files=tuple(KitFile.from_json(file) for file in stored["files"]),
            left_out=tuple(stored["leftOut"]),
            verification=KitVerification.from_json(verification) if verification else None,
            notice=stored["notice"],
        )
