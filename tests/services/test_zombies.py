"""A run that was given up may wake at any moment: it changes nothing of what its successor made.

Every flow is held once at each of its calls, just before and just after it; reconcile takes the job over and a new
generation ends it; only then the first one goes on.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flexvault.domain.errors import VaultError
from flexvault.domain.job import JobStatus
from flexvault.services import catalog
from flexvault.services.effects import run
from flexvault.services.vault import Vault
from tests.builders import World, request_of
from tests.services.interrupting import Interruption, Zombie, interrupted
from tests.services.invariants import require_rest, vault_picture
from tests.services.test_crashes import (
    Begin,
    backed_up,
    begin_backup,
    begin_cleanup,
    begin_configuration,
    begin_restore,
    begin_verification,
    drive,
    protected,
    require_one_verification,
    take_over,
    two_points,
    with_policy,
)


def run_to_the_end(world: World) -> Callable[[Vault], Any]:
    """One orchestration: it knows its generation and nothing else."""
    request = request_of(world.open_jobs()[0])

    def body(vault: Vault) -> None:
        current = request
        while (answer := run(vault, current)).next is not None:
            world.clock.advance(timedelta(seconds=answer.wait_seconds))
            current = replace(current, step=answer.next)

    return body


def begun(build: Callable[[], World], begin: Begin) -> World:
    world = build()
    begin(world, world.vault)
    world.clock.advance_to(world.open_jobs()[0].not_before)
    return world


def wake_everywhere(build: Callable[[], World], begin: Begin, check: Callable[[World, str], None]) -> None:
    """Hold a flow before and after each of its calls, and release it when its successor is done.

    The check hears which call the held run makes next.
    """
    counted = Interruption()
    quiet = begun(build, begin)
    run_to_the_end(quiet)(interrupted(quiet.vault, counted))
    for call, name in enumerate(counted.calls):
        for after in (False, True):
            held = begun(build, begin)
            zombie = Zombie(held, run_to_the_end(held), call, after=after)
            zombie.start()
            try:
                _require_no_trace(held, zombie)
                require_rest(held)
                check(held, ([*counted.calls, ""])[call + 1] if after else name)
            except Exception as error:
                error.add_note(f"the first run was held {'after' if after else 'before'} call {call}, {name}")
                raise


def _require_no_trace(world: World, zombie: Zombie) -> None:
    was_open = bool(world.open_jobs())
    try:
        take_over(world)
        drive(world, world.vault, take_over)
        picture, restored = vault_picture(world), world.memory.storage.list_blobs("restore", "mine")
    finally:
        problem = zombie.release()
    assert problem is None or isinstance(problem, VaultError), problem
    if was_open:  # a run that was held after its end has no successor
        assert vault_picture(world) == picture
        assert world.memory.storage.list_blobs("restore", "mine") == restored


def test_a_backup_that_wakes_after_its_successor_has_sealed_changes_nothing_of_the_point():
    def check(world: World, next_call: str) -> None:
        job = next(job for job in world.jobs() if job.operation == "backup")
        points = catalog.list_points(world.vault.ports, world.instance().key)
        assert job.status is JobStatus.COMPLETED
        assert [point.job_id for point in points] == [job.job_id]
        names = [accepted.backup_name for accepted in world.memory.ltr.accepted]
        # H4: only the POST itself cannot be fenced, so a run that slept right before it starts a stray one.
        assert len(names) == (2 if next_call == "ltr.start" else 1)
        assert len(set(names)) == len(names)

    wake_everywhere(protected, begin_backup, check)


def test_a_restore_that_wakes_after_its_successor_has_ended_writes_nothing():
    def check(world: World, _next_call: str) -> None:
        assert next(job for job in world.jobs() if job.operation == "restore").status is JobStatus.COMPLETED

    wake_everywhere(backed_up, begin_restore, check)


def test_a_deep_verification_that_wakes_after_its_successor_has_ended_writes_nothing():
    wake_everywhere(backed_up, begin_verification, lambda world, _next_call: require_one_verification(world))


def test_a_configuration_that_wakes_late_leaves_the_instance_as_it_is():
    def check(world: World, _next_call: str) -> None:
        assert world.instance().state == "ProtectionConfigured"

    wake_everywhere(with_policy, begin_configuration, check)


def test_a_cleanup_that_wakes_late_deletes_nothing_more():
    def check(world: World, _next_call: str) -> None:
        points = catalog.list_points(world.vault.ports, world.instance().key)
        assert [point.recovery_point_time.day for point in points] == [6]

    wake_everywhere(two_points, begin_cleanup, check)
