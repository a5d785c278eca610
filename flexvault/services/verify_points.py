"""Verify recovery points: each manifest against the entry that sealed it, each file against its manifest."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from itertools import batched

from flexvault.domain import blob_names, crc64
from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.errors import IntegrityError, NotFoundError, PermanentError
from flexvault.domain.manifest import Manifest, ManifestFile, split_blocks
from flexvault.domain.verification import (
    Chain,
    Finding,
    file_subject,
    find_wrong_blocks,
    find_wrong_file,
    find_wrong_manifest,
    manifest_subject,
)
from flexvault.ports import VaultReader
from flexvault.services.manifests import read_own_manifest
from flexvault.services.promote import OWNER
from flexvault.services.stored_names import StoredName, list_names, read_if_there
from flexvault.services.verify_page import Page, Position, is_of_one_blob
from flexvault.services.verify_results import find_wrong_results
from flexvault.services.verify_streams import StreamReader, unknown

POINTS_A_BATCH = 16
BLOCKS_AT_ONCE = 2
"""A block has up to 64 MiB, and computing its checksum keeps the processor busy anyway."""


@dataclass(slots=True, kw_only=True)
class _Checked:
    """One point."""

    point_id: str
    is_deleting: bool = False
    findings: list[Finding] = field(default_factory=list[Finding])
    files: list[ManifestFile] = field(default_factory=list[ManifestFile])
    """Files whose blocks can be read."""
    blocks: int = 0
    not_checked: PermanentError | None = None


class PointReader:
    """Checks the points of one instance."""

    def __init__(self, reader: VaultReader, pool: Executor, page: Page, stream: StreamReader) -> None:
        self._reader = reader
        self._pool = pool
        self._page = page
        self._stream = stream
        self._manifests: dict[str, StoredName] = {}
        self._files: dict[str, StoredName] = {}
        self._beside: dict[str, StoredName] = {}
        self._unknown: list[Finding] = []

    @property
    def _chain(self) -> Chain:
        return self._stream.chain

    def list_stored(self) -> None:
        """List manifests and files: before the stream is read, so that each manifest's entry is in it."""
        for found in list_names(self._reader, blob_names.MANIFESTS, f"{self._chain.stream}/"):
            point_id = blob_names.manifest_point(found.first.name)
            if point_id:
                self._manifests[point_id] = found
            elif blob_names.verification_of(found.first.name):
                self._beside[found.first.name] = found
            elif point_id is None:
                self._unknown.append(unknown(f"{blob_names.MANIFESTS}/{found.first.name}"))

        files = list_names(self._reader, blob_names.POINTS, f"{self._chain.stream}/") if self._manifests else []
        self._files = {found.first.name: found for found in files}

    def check_all(self, begin: Position) -> Position | None:
        """Check the points from a place on; answers the place for the next page, or nothing at the end."""
        if not begin.point:
            self._page.add(self._unknown)
        points = sorted({*self._manifests, *self._chain.sealed})
        points = [point_id for point_id in points if point_id >= begin.point]
        size = 1 if self._page.order.is_deep else POINTS_A_BATCH
        for number, batch in enumerate(batched(points, size, strict=False), start=1):
            is_resumed = batch[0] == begin.point and bool(begin.file or begin.block)
            checked = self._check(batch)
            if not is_resumed:
                self._tell(checked)
            if self._page.order.is_deep and (place := self._read_files(checked[0], begin if is_resumed else None)):
                return place
            following = points[number * size : number * size + 1]
            if following and self._page.is_full:
                return Position(stream=self._chain.stream, point=following[0])
        return None

    def _check(self, batch: Sequence[str]) -> list[_Checked]:
        checked = list(self._pool.map(self._check_point, batch))
        if any(point.findings for point in checked):
            # A seal or a deletion may have come between both looks: the stream's end decides.
            self._stream.read_on()
            again = [point.point_id for point in checked if point.findings]
            looked = {point.point_id: point for point in self._pool.map(self._check_point, again)}
            checked = [looked.get(point.point_id, point) for point in checked]
        return checked

    def _tell(self, checked: Sequence[_Checked]) -> None:
        counts = self._page.counts
        for point in checked:
            self._page.add(point.findings)
            counts.points += not point.is_deleting
            counts.deleting += point.is_deleting
            counts.files += len(point.files)
            counts.blocks += point.blocks
            if point.not_checked is not None:
                self._page.skip(manifest_subject(self._chain.stream, point.point_id), point.not_checked)

    def _check_point(self, point_id: str) -> _Checked:
        checked = _Checked(point_id=point_id, is_deleting=point_id in self._chain.tombstoned)
        try:
            checked.findings += self._find_wrong(checked)
        except PermanentError as error:
            if not is_of_one_blob(error):
                raise
            checked.not_checked = error
        return checked

    def _find_wrong(self, checked: _Checked) -> Iterator[Finding]:
        point_id, stored = checked.point_id, self._manifests.get(checked.point_id)
        if checked.is_deleting and (stored is None or point_id not in self._chain.deleted):
            return  # it is gone, or how far its deletion has got is not written anywhere
        version_id = stored.first.version_id if stored else ""
        path = blob_names.manifest_path(self._chain.stream, point_id)
        data = read_if_there(self._reader, blob_names.MANIFESTS, path, version_id)
        if checked.is_deleting:
            yield from find_wrong_manifest(self._chain, point_id, data) if data is not None else ()
            return
        if data is None:
            text = f"recovery point {point_id} was sealed and never deleted, and its manifest is not there"
            yield Finding(code="ManifestMissing", subject=f"{blob_names.MANIFESTS}/{path}", message=text)
            return
        yield from stored.find_wrong(blob_names.MANIFESTS) if stored else ()
        wrong = list(find_wrong_manifest(self._chain, point_id, data))
        yield from wrong
        if any(finding.code == "ManifestDiffers" for finding in wrong):
            return  # what it says of its files is not what was sealed
        try:
            manifest = read_own_manifest(data, self._chain.stream, point_id)
        except IntegrityError as error:
            yield Finding(code="ManifestUnreadable", subject=f"{blob_names.MANIFESTS}/{path}", message=error.message)
            return
        yield from self._find_wrong_files(manifest, checked)
        yield from find_wrong_results(self._reader, self._chain, point_id, self._beside)

    def _find_wrong_files(self, manifest: Manifest, checked: _Checked) -> Iterator[Finding]:
        for file in manifest.files:
            stored = self._files.get(file.path)
            wrong = list(self._find_wrong_file(manifest, file, stored))
            if not wrong:
                checked.files.append(file)
                checked.blocks += len(file.crc64)
            if stored is not None and (stored.later or not stored.is_current):
                text = "other versions lie over the one that was sealed, or its name was deleted"
                yield Finding(code="FileWrittenOver", subject=file_subject(file), message=text)
            yield from wrong

    def _find_wrong_file(self, manifest: Manifest, file: ManifestFile, stored: StoredName | None) -> Iterator[Finding]:
        blob = stored.first if stored else None
        if blob is None or (file.version_id and blob.version_id != file.version_id):  # or it came after the list
            blob = self._reader.find(blob_names.POINTS, file.path, version_id=file.version_id)
        if blob is None:
            yield _file_gone(file)
            return
        yield from find_wrong_file(manifest, file, blob.size_bytes, blob.metadata.get(OWNER, ""))
        try:
            sizes = self._reader.list_blocks(blob_names.POINTS, file.path, version_id=file.version_id)
        except NotFoundError as error:
            if error.code != BLOB_NOT_FOUND:
                raise
            yield _file_gone(file)
            return
        yield from find_wrong_blocks(file, sizes)

    def _read_files(self, checked: _Checked, begin: Position | None) -> Position | None:
        """Read every block of a point's files; answers the place of the block for the next page."""
        for index, file in enumerate(checked.files):
            if begin is not None and index < begin.file:
                continue
            first = begin.block if begin is not None and index == begin.file else 0
            blocks = list(enumerate(split_blocks(file.size_bytes, file.block_size_bytes)))[first:]
            for batch in batched(blocks, BLOCKS_AT_ONCE, strict=False):
                if not self._read_blocks(checked.point_id, file, batch):
                    break
                if self._page.is_full:
                    return Position(
                        stream=self._chain.stream, point=checked.point_id, file=index, block=batch[-1][0] + 1
                    )
        return None

    def _read_blocks(self, point_id: str, file: ManifestFile, blocks: Sequence[tuple[int, tuple[int, int]]]) -> bool:
        """Compare blocks with their checksums; answers whether the file is still there."""

        def compute(block: tuple[int, tuple[int, int]]) -> str:
            _, (offset, length) = block
            data = self._reader.read(
                blob_names.POINTS, file.path, offset=offset, length=length, version_id=file.version_id
            )
            return crc64.checksum(data)

        try:
            checksums = list(self._pool.map(compute, blocks))
        except NotFoundError as error:
            if error.code != BLOB_NOT_FOUND:
                raise
            self._stream.read_on()  # to read a large file takes long: retention may have deleted it meanwhile
            if point_id not in self._chain.tombstoned:
                self._page.add([_file_gone(file)])
            return False
        except PermanentError as error:
            if not is_of_one_blob(error):
                raise
            self._page.skip(file_subject(file), error)
            return True
        for (index, (offset, length)), found in zip(blocks, checksums, strict=True):
            self._page.counts.bytes_read += length
            if found != file.crc64[index]:
                text = f"block {index}, bytes {offset} to {offset + length - 1}, has not the checksum that was sealed"
                self._page.add([Finding(code="BlockDiffers", subject=file_subject(file), message=text)])
        return True


def _file_gone(file: ManifestFile) -> Finding:
    text = f"version {file.version_id} of it is not there" if file.version_id else "it is not there"
    return Finding(code="FileMissing", subject=file_subject(file), message=text)
