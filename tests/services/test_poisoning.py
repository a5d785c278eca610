"""The poisoning guard: a backup that lost much pauses the expiry of its server's points until two people say otherwise."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.errors import ApprovalRequiredError
from flexvault.domain.events import settings_target
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.open_job import OpenJob
from flexvault.domain.poisoning_events import poisoning_target
from flexvault.domain.rows import Insert
from flexvault.domain.vault_settings import SoftDelete
from flexvault.messages import StepRequest
from flexvault.services import catalog
from flexvault.services.effects import run
from flexvault.services.poisoning_guard import read_poisoning
from flexvault.services.preview_retention import preview_instance
from flexvault.services.protection_states import request_deletion
from flexvault.services.retention_plan import store_plan
from flexvault.services.scheduling import tick
from flexvault.services.vault_settings import set_poisoning_guard
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    SERVER_ID,
    World,
    backup_files,
    let_pass,
    request_of,
    run_jobs,
    run_one,
    set_soft_delete,
    tiny_archive,
)
from tests.services.approving import approve
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_rest, require_whole_journal
from tests.services.running import FIRST_SLOT, newest_job, protected, quietly, run_until
from tests.services.test_retention import clean_up, deletions, planned, plans, states

DAY = timedelta(days=1)
LATE = timedelta(days=60)
BIG, SMALL, TINY = 60_000, 6_000, 600


def rows_of(size: int) -> bytes:
    """Data that no compression makes smaller."""
    return random.Random(size).randbytes(size)


def lands(world: World, **sizes: int) -> None:
    files = backup_files(**{name: tiny_archive(name, rows_of(size)) for name, size in sizes.items()})
    world.memory.ltr.script = LtrScript(files=files)


def back_up(world: World, day: int, **sizes: int) -> str:
    """Back up on a day what has these sizes; answers the point's id."""
    lands(world, **sizes)
    world.clock.advance_to(FIRST_SLOT + day * DAY)
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    return newest_job(world).job_id.replace("-", "")


def poisoned(*, days: int = 3) -> World:
    """Some good daily points, then one that lost most: all of them expired long ago."""
    world = protected()
    for day in range(days):
        back_up(world, day, orders=BIG)
    back_up(world, days, orders=SMALL)
    let_pass(world, LATE)
    return world


def suspected(world: World) -> list[str]:
    return [found.point_id for found in read_poisoning(world.vault.ports, world.instance().key).suspects]


def reasons(world: World) -> list[tuple[str, set[str]]]:
    """Decision and reasons of the newest plan, oldest point first."""
    found = sorted(plans(world)[-1]["verdicts"], key=lambda verdict: verdict["recoveryPointTime"])
    return [(verdict["decision"], {reason["code"] for reason in verdict["reasons"]}) for verdict in found]


def guard_off(world: World) -> None:
    with pytest.raises(ApprovalRequiredError) as refused:
        set_poisoning_guard(world.vault, is_on=False, actor=ACTOR)
    approve(world, refused.value.target)
    set_poisoning_guard(world.vault, is_on=False, actor=ACTOR)


def test_a_backup_that_lost_most_is_kept_warned_of_told_and_pauses_expiry():
    world = poisoned()
    job = newest_job(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    [warned] = [found for found in job.warnings if found["code"] == "PoisoningSuspected"]
    assert "its size fell by 8" in warned["message"]
    assert "/pg-orders/acknowledgePoisoning" in warned["message"]
    [event] = [facts for name, facts in world.memory.telemetry.events if name == "PoisoningSuspected"]
    assert event["point_id"] == job.job_id.replace("-", "")
    clean_up(world)
    assert states(world) == ["sealed"] * 4
    assert reasons(world) == [
        *[("blocked", {"Expired", "PoisoningSuspected"})] * 3,
        ("keep", {"Expired", "NewestGoodPoint"}),
    ]
    assert newest_job(world).status is JobStatus.COMPLETED
    require_rest(world)


def test_the_suspicion_is_in_the_manifest_and_in_the_entry_of_the_seal():
    world = poisoned(days=1)
    [point_id] = suspected(world)
    point = catalog.find_point(world.vault.ports, world.instance().key, point_id)
    manifest = catalog.read_manifest(world.vault.ports, point)
    assert manifest.suspicion is not None
    [sealed] = [entry for entry in entries(world, point.instance) if entry.body.get("suspicion")]
    assert sealed.type == "Sealed"
    assert sealed.body["suspicion"] == manifest.suspicion.to_json()
    assert point.is_suspected


def test_a_database_that_is_gone_pauses_expiry():
    world = protected()
    back_up(world, 0, orders=BIG, tiny=TINY)
    back_up(world, 1, orders=BIG)
    [found] = read_poisoning(world.vault.ports, world.instance().key).suspects
    assert found.suspicion.missing == ("tiny",)


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"orders": BIG}, id="as before"),
        pytest.param({"orders": BIG // 2}, id="half"),
        pytest.param({"orders": BIG, "more": BIG}, id="grown"),
    ],
)
def test_what_lost_little_pauses_nothing(sizes: dict[str, int]):
    world = protected()
    back_up(world, 0, orders=BIG)
    back_up(world, 1, **sizes)
    assert suspected(world) == []
    let_pass(world, LATE)
    clean_up(world)
    assert states(world) == ["deleted", "sealed"]


