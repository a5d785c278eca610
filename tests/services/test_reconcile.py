"""What stopped is brought to a truthful end, whatever the task hub says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.errors import TransientError
from flexvault.domain.job import MAX_TAKEOVERS_WITHOUT_PROGRESS, JobStatus, Step
from flexvault.domain.open_job import OpenJob
from flexvault.domain.rows import Replace
from flexvault.services import catalog
from flexvault.services.reconcile import Reconciled, reconcile, remove_landing_containers, take_over
from flexvault.services.scheduling import tick
from tests.builders import World, run_jobs, run_one
from tests.services.invariants import entries, landing_containers, require_rest
from tests.services.running import accepted_attempts, claimed, newest_job, only_open, quietly, run_until

GRACE = timedelta(seconds=601)


def run_reconcile(world: World) -> Reconciled:
    return reconcile(world.vault, world.memory.orchestrations)


def let_it_get_stale(world: World) -> None:
    world.clock.advance_to(max(opened.next_check_at for opened in world.open_jobs()) + GRACE)


def starts(world: World) -> list[str]:
    return [start.instance_id for start in world.memory.orchestrations.started if start.name == "back_up_server"]


def test_a_job_that_nobody_runs_is_taken_over_by_the_next_generation_at_its_step():
    world = claimed()
    run_until(world, Step.POLLING)
    job_id = only_open(world).job_id
    let_it_get_stale(world)
    assert run_reconcile(world).taken_over == (job_id,)
    opened = only_open(world)
    assert (opened.generation, opened.step) == (2, Step.POLLING)
    assert starts(world)[-1] == f"{job_id}-g2"
    assert world.memory.orchestrations.started[-1].payload["step"] == "Polling"
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    require_rest(world)


def test_a_job_that_is_in_time_is_left_alone():
    world = claimed()
    run_one(world, only_open(world))
    world.clock.advance(timedelta(minutes=9))
    assert run_reconcile(world).taken_over == ()
    assert only_open(world).generation == 1


def test_a_paced_job_is_not_stale_while_it_waits_for_its_moment():
    world = claimed()
    assert only_open(world).next_check_at == only_open(world).not_before
    assert run_reconcile(world).taken_over == ()


def test_h6_a_takeover_moves_the_next_check_so_that_the_next_tick_does_not_fence_it_again():
    world = claimed()
    run_one(world, only_open(world))
    let_it_get_stale(world)
    assert [len(run_reconcile(world).taken_over) for _ in range(3)] == [1, 0, 0]
    assert only_open(world).generation == 2


def test_a_job_that_the_hub_does_not_know_is_taken_over_before_it_is_stale():
    world = claimed()
    run_until(world, Step.POLLING)
    world.memory.orchestrations.wipe()
    assert len(run_reconcile(world).taken_over) == 1
    assert world.clock.storage_now() < only_open(world).next_check_at + timedelta(minutes=10)


def test_a_job_that_writes_at_the_same_moment_keeps_its_generation():
    world = claimed()
    run_one(world, only_open(world))
    let_it_get_stale(world)
    world.memory.faults.run_next("rows.apply", quietly(lambda: run_one(world, only_open(world))))
    assert run_reconcile(world).taken_over == ()
    assert only_open(world).generation == 1


def always_fails(world: World) -> None:
    """One generation runs its step as often as the retry policy does, and gets nowhere."""
    for _ in range(4):
        world.memory.faults.fail_next("vault_writer.stage_block", TransientError("503"))
        with pytest.raises(TransientError):
            run_one(world, only_open(world))


def test_h5_a_step_that_never_gets_further_closes_the_job_and_the_next_slot_runs():
    world = claimed()
    run_until(world, Step.PROMOTING)
    for takeover in range(MAX_TAKEOVERS_WITHOUT_PROGRESS):
        always_fails(world)
        let_it_get_stale(world)
        assert len(run_reconcile(world).taken_over) == 1, f"takeover {takeover}"
    always_fails(world)
    let_it_get_stale(world)
    assert len(run_reconcile(world).closed) == 1
    run_jobs(world)
    job = newest_job(world)
    assert (job.status, (job.error or {})["code"]) == (JobStatus.FAILED, "NoProgress")
    assert "Promoting" in (job.error or {})["message"]
    require_rest(world)
    world.clock.advance(timedelta(days=1))
    assert len(tick(world.vault, world.memory.orchestrations)) == 1
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_generations_that_never_wrote_do_not_count_so_a_hub_outage_closes_nothing():
    world = claimed()
    run_until(world, Step.PROMOTING)
    for _ in range(20):
        let_it_get_stale(world)
        world.memory.orchestrations.wipe()
        assert run_reconcile(world).closed == ()
    assert only_open(world).generation == 21
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def stop_again(world: World, **changes: Any) -> OpenJob:
    """A generation has written, got so far, and died; the next one takes over."""
    opened = only_open(world)
    died = opened.changed(written_generation=opened.generation, **changes)
    change = Replace(key=died.key, values=died.to_values(), etag=opened.etag)
    world.vault.ports.rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, [change])
    successor = take_over(world.vault, only_open(world), world.clock.storage_now())
    assert successor is not None
    return successor


@pytest.mark.parametrize(
    "progress",
    [
        pytest.param({"step": Step.SEALING}, id="another step"),
        pytest.param({"attempt": 2}, id="another attempt"),
        pytest.param({"state": {"progress": "block 8"}}, id="another block"),
    ],
)
def test_progress_of_any_kind_begins_the_count_anew(progress: dict[str, Any]):
    world = claimed()
    for _ in range(MAX_TAKEOVERS_WITHOUT_PROGRESS):
        assert stop_again(world, step=Step.PROMOTING).step is Step.PROMOTING
    assert stop_again(world, **progress).stuck_count == 1
    assert only_open(world).step is not Step.CLOSING


def test_a_job_that_is_closing_is_taken_over_without_end_and_keeps_its_outcome():
    world = claimed()
    for _ in range(MAX_TAKEOVERS_WITHOUT_PROGRESS + 5):
        successor = stop_again(world, step=Step.CLOSING, state={"closing_status": "Completed"})
        assert (successor.step, successor.state.get("closing_error")) == (Step.CLOSING, None)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_a_hub_that_refuses_is_told_and_the_row_is_taken_over_again_later():
    world = claimed()
    run_until(world, Step.POLLING)
    let_it_get_stale(world)
    world.memory.faults.fail_next("orchestrations.start", TransientError("hub", code="TaskHubUnusable"))
    run_reconcile(world)
    assert {event for event, _ in world.memory.telemetry.events} >= {"TaskHubUnusable", "ReconcileFailed"}
    world.clock.advance(timedelta(seconds=31))
    run_reconcile(world)
    assert starts(world)[-1].endswith("-g2")


# Landing containers --------------------------------------------------------------------------------------------------


def failed_attempt() -> tuple[World, str]:
    """A vault whose backup failed for good; its container is left."""
    world = claimed()
    run_until(world, Step.PROMOTING)
    (container,) = only_open(world).state["containers"]
    for blob in world.memory.storage.list_blobs("landing", container):
        world.memory.storage.put("landing", container, blob.name, b"PGDMP cut")
    run_jobs(world)
    assert container in landing_containers(world)
    return world, container


def test_the_containers_of_a_failed_attempt_go_after_fourteen_days():
    world, container = failed_attempt()
    world.clock.advance(timedelta(days=13))
    assert remove_landing_containers(world.vault, world.clock.storage_now()) == 0
    world.clock.advance(timedelta(days=1))
    assert run_reconcile(world).removed_containers == 1
    assert container not in landing_containers(world)


def test_the_containers_of_an_open_job_stay_however_old():
    world = claimed()
    run_until(world, Step.POLLING)
    world.clock.advance(timedelta(days=30))
    assert remove_landing_containers(world.vault, world.clock.storage_now()) == 0
    assert landing_containers(world) == only_open(world).state["containers"]


@pytest.mark.parametrize("name", ["$logs", "mine", "l123", f"l{'z' * 32}a1c0", f"x{'0' * 32}a1c0"])
def test_a_container_that_is_not_the_vaults_is_never_removed(name: str):
    world, _ = failed_attempt()
    world.memory.storage.create_container("landing", name)
    world.clock.advance(timedelta(days=30))
    run_reconcile(world)
    assert name in landing_containers(world)


# A manifest decides --------------------------------------------------------------------------------------------------


def stuck_after_the_manifest() -> World:
    """The manifest is there, its entry is not, and the step never got further."""
    world = claimed()
    run_until(world, Step.SEALING)
    _write_manifest(world)
    for _ in range(MAX_TAKEOVERS_WITHOUT_PROGRESS + 1):
        stop_again(world)
    return world


def _write_manifest(world: World) -> str:
    """Make the manifest as the job's own step would have, because its twin in another vault did; answers its path."""
    twin = claimed()
    run_jobs(twin)
    opened = only_open(world)
    path = blob_names.manifest_path(opened.instance, names.point_id(opened.job_id))
    world.memory.storage.put("vault", "manifests", path, twin.memory.storage.read("vault", "manifests", path))
    return path


