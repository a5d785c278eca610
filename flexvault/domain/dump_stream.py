"""Read the data of one block as it comes, inflated, in bounded memory, and hash the block's own bytes."""

import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from flexvault.domain.dump_catalogue import object_ids
from flexvault.domain.dump_contents import Contents, Entry
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES, RangeRead, incomplete
from flexvault.domain.dump_walk import Block, GoOn, head_of
from flexvault.domain.errors import IntegrityError

HASH_PART_BYTES: Final = 1024 * 1024 * 1024
"""A longer block is hashed in parts, because hashlib cannot store its state."""

READ_COMPRESSIONS: Final = frozenset({"none", "gzip"})
"""Python 3.13 has neither lz4 nor zstd, and neither has a package that the vault needs anyway."""

_PIECE_BYTES: Final = 64 * 1024
_MOST_INFLATED_BYTES: Final = 256 * 1024
"""Of one piece, which may be a row for each byte."""


class OverBudgetError(Exception):
    """The caller's budget ended before the block did."""


class PartHash:
    """SHA-256 of a block's bytes, in parts of `HASH_PART_BYTES`.

    A block of one part has the plain SHA-256 of its bytes; of more parts, that of their SHA-256s one after another.
    """

    def __init__(self, part_bytes: int = HASH_PART_BYTES) -> None:
        self._part_bytes = part_bytes
        self._parts: list[bytes] = []
        self._open = sha256()
        self._room = part_bytes

    def update(self, data: bytes) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        while view:
            if not self._room:
                self._parts.append(self._open.digest())
                self._open, self._room = sha256(), self._part_bytes
            self._open.update(view[: self._room])
            taken = min(len(view), self._room)
            self._room -= taken
            view = view[taken:]

    def hexdigest(self) -> str:
        """Return the hash of all bytes so far."""
        return self.of_parts([*self._parts, self._open.digest()])

    @staticmethod
    def of_parts(parts: Sequence[bytes]) -> str:
        """Return the hash of all bytes from the SHA-256 of each part."""
        return parts[0].hex() if len(parts) == 1 else sha256(b"".join(parts)).hexdigest()


def damaged(contents: Contents, block: Block, reason: str) -> IntegrityError:
    """Say that a block's data is not what pg_dump wrote."""
    return IntegrityError(
        f"{contents.name} is damaged: the data of entry {block.dump_id}, bytes {block.offset} to {block.end}, {reason}",
        code="DamagedData",
        hint="read the file again; if it stays so, use another recovery point and take a new backup",
        target=contents.name,
    )


