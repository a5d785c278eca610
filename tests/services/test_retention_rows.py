"""Tampered or lost rows delete nothing: what lets a point go or keeps it is what the journal says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import ApprovalRequiredError
from flexvault.domain.job import JobStatus, Operation, Step
from flexvault.domain.open_job import JobRecord
from flexvault.domain.protection_moves import Verb
from flexvault.domain.rows import Delete, Merge
from flexvault.domain.vault_settings import Immutability
from flexvault.services import catalog
from flexvault.services.apply_retention import claim_retention
from flexvault.services.effects import run as run_step
from flexvault.services.holds import HoldOrder, place_hold, release_hold
from flexvault.services.manifests import list_manifests
from flexvault.services.policies import put_policy
from flexvault.services.reevaluate import preview_reevaluation, reevaluate
from flexvault.services.scheduling import tick
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    World,
    let_pass,
    policy_properties,
    protect,
    request_of,
    run_jobs,
    run_one,
)
from tests.services.approving import approve, move
from tests.services.changing import DAY, add_points, begin_deletion, change, clean_up, points_left
from tests.services.interrupting import Interruption, Zombie, interrupted
from tests.services.invariants import entries
from tests.services.running import claimed, only_open, protected, run_until
from tests.services.test_crashes import drive, take_over
from tests.services.test_retention import planned

LATE = timedelta(days=60)


def edit(world: World, table: str, partition: str, key: str, **values: Any) -> None:
    world.vault.ports.rows.apply(table, partition, [Merge(key=key, values=values)])


def edit_instance(world: World, key: str, **values: Any) -> None:
    edit(world, row_keys.CONFIG, "vault", row_keys.instance_row(key), **values)


def drop(world: World, table: str, partition: str, key: str) -> None:
    row = world.vault.ports.rows.find(table, partition, key)
    assert row is not None
    world.vault.ports.rows.apply(table, partition, [Delete(key=key, etag=row.etag)])


def with_points(days: int = 3, verb: Verb | None = None) -> World:
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, days)
    if verb is not None:
        change(world, verb)
    return world


def hold(world: World, point_id: str = "", name: str = "Case") -> None:
    place_hold(world.vault, world.instance(), HoldOrder(name=name, reason="a", recovery_point_id=point_id), ACTOR)


def retention_job(world: World) -> JobRecord:
    return next(job for job in world.jobs() if job.operation is Operation.RETENTION)


def told(world: World) -> list[str]:
    return [warning["code"] for warning in retention_job(world).warnings]


def differing(world: World) -> list[Any]:
    return [facts["instance"] for event, facts in world.memory.telemetry.events if event == "RowsDiffer"]


def old_deletion_of_a_name_that_is_used_again() -> World:
    world = with_points(2)
    begin_deletion(world)
    old_seq = world.instance().deletion_seq
    clean_up(world)
    protect(world, request_key="again")
    for _ in range(4):
        world.clock.advance(DAY)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
    edit_instance(world, world.instance().key, state="SoftDeleting", deletion_seq=old_seq)
    return world


def a_stop_that_the_row_forgot() -> World:
    world = with_points(3, Verb.STOP)
    let_pass(world, LATE)
    edit_instance(world, world.instance().key, state="ProtectionConfigured")
    return world


def a_lost_hold_of_the_instance() -> World:
    world = with_points()
    hold(world)
    let_pass(world, LATE)
    drop(world, row_keys.POINTS, world.instance().key, row_keys.RETENTION)
    return world


def a_lost_hold_of_a_point() -> World:
    world = with_points(2)
    key = world.instance().key
    oldest = catalog.list_points(world.vault.ports, key)[-1].point_id
    hold(world, oldest)
    let_pass(world, LATE)
    edit(world, row_keys.POINTS, key, oldest, holds="[]")
    return world


def an_older_re_evaluation() -> World:
    world = with_points()
    key = world.instance().key
    put(world, "P7D")
    shorten(world)
    row = world.vault.ports.rows.find(row_keys.POINTS, key, row_keys.RETENTION)
    assert row is not None
    put(world, "P1Y")
    shorten(world)
    let_pass(world, timedelta(days=20))
    edit(world, row_keys.POINTS, key, row_keys.RETENTION, reevaluated_seq=row.values["reevaluated_seq"])
    return world


def carry_out(world: World, action: Callable[[], object]) -> None:
    """Do something, with a second person's approval if it needs one."""
    try:
        action()
    except ApprovalRequiredError as asked:
        approve(world, asked.target)
        action()


