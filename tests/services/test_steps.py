"""One step of a job: fenced by generation and step, moved only by a result."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from flexvault.domain import row_keys
from flexvault.domain.errors import IntegrityError, PermanentError, TransientError
from flexvault.domain.job import InvalidTransitionError, JobStatus, Outcome, Result, Step
from flexvault.domain.open_job import OpenJob
from flexvault.domain.rows import Merge, Replace
from flexvault.messages import StepAnswer, StepRequest
from flexvault.services.close_job import close_job
from flexvault.services.steps import StepRun, lease, run_step
from tests.builders import World, request_of
from tests.services.running import claimed, newest_job, only_open

type Effect = Callable[[StepRun], Result]


def run(world: World, effect: Effect, request: StepRequest | None = None) -> StepAnswer:
    """Run the present step with an effect of the test's own."""
    effects = dict.fromkeys(Step, effect) | {Step.CLOSING: close_job}
    return run_step(world.vault, request or request_of(only_open(world)), effects)


def done(_run: StepRun) -> Result:
    return Result(outcome=Outcome.DONE, state={"seen": True})


def change_row(world: World, **changes: object) -> None:
    """Write the open row as another run would."""
    opened = only_open(world)
    changed = opened.changed(**changes)
    change = Replace(key=opened.key, values=changed.to_values(), etag=opened.etag)
    world.vault.ports.rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, [change])


def never(_run: StepRun) -> Result:
    pytest.fail("the effect ran")


def test_a_result_moves_the_step_and_says_when_the_next_is_due():
    world = claimed()
    answer = run(world, lambda _run: Result(outcome=Outcome.DONE, wait_seconds=90, state={"a": 1}, attempt=2))
    opened = only_open(world)
    assert answer == StepAnswer(next=Step.STARTING, wait_seconds=90)
    assert (opened.step, opened.attempt, opened.state["a"]) == (Step.STARTING, 2, 1)
    assert opened.next_check_at == world.clock.storage_now() + timedelta(seconds=90)
    assert opened.written_generation == opened.generation


def test_a_run_of_an_older_generation_is_superseded_and_does_nothing():
    world = claimed()
    request = request_of(only_open(world))
    change_row(world, generation=2)
    before = only_open(world)
    assert run(world, never, request) == StepAnswer(next=None, superseded=True)
    assert only_open(world) == before


def test_a_run_of_another_step_looks_again_and_does_nothing():
    world = claimed()
    request = request_of(only_open(world))
    change_row(world, step=Step.PROMOTING)
    assert run(world, never, request) == StepAnswer(next=Step.PROMOTING)


def test_a_run_of_a_job_that_is_closed_is_superseded():
    world = claimed()
    request = request_of(only_open(world))
    opened = only_open(world)
    world.vault.ports.rows.apply(
        row_keys.JOBS, row_keys.JOBS_PARTITION, [Merge(key=opened.key, values={"job_id": "another"})]
    )
    assert run(world, never, request).superseded


def test_h7_a_late_run_never_sets_the_step_back():
    world = claimed()
    request = request_of(only_open(world))

    def effect(late: StepRun) -> Result:
        change_row(world, step=Step.SEALING)  # a second run of the same generation was faster
        return done(late)

    assert run(world, effect, request) == StepAnswer(next=Step.SEALING)
    assert only_open(world).step is Step.SEALING
    assert "seen" not in only_open(world).state


def test_h8_a_lost_write_inside_one_generation_is_applied_again_to_the_newer_row():
    world = claimed()

    def effect(_run: StepRun) -> Result:
        change_row(world, state={"other": 1})
        return Result(outcome=Outcome.DONE, state={"mine": 2})

    assert run(world, effect).next is Step.STARTING
    assert {"other": 1, "mine": 2}.items() <= only_open(world).state.items()


def test_h8_a_lost_write_to_another_generation_stops():
    world = claimed()

    def effect(_run: StepRun) -> Result:
        change_row(world, generation=2)
        return Result(outcome=Outcome.DONE, state={"mine": 2})

    assert run(world, effect).superseded
    assert (only_open(world).step, "mine" in only_open(world).state) == (Step.PREPARING, False)


