"""A point whose job failed after its manifest was created counts only with storage's protection and its holds."""

from contextlib import suppress
from datetime import timedelta

import pytest

from flexvault.domain.errors import NotFoundError, PermanentError
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.vault_settings import Immutability
from flexvault.services import catalog
from flexvault.services.reconcile import reconcile
from tests.builders import let_pass, run_jobs, set_immutability
from tests.services.changing import clean_up
from tests.services.running import claimed, newest_job, run_until
from tests.services.test_immutability import expiries, flag, held, hold, release, told, versions, with_points


def test_a_manifest_whose_job_failed_before_it_was_protected_is_protected_as_the_point_counts():
    world = claimed()
    run_until(world, Step.SEALING)
    world.memory.faults.fail_next("vault_writer.create", PermanentError("odd", code="Odd"), after=True)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert len(catalog.list_points(world.vault.ports, world.instance().key)) == 1
    assert {blob.immutable_until for blob in versions(world)} == set(expiries(world))


def test_a_manifest_whose_job_failed_is_held_by_the_hold_that_stood_before():
    world = claimed()
    hold(world)
    run_until(world, Step.SEALING)
    world.memory.faults.fail_next("vault_writer.create", PermanentError("odd", code="Odd"), after=True)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert list(held(world).values()) == [True]


@pytest.mark.parametrize("outage", ["vault_guard.protect", "vault_guard.set_legal_hold"])
def test_storage_that_refuses_keeps_the_failed_job_from_nothing(outage: str):
    world = claimed()
    hold(world)
    run_until(world, Step.SEALING)

    def refuse() -> None:
        world.memory.faults.fail_next(outage, PermanentError("no", code="Refused"))
        raise PermanentError("odd", code="Odd")

    world.memory.faults.run_next("vault_writer.create", refuse, after=True)
    run_jobs(world)
    assert [told["code"] for told in newest_job(world).warnings] == ["PointSealed", "Refused"]
    assert len(catalog.list_points(world.vault.ports, world.instance().key)) == 1


def test_a_vault_that_became_immutable_between_manifest_and_entry_protects_the_files_too():
    world = claimed(immutability=Immutability.DISABLED)
    run_until(world, Step.SEALING)
    world.memory.faults.run_next(
        "vault_writer.create", lambda: set_immutability(world, Immutability.UNLOCKED), after=True
    )
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert {blob.immutable_until for blob in versions(world)} == set(expiries(world))


def test_a_hold_that_is_released_while_a_seal_sets_it_is_not_left_in_storage():
    world = claimed()
    hold(world)
    run_until(world, Step.SEALING)
    world.memory.faults.run_next("vault_guard.set_legal_hold", lambda: release(world))
    run_jobs(world)
    assert list(held(world).values()) == [False]


def test_a_hold_that_is_released_while_a_repeated_request_sets_it_is_not_left_in_storage():
    world = with_points(2)
    world.memory.faults.run_next("vault_guard.set_legal_hold", lambda: release(world))
    with suppress(NotFoundError):
        hold(world)
    assert set(held(world).values()) == {False}


def test_a_hold_that_comes_while_a_backup_is_promoted_is_no_drift():
    world = claimed()
    run_until(world, Step.SEALING)
    hold(world)
    assert {blob.has_legal_hold for blob in versions(world)} == {False}
    world.clock.advance(timedelta(days=1))
    reconcile(world.vault, world.memory.orchestrations)
    assert told(world, "ImmutabilityDrift") == []
    run_jobs(world)
    assert list(held(world).values()) == [True]


def test_a_flag_on_a_point_that_is_being_deleted_goes_with_the_next_release():
    world = with_points(2)
    oldest = catalog.list_points(world.vault.ports, world.instance().key)[-1].point_id
    blob = next(blob for blob in versions(world) if f"/{oldest}/" in blob.name)
    let_pass(world, timedelta(days=60))
    world.memory.faults.run_next("vault_cleaner.create", lambda: None, after=True)  # the plan
    world.memory.faults.run_next("vault_cleaner.create", lambda: flag(world, blob, is_held=True), after=True)
    clean_up(world)
    assert any(oldest in found.name for found in versions(world))
    hold(world)
    hold(world, name="another")
    release(world)
    clean_up(world)
    assert all(oldest not in found.name for found in versions(world))
