"""What is written over a root or an entry, or hidden behind a deleted name, changes no root that comes after it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

from flexvault.domain import blob_names, names
from flexvault.domain.verification import Verdict
from flexvault.ports import BlobFacts
from flexvault.services.reconcile import reconcile
from flexvault.services.verify_page import Order, Page
from flexvault.services.verify_streams import StreamReader
from tests.builders import World
from tests.services.living import DAY, add_version, blobs, delete_name, live, read, verify
from tests.services.test_roots import FIRST_DAY, JOURNAL, events, held, root, write


def first_hash(world: World, path: str) -> str:
    """SHA-256 of the oldest version of a name."""
    versions = world.memory.storage.list_versions("vault", JOURNAL, path)
    oldest = min(versions, key=lambda blob: blob.version_id)
    return names.sha256_hex(world.memory.storage.read("vault", JOURNAL, path, version_id=oldest.version_id))


def test_a_root_names_the_first_version_of_the_one_before() -> None:
    world = live(2)
    path = blob_names.root_path(FIRST_DAY)
    proven = root(world, FIRST_DAY)
    add_version(world, JOURNAL, path, b"encrypted")
    world.clock.advance(DAY)

    assert write(world) is True

    after = root(world, FIRST_DAY + DAY)
    assert after.previous_hash == first_hash(world, path)
    assert all(covered.first == proven.streams[name].last + 1 for name, covered in after.streams.items())
    assert [finding.subject for finding in verify(world).findings] == [f"{JOURNAL}/{path}"]
    assert events(world, "RootIncomplete") == []


def test_a_root_whose_name_was_deleted_is_still_the_one_before() -> None:
    world = live(2)
    path = blob_names.root_path(FIRST_DAY)
    proven = read(world, JOURNAL, path)
    delete_name(world, JOURNAL, path)
    world.clock.advance(DAY)

    assert write(world) is True

    after = root(world, FIRST_DAY + DAY)
    assert (after.previous_day, after.previous_hash) == (FIRST_DAY, names.sha256_hex(proven))
    assert [finding.code for finding in verify(world).findings] == ["NameDeleted"]


def test_an_entry_that_is_written_over_is_covered_as_it_was_written_first() -> None:
    world = live(2)
    stream = world.instance().key
    covered = root(world, FIRST_DAY).streams[stream]
    paths = [blob_names.journal_path(stream, covered.last), blob_names.journal_path(stream, covered.last + 1)]
    for path in paths:
        add_version(world, JOURNAL, path, b"encrypted")
    world.clock.advance(DAY)

    assert write(world) is True

    after = root(world, FIRST_DAY + DAY)
    assert (stream, covered.last + 1) in held(after)
    assert after.streams[stream].last > covered.last + 1
    assert events(world, "RootIncomplete") == []
    found = verify(world)
    assert found.verdict is Verdict.BROKEN
    assert {finding.code for finding in found.findings} == {"LaterVersion"}
    assert sorted(finding.subject for finding in found.findings) == [f"{JOURNAL}/{path}" for path in paths]


def test_a_page_of_roots_compares_the_first_version_of_an_entry() -> None:
    world = live(3)
    stream = world.instance().key
    line = next(line for line in root(world, FIRST_DAY).lines if line.stream == stream)
    add_version(world, JOURNAL, blob_names.journal_path(stream, line.seq), b"encrypted")

    page = verify(world, Order(continue_from=f"root/{FIRST_DAY.isoformat()}"))

    assert page.findings == []


def test_an_entry_that_comes_while_a_point_is_looked_at_is_read_as_it_was_written_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = live(2)
    reader = world.vault.ports.vault_reader
    stream = world.instance().key
    chain = [path for path in blobs(world, JOURNAL, f"{stream}/") if blob_names.entry_seq(path)]
    hidden, original = chain[-1], reader.list_versions

    def list_versions(container: str, prefix: str) -> Iterator[BlobFacts]:
        found = original(container, prefix)
        return (blob for blob in found if prefix != f"{stream}/" or blob.name != hidden)

    add_version(world, JOURNAL, hidden, b"encrypted")
    monkeypatch.setattr(reader, "list_versions", list_versions)
    with ThreadPoolExecutor() as pool:
        read_stream = StreamReader(reader, pool, Page(Order(), lambda: False), stream)
        read_stream.read()
        assert read_stream.chain.last == len(chain) - 1
        read_stream.read_on()
    assert (read_stream.chain.last, read_stream.chain.first_break) == (len(chain), "")


@pytest.mark.parametrize("data", [b"encrypted", None], ids=["garbage", "well-formed"])
def test_a_root_of_a_day_to_come_stops_no_root_and_is_not_protected(data: bytes | None) -> None:
    world = live(3)
    path = blob_names.root_path(date(2099, 12, 31))
    newest = root(world, FIRST_DAY + DAY)
    forged = replace(newest, day=date(2099, 12, 31), lines=()).to_bytes() if data is None else data
    add_version(world, JOURNAL, path, forged)

    for number in range(2, 4):
        world.clock.advance(DAY)
        reconcile(world.vault, world.memory.orchestrations)
        assert root(world, FIRST_DAY + number * DAY).previous_day == FIRST_DAY + (number - 1) * DAY

    assert {event["path"] for event in events(world, "RootNotBelieved")} == {path}
    found = world.memory.storage.find("vault", JOURNAL, path)
    assert found is not None
    assert found.immutable_until is None
    report = verify(world)
    assert report.verdict is Verdict.BROKEN
    assert {finding.subject for finding in report.findings} == {f"{JOURNAL}/{path}"}
