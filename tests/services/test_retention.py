"""Retention: a stored plan, executed exactly; refused, late and changed things delete nothing."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain import names
from flexvault.domain.breaker import MOST_UNANNOUNCED_POINTS
from flexvault.domain.errors import ConflictError, NotAuthorizedError, NotFoundError, TransientError, VaultError
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.manifest import Manifest
from flexvault.domain.open_job import OpenJob
from flexvault.domain.rows import Merge
from flexvault.services import apply_retention, catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.effects import run
from flexvault.services.journal import Draft, append
from flexvault.services.reconcile import reconcile
from flexvault.services.scheduling import tick
from tests.builders import (
    INSTANCE_ID,
    SERVER_ID,
    World,
    add_server,
    let_pass,
    protect,
    request_of,
    run_jobs,
    run_one,
    world,
)
from tests.services.interrupting import Interruption, interrupted
from tests.services.invariants import entries, require_rest, require_whole_journal
from tests.services.running import FIRST_SLOT, newest_job, only_open, protected, quietly, run_until

LATE = timedelta(days=60)


def with_points(days: int = 3) -> World:
    """A vault with a daily point for some days, all of them long expired."""
    world = protected()
    add_points(world, days)
    # What expires at once without having been announced must be few points.
    let_pass(world, LATE, every=timedelta(days=30 if days <= MOST_UNANNOUNCED_POINTS else 1))
    return world


def add_points(world: World, days: int) -> None:
    for day in range(days):
        world.clock.advance_to(FIRST_SLOT + timedelta(days=day))
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)


def clean_up(world: World) -> None:
    begin_retention(world.vault, world.memory.orchestrations)
    run_jobs(world)


def states(world: World) -> list[str]:
    """States of the first instance's points, oldest first."""
    points = sorted(
        catalog.list_all_points(world.vault.ports, world.instance().key), key=lambda point: point.recovery_point_time
    )
    return [point.state for point in points]


def plans(world: World) -> list[dict[str, Any]]:
    storage = world.memory.storage
    return [json.loads(storage.read("vault", "plans", blob.name)) for blob in storage.list_blobs("vault", "plans")]


def deletions(world: World) -> int:
    return [entry.type for entry in entries(world, world.instance().key)].count("Tombstoned")


def retention_job(world: World) -> OpenJob:
    return next(opened for opened in world.open_jobs() if opened.operation == "retention")


def planned(world: World) -> OpenJob:
    """A retention job whose plan is stored and not yet executed."""
    begin_retention(world.vault, world.memory.orchestrations)
    run_one(world, retention_job(world))
    opened = retention_job(world)
    assert opened.step is Step.EXECUTING
    return opened


def test_what_has_expired_goes_and_the_newest_good_point_stays():
    world = with_points()
    clean_up(world)
    assert states(world) == ["deleted", "deleted", "sealed"]
    assert newest_job(world).status is JobStatus.COMPLETED
    left = {blob.name.split("/")[1] for blob in world.memory.storage.list_blobs("vault", "points")}
    (point,) = catalog.list_points(world.vault.ports, world.instance().key)
    assert left == {point.point_id}
    require_rest(world)


def test_a_second_run_deletes_nothing_more():
    world = with_points()
    clean_up(world)
    before = deletions(world)
    let_pass(world, timedelta(days=365))
    clean_up(world)
    assert (deletions(world), states(world)) == (before, ["deleted", "deleted", "sealed"])


def test_the_plan_is_stored_with_its_hash_before_anything_is_deleted():
    world = with_points()
    opened = planned(world)
    assert deletions(world) == 0
    data = world.memory.storage.read("vault", "plans", opened.state["plan"])
    assert names.sha256_hex(data) == opened.state["plan_hash"]
    plan = plans(world)[-1]
    assert [verdict["decision"] for verdict in plan["verdicts"]] == ["expire", "expire", "keep"]
    run_jobs(world)
    tombstones = [entry for entry in entries(world, world.instance().key) if entry.type == "Tombstoned"]
    assert {entry.body["plan_hash"] for entry in tombstones} == {opened.state["plan_hash"]}
    assert all(entry.body["reasons"] for entry in tombstones)


