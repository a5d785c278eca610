"""Soft delete: what stays of a deleted instance, until when, and how it comes back."""

from datetime import timedelta

import pytest

from flexvault.domain.errors import (
    ApprovalRequiredError,
    ConflictError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
)
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus
from flexvault.domain.protection_moves import BEING_DELETED, SOFT_DELETED, Verb
from flexvault.domain.retention import PURGE_WAITS
from flexvault.domain.vault_settings import Immutability, SoftDelete
from flexvault.services import catalog
from flexvault.services.holds import HoldOrder, place_hold
from flexvault.services.policies import delete_policy
from flexvault.services.preview_retention import preview_instance
from flexvault.services.protection import validate_for_backup
from flexvault.services.protection_states import request_deletion
from flexvault.services.requests import back_up_now, restore_point
from flexvault.services.scheduling import tick
from flexvault.services.soft_delete import find_gone_at, read_soft_deletion, undelete
from tests.builders import ACTOR, INSTANCE_ID, SERVER_ID, VAULT_ID, World, protect, run_jobs, set_soft_delete
from tests.services.approving import approve, of_type, require_used_once
from tests.services.changing import DAY, add_points, ask_to_delete, change, clean_up, delete_softly, live, points_left
from tests.services.invariants import entries, require_rest, require_whole_journal
from tests.services.running import claimed, newest_job, protected, restore_order
from tests.services.test_retention_rows import edit_instance

S = ProtectionState
DAYS = 14
PERIOD = timedelta(days=DAYS)


def deleted(points: int = 2, **changes: object) -> World:
    """A vault whose one instance was soft-deleted just now; storage itself protects nothing."""
    world = protected(**{"immutability": Immutability.DISABLED, **changes})
    add_points(world, points)
    delete_softly(world)
    return world


def is_there(world: World) -> bool:
    return catalog.find_instance(world.vault.ports, INSTANCE_ID) is not None


def test_nothing_is_deleted_before_the_period_has_run_out_and_everything_afterwards():
    world = protected(immutability=Immutability.DISABLED)
    live(world, 33)
    key = world.instance().key
    kept = points_left(world, key)
    delete_softly(world)
    purge_at = world.instance().purge_at
    assert purge_at is not None
    assert purge_at == world.clock.storage_now() + PERIOD
    while world.clock.storage_now() + DAY < purge_at:
        world.clock.advance(DAY)
        assert tick(world.vault, world.memory.orchestrations) == []
        clean_up(world)
        assert newest_job(world).status is JobStatus.COMPLETED, "an untroubled night tells nothing"
        assert points_left(world, key) == kept, "not even what has expired"
    world.clock.advance_to(purge_at)
    clean_up(world)
    assert (points_left(world, key), world.instance().state) == (kept, S.SOFT_DELETED)
    world.clock.advance(PURGE_WAITS)
    clean_up(world)
    assert not is_there(world)
    assert list(world.memory.storage.list_blobs("vault", "points")) == []
    (ended,) = of_type(world, "InstanceDeleted")
    assert ended.body["before"] == {"state": "SoftDeleted"}
    require_rest(world)


def test_the_period_in_force_at_the_deletion_counts_whatever_comes_later():
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 1)
    set_soft_delete(world, SoftDelete.ON, 30)
    delete_softly(world)
    set_soft_delete(world, SoftDelete.OFF)
    world.clock.advance(20 * DAY)
    clean_up(world)
    assert is_there(world)
    world.clock.advance(10 * DAY + PURGE_WAITS)
    clean_up(world)
    assert not is_there(world)


def test_an_instance_without_points_waits_as_well():
    world = deleted(points=0)
    clean_up(world)
    assert is_there(world)
    world.clock.advance(PERIOD + PURGE_WAITS)
    clean_up(world)
    assert not is_there(world)


def test_a_forged_row_makes_the_period_no_shorter():
    world = deleted()
    key = world.instance().key
    past = (world.clock.storage_now() - DAY).isoformat()
    for forged in ({"purge_at": past}, {"state": "SoftDeleting", "purge_at": ""}, {"purge_at": ""}):
        edit_instance(world, key, **forged)
        clean_up(world)
        assert len(points_left(world, key)) == 2, forged
        assert is_there(world)
        assert read_soft_deletion(world.vault.ports, world.instance()).purge_at > world.clock.storage_now()
    assert ("RowsDiffer", key) in [(event, facts.get("instance")) for event, facts in world.memory.telemetry.events]


