"""Chains and roots: an entry that was changed, made up or taken away contradicts the ones beside it, or a root."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.journal import Entry
from flexvault.domain.root import Root
from flexvault.domain.rows import Merge
from flexvault.domain.verification import Severity, Verdict
from flexvault.services.journal import list_heads
from flexvault.services.verify_page import Order
from tests.builders import World
from tests.services.living import (
    DAY,
    back_up_once_more,
    blobs,
    codes,
    entry_path,
    last_entry,
    live,
    lived,
    newest_point,
    own_key,
    read,
    read_entry,
    remove,
    subjects,
    verify,
    write_over,
)

JOURNAL = blob_names.JOURNAL


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_entry_that_a_root_or_a_later_one_names_is_missed(data: st.DataObject) -> None:
    lived_vault = lived()
    entries = [path for path in blobs(lived_vault, JOURNAL) if blob_names.entry_seq(path) is not None]
    followed = [path for path, following in pairwise(entries) if path.split("/")[0] == following.split("/")[0]]
    path = data.draw(st.sampled_from(followed))
    stored = read(lived_vault, JOURNAL, path)

    remove(lived_vault, JOURNAL, path)
    try:
        report = verify(lived_vault)
    finally:
        write_over(lived_vault, JOURNAL, path, stored)

    assert f"journal/{path}" in subjects(report, "EntryMissing")


def test_a_single_changed_entry_is_the_first_broken_link_of_its_stream() -> None:
    lived = live(2)
    path = entry_path(lived, own_key(lived), 2)
    write_over(lived, JOURNAL, path, read(lived, JOURNAL, path).replace(b'"seq":2', b'"seq":3'))

    streams = {found.stream: found.first_break for found in verify(lived).page.streams}

    assert streams == {own_key(lived): f"journal/{path}", blob_names.VAULT_STREAM: ""}


def test_an_entry_that_was_rewritten_with_all_its_hashes_contradicts_its_successor_and_the_root() -> None:
    lived = live(2)
    path = entry_path(lived, own_key(lived), 2)
    entry = read_entry(lived, path)
    forged = replace(entry, at=entry.at + DAY)
    write_over(lived, JOURNAL, path, forged.to_bytes())

    report = verify(lived)

    assert subjects(report, "LinkBroken") == [f"journal/{entry_path(lived, own_key(lived), 3)}"]
    assert subjects(report, "EntryDiffers") == [f"journal/{path}"]


def test_a_stream_that_was_rewritten_from_one_entry_on_contradicts_the_root() -> None:
    lived = live(2)
    previous = ""
    for path in blobs(lived, JOURNAL, f"{own_key(lived)}/"):
        entry = read_entry(lived, path)
        forged = replace(entry, previous_hash=previous, at=entry.at + DAY).to_bytes()
        write_over(lived, JOURNAL, path, forged)
        previous = names.sha256_hex(forged)

    assert codes(verify(lived)) == ["EntryDiffers"]
    assert "HeadDiffers" in codes(verify(lived, Order(heads=list_heads(lived.vault.ports))))


def append(world: World, entry: Entry) -> None:
    """Write an entry behind the last one of its stream, well chained."""
    last = read_entry(world, last_entry(world, entry.stream))
    chained = replace(entry, seq=last.seq + 1, previous_hash=names.sha256_hex(last.to_bytes()))
    write_over(world, JOURNAL, blob_names.journal_path(chained.stream, chained.seq), chained.to_bytes())


def test_an_entry_that_was_repeated_is_found() -> None:
    lived = live(1)
    last = read_entry(lived, last_entry(lived, own_key(lived)))
    append(lived, last)

    assert codes(verify(lived)) == ["EventRepeated"]


def test_a_seal_that_was_made_up_for_another_point_is_found() -> None:
    lived = live(1)
    last = read_entry(lived, last_entry(lived, own_key(lived)))
    event_id = names.event_id(last.stream, "Sealed", "of something else")
    body = {"point_id": "0" * 32, "manifest_hash": "0" * 64}
    append(lived, replace(last, event_id=event_id, type="Sealed", body=body))

    assert codes(verify(lived)) == ["EventIdDiffers", "ManifestMissing"]


# The last entry of today ---------------------------------------------------------------------------------------------


def test_a_removed_last_seal_leaves_a_manifest_that_nobody_journalled() -> None:
    lived = live(2)
    back_up_once_more(lived)
    point = newest_point(lived)
    while read_entry(lived, last_entry(lived, own_key(lived))).body.get("point_id") != point:
        remove(lived, JOURNAL, last_entry(lived, own_key(lived)))
    remove(lived, JOURNAL, last_entry(lived, own_key(lived)))

    report = verify(lived)

    assert codes(report) == ["ManifestNotJournalled"]
    assert report.verdict is Verdict.INTACT  # it may as well be a seal that is just going on: a warning
    assert report.findings[0].severity is Severity.WARNING


def test_a_removed_last_entry_that_no_root_and_no_manifest_names_is_not_seen_by_storage_alone() -> None:
    lived = live(2)
    back_up_once_more(lived)
    last = last_entry(lived, own_key(lived))
    assert read_entry(lived, last).type == "JobClosed"
    remove(lived, JOURNAL, last)

    assert verify(lived).findings == []


def test_the_tables_heads_are_a_second_opinion_that_sees_it() -> None:
    lived = live(2)
    back_up_once_more(lived)
    last = last_entry(lived, own_key(lived))
    remove(lived, JOURNAL, last)

    report = verify(lived, Order(heads=list_heads(lived.vault.ports)))

    assert (report.verdict, subjects(report, "EntryMissing")) == (Verdict.BROKEN, [f"journal/{last}"])


def test_a_stream_that_is_gone_altogether_is_known_from_its_manifests_and_the_root() -> None:
    lived = live(2)
    for path in blobs(lived, JOURNAL, f"{own_key(lived)}/"):
        remove(lived, JOURNAL, path)

    report = verify(lived)

    assert codes(report) == ["EntryMissing", "ManifestNotJournalled"]
    assert report.verdict is Verdict.BROKEN


def test_an_entry_that_somebody_planted_far_ahead_is_told_as_that() -> None:
    lived = live(2)
    path = blob_names.journal_path(blob_names.VAULT_STREAM, 9_999)
    write_over(lived, JOURNAL, path, b"{}")

    found = {one.code: one for one in verify(lived).findings}

    assert "are missing, though there is an entry 9999" in found["EntryMissing"].message
    assert "or planted the entry behind the gap" in found["EntryMissing"].action
    assert "or somebody planted it where none was" in found["EntryUnreadable"].action


def test_a_table_that_lags_behind_is_no_finding() -> None:
    lived = live(2)
    heads = list_heads(lived.vault.ports)
    back_up_once_more(lived)

    assert verify(lived, Order(heads=heads)).findings == []


def test_a_damaged_row_of_a_head_says_nothing() -> None:
    lived = live(1)
    row = lived.vault.ports.rows.find(row_keys.CONFIG, row_keys.HEADS_PARTITION, own_key(lived))
    assert row is not None
    damaged = Merge(key=own_key(lived), values={"seq": "many"}, etag=row.etag)
    lived.vault.ports.rows.apply(row_keys.CONFIG, row_keys.HEADS_PARTITION, [damaged])

    assert list(list_heads(lived.vault.ports)) == [blob_names.VAULT_STREAM]


# Roots ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_a_root_that_a_later_one_names_is_missed(which: int) -> None:
    lived = live(3)
    path = blobs(lived, JOURNAL, "roots/")[which]
    remove(lived, JOURNAL, path)

    assert f"journal/{path}" in subjects(verify(lived), "RootMissing")


def test_the_newest_root_can_be_removed_unseen_until_the_next_one() -> None:
    lived = live(3)
    newest = blobs(lived, JOURNAL, "roots/")[-1]
    remove(lived, JOURNAL, newest)

    assert verify(lived).findings == []


def rewrite_history(world: World, *, with_links: bool) -> None:
    """Write the instance's entries and all roots anew, chained, as if all had been a day later.

    Args:
        world: A vault of which every entry of the instance is covered by a root.
        with_links: Whether each root then names the one before as it is now, or as it was.
    """
    entries: dict[str, bytes] = {}
    previous = ""
    for path in blobs(world, JOURNAL, f"{own_key(world)}/"):
        entry = read_entry(world, path)
        entries[path] = replace(entry, previous_hash=previous, at=entry.at + DAY).to_bytes()
        previous = names.sha256_hex(entries[path])
        write_over(world, JOURNAL, path, entries[path])
    before = ""
    for path in blobs(world, JOURNAL, "roots/"):
        root = Root.from_bytes(read(world, JOURNAL, path))
        lines = [
            replace(line, data=data, hash=names.sha256_hex(data))
            for line in root.lines
            if (data := entries.get(blob_names.journal_path(line.stream, line.seq), line.data))
        ]
        covered = root.streams[own_key(world)]
        end = names.sha256_hex(entries[blob_names.journal_path(own_key(world), covered.last)])
        streams = {**root.streams, own_key(world): replace(covered, hash=end)}
        named = before if with_links else root.previous_hash
        forged = replace(root, lines=lines, streams=streams, previous_hash=named).to_bytes()
        write_over(world, JOURNAL, path, forged)
        before = names.sha256_hex(forged)


def test_a_root_that_was_rewritten_with_its_entries_contradicts_the_next_one() -> None:
    lived = live(3)
    rewrite_history(lived, with_links=False)

    report = verify(lived)

    assert codes(report) == ["RootDiffers"]
    assert subjects(report, "RootDiffers") == [f"journal/{path}" for path in blobs(lived, JOURNAL, "roots/")[1:]]


def test_a_journal_that_was_rewritten_with_all_its_roots_is_seen_by_the_newest_roots_hash_alone() -> None:
    lived = live(3)
    newest = verify(lived).page.newest
    rewrite_history(lived, with_links=True)

    report = verify(lived)

    assert report.findings == []
    assert newest is not None
    assert report.page.newest is not None
    told = [event["sha256"] for name, event in lived.memory.telemetry.events if name == "RootWritten"]
    assert newest.hash == told[-1] != report.page.newest.hash


@pytest.mark.parametrize("named", ["2026-01-05", "2026-01-16", "3026-01-04"])
def test_a_root_that_names_itself_or_a_later_one_as_the_one_before_is_named(named: str) -> None:
    lived = live(4)
    path = "roots/2026-01-05.jsonl"
    stored = read(lived, JOURNAL, path)
    changed = stored.replace(b'"previousDate":"2026-01-04"', f'"previousDate":"{named}"'.encode())
    assert changed != stored

    write_over(lived, JOURNAL, path, changed)

    assert f"{JOURNAL}/{path}" in subjects(verify(lived), "RootDiffers")
