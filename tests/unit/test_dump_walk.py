"""The walk follows every chunk of every block, in as many runs as it takes, and makes an index of them."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.dump_contents import Contents, read_contents
from flexvault.domain.dump_walk import Block, WalkState, begin_walk, check_index, walk
from flexvault.domain.errors import IntegrityError
from tests.unit import archive_writer as writer
from tests.unit.archive_writer import Item, Recipe
from tests.unit.whole_archive import Whole

TABLE = Item(desc="TABLE DATA", tag="orders", namespace="sales", section=3, block=writer.Block(chunks=(b"ab", b"cde")))
OBJECTS = writer.Block(large_objects=((7, (b"xy", b"z")), (8, ()), (9, (bytes(20),))))
LARGE_OBJECTS = Item(desc="BLOBS", tag="BLOBS", section=3, block=OBJECTS)
NO_DATA = Item(desc="TABLE", tag="orders", namespace="sales")
ITEMS = (NO_DATA, TABLE, LARGE_OBJECTS, replace(TABLE, tag="empty", block=writer.Block()), replace(TABLE, tag="last"))
VERSIONS = [(1, 12, 0), (1, 13, 0), (1, 14, 0), (1, 15, 0), (1, 16, 0)]


def reader(content: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, length: content[offset : offset + length]


def contents_of(content: bytes) -> Contents:
    return read_contents(reader(content), len(content), name="orders.sql")


def written(recipe: Recipe) -> list[Block]:
    """Where the writer laid each block."""
    content, blocks = recipe.build(), []
    position = contents_of(content).data_start
    for number, item in enumerate(recipe.items, start=1):
        if item.block is not None:
            kind = "largeObjects" if item.block.large_objects else "data"
            length = len(recipe.block_bytes(number, item.block))
            blocks.append(Block(dump_id=number, kind=kind, offset=position, length=length))
            position += length
    return blocks


@pytest.mark.parametrize("with_offsets", [True, False], ids=["file", "pipe"])
@pytest.mark.parametrize("compression", ["none", "gzip", "lz4", "zstd"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_block_is_found_in_every_version(
    version: tuple[int, int, int], compression: str, *, with_offsets: bool
) -> None:
    recipe = Recipe(items=ITEMS, version=version, compression=compression, with_offsets=with_offsets)
    assert list(Whole(recipe.build()).blocks) == written(recipe)


chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=4).map(tuple)
large_objects = st.lists(st.tuples(st.integers(1, 2**32 - 1), chunks), min_size=1, max_size=4).map(tuple)
items = st.one_of(
    st.just(NO_DATA),
    st.builds(lambda chunks: replace(TABLE, block=writer.Block(chunks=chunks)), chunks),
    st.builds(lambda objects: replace(LARGE_OBJECTS, block=writer.Block(large_objects=objects)), large_objects),
)
recipes = st.builds(
    Recipe,
    version=st.sampled_from(VERSIONS),
    int_size=st.sampled_from([4, 8]),
    with_offsets=st.booleans(),
    items=st.lists(items, max_size=4).map(tuple),
)


@given(recipes, st.integers(16, 60), st.data())
@settings(deadline=None, max_examples=150)
def test_a_walk_that_stops_and_goes_on_anywhere_finds_the_same(
    recipe: Recipe, window_bytes: int, data: st.DataObject
) -> None:
    content = recipe.build()
    contents, read = contents_of(content), reader(content)
    state, blocks, is_done = begin_walk(contents), [], False
    while not is_done:
        budget_bytes = data.draw(st.integers(0, 200))
        found = walk(
            contents, read, state, go_on=lambda used, most=budget_bytes: used < most, window_bytes=window_bytes
        )
        assert found.read_bytes <= budget_bytes + window_bytes
        assert found.is_done or found.state.position > state.position
        state = WalkState.from_json(json.loads(json.dumps(found.state.to_json())))
        blocks += [Block.from_json(json.loads(json.dumps(block.to_json()))) for block in found.blocks]
        is_done = found.is_done
    assert blocks == written(recipe)
    check_index(contents, blocks)


@given(recipes, st.integers(16, 60), st.data())
@settings(deadline=None, max_examples=150)
def test_no_cut_of_the_data_passes(recipe: Recipe, window_bytes: int, data: st.DataObject) -> None:
    content = recipe.build()
    start = contents_of(content).data_start
    if start == len(content):
        return
    size = data.draw(st.integers(start, len(content) - 1))
    with pytest.raises(IntegrityError) as caught:
        Whole(content[:size], window_bytes=window_bytes)
    assert caught.value.code == "IncompleteArchive"
    assert "orders.sql" in caught.value.message


def test_a_long_chunk_is_passed_over_unread() -> None:
    content = Recipe(items=(replace(TABLE, block=writer.Block(chunks=(bytes(1_000_000), b"x"))),)).build()
    found = Whole(content, window_bytes=1000)
    assert (found.requests, found.read_bytes) == (2, 1000 + 1 + 5 + 5)


def test_a_state_is_small() -> None:
    state = WalkState(position=2**45, block_offset=2**44, dump_id=2**31, kind="largeObjects", is_in_object=True)
    assert len(json.dumps(state.to_json())) < 140


def changed(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + bytes([value]) + content[at + 1 :]


def damages() -> dict[str, tuple[bytes, str]]:
    recipe = Recipe(items=ITEMS, with_offsets=False)
    content, blocks = recipe.build(), written(recipe)
    first, second, third, last = (content[block.offset : block.end] for block in blocks)
    head = content[: blocks[0].offset]
    return {
        "bytes_behind_the_end": (content + b"\0" * 6, "begins at byte"),
        "less_than_a_number_behind_the_end": (content + b"\x01", "stops inside the number"),
        "a_block_twice": (head + first + first + third + second + last, "a second one of entry 2"),
        "a_block_missing": (head + first + second + last, "1 objects have no data, the first is entry 4"),
        "a_block_of_no_entry": (changed(content, blocks[0].offset + 2, 99), "begins at byte"),
        "a_block_of_an_entry_without_data": (changed(content, blocks[0].offset + 2, 1), "begins at byte"),
        "rows_taken_for_large_objects": (changed(content, blocks[0].offset, 3), "begins at byte"),
        "large_objects_taken_for_rows": (changed(content, blocks[1].offset, 1), "begins at byte"),
        "no_known_type": (changed(content, blocks[0].offset, 2), "begins at byte"),
        "a_negative_length": (changed(content, blocks[0].offset + 6, 1), "negative length"),
        "a_terminator_with_a_sign": (changed(content, len(content) - 5, 1), "negative length"),
        "a_length_beyond_the_end": (changed(content, blocks[3].offset + 9, 9), "a chunk should end"),
    }


@pytest.mark.parametrize(("content", "message"), damages().values(), ids=damages())
def test_what_is_not_one_block_for_each_entry_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        Whole(content)


def test_an_index_with_a_gap_is_refused() -> None:
    content = Recipe(items=ITEMS).build()
    contents, blocks = contents_of(content), Whole(content).blocks
    for wrong in ([*blocks[1:], blocks[0]], list(blocks)):
        check_index(contents, wrong)
    shifted = [replace(blocks[0], length=blocks[0].length - 1), *blocks[1:]]
    for wrong in (shifted, blocks[:-1], blocks[1:], [*blocks, blocks[-1]]):
        with pytest.raises(IntegrityError):
            check_index(contents, wrong)


def test_a_file_that_shrinks_meanwhile_is_noticed() -> None:
    content = Recipe(items=ITEMS).build()
    contents = contents_of(content)
    with pytest.raises(IntegrityError, match="reading stopped at byte"):
        walk(contents, reader(content[: contents.data_start]), begin_walk(contents))