def test_a_forged_row_makes_no_undeletion_possible_that_the_journal_does_not_know():
    world = deleted()
    edit_instance(world, world.instance().key, deletion_seq=1)
    with pytest.raises(IntegrityError):
        undelete(world.vault, INSTANCE_ID, ACTOR)


def test_who_approved_a_soft_deletion_approved_no_other():
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 1)
    soft = ask_to_delete(world)
    approve(world, soft)
    set_soft_delete(world, SoftDelete.OFF)
    assert ask_to_delete(world) != soft
    assert of_type(world, "DataDeletionRequested") == []
    set_soft_delete(world, SoftDelete.ON)
    assert request_deletion(world.vault, INSTANCE_ID, ACTOR) == world.instance()
    require_used_once(world, soft)


def test_the_approver_reads_for_how_long_it_can_be_taken_back():
    world = protected()
    with pytest.raises(ApprovalRequiredError, match="nothing is deleted for 14 days"):
        request_deletion(world.vault, INSTANCE_ID, ACTOR)


def test_an_undeleted_instance_is_a_stopped_one_and_resumes_with_the_roles_that_it_had():
    world = deleted()
    key, roles = world.instance().key, list(world.memory.roles.grants)
    world.clock.advance(PERIOD - DAY)
    back = undelete(world.vault, INSTANCE_ID, ACTOR)
    assert (back.state, back.purge_at, back.deletion_seq) == (S.STOPPED, None, 0)
    assert undelete(world.vault, INSTANCE_ID, ACTOR) == back, "the same request again"
    assert len(of_type(world, "InstanceUndeleted")) == 1
    world.clock.advance(60 * DAY)
    clean_up(world)
    assert points_left(world, key) == [6, 5], "retained for ever"
    assert world.memory.roles.grants == roles
    with pytest.raises(ApprovalRequiredError) as refused:
        change(world, Verb.RESUME_PROTECTION)
    approve(world, refused.value.target)
    assert change(world, Verb.RESUME_PROTECTION) is S.CONFIGURED
    world.clock.advance(DAY)
    assert len(tick(world.vault, world.memory.orchestrations)) == 1
    (slept,) = catalog.list_missed(world.vault.ports, key)
    assert (slept["first"], slept["reason"]) == (of_type(world, "DataDeletionRequested")[0].at.isoformat(), "Stopped")
    require_whole_journal(world)


def test_an_undeleted_instance_can_be_deleted_again_and_its_period_begins_anew():
    world = deleted()
    world.clock.advance(PERIOD - DAY)
    undelete(world.vault, INSTANCE_ID, ACTOR)
    delete_softly(world)
    world.clock.advance(PERIOD - DAY)
    clean_up(world)
    assert len(points_left(world, world.instance().key)) == 2
    world.clock.advance(DAY + PURGE_WAITS)
    clean_up(world)
    assert not is_there(world)


def test_after_the_period_nothing_is_undeleted():
    world = deleted()
    world.clock.advance(PERIOD)
    with pytest.raises(ConflictError, match="soft delete period") as refused:
        undelete(world.vault, INSTANCE_ID, ACTOR)
    assert refused.value.code == BEING_DELETED
    world.clock.advance(PURGE_WAITS)
    clean_up(world)
    with pytest.raises(NotFoundError):
        undelete(world.vault, INSTANCE_ID, ACTOR)


@pytest.mark.parametrize("state", [S.CONFIGURED, S.STOPPED])
def test_only_what_is_deleted_is_undeleted(state: ProtectionState):
    world = protected()
    if state is S.STOPPED:
        change(world, Verb.STOP)
    with pytest.raises(NotFoundError, match="no soft-deleted backup instance"):
        undelete(world.vault, INSTANCE_ID, ACTOR)


