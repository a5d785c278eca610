"""Read numbers and texts of a custom-format archive one after another, over range reads."""

from collections.abc import Callable
from typing import Final

from flexvault.domain.errors import IntegrityError

FIRST_READ_BYTES: Final = 256 * 1024
LARGEST_READ_BYTES: Final = 4 * 1024 * 1024
LARGEST_TEXT_BYTES: Final = 64 * 1024 * 1024
"""No definition is as long; a damaged length must not take all memory."""

type RangeRead = Callable[[int, int], bytes]
"""`read(offset, length)`: the bytes from offset on, at most length of them, fewer only at the end of the file."""


def incomplete(name: str, size_bytes: int, reason: str) -> IntegrityError:
    """Say that the file is no archive from its first byte to its last, and where it stops being one."""
    return IntegrityError(
        f"{name} is not a whole archive of pg_dump: {reason}, and the file has {size_bytes} bytes",
        code="IncompleteArchive",
        hint="take the backup again",
        target=name,
    )


class Cursor:
    """Forward reader over range reads; every short read is an incomplete archive."""

    def __init__(self, read: RangeRead, size_bytes: int, name: str) -> None:
        self._read = read
        self._window = b""
        self._window_start = 0
        self._step = FIRST_READ_BYTES
        self.size_bytes = size_bytes
        self.name = name
        self.position = 0
        self.int_size = 4
        self.offset_size = 8

    def take(self, length: int) -> bytes:
        start = self.position - self._window_start
        if len(self._window) - start < length:
            self._fill(length)
            start = 0
        self.position += length
        return self._window[start : start + length]

    def skip(self, length: int) -> None:
        if self.position + length > self.size_bytes:
            raise self.incomplete(f"{length} bytes should follow byte {self.position}")
        self.position += length

    def seek(self, position: int) -> None:
        """Go on elsewhere; what is already read is kept when the place lies inside it."""
        if not self._window_start <= position <= self._window_start + len(self._window):
            self._window, self._window_start = b"", position
        self.position = position

    def integer(self) -> int:
        raw = self.take(1 + self.int_size)
        if raw[0] > 1:
            raise self.incomplete(f"byte {self.position - len(raw)} begins no number")
        value = int.from_bytes(raw[1:], "little")
        return -value if raw[0] else value

    def text(self) -> bytes:
        return self.optional_text() or b""

    def optional_text(self) -> bytes | None:
        length = self.integer()
        if length > LARGEST_TEXT_BYTES:
            raise self.incomplete(f"a text of {length} bytes should follow byte {self.position}")
        return None if length < 0 else self.take(length)

    def incomplete(self, reason: str) -> IntegrityError:
        return incomplete(self.name, self.size_bytes, reason)

    def _fill(self, length: int) -> None:
        if self.position + length > self.size_bytes:
            raise self.incomplete(f"{length} bytes should follow byte {self.position}")
        have = self._window[max(self.position - self._window_start, 0) :]
        if self.position > self._window_start + len(self._window):
            have = b""
        parts, total, start = [have], len(have), self.position
        while total < length:
            part = self._read(start + total, max(self._step, length - total))
            self._step = min(2 * self._step, LARGEST_READ_BYTES)
            if not part:
                raise self.incomplete(f"reading stopped at byte {start + total}")
            parts.append(part)
            total += len(part)
        self._window, self._window_start = b"".join(parts), start
