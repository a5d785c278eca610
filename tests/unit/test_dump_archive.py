"""An archive is whole or it is not, whatever the byte at which it was cut."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.dump_archive import Archive, UnknownArchiveError, is_custom_format, read_archive
from flexvault.domain.dump_facts import database_facts, describe
from flexvault.domain.errors import IntegrityError
from tests.unit.archive_writer import Block, Item, Recipe

TABLE = Item(
    desc="TABLE DATA",
    tag="orders",
    namespace="sales",
    owner="app",
    section=3,
    block=Block(chunks=(b"1\t2\n", b"x" * 90)),
)
OTHER_TABLE = replace(TABLE, tag="customer")
EMPTY_TABLE = replace(TABLE, tag="empty", block=Block())
LARGE_OBJECTS = Item(
    desc="BLOBS", tag="BLOBS", section=3, block=Block(large_objects=((70001, (bytes(40), b"\0" * 7)), (70002, ())))
)
TABLE_OF_ZEROS = replace(TABLE, tag="zeros", block=Block(chunks=(bytes(33), bytes(12))))
NO_DATA = Item(desc="TABLE", tag="orders", definition="CREATE TABLE sales.orders ();\n", namespace="sales", owner="app")


def reader(content: bytes, calls: list[tuple[int, int]] | None = None) -> Callable[[int, int], bytes]:
    def read(offset: int, length: int) -> bytes:
        if calls is not None:
            calls.append((offset, length))
        return content[offset : offset + length]

    return read


ENDS = {
    "no_entry_at_all": (),
    "no_data": (NO_DATA,),
    "one_table": (NO_DATA, TABLE),
    "tables_then_an_empty_one": (TABLE, OTHER_TABLE, EMPTY_TABLE),
    "only_large_objects": (LARGE_OBJECTS,),
    "large_objects_of_zeros_last": (NO_DATA, TABLE, LARGE_OBJECTS),
    "a_table_of_zeros_last": (LARGE_OBJECTS, TABLE_OF_ZEROS),
    "an_entry_without_data_last": (TABLE, Item(desc="SEQUENCE SET", tag="s", section=3)),
}


@pytest.mark.parametrize("with_offsets", [True, False], ids=["offsets", "piped"])
@pytest.mark.parametrize("items", ENDS.values(), ids=ENDS)
def test_a_cut_at_any_byte_makes_an_archive_incomplete(items: tuple[Item, ...], *, with_offsets: bool) -> None:
    content = Recipe(items=items, with_offsets=with_offsets).build()
    assert read_archive(reader(content), len(content)).end_proof == "walked"
    for size in range(len(content)):
        with pytest.raises(IntegrityError) as caught:
            read_archive(reader(content[:size]), size, name="orders.sql")
        assert caught.value.code == "IncompleteArchive"
        assert "orders.sql" in caught.value.message
        assert f"{size} bytes" in caught.value.message


@pytest.mark.parametrize("items", ENDS.values(), ids=ENDS)
def test_bytes_behind_the_end_are_refused(items: tuple[Item, ...]) -> None:
    content = Recipe(items=items).build() + b"\0\0\0\0\0"
    with pytest.raises(IntegrityError):
        read_archive(reader(content), len(content))


def test_a_missing_block_is_noticed_without_offsets() -> None:
    content = Recipe(items=(TABLE, OTHER_TABLE), with_offsets=False).build()
    one_less = len(Recipe().block_bytes(2, Block(chunks=(b"1\t2\n", b"x" * 90))))
    with pytest.raises(IntegrityError, match="1 objects have no data, the first is entry 2"):
        read_archive(reader(content[:-one_less]), len(content) - one_less)


def test_what_is_over_the_limit_is_judged_by_its_terminator() -> None:
    content = Recipe(items=(TABLE, replace(OTHER_TABLE, block=Block(chunks=(b"y" * 500,))))).build()
    assert read_archive(reader(content), len(content), walk_limit_bytes=100).end_proof == "terminator"
    for size in range(len(content)):
        with pytest.raises(IntegrityError):
            read_archive(reader(content[:size]), size, walk_limit_bytes=100)


def test_large_objects_over_the_limit_need_both_terminators() -> None:
    content = Recipe(items=(replace(LARGE_OBJECTS, block=Block(large_objects=((7, (b"z" * 500,)),))),)).build()
    assert read_archive(reader(content), len(content), walk_limit_bytes=100).end_proof == "terminator"
    for cut in range(1, 11):
        with pytest.raises(IntegrityError):
            read_archive(reader(content[:-cut]), len(content) - cut, walk_limit_bytes=100)


def test_a_large_file_costs_few_reads() -> None:
    size = 500_000_000_000
    table = replace(TABLE, block=Block(chunks=(b"x",)))
    small = Recipe(items=(NO_DATA, table)).build()
    head, block_head, end = small[:-12], small[-12:-6], bytes(5)
    calls: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        calls.append((offset, length))
        if offset < len(small):
            return (head + block_head + b"x" * length)[offset:length]
        return (
            (b"x" * length + end)[max(0, length + 5 - (size - offset)) :][:length]
            if offset < size - 5
            else end[:length]
        )

    assert read_archive(read, size).end_proof == "terminator"
    assert len(calls) <= 3
    assert sum(length for _, length in calls) < 2_000_000


FOREIGN = {
    "plain_sql": b"--\n-- PostgreSQL database dump\n--\n",
    "tar": b"toc.dat\0" + bytes(504),
    "later_version": Recipe(version=(1, 17, 0)).build(),
    "earlier_version": Recipe(version=(1, 11, 0)).build(),
    "directory_format": b"PGDMP" + bytes([1, 16, 0, 4, 8, 5]) + bytes(100),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_another_format_is_not_called_incomplete(content: bytes) -> None:
    with pytest.raises(UnknownArchiveError) as caught:
        read_archive(reader(content), len(content))
    assert caught.value.code == "UnknownLayout"


def test_a_damaged_length_does_not_take_all_memory() -> None:
    content = Recipe(items=(NO_DATA,)).build()
    length_at = content.index(b"shop") - 4
    spoiled = content[:length_at] + b"\xff\xff\xff\x7f" + content[length_at + 4 :]
    with pytest.raises(IntegrityError, match="a text of 2147483647 bytes"):
        read_archive(reader(spoiled), 500_000_000_000)


def test_an_archive_is_known_by_its_first_bytes() -> None:
    assert is_custom_format(Recipe().build()[:5])
    assert not is_custom_format(b"PGDM")
    assert not is_custom_format(b"-- PG")


names = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
chunks = st.lists(st.binary(min_size=1, max_size=20), max_size=3).map(tuple)
large_objects = st.lists(st.tuples(st.integers(1, 2**31), chunks), min_size=1, max_size=3).map(tuple)
kinds_and_blocks = (
    st.tuples(st.sampled_from(["TABLE", "BLOBS", "ACL", "FUNCTION"]), st.none())
    | st.tuples(st.just("TABLE DATA"), st.builds(Block, chunks=chunks))
    | st.tuples(st.just("BLOBS"), st.builds(Block, large_objects=large_objects))
)
items = st.builds(
    lambda kind, **rest: Item(desc=kind[0], block=kind[1], **rest),
    kind=kinds_and_blocks,
    tag=names,
    definition=names,
    namespace=names,
    owner=names,
    section=st.integers(1, 4),
    dependencies=st.lists(st.integers(1, 9), max_size=3).map(tuple),
)
recipes = st.builds(
    Recipe,
    version=st.sampled_from([(1, 12, 0), (1, 13, 0), (1, 14, 0), (1, 15, 0), (1, 16, 0)]),
    int_size=st.sampled_from([4, 8]),
    offset_size=st.sampled_from([4, 8]),
    with_offsets=st.booleans(),
    database=names,
    items=st.lists(items, max_size=4).map(tuple),
)


@given(recipes)
@settings(deadline=None, max_examples=150)
def test_what_was_written_is_read_back(recipe: Recipe) -> None:
    content = recipe.build()
    archive = read_archive(reader(content), len(content))
    assert (archive.version, archive.database) == (recipe.version, recipe.database)
    assert [
        (e.desc, e.tag, e.definition, e.namespace, e.owner, e.dependencies, e.has_data) for e in archive.entries
    ] == [
        (i.desc, i.tag, i.definition, i.namespace, i.owner, i.dependencies, i.block is not None) for i in recipe.items
    ]


@given(recipes, st.data())
@settings(deadline=None, max_examples=150)
def test_no_cut_of_any_archive_passes(recipe: Recipe, data: st.DataObject) -> None:
    content = recipe.build()
    size = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(IntegrityError):
        read_archive(reader(content[:size]), size)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_behind_the_magic_end_in_an_error_of_ours(noise: bytes) -> None:
    for content in (noise, b"PGDMP" + noise, b"PGDMP\x01\x10\x00\x04\x08\x01" + noise):
        with pytest.raises((IntegrityError, UnknownArchiveError)):
            read_archive(reader(content), len(content))


def test_the_exact_database_name_comes_from_its_own_entry() -> None:
    content = Recipe(database="service=x", items=(Item(desc="DATABASE", tag='Bob\'s "ledger"', owner="app"),)).build()
    assert read_archive(reader(content), len(content)).database == 'Bob\'s "ledger"'


def test_names_in_another_encoding_are_decoded() -> None:
    latin = Item(desc="ENCODING", tag="ENCODING", definition="SET client_encoding = 'LATIN1';\n")
    table = Item(desc="TABLE", tag="Größe", namespace="public", owner="app")
    content = Recipe(encoding="latin-1", items=(latin, table)).build()
    archive = read_archive(reader(content), len(content))
    assert archive.encoding == "LATIN1"
    assert archive.entries[1].tag == "Größe"


def test_names_of_roles_keep_the_bytes_of_the_cluster() -> None:
    latin = Item(desc="ENCODING", tag="ENCODING", definition="SET client_encoding = 'LATIN1';\n")
    table = Item(desc="TABLE", tag="t", namespace="public", owner="Größe")
    content = Recipe(encoding="utf-8", items=(latin, table)).build()
    assert read_archive(reader(content), len(content)).entries[1].owner == "Größe"


def test_bytes_that_no_encoding_explains_are_kept_and_shown_escaped() -> None:
    ascii_ = Item(desc="ENCODING", tag="ENCODING", definition="SET client_encoding = 'SQL_ASCII';\n")
    table = Item(desc="TABLE", tag="caf\udce9", namespace="public")
    content = Recipe(items=(ascii_, table)).build()
    archive = read_archive(reader(content), len(content))
    assert archive.entries[1].tag == "caf\udce9"
    assert describe(archive)["tables"] == ['public."caf\\xe9"']


def archive_of(*items: Item) -> Archive:
    content = Recipe(items=items).build()
    return read_archive(reader(content), len(content))


DATABASE = Item(
    desc="DATABASE",
    tag="Shop; --",
    owner="app",
    definition="CREATE DATABASE \"Shop; --\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu "
    "LOCALE = 'en_US.UTF-8' ICU_LOCALE = 'de-DE' TABLESPACE = fast;\n",
)
PROPERTIES = Item(
    desc="DATABASE PROPERTIES",
    tag="Shop; --",
    owner="app",
    definition="""ALTER DATABASE "Shop; --" IS_TEMPLATE = true;
