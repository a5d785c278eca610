"""What storage itself refuses: policies until each point's expiry, holds, and retention that asks before it deletes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from flexvault.domain import blob_names
from flexvault.domain.errors import ApprovalRequiredError, ConflictError, IntegrityError, TransientError
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.manifest import Manifest
from flexvault.domain.vault_settings import Immutability
from flexvault.ports import BlobFacts
from flexvault.services import catalog
from flexvault.services.effects import run
from flexvault.services.end_deletion import end_deletions
from flexvault.services.holds import HoldOrder, place_hold, release_hold
from flexvault.services.immutability import LeftByStorage, find_left, whole_seconds
from flexvault.services.reconcile import reconcile
from flexvault.services.reevaluate import reevaluate
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    World,
    let_pass,
    policy_properties,
    request_of,
    run_jobs,
    run_one,
    set_immutability,
)
from tests.services.approving import approve
from tests.services.changing import add_points, begin_deletion, clean_up
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.running import claimed, newest_job, only_open, protected, run_until
from tests.services.test_reevaluate import carry_out, of_type, put
from tests.services.test_retention import planned, plans, retention_job

ALL = (blob_names.MANIFESTS, blob_names.POINTS)


def versions(world: World) -> list[BlobFacts]:
    """Every version of a point's files and manifests."""
    storage = world.memory.storage
    return [blob for container in ALL for blob in storage.list_versions("vault", container)]


def with_points(days: int = 2, **changes: Any) -> World:
    world = protected(**changes)
    add_points(world, days)
    return world


def policies(world: World) -> list[datetime]:
    return sorted({blob.immutable_until for blob in versions(world) if blob.immutable_until is not None})


def expiries(world: World) -> list[datetime]:
    return [point.expiry_time for point in catalog.list_points(world.vault.ports, world.instance().key)]


def told(world: World, event: str) -> list[dict[str, Any]]:
    return [dict(facts) for name, facts in world.memory.telemetry.events if name == event]


def hold(world: World, point_id: str = "", name: str = "case-7") -> None:
    place_hold(world.vault, world.instance(), HoldOrder(name=name, reason="r", recovery_point_id=point_id), ACTOR)


def release(world: World, name: str = "case-7") -> None:
    with pytest.raises(ApprovalRequiredError) as asked:
        release_hold(world.vault, world.instance(), name, ACTOR)
    approve(world, asked.value.target)
    release_hold(world.vault, world.instance(), name, ACTOR)


# Sealing -------------------------------------------------------------------------------------------------------------


def test_every_version_of_a_sealed_point_is_protected_until_its_expiry():
    world = with_points(1)
    (expiry,) = expiries(world)
    assert len(versions(world)) == 5
    assert {(blob.immutable_until, blob.immutability_mode) for blob in versions(world)} == {(expiry, "Unlocked")}


def test_an_expiry_between_two_seconds_is_rounded_up():
    world = claimed()
    world.clock.advance(timedelta(microseconds=250_000))
    run_jobs(world)
    (expiry,) = expiries(world)
    until = {blob.immutable_until for blob in versions(world)}
    assert until == {whole_seconds(expiry)}
    assert expiry.microsecond == 250_000


def test_a_locked_vault_locks_what_it_seals():
    world = with_points(1, immutability=Immutability.LOCKED)
    assert {blob.immutability_mode for blob in versions(world)} == {"Locked"}


def test_a_vault_without_immutability_says_so_in_every_manifest():
    world = with_points(1, immutability=Immutability.DISABLED)
    assert {blob.immutable_until for blob in versions(world)} == {None}
    (manifest,) = world.memory.storage.list_blobs("vault", blob_names.MANIFESTS)
    stored = world.memory.storage.read("vault", blob_names.MANIFESTS, manifest.name)
    assert Manifest.from_bytes(stored).immutability == "Disabled"