def put(world: World, keep_for: str) -> None:
    carry_out(world, lambda: put_policy(world.vault, "daily", policy_properties(keep_for=keep_for), ACTOR))


def shorten(world: World) -> None:
    found = preview_reevaluation(world.vault, world.instance()).preview_hash
    carry_out(world, lambda: reevaluate(world.vault, world.instance(), found, ACTOR))


TAMPERED: list[Any] = [
    pytest.param(old_deletion_of_a_name_that_is_used_again, id="the deletion of an earlier instance of the name"),
    pytest.param(a_stop_that_the_row_forgot, id="a stop that the row forgot"),
    pytest.param(a_lost_hold_of_the_instance, id="a lost hold of the instance"),
    pytest.param(a_lost_hold_of_a_point, id="a lost hold of a point"),
    pytest.param(an_older_re_evaluation, id="an older re-evaluation"),
]


@pytest.mark.parametrize("build", TAMPERED)
def test_a_tampered_row_deletes_nothing_and_is_told(build: Callable[[], World]):
    world = build()
    key = world.instance().key
    before = points_left(world, key)
    for _ in range(3):
        clean_up(world)
    assert points_left(world, key) == before
    assert differing(world) == [key] * 3  # once per plan
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is not None


def test_the_same_without_a_lost_hold_deletes():
    """The check of the check: what the holds above keep would go without them."""
    world = with_points()
    let_pass(world, LATE)
    clean_up(world)
    assert points_left(world, world.instance().key) == [7]
    assert differing(world) == []


def test_rows_that_nobody_touched_never_differ():
    world = with_points()
    key = world.instance().key
    oldest = catalog.list_points(world.vault.ports, key)[-1].point_id
    for act in (
        lambda: hold(world),
        lambda: hold(world, oldest, "Other"),
        lambda: carry_out(world, lambda: release_hold(world.vault, world.instance(), "case", ACTOR)),
        lambda: put(world, "P7D"),
        lambda: shorten(world),
        lambda: change(world, Verb.SUSPEND),
        lambda: change(world, Verb.STOP),
        lambda: change(world, Verb.RESUME_PROTECTION),
        lambda: move(world.vault, "daily", "again"),
        lambda: run_jobs(world),
        lambda: carry_out(world, lambda: release_hold(world.vault, world.instance(), "other", ACTOR)),
        lambda: begin_deletion(world),
        lambda: protect(world, request_key="anew"),
        lambda: add_points(world, 20),
    ):
        act()
        clean_up(world)
    assert catalog.list_points(world.vault.ports, key)
    assert differing(world) == []


def test_a_row_that_says_deleting_does_not_end_an_instance_without_points():
    world = protected(immutability=Immutability.DISABLED)
    edit_instance(world, world.instance().key, state="SoftDeleting", deletion_seq=1)
    clean_up(world)
    assert "DeletionUnfinished" in told(world)
    assert [entry.type for entry in entries(world, "vault")].count("InstanceDeleted") == 0


# Between plan and tombstone ------------------------------------------------------------------------------------------


def test_a_hold_that_comes_before_the_tombstone_counts_though_its_rows_are_lost():
    world = with_points()
    let_pass(world, LATE)
    planned(world)
    key = world.instance().key
    hold(world)
    drop(world, row_keys.POINTS, key, row_keys.RETENTION)
    run_jobs(world)
    assert points_left(world, key) == [7, 6, 5]
    assert "DeletionBlocked" in told(world)


