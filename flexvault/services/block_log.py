"""What was staged so far: the checksums of every block, one row per file and 1,000 blocks, written after each batch.

A block without a checksum here is staged again; a file without `committed` is committed again. The rows belong to
one attempt of one job, so nobody else writes them but a second run of the same step, which writes the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.errors import AlreadyExistsError, RowChangedError
from flexvault.domain.manifest import split_blocks
from flexvault.domain.rows import Insert, Merge, Replace
from flexvault.ports import Ports

CHUNK_BLOCKS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedFile:
    """One file that is being copied."""

    ordinal: int
    name: str
    size_bytes: int
    block_size_bytes: int
    facts: Mapping[str, Any]
    """What the copier remembers of the source, such as its ETag and kind."""
    is_committed: bool = False
    version_id: str = ""
    """Of what the blocks became, where its account keeps versions."""
    crc64: tuple[str, ...] = field(default=())
    """CRC64 of the blocks staged so far, in order, in base64."""

    @property
    def blocks(self) -> Sequence[tuple[int, int]]:
        """Answer (offset, length) of each block."""
        return split_blocks(self.size_bytes, self.block_size_bytes)


class BlockLog:
    """The rows of one attempt of one job."""

    def __init__(self, ports: Ports, job_id: str, attempt: int) -> None:
        self._rows = ports.rows
        self._job_id = job_id
        self._attempt = attempt

    def add(self, file: LoggedFile) -> None:
        """Remember a file before its first block; one that is there stays as it is."""
        values = {
            "ordinal": file.ordinal,
            "name": file.name,
            "size_bytes": file.size_bytes,
            "block_size_bytes": file.block_size_bytes,
            "facts": json.dumps(file.facts),
            "is_committed": False,
            "crc64": "[]",
        }
        try:
            self._rows.apply(row_keys.BLOCKS, self._job_id, [Insert(key=self._key(file, 0), values=values)])
        except AlreadyExistsError:
            return

    def files(self) -> list[LoggedFile]:
        """Answer every file with the checksums so far."""
        prefix = row_keys.blocks_prefix(self._attempt)
        found: dict[str, LoggedFile] = {}
        rows = self._rows.query(row_keys.BLOCKS, self._job_id, start=prefix, end=row_keys.prefix_end(prefix))
        for row in rows:
            values: Mapping[str, Any] = row.values
            base = row.key.rpartition("-")[0]
            crc64 = tuple(json.loads(values["crc64"]))
            if base in found:
                found[base] = replace(found[base], crc64=found[base].crc64 + crc64)
                continue
            found[base] = LoggedFile(
                ordinal=values["ordinal"],
                name=values["name"],
                size_bytes=values["size_bytes"],
                block_size_bytes=values["block_size_bytes"],
                facts=json.loads(values["facts"]),
                is_committed=values["is_committed"],
                version_id=values.get("version_id", ""),
                crc64=crc64,
            )
        return list(found.values())

    def write_checksums(self, file: LoggedFile, crc64: Sequence[str]) -> LoggedFile:
        """Write the checksums of all blocks staged so far; a chunk that is full is not written again."""
        first = len(file.crc64) // CHUNK_BLOCKS
        for chunk in range(first, -(-len(crc64) // CHUNK_BLOCKS)):
            part = json.dumps(list(crc64[chunk * CHUNK_BLOCKS : (chunk + 1) * CHUNK_BLOCKS]))
            self._put_chunk(file, chunk, part)
        return replace(file, crc64=tuple(crc64))

    def forget(self, file: LoggedFile) -> LoggedFile:
        """Forget a file's checksums: storage dropped its staged blocks, as it does after a week without a commit."""
        for chunk in range(-(-len(file.crc64) // CHUNK_BLOCKS)):
            self._rows.apply(row_keys.BLOCKS, self._job_id, [Merge(key=self._key(file, chunk), values={"crc64": "[]"})])
        return replace(file, crc64=())

    def mark_committed(self, file: LoggedFile, version_id: str = "") -> LoggedFile:
        """Remember that a file's blocks became a blob, or this version of one."""
        change = Merge(key=self._key(file, 0), values={"is_committed": True, "version_id": version_id})
        self._rows.apply(row_keys.BLOCKS, self._job_id, [change])
        return replace(file, is_committed=True, version_id=version_id)

    def _put_chunk(self, file: LoggedFile, chunk: int, part: str) -> None:
        key = self._key(file, chunk)
        if chunk == 0:
            self._rows.apply(row_keys.BLOCKS, self._job_id, [Merge(key=key, values={"crc64": part})])
            return
        row = self._rows.find(row_keys.BLOCKS, self._job_id, key)
        change = (
            Insert(key=key, values={"crc64": part})
            if row is None
            else Replace(key=key, values={"crc64": part}, etag=row.etag)
        )
        try:
            self._rows.apply(row_keys.BLOCKS, self._job_id, [change])
        except (AlreadyExistsError, RowChangedError):
            # A second run of this step stages the same blocks of the same source: take whichever was written.
            self._rows.apply(row_keys.BLOCKS, self._job_id, [Merge(key=key, values={"crc64": part})])

    def _key(self, file: LoggedFile, chunk: int) -> str:
        return row_keys.blocks_row(self._attempt, file.ordinal, file.name, chunk)
