"""One block of an archive is counted, digested and hashed, and no byte of it can change unnoticed."""

import hashlib
import json
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.dump_counting import BlockFacts, HashState, count_block, hash_block
from flexvault.domain.errors import IntegrityError
from tests.unit import archive_writer as writer
from tests.unit.archive_writer import COPY_END, Item, Recipe, gzip_chunks
from tests.unit.whole_archive import Whole

ROWS = b"".join(b"%d\tcustomer %d\t\\N\n" % (number, number * number) for number in range(400))
OBJECTS = {70001: bytes(range(256)) * 40, 70002: b"", 3_000_000_000: b"small"}
VERSIONS = [(1, 12, 0), (1, 13, 0), (1, 14, 0), (1, 15, 0), (1, 16, 0)]


def rows_item(text: bytes = ROWS + COPY_END, *, compression: str = "gzip", tag: str = "orders") -> Item:
    chunks = gzip_chunks(text, 500) if compression == "gzip" else tuple(text.splitlines(keepends=True))
    return Item(desc="TABLE DATA", tag=tag, namespace="sales", section=3, block=writer.Block(chunks=chunks))


def objects_item(*, compression: str = "gzip") -> Item:
    def chunks(data: bytes) -> tuple[bytes, ...]:
        if compression == "gzip":
            return gzip_chunks(data, 100) if data else ()
        return tuple(data[at : at + 100] for at in range(0, len(data), 100))

    objects = tuple((oid, chunks(data)) for oid, data in OBJECTS.items())
    return Item(desc="BLOBS", tag="BLOBS", section=3, block=writer.Block(large_objects=objects))


def digest(members: list[bytes]) -> str:
    return f"{sum(int.from_bytes(blake2b(row, digest_size=16).digest()) for row in members) % 2**128:032x}"


@pytest.mark.parametrize("window_bytes", [17, 1000, 4 * 1024 * 1024])
@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("version", VERSIONS)
def test_rows_and_large_objects_are_counted_and_digested(
    version: tuple[int, int, int], compression: str, window_bytes: int
) -> None:
    items = (rows_item(compression=compression), objects_item(compression=compression))
    archive = Whole(Recipe(items=items, version=version, compression=compression).build())
    rows, objects = (archive.count(block, window_bytes=window_bytes) for block in archive.blocks)
    assert rows == BlockFacts(
        dump_id=1,
        sha256=hashlib.sha256(archive.bytes_of(archive.blocks[0])).hexdigest(),
        count=400,
        plain_bytes=len(ROWS),
        digest=digest(ROWS.splitlines()),
    )
    assert objects == BlockFacts(
        dump_id=2,
        sha256=hashlib.sha256(archive.bytes_of(archive.blocks[1])).hexdigest(),
        count=3,
        plain_bytes=sum(map(len, OBJECTS.values())),
        digest=digest([oid.to_bytes(4) + data for oid, data in OBJECTS.items()]),
    )
    assert BlockFacts.from_json(json.loads(json.dumps(rows.to_json()))) == rows


@given(st.lists(st.integers(1, 300_000), max_size=6), st.sampled_from([7, 100, 4096, 65_536, 65_541, 1_000_000]))
@settings(deadline=None, max_examples=60)
def test_the_figures_do_not_depend_on_chunks_and_windows(cuts: list[int], window_bytes: int) -> None:
    if window_bytes < 4096:
        cuts, text = [cut // 300 for cut in cuts], ROWS + COPY_END
    else:
        text = ROWS * 40 + COPY_END
    bounds = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(text)), len(text)]
    chunks = tuple(text[start:end] for start, end in pairwise(bounds))
    item = replace(rows_item(), block=writer.Block(chunks=chunks))
    archive = Whole(Recipe(items=(item,), compression="none").build())
    facts = archive.count(archive.blocks[0], window_bytes=window_bytes)
    rows = text.removesuffix(COPY_END)
    assert (facts.count, facts.plain_bytes) == (rows.count(b"\n"), len(rows))
    assert facts.digest == digest(rows.splitlines())
    assert facts.sha256 == hashlib.sha256(archive.bytes_of(archive.blocks[0])).hexdigest()


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_what_cannot_be_decompressed_is_hashed_and_said_to_be_not_counted(compression: str) -> None:
    archive = Whole(Recipe(items=(rows_item(), objects_item()), compression=compression).build())
    for block in archive.blocks:
        facts = archive.count(block)
        assert (facts.count, facts.plain_bytes, facts.digest) == (None, None, "")
        assert compression in facts.not_counted
        assert facts.sha256 == hashlib.sha256(archive.bytes_of(block)).hexdigest()


