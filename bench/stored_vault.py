"""What lies in the vault account after some days of daily backups, byte for byte as the app writes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flexvault.domain import blob_names, crc64, names
from flexvault.domain.journal import Entry
from flexvault.domain.manifest import Manifest, ManifestFile, block_size_bytes
from flexvault.domain.root import NOTHING, Covered, Root, RootLine
from flexvault.services.promote import OWNER

BEGIN = datetime(2026, 1, 5, 2, tzinfo=UTC)
ACCOUNT = "https://vault.example"
FILES = {"_database_orders.sql": b"PGDMP" + bytes(range(256)) * 64, "_roles.sql": b"r", "_schema.sql": b"s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlob:
    """One blob; one of container `points` is committed of one block, every other one is written whole."""

    container: str
    path: str
    data: bytes
    metadata: dict[str, str] = field(default_factory=dict[str, str])


class _Journal:
    """Grows the streams, and closes a day with its root."""

    def __init__(self) -> None:
        self._covered: dict[str, Covered] = {}
        self._lines: list[RootLine] = []
        self._root: tuple[date | None, str] = (None, "")

    def append(self, stream: str, kind: str, key: str, at: datetime, body: dict[str, Any]) -> StoredBlob:
        before = self._covered.get(stream, NOTHING)
        entry = Entry(
            stream=stream,
            seq=before.last + 1,
            previous_hash=before.hash,
            event_id=names.event_id(stream, kind, key),
            type=kind,
            at=at,
            body=body,
        )
        data = entry.to_bytes()
        line = RootLine(stream=stream, seq=entry.seq, hash=names.sha256_hex(data), data=data)
        self._lines.append(line)
        self._covered[stream] = Covered(first=before.first, last=entry.seq, hash=line.hash)
        path = blob_names.journal_path(stream, entry.seq)
        return StoredBlob(container=blob_names.JOURNAL, path=path, data=data)

    def close(self, day: date) -> StoredBlob:
        root = Root(
            day=day,
            previous_day=self._root[0],
            previous_hash=self._root[1],
            streams=dict(self._covered),
            lines=sorted(self._lines, key=lambda line: (line.stream, line.seq)),
        )
        data = root.to_bytes()
        self._root = (day, names.sha256_hex(data))
        self._covered = {
            stream: Covered(first=covered.last + 1, last=covered.last, hash=covered.hash)
            for stream, covered in self._covered.items()
        }
        self._lines = []
        return StoredBlob(container=blob_names.JOURNAL, path=blob_names.root_path(day), data=data)


NO_VERSIONS: Mapping[str, str] = {}


def grow_vault(servers: int, days: int, versions: Mapping[str, str] = NO_VERSIONS) -> Iterator[StoredBlob]:
    """Answer every blob: a point a day of each server, two entries each, and a root a day.

    Args:
        servers: How many.
        days: How many.
        versions: Version ids of the files, by path, as storage gave them; the manifests name them.
    """
    journal = _Journal()
    for day in range(days):
        at = BEGIN + timedelta(days=day)
        for server in range(servers):
            manifest, files = _point(names.instance_key(f"server-{server}"), at, versions)
            stored = manifest.to_bytes()
            yield from files
            path = blob_names.manifest_path(manifest.instance, manifest.point_id)
            yield StoredBlob(container=blob_names.MANIFESTS, path=path, data=stored)
            sealed = {"point_id": manifest.point_id, "manifest_hash": names.sha256_hex(stored)}
            yield journal.append(manifest.instance, "Sealed", manifest.point_id, at, sealed)
            closed = {"job_id": manifest.job_id, "status": "Completed"}
            yield journal.append(manifest.instance, "JobClosed", manifest.job_id, at, closed)
        yield journal.close(at.date())


def _point(instance: str, at: datetime, versions: Mapping[str, str]) -> tuple[Manifest, list[StoredBlob]]:
    job_id = names.slot_job_id(instance, at)
    point_id = names.point_id(job_id)
    files: list[ManifestFile] = []
    blobs: list[StoredBlob] = []
    for suffix, data in FILES.items():
        path = blob_names.file_path(instance, point_id, 1, 0, suffix)
        files.append(
            ManifestFile(
                path=path,
                suffix=suffix,
                kind="file",
                size_bytes=len(data),
                version_id=versions.get(path, ""),
                block_size_bytes=block_size_bytes(len(data)),
                crc64=(crc64.checksum(data),),
                facts={},
            )
        )
        owner = {OWNER: names.blob_owner(job_id, 1)}
        blobs.append(StoredBlob(container=blob_names.POINTS, path=path, data=data, metadata=owner))
    manifest = Manifest(
        point_id=point_id,
        job_id=job_id,
        instance=instance,
        instance_id=instance,
        account=ACCOUNT,
        server={"id": instance},
        chain=instance,
        attempt=1,
        recovery_point_time=at,
        expiry_time=at + timedelta(days=365),
        tag="Default",
        policy={"name": "daily", "journalSeq": 1},
        files=tuple(files),
        warnings=(),
    )
    return manifest, blobs