def test_a_point_does_not_count_while_storage_does_not_show_what_was_set():
    world = claimed()
    run_until(world, Step.SEALING)
    world.memory.faults.run_next("vault_guard.protect", lambda: unprotect(world), after=True)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert (newest_job(world).error or {})["code"] == "ImmutabilityNotSet"
    assert catalog.list_points(world.vault.ports, world.instance().key) == []


def unprotect(world: World) -> None:
    """Take every policy away, as whoever may set an Unlocked one can."""
    for container in ALL:
        world.memory.storage.unprotect(container)


def test_a_seal_that_dies_between_manifest_and_policy_protects_it_when_it_is_repeated():
    world = claimed()
    run_until(world, Step.SEALING)
    world.memory.faults.fail_next("vault_writer.create", TransientError("503"), after=True)
    with pytest.raises(TransientError):
        run_one(world, only_open(world))
    run_jobs(world)
    (expiry,) = expiries(world)
    assert {blob.immutable_until for blob in versions(world)} == {expiry}


# Re-evaluation and Locked ---------------------------------------------------------------------------------------------


def test_a_re_evaluation_that_keeps_longer_extends_every_policy():
    world = with_points(2)
    put(world, policy_properties(keep_for="P1Y"))
    carry_out(world)
    longest = max(expiries(world))
    assert longest > world.clock.storage_now() + timedelta(days=300)
    assert policies(world) == sorted(expiries(world))


def test_a_re_evaluation_that_keeps_shorter_shortens_no_policy_and_the_point_stays_until_it_ends():
    world = with_points(3)
    sealed = expiries(world)
    put(world, policy_properties(keep_for="P7D"))
    carry_out(world)
    assert policies(world) == sorted(sealed)
    let_pass(world, timedelta(days=12))
    clean_up(world)
    assert len(expiries(world)) == 3
    assert verdicts(world)[0]["reasons"][1]["code"] == "Immutable"


def test_a_re_evaluation_whose_extension_was_cut_off_goes_on_when_it_is_sent_again():
    world = with_points(2)
    put(world, policy_properties(keep_for="P1Y"))
    world.memory.faults.fail_next("vault_guard.protect", TransientError("503"))
    with pytest.raises(TransientError):
        carry_out(world)
    found = of_type(world, "RetentionReevaluated")[0].body["preview_hash"]
    reevaluate(world.vault, world.instance(), found, ACTOR)
    assert policies(world) == sorted(expiries(world))
    assert len(of_type(world, "RetentionReevaluated")) == 1


def test_the_nightly_check_mends_what_is_too_weak_and_tells_it_once():
    world = with_points(2)
    unprotect(world)
    set_immutability(world, Immutability.LOCKED)
    world.clock.advance(timedelta(days=1))
    for _ in range(3):
        reconcile(world.vault, world.memory.orchestrations)
    assert {blob.immutability_mode for blob in versions(world)} == {"Locked"}
    assert policies(world) == sorted(expiries(world))
    assert [facts["versions"] for facts in told(world, "ImmutabilityDrift")] == [10]


def test_locking_what_a_re_evaluation_keeps_shorter_shortens_no_policy():
    world = with_points(2)
    sealed = expiries(world)
    put(world, policy_properties(keep_for="P7D"))
    carry_out(world)
    set_immutability(world, Immutability.LOCKED)
    world.clock.advance(timedelta(days=1))
    reconcile(world.vault, world.memory.orchestrations)
    assert {blob.immutability_mode for blob in versions(world)} == {"Locked"}
    assert policies(world) == sorted(sealed)


def test_a_check_that_cannot_end_is_told_and_tried_again():
    world = with_points(1)
    unprotect(world)
    world.clock.advance(timedelta(days=1))
    world.memory.faults.fail_next("vault_guard.protect", TransientError("503"), times=3)  # the root, twice, and a file
    reconcile(world.vault, world.memory.orchestrations)
    assert len(told(world, "ImmutabilityNotChecked")) == 2
    reconcile(world.vault, world.memory.orchestrations)
    assert {blob.immutable_until for blob in versions(world)} == set(expiries(world))


