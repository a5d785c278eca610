"""What backups lost is acknowledged by two people, once, and holds for nothing that comes later."""

from datetime import timedelta

import pytest

from flexvault.domain.errors import ApprovalRequiredError, ConflictError, InvalidInputError
from flexvault.domain.poisoning import MOST_SHOWN
from flexvault.domain.poisoning_events import poisoning_target
from flexvault.domain.rows import Delete
from flexvault.services.acknowledge_poisoning import acknowledge_poisoning
from flexvault.services.breaker import read_breaker
from flexvault.services.poisoning_guard import read_poisoning
from flexvault.services.retention_plan import store_plan
from tests.builders import ACTOR, World
from tests.services.approving import approve
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_rest
from tests.services.running import protected, quietly
from tests.services.test_poisoning import BIG, SMALL, TINY, back_up, guard_off, poisoned, suspected
from tests.services.test_retention import clean_up, states


def ask(world: World, reason: str = "fine") -> None:
    """Ask for an acknowledgement, and have it approved."""
    with pytest.raises(ApprovalRequiredError) as refused:
        acknowledge_poisoning(world.vault, world.instance(), reason, ACTOR)
    approve(world, refused.value.target)


def acknowledge(world: World, reason: str = "we archived last year's orders") -> None:
    ask(world, reason)
    assert not acknowledge_poisoning(world.vault, world.instance(), reason, ACTOR).is_suspected


def drop_row(world: World) -> None:
    target = poisoning_target(world.instance().key)
    row = world.memory.rows.find(target.table, target.partition, target.key)
    assert row is not None
    world.memory.rows.apply(target.table, target.partition, [Delete(key=row.key, etag=row.etag)])


def test_many_suspected_backups_never_outgrow_the_row():
    world = protected()
    back_up(world, 0, orders=BIG)
    lost = [back_up(world, day, orders=SMALL) for day in range(1, MOST_SHOWN + 4)]
    found = read_poisoning(world.vault.ports, world.instance().key)
    assert suspected(world) == lost[-MOST_SHOWN:]
    assert (found.count, found.first_point_id) == (len(lost), lost[0])
    acknowledge(world)
    back_up(world, MOST_SHOWN + 5, orders=SMALL)
    assert suspected(world) == []


def test_two_people_acknowledge_and_what_has_expired_goes_without_a_surprise():
    world = poisoned(days=6)
    store_plan(world.vault, world.clock.storage_now())
    acknowledge(world)
    world.clock.advance(timedelta(minutes=5))
    clean_up(world)
    assert states(world) == [*["deleted"] * 6, "sealed"]
    assert not read_breaker(world.vault.ports).is_tripped
    [entry] = [one for one in entries(world, world.instance().key) if one.type == "PoisoningAcknowledged"]
    assert entry.actor["oid"] == ACTOR["oid"]
    assert entry.body["reason"] == "we archived last year's orders"
    assert entry.body["approval_id"]
    require_rest(world)


def test_after_an_acknowledgement_the_newest_point_is_what_counts():
    world = protected()
    back_up(world, 0, orders=BIG)
    back_up(world, 1, orders=SMALL)
    acknowledge(world)
    back_up(world, 2, orders=SMALL)
    assert suspected(world) == []
    again = back_up(world, 3, orders=TINY)
    assert suspected(world) == [again]


def test_an_acknowledgement_does_not_cover_what_is_suspected_after_it_was_asked_for():
    world = protected()
    back_up(world, 0, orders=BIG)
    back_up(world, 1, orders=SMALL)
    ask(world)
    back_up(world, 2, orders=TINY)
    with pytest.raises(ApprovalRequiredError):
        acknowledge_poisoning(world.vault, world.instance(), "fine", ACTOR)
    assert len(suspected(world)) == 2


def test_a_backup_that_is_suspected_while_it_is_acknowledged_makes_that_fail():
    def asked() -> World:
        world = protected()
        back_up(world, 0, orders=BIG)
        back_up(world, 1, orders=SMALL)
        ask(world)
        return world

    world, counted = asked(), Interruption()
    acknowledge_poisoning(interrupted(world.vault, counted), world.instance(), "fine", ACTOR)
    world = asked()
    written = counted.calls.index("vault_writer.create")
    race = Interruption(at=written, act=quietly(lambda: back_up(world, 2, orders=TINY)))
    with pytest.raises(ConflictError):
        acknowledge_poisoning(interrupted(world.vault, race), world.instance(), "fine", ACTOR)
    assert len(suspected(world)) == 2


def test_nothing_suspected_is_acknowledged_by_nobody():
    world = protected()
    back_up(world, 0, orders=BIG)
    assert not acknowledge_poisoning(world.vault, world.instance(), "why not", ACTOR).is_suspected
    assert [entry.type for entry in entries(world, "vault")].count("ApprovalRequested") == 0


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1_001])
def test_an_acknowledgement_says_why(reason: str):
    with pytest.raises(InvalidInputError):
        acknowledge_poisoning(protected().vault, poisoned(days=1).instance(), reason, ACTOR)


def test_rows_that_are_lost_do_not_end_the_pause_and_are_mended_when_somebody_acknowledges():
    world = poisoned()
    drop_row(world)
    clean_up(world)
    assert states(world) == ["sealed"] * 4
    assert "RowsDiffer" in {name for name, _ in world.memory.telemetry.events}
    acknowledge(world)
    world.clock.advance(timedelta(minutes=5))
    clean_up(world)
    assert states(world) == ["deleted"] * 3 + ["sealed"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whoever_dies_at_an_acknowledgement_uses_its_approval_once(*, after: bool):
    def asked() -> World:
        world = poisoned(days=1)
        ask(world)
        return world

    world, counted = asked(), Interruption()
    acknowledge_poisoning(interrupted(world.vault, counted), world.instance(), "fine", ACTOR)
    for call in range(len(counted.calls)):
        world = asked()
        with pytest.raises(CrashError):
            acknowledge_poisoning(
                interrupted(world.vault, crash_at(call, after=after)), world.instance(), "fine", ACTOR
            )
        assert not acknowledge_poisoning(world.vault, world.instance(), "fine", ACTOR).is_suspected
        kinds = [entry.type for entry in entries(world, world.instance().key)]
        assert kinds.count("PoisoningAcknowledged") == 1
        assert [entry.type for entry in entries(world, "vault")].count("ApprovalRequested") == 1


def test_turning_the_guard_off_does_not_end_a_pause():
    world = poisoned()
    guard_off(world)
    clean_up(world)
    assert states(world) == ["sealed"] * 4
    acknowledge(world)
    world.clock.advance(timedelta(minutes=5))
    clean_up(world)
    assert states(world) == ["deleted"] * 3 + ["sealed"]
