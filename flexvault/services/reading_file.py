"""Read a promoted file from its first byte to its last, whoever asks for which range, and compare it as it passes."""

from collections.abc import Callable
from hashlib import sha256

from flexvault.domain import blob_names, crc64
from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES, RangeRead, incomplete
from flexvault.domain.errors import IntegrityError, NotFoundError, PermanentError
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.verification import Finding, file_subject
from flexvault.ports import Ports

type TellBlock = Callable[[int], None]
"""Told the index of a block of the manifest whose checksum differs."""


def range_read(ports: Ports, file: ManifestFile) -> RangeRead:
    """Answer what reads ranges of a file in the version that was sealed."""

    def read(offset: int, length: int) -> bytes:
        return ports.vault_reader.read(
            blob_names.POINTS, file.path, offset=offset, length=length, version_id=file.version_id
        )

    return read


class PassingRead:
    """A range read whose ranges go forward: every byte of the file passes it once, also those between two ranges.

    Attributes:
        position: Bytes before it have passed.
        crc: CRC64 state of the manifest's block that the position lies in.
    """

    def __init__(self, file: ManifestFile, read: RangeRead, tell: TellBlock, position: int = 0, crc: int = 0) -> None:
        """Begin, or go on where an earlier run stood.

        Args:
            file: As the manifest has it.
            read: Reads a range of it.
            tell: Told what differs.
            position: Where the earlier run stood.
            crc: Its state there.
        """
        self._file, self._read, self._tell = file, read, tell
        self.position = position
        self.crc = crc if position else crc64.BEGIN
        self._hash = None if position else sha256()

    @property
    def sha256(self) -> str:
        """Answer the hash of all that has passed; nothing when an earlier run began: no hash can be kept half done."""
        return self._hash.hexdigest() if self._hash else ""

    def read(self, offset: int, length: int) -> bytes:
        """Read a range; what lies between it and what has passed is read, too."""
        self.pass_to(offset)
        window = self._read(offset, length)
        self._pass(window[self.position - offset :])
        return window

    def pass_to(self, position: int, go_on: Callable[[int], bool] = lambda _: True) -> None:
        """Read up to a position, or until the budget ends, which is asked with the bytes read so far.

        Raises:
            IntegrityError: code IncompleteArchive: the file ends before.
        """
        read_bytes = 0
        while self.position < position and (not read_bytes or go_on(read_bytes)):
            window = self._read(self.position, min(LARGEST_READ_BYTES, position - self.position))
            if not window:
                reason = f"reading stopped at byte {self.position}"
                raise incomplete(self._file.path, self._file.size_bytes, reason)
            read_bytes += len(window)
            self._pass(window)

    def _pass(self, data: bytes) -> None:
        if self._hash:
            self._hash.update(data)
        view, size = memoryview(data), self._file.block_size_bytes
        while view:
            index = self.position // size
            end = min((index + 1) * size, self._file.size_bytes)
            part = view[: end - self.position]
            self.crc = crc64.go_on(self.crc, bytes(part))
            self.position += len(part)
            view = view[len(part) :]
            if self.position == end:
                if index >= len(self._file.crc64) or crc64.end(self.crc) != self._file.crc64[index]:
                    self._tell(index)
                self.crc = crc64.BEGIN


def refused(file: ManifestFile, error: PermanentError) -> Finding:
    """Say what an error at reading a file means: it is gone, it ends too early, or nobody knows.

    A refusal is never an answer: nothing is proven of the file then.
    """
    if isinstance(error, NotFoundError) and error.code == BLOB_NOT_FOUND:
        text = f"version {file.version_id} of it is not there" if file.version_id else "it is not there"
        return Finding(code="FileMissing", subject=file_subject(file), message=text)
    if isinstance(error, IntegrityError):
        return Finding(code="FileDiffers", subject=file_subject(file), message=error.message)
    text = f"it could not be read: {error.code}: {error.message}"
    return Finding(code="FileNotRead", subject=file_subject(file), message=text)