def test_an_intent_renews_the_lease_and_leaves_the_step():
    world = claimed()
    seen: list[OpenJob] = []

    def effect(run: StepRun) -> Result:
        world.clock.advance(timedelta(minutes=7))
        run.record(lambda _current: {"intent": 1}, job={"transferred_bytes": 5})
        seen.append(only_open(world))
        return done(run)

    run(world, effect)
    assert seen[0].step is Step.PREPARING
    assert seen[0].state["intent"] == 1
    assert seen[0].next_check_at == world.clock.storage_now() + lease(world.vault.settings)
    assert newest_job(world).transferred_bytes == 5


def test_the_lease_is_renewed_before_the_effect_begins():
    world = claimed()
    world.clock.advance(timedelta(minutes=30))
    run(world, lambda run: done(run) if only_open(world).next_check_at > world.clock.storage_now() else never(run))


def test_a_permanent_error_is_an_outcome_and_closes_the_job_at_once():
    world = claimed()

    def effect(_run: StepRun) -> Result:
        raise IntegrityError("bytes differ", code="ChecksumDiffers", hint="look")

    assert run(world, effect) == StepAnswer(next=None)
    job = newest_job(world)
    assert job.status is JobStatus.FAILED
    error = job.error or {}
    assert (error["code"], error["message"], error["recommendedAction"]) == (
        "ChecksumDiffers",
        "bytes differ",
        ["look"],
    )
    assert error["isUserError"] is False
    assert world.open_jobs() == []


def test_a_transient_error_is_raised_for_the_retry_policy_and_changes_nothing():
    world = claimed()

    def effect(_run: StepRun) -> Result:
        raise TransientError("503")

    with pytest.raises(TransientError):
        run(world, effect)
    assert only_open(world).step is Step.PREPARING
    assert newest_job(world).status is JobStatus.IN_PROGRESS


def test_an_outcome_that_a_step_cannot_have_is_a_bug_and_is_raised():
    world = claimed()
    with pytest.raises(InvalidTransitionError):
        run(world, lambda _run: Result(outcome=Outcome.NEXT_ATTEMPT))


def test_a_row_that_others_write_without_end_is_given_up_for_the_retry_policy():
    world = claimed()

    def effect(run: StepRun) -> Result:
        for _ in range(30):  # between each of its reads and its writes somebody else writes
            world.memory.faults.run_next("rows.apply", lambda: write_beside(world))
        return done(run)

    with pytest.raises(TransientError, match="contended"):
        run(world, effect)


def write_beside(world: World) -> None:
    """Give the open row another ETag without passing by the faults."""
    table = world.memory.rows._tables[row_keys.JOBS]
    table[row_keys.JOBS_PARTITION] = {
        key: world.memory.rows._row(key, row.values) for key, row in table[row_keys.JOBS_PARTITION].items()
    }


def test_an_outcome_that_is_written_is_only_finished_by_whoever_meets_it():
    world = claimed()
    change_row(
        world,
        step=Step.CLOSING,
        state={
            "closing_status": "Failed",
            "closing_error": {"code": "Before", "message": "m", "recommendedAction": []},
        },
    )
    run(world, never)
    job = newest_job(world)
    assert (job.status, (job.error or {})["code"]) == (JobStatus.FAILED, "Before")


def test_a_permanent_error_while_closing_is_raised_because_there_is_no_other_end():
    world = claimed()
    change_row(world, step=Step.CLOSING, state={"closing_status": "Completed"})

    def effect(_run: StepRun) -> Result:
        raise PermanentError("journal refused")

    with pytest.raises(PermanentError):
        run_step(world.vault, request_of(only_open(world)), {Step.CLOSING: effect})


def test_one_event_is_sent_per_finished_job():
    world = claimed()

    def effect(_run: StepRun) -> Result:
        raise IntegrityError("bytes differ")

    request = request_of(only_open(world))
    run(world, effect)
    run(world, effect, request)
    sent = [facts for event, facts in world.memory.telemetry.events if event == "JobFailed"]
    assert [(facts["flexvault.operation"], facts["flexvault.error_code"]) for facts in sent] == [
        ("backup", "ChecksumDiffers")
    ]
