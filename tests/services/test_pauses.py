"""What a pause of protection means for an instance's backups, its schedule and its recovery points."""

import pytest

from flexvault.domain.errors import (
    ApprovalRequiredError,
)
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.protection_moves import Verb
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.scheduling import tick
from flexvault.services.show_schedule import read_schedule
from tests.builders import (
    run_jobs,
    run_one,
)
from tests.services.approving import approve, require_used_once
from tests.services.changing import (
    DAY,
    add_points,
    begin_deletion,
    change,
    clean_up,
    in_state,
    live,
    points_left,
)
from tests.services.invariants import require_whole_journal
from tests.services.running import FIRST_SLOT, claimed, newest_job, protected, run_until

S = ProtectionState
STOP, SUSPEND, RESUME, RESUME_PROTECTION = Verb.STOP, Verb.SUSPEND, Verb.RESUME_BACKUPS, Verb.RESUME_PROTECTION
REASONS = {S.SUSPENDED: "Suspended", S.STOPPED: "Stopped"}


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