def test_what_lies_beside_a_points_own_versions_is_not_protected():
    world = with_points(1)
    path = world.memory.storage.list_blobs("vault", blob_names.POINTS)[0].name
    garbage = world.memory.storage.put("vault", blob_names.POINTS, path, b"written over")
    world.clock.advance(timedelta(days=1))
    reconcile(world.vault, world.memory.orchestrations)
    found = world.memory.storage.find("vault", blob_names.POINTS, path, garbage.version_id)
    assert found is not None
    assert found.immutable_until is None


# Holds ----------------------------------------------------------------------------------------------------------------


def held(world: World) -> dict[str, bool]:
    """Point id -> whether storage holds all of its versions; mixed ones fail."""
    states: dict[str, set[bool]] = {}
    for blob in versions(world):
        point_id = blob.name.split("/")[1].removesuffix(".json")
        states.setdefault(point_id, set()).add(blob.has_legal_hold)
    return {point_id: found.pop() for point_id, found in states.items() if len(found) == 1}


def test_a_hold_is_answered_once_storage_holds_every_version_that_it_covers():
    world = with_points(2)
    newest, oldest = (point.point_id for point in catalog.list_points(world.vault.ports, world.instance().key))
    hold(world, oldest)
    assert held(world) == {newest: False, oldest: True}
    hold(world, name="all")
    assert held(world) == {newest: True, oldest: True}


def test_a_release_clears_only_what_no_other_hold_covers():
    world = with_points(2)
    newest, oldest = (point.point_id for point in catalog.list_points(world.vault.ports, world.instance().key))
    hold(world, oldest)
    hold(world, name="all")
    release(world, "all")
    assert held(world) == {newest: False, oldest: True}
    release(world)
    assert held(world) == {newest: False, oldest: False}


def test_a_point_that_is_sealed_under_a_hold_of_its_instance_is_held():
    world = protected()
    hold(world)
    add_points(world, 1)
    assert list(held(world).values()) == [True]


def test_a_hold_that_storage_refuses_stands_in_the_vault_and_the_same_request_ends_it():
    world = with_points(1)
    world.memory.faults.fail_next("vault_guard.set_legal_hold", TransientError("503"))
    with pytest.raises(TransientError):
        hold(world)
    assert len(of_type(world, "HoldPlaced")) == 1
    hold(world)
    assert list(held(world).values()) == [True]
    assert len(of_type(world, "HoldPlaced")) == 1


def test_a_hold_that_storage_does_not_show_is_not_answered():
    world = with_points(1)
    first = versions(world)[0]

    def clear() -> None:
        world.memory.storage.set_legal_hold(blob_names.MANIFESTS, first.name, first.version_id, is_held=False)

    world.memory.faults.run_next("vault_guard.set_legal_hold", clear, after=True)
    with pytest.raises(IntegrityError, match="LegalHoldNotSet"):
        hold(world)


def test_a_hold_that_is_placed_while_another_is_let_go_stays_in_storage():
    world = with_points(1)
    hold(world, name="old")
    # The other hold is journalled and set, and answered, right before the release clears the flag.
    world.memory.faults.run_next("vault_guard.set_legal_hold", lambda: hold(world, name="new"))
    release(world, "old")
    assert list(held(world).values()) == [True]


def test_a_request_that_is_out_of_time_says_so_and_goes_on_when_it_is_sent_again():
    world = with_points(2)

    def wait() -> None:
        world.clock.advance(timedelta(minutes=2))

    world.memory.faults.run_next("vault_guard.set_legal_hold", wait, after=True)
    # One batch is done in any case: a request that never gets further would help nobody.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flexvault.services.immutability.BATCH", 4)
        with pytest.raises(TransientError) as cut:
            hold(world)
    assert cut.value.code == "StorageNotDoneYet"
    hold(world)
    assert set(held(world).values()) == {True}


# Deletion -------------------------------------------------------------------------------------------------------------


