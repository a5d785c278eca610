"""How long a backup's SAS lives: a backup that no SAS can outlive is not begun; dead keys cost one attempt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.azure_codes import DURATION_LIMIT
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.open_job import JobRecord
from flexvault.domain.row_keys import JOBS, JOBS_PARTITION, job_row
from flexvault.domain.rows import Merge
from flexvault.domain.sas_life import LONGEST
from flexvault.services import catalog
from flexvault.services.requests import back_up_now
from flexvault.services.scheduling import tick
from tests.builders import INSTANCE_ID, SERVER_ID, World, backup_files, run_jobs
from tests.services.running import accepted_attempts, claimed, newest_job, only_open, run_until, step

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def sealed_after(expected: timedelta) -> World:
    """A vault with one recovery point, whose backup the server wrote for so long."""
    world = claimed()
    run_jobs(world)
    job = newest_job(world)
    row = world.vault.ports.rows.find(JOBS, JOBS_PARTITION, job_row(job.job_id))
    assert row is not None
    values = {"ran_for_seconds": expected.total_seconds()}
    world.vault.ports.rows.apply(JOBS, JOBS_PARTITION, [Merge(key=row.key, values=values, etag=row.etag)])
    return world


def next_slot(world: World) -> JobRecord:
    world.clock.advance(DAY)
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    return newest_job(world)


def test_the_job_says_how_long_the_server_wrote():
    world = claimed()
    run_until(world, Step.POLLING)
    world.clock.advance(3 * HOUR)  # nobody looked for hours after the server was done
    run_jobs(world)
    assert newest_job(world).ran_for_seconds == pytest.approx(timedelta(minutes=10).total_seconds())


def test_how_long_is_told_by_the_servers_clock_alone():
    world = claimed()
    world.clock.host_ahead = 5 * HOUR  # the clock that the double of the server goes by
    run_jobs(world)
    assert newest_job(world).ran_for_seconds == pytest.approx(timedelta(minutes=10).total_seconds())


def test_a_backup_that_cannot_fit_fails_before_a_container_or_a_post():
    world = sealed_after(7 * DAY + 2 * HOUR)
    containers = world.memory.storage.list_containers("landing")

    job = next_slot(world)

    error = job.error or {}
    assert (job.status, error["code"], error["isRetryable"]) == (JobStatus.FAILED, DURATION_LIMIT, False)
    assert "7 d 2 h" in error["message"]
    assert "6 d 23 h" in error["message"]
    assert "pg-orders" in error["message"]
    assert "on demand" in error["recommendedAction"][0]
    assert len(world.memory.ltr.accepted) == 1
    assert world.memory.storage.list_containers("landing") == containers
    assert len(world.memory.storage.grants) == 1


def test_the_limit_itself_does_not_fit_and_a_minute_less_does():
    assert next_slot(sealed_after(LONGEST)).status is JobStatus.FAILED
    fits = next_slot(sealed_after(LONGEST - timedelta(minutes=1)))
    assert fits.status is JobStatus.COMPLETED_WITH_WARNINGS


def test_one_whose_reserve_does_not_fit_gets_the_longest_life_and_a_warning():
    world = sealed_after(2 * DAY)

    job = next_slot(world)

    assert [entry["code"] for entry in job.warnings] == ["SasLifeIsLimited"]
    assert "2 d" in job.warnings[0]["message"]
    newest = world.memory.storage.grants[-1]
    assert newest.expires_at - newest.starts_at == LONGEST + timedelta(minutes=15)


def test_on_demand_it_is_tried_all_the_same_and_makes_the_new_expectation():
    world = sealed_after(8 * DAY)
    assert next_slot(world).status is JobStatus.FAILED

    back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "asked-1")
    run_jobs(world)

    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert [entry["code"] for entry in newest_job(world).warnings] == [DURATION_LIMIT]
    assert next_slot(world).status is JobStatus.COMPLETED


def test_a_server_made_anew_has_no_expectation():
    world = sealed_after(8 * DAY)
    server = world.memory.servers.get(SERVER_ID)
    world.memory.servers.put(replace(server, created_at=world.clock.storage_now()))

    assert next_slot(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert [entry["code"] for entry in newest_job(world).warnings] == ["ServerRecreated"]


def test_keys_revoked_in_the_middle_of_a_backup_cost_one_attempt():
    world = claimed()
    world.memory.ltr.script = LtrScript(files=backup_files(), duration=HOUR)
    run_until(world, Step.POLLING)
    world.clock.advance(timedelta(minutes=5))
    world.memory.storage.revoke_keys()

    run_jobs(world)

    assert accepted_attempts(world) == [1, 2]
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert [entry["code"] for entry in newest_job(world).warnings] == ["AttemptFailed"]
    assert len(catalog.list_points(world.vault.ports, world.instance().key)) == 1


def test_an_attempt_after_a_failed_one_uses_no_key_from_before_a_revocation():
    world = claimed()
    world.memory.ltr.script = LtrScript(files=backup_files(), duration=timedelta(minutes=5))
    run_until(world, Step.POLLING)
    world.memory.storage.revoke_keys()  # within the quarter of an hour by which a first key starts back
    while only_open(world).attempt == 1:
        step(world)
    run_until(world, Step.POLLING)

    first, second = world.memory.storage.grants
    assert first.starts_at < second.starts_at
    assert not world.memory.storage.is_dead(1, world.clock.storage_now())
