"""The manifest: the JSON blob whose existence makes a recovery point exist."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flexvault.domain import names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.suspicion import Suspicion
from flexvault.domain.vault_settings import Immutability


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """One file of a recovery point."""

    path: str
    """Blob name in container `points`."""
    suffix: str
    """What follows the prefix in the restored name."""
    kind: str
    size_bytes: int
    version_id: str
    """Empty where the account kept no versions."""
    block_size_bytes: int
    crc64: tuple[str, ...]
    """CRC64 of each block, in base64, as storage answered it."""
    facts: Mapping[str, Any]
    """Of a database: its exact name and what the table of contents says."""

    def to_json(self) -> dict[str, Any]:
        """Write it for the manifest."""
        return {
            "path": self.path,
            "suffix": self.suffix,
            "kind": self.kind,
            "sizeBytes": self.size_bytes,
            "versionId": self.version_id,
            "blockSizeBytes": self.block_size_bytes,
            "crc64": list(self.crc64),
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, file: Mapping[str, Any]) -> "ManifestFile":
        """Read it from the manifest."""
        return cls(
            path=file["path"],
            suffix=file["suffix"],
            kind=file["kind"],
            size_bytes=file["sizeBytes"],
            version_id=file["versionId"],
            block_size_bytes=file["blockSizeBytes"],
            crc64=tuple(file["crc64"]),
            facts=file.get("facts", {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that is known of a recovery point when it is sealed."""

    point_id: str
    job_id: str
    instance: str
    instance_id: str
    account: str
    """Blob endpoint of the vault account."""
    server: Mapping[str, Any]
    """`id`, `name`, `version`, `createdAt` of the source server."""
    chain: str
    attempt: int
    recovery_point_time: datetime
    expiry_time: datetime
    tag: str
    policy: Mapping[str, Any]
    """`name` and `journalSeq` of the policy that the point follows."""
    files: tuple[ManifestFile, ...]
    warnings: tuple[Mapping[str, Any], ...]
    immutability: str = Immutability.DISABLED
    """The vault's state when the point was sealed."""
    tagging: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why it has its tag: `because`, `day`, and `judgedAt` of a scheduled backup; empty in older manifests."""
    suspicion: Suspicion | None = None
    """Why the poisoning guard suspected it; older manifests have none."""

    @property
    def size_bytes(self) -> int:
        """Answer the size of all files."""
        return sum(file.size_bytes for file in self.files)

    def to_bytes(self) -> bytes:
        """Write the manifest in the form that is hashed."""
        return names.canonical_json(
            {
                "version": 1,
                "pointId": self.point_id,
                "jobId": self.job_id,
                "instance": self.instance,
                "instanceId": self.instance_id,
                "account": self.account,
                "server": dict(self.server),
                "chain": self.chain,
                "attempt": self.attempt,
                "recoveryPointTime": self.recovery_point_time.isoformat(),
                "expiryTime": self.expiry_time.isoformat(),
                "tag": self.tag,
                "policy": dict(self.policy),
                "files": [file.to_json() for file in self.files],
                "warnings": [dict(warning) for warning in self.warnings],
                "immutability": self.immutability,
                "tagging": dict(self.tagging),
                "suspicion": self.suspicion.to_json() if self.suspicion else None,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """Read a stored manifest.

        Raises:
            IntegrityError: code ManifestDiffers: these bytes are none.
        """
        try:
            return cls._read(json.loads(data))
        except MALFORMED as error:
            problem = f"what lies at the name of a manifest is none: {type(error).__name__}"
            raise IntegrityError(problem, code="ManifestDiffers") from None

    @classmethod
    def _read(cls, stored: Mapping[str, Any]) -> "Manifest":
        _require_usable(stored)
        return cls(
            point_id=stored["pointId"],
            job_id=stored["jobId"],
            instance=stored["instance"],
            instance_id=stored["instanceId"],
            account=stored["account"],
            server=stored["server"],
            chain=stored["chain"],
            attempt=stored["attempt"],
            recovery_point_time=datetime.fromisoformat(stored["recoveryPointTime"]),
            expiry_time=datetime.fromisoformat(stored["expiryTime"]),
            tag=stored["tag"],
            policy=stored["policy"],
            files=tuple(ManifestFile.from_json(file) for file in stored["files"]),
            warnings=tuple(stored["warnings"]),
            immutability=stored.get("immutability", Immutability.DISABLED),
            tagging=_read_tagging(stored.get("tagging", {})),
            suspicion=Suspicion.from_json(stored["suspicion"]) if stored.get("suspicion") else None,
        )


def _require_usable(stored: Mapping[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError for members that whoever judges or lists a point could not use."""
    policy = stored["policy"]
    texts = [*(stored[name] for name in ("pointId", "jobId", "instance", "chain", "tag")), policy["name"]]
    if not all(isinstance(text, str) for text in texts) or not isinstance(policy["journalSeq"], int):
        raise TypeError
    if any(datetime.fromisoformat(stored[name]).tzinfo is None for name in ("recoveryPointTime", "expiryTime")):
        raise ValueError


def _read_tagging(stored: Mapping[str, Any]) -> Mapping[str, str]:
    """Read why a point has its tag; raises ValueError or TypeError for what could not be explained or counted."""
    if stored:
        date.fromisoformat(stored["day"])
    if stored.get("judgedAt") and datetime.fromisoformat(stored["judgedAt"]).tzinfo is None:
        raise ValueError
    return {name: str(value) for name, value in stored.items()}


def block_size_bytes(size_bytes: int) -> int:
    """Answer the size of a file's blocks: 64 MiB, or 8 MiB below 1 GiB."""
    return _SMALL_BLOCK if size_bytes < _ONE_GIB else _LARGE_BLOCK


def split_blocks(size_bytes: int, block_bytes: int) -> Sequence[tuple[int, int]]:
    """Answer (offset, length) of each block; an empty file has none."""
    return [(offset, min(block_bytes, size_bytes - offset)) for offset in range(0, size_bytes, block_bytes)]


_ONE_GIB, _SMALL_BLOCK, _LARGE_BLOCK = 1024**3, 8 * 1024**2, 64 * 1024**2