def test_insert_commands_are_inflated_but_not_counted() -> None:
    text = b"INSERT INTO t VALUES ('a\nb');\n\n\n"
    archive = Whole(Recipe(items=(replace(rows_item(text), is_copy=False),)).build())
    facts = archive.count(archive.blocks[0])
    assert (facts.count, facts.plain_bytes, facts.digest) == (None, len(text), "")
    assert "INSERT" in facts.not_counted


def counted(content: bytes) -> list[BlockFacts] | None:
    """Count every block, or nothing when the archive or a block is refused."""
    try:
        return [facts for _, facts in Whole(content).counted()]
    except IntegrityError:
        return None


def flipped(content: bytes, at: int, bits: int) -> bytes:
    return content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]


LISTS = (Item(desc="BLOB METADATA", section=3, definition="70001\n70002\n3000000000\n"),)


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_of_compressed_data_is_found_without_an_earlier_index(bits: int) -> None:
    items = (*LISTS, rows_item(), rows_item(COPY_END, tag="empty"), replace(objects_item(), dependencies=(1,)))
    content = Recipe(items=items, with_offsets=False).build()
    facts, start = counted(content), Whole(content).contents.data_start
    assert facts is not None
    passed = [
        (at, found) for at in range(start, len(content)) if (found := counted(flipped(content, at, bits))) is not None
    ]
    # The last bits before a checksum may belong to nothing: four zlib streams, one such byte each at most.
    assert len(passed) <= 4
    for _, found in passed:
        assert [replace(fact, sha256="") for fact in found] == [replace(fact, sha256="") for fact in facts]
        assert found != facts


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_every_flipped_byte_of_any_data_is_found_against_an_earlier_index(compression: str) -> None:
    items = (rows_item(compression=compression), objects_item(compression=compression))
    content = Recipe(items=items, compression=compression, with_offsets=False).build()
    facts, start = counted(content), Whole(content).contents.data_start
    for at in range(start, len(content), 1 if compression == "gzip" else 11):
        assert counted(flipped(content, at, 0x04)) != facts


STREAM = zlib.compress(ROWS + COPY_END)
DAMAGES = {
    "no_zlib_stream": (ROWS, "cannot be inflated"),
    "a_cut_stream": (STREAM[:-1], "stops inside its zlib stream"),
    "bytes_behind_the_stream": (STREAM + b"x", "behind the end of its zlib stream"),
    "two_streams": (STREAM + STREAM, "behind the end of its zlib stream"),
    "no_data_at_all": (b"", "mark of COPY"),
    "no_mark": (zlib.compress(ROWS), "mark of COPY"),
}


@pytest.mark.parametrize("chunk_bytes", [1, 100_000])
@pytest.mark.parametrize(("stream", "message"), DAMAGES.values(), ids=DAMAGES)
def test_data_that_pg_dump_did_not_write_is_named(stream: bytes, message: str, chunk_bytes: int) -> None:
    chunks = tuple(stream[at : at + chunk_bytes] for at in range(0, len(stream), chunk_bytes))
    archive = Whole(Recipe(items=(replace(rows_item(), block=writer.Block(chunks=chunks)),)).build())
    with pytest.raises(IntegrityError, match=message) as caught:
        archive.count(archive.blocks[0])
    assert (caught.value.code, caught.value.target) == ("DamagedData", "orders.sql")
    assert "entry 1" in caught.value.message


