"""The roles that flexvault granted itself end with the protection; what others gave, and what others need, stays."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from flexvault.domain.errors import ApprovalRequiredError, NotAuthorizedError, TransientError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.protection_moves import Verb
from flexvault.domain.vault_settings import SoftDelete
from flexvault.services import catalog
from flexvault.services.policies import put_policy
from flexvault.services.protection import ProtectionRequest, request_protection
from flexvault.services.protection_states import change_protection, request_deletion
from flexvault.services.reconcile import reconcile
from flexvault.services.remove_roles import REMOVED_PER_RUN, remove_roles
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    SERVER_ID,
    World,
    add_server,
    policy_properties,
    protect,
    run_jobs,
    set_soft_delete,
    world,
)
from tests.services.approving import approve
from tests.services.changing import clean_up
from tests.services.interrupting import CrashError
from tests.services.invariants import entries, require_whole_journal
from tests.services.running import newest_job, only_open, protected, run_until, step

AGAIN_ID = f"{INSTANCE_ID}-again"


def delete_with_data(world: World, instance_id: str = INSTANCE_ID) -> None:
    """Delete an instance at once, as two people do, up to the entry that ends its protection."""
    set_soft_delete(world, SoftDelete.OFF)
    with pytest.raises(ApprovalRequiredError) as asked:
        request_deletion(world.vault, instance_id, ACTOR)
    approve(world, asked.value.target)
    request_deletion(world.vault, instance_id, ACTOR)
    clean_up(world)
    assert catalog.find_instance(world.vault.ports, instance_id) is None


def ended() -> World:
    """A protection that has ended with all its data."""
    vault = protected()
    delete_with_data(vault)
    return vault


def run_reconcile(world: World) -> None:
    reconcile(world.vault, world.memory.orchestrations)


def removals(world: World) -> list[str]:
    return [entry.type for entry in entries(world, "vault") if entry.type == "RolesRemoved"]


def test_they_go_after_the_protection_has_ended_and_are_journalled_once():
    world = ended()
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2, "not before the entry that ends it, nor by retention"
    for _ in range(3):
        run_reconcile(world)
    assert world.memory.roles.assigned(SERVER_ID) == frozenset()
    types = [entry.type for entry in entries(world, "vault")]
    assert types.index("InstanceDeleted") < types.index("RolesRemoved")
    assert removals(world) == ["RolesRemoved"]
    require_whole_journal(world)


def test_what_others_granted_stays():
    world = world_with_roles_of_a_person()
    protect(world)
    delete_with_data(world)
    run_reconcile(world)
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2
    assert removals(world) == []


def world_with_roles_of_a_person() -> World:
    vault = world()
    vault.memory.roles.grant(SERVER_ID)
    return vault


@pytest.mark.parametrize("verb", [Verb.STOP, Verb.SUSPEND])
def test_a_pause_keeps_them(verb: Verb):
    world = protected()
    change_protection(world.vault, INSTANCE_ID, verb, ACTOR)
    run_reconcile(world)
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2


def test_another_protection_of_the_server_keeps_them_and_its_own_end_takes_them_away():
    world = ended()
    protect(world, request_key="again", instance_id=AGAIN_ID)
    run_reconcile(world)
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2

    delete_with_data(world, AGAIN_ID)
    run_reconcile(world)
    assert world.memory.roles.assigned(SERVER_ID) == frozenset()


def test_a_protection_made_anew_under_its_name_is_not_touched():
    world = ended()
    run_reconcile(world)
    protect(world, request_key="again")
    run_reconcile(world)
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2
    assert world.instance().state is ProtectionState.CONFIGURED


@pytest.mark.parametrize("at", ["roles.remove", "vault_writer.create", "rows.apply"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_anywhere_is_made_good_by_the_next_run(at: str, *, after: bool):
    world = ended()

    def die() -> None:
        raise CrashError

    world.memory.faults.run_next(at, die, after=after)
    with pytest.raises(CrashError):
        remove_roles(world.vault, world.clock.storage_now())
    run_reconcile(world)
    assert world.memory.roles.assigned(SERVER_ID) == frozenset()
    assert removals(world) == ["RolesRemoved"]
    require_whole_journal(world)


def test_a_refusal_is_reported_once_a_day_with_the_command_and_blocks_nothing():
    world = ended()
    world.memory.roles.may_grant = False
    for _ in range(3):
        run_reconcile(world)
    (facts,) = reports(world)
    assert str(facts["command"]).startswith("az role assignment delete --ids")
    assert SERVER_ID in str(facts["command"])
    assert list(catalog.list_instances(world.vault.ports)) == []

    world.clock.advance(timedelta(days=1))
    world.memory.roles.may_grant = True
    run_reconcile(world)
    assert world.memory.roles.assigned(SERVER_ID) == frozenset()
    assert len(reports(world)) == 1


def reports(world: World) -> list[dict[str, object]]:
    return [dict(facts) for event, facts in world.memory.telemetry.events if event == "RolesNotRemoved"]


def test_an_outage_is_tried_again_by_the_next_run():
    world = ended()
    world.memory.faults.fail_next("roles.remove", TransientError("503"))
    run_reconcile(world)
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2
    run_reconcile(world)
    assert world.memory.roles.assigned(SERVER_ID) == frozenset()


def test_many_ends_are_worked_off_a_few_at_a_time():
    world = protected()
    others = [add_server(world, str(number)) for number in range(REMOVED_PER_RUN + 1)]
    for server_id in others:
        name = server_id.rpartition("/")[2]
        protect(world, request_key=name, instance_id=f"{INSTANCE_ID}-{name}", server_id=server_id)
        delete_with_data(world, f"{INSTANCE_ID}-{name}")
    assert remove_roles(world.vault, world.clock.storage_now()) == REMOVED_PER_RUN
    assert remove_roles(world.vault, world.clock.storage_now()) == 1
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2


def test_servers_that_cannot_be_reached_keep_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch):
    world = protected()
    ids = [f"{INSTANCE_ID}-{number}" for number in range(REMOVED_PER_RUN + 1)]
    for number, instance_id in enumerate(ids):
        server_id = add_server(world, str(number))
        protect(world, request_key=instance_id, instance_id=instance_id, server_id=server_id)
        delete_with_data(world, instance_id)
    original, reached = world.memory.roles.remove, f"{SERVER_ID}-{REMOVED_PER_RUN}"

    def remove(server_id: str, assignments: Sequence[str]) -> None:
        if server_id != reached:
            raise TransientError("503")
        original(server_id, assignments)

    monkeypatch.setattr(world.memory.roles, "remove", remove)
    for _ in ids:
        run_reconcile(world)
        world.clock.advance(timedelta(minutes=5))
    assert removals(world) == ["RolesRemoved"]
    assert world.memory.roles.assigned(reached) == frozenset()


def test_who_protects_the_server_while_its_roles_are_removed_waits_and_grants_anew():
    world = ended()
    world.memory.faults.run_next("roles.remove", lambda: protect_step(world))
    remove_roles(world.vault, world.clock.storage_now())
    assert only_open(world).step is Step.GRANTING, "it has seen the intent"
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2


def test_a_removal_that_meets_a_new_protection_after_its_first_look_withdraws():
    world = ended()
    world.memory.faults.run_next("rows.apply", lambda: protect_step(world))
    assert remove_roles(world.vault, world.clock.storage_now()) == 0
    run_jobs(world)
    assert catalog.get_instance(world.vault.ports, AGAIN_ID).state is ProtectionState.CONFIGURED
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2
    assert removals(world) == []


def protect_step(world: World) -> None:
    """Ask for another protection of the server, and run its first step."""
    request_protection(world.vault, request_of(AGAIN_ID), ACTOR, "again")
    step(world)


def request_of(instance_id: str) -> ProtectionRequest:
    name = instance_id.rpartition("/")[2]
    return ProtectionRequest(
        instance_id=instance_id, name=name, server_id=SERVER_ID, policy_name="daily", properties={"a": 1}
    )


def test_roles_that_were_just_removed_are_granted_even_if_they_still_seem_to_be_there():
    world = ended()
    run_reconcile(world)
    world.memory.roles.linger(SERVER_ID)
    protect(world, request_key="again", instance_id=AGAIN_ID)
    assert len(world.memory.roles.assigned(SERVER_ID)) == 2


def test_what_a_failed_configuration_had_granted_is_removed_in_the_end():
    vault = world()
    vault.memory.roles.delay = timedelta(days=1)
    protect(vault)
    assert vault.instance().state is ProtectionState.FAILED
    assert len(vault.memory.roles.assigned(SERVER_ID)) == 2
    delete_with_data(vault)
    run_reconcile(vault)
    assert vault.memory.roles.assigned(SERVER_ID) == frozenset()


def test_what_was_granted_before_a_death_is_known_when_protection_ends():
    world = world_of_one_request()
    world.memory.faults.run_next("roles.grant", crash, after=True)
    with pytest.raises(CrashError):
        run_until(world, Step.VERIFYING)
    run_jobs(world)
    assert world.instance().assignments == world.memory.roles.planned_assignments(SERVER_ID)


def world_of_one_request() -> World:
    vault = world()
    put_policy(vault.vault, "daily", policy_properties(), ACTOR)
    request_protection(vault.vault, request_of(INSTANCE_ID), ACTOR, "first")
    return vault


def crash() -> None:
    raise CrashError


def test_a_grant_that_is_refused_although_nothing_is_missing_fails_nothing():
    world = ended()
    run_reconcile(world)
    world.memory.roles.grant(SERVER_ID)  # a person did
    world.memory.faults.fail_next("roles.grant", NotAuthorizedError("may not"))
    protect(world, request_key="again", instance_id=AGAIN_ID)
    assert catalog.get_instance(world.vault.ports, AGAIN_ID).state is ProtectionState.CONFIGURED
