"""An archive in memory with its index, which remembers what was read of it."""

from collections.abc import Collection

from flexvault.domain.dump_archive import read_archive
from flexvault.domain.dump_contents import Contents, Entry, entries_by_id, read_contents
from flexvault.domain.dump_counting import BlockFacts, count_block
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES
from flexvault.domain.dump_slice import plan_slice, slice_bytes
from flexvault.domain.dump_stream import HASH_PART_BYTES
from flexvault.domain.dump_walk import Block, begin_walk, check_index, walk


class Whole:
    def __init__(self, content: bytes, *, window_bytes: int = LARGEST_READ_BYTES) -> None:
        self.content = content
        self.calls: list[tuple[int, int]] = []
        self.contents: Contents = read_contents(self.read, len(content), name="orders.sql")
        self.entries = entries_by_id(self.contents)
        walked = walk(self.contents, self.read, begin_walk(self.contents), window_bytes=window_bytes)
        check_index(self.contents, walked.blocks)
        assert walked.is_done
        self.blocks, self.requests, self.read_bytes = walked.blocks, walked.requests, walked.read_bytes

    def read(self, offset: int, length: int) -> bytes:
        self.calls.append((offset, length))
        return self.content[offset : offset + length]

    def bytes_of(self, block: Block) -> bytes:
        return self.content[block.offset : block.end]

    def count(
        self, block: Block, *, window_bytes: int = LARGEST_READ_BYTES, part_bytes: int = HASH_PART_BYTES
    ) -> BlockFacts:
        entry = self.entries[block.dump_id]
        facts = count_block(self.contents, entry, block, self.read, window_bytes=window_bytes, part_bytes=part_bytes)
        assert facts is not None
        return facts

    def counted(self) -> list[tuple[Entry, BlockFacts]]:
        return [(self.entries[block.dump_id], self.count(block)) for block in self.blocks]

    def cut(self, chosen: Collection[int]) -> "Whole":
        """Cut a slice, which must be as it was planned: whole, and by the reads that were planned."""
        plan = plan_slice(self.contents, self.blocks, chosen)
        self.calls.clear()
        pieces = list(slice_bytes(plan, self.read))
        content = b"".join(pieces)
        assert (len(content), self.calls) == (plan.size_bytes, [(r.offset, r.length) for r in plan.reads])
        assert plan.read_bytes == sum(length for _, length in self.calls)
        assert max(map(len, pieces)) <= LARGEST_READ_BYTES
        assert read_archive(lambda at, length: content[at : at + length], len(content)).end_proof == "walked"
        return Whole(content)