class BlockStream:
    """Reads one block from its first byte to its last, one window at a time."""

    def __init__(
        self,
        contents: Contents,
        block: Block,
        read: RangeRead,
        *,
        go_on: GoOn = lambda _: True,
        window_bytes: int = LARGEST_READ_BYTES,
        part_bytes: int = HASH_PART_BYTES,
    ) -> None:
        self.hashed = PartHash(part_bytes)
        self.read_bytes = 0
        self.requests = 0
        self._contents, self._block, self._read, self._go_on = contents, block, read, go_on
        self._window_bytes = window_bytes
        self._head = head_of(contents)
        self._window = b""
        self._at = 0

    def open(self) -> None:
        """Take the block's head.

        Raises:
            IntegrityError: code `DamagedData`: it is not the head of this block.
        """
        while len(self._window) < 1 + self._head.size:
            self._fill()
        self._at = 1
        if self._window[0] != (3 if self._block.kind == "largeObjects" else 1) or self.integer() != self._block.dump_id:
            raise damaged(self._contents, self._block, "does not begin as a block of it does")

    def integer(self) -> int:
        """Take a number that cannot be negative.

        Raises:
            IntegrityError: code `DamagedData`.
        """
        while len(self._window) - self._at < self._head.size:
            self._fill()
        sign, value = self._head.unpack_from(self._window, self._at)
        if sign:
            raise damaged(self._contents, self._block, "holds a negative number")
        self._at += self._head.size
        return value

    def pieces(self) -> Iterator[bytes]:
        """Yield what the chunks hold that follow, up to their terminator, in pieces of any length."""
        while (length := self.integer()) > 0:
            if length <= min(len(self._window) - self._at, _PIECE_BYTES):
                yield from self._whole_chunks(length)
                continue
            while length:
                if self._at == len(self._window):
                    self._fill()
                piece = self._window[self._at : self._at + min(length, _MOST_INFLATED_BYTES)]
                self._at += len(piece)
                length -= len(piece)
                yield piece

    def close(self) -> None:
        """Make sure that the block ends here.

        Raises:
            IntegrityError: code `DamagedData`.
        """
        if self._at != len(self._window) or self.read_bytes != self._block.length:
            raise damaged(self._contents, self._block, "ends before its block does")

    def _whole_chunks(self, length: int) -> Iterator[bytes]:
        """Join chunks that lie in the window, the first of which is `length` long and begins here."""
        view, unpack, width = memoryview(self._window), self._head.unpack_from, self._head.size
        at, room, last = self._at, _PIECE_BYTES, len(view) - width
        parts: list[memoryview] = []
        while True:
            parts.append(view[at : at + length])
            at += length
            room -= length
            if at > last:
                break
            sign, length = unpack(view, at)
            if sign or not 0 < length <= min(room, len(view) - at - width):
                break
            at += width
        self._at = at
        yield b"".join(parts)

    def _fill(self) -> None:
        left = self._block.length - self.read_bytes
        if not left:
            raise damaged(self._contents, self._block, "goes on behind its block")
        if self.requests and not self._go_on(self.read_bytes):
            raise OverBudgetError
        window = self._read(self._block.offset + self.read_bytes, min(left, self._window_bytes))
        if not window:
            reason = f"reading stopped at byte {self._block.offset + self.read_bytes}"
            raise incomplete(self._contents.name, self._contents.size_bytes, reason)
        self.requests += 1
        self.read_bytes += len(window)
        self.hashed.update(window)
        self._window = self._window[self._at :] + window
        self._at = 0


def plain(contents: Contents, block: Block, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the data of pieces as it was before compression (one of `READ_COMPRESSIONS`), at most 256 KiB at a time.

    Raises:
        IntegrityError: code `DamagedData`: it cannot be decompressed to its end.
    """
    return _inflate(contents, block, pieces) if contents.compression == "gzip" else pieces


def _inflate(contents: Contents, block: Block, pieces: Iterator[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj()
    is_empty = True
    try:
        for piece in pieces:
            is_empty = False
            yield stream.decompress(piece, _MOST_INFLATED_BYTES)
            while stream.unconsumed_tail:
                yield stream.decompress(stream.unconsumed_tail, _MOST_INFLATED_BYTES)
            if stream.unused_data:
                raise damaged(contents, block, "goes on behind the end of its zlib stream")
        yield stream.flush()
    except zlib.error as error:
        raise damaged(contents, block, f"cannot be inflated: {error}") from None
    # Some versions of pg_dump write no stream at all where there is no data.
    if not stream.eof and not is_empty:
        raise damaged(contents, block, "stops inside its zlib stream")


def listed_objects(contents: Contents, entry: Entry) -> frozenset[int]:
    """Return the oids that the table of contents lists for a block of large objects; none where it lists none.

    Up to PostgreSQL 16 each large object has an entry `BLOB` and one block holds all; from 17 on a `BLOB METADATA`, on
    which the block's entry depends, lists its oids, one per line. A dump of data alone may have neither.
    """
    needed = frozenset(entry.dependencies)
    lists = [other for other in contents.entries if other.desc == "BLOB METADATA" and other.dump_id in needed]
    lists = lists or [other for other in contents.entries if other.desc == "BLOB"]
    return frozenset(int(oid) for other in lists for oid in object_ids(other))