def test_a_plan_that_was_changed_is_refused():
    world = with_points()
    opened = planned(world)
    path = opened.state["plan"]
    data = world.memory.storage.read("vault", "plans", path)
    world.memory.storage.put("vault", "plans", path, data.replace(b'"keep"', b'"expire"'))
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert states(world) == ["sealed"] * 3


def test_while_one_plan_is_executed_another_is_only_stored():
    world = with_points()
    planned(world)
    before = len(plans(world))
    world.clock.advance(timedelta(seconds=5))
    assert begin_retention(world.vault, world.memory.orchestrations) == ""
    assert len(plans(world)) == before + 1
    assert deletions(world) == 0


def test_a_point_that_is_no_longer_to_go_when_its_turn_comes_is_kept():
    world = with_points(2)
    planned(world)
    manifests = world.memory.storage.list_blobs("vault", "manifests")
    newest = max(manifests, key=lambda blob: blob.name)
    # The newer point is lost between plan and execution: now the older one is the newest good one.
    world.memory.storage.lose("vault", "manifests", newest.name)
    run_jobs(world)
    assert states(world)[0] == "sealed"
    assert "newest good recovery point" in newest_job(world).warnings[0]["message"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=6), timedelta(days=3650), -timedelta(minutes=6)])
def test_clocks_that_differ_by_more_than_five_minutes_delete_nothing(ahead: timedelta):
    world = with_points()
    world.clock.host_ahead = ahead
    clean_up(world)
    assert states(world) == ["sealed"] * 3
    assert [warning["code"] for warning in newest_job(world).warnings] == ["ClocksDiffer"]


def test_a_host_whose_clock_is_years_ahead_judges_by_the_vault_accounts_clock():
    world = protected()
    add_points(world, 3)
    world.clock.host_ahead = timedelta(days=3650)
    clean_up(world)
    assert states(world) == ["sealed"] * 3


def test_while_the_clocks_differ_a_tick_beside_a_running_job_stores_no_plan_and_trips_nothing():
    world = with_points()
    planned(world)
    before = len(plans(world))
    world.clock.host_ahead = timedelta(minutes=-6)
    world.clock.advance(timedelta(days=29))
    assert begin_retention(world.vault, world.memory.orchestrations) == ""
    assert len(plans(world)) == before


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotAuthorizedError("403"), id="403"),
        pytest.param(TransientError("503"), id="503"),
        pytest.param(NotFoundError("no container", code="ContainerNotFound"), id="container gone"),
    ],
)
@pytest.mark.parametrize("operation", ["vault_reader.list_blobs", "vault_reader.read"])
def test_a_refusal_is_never_read_as_no_points(error: VaultError, operation: str):
    world = with_points()
    before = plans(world)
    begin_retention(world.vault, world.memory.orchestrations)
    world.memory.faults.fail_next(operation, error)
    if isinstance(error, TransientError):
        with pytest.raises(TransientError):
            run_one(world, retention_job(world))
    else:
        run_one(world, retention_job(world))
        assert newest_job(world).status is JobStatus.FAILED
    assert (plans(world), deletions(world)) == (before, 0)


def test_a_refusal_while_deleting_is_never_read_as_no_files():
    measured, count = with_points(), Interruption()
    planned(measured)
    run(interrupted(measured.vault, count), request_of(retention_job(measured)))
    listing = count.calls.index("vault_reader.list_versions", count.calls.index("vault_cleaner.create"))

    def refuse() -> None:
        raise NotAuthorizedError("403")

    world = with_points()
    planned(world)
    run(interrupted(world.vault, Interruption(at=listing, act=refuse)), request_of(retention_job(world)))
    assert newest_job(world).status is JobStatus.FAILED
    assert "deleted" not in states(world)
    assert len(world.memory.storage.list_blobs("vault", "manifests")) == 3


def immutable(world: World) -> None:
    """Make the oldest point's first file refuse its deletion once."""
    error = ConflictError("protected by a policy", code="BlobImmutableDueToPolicy")
    world.memory.faults.fail_next("vault_cleaner.delete", error)


def test_a_deletion_that_is_refused_is_blocked_and_does_not_stop_the_others():
    world = with_points()
    immutable(world)
    clean_up(world)
    assert states(world) == ["deleting", "deleted", "sealed"]
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert "protected by a policy" in newest_job(world).warnings[0]["message"]


