"""The nightly check of policies and holds: one point's trouble is that point's alone, and is told once a day."""

from datetime import timedelta

import pytest

from flexvault.domain import blob_names
from flexvault.domain.errors import TransientError
from flexvault.domain.vault_settings import Immutability
from flexvault.services import catalog
from flexvault.services.reconcile import reconcile
from flexvault.services.strengthen import strengthen
from tests.builders import World, policy_properties, set_immutability
from tests.services.running import quietly
from tests.services.test_immutability import expiries, hold, policies, told, unprotect, versions, with_points
from tests.services.test_reevaluate import carry_out, put

EVERY_FIVE_MINUTES = timedelta(minutes=5)


def damaged(days: int = 3) -> World:
    """A vault of which an owner destroyed one file's version of the oldest point."""
    world = with_points(days)
    oldest = catalog.list_points(world.vault.ports, world.instance().key)[-1].point_id
    gone = next(blob for blob in versions(world) if f"/{oldest}/" in blob.name)
    world.memory.storage.lose("vault", blob_names.POINTS, gone.name)
    return world


def night(world: World, runs: int = 3) -> None:
    for _ in range(runs):
        reconcile(world.vault, world.memory.orchestrations)
        world.clock.advance(EVERY_FIVE_MINUTES)


def test_a_version_that_is_gone_keeps_no_other_from_being_locked():
    world = damaged()
    set_immutability(world, Immutability.LOCKED)
    world.clock.advance(timedelta(days=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flexvault.services.immutability.BATCH", 1)
        night(world)
    assert {blob.immutability_mode for blob in versions(world)} == {"Locked"}


def test_a_manifest_that_cannot_be_read_keeps_no_other_point_from_being_locked():
    world = with_points(3)
    oldest = catalog.list_points(world.vault.ports, world.instance().key)[-1].point_id
    path = next(blob.name for blob in versions(world) if oldest in blob.name and blob.name.endswith(".json"))
    world.memory.storage.spoil("vault", blob_names.MANIFESTS, path, b"encrypted")
    set_immutability(world, Immutability.LOCKED)
    world.clock.advance(timedelta(days=1))
    for nights in (1, 2):
        night(world, runs=20)
        assert {blob.immutability_mode for blob in versions(world) if oldest not in blob.name} == {"Locked"}
        assert len(told(world, "ImmutabilityNotChecked")) == nights
        world.clock.advance(timedelta(days=1))


def test_a_policy_that_cannot_be_set_keeps_no_hold_from_being_mended():
    world = damaged()
    newest = catalog.list_points(world.vault.ports, world.instance().key)[0].point_id
    hold(world, newest)
    for blob in versions(world):
        container = blob_names.MANIFESTS if blob.name.endswith(".json") else blob_names.POINTS
        world.memory.storage.set_legal_hold(container, blob.name, blob.version_id, is_held=False)
    set_immutability(world, Immutability.LOCKED)
    world.clock.advance(timedelta(days=1))
    night(world)
    assert {blob.has_legal_hold for blob in versions(world) if newest in blob.name} == {True}


def test_a_re_evaluation_in_the_midst_of_the_check_is_not_shortened_by_it():
    world = with_points(2)
    unprotect(world)
    put(world, policy_properties(keep_for="P1Y"))
    world.clock.advance(timedelta(days=1))
    world.memory.faults.run_next("vault_guard.protect", lambda: None)  # the root
    world.memory.faults.run_next("vault_guard.protect", quietly(lambda: carry_out(world)))
    night(world, runs=1)
    assert policies(world) == sorted(expiries(world))
    assert {blob.immutable_until in set(expiries(world)) for blob in versions(world)} == {True}


def test_reading_manifests_counts_against_the_time_of_a_request_and_the_same_request_goes_on():
    world = with_points(12)
    set_immutability(world, Immutability.LOCKED)

    def read_slowly() -> None:
        world.clock.advance(timedelta(seconds=15))
        world.memory.faults.run_next("vault_reader.read", read_slowly)

    world.memory.faults.run_next("vault_reader.read", read_slowly)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flexvault.services.immutability.BATCH", 4)
        times = [time_of_a_request(world) for _ in range(10)]
    assert timedelta(seconds=60) < max(times) <= timedelta(seconds=100)
    assert {blob.immutability_mode for blob in versions(world)} == {"Locked"}


def time_of_a_request(world: World) -> timedelta:
    """Send a request that may be cut off; answers how long it took."""
    began = world.clock.host_now()
    try:
        strengthen(world.vault.ports, world.instance().key)
    except TransientError as cut:
        if cut.code != "StorageNotDoneYet":
            raise
    return world.clock.host_now() - began