def test_a_row_that_is_spoiled_after_the_plan_blocks_its_point_alone():
    world = with_points()
    let_pass(world, LATE)
    planned(world)
    key = world.instance().key
    oldest = catalog.list_points(world.vault.ports, key)[-1].point_id
    edit(world, row_keys.POINTS, key, oldest, expiry_time="never")
    run_jobs(world)
    assert retention_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert len(list(list_manifests(world.vault.ports, f"{key}/"))) == 2


def test_a_stop_right_before_a_tombstone_counts_though_its_row_is_forged():
    def stop(world: World) -> None:
        change(world, Verb.STOP)
        edit_instance(world, world.instance().key, state="ProtectionConfigured")

    measured, count = with_points(), Interruption()
    let_pass(measured, LATE)
    opened = planned(measured)
    run_step(interrupted(measured.vault, count), request_of(opened))
    # Right before a tombstone the manifest is looked for, then both streams are read on: by then the points were judged.
    before = count.calls[: count.calls.index("vault_cleaner.create")]
    at = [index for index, call in enumerate(before) if call == "vault_reader.list_versions"][-3]
    world = with_points()
    let_pass(world, LATE)
    opened = planned(world)
    run_step(interrupted(world.vault, Interruption(at=at, act=lambda: stop(world))), request_of(opened))
    run_jobs(world)
    assert points_left(world, world.instance().key) == [7, 6, 5]


# A manifest that turns up again --------------------------------------------------------------------------------------


def test_a_seal_that_wakes_after_the_deletion_keeps_no_instance_deleting_for_ever():
    probe, calls = claimed(immutability=Immutability.DISABLED), Interruption()
    run_until(probe, Step.SEALING)
    run_step(interrupted(probe.vault, calls), request_of(only_open(probe)))
    world = claimed(immutability=Immutability.DISABLED)
    run_until(world, Step.SEALING)
    request, key = request_of(only_open(world)), world.instance().key
    at = calls.calls.index("vault_writer.create")
    zombie = Zombie(world, lambda vault: run_step(vault, request), at, after=False)
    zombie.start()
    take_over(world)
    drive(world, world.vault, take_over)
    begin_deletion(world)
    clean_up(world)
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None
    zombie.release()
    assert list(list_manifests(world.vault.ports, f"{key}/"))

    protect(world, request_key="again")
    begin_deletion(world)
    clean_up(world)

    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None
    left = world.memory.storage.list_versions(VAULT, blob_names.MANIFESTS)
    assert [blob.name for blob in left if blob.name.startswith(key)] == []


def test_a_live_point_whose_row_says_deleted_is_not_deleted_without_a_tombstone():
    world = with_points()
    key = world.instance().key
    newest = catalog.list_points(world.vault.ports, key)[0].point_id
    edit(world, row_keys.POINTS, key, newest, state="deleted")
    clean_up(world)
    assert (key, newest) in list(list_manifests(world.vault.ports, f"{key}/"))
    assert told(world) == ["DeletionBlocked"]


def test_a_deletion_does_not_end_while_a_hold_stands_whose_rows_are_lost():
    world = protected(immutability=Immutability.DISABLED)
    key = world.instance().key
    hold(world)
    for row in (row_keys.RETENTION, row_keys.hold_row("Case")):
        drop(world, row_keys.POINTS, key, row)
    begin_deletion(world)
    clean_up(world)
    (said,) = retention_job(world).warnings
    assert (said["code"], "1 legal hold(s) stand: Case" in said["message"]) == ("DeletionUnfinished", True)
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is not None


def test_a_deletion_that_cannot_end_says_what_is_left():
    world = claimed(immutability=Immutability.DISABLED)
    begin_deletion(world)
    (backup,) = world.open_jobs()
    clean_up_only_retention(world)
    (said,) = retention_job(world).warnings
    assert said["code"] == "DeletionUnfinished"
    assert f"backup job {backup.job_id} is open" in said["message"]


def clean_up_only_retention(world: World) -> None:
    opened = claim_retention(world.vault, world.clock.storage_now())
    assert opened is not None
    while (found := catalog.find_open_job(world.vault.ports, opened.key)) is not None:
        run_one(world, found)
