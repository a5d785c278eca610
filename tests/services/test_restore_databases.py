"""A restore of chosen databases: their files alone, under the names of a full restore, and everything says so."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.approval import ApprovalState
from flexvault.domain.errors import ApprovalRequiredError, InvalidInputError, TransientError
from flexvault.domain.job import JobStatus, Step
from flexvault.services.requests import RestoreOrder, restore_point, validate_restore
from flexvault.services.restore_outlines import OutlinedRestore, read_outline
from tests.builders import ACTOR, World, backup_files, run_jobs, run_one, tiny_archive
from tests.services.approving import approve, state
from tests.services.invariants import entries, require_rest
from tests.services.running import claimed, newest_job, only_open, restore_order, run_until
from tests.services.stored_verification import put_verification, the_point
from tests.services.test_outside_restore import ELSEWHERE, forge_job

ODD = 'a "b", c'
FILES = backup_files(orders=tiny_archive(), billing=tiny_archive("billing"), odd=tiny_archive(ODD))
ALWAYS = {"again_roles.sql", "again_tablespace.sql", "again_schema.sql"}


def sealed(**changes: Any) -> World:
    world = claimed(**changes)
    world.memory.ltr.script = LtrScript(files=FILES)
    run_jobs(world)
    return world


def order(world: World, *databases: str, **changes: Any) -> RestoreOrder:
    return replace(restore_order(the_point(world).point_id), databases=databases, **changes)


def restored(world: World) -> dict[str, bytes]:
    storage = world.memory.storage
    return {blob.name: storage.read("restore", "mine", blob.name) for blob in storage.list_blobs("restore", "mine")}


def names(world: World) -> set[str]:
    return {name for name in restored(world) if "_rebuild/" not in name}


def kit_of(world: World) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(restored(world)["again_rebuild/rebuild.pyz"])) as program:
        return json.loads(program.read("kit.json"))


def test_a_restore_ends_with_a_warning_when_the_deep_verification_was_changed():
    world = sealed()
    result = put_verification(world)
    path = blob_names.verification_path(result.instance, result.point_id, result.number)
    world.memory.storage.spoil(VAULT, blob_names.MANIFESTS, path, b"{}")
    restore_point(world.vault, order(world), "r1", actor=ACTOR)
    run_jobs(world)
    job = newest_job(world)
    assert job.status == JobStatus.COMPLETED_WITH_WARNINGS
    assert [warned["code"] for warned in job.warnings] == ["VerificationDiffers"]
    assert kit_of(world)["verification"] is None


@pytest.mark.parametrize(
    ("databases", "archives"),
    [
        (["billing"], {"again_database_billing.sql"}),
        ([ODD], {"again_database_odd.sql"}),
        (["orders", ODD], {"again_database_orders.sql", "again_database_odd.sql"}),
        ([], {"again_database_orders.sql", "again_database_billing.sql", "again_database_odd.sql"}),
    ],
)
def test_the_chosen_archives_and_the_servers_own_files_are_copied(databases: Sequence[str], archives: set[str]):
    world = sealed()
    restore_point(world.vault, order(world, *databases), "restore-1")
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert names(world) == archives | ALWAYS
    assert all(restored(world)[name] == FILES[name.removeprefix("again")] for name in names(world))
    assert {file["name"] for file in kit_of(world)["files"]} == names(world)
    left_out = {"orders", "billing", ODD} - set(databases) if databases else set[str]()
    assert set(kit_of(world)["leftOut"]) == left_out
    require_rest(world)


def test_job_and_journal_say_which_databases():
    world = sealed()
    restore_point(world.vault, order(world, "orders", "billing"), "restore-1", actor=ACTOR)
    run_jobs(world)
    assert newest_job(world).target["databases"] == ["billing", "orders"]
    (started,) = (entry for entry in entries(world, world.instance().key) if entry.type == "RestoreStarted")
    assert started.body["after"]["target"]["databases"] == ["billing", "orders"]


def test_the_journal_of_a_whole_restore_is_as_it_was():
    world = sealed()
    restore_point(world.vault, order(world), "restore-1")
    run_jobs(world)
    (started,) = (entry for entry in entries(world, world.instance().key) if entry.type == "RestoreStarted")
    assert set(started.body["after"]["target"]) == {"url", "file_prefix", "resource_id"}


@pytest.mark.parametrize("wrong", ["Orders", "nope"])
def test_a_database_that_is_not_in_the_point_is_refused_before_anything_happens(wrong: str):
    world = sealed()
    for ask in (
        lambda: validate_restore(world.vault, order(world, "orders", wrong)),
        lambda: restore_point(world.vault, order(world, "orders", wrong), "restore-1"),
    ):
        with pytest.raises(InvalidInputError, match=f"no database '{wrong}'; it has .*'billing', 'orders'"):
            ask()
    assert (world.open_jobs(), restored(world)) == ([], {})


def test_a_crash_while_copying_leaves_the_same_files():
    world = sealed()
    restore_point(world.vault, order(world, "billing"), "restore-1")
    run_until(world, Step.COPYING)
    world.memory.faults.fail_next("restore_target.commit", TransientError("503"))
    with pytest.raises(TransientError):
        run_one(world, only_open(world))
    run_jobs(world)
    assert names(world) == {"again_database_billing.sql"} | ALWAYS


# Approvals -----------------------------------------------------------------------------------------------------------


def outside() -> World:
    world = sealed(restore_targets=())
    world.memory.restore_target.visible_account_id = ELSEWHERE
    return world


def restore_outside(world: World, *databases: str, key: str = "r") -> str:
    wanted = order(world, *databases, target_resource_id=ELSEWHERE)
    return restore_point(world.vault, wanted, key, actor=ACTOR).job_id


def ask(world: World, *databases: str) -> str:
    with pytest.raises(ApprovalRequiredError) as refused:
        restore_outside(world, *databases, key="ask")
    return refused.value.target


def test_an_approval_covers_the_chosen_databases_in_any_order_and_no_others():
    world = outside()
    approval = ask(world, "orders", "billing")
    assert ask(world, "billing", "orders") == approval
    assert len({approval, ask(world), ask(world, "orders"), ask(world, "billing")}) == 4
    approve(world, approval)
    with pytest.raises(ApprovalRequiredError):
        restore_outside(world, key="all")
    restore_outside(world, "billing", "orders")
    run_jobs(world)
    assert state(world, approval) is ApprovalState.USED
    assert names(world) == {"again_database_orders.sql", "again_database_billing.sql"} | ALWAYS


def test_a_forged_job_cannot_widen_what_was_approved():
    world = outside()
    approve(world, ask(world, "orders"))
    restore_outside(world, "orders")
    target = dict(only_open(world).state["target"])
    forge_job(world, target={name: value for name, value in target.items() if name != "databases"})
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert restored(world) == {}


# Outline -------------------------------------------------------------------------------------------------------------


def test_the_outline_of_a_choice_names_what_is_copied_and_what_is_not():
    world = sealed()
    point = the_point(world)
    wanted = OutlinedRestore(
        instance=point.instance, point_id=point.point_id, file_prefix="again", databases=("billing",)
    )
    outline = read_outline(world.vault.ports, OutlinedRestore.from_json(wanted.to_json()))
    assert [one.file for one in outline.databases] == ["again_database_billing.sql"]
    assert {one.name for one in outline.left_out} == {"orders", ODD}
    restore_point(world.vault, order(world, "billing"), "restore-1")
    run_jobs(world)
    assert outline.size_bytes == sum(len(restored(world)[name]) for name in names(world))
