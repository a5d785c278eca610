"""Pages and refusals: a verification may end and go on, and what storage refuses is never called a finding."""

import pytest

from flexvault.domain import blob_names
from flexvault.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    TransientError,
    VaultError,
)
from flexvault.domain.verification import Verdict
from flexvault.services.verify_page import Order, Report
from flexvault.services.verify_vault import verify_vault
from tests.builders import World, world
from tests.services.living import (
    entry_path,
    live,
    newest_point,
    own_key,
    remove,
    subjects,
    verify,
    write_over,
)

JOURNAL, MANIFESTS = blob_names.JOURNAL, blob_names.MANIFESTS


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
    remove(lived, JOURNAL, entry_path(lived, own_key(lived), 7))
    write_over(lived, JOURNAL, "vault/1.json", b"x")
    remove(lived, MANIFESTS, blob_names.manifest_path(own_key(lived), newest_point(lived)))
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
    remove(lived, JOURNAL, entry_path(lived, blob_names.VAULT_STREAM, 1))
    assert verify(lived, Order(instance=own_key(lived))).findings == []
    remove(lived, JOURNAL, entry_path(lived, own_key(lived), 1))

    report = verify(lived, Order(instance=own_key(lived)))

    assert subjects(report, "EntryMissing") == [f"journal/{blob_names.journal_path(own_key(lived), 1)}"]
    assert [found.stream for found in report.page.streams] == [own_key(lived)]


@pytest.mark.parametrize("text", ["nowhere", "root/2026-13-01", "points/x", "stream/", "points/a/b/1"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="no place to go on from"):
        verify(world(), Order(continue_from=text))
