"""A process that dies while it trips the breaker or releases it, wherever: once is what happens."""

from datetime import timedelta

import pytest

from flexvault.domain.job import JobStatus
from flexvault.services.apply_retention import begin_retention
from flexvault.services.breaker import read_breaker
from flexvault.services.effects import run
from flexvault.services.vault import Vault
from tests.builders import World, request_of, run_jobs
from tests.services.approving import approve, of_type, require_used_once
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import require_rest
from tests.services.running import FIRST_SLOT, newest_job, only_open
from tests.services.test_breaker import DAY, ask, clean_up, release, sleeping, states, tombstones

CHANGING = ("apply", "create", "put", "delete", "emit")


def changing_calls(calls: list[str]) -> list[int]:
    """Numbers of the calls that change something: before and after those lies every state that a crash can leave."""
    return [number for number, name in enumerate(calls) if name.partition(".")[2] in CHANGING]


def begun(days: int = 2) -> World:
    """A retention job whose plan will trip: one of two points has expired, and nobody planned for over 31 days."""
    world = sleeping(days, until=FIRST_SLOT + 60 * DAY)
    begin_retention(world.vault, world.memory.orchestrations)
    return world


def plan_in(world: World, vault: Vault) -> None:
    run(vault, request_of(only_open(world)))


@pytest.mark.parametrize("later", [timedelta(0), timedelta(minutes=1)], ids=["at once", "a minute later"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_process_may_die_anywhere_while_it_trips(after: bool, later: timedelta):
    counted = Interruption()
    quiet = begun()
    plan_in(quiet, interrupted(quiet.vault, counted))
    calls = changing_calls(counted.calls)
    assert len(calls) > 8
    for call in calls:
        world = begun()
        with pytest.raises(CrashError):
            plan_in(world, interrupted(world.vault, crash_at(call, after=after)))
        world.clock.advance(later)
        run_jobs(world)
        if newest_job(world).status is JobStatus.IN_PROGRESS:
            clean_up(world)
        assert (tombstones(world), states(world)) == (0, ["sealed"] * 2), counted.calls[call]
        assert read_breaker(world.vault.ports).is_tripped, counted.calls[call]
        assert later or len(of_type(world, "BreakerTripped")) == 1, counted.calls[call]
        require_rest(world)


def test_a_plan_that_meets_an_entry_without_its_row_trips_nothing_again():
    counted = Interruption()
    quiet = begun()
    plan_in(quiet, interrupted(quiet.vault, counted))
    entry_is_written = [number for number, name in enumerate(counted.calls) if name == "vault_cleaner.create"][1]
    world = begun()
    with pytest.raises(CrashError):
        plan_in(world, interrupted(world.vault, crash_at(entry_is_written, after=True)))
    world.clock.advance(timedelta(minutes=1))
    run_jobs(world)
    assert read_breaker(world.vault.ports).is_tripped
    assert len(of_type(world, "BreakerTripped")) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_process_may_die_anywhere_while_it_is_released(after: bool):
    def ready() -> tuple[World, str]:
        world = begun()
        run_jobs(world)
        approval_id = ask(world)
        approve(world, approval_id)
        return world, approval_id

    counted = Interruption()
    quiet, _ = ready()
    release(interrupted(quiet.vault, counted))
    for call in changing_calls(counted.calls):
        world, approval_id = ready()
        with pytest.raises(CrashError):
            release(interrupted(world.vault, crash_at(call, after=after)))
        release(world.vault)
        assert not read_breaker(world.vault.ports).is_tripped, counted.calls[call]
        assert len(of_type(world, "BreakerReleased")) == 1, counted.calls[call]
        require_used_once(world, approval_id)
        world.clock.advance(timedelta(minutes=1))
        clean_up(world)
        assert states(world) == ["deleted", "sealed"], counted.calls[call]
        require_rest(world)