def test_a_deletion_that_was_begun_is_finished_by_the_next_plan():
    world = with_points()
    immutable(world)
    clean_up(world)
    world.clock.advance(timedelta(days=1))
    clean_up(world)
    assert states(world) == ["deleted", "deleted", "sealed"]
    assert deletions(world) == 2, "one tombstone a point"
    require_rest(world)


def test_a_deletion_whose_manifest_is_gone_already_is_finished_too():
    world = with_points()
    planned(world)
    for _ in range(4):
        world.memory.faults.run_next("vault_cleaner.delete", lambda: None)

    def die_for_good() -> None:
        world.memory.faults.fail_next("vault_cleaner.create", NotAuthorizedError("403"))

    world.memory.faults.run_next("vault_cleaner.delete", die_for_good, after=False)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert states(world)[0] == "deleting"
    world.clock.advance(timedelta(days=1))
    clean_up(world)
    assert states(world) == ["deleted", "deleted", "sealed"]
    require_whole_journal(world)


def test_a_row_alone_deletes_nothing():
    world = protected()
    add_points(world, 2)
    for point in catalog.list_points(world.vault.ports, world.instance().key):
        forged = Merge(key=point.point_id, values={"state": "deleting", "tombstone_seq": 1})
        world.vault.ports.rows.apply("points", world.instance().key, [forged])
    clean_up(world)
    assert len(world.memory.storage.list_blobs("vault", "manifests")) == 2
    assert "no tombstone" in newest_job(world).warnings[0]["message"]


def test_a_restore_that_begins_while_the_tombstone_is_written_wins():
    world = with_points(2)
    old = catalog.list_points(world.vault.ports, world.instance().key)[-1]
    job_id = newest_job(world).job_id
    body = {"job_id": job_id, "point_id": old.point_id}
    started = Draft(stream=world.instance().key, type="RestoreStarted", key="r", body=body)
    planned(world)
    world.memory.faults.run_next("vault_cleaner.create", quietly(lambda: append(world.vault.ports, started)))
    run_jobs(world)
    assert states(world) == ["sealed", "sealed"]
    assert "restore" in newest_job(world).warnings[0]["message"]


