"""A running backup is looked at until it ends, and whatever it ends with is told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain.errors import TransientError
from flexvault.domain.job import JobStatus, Step
from flexvault.services.reconcile import reconcile
from tests.builders import SERVER_ID, World, run_jobs, run_one
from tests.services.running import accepted_attempts, claimed, hide_started, newest_job, only_open, run_until, step


def running(**script: Any) -> World:
    """A vault whose backup was just accepted."""
    world = claimed()
    world.memory.ltr.script = replace(world.memory.ltr.script, **script)
    run_until(world, Step.STARTING)
    run_one(world, only_open(world))
    return world


def test_the_next_look_comes_when_most_of_the_rest_should_be_over():
    world = running(duration=timedelta(minutes=30))
    world.clock.advance(timedelta(minutes=10))
    assert run_one(world, only_open(world)).wait_seconds == pytest.approx(20 * 60 * 0.9, rel=0.01)


def test_without_a_percentage_the_floors_are_taken_in_turn():
    world = running(duration=timedelta(hours=10), reports_percent=False)
    assert [step(world).wait_seconds for _ in range(5)] == [600, 1200, 1800, 1800, 1800]


def test_progress_is_shown_while_it_runs():
    world = running(duration=timedelta(minutes=40))
    world.clock.advance(timedelta(minutes=10))
    step(world)
    tasks = {task["name"]: task for task in newest_job(world).sub_tasks}
    assert tasks["Back up server"]["percent"] == pytest.approx(25)
    assert tasks["Trigger Backup"]["status"] == "Completed"
    assert tasks["Promote to vault"]["status"] == "NotStarted"


def test_a_backup_that_outlives_its_sas_is_looked_at_hourly_and_warned_of_once():
    world = running(duration=timedelta(hours=60), reports_percent=False)
    world.clock.advance(timedelta(hours=49))
    assert [step(world).wait_seconds for _ in range(3)] == [3600, 3600, 3600]
    assert [warning["code"] for warning in newest_job(world).warnings] == ["BackupIsOverdue"]


def test_a_backup_without_an_end_is_given_up_after_seven_days():
    world = running(duration=timedelta(days=30))
    world.clock.advance(timedelta(days=7, seconds=1))
    step(world)
    job = newest_job(world)
    assert (job.status, (job.error or {})["code"]) == (JobStatus.FAILED, "BackupOverdue")
    assert world.open_jobs() == []


@pytest.mark.parametrize("word", ["Queued", "", "Migrating"])
def test_a_status_that_is_not_known_counts_as_running(word: str):
    world = running(status=word)
    world.clock.advance(timedelta(minutes=20))
    assert step(world).next is Step.POLLING


@pytest.mark.parametrize("word", ["Failed", "Cancelled", "Canceled"])
def test_a_failed_backup_is_tried_again_with_another_name(word: str):
    world = running(status=word, error_code="InternalServerError", error_message="disk went away")
    run_until(world, Step.PREPARING)
    world.memory.ltr.script = replace(world.memory.ltr.script, status="Succeeded", error_code="")
    run_jobs(world)
    job = newest_job(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    assert [warning["code"] for warning in job.warnings] == ["AttemptFailed"]
    assert "disk went away" in job.warnings[0]["message"]
    assert accepted_attempts(world) == [1, 2]


def test_three_failed_attempts_close_the_job_with_the_last_ones_error():
    world = running(status="Failed", error_code="InternalServerError", error_message="no")
    run_jobs(world)
    job = newest_job(world)
    assert accepted_attempts(world) == [1, 2, 3]
    assert job.status is JobStatus.FAILED
    assert (job.error or {})["innerError"] == {"code": "InternalServerError"}


def test_no_attempt_begins_in_the_second_half_of_the_interval():
    world = running(status="Failed", duration=timedelta(hours=12, minutes=1))
    run_jobs(world)
    assert accepted_attempts(world) == [1]
    assert newest_job(world).status is JobStatus.FAILED


@pytest.mark.parametrize("code", ["AuthorizationFailed", "ResourceNotFound", "ResourceGroupNotFound"])
def test_a_failure_that_repeating_cannot_mend_closes_the_job_at_once(code: str):
    world = running(status="Failed", error_code=code)
    run_jobs(world)
    assert accepted_attempts(world) == [1]
    assert (newest_job(world).error or {})["innerError"] == {"code": code}


def test_a_server_that_is_deleted_while_it_is_backed_up_closes_the_job():
    world = running(duration=timedelta(hours=1))
    world.memory.servers.remove(SERVER_ID)
    hide_started(world, lambda: True)  # a server that is gone answers 404 for every name
    step(world)
    error = newest_job(world).error or {}
    assert newest_job(world).status is JobStatus.FAILED
    assert error["innerError"] == {"code": "ResourceNotFound"}


def test_a_look_that_fails_for_a_moment_changes_nothing():
    world = running()
    world.memory.faults.fail_next("ltr.find", TransientError("503"))
    with pytest.raises(TransientError):
        run_one(world, only_open(world))
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_a_long_backup_is_never_closed_for_want_of_progress():
    world = running(duration=timedelta(hours=40), reports_percent=False)
    for _ in range(10):
        run_one(world, only_open(world))  # it is looked at, then its orchestration is lost
        world.clock.advance_to(only_open(world).next_check_at + timedelta(minutes=11))
        world.memory.orchestrations.wipe()
        reconcile(world.vault, world.memory.orchestrations)
    assert only_open(world).step is Step.POLLING
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
