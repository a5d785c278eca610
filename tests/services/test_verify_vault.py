"""A vault is verified from its storage alone: whatever is changed or taken away is found and named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain import blob_names, names
from flexvault.domain.verification import Severity, Verdict
from flexvault.services.journal import list_heads
from flexvault.services.verify_page import Order
from tests.builders import world
from tests.services.living import (
    add_version,
    back_up_once_more,
    blobs,
    codes,
    delete_name,
    entry_path,
    last_entry,
    live,
    lived,
    newest_manifest,
    newest_point,
    own_key,
    read,
    subjects,
    verify,
    write_over,
)

JOURNAL, MANIFESTS, POINTS = blob_names.JOURNAL, blob_names.MANIFESTS, blob_names.POINTS


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


def test_the_report_says_how_far_the_evidence_reaches() -> None:
    lived = live(3)
    back_up_once_more(lived)

    own = next(found for found in verify(lived).page.streams if found.stream == own_key(lived))

    assert own.last == len(blobs(lived, JOURNAL, f"{own_key(lived)}/"))
    assert own.last_hash == names.sha256_hex(read(lived, JOURNAL, last_entry(lived, own_key(lived))))
    assert 0 < own.covered_by_root < own.last


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


def test_a_write_over_a_version_is_found_and_what_was_sealed_is_still_read() -> None:
    lived = live(2)
    entry = entry_path(lived, own_key(lived), 1)
    own = blob_names.manifest_path(own_key(lived), newest_point(lived))
    file = newest_manifest(lived).files[0].path
    for container, path in ((JOURNAL, entry), (MANIFESTS, own), (POINTS, file)):
        add_version(lived, container, path, b"encrypted")

    report = verify(lived, Order(is_deep=True))

    assert subjects(report, "LaterVersion") == [f"manifests/{own}", f"journal/{entry}"]
    assert subjects(report, "FileWrittenOver") == [f"points/{file}"]
    assert codes(report) == ["FileWrittenOver", "LaterVersion"]


def test_a_deleted_name_whose_version_is_left_is_found() -> None:
    lived = live(2)
    path = entry_path(lived, own_key(lived), 1)
    delete_name(lived, JOURNAL, path)

    report = verify(lived)

    assert (codes(report), subjects(report, "NameDeleted")) == (["NameDeleted"], [f"journal/{path}"])


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
