"""Deep verifications by policy: the newest good point, once in a period, a few at a time, claimed once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.domain import row_keys
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import Operation
from flexvault.domain.open_job import JobRecord
from flexvault.domain.protection_moves import Verb
from flexvault.domain.rows import Delete, Merge
from flexvault.services import catalog, due_verifications, scheduling
from flexvault.services.due_verifications import LOOK_EVERY, find_due
from flexvault.services.policies import put_policy
from flexvault.services.protection_states import change_protection
from flexvault.services.scheduling import tick
from tests.builders import ACTOR, INSTANCE_ID, MONDAY, World, policy_properties, run_jobs
from tests.services.running import quietly
from tests.services.verifying import flip, newest, with_point

EVERY = "P7D"
DAY = timedelta(days=1)


def with_policy(every: str | None = EVERY) -> World:
    """A vault with a point of now, under a policy that asks for deep verification."""
    world = with_point()
    extension: dict[str, Any] = {} if every is None else {"deepVerification": {"newestEvery": every}}
    put_policy(world.vault, "daily", policy_properties() | extension, ACTOR)
    return world


def tick_on(world: World, after: timedelta = LOOK_EVERY) -> list[JobRecord]:
    """Let time pass, tick, and run to the end what it claimed; answers the verifications so far, oldest first."""
    world.clock.advance(after)
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    return verifications(world)


def verifications(world: World) -> list[JobRecord]:
    return [job for job in reversed(world.jobs()) if job.operation is Operation.VERIFY]


def test_the_newest_point_is_verified_once_in_a_period():
    world = with_policy()
    (first,) = tick_on(world, timedelta())
    assert first.is_user_triggered is False
    assert first.recovery["point_id"] == newest(world).point_id
    assert newest(world).verified_verdict == "Intact"
    for _ in range(6):
        assert len(tick_on(world, DAY)) == 1
    due = newest(world).point_id
    seventh = tick_on(world, DAY)
    assert len(seventh) == 2
    assert seventh[1].recovery["point_id"] == due


def test_without_the_extension_nothing_is_verified():
    assert tick_on(with_policy(None), DAY) == []


def test_after_a_point_was_found_broken_another_one_is_verified_at_the_next_look():
    world = with_policy()
    broken = newest(world).point_id
    flip(world, 700)
    tick_on(world, timedelta())
    assert newest(world).is_broken
    assert len(tick_on(world)) == 1, "there is no other one"
    tick_on(world, DAY)
    assert [job.recovery["point_id"] for job in tick_on(world)] == [broken, newest(world).point_id]


def test_a_verification_that_ends_without_a_result_is_tried_again_a_day_later(monkeypatch: pytest.MonkeyPatch):
    world = with_policy()
    tick(world.vault, world.memory.orchestrations)
    (opened,) = world.open_jobs()
    row = world.vault.ports.rows.find("jobs", "jobs", opened.key)
    assert row is not None
    world.vault.ports.rows.apply("jobs", "jobs", [Delete(key=opened.key, etag=row.etag)])
    monkeypatch.setattr(
        due_verifications,
        "find_due",
        lambda *_args: catalog.list_sealed_points(world.vault.ports, world.instance().key)[-1],
    )
    assert len(tick_on(world)) == 1
    assert len(tick_on(world, DAY)) == 2


def test_two_ticks_at_once_claim_one():
    world = with_policy()
    world.memory.faults.run_next("rows.apply", quietly(lambda: tick(world.vault, world.memory.orchestrations)))
    tick(world.vault, world.memory.orchestrations)
    assert len([opened for opened in world.open_jobs() if opened.operation is Operation.VERIFY]) == 1


def test_no_more_run_at_once_than_a_vault_can_bear(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(due_verifications, "MOST_AT_ONCE", 0)
    assert tick_on(with_policy()) == []


def test_what_is_paused_is_not_verified_by_its_policy():
    world = with_policy()
    change_protection(world.vault, INSTANCE_ID, Verb.SUSPEND, ACTOR)
    assert tick_on(world) == []


def point(number: int, verdict: str = "", days_ago: int = 0, *, is_broken: bool = False) -> RecoveryPoint:
    base = newest(with_point())
    at = MONDAY - timedelta(days=days_ago) if verdict else None
    return replace(base, point_id=str(number), verified_verdict=verdict, verified_at=at, is_broken=is_broken)


@pytest.mark.parametrize(
    ("newest_first", "due"),
    [
        pytest.param([], None, id="no point"),
        pytest.param([("", 0)], 0, id="never verified"),
        pytest.param([("Intact", 3)], None, id="verified lately"),
        pytest.param([("Intact", 8)], 0, id="verified long ago"),
        pytest.param([("", 0), ("Intact", 3)], None, id="one before it was verified lately"),
        pytest.param([("", 0), ("Intact", 8)], 0, id="one before it was verified long ago"),
        pytest.param([("Broken", 1), ("", 0)], 1, id="the newest is broken"),
        pytest.param([("NotProven", 1), ("", 0)], None, id="nothing could be proven lately"),
        pytest.param([("", 0), ("NotProven", 1)], 0, id="nothing could be proven of an older one"),
        pytest.param([("Broken", 1)], None, id="only a broken one"),
    ],
)
def test_what_is_due(newest_first: list[tuple[str, int]], due: int | None):
    points = [
        point(number, verdict, days_ago, is_broken=verdict == "Broken")
        for number, (verdict, days_ago) in enumerate(newest_first)
    ]
    found = find_due(points, EVERY, MONDAY)
    assert (None if found is None else int(found.point_id)) == due


FAR = datetime(9999, 12, 31, tzinfo=UTC)


def test_a_forged_moment_keeps_neither_backups_nor_verifications_from_starting():
    world = with_policy()
    point = newest(world)
    forged = {"verified_at": FAR.isoformat(), "verified_number": 1, "verified_verdict": "Intact"}
    world.vault.ports.rows.apply(row_keys.POINTS, point.instance, [Merge(key=point.point_id, values=forged)])
    schedule = Merge(
        key=row_keys.schedule_row(point.instance),
        values={due_verifications.NEXT_LOOK: FAR, due_verifications.LAST_CLAIM: FAR, "verification_point": "x"},
    )
    world.vault.ports.rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, [schedule])
    world.clock.advance(DAY)
    tick(world.vault, world.memory.orchestrations)

    started = {opened.operation for opened in world.open_jobs() if opened.last_started_at is not None}
    assert started == {Operation.BACKUP, Operation.VERIFY}


def test_whatever_becomes_of_verifications_backups_are_started(monkeypatch: pytest.MonkeyPatch):
    world = with_policy()

    def fail(*_args: object) -> list[str]:
        raise RuntimeError

    monkeypatch.setattr(scheduling, "claim_due_verifications", fail)
    world.clock.advance(DAY)
    with pytest.raises(RuntimeError):
        tick(world.vault, world.memory.orchestrations)

    (backup,) = world.open_jobs()
    assert (backup.operation, backup.last_started_at is None) == (Operation.BACKUP, False)