def test_a_first_backup_has_nothing_to_lose():
    world = protected()
    back_up(world, 0, orders=TINY)
    assert suspected(world) == []


def test_a_server_that_was_created_anew_is_compared_with_nothing():
    world = protected()
    back_up(world, 0, orders=BIG)
    old = world.memory.servers.get(SERVER_ID)
    world.memory.servers.put(replace(old, created_at=FIRST_SLOT + timedelta(hours=5)))
    back_up(world, 1, orders=TINY)
    assert suspected(world) == []


def test_a_next_small_backup_is_suspected_too_while_nobody_acknowledged():
    world = protected()
    good = back_up(world, 0, orders=BIG)
    lost = [back_up(world, day, orders=SMALL) for day in (1, 2)]
    assert suspected(world) == lost
    found = read_poisoning(world.vault.ports, world.instance().key)
    assert {suspect.suspicion.previous_point_id for suspect in found.suspects} == {good}
    assert found.first_point_id == lost[0]


def test_a_backup_that_is_whole_again_does_not_end_the_pause():
    world = protected()
    back_up(world, 0, orders=BIG)
    lost = back_up(world, 1, orders=SMALL)
    back_up(world, 2, orders=BIG)
    assert suspected(world) == [lost]


def test_a_row_that_says_so_does_not_pause_expiry_alone():
    world = protected()
    for day in range(3):
        back_up(world, day, orders=BIG)
    other = poisoned(days=1)
    target = poisoning_target(world.instance().key)
    row = other.memory.rows.find(target.table, target.partition, target.key)
    assert row is not None
    world.memory.rows.apply(target.table, target.partition, [Insert(key=target.key, values=row.values)])
    let_pass(world, LATE)
    clean_up(world)
    assert states(world) == ["deleted", "deleted", "sealed"]


def test_a_seal_that_comes_while_a_plan_is_executed_stops_the_deletions():
    world = protected()
    for day in range(3):
        back_up(world, day, orders=BIG)
    let_pass(world, LATE)
    planned(world)
    lands(world, orders=SMALL)
    opened = next(opened for opened in world.open_jobs() if opened.operation == "retention")
    tick(world.vault, world.memory.orchestrations)
    backup = next(opened for opened in world.open_jobs() if opened.operation == "backup")
    request = request_of(backup)
    while (answer := run(world.vault, request)).next is not None:
        world.clock.advance(timedelta(seconds=answer.wait_seconds))
        request = replace(request, step=answer.next)
    run_one(world, opened)
    assert deletions(world) == 0
    assert len(suspected(world)) == 1


def test_a_seal_that_is_faster_than_a_tombstone_stops_it():
    world, opened, _ = executing()
    counted = Interruption()
    run_one(replace(world, vault=interrupted(world.vault, counted)), opened)
    world, opened, about_to_seal = executing()
    # The tombstone's entry is the first thing that the retention identity creates.
    race = Interruption(
        at=counted.calls.index("vault_cleaner.create"), act=quietly(lambda: run(world.vault, about_to_seal))
    )
    run_one(replace(world, vault=interrupted(world.vault, race)), opened)
    assert deletions(world) == 0
    assert len(suspected(world)) == 1


