"""A head is an archive of its own: chosen entries, byte for byte but for what is changed on purpose."""

import pytest

from flexvault.domain.dump_contents import Contents, read_contents
from flexvault.domain.dump_head import Change, Head
from tests.unit.archive_writer import Block, Item, Recipe

ITEMS = (
    Item(desc="ENCODING", tag="ENCODING", definition="SET client_encoding = 'LATIN1';\n"),
    Item(desc="SEARCHPATH", tag="SEARCHPATH", definition="SELECT pg_catalog.set_config('search_path', '', false);\n"),
    Item(desc="TABLE", tag="t", namespace="public", owner="azuresu", definition="CREATE TABLE public.t ();\n"),
    Item(desc="TABLE DATA", tag="t", namespace="public", owner="app", dependencies=(3,), block=Block(chunks=(b"1\n",))),
    Item(desc="INDEX", tag="i", namespace="public", owner="app", dependencies=(3,), definition="CREATE INDEX i;\n"),
)


def parsed(data: bytes) -> Contents:
    return read_contents(lambda offset, length: data[offset : offset + length], len(data))


def head_of(version: tuple[int, int, int], int_size: int) -> Head:
    data = Recipe(version=version, int_size=int_size, items=ITEMS).build()
    return Head.read(parsed(data), lambda offset, length: data[offset : offset + length])


@pytest.fixture(params=[((1, 12, 0), 4), ((1, 13, 0), 8), ((1, 14, 0), 4), ((1, 15, 0), 4), ((1, 16, 0), 4)])
def head(request: pytest.FixtureRequest) -> Head:
    return head_of(*request.param)


def test_chosen_entries_and_those_of_the_session_are_kept(head: Head):
    found = parsed(head.archive({5}))
    assert [entry.desc for entry in found.entries] == ["ENCODING", "SEARCHPATH", "INDEX"]
    index = found.entries[-1]
    assert (index.dump_id, index.tag, index.owner, index.definition) == (5, "i", "app", "CREATE INDEX i;\n")
    assert index.dependencies == (3,)


def test_data_lies_where_the_reader_finds_it(head: Head):
    data = next(entry for entry in parsed(head.archive({3, 4})).entries if entry.desc == "TABLE DATA")
    assert data.has_data
    assert data.offset is None


def test_a_definition_and_an_owner_are_changed_and_nothing_else(head: Head):
    path = "SET search_path TO \"$user\", 'Größe';\n"
    changes = {2: Change(definition=path), 3: Change(owner="")}
    before, after = head.contents, parsed(head.archive({3, 4, 5}, changes=changes))
    assert after.entries[1].definition == path
    assert after.entries[2].owner == ""
    assert after.entries[2].definition == before.entries[2].definition
    assert [entry.tag for entry in after.entries] == [entry.tag for entry in before.entries]
    assert [entry.dependencies for entry in after.entries] == [entry.dependencies for entry in before.entries]


def test_a_statement_comes_last_in_the_section_of_the_data(head: Head):
    found = parsed(head.archive({4}, statements=["SELECT 1;\n", "SELECT 2;\n"]))
    assert [entry.definition for entry in found.entries[-2:]] == ["SELECT 1;\n", "SELECT 2;\n"]
    assert {(entry.section, entry.has_data) for entry in found.entries[-2:]} == {("data", False)}
    numbers = [entry.dump_id for entry in found.entries]
    assert len(set(numbers)) == len(numbers)


def test_an_unchanged_head_has_the_bytes_of_the_archive():
    head = head_of((1, 16, 0), 4)
    offsets = {entry.dump_id for entry in head.contents.entries if not entry.has_data}
    data = head.archive(offsets)
    whole = head.raw[: head.contents.entries_start - 5] + (4).to_bytes(5, "big")[:1] + (4).to_bytes(4, "little")
    kept = [head.raw[entry.start : entry.end] for entry in head.contents.entries if not entry.has_data]
    assert data == whole + b"".join(kept)