LISTED = {
    "another_object": ("70001\n70002\n5\n", "large object 3000000000 that it does not list"),
    "one_more_object": ("70001\n70002\n3000000000\n5\n", "3 large objects of the 4"),
}


@pytest.mark.parametrize(("oids", "message"), LISTED.values(), ids=LISTED)
def test_large_objects_must_be_those_that_the_table_of_contents_lists(oids: str, message: str) -> None:
    metadata = Item(desc="BLOB METADATA", section=3, definition=oids)
    archive = Whole(Recipe(items=(metadata, replace(objects_item(), dependencies=(1,)))).build())
    with pytest.raises(IntegrityError, match=message):
        archive.count(archive.blocks[0])


def test_large_objects_of_older_versions_have_an_entry_each() -> None:
    entries = tuple(Item(desc="BLOB", tag=str(oid)) for oid in OBJECTS)
    archive = Whole(Recipe(version=(1, 14, 0), items=(*entries, objects_item())).build())
    assert archive.count(archive.blocks[0]).count == 3
    archive = Whole(Recipe(version=(1, 14, 0), items=(*entries[1:], objects_item())).build())
    with pytest.raises(IntegrityError, match="large object 70001 that it does not list"):
        archive.count(archive.blocks[0])


def test_a_block_of_another_file_is_refused() -> None:
    archive = Whole(Recipe(items=(rows_item(), objects_item())).build())
    rows = archive.blocks[0]
    for wrong in (
        replace(rows, offset=rows.offset - 1),
        replace(rows, dump_id=2, kind="largeObjects"),
        replace(rows, length=rows.length + 1),
        replace(rows, length=rows.length - 1),
    ):
        with pytest.raises(IntegrityError):
            archive.count(wrong)


def test_a_block_that_outlasts_the_budget_is_not_half_counted() -> None:
    archive = Whole(Recipe(items=(rows_item(),)).build())
    block = archive.blocks[0]
    asked: list[int] = []

    def go_on(read_bytes: int) -> bool:
        asked.append(read_bytes)
        return len(asked) < 3

    assert count_block(archive.contents, archive.entries[1], block, archive.read, go_on=go_on, window_bytes=100) is None
    assert asked == [100, 200, 300]


@pytest.mark.parametrize("part_bytes", [1, 999, 10_000_000])
def test_a_block_is_hashed_in_several_runs_as_in_one(part_bytes: int) -> None:
    archive = Whole(Recipe(items=(rows_item(),)).build())
    block = archive.blocks[0]
    state, runs = HashState(), 0
    while not state.sha256:
        state = hash_block(
            archive.contents, block, archive.read, state, go_on=lambda used: used < 3000, part_bytes=part_bytes
        )
        runs += 1
    assert state.sha256 == archive.count(block, part_bytes=part_bytes).sha256
    assert runs == (
        1 if part_bytes > block.length else -(-block.length // (3000 if part_bytes == 1 else 3 * 999 + 999))
    )
    if part_bytes > block.length:
        assert state.sha256 == hashlib.sha256(archive.bytes_of(block)).hexdigest()


BOMBS: dict[str, Callable[[], bytes]] = {
    "one_row_of_100_mb": lambda: bytes(100_000_000) + b"\n" + COPY_END,
    "many_empty_rows": lambda: b"\n" * 600_000 + COPY_END,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_data_of_any_shape_is_counted_in_little_memory(text: Callable[[], bytes]) -> None:
    archive = Whole(Recipe(items=(rows_item(text()),)).build())
    tracemalloc.start()
    facts = archive.count(archive.blocks[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert facts.count in {1, 600_000}
    assert peak < 50_000_000
