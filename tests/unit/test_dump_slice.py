"""A slice is an archive of its own with what was chosen by whole names, and few range reads make it."""

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from flexvault.domain.dump_choice import TableName, data_of_schemas, data_of_tables, definitions_of_tables
from flexvault.domain.dump_contents import Contents
from flexvault.domain.dump_slice import plan_slice, slice_bytes
from flexvault.domain.errors import IntegrityError, InvalidInputError, NotFoundError
from tests.unit import archive_writer as writer
from tests.unit.archive_writer import COPY_END, Item, Recipe, gzip_chunks
from tests.unit.whole_archive import Whole

MIB = 1024 * 1024


def rows(tag: str, schema: str = "sales", text: bytes = b"1\n") -> Item:
    block = writer.Block(chunks=gzip_chunks(text + COPY_END))
    return Item(desc="TABLE DATA", tag=tag, namespace=schema, section=3, block=block)


def of(item: Item, *numbers: int) -> Item:
    return replace(item, dependencies=numbers)


def made(desc: str, tag: str, *numbers: int, schema: str = "sales", definition: str = "") -> Item:
    return Item(desc=desc, tag=tag, namespace=schema, dependencies=numbers, definition=definition or f"-- {tag}\n")


ITEMS = (
    Item(desc="ENCODING", tag="ENCODING", definition="SET client_encoding = 'UTF8';\n"),  # 1
    Item(desc="DATABASE", tag="shop", owner="app", definition="CREATE DATABASE shop;\n"),  # 2
    made("SCHEMA", "sales", schema=""),  # 3
    made("TYPE", "state", 3),  # 4
    made("TABLE", "orders", 3, 4),  # 5
    made("TABLE", "customer", 3),  # 6
    made("TABLE", "part", 3, 5),  # 7
    made("TABLE ATTACH", "part", 7, 5),  # 8
    made("SEQUENCE", "orders_id_seq", 3, 5),  # 9
    made("SEQUENCE OWNED BY", "orders_id_seq", 9),  # 10
    made("DEFAULT", "orders id", 5, 9),  # 11
    made("SEQUENCE", "shared", 3),  # 12
    made("DEFAULT", "customer id", 6, 12),  # 13
    of(rows("customer", text=b"7\tcustomer\n"), 6),  # 14
    of(rows("part"), 7),  # 15
    of(rows("Orders", text=b"capital\n")),  # 16
    rows("orders", schema="other"),  # 17
    replace(made("SEQUENCE SET", "orders_id_seq", 9), section=3),  # 18
    replace(made("SEQUENCE SET", "shared", 12), section=3),  # 19
    made("CONSTRAINT", "orders orders_pkey", 5),  # 20
    made("CONSTRAINT", "customer customer_pkey", 6),  # 21
    made("FK CONSTRAINT", "orders orders_customer_fkey", 5, 6, 21),  # 22
    made("POLICY", "customer own", 6),  # 23
    made("POLICY", "customer by_orders", 6, 5),  # 24
    made("COMMENT", "CONSTRAINT customer_pkey ON customer", 21),  # 25
    made("VIEW", "open_orders", 5),  # 26
    made("FUNCTION", "touch()", 3),  # 27
    made("TRIGGER", "customer touch", 6, 27),  # 28
)
CUSTOMER, ORDERS = TableName("sales", "customer"), TableName("sales", "orders")


def named(archive: Whole) -> list[tuple[str, str, str]]:
    return [(entry.desc, entry.namespace, entry.tag) for entry in archive.contents.entries]


def digests(archive: Whole) -> dict[tuple[str, str], tuple[int | None, str]]:
    return {(entry.namespace, entry.tag): (facts.count, facts.digest) for entry, facts in archive.counted()}


SHAPES = [
    (version, with_offsets, int_size)
    for version in ((1, 12, 0), (1, 13, 0), (1, 14, 0), (1, 15, 0), (1, 16, 0))
    for with_offsets in (True, False)
    for int_size in (4, 8)
]


@pytest.mark.parametrize(("version", "with_offsets", "int_size"), SHAPES)
def test_a_table_is_cut_out_of_every_version_with_its_rows_as_they_were(
    version: tuple[int, int, int], int_size: int, *, with_offsets: bool
) -> None:
    whole = Whole(Recipe(items=ITEMS, version=version, with_offsets=with_offsets, int_size=int_size).build())
    part = whole.cut(data_of_tables(whole.contents, [CUSTOMER]))
    assert named(part) == [
        ("ENCODING", "", "ENCODING"),
        ("DATABASE", "", "shop"),
        ("TABLE DATA", "sales", "customer"),
        ("SEQUENCE SET", "sales", "shared"),
    ]
    assert part.contents.database == "shop"
    assert [entry.offset for entry in part.contents.entries if entry.has_data] == [part.blocks[0].offset]
    assert digests(part) == {("sales", "customer"): digests(whole)["sales", "customer"]}
    # A slice can be cut again.
    assert part.cut(data_of_tables(part.contents, [CUSTOMER])).content != b""


