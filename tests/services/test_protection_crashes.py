"""A process may die at any call while protection is stopped, resumed or deleted: each is journalled once, and ends."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise

import pytest

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.protection_moves import Verb
from flexvault.domain.vault_settings import Immutability, SoftDelete
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.effects import run
from flexvault.services.protection_states import change_protection, request_deletion
from flexvault.services.soft_delete import undelete
from flexvault.services.vault import Vault
from tests.builders import ACTOR, INSTANCE_ID, World, let_pass, request_of, run_one, set_soft_delete
from tests.services.approving import approve, of_type, require_used_once
from tests.services.changing import DAY, add_points, ask_to_delete, begin_deletion, change, delete_softly
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_whole_journal
from tests.services.running import protected, quietly
from tests.services.running import protected as protected_daily
from tests.services.test_crashes import backed_up, crash_everywhere, repeat_activity, take_over


def stopped() -> World:
    world = backed_up()
    change(world, Verb.STOP)
    return world


def approved(soft_delete: SoftDelete = SoftDelete.OFF) -> World:
    world = backed_up()
    set_soft_delete(world, soft_delete)
    approve(world, ask_to_delete(world))
    return world


def approved_softly() -> World:
    return approved(SoftDelete.ALWAYS_ON)


def deleted_softly() -> World:
    world = backed_up()
    delete_softly(world)
    return world


def being_deleted() -> World:
    world = protected(immutability=Immutability.DISABLED)
    add_points(world, 1)
    begin_deletion(world)
    return world


def stop(vault: Vault) -> None:
    change_protection(vault, INSTANCE_ID, Verb.STOP, ACTOR)


def resume(vault: Vault) -> None:
    change_protection(vault, INSTANCE_ID, Verb.RESUME_PROTECTION, ACTOR)


def bring_back(vault: Vault) -> None:
    undelete(vault, INSTANCE_ID, ACTOR)


def delete(vault: Vault) -> None:
    assert request_deletion(vault, INSTANCE_ID, ACTOR) is not None


@pytest.mark.parametrize(
    ("build", "act", "kind", "state"),
    [
        pytest.param(backed_up, stop, "ProtectionStopped", "ProtectionStopped", id="stop"),
        pytest.param(stopped, resume, "ProtectionResumed", "ProtectionConfigured", id="resume"),
        pytest.param(approved, delete, "DataDeletionRequested", "SoftDeleting", id="delete"),
        pytest.param(approved_softly, delete, "DataDeletionRequested", "SoftDeleted", id="soft delete"),
        pytest.param(deleted_softly, bring_back, "InstanceUndeleted", "ProtectionStopped", id="undelete"),
    ],
)
def test_a_request_that_dies_anywhere_is_one_entry_once_it_is_sent_again(
    build: Callable[[], World], act: Callable[[Vault], None], kind: str, state: str
):
    counted = Interruption()
    act(interrupted(build().vault, counted))
    assert len(counted.calls) > 0
    for call in range(len(counted.calls)):
        for after in (False, True):
            world = build()
            with pytest.raises(CrashError):
                act(interrupted(world.vault, crash_at(call, after=after)))
            act(world.vault)
            assert world.instance().state == state
            assert len(of_type(world, kind)) == 1
            if kind == "ProtectionResumed":
                assert len(catalog.list_missed(world.vault.ports, world.instance().key)) == 1
            if kind == "DataDeletionRequested":
                require_used_once(world, of_type(world, kind)[0].body["approval_id"])
            require_whole_journal(world)


@pytest.mark.parametrize("recover", [repeat_activity, take_over])
def test_a_deletion_whose_retention_dies_anywhere_ends_once_and_frees_the_server(recover: Callable[[World], None]):
    def begin(world: World, vault: Vault) -> None:
        begin_retention(vault, world.memory.orchestrations)

    def check(world: World) -> None:
        assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None
        assert len(of_type(world, "InstanceDeleted")) == 1
        assert list(world.memory.storage.list_blobs("vault", "points")) == []
        servers = world.vault.ports.rows.query("config", "vault", start="server-", end="server.")
        assert list(servers) == []

    crash_everywhere(being_deleted, begin, recover, check)


def test_who_loses_a_race_decides_anew_so_a_suspension_never_follows_a_stop():
    counted = Interruption()
    change_protection(interrupted(backed_up().vault, counted), INSTANCE_ID, Verb.SUSPEND, ACTOR)
    for call in range(len(counted.calls)):
        for after in (False, True):
            world = backed_up()
            meanwhile = Interruption(at=call, act=quietly(partial(change, world, Verb.STOP)), after=after)
            with suppress(InvalidInputError):
                change_protection(interrupted(world.vault, meanwhile), INSTANCE_ID, Verb.SUSPEND, ACTOR)
            assert world.instance().state == "ProtectionStopped"
            changes = [entry for entry in entries(world, "vault") if "replaces_seq" in entry.body]
            for earlier, later in pairwise(changes[1:]):
                assert later.body["before"] == earlier.body["after"]
            require_whole_journal(world)


def test_once_a_stop_is_answered_no_further_point_gets_a_tombstone():
    def expired() -> World:
        world = protected_daily()
        add_points(world, 3)
        change(world, Verb.SUSPEND)
        let_pass(world, 31 * DAY)
        begin_retention(world.vault, world.memory.orchestrations)
        run_one(world, world.open_jobs()[0])
        return world

    counted = Interruption()
    quiet = expired()
    run(interrupted(quiet.vault, counted), request_of(quiet.open_jobs()[0]))
    assert tombstones(quiet) == 2
    for call in range(len(counted.calls)):
        world = expired()
        seen: list[int] = []

        def stop_now(world: World = world, seen: list[int] = seen) -> None:
            change(world, Verb.STOP)
            seen.append(tombstones(world))

        run(interrupted(world.vault, Interruption(at=call, act=stop_now)), request_of(world.open_jobs()[0]))
        assert tombstones(world) - seen[0] <= 1, "the one that was being written when protection was stopped"


def tombstones(world: World) -> int:
    return [entry.type for entry in entries(world, world.instance().key)].count("Tombstoned")
