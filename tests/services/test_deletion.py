"""Deleting an instance with its data: who may begin it, what keeps it from ending, what is free afterwards."""

from datetime import timedelta

import pytest

from flexvault.domain.errors import (
    ApprovalRequiredError,
    ConflictError,
    InvalidInputError,
)
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.protection_moves import BUSY, Verb
from flexvault.domain.vault_settings import Immutability, SoftDelete
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.effects import run
from flexvault.services.holds import HoldOrder, place_hold, release_hold
from flexvault.services.policies import delete_policy
from flexvault.services.protection_states import request_deletion
from flexvault.services.requests import restore_point
from flexvault.services.scheduling import tick
from flexvault.services.show_schedule import read_schedule
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    MONDAY,
    VAULT_ID,
    World,
    protect,
    request_of,
    run_jobs,
)
from tests.services.approving import OTHER, approve, of_type, require_used_once
from tests.services.changing import (
    DAY,
    add_points,
    ask_to_delete,
    begin_deletion,
    change,
    clean_up,
    in_state,
    points_left,
    put_state,
)
from tests.services.invariants import require_rest
from tests.services.running import claimed, newest_job, protected, restore_order, run_until

S = ProtectionState


def run_retention(world: World) -> None:
    """Run a retention job to its end, and no other job."""
    begin_retention(world.vault, world.memory.orchestrations)
    while True:
        opened = next(job for job in world.open_jobs() if job.operation == "retention")
        if run(world.vault, request_of(opened)).next is None:
            return


@pytest.mark.parametrize("state", [S.CONFIGURED, S.SUSPENDED, S.STOPPED, S.FAILED])
def test_a_deletion_waits_for_a_second_person_and_then_deletes_everything(state: ProtectionState):
    world = protected(immutability=Immutability.DISABLED, soft_delete=SoftDelete.OFF)
    add_points(world, 2)
    if state in {S.SUSPENDED, S.STOPPED}:
        change(world, Verb.SUSPEND if state is S.SUSPENDED else Verb.STOP)
    elif state is S.FAILED:
        put_state(world, state)
    key = world.instance().key
    approval_id = ask_to_delete(world)
    clean_up(world)
    assert points_left(world, key) == [6, 5]
    approve(world, approval_id)
    clean_up(world)
    assert points_left(world, key) == [6, 5]
    begun = request_deletion(world.vault, INSTANCE_ID, ACTOR)
    assert begun is not None
    assert begun.state is S.DELETING
    require_used_once(world, approval_id)
    assert request_deletion(world.vault, INSTANCE_ID, ACTOR) == begun == world.instance()
    clean_up(world)
    assert points_left(world, key) == []
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None
    assert request_deletion(world.vault, INSTANCE_ID, ACTOR) is None
    assert list(world.memory.storage.list_blobs("vault", "points")) == []
    assert list(world.memory.storage.list_blobs("vault", "manifests")) == []
    (ended,) = of_type(world, "InstanceDeleted")
    assert ended.body["deletion_seq"] == of_type(world, "DataDeletionRequested")[0].seq
    require_rest(world)


def test_the_approver_sees_how_much_would_be_deleted():
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 3)
    with pytest.raises(ApprovalRequiredError) as refused:
        request_deletion(world.vault, INSTANCE_ID, ACTOR)
    for fact in ("all recovery points that exist when it is carried out", "now 3", "2026-01-05", "2026-01-07"):
        assert fact in refused.value.message


@pytest.mark.parametrize("state", [S.CONFIGURING, S.UPDATING])
def test_an_instance_that_is_being_configured_is_not_deleted(state: ProtectionState):
    world = in_state(state)
    with pytest.raises(ConflictError) as refused:
        request_deletion(world.vault, INSTANCE_ID, ACTOR)
    assert refused.value.code == BUSY


def test_an_approval_is_void_once_the_protection_was_changed():
    world = protected(immutability=Immutability.DISABLED)
    approval_id = ask_to_delete(world)
    approve(world, approval_id)
    change(world, Verb.STOP)
    assert ask_to_delete(world) != approval_id
    assert of_type(world, "DataDeletionRequested") == []


def test_the_approval_of_one_person_lets_no_other_delete():
    world = protected(immutability=Immutability.DISABLED)
    approve(world, ask_to_delete(world))
    with pytest.raises(ApprovalRequiredError):
        request_deletion(world.vault, INSTANCE_ID, OTHER)


def test_a_held_point_keeps_the_deletion_from_ending_until_it_is_released():
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 2)
    key = world.instance().key
    newest = catalog.list_points(world.vault.ports, key)[0]
    order = HoldOrder(name="audit", reason="as the auditor asked", recovery_point_id=newest.point_id)
    place_hold(world.vault, world.instance(), order, ACTOR)
    with pytest.raises(ApprovalRequiredError, match="audit"):
        request_deletion(world.vault, INSTANCE_ID, ACTOR)
    begin_deletion(world)
    clean_up(world)
    assert points_left(world, key) == [6]
    (told,) = newest_job(world).warnings
    assert told["code"] == "DeletionUnfinished"
    assert newest.point_id in told["message"]
    assert world.instance().state is S.DELETING
    with pytest.raises(ApprovalRequiredError) as refused:
        release_hold(world.vault, world.instance(), "audit", ACTOR)
    approve(world, refused.value.target)
    assert release_hold(world.vault, world.instance(), "audit", ACTOR)
    clean_up(world)
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None