def test_many_points_are_deleted_over_several_activities(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(apply_retention, "DELETIONS_AN_ACTIVITY", 2)
    world = with_points(6)
    planned(world)
    answers = [run_one(world, retention_job(world)).next for _ in range(2)]
    assert answers == [Step.EXECUTING, Step.EXECUTING]
    assert only_open(world).state["done"] == 4
    run_jobs(world)
    assert states(world) == ["deleted"] * 5 + ["sealed"]


def test_hundreds_of_blocked_points_still_end_the_job():
    world = with_points(2)
    planned(world)
    opened = retention_job(world)
    path = opened.state["plan"]
    plan = json.loads(world.memory.storage.read("vault", "plans", path))
    doomed = next(verdict for verdict in plan["verdicts"] if verdict["decision"] == "expire")
    plan["verdicts"] = [{**doomed, "pointId": f"{number:032x}"} for number in range(500)]
    data = names.canonical_json(plan)
    world.memory.storage.put("vault", "plans", path, data)
    state = {"plan_hash": names.sha256_hex(data)}
    changed = opened.changed(state=state)
    values = Merge(key=opened.key, values={"state": changed.to_values()["state"]})
    world.vault.ports.rows.apply("jobs", "jobs", [values])
    run_jobs(world)
    job = newest_job(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    assert 0 < len(job.warnings) < 100
    assert "500" in job.warnings[-1]["message"]


def test_judging_a_point_again_reads_only_its_own_instances_manifests():
    vault = world()
    protect(vault)
    protect(vault, request_key="p2", instance_id=f"{INSTANCE_ID}-b", server_id=add_server(vault, "b"))
    add_points(vault, 4)
    let_pass(vault, LATE)
    planned(vault)
    read: list[str] = []
    reader = vault.memory.ports.vault_reader
    original = reader.read

    def read_and_tell(container: str, path: str, **kwargs: Any) -> bytes:
        read.append(path)
        return original(container, path, **kwargs)

    reader.read = read_and_tell  # pyright: ignore[reportAttributeAccessIssue] - a look at what is read
    opened = retention_job(vault)
    run_one(vault, opened)
    manifests = [path for path in read if path.endswith(".json") and path.count("/") == 1 and "vault" not in path]
    # Six deletions, each of which reads at most its own instance's four manifests.
    assert len([path for path in manifests if not path.split("/")[1].startswith("0000")]) <= 6 * 4


def test_a_chain_of_an_earlier_server_keeps_its_newest_point_too():
    world = protected()
    add_points(world, 2)
    server = world.memory.servers.get(SERVER_ID)
    assert server.created_at is not None
    world.memory.servers.put(replace(server, created_at=server.created_at + timedelta(days=100)))
    world.clock.advance_to(FIRST_SLOT + timedelta(days=2))
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    let_pass(world, LATE)
    clean_up(world)
    assert states(world) == ["deleted", "sealed", "sealed"]


# Files that nobody sealed --------------------------------------------------------------------------------------------


def with_unsealed() -> World:
    """A vault whose backup failed at its seal: its promoted files lie in the vault account."""
    world = protected()
    tick(world.vault, world.memory.orchestrations)
    run_until(world, Step.SEALING)
    blob = world.memory.storage.list_blobs("vault", "points")[0]
    data = world.memory.storage.read("vault", "points", blob.name)
    world.memory.storage.spoil("vault", "points", blob.name, data[:-1])
    run_jobs(world)
    return world


def test_files_that_nobody_sealed_go_after_fourteen_days():
    world = with_unsealed()
    world.clock.advance(timedelta(days=13))
    clean_up(world)
    assert world.memory.storage.list_blobs("vault", "points") != []
    world.clock.advance(timedelta(days=2))
    clean_up(world)
    assert world.memory.storage.list_blobs("vault", "points") == []


def test_files_of_an_open_job_stay_however_old():
    world = protected()
    tick(world.vault, world.memory.orchestrations)
    run_until(world, Step.SEALING)
    let_pass(world, timedelta(days=40))
    begin_retention(world.vault, world.memory.orchestrations)
    while any(opened.operation == "retention" for opened in world.open_jobs()):
        run_one(world, retention_job(world))
    assert world.memory.storage.list_blobs("vault", "points") != []
    run_jobs(world)
    assert states(world) == ["sealed"]


def test_sealed_files_are_never_taken_for_unsealed_ones():
    world = protected()
    add_points(world, 1)
    world.clock.advance(timedelta(days=400))
    clean_up(world)
    assert states(world) == ["sealed"]
    assert len(world.memory.storage.list_blobs("vault", "points")) == 4


def test_a_manifest_that_cannot_be_read_is_named_and_blocks_its_instance():
    world = with_points()
    blob = world.memory.storage.list_blobs("vault", "manifests")[0]
    world.memory.storage.spoil("vault", "manifests", blob.name, b"broken")
    clean_up(world)
    job = newest_job(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    assert (job.warnings[0]["code"], job.warnings[0]["resource"]) == ("ManifestUnreadable", blob.name)
    assert deletions(world) == 0


def test_a_manifest_that_is_not_the_sealed_one_is_never_believed():
    world = with_points()
    blob = world.memory.storage.list_blobs("vault", "manifests")[-1]
    sealed = Manifest.from_bytes(world.memory.storage.read("vault", "manifests", blob.name))
    earlier = replace(sealed, expiry_time=sealed.recovery_point_time)
    world.memory.storage.spoil("vault", "manifests", blob.name, earlier.to_bytes())
    clean_up(world)
    points = catalog.list_all_points(world.vault.ports, world.instance().key)
    assert next(point for point in points if point.point_id == sealed.point_id).state == "sealed"
    last_plan = plans(world)[-1]
    verdict = next(verdict for verdict in last_plan["verdicts"] if verdict["pointId"] == sealed.point_id)
    assert verdict["decision"] == "blocked"


def test_a_cleanup_that_is_lost_is_taken_over_and_goes_on():
    world = with_points()
    planned(world)
    world.clock.advance(timedelta(hours=1))
    world.memory.orchestrations.wipe()
    reconcile(world.vault, world.memory.orchestrations)
    run_jobs(world)
    assert states(world) == ["deleted", "deleted", "sealed"]
