"""Restore as files: nothing is overwritten, every block is compared, and what is read is not deleted meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain import blob_names
from flexvault.domain.errors import (
    IntegrityError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    PermanentError,
    TransientError,
    VaultError,
)
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.open_job import OpenJob
from flexvault.services import catalog, copying
from flexvault.services.apply_retention import begin_retention
from flexvault.services.effects import run
from flexvault.services.requests import RestoreOrder, back_up_now, restore_point, validate_restore
from flexvault.services.scheduling import tick
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    SERVER_ID,
    World,
    backup_files,
    let_pass,
    request_of,
    run_jobs,
    run_one,
    tiny_archive,
)
from tests.services.approving import OTHER
from tests.services.interrupting import Interruption, Zombie, interrupted
from tests.services.invariants import entries, require_rest
from tests.services.running import (
    RESTORE_URL,
    claimed,
    newest_job,
    only_open,
    protected,
    restore_order,
    run_until,
    step,
)

FILES = backup_files(orders=tiny_archive(), more=tiny_archive("more"))


def sealed(**changes: Any) -> World:
    """A vault with one recovery point."""
    world = claimed(**changes)
    world.memory.ltr.script = LtrScript(files=FILES)
    run_jobs(world)
    return world


def order(world: World, **changes: Any) -> RestoreOrder:
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    return replace(restore_order(point.point_id), **changes)


def restoring(**changes: Any) -> World:
    world = sealed()
    restore_point(world.vault, order(world, **changes), "restore-1")
    return world


def restored(world: World) -> dict[str, bytes]:
    storage = world.memory.storage
    return {blob.name: storage.read("restore", "mine", blob.name) for blob in storage.list_blobs("restore", "mine")}


def readers(world: World) -> list[int]:
    return [point.readers for point in catalog.list_all_points(world.vault.ports, world.instance().key)]


def error_of(world: World) -> dict[str, Any]:
    assert newest_job(world).status is JobStatus.FAILED
    return dict(newest_job(world).error or {})


def test_every_file_is_restored_under_its_prefix_and_the_kit_comes_last():
    world = restoring()
    written: list[str] = []
    target: Any = world.memory.restore_target
    commit, create = target.commit, target.create

    def note(call: Callable[..., None]) -> Callable[..., None]:
        def noted(url: str, name: str, *args: Any, **kwargs: Any) -> None:
            written.append(name)
            call(url, name, *args, **kwargs)

        return noted

    target.commit, target.create = note(commit), note(create)
    run_jobs(world)
    found = restored(world)
    assert {name: found[f"again{name}"] for name in FILES} == FILES
    assert all(name.startswith("again_rebuild/") for name in written[len(FILES) :])
    assert len(written) > len(FILES)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert readers(world) == [0]


def test_the_journal_says_who_restored_and_who_backed_up_on_demand():
    world = sealed()
    restore_point(world.vault, order(world), "restore-1", actor=ACTOR)
    run_jobs(world)
    back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "now-1", actor=OTHER)
    run_jobs(world)
    told = [(entry.type, dict(entry.actor)) for entry in entries(world, world.instance().key)]
    for kind in ("RestoreStarted", "RestoreEnded", "JobClosed"):
        assert (kind, ACTOR) in told
    assert told[-1] == ("JobClosed", OTHER)


def test_a_target_that_holds_files_of_the_prefix_is_refused_before_anything_is_written():
    world = sealed()
    world.memory.storage.put("restore", "mine", "again_roles.sql", b"theirs")
    with pytest.raises(InvalidInputError, match=r"again_roles\.sql") as refused:
        restore_point(world.vault, order(world), "restore-1")
    assert refused.value.code == "UserErrorTargetFilesExist"
    assert world.open_jobs() == []


def test_files_that_appear_between_the_request_and_the_probe_are_found_by_the_probe():
    world = restoring()
    world.memory.storage.put("restore", "mine", "again_roles.sql", b"theirs")
    run_jobs(world)
    assert error_of(world)["code"] == "UserErrorTargetFilesExist"
    assert restored(world) == {"again_roles.sql": b"theirs"}
    assert readers(world) == [0]


def test_other_blobs_in_the_target_are_no_obstacle():
    world = restoring(file_prefix="again")
    world.memory.storage.put("restore", "mine", "again2_roles.sql", b"theirs")
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


@pytest.mark.parametrize("ending", ["_roles.sql", "_database_orders.sql", "_tablespace.sql"])
@pytest.mark.parametrize("size", [b"", b"theirs"], ids=["empty", "full"])
def test_a_foreign_blob_that_appears_while_copying_is_named_and_not_touched(ending: str, size: bytes):
    world = restoring()
    run_until(world, Step.COPYING)
    world.memory.storage.put("restore", "mine", f"again{ending}", size, {"flexvault_job": "another"})
    run_jobs(world)
    assert f"again{ending}" in error_of(world)["message"]
    assert restored(world)[f"again{ending}"] == size
    assert readers(world) == [0]


def test_an_empty_file_does_not_replace_a_foreign_blob():
    world = claimed()
    world.memory.ltr.script = LtrScript(files={**FILES, "_schema.sql": b""})
    run_jobs(world)
    restore_point(world.vault, order(world), "restore-1")
    run_until(world, Step.COPYING)
    world.memory.storage.put("restore", "mine", "again_schema.sql", b"theirs")
    run_jobs(world)
    assert restored(world)["again_schema.sql"] == b"theirs"
    assert error_of(world)["code"] == "UserErrorTargetFilesExist"


def harm(world: World, change: Callable[[bytes], bytes], ending: str = "_database_orders.sql") -> str:
    """Change a sealed file behind the vault's back; answers its path."""
    storage = world.memory.storage
    blob = next(blob for blob in storage.list_blobs("vault", "points") if blob.name.endswith(ending))
    data = storage.read("vault", "points", blob.name)
    storage.spoil("vault", "points", blob.name, change(data))
    return blob.name


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_a_file_that_was_written_over_is_restored_as_it_was_sealed():
    world = sealed()
    storage = world.memory.storage
    path = next(blob.name for blob in storage.list_blobs("vault", "points") if blob.name.endswith("_roles.sql"))
    before = storage.read("vault", "points", path)
    storage.put("vault", "points", path, b"encrypted")
    restore_point(world.vault, order(world), "restore-1")
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert storage.read("restore", "mine", "again_roles.sql") == before