def test_a_hold_on_an_instance_without_points_keeps_its_deletion_from_ending():
    world = protected(immutability=Immutability.DISABLED)
    place_hold(world.vault, world.instance(), HoldOrder(name="audit", reason="as the auditor asked"), ACTOR)
    begin_deletion(world)
    clean_up(world)
    assert world.instance().state is S.DELETING
    with pytest.raises(ApprovalRequiredError) as refused:
        release_hold(world.vault, world.instance(), "audit", ACTOR)
    approve(world, refused.value.target)
    release_hold(world.vault, world.instance(), "audit", ACTOR)
    clean_up(world)
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None


def test_a_point_can_be_restored_until_its_tombstone_and_a_restore_keeps_it():
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 2)
    begin_deletion(world)
    key = world.instance().key
    oldest = catalog.list_points(world.vault.ports, key)[1]
    restore_point(world.vault, restore_order(oldest.point_id), "restore")
    (opened,) = world.open_jobs()
    run_until(world, Step.COPYING)
    run_retention(world)
    assert points_left(world, key) == [5]
    assert world.instance().state is S.DELETING
    run_jobs(world)
    restored = catalog.find_job(world.vault.ports, opened.job_id)
    assert restored is not None
    assert restored.status is JobStatus.COMPLETED
    clean_up(world)
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None


def test_a_backup_that_runs_keeps_the_deletion_open_and_its_point_goes_with_the_next_plan():
    world = claimed(immutability=Immutability.DISABLED)
    opened = run_until(world, Step.POLLING)
    begin_deletion(world)
    key = world.instance().key
    run_retention(world)
    assert world.instance().state is S.DELETING
    run_jobs(world)
    sealed = catalog.find_job(world.vault.ports, opened.job_id)
    assert sealed is not None
    assert sealed.status is JobStatus.COMPLETED
    assert len(points_left(world, key)) == 1
    clean_up(world)
    assert points_left(world, key) == []
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None


def test_a_manifest_that_turns_up_under_a_deleted_instance_is_deleted_too():
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 1)
    key = world.instance().key
    (manifest,) = world.memory.storage.list_blobs("vault", "manifests")
    data = world.memory.storage.read("vault", "manifests", manifest.name)
    begin_deletion(world)
    clean_up(world)
    late = manifest.name.replace(manifest.name[-15:-5], "f" * 10)
    point_id = late.partition("/")[2].removesuffix(".json")
    old_id = manifest.name.partition("/")[2].removesuffix(".json")
    world.vault.ports.vault_writer.create("manifests", late, data.replace(old_id.encode(), point_id.encode()))
    clean_up(world)
    assert list(world.memory.storage.list_blobs("vault", "manifests")) == []
    assert points_left(world, key) == []


def test_the_server_of_an_instance_that_is_being_deleted_is_not_free_yet():
    world = in_state(S.DELETING)
    with pytest.raises(InvalidInputError, match="is being deleted") as refused:
        protect(world, request_key="other", instance_id=f"{VAULT_ID}/backupInstances/other")
    assert "recovery point" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "request_key"),
    [
        pytest.param("pg-orders", "anew", id="the same name"),
        pytest.param("pg-orders", "protect-1", id="the very same request"),
        pytest.param("other", "anew", id="another name"),
    ],
)
def test_a_server_can_be_protected_anew_after_the_deletion(name: str, request_key: str):
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 1)
    old = world.instance()
    begin_deletion(world)
    clean_up(world)
    instance_id = f"{VAULT_ID}/backupInstances/{name}"
    protect(world, request_key=request_key, instance_id=instance_id)
    anew = catalog.get_instance(world.vault.ports, instance_id)
    assert (anew.state, anew.deletion_seq, anew.error) == (S.CONFIGURED, 0, None)
    assert (anew.key == old.key) == (name == "pg-orders")
    world.clock.advance_to(MONDAY + 3 * DAY + timedelta(hours=2))
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    assert points_left(world, anew.key) == [8]
    clean_up(world)
    assert points_left(world, anew.key) == [8]
    require_rest(world)


def test_the_schedule_of_an_instance_that_was_made_again_shows_nothing_of_the_deleted_one():
    world = protected(immutability=Immutability.DISABLED)
    change(world, Verb.SUSPEND)
    world.clock.advance(DAY)
    change(world, Verb.RESUME_BACKUPS)
    assert len(read_schedule(world.vault, world.instance()).missed) == 1
    begin_deletion(world)
    clean_up(world)
    world.clock.advance(DAY)
    protect(world, request_key="anew")
    assert read_schedule(world.vault, world.instance()).missed == ()
    change(world, Verb.SUSPEND)
    world.clock.advance(DAY)
    change(world, Verb.RESUME_BACKUPS)
    assert len(read_schedule(world.vault, world.instance()).missed) == 1


def test_a_policy_is_free_only_when_its_instances_are_gone():
    world = in_state(S.STOPPED)
    with pytest.raises(InvalidInputError, match="pg-orders"):
        delete_policy(world.vault, "daily", ACTOR)
    begin_deletion(world)
    with pytest.raises(InvalidInputError, match="pg-orders"):
        delete_policy(world.vault, "daily", ACTOR)
    clean_up(world)
    assert delete_policy(world.vault, "daily", ACTOR)