def test_an_offset_that_has_no_room_is_said_to_be_unknown() -> None:
    padding = made("FUNCTION", "f()", schema="", definition="x" * 300)
    whole = Whole(Recipe(items=(padding, ITEMS[13]), offset_size=1, with_offsets=False).build())
    part = whole.cut({1, 2})
    assert [entry.offset for entry in part.contents.entries] == [None, None]


def choice(chosen: Callable[[Contents], Collection[int]]) -> set[int]:
    return set(chosen(Whole(Recipe(items=ITEMS).build()).contents)) - {1, 2}


def test_a_partitioned_table_brings_its_partitions_and_its_sequence() -> None:
    assert choice(lambda contents: data_of_tables(contents, [ORDERS])) == {15, 18}


def test_names_are_whole() -> None:
    assert choice(lambda contents: data_of_tables(contents, [TableName("sales", "Orders")])) == {16}
    assert choice(lambda contents: data_of_tables(contents, [TableName("other", "orders")])) == {17}


def test_a_schema_brings_all_of_its_rows_and_sequences() -> None:
    assert choice(lambda contents: data_of_schemas(contents, ["sales"])) == {14, 15, 16, 18, 19}
    assert choice(lambda contents: data_of_schemas(contents, ["other"])) == {17}


def test_the_definitions_of_a_table_bring_what_they_need_and_no_other_table() -> None:
    assert choice(lambda contents: definitions_of_tables(contents, [CUSTOMER])) == {3, 6, 12, 13, 21, 23, 25, 27, 28}
    orders = {3, 4, 5, 7, 8, 9, 10, 11, 20}
    assert choice(lambda contents: definitions_of_tables(contents, [ORDERS])) == orders
    both = choice(lambda contents: definitions_of_tables(contents, [ORDERS, CUSTOMER]))
    assert both == orders | {6, 12, 13, 21, 22, 23, 24, 25, 27, 28}


def test_rows_of_a_table_that_its_extension_makes_bring_the_extension_alone() -> None:
    extension = Item(desc="EXTENSION", tag="postgis")
    content = Recipe(items=(extension, replace(rows("spatial_ref_sys"), dependencies=(1,)))).build()
    contents, table = Whole(content).contents, [TableName("sales", "spatial_ref_sys")]
    assert (data_of_tables(contents, table), definitions_of_tables(contents, table)) == ({2}, {1})


def test_what_the_archive_has_not_is_named() -> None:
    contents = Whole(Recipe(items=ITEMS).build()).contents
    with pytest.raises(NotFoundError, match=r'none of these tables: other\."Orders", sales\.nothing'):
        data_of_tables(contents, [TableName("sales", "nothing"), CUSTOMER, TableName("other", "Orders")])
    with pytest.raises(NotFoundError, match="none of these schemas: Sales"):
        data_of_schemas(contents, ["sales", "Sales"])


def test_the_index_must_be_of_this_archive() -> None:
    whole = Whole(Recipe(items=ITEMS).build())
    with pytest.raises(InvalidInputError):
        plan_slice(whole.contents, whole.blocks[1:], data_of_tables(whole.contents, [CUSTOMER]))


def test_a_file_that_is_shorter_than_planned_is_noticed() -> None:
    whole = Whole(Recipe(items=ITEMS).build())
    plan = plan_slice(whole.contents, whole.blocks, data_of_tables(whole.contents, [TableName("other", "orders")]))
    short = slice_bytes(plan, lambda offset, length: whole.content[offset : offset + length][:-1])
    with pytest.raises(IntegrityError, match="should be there"):
        list(short)


def test_a_slice_of_a_large_archive_takes_few_reads() -> None:
    def large(tag: str, size_bytes: int) -> Item:
        chunks = tuple(bytes(4096) for _ in range(size_bytes // 4096))
        return replace(rows(tag), block=writer.Block(chunks=chunks))

    items = (ITEMS[0], large("a", 12 * MIB), large("b", 10 * MIB), large("c", 12 * MIB), large("d", 3 * MIB))
    whole = Whole(Recipe(items=items, compression="none", with_offsets=False).build())
    whole.cut(data_of_tables(whole.contents, [TableName("sales", "b")]))
    assert len(whole.calls) == 4
    assert sum(length for _, length in whole.calls) < 10.1 * MIB
    whole.cut(data_of_tables(whole.contents, [TableName("sales", "b"), TableName("sales", "d")]))
    assert len(whole.calls) == 5
