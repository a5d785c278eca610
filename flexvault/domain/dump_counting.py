"""Count and digest the data of one block of an archive: rows of a table, or large objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from flexvault.domain.dump_contents import Contents, Entry
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES, RangeRead, incomplete
from flexvault.domain.dump_stream import (
    HASH_PART_BYTES,
    READ_COMPRESSIONS,
    BlockStream,
    OverBudgetError,
    PartHash,
    damaged,
    listed_objects,
    plain,
)
from flexvault.domain.dump_walk import Block, GoOn
from flexvault.domain.row_digest import DIGEST_BYTES, CopyText, blake2b, digest_text

NO_COPY: Final = "its rows are INSERT commands"
OID_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFacts:
    """What one block holds.

    Attributes:
        sha256: Of the block's bytes, see `PartHash`.
        count: Rows, or large objects; nothing where they were not counted.
        plain_bytes: Of the COPY text without its end mark, or of the large objects.
        digest: See `row_digest`; of a large object that of its oid (4 bytes, the highest first) and its bytes.
        not_counted: Why there is no count and digest, or empty.
    """

    dump_id: int
    sha256: str
    count: int | None = None
    plain_bytes: int | None = None
    digest: str = ""
    not_counted: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "dumpId": self.dump_id,
            "sha256": self.sha256,
            "count": self.count,
            "plainBytes": self.plain_bytes,
            "digest": self.digest,
            "notCounted": self.not_counted,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "BlockFacts":
        """Read back what `to_json` wrote."""
        return cls(
            dump_id=stored["dumpId"],
            sha256=stored["sha256"],
            count=stored["count"],
            plain_bytes=stored["plainBytes"],
            digest=stored["digest"],
            not_counted=stored["notCounted"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HashState:
    """Where hashing a block stands: the hashes of its whole parts. `sha256` is there once it is done."""

    parts: tuple[str, ...] = ()
    sha256: str = ""


def count_block(
    contents: Contents,
    entry: Entry,
    block: Block,
    read: RangeRead,
    *,
    go_on: GoOn = lambda _: True,
    window_bytes: int = LARGEST_READ_BYTES,
    part_bytes: int = HASH_PART_BYTES,
) -> BlockFacts | None:
    """Read one block, decompress it, count and digest what it holds, and hash its bytes.

    Args:
        contents: Of the archive.
        entry: Whose data it is, from `entries_by_id`.
        block: Of its index.
        read: Reads a range of the file.
        go_on: The budget, in bytes or in time.
        window_bytes: Of one read.
        part_bytes: See `PartHash`.

    Returns:
        Nothing when the budget ended before the block did. Nothing of it can be kept then, because neither zlib nor
        hashlib can store its state: give it more, or `hash_block` it in several runs.

    Raises:
        IntegrityError: code `DamagedData` or `IncompleteArchive`: this is not what pg_dump wrote.
    """
    stream = BlockStream(contents, block, read, go_on=go_on, window_bytes=window_bytes, part_bytes=part_bytes)
    try:
        stream.open()
        facts = _count(contents, entry, block, stream)
        stream.close()
    except OverBudgetError:
        return None
    return replace(facts, sha256=stream.hashed.hexdigest())


def object_hash(oid: int) -> blake2b:
    """Begin the digest of a large object; its bytes follow."""
    return blake2b(oid.to_bytes(OID_BYTES), digest_size=DIGEST_BYTES)


def object_digests(contents: Contents, entry: Entry, block: Block, read: RangeRead) -> dict[int, int]:
    """Read one block of large objects and return the digest of each, which `count_block` only adds up.

    Raises:
        IntegrityError: code `DamagedData` or `IncompleteArchive`: this is not what pg_dump wrote.
    """
    stream = BlockStream(contents, block, read)
    stream.open()
    digests = {oid: digest for oid, digest, _ in _objects(contents, entry, block, stream)}
    stream.close()
    return digests


def hash_block(
    contents: Contents,
    block: Block,
    read: RangeRead,
    state: HashState,
    *,
    go_on: GoOn = lambda _: True,
    part_bytes: int = HASH_PART_BYTES,
) -> HashState:
    """Hash a block's bytes, as `count_block` does, whole parts at a time and at least one of them.

    Raises:
        IntegrityError: code `IncompleteArchive`: the file ends before the block.
    """
    parts, read_bytes = list(state.parts), 0
    position = block.offset + len(parts) * part_bytes
    while position < block.end and (not read_bytes or go_on(read_bytes)):
        part, part_end = PartHash(part_bytes), min(position + part_bytes, block.end)
        while position < part_end:
            window = read(position, min(LARGEST_READ_BYTES, part_end - position))
            if not window:
                raise incomplete(contents.name, contents.size_bytes, f"reading stopped at byte {position}")
            part.update(window)
            position += len(window)
            read_bytes += len(window)
        parts.append(part.hexdigest())
    if position < block.end:
        return HashState(parts=tuple(parts))
    return HashState(parts=tuple(parts), sha256=PartHash.of_parts([bytes.fromhex(part) for part in parts]))


def _count(contents: Contents, entry: Entry, block: Block, stream: BlockStream) -> BlockFacts:
    if contents.compression not in READ_COMPRESSIONS:
        return _not_counted(contents, block, stream)
    if block.kind == "largeObjects":
        return _count_objects(contents, entry, block, stream)
    return _count_rows(contents, block, stream) if entry.copy_statement else _inserts(contents, block, stream)


def _count_rows(contents: Contents, block: Block, stream: BlockStream) -> BlockFacts:
    text = CopyText()
    for piece in plain(contents, block, stream.pieces()):
        text.add(piece)
    if not text.close():
        raise damaged(contents, block, "does not end with the mark of COPY")
    rows = text.rows
    return BlockFacts(dump_id=block.dump_id, sha256="", count=rows.rows, plain_bytes=rows.bytes, digest=rows.digest)


def _count_objects(contents: Contents, entry: Entry, block: Block, stream: BlockStream) -> BlockFacts:
    count = plain_bytes = total = 0
    for _, digest, size_bytes in _objects(contents, entry, block, stream):
        count, total, plain_bytes = count + 1, total + digest, plain_bytes + size_bytes
    digest = digest_text(total)
    return BlockFacts(dump_id=block.dump_id, sha256="", count=count, plain_bytes=plain_bytes, digest=digest)


def _objects(contents: Contents, entry: Entry, block: Block, stream: BlockStream) -> Iterator[tuple[int, int, int]]:
    """Yield oid, digest and size in bytes of each large object of a block."""
    listed = listed_objects(contents, entry)
    count = 0
    while oid := stream.integer():
        if listed and oid not in listed:
            raise damaged(contents, block, f"holds a large object {oid} that it does not list")
        hashed, size_bytes = object_hash(oid), 0
        for piece in plain(contents, block, stream.pieces()):
            hashed.update(piece)
            size_bytes += len(piece)
        count += 1
        yield oid, int.from_bytes(hashed.digest()), size_bytes
    if listed and count != len(listed):
        raise damaged(contents, block, f"holds {count} large objects of the {len(listed)} that it lists")


def _inserts(contents: Contents, block: Block, stream: BlockStream) -> BlockFacts:
    """Decompress what has no rows to count (`pg_dump --inserts`), to see that it can be."""
    plain_bytes = sum(len(piece) for piece in plain(contents, block, stream.pieces()))
    return BlockFacts(dump_id=block.dump_id, sha256="", plain_bytes=plain_bytes, not_counted=NO_COPY)


def _not_counted(contents: Contents, block: Block, stream: BlockStream) -> BlockFacts:
    """Follow the chunks of what cannot be decompressed here."""
    runs = iter(stream.integer, 0) if block.kind == "largeObjects" else range(1)
    for _ in runs:
        for _ in stream.pieces():
            pass
    reason = f"it is compressed with {contents.compression}, which is not read here"
    return BlockFacts(dump_id=block.dump_id, sha256="", not_counted=reason)
