"""Walk the data of an archive: every chunk of every block, from its table of contents to the end of the file.

The walk needs no offset of the archive, which pg_dump writes only where its output can be sought, and decompresses
nothing. What it yields, with `check_index`, is an index: where the data of each entry lies. It stops and goes on at any
chunk, so its state is a few numbers. Only one window is in memory; what a chunk holds is not looked at, and a chunk
that is longer than the window is not even read.
"""

import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from flexvault.domain.dump_contents import Contents
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES, RangeRead, incomplete
from flexvault.domain.errors import IntegrityError

type GoOn = Callable[[int], bool]
"""Asked with the bytes read so far before each further read: no ends this run. The first read is always made."""
type BlockKind = Literal["data", "largeObjects"]

LEAST_WINDOW_BYTES: Final = 16
"""More than the head of a block, the longest piece that is looked at as a whole."""
BLOCK_KINDS: Final[Mapping[int, BlockKind]] = {1: "data", 3: "largeObjects"}
LARGE_OBJECTS_ENTRY: Final = "BLOBS"
HEADS: Final = {size: struct.Struct(f"<B{code}") for size, code in ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))}
"""By size of an integer: its sign and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Where the data of an entry lies: from its type byte to its terminator."""

    dump_id: int
    kind: BlockKind
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where the next block begins."""
        return self.offset + self.length

    def to_json(self) -> dict[str, Any]:
        return {"dumpId": self.dump_id, "kind": self.kind, "offset": self.offset, "length": self.length}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Block":
        """Read back what `to_json` wrote."""
        kind: BlockKind = "largeObjects" if stored["kind"] == "largeObjects" else "data"
        return cls(dump_id=stored["dumpId"], kind=kind, offset=stored["offset"], length=stored["length"])


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkState:
    """Where a walk stands.

    Attributes:
        position: Where the next block, large object or chunk begins.
        block_offset: Where the block that is being walked begins; nothing between two blocks.
        dump_id: Entry of that block.
        kind: Of that block.
        is_in_object: Said of a block of large objects: chunks of one follow, not the next object.
    """

    position: int
    block_offset: int | None = None
    dump_id: int = 0
    kind: BlockKind = "data"
    is_in_object: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "blockOffset": self.block_offset,
            "dumpId": self.dump_id,
            "kind": self.kind,
            "isInObject": self.is_in_object,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "WalkState":
        """Read back what `to_json` wrote."""
        return cls(
            position=stored["position"],
            block_offset=stored["blockOffset"],
            dump_id=stored["dumpId"],
            kind="largeObjects" if stored["kind"] == "largeObjects" else "data",
            is_in_object=stored["isInObject"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Walked:
    """What one run of a walk found.

    Attributes:
        state: Where it stands now.
        blocks: That it followed to their ends, in the order of the file.
        is_done: The file ended with the last of them.
        requests: Range reads made.
        read_bytes: Bytes read.
    """

    state: WalkState
    blocks: tuple[Block, ...]
    is_done: bool
    requests: int
    read_bytes: int


def begin_walk(contents: Contents) -> WalkState:
    """Stand behind the table of contents."""
    return WalkState(position=contents.data_start)


def walk(
    contents: Contents,
    read: RangeRead,
    state: WalkState,
    *,
    go_on: GoOn = lambda _: True,
    window_bytes: int = LARGEST_READ_BYTES,
) -> Walked:
    """Walk on from a state, until the end of the file or until the caller's budget is used up.

    Args:
        contents: Of the archive.
        read: Reads a range of the file.
        state: Where an earlier run stood, or `begin_walk`.
        go_on: The budget, in bytes or in time.
        window_bytes: Of one read.

    Raises:
        IntegrityError: code `IncompleteArchive`, with the place where the file stops being an archive.
    """
    walker = _Walker(contents, state)
    requests = read_bytes = 0
    while walker.position < contents.size_bytes and (not requests or go_on(read_bytes)):
        window = read(walker.position, max(window_bytes, LEAST_WINDOW_BYTES))
        requests, read_bytes = requests + 1, read_bytes + len(window)
        if not window:
            raise walker.incomplete(f"reading stopped at byte {walker.position}")
        walker.take(window)
    is_done = walker.position == contents.size_bytes
    if is_done and walker.block_offset is not None:
        raise walker.incomplete(f"the data of entry {walker.dump_id} has no end")
    return Walked(
        state=walker.state(), blocks=tuple(walker.blocks), is_done=is_done, requests=requests, read_bytes=read_bytes
    )


def check_index(contents: Contents, blocks: Collection[Block]) -> None:
    """Prove that blocks are the whole data of an archive: one for every entry with data, one behind the other.

    Raises:
        IntegrityError: code `IncompleteArchive`, with the first entry or place that does not fit.
    """
    missing = {entry.dump_id for entry in contents.entries if entry.has_data}
    position = contents.data_start
    for block in sorted(blocks, key=lambda block: block.offset):
        if block.offset != position:
            raise _incomplete(contents, f"a block should begin at byte {position}, and begins at byte {block.offset}")
        if block.dump_id not in missing:
            raise _incomplete(contents, f"the block at byte {block.offset} is a second one of entry {block.dump_id}")
        missing.discard(block.dump_id)
        position = block.end
    check_none_missing(contents, missing)
    if position != contents.size_bytes:
        raise _incomplete(contents, f"nothing should follow byte {position}")


def check_none_missing(contents: Contents, missing: Collection[int]) -> None:
    """Refuse an archive of which entries have no data.

    Raises:
        IntegrityError: code `IncompleteArchive`.
    """
    if missing:
        raise _incomplete(contents, f"{len(missing)} objects have no data, the first is entry {min(missing)}")


def _incomplete(contents: Contents, reason: str) -> IntegrityError:
    return incomplete(contents.name, contents.size_bytes, reason)


class _Walker:
    """Takes windows of the file, each from where the one before could not be read any further."""

    def __init__(self, contents: Contents, state: WalkState) -> None:
        self._contents = contents
        self._head = head_of(contents)
        # A block of large objects has another form, so it must not be taken for one of data.
        self._kinds: dict[int, BlockKind] = {
            entry.dump_id: "largeObjects" if entry.desc == LARGE_OBJECTS_ENTRY else "data"
            for entry in contents.entries
            if entry.has_data
        }
        self.position, self.block_offset = state.position, state.block_offset
        self.dump_id, self._is_in_object = state.dump_id, state.is_in_object
        self._kind: BlockKind = state.kind
        self.blocks: list[Block] = []

    def state(self) -> WalkState:
        return WalkState(
            position=self.position,
            block_offset=self.block_offset,
            dump_id=self.dump_id,
            kind=self._kind,
            is_in_object=self._is_in_object,
        )

    def incomplete(self, reason: str) -> IntegrityError:
        return _incomplete(self._contents, reason)

    def take(self, window: bytes) -> None:
        start = self.position
        while self._step(window, start):
            pass
        if self.position > self._contents.size_bytes:
            raise self.incomplete(f"a chunk should end at byte {self.position}")
        if self.position == start or self.position < start + len(window) == self._contents.size_bytes:
            raise self.incomplete(f"it stops inside the number at byte {self.position}")

    def _step(self, window: bytes, start: int) -> bool:
        """Take a block's head, an object's oid or a run of chunks; no when the window ends before that does."""
        at = self.position - start
        if self.block_offset is None:
            if at + 1 + self._head.size > len(window):
                return False
            self._open(window, at)
        elif self._kind == "largeObjects" and not self._is_in_object:
            if at + self._head.size > len(window):
                return False
            self._is_in_object = self._integer(window, at) > 0
            self.position += self._head.size
            if not self._is_in_object:
                self._close()
        else:
            return self._skip_chunks(window, start)
        return True

    def _open(self, window: bytes, at: int) -> None:
        kind, dump_id = BLOCK_KINDS.get(window[at]), self._integer(window, at + 1)
        if kind is None or self._kinds.get(dump_id) != kind:
            raise self.incomplete(f"no data block that it names begins at byte {self.position}")
        self.block_offset, self.dump_id, self._kind = self.position, dump_id, kind
        self.position += 1 + self._head.size

    def _close(self) -> None:
        assert self.block_offset is not None  # noqa: S101 - only an open block is closed
        length = self.position - self.block_offset
        self.blocks.append(Block(dump_id=self.dump_id, kind=self._kind, offset=self.block_offset, length=length))
        self.block_offset = None

    def _integer(self, window: bytes, at: int) -> int:
        sign, value = self._head.unpack_from(window, at)
        if sign:
            raise self.incomplete(f"a number at byte {self.position} is not positive")
        return value

    def _skip_chunks(self, window: bytes, start: int) -> bool:
        # The one loop that runs for every chunk, so nothing is looked up or called in it but this.
        unpack, width, at = self._head.unpack_from, self._head.size, self.position - start
        last = len(window) - width
        while at <= last:
            sign, length = unpack(window, at)
            at += width
            if not length or sign:
                break
            at += length
        else:
            self.position = start + at
            return False
        self.position = start + at
        if sign:
            raise self.incomplete(f"a chunk of negative length begins at byte {self.position - width}")
        self._is_in_object = False
        if self._kind == "data":
            self._close()
        return True


def head_of(contents: Contents) -> struct.Struct:
    """Return how the archive writes an integer: sign and value.

    Raises:
        IntegrityError: code `IncompleteArchive`, when no platform has integers of that size.
    """
    if contents.int_size not in HEADS:
        raise _incomplete(contents, f"its header says that an integer has {contents.int_size} bytes")
    return HEADS[contents.int_size]
