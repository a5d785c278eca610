"""Files and manifests of made-up recovery points, and what a deep verification of them came to."""

from datetime import UTC, datetime
from typing import Any

from flexvault.domain.deep_verification import DeepVerification, VerifiedFile, VerifiedObjects, VerifiedRows
from flexvault.domain.landing_files import FileKind
from flexvault.domain.manifest import Manifest, ManifestFile
from flexvault.domain.verification import Verdict

TAKEN = datetime(2026, 1, 5, 2, tzinfo=UTC)
VERIFIED = datetime(2026, 1, 6, 3, tzinfo=UTC)


def a_file(suffix: str, kind: str, size_bytes: int = 10, **facts: Any) -> ManifestFile:
    return ManifestFile(
        path=f"instance/point/a1/c0/x{suffix}",
        suffix=suffix,
        kind=kind,
        size_bytes=size_bytes,
        version_id="v1",
        block_size_bytes=8,
        crc64=("x",),
        facts=facts,
    )


def a_database(name: str, label: str = "", size_bytes: int = 100, **facts: Any) -> ManifestFile:
    """An archive as a manifest has it; its catalogue names one table with rows, and what is given beside it."""
    catalogue = {"table": [["public", "item", "app", 3, 4]], **facts.pop("catalogue", {})}
    told = {
        "database": name,
        "owner": "app",
        "encoding": "UTF8",
        "locale": {"lcCollate": "C"},
        "connectionLimit": -1,
        "extensions": [],
        "schemas": 0,
        "tables": ["public.item"],
        "largeObjects": 0,
        "catalogue": catalogue,
        **facts,
    }
    return a_file(f"_database_{label or name}.sql", FileKind.DATABASE, size_bytes, **told)


def a_roles_file() -> ManifestFile:
    return a_file("_roles.sql", FileKind.ROLES, 5)


def a_manifest(*files: ManifestFile) -> Manifest:
    return Manifest(
        point_id="0" * 32,
        job_id="job",
        instance="f" * 32,
        instance_id="/instance",
        account="https://vault.example",
        server={"id": "/server", "name": "pg-orders", "version": "16", "createdAt": ""},
        chain="chain",
        attempt=1,
        recovery_point_time=TAKEN,
        expiry_time=TAKEN,
        tag="Default",
        policy={"name": "daily", "journalSeq": 1},
        files=files,
        warnings=(),
    )


def counted(dump_id: int = 4, rows: int | None = 7, why: str = "") -> VerifiedRows:
    """Rows of one table; without a number they could not be counted."""
    size = None if rows is None else rows * 10
    digest = "" if rows is None else f"{dump_id:032x}"
    return VerifiedRows(
        schema="public",
        name="item",
        dump_id=dump_id,
        rows=rows,
        size_bytes=size,
        digest=digest,
        not_counted=why,
    )


def verified(file: ManifestFile, *rows: VerifiedRows, large_objects: VerifiedObjects | None = None) -> VerifiedFile:
    return VerifiedFile(
        path=file.path,
        suffix=file.suffix,
        size_bytes=file.size_bytes,
        sha256="a" * 64,
        database=str(file.facts.get("database", "")),
        rows=rows,
        large_objects=large_objects,
    )


def a_verification(*files: VerifiedFile, **changes: Any) -> DeepVerification:
    told: dict[str, Any] = {
        "instance": "f" * 32,
        "point_id": "0" * 32,
        "number": 1,
        "job_id": "job",
        "manifest_hash": "h" * 64,
        "started_at": VERIFIED,
        "completed_at": VERIFIED,
        "verdict": Verdict.INTACT,
        "findings": (),
        "files": files,
    }
    return DeepVerification(**told | changes)
