"""Stop, suspend, resume and delete, as tests do it."""

from datetime import timedelta

import pytest

from flexvault.domain import row_keys
from flexvault.domain.errors import ApprovalRequiredError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.protection_moves import Verb
from flexvault.domain.rows import Replace
from flexvault.domain.vault_settings import SoftDelete
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.protection_states import change_protection, request_deletion
from flexvault.services.scheduling import tick
from tests.builders import ACTOR, INSTANCE_ID, World, run_jobs, set_soft_delete
from tests.services.approving import approve
from tests.services.running import FIRST_SLOT, protected

DAY = timedelta(days=1)


def change(world: World, verb: Verb) -> ProtectionState:
    """Change the protection of the one instance; answers its state."""
    return change_protection(world.vault, INSTANCE_ID, verb, ACTOR).state


def ask_to_delete(world: World) -> str:
    """Ask for the deletion of the instance; answers the approval's id."""
    with pytest.raises(ApprovalRequiredError) as refused:
        request_deletion(world.vault, INSTANCE_ID, ACTOR)
    return refused.value.target


def begin_deletion(world: World) -> None:
    """Have the instance deleted at once, with soft delete off and a second person's approval, up to SoftDeleting."""
    set_soft_delete(world, SoftDelete.OFF)
    approve(world, ask_to_delete(world))
    instance = request_deletion(world.vault, INSTANCE_ID, ACTOR)
    assert instance is not None
    assert instance.state is ProtectionState.DELETING


def delete_softly(world: World) -> None:
    """Have the instance deleted with a second person's approval, up to SoftDeleted."""
    approve(world, ask_to_delete(world))
    instance = request_deletion(world.vault, INSTANCE_ID, ACTOR)
    assert instance is not None
    assert instance.state is ProtectionState.SOFT_DELETED


def in_state(state: ProtectionState) -> World:
    """A vault whose one instance is in a state."""
    world = protected()
    match state:
        case ProtectionState.CONFIGURED:
            pass
        case ProtectionState.SUSPENDED:
            change(world, Verb.SUSPEND)
        case ProtectionState.STOPPED:
            change(world, Verb.STOP)
        case ProtectionState.DELETING:
            begin_deletion(world)
        case ProtectionState.SOFT_DELETED:
            delete_softly(world)
        case ProtectionState.CONFIGURING | ProtectionState.UPDATING | ProtectionState.FAILED:
            put_state(world, state)
    assert world.instance().state is state
    return world


def put_state(world: World, state: ProtectionState) -> None:
    """Let the row say that the instance is in a state through which it only passes."""
    row = catalog.find_instance_row(world.vault.ports, world.instance().key)
    assert row is not None
    changed = Replace(key=row.key, values={**row.values, "state": state.value}, etag=row.etag)
    world.vault.ports.rows.apply(row_keys.CONFIG, row_keys.VAULT_PARTITION, [changed])


def add_points(world: World, days: int) -> None:
    """Back up by the schedule, one day after the other."""
    for day in range(days):
        world.clock.advance_to(FIRST_SLOT + day * DAY)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)


def live(world: World, days: int) -> None:
    """Let days pass with ticks and retention, as the timers would have it."""
    for _ in range(days):
        world.clock.advance(DAY)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
        clean_up(world)


def clean_up(world: World) -> None:
    """Run retention once, to its end; two runs of one moment would be one."""
    world.clock.advance(timedelta(seconds=1))
    begin_retention(world.vault, world.memory.orchestrations)
    run_jobs(world)


def points_left(world: World, key: str) -> list[int]:
    """Days of the recovery points of an instance that exist, newest first."""
    return [point.recovery_point_time.day for point in catalog.list_points(world.vault.ports, key)]
