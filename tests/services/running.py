"""Run jobs step by step, as a test needs it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flexvault.domain.job import Step
from flexvault.domain.open_job import JobRecord, OpenJob
from flexvault.messages import StepAnswer
from flexvault.ports import LtrOperation
from flexvault.services.requests import RestoreOrder
from flexvault.services.scheduling import tick
from tests.builders import INSTANCE_ID, MONDAY, World, protect, run_one, world

FIRST_SLOT = MONDAY + timedelta(hours=2)
RESTORE_URL = "https://restore.example/mine"


def protected(**changes: Any) -> World:
    """A vault whose one server is protected daily at 02:00; it is 02:00 of the first day."""
    vault = world(**changes)
    protect(vault)
    vault.memory.storage.create_container("restore", "mine")
    vault.clock.advance_to(FIRST_SLOT)
    return vault


def restore_order(point_id: str) -> RestoreOrder:
    """A restore into that container, which is allowed."""
    return RestoreOrder(instance_id=INSTANCE_ID, point_id=point_id, container_url=RESTORE_URL, file_prefix="again")


def claimed(**changes: Any) -> World:
    """The same, and its first slot is claimed."""
    vault = protected(**changes)
    tick(vault.vault, vault.memory.orchestrations)
    return vault


def only_open(world: World) -> OpenJob:
    """The one open row."""
    (opened,) = world.open_jobs()
    return opened


def step(world: World) -> StepAnswer:
    """Run the present step once, and wait as long as it says."""
    answer = run_one(world, only_open(world))
    world.clock.advance(timedelta(seconds=answer.wait_seconds))
    return answer


def run_until(world: World, wanted: Step) -> OpenJob:
    """Run until a step is next."""
    for _ in range(50):
        opened = only_open(world)
        if opened.step is wanted:
            return opened
        step(world)
    message = f"{wanted} never came: {world.open_jobs()}"
    raise AssertionError(message)


def newest_job(world: World) -> JobRecord:
    """The newest job."""
    return world.jobs()[0]


def accepted_attempts(world: World) -> list[int]:
    """Attempt numbers of the backups that the server took on, in order."""
    return [int(accepted.backup_name.rpartition("-a")[2]) for accepted in world.memory.ltr.accepted]


def hide_started(world: World, condition: Callable[[], bool]) -> None:
    """Let the server show nothing of what runs, by name and in its list, while a condition holds."""
    ltr = world.memory.ltr
    original = ltr._operations

    def operations(server_id: str, backup_name: str = "") -> list[LtrOperation]:
        return [] if condition() else original(server_id, backup_name)

    ltr._operations = operations  # pyright: ignore[reportAttributeAccessIssue] - eventual consistency, played


def quietly(action: Callable[[], object]) -> Callable[[], None]:
    """Do something on another party's behalf and forget its answer."""

    def act() -> None:
        action()

    return act
