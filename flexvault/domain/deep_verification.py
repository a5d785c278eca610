"""The result of a deep verification: every byte of a recovery point's files was read, and this is what they hold.

It is a blob beside the manifest, `{point}.verification-{number}.json`; the index of each archive (its blocks) is
another one that it names. Both are written once, and a journal entry holds the result's hash.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flexvault.domain import names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.verification import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedRows:
    """The rows of one table.

    Attributes:
        dump_id: Of the archive's entry with the rows.
        rows: Nothing where they were not counted.
        size_bytes: Of their COPY text, without its end mark; nothing where they were not counted.
        digest: See `row_digest`; empty where they were not counted.
        not_counted: Why not, or empty.
    """

    schema: str
    name: str
    dump_id: int
    rows: int | None
    size_bytes: int | None
    digest: str
    not_counted: str = ""

    def to_json(self) -> dict[str, Any]:
        """Write it for the result."""
        return {
            "schema": self.schema,
            "name": self.name,
            "dumpId": self.dump_id,
            "rows": self.rows,
            "sizeBytes": self.size_bytes,
            "digest": self.digest,
            "notCounted": self.not_counted,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "VerifiedRows":
        """Read it from the result."""
        return cls(
            schema=stored["schema"],
            name=stored["name"],
            dump_id=stored["dumpId"],
            rows=stored["rows"],
            size_bytes=stored["sizeBytes"],
            digest=stored["digest"],
            not_counted=stored["notCounted"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedObjects:
    """The large objects of one database, all entries together.

    Attributes:
        count: Nothing where they were not counted; so are the others.
        size_bytes: Of their contents.
        digest: Sum of the entries' digests, see `dump_counting`.
    """

    count: int | None
    size_bytes: int | None
    digest: str
    not_counted: str = ""

    def to_json(self) -> dict[str, Any]:
        """Write it for the result."""
        return {
            "count": self.count,
            "sizeBytes": self.size_bytes,
            "digest": self.digest,
            "notCounted": self.not_counted,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "VerifiedObjects":
        """Read it from the result."""
        return cls(
            count=stored["count"],
            size_bytes=stored["sizeBytes"],
            digest=stored["digest"],
            not_counted=stored["notCounted"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedFile:
    """One file of the point.

    Attributes:
        path: Blob name in container `points`.
        sha256: Of the whole file, in hex; empty where it took longer than one run, because no hash can be kept half
            done. The index then has the hash of every block, which together cover every byte.
        database: Exact name; empty where the file is no archive.
        rows: Of every entry with rows, in the order of the table of contents.
        large_objects: Nothing where the archive has none.
        index_path: Blob in container `manifests` with the archive's blocks; empty where the file is no archive.
        index_sha256: Of that blob's bytes.
    """

    path: str
    suffix: str
    size_bytes: int
    sha256: str
    database: str = ""
    rows: tuple[VerifiedRows, ...] = ()
    large_objects: VerifiedObjects | None = None
    index_path: str = ""
    index_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Write it for the result."""
        return {
            "path": self.path,
            "suffix": self.suffix,
            "sizeBytes": self.size_bytes,
            "sha256": self.sha256,
            "database": self.database,
            "rows": [rows.to_json() for rows in self.rows],
            "largeObjects": self.large_objects.to_json() if self.large_objects else None,
            "indexPath": self.index_path,
            "indexSha256": self.index_sha256,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "VerifiedFile":
        """Read it from the result."""
        objects = stored["largeObjects"]
        return cls(
            path=stored["path"],
            suffix=stored["suffix"],
            size_bytes=stored["sizeBytes"],
            sha256=stored["sha256"],
            database=stored["database"],
            rows=tuple(VerifiedRows.from_json(rows) for rows in stored["rows"]),
            large_objects=VerifiedObjects.from_json(objects) if objects else None,
            index_path=stored["indexPath"],
            index_sha256=stored["indexSha256"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepVerification:
    """What one deep verification of a recovery point came to.

    Attributes:
        number: From 1 on, per point.
        manifest_hash: Of the manifest that it followed.
        findings: Errors and warnings; none of them removes the point.
    """

    instance: str
    point_id: str
    number: int
    job_id: str
    manifest_hash: str
    started_at: datetime
    completed_at: datetime
    verdict: Verdict
    findings: tuple[Finding, ...]
    files: tuple[VerifiedFile, ...]

    def to_bytes(self) -> bytes:
        """Write the result in the form that is hashed."""
        return names.canonical_json(
            {
                "version": 1,
                "instance": self.instance,
                "pointId": self.point_id,
                "number": self.number,
                "jobId": self.job_id,
                "manifestHash": self.manifest_hash,
                "startedAt": self.started_at.isoformat(),
                "completedAt": self.completed_at.isoformat(),
                "verdict": self.verdict.value,
                "findings": [
                    {"code": finding.code, "subject": finding.subject, "message": finding.message}
                    for finding in self.findings
                ],
                "files": [file.to_json() for file in self.files],
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "DeepVerification":
        """Read a stored result.

        Raises:
            IntegrityError: code VerificationDiffers: these bytes are none.
        """
        try:
            stored = json.loads(data)
            return cls(
                instance=stored["instance"],
                point_id=stored["pointId"],
                number=stored["number"],
                job_id=stored["jobId"],
                manifest_hash=stored["manifestHash"],
                started_at=datetime.fromisoformat(stored["startedAt"]),
                completed_at=datetime.fromisoformat(stored["completedAt"]),
                verdict=Verdict(stored["verdict"]),
                findings=tuple(Finding(**finding) for finding in stored["findings"]),
                files=tuple(VerifiedFile.from_json(file) for file in stored["files"]),
            )
        except MALFORMED as error:
            problem = f"what lies at the name of a deep verification is none: {type(error).__name__}"
            raise IntegrityError(problem, code="VerificationDiffers") from None
