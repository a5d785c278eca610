"""Cut a small archive out of a large one: chosen entries and their data, by a few range reads.

A slice has the header of the archive, the entries that were chosen, byte for byte but for the place of their data, and
their blocks. It is a whole archive of its own, which `pg_restore` reads from a pipe or, by its offsets, with `--jobs`.
An entry may depend on one that was left out; `pg_restore` forgets such a dependency.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from flexvault.domain.dump_contents import OFFSET_NOT_SET, OFFSET_SET, Contents, Entry
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES, RangeRead, incomplete
from flexvault.domain.dump_walk import Block
from flexvault.domain.errors import InvalidInputError

LARGEST_GAP_BYTES: Final = 512 * 1024
"""Bytes between two pieces that are read and dropped, because a request of their own would take as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bytes of a file."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """What a slice is made of.

    Attributes:
        entries: That were chosen, in the archive's order.
        blocks: Of those that have data, in the order of the file.
        reads: The range reads that it takes, in the order of the file.
        size_bytes: Of the slice.
    """

    contents: Contents
    entries: tuple[Entry, ...]
    blocks: tuple[Block, ...]
    reads: tuple[Range, ...]
    size_bytes: int

    @property
    def read_bytes(self) -> int:
        """Bytes that the reads ask for."""
        return sum(read.length for read in self.reads)


def plan_slice(contents: Contents, index: Collection[Block], chosen: Collection[int]) -> Slice:
    """Plan the slice of the entries with these dump ids.

    Args:
        contents: Of the whole archive.
        index: Its blocks, from a walk.
        chosen: Dump ids; `dump_choice` finds them by names.

    Raises:
        InvalidInputError: The index has no block for a chosen entry with data, so it is not this archive's.
    """
    kept = frozenset(chosen)
    entries = tuple(entry for entry in contents.entries if entry.dump_id in kept)
    with_data = {entry.dump_id for entry in entries if entry.has_data}
    blocks = sorted((block for block in index if block.dump_id in with_data), key=lambda block: block.offset)
    if {block.dump_id for block in blocks} != with_data:
        raise InvalidInputError(
            f"the index has not the data of all chosen entries of {contents.name}",
            hint="use the index that a walk of this very file made",
            target=contents.name,
        )
    heads = [Range(offset=0, length=contents.entries_start)]
    heads += [Range(offset=entry.start, length=entry.end - entry.start) for entry in entries]
    data = [Range(offset=block.offset, length=block.length) for block in blocks]
    return Slice(
        contents=contents,
        entries=entries,
        blocks=tuple(blocks),
        reads=tuple(_reads([*heads, *data])),
        size_bytes=sum(piece.length for piece in [*heads, *data]),
    )


def slice_bytes(plan: Slice, read: RangeRead) -> Iterator[bytes]:
    """Yield the slice from its first byte to its last, at most 4 MiB at a time.

    Raises:
        IntegrityError: code `IncompleteArchive`: the file ends before what was planned.
    """
    source, contents = _PlannedReader(plan, read), plan.contents
    width = 1 + contents.int_size
    number = b"\0" + len(plan.entries).to_bytes(contents.int_size, "little")
    yield source.whole(0, contents.entries_start)[:-width] + number
    offsets = _offsets(plan)
    for entry in plan.entries:
        raw = source.whole(entry.start, entry.end - entry.start)
        yield _moved(contents, raw, offsets[entry.dump_id]) if entry.has_data else raw
    for block in plan.blocks:
        yield from source.pieces(block.offset, block.length)


def _offsets(plan: Slice) -> dict[int, int]:
    position = plan.size_bytes - sum(block.length for block in plan.blocks)
    offsets: dict[int, int] = {}
    for block in plan.blocks:
        offsets[block.dump_id] = position
        position += block.length
    return offsets


def _moved(contents: Contents, raw: bytes, offset: int) -> bytes:
    """Write where the entry's data lies now; what does not fit is written as not known."""
    size = contents.offset_size
    fits = offset < 1 << 8 * size
    state, place = (OFFSET_SET, offset) if fits else (OFFSET_NOT_SET, 0)
    return raw[: -size - 1] + bytes([state]) + place.to_bytes(size, "little")


def _reads(pieces: Sequence[Range]) -> Iterator[Range]:
    spans: list[Range] = []
    for piece in pieces:
        if spans and piece.offset - spans[-1].end <= LARGEST_GAP_BYTES:
            spans[-1] = replace(spans[-1], length=piece.end - spans[-1].offset)
        else:
            spans.append(piece)
    for span in spans:
        for start in range(span.offset, span.end, LARGEST_READ_BYTES):
            yield Range(offset=start, length=min(LARGEST_READ_BYTES, span.end - start))


class _PlannedReader:
    """Gives out pieces of the planned reads, forward only; each is read once."""

    def __init__(self, plan: Slice, read: RangeRead) -> None:
        self._contents = plan.contents
        self._reads = iter(plan.reads)
        self._read = read
        self._window = b""
        self._start = 0

    def whole(self, offset: int, length: int) -> bytes:
        return b"".join(self.pieces(offset, length))

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        end = offset + length
        while offset < end:
            while offset >= self._start + len(self._window):
                self._next()
            at = offset - self._start
            piece = self._window[at : at + end - offset]
            offset += len(piece)
            yield piece

    def _next(self) -> None:
        wanted = next(self._reads)
        self._window, self._start = self._read(wanted.offset, wanted.length), wanted.offset
        if len(self._window) != wanted.length:
            reason = f"bytes {wanted.offset} to {wanted.end} should be there"
            raise incomplete(self._contents.name, self._contents.size_bytes, reason)