def executing() -> tuple[World, OpenJob, StepRequest]:
    """A stored plan that is about to be executed, and a much smaller backup that is about to be sealed."""
    world = protected()
    for day in range(3):
        back_up(world, day, orders=BIG)
    let_pass(world, LATE)
    lands(world, orders=SMALL)
    tick(world.vault, world.memory.orchestrations)
    about_to_seal = request_of(run_until(world, Step.SEALING))
    return world, planned(world), about_to_seal


def test_a_manifest_whose_entry_is_not_there_yet_pauses_expiry():
    world, request = sealing(days=3)
    counted = Interruption()
    run(interrupted(world.vault, counted), request)
    world, request = sealing(days=3)
    created = counted.calls.index("vault_writer.create")
    with pytest.raises(CrashError):
        run(interrupted(world.vault, crash_at(created, after=True)), request)
    assert (_manifests(world), suspected(world)) == (4, [])
    world.clock.advance(LATE)
    store_plan(world.vault, world.clock.storage_now())
    assert [decision for decision, _ in reasons(world)] == ["blocked", "blocked", "keep", "blocked"]
    assert all("PoisoningSuspected" in found for _, found in reasons(world)[:2])


def sealing(days: int = 1) -> tuple[World, StepRequest]:
    """A vault with good points whose next, much smaller backup is about to be sealed."""
    world = protected()
    for day in range(days):
        back_up(world, day, orders=BIG)
    lands(world, orders=SMALL)
    world.clock.advance_to(FIRST_SLOT + days * DAY)
    tick(world.vault, world.memory.orchestrations)
    return world, request_of(run_until(world, Step.SEALING))


def _manifests(world: World) -> int:
    return len(list(world.memory.storage.list_blobs("vault", "manifests")))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whoever_dies_at_a_seal_loses_no_suspicion(*, after: bool):
    world, request = sealing()
    counted = Interruption()
    run(interrupted(world.vault, counted), request)
    for call in range(len(counted.calls)):
        world, request = sealing()
        with pytest.raises(CrashError):
            run(interrupted(world.vault, crash_at(call, after=after)), request)
        run_jobs(world)
        assert len(suspected(world)) == 1, counted.calls[call]
        [sealed] = [one for one in entries(world, world.instance().key) if one.body.get("suspicion")]
        assert sealed.type == "Sealed"
        require_whole_journal(world)


def test_with_the_guard_off_nothing_new_is_suspected():
    world = protected()
    guard_off(world)
    back_up(world, 0, orders=BIG)
    back_up(world, 1, orders=SMALL)
    assert suspected(world) == []


def test_a_row_alone_does_not_turn_the_guard_off():
    world = protected()
    back_up(world, 0, orders=BIG)
    target = settings_target()
    forged = {"immutability": "Unlocked", "is_poisoning_guarded": False, "journal_seq": 1}
    world.memory.rows.apply(target.table, target.partition, [Insert(key=target.key, values=forged)])
    lost = back_up(world, 1, orders=SMALL)
    assert suspected(world) == [lost]


def test_an_approved_deletion_of_the_data_goes_on_and_says_what_was_suspected():
    world = poisoned()
    set_soft_delete(world, SoftDelete.OFF)
    with pytest.raises(ApprovalRequiredError) as refused:
        request_deletion(world.vault, INSTANCE_ID, ACTOR)
    assert "may be poisoned" in refused.value.message
    approve(world, refused.value.target)
    request_deletion(world.vault, INSTANCE_ID, ACTOR)
    world.clock.advance(timedelta(minutes=5))
    clean_up(world)
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None
    assert _manifests(world) == 0


def test_a_preview_says_that_nothing_goes():
    world = poisoned()
    found = preview_instance(world.vault, world.instance(), world.clock.storage_now())
    assert [point.deleted_at for point in found.present] == [None] * 4
    assert found.held_back == ()


def test_what_has_not_expired_says_that_it_will_wait():
    world = protected()
    back_up(world, 0, orders=BIG)
    back_up(world, 1, orders=SMALL)
    store_plan(world.vault, world.clock.storage_now())
    assert reasons(world) == [("keep", {"RetentionRule", "PoisoningSuspected"})] * 2
    found = preview_instance(world.vault, world.instance(), world.clock.storage_now())
    assert [point.deleted_at for point in found.present] == [None, None]
