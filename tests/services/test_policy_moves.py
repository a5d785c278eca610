"""A protected instance goes under a weaker policy only when a second person has approved just that."""

import pytest

from flexvault.domain.approval import USABLE_FOR, ApprovalState
from flexvault.domain.errors import ApprovalRequiredError, ConflictError, TransientError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus
from flexvault.services.policies import delete_policy, put_policy
from tests.builders import ACTOR, World, policy_properties, run_jobs
from tests.services.approving import LONG, SHORT, approve, list_approvals, move, of_type, require_used_once, state
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import require_rest
from tests.services.running import newest_job, protected, quietly, step


def ask_to_move(world: World, policy: str = "short") -> str:
    with pytest.raises(ApprovalRequiredError) as refused:
        move(world.vault, policy)
    return refused.value.target


def with_short() -> World:
    world = protected()
    put_policy(world.vault, "short", SHORT, ACTOR)
    return world


def test_a_protected_instance_is_put_under_a_weaker_policy_only_with_an_approval():
    world = with_short()
    approval_id = ask_to_move(world)
    assert world.open_jobs() == []
    approve(world, approval_id)
    move(world.vault, "short")
    move(world.vault, "short")  # the client sends it again
    run_jobs(world)
    assert (world.instance().policy_name, world.instance().state) == ("short", ProtectionState.CONFIGURED)
    require_used_once(world, approval_id)
    require_rest(world)


def test_the_journal_says_under_which_policy_the_instance_was_before_and_what_a_deleted_policy_said():
    world = protected()
    put_policy(world.vault, "long", LONG, ACTOR)
    move(world.vault, "long")
    run_jobs(world)
    delete_policy(world.vault, "daily", ACTOR)
    first, second = of_type(world, "ProtectionRequested")
    assert first.body["before"] is None
    assert (second.body["before"]["policy_name"], second.body["policy_name"]) == ("daily", "long")
    assert second.body["before"]["properties"] == {"friendlyName": "pg-orders"}
    assert of_type(world, "PolicyDeleted")[0].body["before"] == policy_properties()


def test_an_instance_is_put_under_a_stronger_policy_by_one_person():
    world = protected()
    put_policy(world.vault, "long", LONG, ACTOR)
    move(world.vault, "long")
    run_jobs(world)
    assert world.instance().policy_name == "long"
    assert list_approvals(world.vault) == []


def test_a_first_protection_needs_no_approval():
    assert list_approvals(protected().vault) == []


def test_an_approval_is_of_the_policy_as_the_approver_saw_it():
    world = with_short()
    approval_id = ask_to_move(world)
    approve(world, approval_id)
    put_policy(world.vault, "short", policy_properties(keep_for="P8D"), ACTOR)  # nobody follows it yet
    assert ask_to_move(world) != approval_id


def test_an_approval_is_of_the_policy_that_the_instance_leaves_as_the_approver_saw_it():
    world = with_short()
    approval_id = ask_to_move(world)
    approve(world, approval_id)
    put_policy(world.vault, "daily", policy_properties(keep_for="P10Y"), ACTOR)
    assert ask_to_move(world) != approval_id
    assert world.instance().policy_name == "daily"


def test_an_approved_move_from_a_policy_that_is_strengthened_at_that_moment_is_refused():
    world = with_short()
    approve(world, ask_to_move(world))
    world.memory.faults.run_next("vault_writer.create", quietly(lambda: put_policy(world.vault, "daily", LONG, ACTOR)))
    with pytest.raises(ConflictError, match="was changed while it was put under"):
        move(world.vault, "short")
    run_jobs(world)
    assert (newest_job(world).status, world.instance().policy_name) == (JobStatus.FAILED, "daily")


def test_an_approved_move_to_a_policy_that_is_changed_at_that_moment_is_refused():
    world = with_short()
    approval_id = ask_to_move(world)
    approve(world, approval_id)
    shorter = policy_properties(keep_for="P7D", interval="R/2026-01-05T02:00:00+00:00/P1W")
    world.memory.faults.run_next(
        "vault_writer.create", quietly(lambda: put_policy(world.vault, "short", shorter, ACTOR))
    )
    with pytest.raises(ConflictError, match="was changed while it was put under"):
        move(world.vault, "short")
    run_jobs(world)
    assert (newest_job(world).status, world.instance().policy_name) == (JobStatus.FAILED, "daily")


def test_a_policy_that_is_weakened_while_an_instance_is_put_under_it_needs_an_approval():
    world = protected()
    put_policy(world.vault, "same", policy_properties(), ACTOR)
    world.memory.faults.run_next("vault_writer.create", quietly(lambda: put_policy(world.vault, "same", SHORT, ACTOR)))
    with pytest.raises(ConflictError, match="was changed while it was put under"):
        move(world.vault, "same")
    run_jobs(world)
    assert (newest_job(world).status, world.instance().policy_name) == (JobStatus.FAILED, "daily")
    assert world.instance().state is ProtectionState.CONFIGURED


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_process_may_die_at_any_call_of_an_approved_move(after: bool):
    counted = Interruption()
    quiet = with_short()
    approve(quiet, ask_to_move(quiet))
    move(interrupted(quiet.vault, counted), "short")
    assert len(counted.calls) > 10
    for call, name in enumerate(counted.calls):
        world = with_short()
        approval_id = ask_to_move(world)
        approve(world, approval_id)
        with pytest.raises(CrashError):
            move(interrupted(world.vault, crash_at(call, after=after)), "short")
        if world.open_jobs():
            run_jobs(world)  # nobody sends it again: the job goes on alone
        else:
            move(world.vault, "short")
            run_jobs(world)
        assert world.instance().policy_name == "short", (call, name)
        require_used_once(world, approval_id)
        require_rest(world)


def test_a_job_whose_approval_expired_before_it_could_use_it_fails_and_changes_nothing():
    world = with_short()
    approval_id = ask_to_move(world)
    approve(world, approval_id)
    world.memory.faults.fail_next("vault_writer.create", TransientError("503"))
    with pytest.raises(TransientError):
        move(world.vault, "short")
    world.clock.advance(USABLE_FOR)
    step(world)
    run_jobs(world)
    assert (newest_job(world).status, world.instance().policy_name) == (JobStatus.FAILED, "daily")
    assert (newest_job(world).error or {})["code"] == "ApprovalRequired"
    assert state(world, approval_id) is ApprovalState.EXPIRED
