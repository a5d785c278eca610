"""Whoever took over the app behind the door may write any row, and any blob as the writer: the janitor deletes nothing.

What remains possible with the writer's right, entries forged in the journal's own form, is in SECURITY.md's table.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.rows import Merge
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.breaker import read_breaker
from flexvault.services.journal import Draft, append
from flexvault.services.retention_plan import store_plan
from tests.builders import World, let_pass, run_jobs, run_one
from tests.services.changing import add_points, clean_up
from tests.services.invariants import entries
from tests.services.running import newest_job, only_open, protected
from tests.services.test_breaker import SURPRISE, sleeping, states

LATE = timedelta(days=60)


def edit(world: World, table: str, partition: str, key: str, **values: Any) -> None:
    world.vault.ports.rows.apply(table, partition, [Merge(key=key, values=values)])


def warnings(world: World) -> list[str]:
    return [warning["code"] for warning in newest_job(world).warnings]


def points(world: World) -> list[str]:
    """Ids of the points whose manifests are there, oldest first."""
    found = catalog.list_all_points(world.vault.ports, world.instance().key)
    left = {blob.name for blob in world.memory.storage.list_blobs(VAULT, blob_names.MANIFESTS)}
    ordered = sorted(found, key=lambda point: point.recovery_point_time)
    return [point.point_id for point in ordered if blob_names.manifest_path(point.instance, point.point_id) in left]


def tripped() -> World:
    world = sleeping()
    clean_up(world)
    assert read_breaker(world.vault.ports).is_tripped
    return world


def test_a_row_that_says_that_the_breaker_was_released_releases_nothing():
    world = tripped()
    stored = read_breaker(world.vault.ports)
    edit(
        world,
        row_keys.CONFIG,
        row_keys.VAULT_PARTITION,
        row_keys.BREAKER,
        is_tripped=False,
        released_at=SURPRISE + timedelta(minutes=1),
        known_plan=stored.plan,
        known_hash=stored.plan_hash,
    )
    world.clock.advance(timedelta(hours=1))
    clean_up(world)
    assert states(world) == ["sealed"] * 5
    assert set(warnings(world)) == {"TooManyDeletions"}
    assert read_breaker(world.vault.ports).is_tripped


def test_a_row_that_names_a_plan_that_tripped_executes_nothing():
    world = sleeping()
    begin_retention(world.vault, world.memory.orchestrations)
    stored = tripping_plan(world)
    opened = only_open(world)
    forged = opened.changed(step=Step.EXECUTING, state={**stored, "done": 0})
    edit(world, row_keys.JOBS, row_keys.JOBS_PARTITION, opened.key, **forged.to_values())
    run_jobs(world)
    job = newest_job(world)
    assert (job.status, job.error["code"] if job.error else "") == (JobStatus.FAILED, "PlanNotExecutable")
    assert states(world) == ["sealed"] * 5


def tripping_plan(world: World) -> dict[str, Any]:
    stored = store_plan(world.vault, world.clock.storage_now())
    assert stored.trips
    return {"plan": stored.path, "plan_hash": stored.plan_hash}


def test_a_row_that_names_an_older_plan_executes_nothing_while_the_breaker_is_tripped():
    world = protected()
    add_points(world, 2)
    let_pass(world, timedelta(days=3))
    path = max(blob.name for blob in world.memory.storage.list_blobs(VAULT, blob_names.PLANS))
    data = world.memory.storage.read(VAULT, blob_names.PLANS, path)
    assert json.loads(data)["trips"] == []
    append(
        world.vault.ports,
        Draft(
            stream="vault",
            type="BreakerTripped",
            key="a trip",
            body={"plan": path, "plan_hash": names.sha256_hex(data), "trips": []},
        ),
        by_retention=True,
    )
    begin_retention(world.vault, world.memory.orchestrations)
    opened = only_open(world)
    state = {"plan": path, "plan_hash": names.sha256_hex(data), "done": 0}
    edit(
        world,
        row_keys.JOBS,
        row_keys.JOBS_PARTITION,
        opened.key,
        **opened.changed(step=Step.EXECUTING, state=state).to_values(),
    )
    assert run_one(world, only_open(world)).next is None
    job = newest_job(world)
    assert job.error is not None
    assert (job.error["code"], len(points(world))) == ("PlanNotExecutable", 2)


def test_a_manifest_that_was_written_over_changes_nothing():
    world = protected()
    add_points(world, 3)
    instance, newest = world.instance().key, points(world)[-1]
    path = blob_names.manifest_path(instance, newest)
    manifest = json.loads(world.memory.storage.read(VAULT, blob_names.MANIFESTS, path))
    manifest["files"] = []
    manifest["expiryTime"] = world.clock.storage_now().isoformat()
    forged = json.dumps(manifest).encode()
    world.memory.storage.put(VAULT, blob_names.MANIFESTS, path, forged)
    files = len(world.memory.storage.list_blobs(VAULT, blob_names.POINTS))
    clean_up(world)
    assert len(points(world)) == 3
    assert len(world.memory.storage.list_blobs(VAULT, blob_names.POINTS)) == files
    edit(world, row_keys.POINTS, instance, newest, manifest_hash=names.sha256_hex(forged))
    let_pass(world, LATE, every=timedelta(days=30))
    clean_up(world)
    assert newest in points(world), "a row that is not of the first version is not believed"


def test_a_tombstone_that_no_plan_ordered_deletes_nothing():
    world = protected()
    add_points(world, 3)
    instance, newest = world.instance().key, points(world)[-1]
    row = world.vault.ports.rows.find(row_keys.POINTS, instance, newest)
    assert row is not None
    body = {
        "point_id": newest,
        "instance": instance,
        "manifest_hash": row.values["manifest_hash"],
        "manifest_version": "",
        "plan_hash": "0" * 64,
        "reasons": [],
    }
    append(world.vault.ports, Draft(stream=instance, type="Tombstoned", key=newest, body=body))
    clean_up(world)
    assert newest in points(world)
    assert [entry.type for entry in entries(world, instance)].count("PointDeleted") == 0
    told = newest_job(world).warnings
    assert [warning["code"] for warning in told] == ["DeletionBlocked"]
    assert "a plan that is not stored or does not name it" in told[0]["message"]


def test_a_tombstone_of_another_points_plan_deletes_nothing():
    world = protected()
    add_points(world, 3)
    let_pass(world, LATE, every=timedelta(days=30))
    clean_up(world)  # both older points went by this plan
    instance = world.instance().key
    newest = points(world)[-1]
    real = next(entry for entry in entries(world, instance) if entry.type == "Tombstoned")
    body = {**real.body, "point_id": newest}
    append(world.vault.ports, Draft(stream=instance, type="Tombstoned", key=newest, body=body))
    clean_up(world)
    assert points(world) == [newest]


def test_an_entry_that_does_not_follow_the_one_before_keeps_everything():
    world = protected()
    add_points(world, 3)
    instance = world.instance().key
    last = entries(world, instance)[-1]
    forged = replace(last, seq=last.seq + 1, previous_hash="0" * 64, event_id="forged", type="HoldReleased")
    forged = replace(forged, body={"hold": "Case", "recovery_point_id": ""})
    path = blob_names.journal_path(instance, forged.seq)
    world.memory.storage.put(VAULT, blob_names.JOURNAL, path, forged.to_bytes())
    let_pass(world, LATE, every=timedelta(days=30))
    clean_up(world)
    assert len(points(world)) == 3
    assert "JournalUnreadable" in warnings(world)