def verdicts(world: World) -> list[dict[str, Any]]:
    return plans(world)[-1]["verdicts"]


def asked_to_delete(world: World) -> list[str]:
    """Every deletion that storage was asked for from now on."""
    asked: list[str] = []

    def note() -> None:
        asked.append("delete")
        world.memory.faults.run_next("vault_cleaner.delete", note)

    world.memory.faults.run_next("vault_cleaner.delete", note)
    return asked


def test_an_expired_point_leaves_no_version_behind():
    world = with_points(2)
    path = world.memory.storage.list_blobs("vault", blob_names.POINTS)[0].name
    world.memory.storage.put("vault", blob_names.POINTS, path, b"written over")
    let_pass(world, timedelta(days=60))
    clean_up(world)
    (left,) = catalog.list_points(world.vault.ports, world.instance().key)
    assert {blob.name.split("/")[1].removesuffix(".json") for blob in versions(world)} == {left.point_id}


def test_a_point_whose_base_names_were_deleted_is_still_a_point_and_restorable():
    world = with_points(1)
    for container in ALL:
        for blob in world.memory.storage.list_blobs("vault", container):
            world.memory.storage.delete("vault", container, blob.name)
    (point,) = catalog.list_points(world.vault.ports, world.instance().key)
    manifest = catalog.read_manifest(world.vault.ports, point)
    clean_up(world)
    assert [verdict["pointId"] for verdict in verdicts(world)] == [point.point_id]
    for file in manifest.files:
        found = world.vault.ports.vault_reader.find(blob_names.POINTS, file.path, version_id=file.version_id)
        assert found is not None


@pytest.mark.parametrize(
    ("guard", "code"),
    [
        pytest.param(lambda world, blob: extend(world, blob, timedelta(days=90)), "Immutable", id="longer policy"),
        pytest.param(lambda world, blob: flag(world, blob, is_held=True), "LegalHold", id="a hold set by the owner"),
    ],
)
def test_what_storage_protects_is_not_even_asked_for(guard: Callable[[World, BlobFacts], None], code: str):
    world = with_points(2)
    oldest = catalog.list_points(world.vault.ports, world.instance().key)[-1].point_id
    guard(world, next(blob for blob in versions(world) if f"{oldest}/" in blob.name))
    let_pass(world, timedelta(days=60))
    asked = asked_to_delete(world)
    for _ in range(5):
        clean_up(world)
        world.clock.advance(timedelta(days=1))
    assert asked == []
    assert code in {reason["code"] for reason in verdicts(world)[0]["reasons"]}
    assert told(world, "DeletionRefused") == []


def extend(world: World, blob: BlobFacts, beyond: timedelta) -> None:
    until = world.clock.storage_now() + beyond
    world.memory.storage.protect(blob_names.POINTS, blob.name, blob.version_id, until, "Unlocked")


def flag(world: World, blob: BlobFacts, *, is_held: bool) -> None:
    world.memory.storage.set_legal_hold(blob_names.POINTS, blob.name, blob.version_id, is_held=is_held)


@pytest.mark.parametrize("kind", ["policy", "hold"])
def test_nights_of_refusals_after_the_tombstone_raise_one_alarm_and_end_when_storage_lets_go(kind: str):
    world = with_points(2)
    oldest = catalog.list_points(world.vault.ports, world.instance().key)[-1].point_id
    blob = next(blob for blob in versions(world) if f"{oldest}/" in blob.name)
    let_pass(world, timedelta(days=60))

    def protect_late() -> None:  # between the tombstone and the first deletion
        if kind == "policy":
            extend(world, blob, timedelta(days=30))
        else:
            flag(world, blob, is_held=True)

    world.memory.faults.run_next("vault_cleaner.create", lambda: None, after=True)  # the plan
    world.memory.faults.run_next("vault_cleaner.create", protect_late, after=True)
    clean_up(world)
    asked = asked_to_delete(world)
    for _ in range(20):
        clean_up(world)
        world.clock.advance(timedelta(days=1))
    assert asked == []
    assert len(told(world, "DeletionRefused")) == 1
    if kind == "hold":
        flag(world, blob, is_held=False)
    else:
        world.clock.advance(timedelta(days=11))
    clean_up(world)
    assert [point.point_id for point in catalog.list_points(world.vault.ports, world.instance().key)] != []
    assert all(oldest not in found.name for found in versions(world))