ALTER DATABASE "Shop; --" CONNECTION LIMIT = 40;
ALTER DATABASE "Shop; --" SET search_path TO 'a', 'b';
ALTER DATABASE "Shop; --" SET "TimeZone" TO 'Europe/Berlin';
ALTER ROLE "SET" IN DATABASE "Shop; --" SET work_mem TO '1MB';
""",
)
RIGHTS = Item(desc="ACL", tag="DATABASE Shop; --", definition='GRANT CONNECT ON DATABASE "Shop; --" TO app;\n')
TABLE_RIGHTS = Item(desc="ACL", tag="DATABASE x", namespace="public", definition="GRANT SELECT ON TABLE x TO app;\n")


def test_the_facts_of_a_database_come_from_its_entries() -> None:
    facts = database_facts(archive_of(DATABASE, PROPERTIES, RIGHTS, TABLE_RIGHTS))
    assert (facts.name, facts.owner, facts.connection_limit, facts.is_template) == ("Shop; --", "app", 40, True)
    assert facts.options == (
        ("ENCODING", "UTF8"), ("LOCALE_PROVIDER", "icu"), ("LOCALE", "en_US.UTF-8"), ("ICU_LOCALE", "de-DE")
    )  # fmt: skip
    assert facts.settings == (("search_path", "'a', 'b'"), ("TimeZone", "Europe/Berlin"))
    assert facts.role_settings == (("SET", "work_mem", "1MB"),)
    assert facts.after == (PROPERTIES.definition, RIGHTS.definition)


def test_a_description_names_what_a_manifest_keeps() -> None:
    description = describe(
        archive_of(
            DATABASE,
            PROPERTIES,
            Item(desc="EXTENSION", tag="vector"),
            Item(desc="SCHEMA", tag="sales"),
            replace(NO_DATA, tag="Orders"),
            NO_DATA,
            Item(desc="BLOB METADATA", tag="1..2", definition="70001\n70002\n"),
            Item(desc="BLOB", tag="5"),
        )
    )
    assert description["database"] == "Shop; --"
    assert description["locale"] == {"localeProvider": "icu", "locale": "en_US.UTF-8", "icuLocale": "de-DE"}
    assert description["extensions"] == ["vector"]
    assert description["schemas"] == 1
    assert description["tables"] == ['sales."Orders"', "sales.orders"]
    assert description["largeObjects"] == 3
    assert description["roleSettings"] == [{"role": "SET", "name": "work_mem", "value": "1MB"}]
