"""Retention and backups go on while a vault is verified: nothing of normal life is called broken, nor stops it."""

from datetime import timedelta

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.verification import Verdict
from flexvault.services import catalog
from flexvault.services.verify_page import Order
from flexvault.services.verify_vault import verify_vault
from tests.builders import World, let_pass
from tests.services.changing import clean_up
from tests.services.interrupting import Interruption, interrupted
from tests.services.living import DAY, back_up_once_more, blobs, live, verify
from tests.services.test_immutability import with_points


def about_to_expire() -> World:
    world = with_points(3)
    let_pass(world, timedelta(days=32))
    return world


def calls(world: World, name: str) -> list[int]:
    """Numbers of the calls of one kind that a deep verification makes."""
    watched = Interruption()
    verify_vault(interrupted(world.vault, watched).ports.vault_reader, Order(is_deep=True))
    return [number for number, call in enumerate(watched.calls) if call == name]


@pytest.mark.parametrize("number", range(0, 12, 2))
def test_a_point_that_is_deleted_while_its_files_are_read_is_no_finding(number: int) -> None:
    world = about_to_expire()
    act = Interruption(at=calls(world, "vault_reader.read")[-12:][number], act=lambda: clean_up(world))
    report = verify_vault(interrupted(world.vault, act).ports.vault_reader, Order(is_deep=True))
    assert (report.verdict, report.findings, report.page.not_checked) == (Verdict.INTACT, [], [])


def test_a_file_that_vanishes_while_it_is_read_without_a_tombstone_is_missing() -> None:
    world = with_points(1)
    (point,) = catalog.list_points(world.vault.ports, world.instance().key)
    path = catalog.read_manifest(world.vault.ports, point).files[0].path
    listed = calls(world, "vault_reader.list_blocks")[-1]
    lose = Interruption(at=listed, act=lambda: world.memory.storage.lose(VAULT, blob_names.POINTS, path), after=True)
    report = verify_vault(interrupted(world.vault, lose).ports.vault_reader, Order(is_deep=True))
    assert [(finding.code, finding.subject.endswith(path)) for finding in report.findings] == [("FileMissing", True)]


def test_a_point_that_is_sealed_while_the_vault_is_verified_is_no_finding() -> None:
    lived = live(2)
    before = len(blobs(lived, blob_names.MANIFESTS))
    # Between the lists of manifests and entries of the instance.
    lived.memory.faults.run_next("vault_reader.list_versions", lambda: None)
    lived.memory.faults.run_next("vault_reader.list_versions", lambda: None)
    lived.memory.faults.run_next("vault_reader.list_versions", lambda: back_up_once_more(lived))

    report = verify(lived)

    assert len(blobs(lived, blob_names.MANIFESTS)) == before + 1
    assert report.findings == []


def test_a_point_that_is_deleted_while_the_vault_is_verified_is_no_finding() -> None:
    lived = live(35)
    before = len(blobs(lived, blob_names.MANIFESTS))

    def clean_up_a_day_later() -> None:
        lived.clock.advance(DAY)
        clean_up(lived)

    lived.memory.faults.run_next("vault_reader.list_blocks", clean_up_a_day_later)
    report = verify(lived)

    assert len(blobs(lived, blob_names.MANIFESTS)) < before
    assert report.findings == []
