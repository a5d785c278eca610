"""Whoever may write rows switches no protection off, locks no vault, and does not stop the nightly check."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flexvault.domain import row_keys
from flexvault.domain.errors import ApprovalRequiredError, InvalidInputError, NotFoundError
from flexvault.domain.event_rows import put
from flexvault.domain.events import Target, retention_target, settings_target
from flexvault.domain.keeping_events import hold_target
from flexvault.domain.vault_settings import Immutability
from flexvault.services import catalog
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.isolation import IMMUTABILITY, examine_isolation
from flexvault.services.journal import find_row
from flexvault.services.reconcile import reconcile
from flexvault.services.rights import RIGHTS
from flexvault.services.vault_settings import VaultChange, change_vault
from tests.builders import ACTOR, VAULT_ID, World, add_server, protect, run_jobs, set_immutability
from tests.services.changing import add_points
from tests.services.test_immutability import expiries, told, unprotect, versions, with_points


def forge(world: World, target: Target, **values: Any) -> None:
    change = put(target, find_row(world.vault.ports, target), values)
    world.vault.ports.rows.apply(target.table, target.partition, [change])


def point_target(world: World) -> Target:
    newest = catalog.list_points(world.vault.ports, world.instance().key)[0].point_id
    return Target(table=row_keys.POINTS, partition=world.instance().key, key=newest)


def said(state: str, seq: int = 1) -> dict[str, Any]:
    return {"immutability": state, "is_poisoning_guarded": True, "journal_seq": seq}


def modes(world: World) -> set[str]:
    return {blob.immutability_mode for blob in versions(world)}


@pytest.mark.parametrize("values", [said("Disabled"), said("Disabled", 0), said("Disabled", 99), said("Odd")], ids=str)
def test_a_row_alone_does_not_keep_a_point_from_being_protected(values: dict[str, Any]) -> None:
    world = with_points(0)
    forge(world, settings_target(), **values)
    add_points(world, 1)
    assert {blob.immutable_until for blob in versions(world)} == set(expiries(world))
    unprotect(world)
    world.clock.advance(timedelta(days=1))
    reconcile(world.vault, world.memory.orchestrations)
    assert {blob.immutable_until for blob in versions(world)} == set(expiries(world))
    assert {"instance": "vault"} in told(world, "RowsDiffer")


def test_a_row_alone_locks_nothing() -> None:
    world = with_points(0)
    forge(world, settings_target(), **said("Locked"))
    add_points(world, 1)
    assert modes(world) == {Immutability.UNLOCKED}


def test_a_row_alone_does_not_unlock_what_is_locked() -> None:
    world = with_points(0, immutability=Immutability.LOCKED)
    forge(world, settings_target(), immutability="Disabled")
    add_points(world, 1)
    assert modes(world) == {Immutability.LOCKED}
    with pytest.raises(InvalidInputError):
        change_vault(world.vault, VaultChange(immutability=Immutability.UNLOCKED), ACTOR)


def test_a_row_alone_reassures_nobody() -> None:
    world = with_points(0)
    set_immutability(world, Immutability.UNLOCKED)
    forge(world, settings_target(), immutability="Locked")
    [found] = [found for found in examine_isolation(world.vault).findings if found.code == IMMUTABILITY]
    assert (found.is_ok, "is Unlocked" in found.message) == (False, True)


def test_a_journal_that_is_refused_is_not_a_vault_that_nobody_changed() -> None:
    world = with_points(0, immutability=Immutability.LOCKED)
    world.memory.faults.fail_next("vault_reader.read", NotFoundError("no container", code="ContainerNotFound"))
    with pytest.raises(NotFoundError):
        read_believed_settings(world.vault.ports)


def test_disabling_still_needs_a_second_person_whatever_the_row_says() -> None:
    world = with_points(1)
    set_immutability(world, Immutability.UNLOCKED)
    forge(world, settings_target(), immutability="Disabled")
    with pytest.raises(ApprovalRequiredError):
        change_vault(world.vault, VaultChange(immutability=Immutability.DISABLED), ACTOR)


@pytest.mark.parametrize("bad", ["hold", "point", "expiry", "retention"])
def test_a_row_that_cannot_be_read_keeps_no_other_instance_from_being_checked(bad: str) -> None:
    world = with_points(1)
    protect(world, request_key="2", instance_id=f"{VAULT_ID}/backupInstances/other", server_id=add_server(world, "b"))
    run_jobs(world)
    key = world.instance().key
    match bad:
        case "hold":
            forge(world, hold_target(key, "x"), name="x")
        case "point":
            forge(world, point_target(world), holds="{")
        case "expiry":
            forge(world, point_target(world), expiry_time="x")
        case _:
            forge(world, retention_target(key), reevaluated_seq="x")
    world.clock.advance(timedelta(days=1))
    for _ in range(5):
        reconcile(world.vault, world.memory.orchestrations)
    (found,) = told(world, "ImmutabilityNotChecked")
    assert (found["flexvault.instance"], found["code"]) == (key, "RowUnreadable")


def test_a_row_of_the_rights_pass_that_cannot_be_read_begins_a_new_pass() -> None:
    world = with_points(1)
    now: datetime = world.clock.storage_now()
    forge(world, RIGHTS, look_at="soon", is_done=True, day=now.date().isoformat(), cursor=7)
    reconcile(world.vault, world.memory.orchestrations)
    row = find_row(world.vault.ports, RIGHTS)
    assert row is not None
    assert isinstance(row.values["look_at"], datetime)
