"""A vault is verified from its storage alone: whatever is changed or taken away is found and named."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    TransientError,
    VaultError,
)
from flexvault.domain.journal import Entry
from flexvault.domain.manifest import Manifest
from flexvault.domain.rows import Merge
from flexvault.domain.verification import Severity, Verdict
from flexvault.services.apply_retention import begin_retention
from flexvault.services.journal import list_heads
from flexvault.services.promote import OWNER
from flexvault.services.scheduling import tick
from flexvault.services.verify_page import Order, Report
from flexvault.services.verify_vault import verify_vault
from tests.builders import World, run_jobs, world
from tests.services.living import (
    DAY,
    add_version,
    blobs,
    codes,
    delete_name,
    last_entry,
    live,
    newest_point,
    read,
    remove,
    subjects,
    verify,
    write_over,
)

JOURNAL, MANIFESTS, POINTS = blob_names.JOURNAL, blob_names.MANIFESTS, blob_names.POINTS


@cache
def lived() -> World:
    """One vault for all examples of a property; each example puts back what it changed."""
    return live(4)


def key(world: World) -> str:
    return world.instance().key


def is_entry(path: str) -> bool:
    return blob_names.entry_seq(path) is not None


def path_of(world: World, stream: str, seq: int) -> str:
    assert read(world, JOURNAL, blob_names.journal_path(stream, seq))
    return blob_names.journal_path(stream, seq)


def manifest(world: World) -> Manifest:
    path = blob_names.manifest_path(key(world), newest_point(world))
    return Manifest.from_bytes(read(world, MANIFESTS, path))


def back_up_once_more(world: World) -> None:
    """A backup that no root covers yet."""
    world.clock.advance(DAY)
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)


# What is whole -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_deep", [False, True])
def test_a_vault_after_normal_life_is_intact(is_deep: bool) -> None:
    lived = live(40)  # a month's retention: the first days are deleted, but for the held point

    report = verify(lived, Order(is_deep=is_deep, heads=list_heads(lived.vault.ports)))

    counts = report.page.counts
    assert (report.verdict, report.findings, report.page.not_checked) == (Verdict.INTACT, [], [])
    assert (counts.streams, counts.roots, report.continue_from) == (2, 40, "")
    assert counts.deleting > 5
    assert counts.points == len(blobs(lived, MANIFESTS)) > 25
    assert counts.files == counts.blocks == len(blobs(lived, POINTS))
    assert (counts.bytes_read > 0) is is_deep


def test_an_empty_vault_is_intact() -> None:
    assert verify(world()).verdict is Verdict.INTACT


def test_a_manifest_under_the_name_of_a_point_that_was_never_sealed_is_found() -> None:
    lived = live(2)
    stray = manifest(lived).to_bytes()
    write_over(lived, MANIFESTS, blob_names.manifest_path(key(lived), "0" * 32), stray)

    report = verify(lived)

    assert codes(report) == ["ManifestNotJournalled", "ManifestUnreadable"]


def test_the_report_says_how_far_the_evidence_reaches() -> None:
    lived = live(3)
    back_up_once_more(lived)

    own = next(found for found in verify(lived).page.streams if found.stream == key(lived))

    assert own.last == len(blobs(lived, JOURNAL, f"{key(lived)}/"))
    assert own.last_hash == names.sha256_hex(read(lived, JOURNAL, last_entry(lived, key(lived))))
    assert 0 < own.covered_by_root < own.last


# What was changed ----------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(data=st.data(), place=st.integers(0, 10**6), change=st.integers(1, 255))
def test_every_single_byte_that_is_changed_in_manifest_entry_or_root_is_found(
    data: st.DataObject, place: int, change: int
) -> None:
    lived_vault = lived()
    paths = [(container, path) for container in (JOURNAL, MANIFESTS) for path in blobs(lived_vault, container)]
    container, path = data.draw(st.sampled_from(paths))
    stored = read(lived_vault, container, path)
    changed = bytearray(stored)
    changed[place % len(changed)] ^= change

    write_over(lived_vault, container, path, bytes(changed))
    try:
        report = verify(lived_vault)
    finally:
        write_over(lived_vault, container, path, stored)

    assert report.verdict is Verdict.BROKEN
    named = [finding.subject for finding in report.findings if finding.severity is Severity.ERROR]
    assert f"{container}/{path}" in named
    assert verify(lived_vault).verdict is Verdict.INTACT


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_entry_that_a_root_or_a_later_one_names_is_missed(data: st.DataObject) -> None:
    lived_vault = lived()
    entries = [path for path in blobs(lived_vault, JOURNAL) if is_entry(path)]
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
    path = path_of(lived, key(lived), 2)
    write_over(lived, JOURNAL, path, read(lived, JOURNAL, path).replace(b'"seq":2', b'"seq":3'))

    streams = {found.stream: found.first_break for found in verify(lived).page.streams}

    assert streams == {key(lived): f"journal/{path}", blob_names.VAULT_STREAM: ""}


def test_an_entry_that_was_rewritten_with_all_its_hashes_contradicts_its_successor_and_the_root() -> None:
    lived = live(2)
    path = path_of(lived, key(lived), 2)
    entry = Entry.from_bytes(read(lived, JOURNAL, path))
    forged = Entry(
        stream=entry.stream,
        seq=entry.seq,
        previous_hash=entry.previous_hash,
        event_id=entry.event_id,
        type=entry.type,
        at=entry.at + timedelta(days=1),
        body=entry.body,
    )
    write_over(lived, JOURNAL, path, forged.to_bytes())

    report = verify(lived)

    assert subjects(report, "LinkBroken") == [f"journal/{path_of(lived, key(lived), 3)}"]
    assert subjects(report, "EntryDiffers") == [f"journal/{path}"]


def test_a_stream_that_was_rewritten_from_one_entry_on_contradicts_the_root() -> None:
    lived = live(2)
    previous = ""
    for path in blobs(lived, JOURNAL, f"{key(lived)}/"):
        entry = Entry.from_bytes(read(lived, JOURNAL, path))
        forged = Entry(
            stream=entry.stream,
            seq=entry.seq,
            previous_hash=previous,
            event_id=entry.event_id,
            type=entry.type,
            at=entry.at + timedelta(days=1),
            body=entry.body,
        ).to_bytes()
        write_over(lived, JOURNAL, path, forged)
        previous = names.sha256_hex(forged)

    assert codes(verify(lived)) == ["EntryDiffers"]
    assert "HeadDiffers" in codes(verify(lived, Order(heads=list_heads(lived.vault.ports))))


def test_an_entry_that_was_repeated_is_found() -> None:
    lived = live(1)
    last = Entry.from_bytes(read(lived, JOURNAL, last_entry(lived, key(lived))))
    again = Entry(
        stream=last.stream,
        seq=last.seq + 1,
        previous_hash=names.sha256_hex(last.to_bytes()),
        event_id=last.event_id,
        type=last.type,
        at=last.at,
        body=last.body,
    )
    write_over(lived, JOURNAL, blob_names.journal_path(again.stream, again.seq), again.to_bytes())

    assert codes(verify(lived)) == ["EventRepeated"]


def test_a_seal_that_was_made_up_for_another_point_is_found() -> None:
    lived = live(1)
    last = Entry.from_bytes(read(lived, JOURNAL, last_entry(lived, key(lived))))
    forged = Entry(
        stream=last.stream,
        seq=last.seq + 1,
        previous_hash=names.sha256_hex(last.to_bytes()),
        event_id=names.event_id(last.stream, "Sealed", "of something else"),
        type="Sealed",
        at=last.at,
        body={"point_id": "0" * 32, "manifest_hash": "0" * 64},
    )
    write_over(lived, JOURNAL, blob_names.journal_path(forged.stream, forged.seq), forged.to_bytes())

    assert codes(verify(lived)) == ["EventIdDiffers", "ManifestMissing"]


def test_a_write_over_a_version_is_found_and_what_was_sealed_is_still_read() -> None:
    lived = live(2)
    entry = path_of(lived, key(lived), 1)
    own = blob_names.manifest_path(key(lived), newest_point(lived))
    file = manifest(lived).files[0].path
    for container, path in ((JOURNAL, entry), (MANIFESTS, own), (POINTS, file)):
        add_version(lived, container, path, b"encrypted")

    report = verify(lived, Order(is_deep=True))

    assert subjects(report, "LaterVersion") == [f"manifests/{own}", f"journal/{entry}"]
    assert subjects(report, "FileWrittenOver") == [f"points/{file}"]
    assert codes(report) == ["FileWrittenOver", "LaterVersion"]


def test_a_deleted_name_whose_version_is_left_is_found() -> None:
    lived = live(2)
    path = path_of(lived, key(lived), 1)
    delete_name(lived, JOURNAL, path)

    report = verify(lived)

    assert (codes(report), subjects(report, "NameDeleted")) == (["NameDeleted"], [f"journal/{path}"])


# The last entry of today ---------------------------------------------------------------------------------------------


def test_a_removed_last_seal_leaves_a_manifest_that_nobody_journalled() -> None:
    lived = live(2)
    back_up_once_more(lived)
    point = newest_point(lived)
    while Entry.from_bytes(read(lived, JOURNAL, last_entry(lived, key(lived)))).body.get("point_id") != point:
        remove(lived, JOURNAL, last_entry(lived, key(lived)))
    remove(lived, JOURNAL, last_entry(lived, key(lived)))

    report = verify(lived)

    assert codes(report) == ["ManifestNotJournalled"]
    assert report.verdict is Verdict.INTACT  # it may as well be a seal that is just going on: a warning
    assert report.findings[0].severity is Severity.WARNING


def test_a_removed_last_entry_that_no_root_and_no_manifest_names_is_not_seen_by_storage_alone() -> None:
    lived = live(2)
    back_up_once_more(lived)
    last = last_entry(lived, key(lived))
    assert Entry.from_bytes(read(lived, JOURNAL, last)).type == "JobClosed"
    remove(lived, JOURNAL, last)

    assert verify(lived).findings == []


def test_the_tables_heads_are_a_second_opinion_that_sees_it() -> None:
    lived = live(2)
    back_up_once_more(lived)
    last = last_entry(lived, key(lived))
    remove(lived, JOURNAL, last)

    report = verify(lived, Order(heads=list_heads(lived.vault.ports)))

    assert (report.verdict, subjects(report, "EntryMissing")) == (Verdict.BROKEN, [f"journal/{last}"])


def test_a_stream_that_is_gone_altogether_is_known_from_its_manifests_and_the_root() -> None:
    lived = live(2)
    for path in blobs(lived, JOURNAL, f"{key(lived)}/"):
        remove(lived, JOURNAL, path)

    report = verify(lived)

    assert codes(report) == ["EntryMissing", "ManifestNotJournalled"]
    assert report.verdict is Verdict.BROKEN


def test_a_table_that_lags_behind_is_no_finding() -> None:
    lived = live(2)
    heads = list_heads(lived.vault.ports)
    back_up_once_more(lived)

    assert verify(lived, Order(heads=heads)).findings == []


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


# Points --------------------------------------------------------------------------------------------------------------


def _remove_file(world: World) -> None:
    remove(world, POINTS, manifest(world).files[0].path)


def _harm(world: World, data: list[bytes] | None = None, **facts: Any) -> None:
    """Make the first file of the newest point another one in place: other blocks, none at all, another owner."""
    path = manifest(world).files[0].path
    blocks = data or [read(world, POINTS, path)]
    sizes = () if facts.pop("is_whole", False) else tuple(map(len, blocks))
    world.memory.storage.spoil(VAULT, POINTS, path, b"".join(blocks), blocks=sizes, **facts)


def _put_whole(world: World) -> None:
    _harm(world, is_whole=True)


def _other_blocks(world: World) -> None:
    data = read(world, POINTS, manifest(world).files[0].path)
    _harm(world, [data[:1], data[1:]])


def _other_owner(world: World) -> None:
    _harm(world, metadata={OWNER: "somebody"})


def _longer(world: World) -> None:
    _harm(world, [read(world, POINTS, manifest(world).files[0].path) + b"x"])


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        pytest.param(_remove_file, "FileMissing", id="removed"),
        pytest.param(_put_whole, "BlockListDiffers", id="written whole with the same bytes"),
        pytest.param(_other_blocks, "BlockListDiffers", id="committed of other blocks with the same bytes"),
        pytest.param(_longer, "FileDiffers", id="longer"),
        pytest.param(_other_owner, "FileDiffers", id="of another owner"),
    ],
)
def test_a_file_that_is_not_as_it_was_sealed_is_found(harm: Callable[[World], None], code: str) -> None:
    lived = live(2)
    subject = f"points/{manifest(lived).files[0].path}"
    harm(lived)

    assert subject in subjects(verify(lived), code)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_byte_that_was_changed_behind_the_same_blocks_is_found_by_reading_them(place: int, change: int) -> None:
    lived_vault = lived()
    path = manifest(lived_vault).files[0].path
    stored = read(lived_vault, POINTS, path)
    changed = bytearray(stored)
    changed[place % len(changed)] ^= change

    _harm(lived_vault, [bytes(changed)])
    try:
        quick, deep = verify(lived_vault), verify(lived_vault, Order(is_deep=True))
    finally:
        _harm(lived_vault, [stored])

    assert (quick.findings, subjects(deep, "BlockDiffers")) == ([], [f"points/{path}"])


def test_a_manifest_that_is_gone_is_missed() -> None:
    lived = live(2)
    path = blob_names.manifest_path(key(lived), newest_point(lived))
    remove(lived, MANIFESTS, path)

    assert subjects(verify(lived), "ManifestMissing") == [f"manifests/{path}"]


def test_a_manifest_of_a_deleted_point_is_told() -> None:
    lived = live(40)
    gone = next(
        str(entry.body["point_id"])
        for path in blobs(lived, JOURNAL, f"{key(lived)}/")
        if (entry := Entry.from_bytes(read(lived, JOURNAL, path))).type == "PointDeleted"
    )
    write_over(lived, MANIFESTS, blob_names.manifest_path(key(lived), gone), b"{}")

    assert codes(verify(lived)) == ["ManifestOfDeletedPoint"]


@pytest.mark.parametrize(
    ("container", "path"),
    [
        (JOURNAL, "vault/1.json"),
        (JOURNAL, "roots/today.jsonl"),
        (JOURNAL, "else/000000000001.json"),
        (MANIFESTS, "readme/please.txt"),
    ],
)
def test_what_the_vault_would_never_write_is_told(container: str, path: str) -> None:
    lived = live(1)
    write_over(lived, container, path, b"ransom note")

    report = verify(lived)

    assert (codes(report), report.verdict) == (["BlobUnknown"], Verdict.INTACT)


# Meanwhile -----------------------------------------------------------------------------------------------------------


def test_a_point_that_is_sealed_while_the_vault_is_verified_is_no_finding() -> None:
    lived = live(2)
    # Between the lists of manifests and entries of the instance.
    lived.memory.faults.run_next("vault_reader.list_versions", lambda: None)
    lived.memory.faults.run_next("vault_reader.list_versions", lambda: None)
    lived.memory.faults.run_next("vault_reader.list_versions", lambda: back_up_once_more(lived))

    assert verify(lived).findings == []


def test_a_point_that_is_deleted_while_the_vault_is_verified_is_no_finding() -> None:
    lived = live(35)
    before = len(blobs(lived, MANIFESTS))
    world_then = lived.clock.storage_now()

    def clean_up() -> None:
        lived.clock.advance_to(world_then + DAY)
        begin_retention(lived.vault, lived.memory.orchestrations)
        run_jobs(lived)

    lived.memory.faults.run_next("vault_reader.list_blocks", clean_up)
    report = verify(lived)

    assert len(blobs(lived, MANIFESTS)) < before
    assert report.findings == []


# What cannot be read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["read", "list_versions", "list_folders", "list_blocks"])
@pytest.mark.parametrize(
    "error",
    [
        TransientError("busy"),
        NotAuthorizedError("refused"),
        NotFoundError("the container is gone", code="ContainerNotFound"),
    ],
    ids=lambda error: error.code,
)
def test_a_refusal_is_raised_and_is_never_a_finding(operation: str, error: VaultError) -> None:
    lived = live(2)
    lived.memory.faults.fail_next(f"vault_reader.{operation}", error)

    with pytest.raises(type(error)):
        verify(lived)


@pytest.mark.parametrize("operation", ["read", "list_blocks"])
def test_a_single_blob_that_cannot_be_read_is_not_checked_and_nothing_is_called_intact(operation: str) -> None:
    lived = live(1)
    # The first read of all is the newest root's.
    lived.memory.faults.run_next("vault_reader.read", lambda: None)
    lived.memory.faults.fail_next(f"vault_reader.{operation}", ConflictError("archived", code="BlobArchived"))

    report = verify(lived)

    assert (report.verdict, report.findings) == (Verdict.NOT_PROVEN, [])
    assert [found.reason for found in report.page.not_checked] == ["BlobArchived: archived"]


# Pages ---------------------------------------------------------------------------------------------------------------


def verify_in_pages(world: World, order: Order) -> list[Report]:
    """Verify in pages that do as little as a page may."""
    pages: list[Report] = []
    while not pages or pages[-1].continue_from:
        following = Order(
            is_deep=order.is_deep,
            instance=order.instance,
            heads=order.heads,
            continue_from=pages[-1].continue_from if pages else "",
        )
        pages.append(verify_vault(world.vault.ports.vault_reader, following, lambda: True))
        assert len(pages) < 1000
    return pages


@pytest.mark.parametrize("is_deep", [False, True])
def test_pages_say_together_what_one_call_says_and_come_to_an_end(is_deep: bool) -> None:
    lived = live(20)
    remove(lived, JOURNAL, path_of(lived, key(lived), 7))
    write_over(lived, JOURNAL, "vault/1.json", b"x")
    remove(lived, MANIFESTS, blob_names.manifest_path(key(lived), newest_point(lived)))
    once = verify(lived, Order(is_deep=is_deep))

    pages = verify_in_pages(lived, Order(is_deep=is_deep))

    assert len(pages) > 20
    # A root on a later page may tell again what the stream told on an earlier one.
    told = {(finding.code, finding.subject) for page in pages for finding in page.findings}
    assert told == {(finding.code, finding.subject) for finding in once.findings}
    assert sum(page.page.counts.points for page in pages) == once.page.counts.points
    assert sum(page.page.counts.bytes_read for page in pages) == once.page.counts.bytes_read
    assert sum(page.page.counts.roots for page in pages) == once.page.counts.roots == 20
    assert [found for page in pages for found in page.page.streams] == once.page.streams


def test_one_instance_alone_is_verified_with_what_the_roots_say_of_it() -> None:
    lived = live(3)
    remove(lived, JOURNAL, path_of(lived, blob_names.VAULT_STREAM, 1))
    assert verify(lived, Order(instance=key(lived))).findings == []
    remove(lived, JOURNAL, path_of(lived, key(lived), 1))

    report = verify(lived, Order(instance=key(lived)))

    assert subjects(report, "EntryMissing") == [f"journal/{blob_names.journal_path(key(lived), 1)}"]
    assert [found.stream for found in report.page.streams] == [key(lived)]


@pytest.mark.parametrize("text", ["nowhere", "root/2026-13-01", "points/x", "stream/", "points/a/b/1"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no place to go on from"):
        verify(world(), Order(continue_from=text))


def test_a_damaged_row_of_a_head_says_nothing() -> None:
    lived = live(1)
    row = lived.vault.ports.rows.find(row_keys.CONFIG, row_keys.HEADS_PARTITION, key(lived))
    assert row is not None
    damaged = Merge(key=key(lived), values={"seq": "many"}, etag=row.etag)
    lived.vault.ports.rows.apply(row_keys.CONFIG, row_keys.HEADS_PARTITION, [damaged])

    assert list(list_heads(lived.vault.ports)) == [blob_names.VAULT_STREAM]