@pytest.mark.parametrize("name", ["pg-orders", "other"])
def test_a_server_of_a_soft_deleted_instance_is_refused_with_every_remedy(name: str):
    world = deleted()
    purge_at = world.instance().purge_at
    assert purge_at is not None
    world.memory.servers.remove(SERVER_ID)  # and made again under its old name
    world.memory.servers.put(protected().memory.servers.get(SERVER_ID))
    for ask in (
        lambda: protect(world, request_key="anew", instance_id=f"{VAULT_ID}/backupInstances/{name}"),
        lambda: validate_for_backup(world.vault, SERVER_ID, "daily"),
    ):
        with pytest.raises(InvalidInputError) as refused:
            ask()
        assert refused.value.code == "UserErrorDppDatasourceAlreadyProtected"
        assert (
            f"'pg-orders' of this vault, which is SoftDeleted: it can be undeleted until {purge_at.isoformat()}"
            in refused.value.message
        )
        assert "/pg-orders/undelete, then resumeProtection, or wait, or protect" in refused.value.message
        for remedy in ("deletedBackupInstances/pg-orders/undelete", "resumeProtection", "wait until", "another vault"):
            assert remedy in refused.value.hint
    world.clock.advance(PERIOD + PURGE_WAITS)
    clean_up(world)
    protect(world, request_key="anew", instance_id=f"{VAULT_ID}/backupInstances/{name}")


@pytest.mark.parametrize("verb", list(Verb))
def test_a_verb_on_a_soft_deleted_instance_says_to_undelete_it(verb: Verb):
    world = deleted(points=0)
    with pytest.raises(ConflictError) as refused:
        change(world, verb)
    assert (refused.value.code, "undelete" in refused.value.hint) == (SOFT_DELETED, True)
    assert "POST deletedBackupInstances/pg-orders/undelete, then resumeProtection" in refused.value.message
    with pytest.raises(ConflictError):
        back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "request-1")


def test_what_storage_protects_for_longer_stays_until_its_date_and_the_instance_with_it():
    world = deleted(immutability=Immutability.UNLOCKED)
    key, purge_at = world.instance().key, world.instance().purge_at
    assert purge_at is not None
    gone_at = find_gone_at(world.vault.ports, world.instance(), purge_at)
    assert gone_at == max(point.expiry_time for point in catalog.list_points(world.vault.ports, key)) > purge_at
    world.clock.advance(PERIOD + PURGE_WAITS)
    clean_up(world)
    assert (len(points_left(world, key)), world.instance().state) == (2, S.SOFT_DELETED)
    world.clock.advance_to(gone_at)
    clean_up(world)
    assert not is_there(world)


def test_a_hold_keeps_a_soft_deleted_instance_beyond_its_period():
    world = deleted()
    key = world.instance().key
    place_hold(world.vault, world.instance(), HoldOrder(name="audit", reason="as the auditor asked"), ACTOR)
    world.clock.advance(PERIOD + PURGE_WAITS)
    clean_up(world)
    assert (len(points_left(world, key)), world.instance().state) == (2, S.SOFT_DELETED)
    assert "audit" in newest_job(world).warnings[0]["message"]


def test_a_point_of_a_soft_deleted_instance_is_restored():
    world = deleted()
    restore_point(
        world.vault, restore_order(catalog.list_points(world.vault.ports, world.instance().key)[0].point_id), "r"
    )
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_a_backup_that_was_claimed_is_not_started_and_its_slot_is_told():
    world = claimed()
    delete_softly(world)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.CANCELLED
    assert list(world.memory.ltr.accepted) == []
    assert [record["reason"] for record in catalog.list_missed(world.vault.ports, world.instance().key)] == ["Stopped"]


def test_the_preview_says_when_the_points_of_a_soft_deleted_instance_go():
    world = deleted()
    now, purge_at = world.clock.storage_now(), world.instance().purge_at
    preview = preview_instance(world.vault, world.instance(), now)
    assert [point.deleted_at for point in preview.present] == [purge_at, purge_at]


def test_a_policy_is_in_use_by_a_soft_deleted_instance():
    world = deleted()
    with pytest.raises(InvalidInputError, match="pg-orders"):
        delete_policy(world.vault, "daily", ACTOR)


def test_a_plan_that_was_made_before_an_undeletion_deletes_nothing_of_a_later_soft_deletion():
    world = deleted(points=3)
    key = world.instance().key
    undelete(world.vault, INSTANCE_ID, ACTOR)
    change(world, Verb.RESUME_PROTECTION)
    delete_softly(world)
    clean_up(world)
    assert len(points_left(world, key)) == 3
    assert [entry.type for entry in entries(world, key)].count("Tombstoned") == 0
