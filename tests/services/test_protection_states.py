"""What a person may do with the protection of an instance, and what it means for its backups and recovery points."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from flexvault.domain.errors import (
    ApprovalRequiredError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    VaultError,
)
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.protection_moves import BEING_DELETED, BUSY, NOT_PROTECTED, STOPPED, Verb
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.effects import run
from flexvault.services.holds import HoldOrder, place_hold, release_hold
from flexvault.services.policies import delete_policy
from flexvault.services.protection import ProtectionRequest, request_protection
from flexvault.services.protection_states import request_deletion
from flexvault.services.requests import RestoreOrder, back_up_now, restore_point
from flexvault.services.scheduling import tick
from flexvault.services.show_schedule import read_schedule
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    MONDAY,
    SERVER_ID,
    VAULT_ID,
    World,
    protect,
    request_of,
    run_jobs,
    run_one,
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
    live,
    points_left,
    put_state,
)
from tests.services.invariants import entries, require_rest, require_whole_journal
from tests.services.running import FIRST_SLOT, claimed, newest_job, protected, run_until

S = ProtectionState
STOP, SUSPEND, RESUME, RESUME_PROTECTION = Verb.STOP, Verb.SUSPEND, Verb.RESUME_BACKUPS, Verb.RESUME_PROTECTION


# Moves ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [
        pytest.param(before, verb, after, id=f"{verb} of {before} leads to {after}")
        for before, verb, after in [
            (S.CONFIGURED, STOP, S.STOPPED),
            (S.CONFIGURED, SUSPEND, S.SUSPENDED),
            (S.CONFIGURED, RESUME, S.CONFIGURED),
            (S.CONFIGURED, RESUME_PROTECTION, S.CONFIGURED),
            (S.SUSPENDED, STOP, S.STOPPED),
            (S.SUSPENDED, SUSPEND, S.SUSPENDED),
            (S.SUSPENDED, RESUME, S.CONFIGURED),
            (S.SUSPENDED, RESUME_PROTECTION, S.CONFIGURED),
            (S.STOPPED, STOP, S.STOPPED),
            (S.STOPPED, RESUME_PROTECTION, S.CONFIGURED),
        ]
    ],
)
def test_a_verb_leads_to_its_state_with_one_entry_and_a_repetition_changes_nothing(
    before: ProtectionState, verb: Verb, after: ProtectionState
):
    world = in_state(before)
    journalled = len(entries(world, "vault"))
    assert [change(world, verb) for _ in range(2)] == [after, after]
    new = entries(world, "vault")[journalled:]
    assert len(new) == (0 if before is after else 1)
    for entry in new:
        assert (entry.body["before"]["state"], entry.body["after"]["state"]) == (before, after)
        assert entry.actor == ACTOR
    require_whole_journal(world)


@pytest.mark.parametrize(
    ("state", "verb", "error", "code", "hint"),
    [
        pytest.param(state, verb, error, code, hint, id=f"{verb} of {state}")
        for state, verbs, error, code, hint in [
            (S.STOPPED, (SUSPEND, RESUME), InvalidInputError, STOPPED, "resumeProtection"),
            (S.FAILED, tuple(Verb), InvalidInputError, NOT_PROTECTED, "PUT it again"),
            (S.CONFIGURING, tuple(Verb), ConflictError, BUSY, "wait until it is ProtectionConfigured"),
            (S.UPDATING, tuple(Verb), ConflictError, BUSY, "wait until it is ProtectionConfigured"),
            (S.DELETING, tuple(Verb), ConflictError, BEING_DELETED, "wait until its last recovery point is gone"),
        ]
        for verb in verbs
    ],
)
def test_a_verb_that_a_state_forbids_is_refused_with_what_to_do(
    state: ProtectionState, verb: Verb, error: type[VaultError], code: str, hint: str
):
    world = in_state(state)
    with pytest.raises(error) as refused:
        change(world, verb)
    assert refused.value.code == code
    assert hint in refused.value.hint
    assert world.instance().state is state


@pytest.mark.parametrize("verb", list(Verb))
def test_an_instance_that_is_not_there_is_not_found(verb: Verb):
    world = in_state(S.DELETING)
    clean_up(world)
    with pytest.raises(NotFoundError):
        change(world, verb)


def back_up(world: World) -> None:
    back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "request-1")


def put_again(world: World) -> None:
    protect(world, request_key="again")


@pytest.mark.parametrize(
    ("state", "request_it", "error", "code", "hint"),
    [
        pytest.param(S.SUSPENDED, back_up, InvalidInputError, NOT_PROTECTED, "resumeBackups", id="back up suspended"),
        pytest.param(S.STOPPED, back_up, InvalidInputError, NOT_PROTECTED, "resumeProtection", id="back up stopped"),
        pytest.param(S.FAILED, back_up, InvalidInputError, NOT_PROTECTED, "PUT it again", id="back up failed"),
        pytest.param(S.CONFIGURING, back_up, InvalidInputError, NOT_PROTECTED, "wait until", id="back up too early"),
        pytest.param(S.DELETING, back_up, ConflictError, BEING_DELETED, "wait until", id="back up deleting"),
        pytest.param(S.SUSPENDED, put_again, InvalidInputError, NOT_PROTECTED, "resumeBackups", id="PUT suspended"),
        pytest.param(S.STOPPED, put_again, InvalidInputError, NOT_PROTECTED, "resumeProtection", id="PUT stopped"),
        pytest.param(S.DELETING, put_again, ConflictError, BEING_DELETED, "wait until", id="PUT deleting"),
    ],
)
def test_what_a_state_does_not_allow_is_refused_with_what_to_do(
    state: ProtectionState, request_it: Callable[[World], None], error: type[VaultError], code: str, hint: str
):
    world = in_state(state)
    with pytest.raises(error) as refused:
        request_it(world)
    assert refused.value.code == code
    assert hint in refused.value.hint
    assert world.instance().state is state
    assert world.open_jobs() == []


def test_a_configuration_whose_instance_was_stopped_meanwhile_fails_and_wakes_nothing_up():
    world = protected()
    request = ProtectionRequest(
        instance_id=INSTANCE_ID, name="pg-orders", server_id=SERVER_ID, policy_name="daily", properties={}
    )
    opened = request_protection(world.vault, request, ACTOR, "again")[2]
    assert opened is not None
    put_state(world, S.STOPPED)  # as if the stop had come before the request's own entry
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert world.instance().state is S.STOPPED


# Backups and the schedule --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.SUSPENDED, S.STOPPED, S.DELETING])
def test_no_slot_is_claimed_while_the_schedule_sleeps(state: ProtectionState):
    world = in_state(state)
    for _ in range(3):
        assert tick(world.vault, world.memory.orchestrations) == []
        world.clock.advance(DAY)


@pytest.mark.parametrize("state", [S.SUSPENDED, S.STOPPED, S.DELETING])
def test_a_backup_that_was_claimed_and_not_started_is_cancelled(state: ProtectionState):
    world = claimed()
    if state is S.DELETING:
        begin_deletion(world)
    else:
        change(world, SUSPEND if state is S.SUSPENDED else STOP)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.CANCELLED
    assert list(world.memory.ltr.accepted) == []
    missed = [] if state is S.DELETING else [(FIRST_SLOT.isoformat(), 1, REASONS[state])]
    records = catalog.list_missed(world.vault.ports, world.instance().key)
    assert [(record["first"], record["count"], record["reason"]) for record in records] == missed
    require_whole_journal(world)


REASONS = {S.SUSPENDED: "Suspended", S.STOPPED: "Stopped"}


@pytest.mark.parametrize("verb", [STOP, SUSPEND])
def test_a_backup_that_was_started_goes_on_to_its_recovery_point(verb: Verb):
    world = claimed()
    run_until(world, Step.POLLING)
    change(world, verb)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert points_left(world, world.instance().key) == [5]


@pytest.mark.parametrize(
    ("pause", "resume", "reason"),
    [
        pytest.param([SUSPEND], RESUME, "Suspended", id="suspended"),
        pytest.param([STOP], RESUME_PROTECTION, "Stopped", id="stopped"),
        pytest.param([SUSPEND, STOP], RESUME_PROTECTION, "Stopped", id="suspended, then stopped"),
    ],
)
def test_slots_of_a_pause_are_neither_caught_up_nor_missed_and_one_record_says_how_long_it_was(
    pause: list[Verb], resume: Verb, reason: str
):
    world = protected()
    add_points(world, 1)
    stopped_at = world.clock.storage_now()
    for verb in pause:
        change(world, verb)
        world.clock.advance(2 * DAY)
    resumed_at = world.clock.storage_now()
    change(world, resume)
    assert tick(world.vault, world.memory.orchestrations) == []
    assert catalog.list_missed(world.vault.ports, world.instance().key) == [
        {"first": stopped_at.isoformat(), "last": resumed_at.isoformat(), "count": None, "reason": reason}
    ]
    assert catalog.find_slots_from(world.vault.ports, world.instance().key) == resumed_at
    world.clock.advance(DAY)
    assert len(tick(world.vault, world.memory.orchestrations)) == 1


def test_every_pause_has_a_record_of_its_own_even_within_one_second():
    world = protected()
    for _ in range(3):
        change(world, STOP)
        change(world, RESUME_PROTECTION)
    assert len(catalog.list_missed(world.vault.ports, world.instance().key)) == 3


def test_the_schedule_shows_what_comes_what_was_and_what_was_missed():
    world = protected()
    fresh = read_schedule(world.vault, world.instance())
    assert (fresh.next_slot, fresh.last_slot, fresh.missed) == (FIRST_SLOT + DAY, None, ())
    add_points(world, 1)
    world.clock.advance_to(FIRST_SLOT + 4 * DAY)
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    change(world, SUSPEND)
    asleep = read_schedule(world.vault, world.instance())
    assert (asleep.next_slot, asleep.last_slot) == (None, FIRST_SLOT + 4 * DAY)
    change(world, RESUME)
    woken = read_schedule(world.vault, world.instance())
    assert woken.next_slot == FIRST_SLOT + 5 * DAY
    assert [(record["reason"], record["count"]) for record in woken.missed] == [
        ("Suspended", None),
        ("ControlPlaneDown", 3),
    ]


# Recovery points -----------------------------------------------------------------------------------------------------


def test_a_stopped_instance_retains_what_has_expired_and_resumes_with_an_approval_to_let_it_go():
    world = protected()
    add_points(world, 3)
    change(world, STOP)
    live(world, 40)
    key = world.instance().key
    assert points_left(world, key) == [7, 6, 5]
    with pytest.raises(ApprovalRequiredError, match=r"3 of 3 would expire at once.*2026-02-05") as refused:
        change(world, RESUME_PROTECTION)
    assert world.instance().state is S.STOPPED
    approve(world, refused.value.target)
    change(world, RESUME_PROTECTION)
    require_used_once(world, refused.value.target)
    clean_up(world)
    clean_up(world)
    assert points_left(world, key) == [7]


def test_one_person_resumes_a_stopped_instance_of_which_nothing_has_expired():
    world = protected()
    add_points(world, 3)
    change(world, STOP)
    live(world, 20)
    assert change(world, RESUME_PROTECTION) is S.CONFIGURED


def test_a_suspended_instance_keeps_only_its_newest_point_in_the_end():
    world = protected()
    add_points(world, 3)
    change(world, SUSPEND)
    live(world, 40)
    assert points_left(world, world.instance().key) == [7]


def test_a_stop_holds_back_what_a_plan_was_about_to_delete():
    world = protected()
    add_points(world, 3)
    change(world, SUSPEND)
    live(world, 28)
    world.clock.advance(2 * DAY)
    begin_retention(world.vault, world.memory.orchestrations)
    (opened,) = world.open_jobs()
    run_one(world, opened)
    change(world, STOP)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert points_left(world, world.instance().key) == [7, 6, 5]


# Deletion ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [S.CONFIGURED, S.SUSPENDED, S.STOPPED, S.FAILED])
def test_a_deletion_waits_for_a_second_person_and_then_deletes_everything(state: ProtectionState):
    world = protected()
    add_points(world, 2)
    if state in {S.SUSPENDED, S.STOPPED}:
        change(world, SUSPEND if state is S.SUSPENDED else STOP)
    elif state is S.FAILED:
        put_state(world, state)
    key = world.instance().key
    approval_id = ask_to_delete(world)
    clean_up(world)
    assert points_left(world, key) == [6, 5]
    approve(world, approval_id)
    clean_up(world)
    assert points_left(world, key) == [6, 5]
    found = request_deletion(world.vault, INSTANCE_ID, ACTOR)
    assert found is not None
    assert (found[0].state, found[1]) == (S.DELETING, True)
    require_used_once(world, approval_id)
    assert request_deletion(world.vault, INSTANCE_ID, ACTOR) == (world.instance(), False)
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
    world = protected()
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
    world = protected()
    approval_id = ask_to_delete(world)
    approve(world, approval_id)
    change(world, STOP)
    assert ask_to_delete(world) != approval_id
    assert of_type(world, "DataDeletionRequested") == []


def test_the_approval_of_one_person_lets_no_other_delete():
    world = protected()
    approve(world, ask_to_delete(world))
    with pytest.raises(ApprovalRequiredError):
        request_deletion(world.vault, INSTANCE_ID, OTHER)


def test_a_held_point_keeps_the_deletion_from_ending_until_it_is_released():
    world = protected()
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
    world = protected()
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
    world = protected()
    add_points(world, 2)
    begin_deletion(world)
    key = world.instance().key
    oldest = catalog.list_points(world.vault.ports, key)[1]
    order = RestoreOrder(
        instance_id=INSTANCE_ID,
        point_id=oldest.point_id,
        container_url="https://restore.example/mine",
        file_prefix="again",
    )
    restore_point(world.vault, order, "restore")
    (opened,) = world.open_jobs()
    run_until(world, Step.COPYING)
    begin_retention(world.vault, world.memory.orchestrations)
    retention = next(job for job in world.open_jobs() if job.operation == "retention")
    while run(world.vault, request_of(retention)).next is not None:
        retention = next(job for job in world.open_jobs() if job.operation == "retention")
    assert points_left(world, key) == [5]
    assert world.instance().state is S.DELETING
    run_jobs(world)
    restored = catalog.find_job(world.vault.ports, opened.job_id)
    assert restored is not None
    assert restored.status is JobStatus.COMPLETED
    clean_up(world)
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None


def test_a_backup_that_runs_keeps_the_deletion_open_and_its_point_goes_with_the_next_plan():
    world = claimed()
    opened = run_until(world, Step.POLLING)
    begin_deletion(world)
    key = world.instance().key
    begin_retention(world.vault, world.memory.orchestrations)
    retention = next(job for job in world.open_jobs() if job.operation == "retention")
    while run(world.vault, request_of(retention)).next is not None:
        retention = next(job for job in world.open_jobs() if job.operation == "retention")
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
    world = protected()
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
    world = protected()
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
    world = protected()
    change(world, SUSPEND)
    world.clock.advance(DAY)
    change(world, RESUME)
    assert len(read_schedule(world.vault, world.instance()).missed) == 1
    begin_deletion(world)
    clean_up(world)
    world.clock.advance(DAY)
    protect(world, request_key="anew")
    assert read_schedule(world.vault, world.instance()).missed == ()
    change(world, SUSPEND)
    world.clock.advance(DAY)
    change(world, RESUME)
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
