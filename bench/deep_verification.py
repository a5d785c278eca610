"""What a whole deep verification costs: bytes a second and the most memory, of a small and of a large archive.

The job runs step by step over the ports in memory, as the orchestrator would run it; only the archive lies in a file,
mostly in the machine's cache. So it is the processor that is measured: storage's answers come on top, side by side.
"""

import resource
import time
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.dumps import CHUNK_BYTES, FOLDER, MB, File, in_own_process, recipe, rows, table_data
from flexvault.domain import blob_names, crc64
from flexvault.domain.manifest import Manifest, block_size_bytes, split_blocks
from flexvault.domain.names import sha256_hex
from flexvault.domain.rows import Merge
from flexvault.ports import BlobFacts
from flexvault.services import catalog
from flexvault.services.request_verification import verify_point
from flexvault.services.verifications import read_newest
from tests import builders
from tests.services.running import claimed
from tests.unit.archive_writer import COPY_END, Block

SIZES = (2, 10)
"""Tables of half a million rows."""
AIM_MEMORY_MB = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one deep verification took."""

    size_bytes: int
    rows: int
    seconds: float
    processor_seconds: float
    requests: int
    peak_bytes: int


def measure_deep_verification() -> None:
    """Measure and print; each size runs in a process of its own, whose most memory is shown, Python's included."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "deep"
    try:
        print("deep verification of a recovery point, from the job's first step to its last")
        for tables in SIZES:
            in_own_process(_write_archive, path, tables)
            cost = in_own_process(_verify, path)
            size = cost.size_bytes / MB
            rates = f"{size / cost.processor_seconds:.0f} MB/s of the processor, {size / cost.seconds:.0f} by the clock"
            print(f"  {size:,.0f} MB of gzip, {cost.rows:,} rows, {cost.requests} requests: {rates}")
            print(f"    peak memory {cost.peak_bytes / MB:.0f} MB   aim: at most {AIM_MEMORY_MB} MB")
    finally:
        path.unlink(missing_ok=True)


def _write_archive(path: Path, tables: int) -> None:
    packed = zlib.compress(b"".join(rows()) + COPY_END)
    block = Block(chunks=tuple(packed[at : at + CHUNK_BYTES] for at in range(0, len(packed), CHUNK_BYTES)))
    path.write_bytes(recipe(tuple(table_data(f"t{number}", block) for number in range(tables))).build())


def _verify(path: Path) -> Cost:
    world, file = claimed(), File(path)
    builders.run_jobs(world)
    ports, instance = world.vault.ports, world.instance()
    point = catalog.list_points(ports, instance.key)[0]
    _put_in_place(world, catalog.read_manifest(ports, point), file)
    verify_point(world.vault, instance, point.point_id, "bench")
    started, processor = time.perf_counter(), time.process_time()
    builders.run_jobs(world)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    found = read_newest(ports, catalog.find_point(ports, instance.key, point.point_id))
    if found is None or found.findings:
        message = f"the archive is not intact: {found}"
        raise RuntimeError(message)
    return Cost(
        size_bytes=file.size_bytes,
        rows=sum(table.rows or 0 for one in found.files for table in one.rows),
        seconds=seconds,
        processor_seconds=processor,
        requests=file.requests,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _put_in_place(world: builders.World, manifest: Manifest, file: File) -> None:
    """Let the archive of a sealed point be a file that is read by ranges, as if it had been sealed."""
    size, block_bytes = file.size_bytes, block_size_bytes(file.size_bytes)
    checksums = tuple(crc64.checksum(file.read(at, length)) for at, length in split_blocks(size, block_bytes))
    file.requests = 0
    old = next(one for one in manifest.files if one.facts)
    new = replace(old, size_bytes=size, block_size_bytes=block_bytes, crc64=checksums)
    changed = replace(manifest, files=tuple(new if one is old else one for one in manifest.files)).to_bytes()
    path = blob_names.manifest_path(manifest.instance, manifest.point_id)
    world.memory.storage.spoil("vault", blob_names.MANIFESTS, path, changed)
    merge = Merge(key=manifest.point_id, values={"manifest_hash": sha256_hex(changed)})
    world.vault.ports.rows.apply("points", manifest.instance, [merge])
    reader: Any = world.vault.ports.vault_reader
    read, find = reader.read, reader.find

    def read_file(container: str, name: str, **where: Any) -> bytes:
        return file.read(where["offset"], where["length"]) if name == old.path else read(container, name, **where)

    def find_file(container: str, name: str, **where: Any) -> BlobFacts | None:
        found = find(container, name, **where)
        return replace(found, size_bytes=size) if found is not None and name == old.path else found

    reader.read, reader.find = read_file, find_file