@pytest.mark.parametrize("at", [0, 100, -1])
def test_a_byte_that_was_changed_in_a_sealed_file_fails_the_restore_loudly(at: int):
    world = sealed()
    restore_point(world.vault, order(world), "restore-1")
    path = harm(world, flip(at if at >= 0 else len(tiny_archive()) - 1))
    run_jobs(world)
    error = error_of(world)
    assert error["code"] == "ChecksumDiffers"
    assert error["isUserError"] is False
    assert f"block 0 of '{path}'" in error["message"]
    assert "again_database_orders.sql" not in restored(world)
    assert readers(world) == [0]


def test_the_block_that_differs_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flexvault.domain.manifest._SMALL_BLOCK", 64)
    world = sealed()
    restore_point(world.vault, order(world), "restore-1")
    path = harm(world, flip(200))
    run_jobs(world)
    assert f"block 3 of '{path}'" in error_of(world)["message"]


def test_a_manifest_that_was_changed_is_not_believed():
    world = sealed()
    blob = world.memory.storage.list_blobs("vault", "manifests")[0]
    data = world.memory.storage.read("vault", "manifests", blob.name)
    world.memory.storage.spoil("vault", "manifests", blob.name, data.replace(b"Default", b"Yearly!"))
    with pytest.raises(IntegrityError) as refused:
        validate_restore(world.vault, order(world))
    assert refused.value.code == "ManifestDiffers"