def test_a_manifest_that_is_there_is_a_point_even_if_its_job_closed_otherwise():
    world = stuck_after_the_manifest()
    assert only_open(world).step is Step.CLOSING
    run_jobs(world)
    job = newest_job(world)
    assert (job.status, (job.error or {})["code"]) == (JobStatus.FAILED, "NoProgress")
    assert [point.job_id for point in catalog.list_points(world.vault.ports, world.instance().key)] == [job.job_id]
    assert "PointSealed" in [warning["code"] for warning in job.warnings]
    assert [entry.type for entry in entries(world, world.instance().key)][-2:] == ["Sealed", "JobClosed"]
    require_rest(world)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda _data: b"not JSON", id="no JSON"),
        pytest.param(lambda data: data[:-30], id="cut"),
        pytest.param(lambda _data: b"[]", id="a list"),
        pytest.param(lambda _data: b"{}", id="empty"),
    ],
)
def test_what_lies_at_the_manifests_name_and_is_none_closes_the_job_and_blocks_no_later_slot(
    harm: Callable[[bytes], bytes],
):
    world = claimed()
    run_until(world, Step.SEALING)
    path = _write_manifest(world)
    data = world.memory.storage.read("vault", "manifests", path)
    world.memory.storage.spoil("vault", "manifests", path, harm(data))
    run_jobs(world)
    job = newest_job(world)
    assert job.status is JobStatus.FAILED
    assert path in (job.error or {})["message"]
    assert world.open_jobs() == []
    assert accepted_attempts(world) == [1]