def refused_late() -> World:
    """A plan that is about to be executed, and a policy that somebody sets once the tombstone stands."""
    world = with_points(2)
    oldest = catalog.list_points(world.vault.ports, world.instance().key)[-1].point_id
    blob = next(blob for blob in versions(world) if f"{oldest}/" in blob.name)
    let_pass(world, timedelta(days=60))
    planned(world)
    world.memory.faults.run_next("vault_cleaner.create", lambda: extend(world, blob, timedelta(days=30)), after=True)
    return world


@pytest.mark.parametrize("later", [0, 1])
def test_a_refusal_is_told_also_when_the_run_that_met_it_dies_at_it(later: int):
    measured, count = refused_late(), Interruption()
    run(interrupted(measured.vault, count), request_of(retention_job(measured)))
    assert len(told(measured, "DeletionRefused")) == 1
    world, call = refused_late(), count.calls.index("telemetry.emit") + later
    with pytest.raises(CrashError):
        run(interrupted(world.vault, crash_at(call, after=False)), request_of(retention_job(world)))
    for _ in range(3):
        world.clock.advance(timedelta(days=1))
        run_jobs(world)
        clean_up(world)
    assert told(world, "DeletionRefused")


def test_an_approved_deletion_of_all_data_waits_for_the_policies_to_end():
    world = with_points(2)
    begin_deletion(world)
    clean_up(world)
    assert len(expiries(world)) == 2
    assert {verdict["decision"] for verdict in verdicts(world)} == {"blocked"}
    let_pass(world, timedelta(days=60))
    clean_up(world)
    assert versions(world) == []


def test_a_deletion_that_waits_for_policies_is_told_once_and_not_each_night():
    world = with_points(2)
    begin_deletion(world)
    nights: list[list[str]] = []
    for _ in range(20):
        clean_up(world)
        nights.append([f"{told['code']}: {told['message']}" for told in newest_job(world).warnings])
        world.clock.advance(timedelta(days=1))
    assert [len(night) for night in nights] == [1, *([0] * 19)]
    assert nights[0][0].startswith("DeletionUnfinished")
    assert policies(world)[-1].isoformat() in nights[0][0]
    world.clock.advance_to(policies(world)[-1])
    clean_up(world)
    assert versions(world) == []
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None


def test_files_that_a_dead_backup_left_are_no_recovery_point_that_a_deletion_waits_for():
    world = with_points(2)
    world.memory.storage.put("vault", blob_names.POINTS, f"{world.instance().key}/left-by-a-backup/f", b"")
    begin_deletion(world)
    left = find_left(world.vault.ports, world.instance().key, world.clock.storage_now())
    assert left == LeftByStorage(count=2, until=max(policies(world)))


def test_a_run_that_dies_after_it_noted_what_waits_tells_it_when_it_is_repeated():
    world = with_points(1)
    begin_deletion(world)
    let_pass(world, timedelta(days=1))
    standing = plans(world)[-1]["standing"]
    told = [len(end_deletions(world.vault, standing, job)) for job in ("first", "first", "second")]
    assert told == [1, 1, 0]


def test_an_unsealed_file_that_storage_protects_is_left_until_it_does_not():
    world = claimed()
    run_until(world, Step.SEALING)
    world.memory.faults.fail_next("vault_writer.create", ConflictError("no"))
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    asked = asked_to_delete(world)
    let_pass(world, timedelta(days=20))
    clean_up(world)
    assert asked == []
    let_pass(world, timedelta(days=40))
    clean_up(world)
    assert versions(world) == []