def test_after_a_crash_only_what_is_missing_is_copied_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flexvault.domain.manifest._SMALL_BLOCK", 64)
    monkeypatch.setattr(copying, "BLOCKS_A_BATCH", 2)
    world = restoring()
    run_until(world, Step.COPYING)
    counted = Interruption()
    hurt = replace(world, vault=interrupted(world.vault, counted))
    for _ in range(7):
        world.memory.faults.run_next("restore_target.stage_block", lambda: None)
    world.memory.faults.fail_next("restore_target.stage_block", TransientError("503"))
    with pytest.raises(TransientError):
        run_one(hurt, only_open(world))
    while world.open_jobs() and only_open(world).step is Step.COPYING:
        run_one(hurt, only_open(world))
    blocks = sum(-(-len(data) // 64) for data in FILES.values())
    assert blocks < counted.calls.count("restore_target.stage_block") <= blocks + 2
    run_jobs(world)
    assert {name: restored(world)[f"again{name}"] for name in FILES} == FILES


def test_a_running_restore_keeps_its_point_from_being_deleted():
    world = sealed()
    world.clock.advance(timedelta(days=1))
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    old = catalog.list_points(world.vault.ports, world.instance().key)[1]
    restore_point(world.vault, order(world, point_id=old.point_id), "restore-1")
    run_until(world, Step.COPYING)
    let_pass(world, timedelta(days=90))
    begin_retention(world.vault, world.memory.orchestrations)
    run_jobs(world)
    assert len(readers(world)) == 2
    assert {name: restored(world)[f"again{name}"] for name in FILES} == FILES
    begin_retention(world.vault, world.memory.orchestrations)
    run_jobs(world)
    states = [point.state for point in catalog.list_all_points(world.vault.ports, world.instance().key)]
    assert sorted(states) == ["deleted", "sealed"]


def test_a_point_that_is_being_deleted_is_not_restored():
    world = sealed()
    world.clock.advance(timedelta(days=1))
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    old = catalog.list_points(world.vault.ports, world.instance().key)[1]
    let_pass(world, timedelta(days=90))
    restore_point(world.vault, order(world, point_id=old.point_id), "restore-1")
    begin_retention(world.vault, world.memory.orchestrations)
    run_one(world, open_job(world, "retention"))
    world.memory.faults.fail_next("vault_cleaner.delete", TransientError("503"))
    with pytest.raises(TransientError):
        run_one(world, open_job(world, "retention"))
    run_one(world, open_job(world, "restore"))
    job = next(job for job in world.jobs() if job.operation == "restore")
    assert (job.error or {})["code"] == "RecoveryPointIsBeingDeleted"
    with pytest.raises(NotFoundError):
        validate_restore(world.vault, order(world, point_id=old.point_id))


def open_job(world: World, operation: str) -> OpenJob:
    return next(opened for opened in world.open_jobs() if opened.operation == operation)


def test_a_restore_that_fails_right_after_it_was_announced_does_not_count_as_reading_for_ever():
    world = restoring()

    def fail_what_follows() -> None:
        for _ in range(3):  # the point's row, the job's row and the head belong to the announcement
            world.memory.faults.run_next("rows.apply", lambda: None)
        world.memory.faults.fail_next("rows.apply", PermanentError("no room", code="RowNotStorable"))

    world.memory.faults.run_next("vault_writer.create", fail_what_follows, after=True)
    run_jobs(world)
    assert error_of(world)["code"] == "RowNotStorable"
    assert readers(world) == [0]
    kinds = [entry.type for entry in entries(world, world.instance().key)]
    assert kinds[-3:] == ["RestoreStarted", "RestoreEnded", "JobClosed"]


def test_a_restore_that_never_was_announced_takes_no_other_readers_away():
    world = sealed()
    restore_point(world.vault, order(world, file_prefix="one"), "restore-1")
    run_until(world, Step.COPYING)
    world.clock.advance(timedelta(seconds=1))
    restore_point(world.vault, order(world, file_prefix="two"), "restore-2")
    world.memory.storage.put("restore", "mine", "two_roles.sql", b"theirs")
    second = next(opened for opened in world.open_jobs() if opened.step is Step.PROBING)
    run_one(world, second)
    assert readers(world) == [1]


def test_a_zombie_that_was_about_to_announce_does_not_do_so_after_the_job_has_closed():
    world = restoring()
    counted = Interruption()
    measured = restoring()
    run_one(replace(measured, vault=interrupted(measured.vault, counted)), only_open(measured))
    request = request_of(only_open(world))
    zombie = Zombie(world, lambda vault: run(vault, request), counted.calls.index("vault_writer.create"), after=False)
    zombie.start()
    manifest = world.memory.storage.list_blobs("vault", "manifests")[0]
    data = world.memory.storage.read("vault", "manifests", manifest.name)
    world.memory.storage.spoil("vault", "manifests", manifest.name, b"{}")
    run_one(world, only_open(world))  # the second run of the step fails for good
    world.memory.storage.spoil("vault", "manifests", manifest.name, data)
    zombie.release()
    assert error_of(world)["code"] == "ManifestDiffers"
    assert readers(world) == [0]
    require_rest(world)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"container_url": "https://restore.example/missing"}, "ContainerNotFound", id="no container"),
        pytest.param({"container_url": "http://restore.example/mine"}, "BMSUserErrorInvalidInput", id="not https"),
        pytest.param({"container_url": "https://restore.example"}, "BMSUserErrorInvalidInput", id="an account"),
        pytest.param({"container_url": f"{RESTORE_URL}?sig=secret"}, "BMSUserErrorInvalidInput", id="a SAS"),
        pytest.param(
            {"container_url": "https://elsewhere.example/mine"}, "UserErrorRestoreTargetOutside", id="outside"
        ),
        pytest.param(
            {"container_url": "https://vault.example/points"}, "UserErrorRestoreTargetOutside", id="the vault"
        ),
        pytest.param({"container_url": "https://landing.example/x"}, "UserErrorRestoreTargetOutside", id="the landing"),
        pytest.param({"file_prefix": ""}, "BMSUserErrorInvalidInput", id="no prefix"),
        pytest.param({"file_prefix": "../x"}, "BMSUserErrorInvalidInput", id="a path as prefix"),
        pytest.param({"point_id": "0" * 32}, "UserErrorRecoveryPointNotFound", id="no such point"),
        pytest.param({"instance_id": f"{INSTANCE_ID}-x"}, "UserErrorGenericResourceNotFound", id="no such instance"),
    ],
)
def test_what_cannot_be_restored_is_refused_with_its_reason(changes: dict[str, str], error: str):
    world = sealed()
    with pytest.raises(VaultError) as refused:
        restore_point(world.vault, order(world, **changes), "restore-1")
    assert refused.value.code == error
    assert "sig=" not in str(refused.value)
    assert world.open_jobs() == []


def test_a_container_that_the_writer_may_not_reach_is_refused_with_the_command():
    world = sealed()
    world.memory.restore_target.refused.add("mine")
    with pytest.raises(NotAuthorizedError) as refused:
        restore_point(world.vault, order(world), "restore-1")
    assert "az role assignment create" in refused.value.hint


def test_an_account_that_arm_shows_in_a_protected_subscription_is_inside():
    world = sealed(restore_targets=())
    account = SERVER_ID.replace(
        "Microsoft.DBforPostgreSQL/flexibleServers/pg-orders", "Microsoft.Storage/storageAccounts/r"
    )
    with pytest.raises(NotAuthorizedError):
        validate_restore(world.vault, order(world))
    world.memory.restore_target.visible_account_id = account
    validate_restore(world.vault, order(world, target_resource_id=f"{account}/blobServices/default/containers/mine"))


def test_the_same_request_again_is_the_same_restore_even_after_its_files_are_there():
    world = restoring()
    first = newest_job(world).job_id
    run_jobs(world)
    assert restore_point(world.vault, order(world), "restore-1").job_id == first


def test_a_source_server_and_its_group_may_be_gone():
    world = sealed()
    world.memory.servers.remove(SERVER_ID)
    assert len(catalog.list_points(world.vault.ports, world.instance().key)) == 1
    restore_point(world.vault, order(world), "restore-1")
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    world.clock.advance(timedelta(days=400))
    begin_retention(world.vault, world.memory.orchestrations)
    run_jobs(world)
    assert len(catalog.list_points(world.vault.ports, world.instance().key)) == 1, "the last point is kept"


def test_progress_is_counted_in_bytes():
    world = restoring()
    run_until(world, Step.FINISHING)
    job = newest_job(world)
    assert job.transferred_bytes == sum(len(data) for data in FILES.values())
    assert {task["name"]: task["status"] for task in job.sub_tasks}["Trigger Restore"] == "Completed"


def test_nothing_is_written_but_into_the_target():
    world = restoring()
    before = {blob.name for blob in world.memory.storage.list_blobs("vault", blob_names.POINTS)}
    step(world)
    run_jobs(world)
    assert {blob.name for blob in world.memory.storage.list_blobs("vault", blob_names.POINTS)} == before
    assert len(world.memory.ltr.accepted) == 1


def test_a_restore_of_an_instance_without_points_finds_none():
    world = protected()
    with pytest.raises(NotFoundError):
        restore_point(
            world.vault,
            restore_order("0" * 32),
            "r",
        )
