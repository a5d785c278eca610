"""Success is checked: what may become a recovery point, and what spoils the attempt."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain import blob_names, names
from flexvault.domain.errors import TransientError
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.manifest import Manifest
from flexvault.services import catalog, copying
from flexvault.services.promote import OWNER
from tests.builders import ROLES, World, backup_files, run_jobs, run_one, tiny_archive
from tests.services.interrupting import Interruption, interrupted
from tests.services.invariants import entries, landing_containers, require_rest
from tests.services.running import accepted_attempts, claimed, newest_job, only_open, run_until, step

ARCHIVE = tiny_archive()
DATABASE, ROLE_FILE = "_database_orders.sql", "_roles.sql"


def landed(files: dict[str, bytes] | None = None, **script: Any) -> World:
    """A backup that has ended at the server; its files wait in the landing account."""
    world = claimed()
    world.memory.ltr.script = LtrScript(
        files=files or {DATABASE: ARCHIVE, ROLE_FILE: ROLES},
        **script,
    )
    run_until(world, Step.PROMOTING)
    world.memory.ltr.script = LtrScript(files=backup_files())
    return world


def point_of(world: World) -> Manifest:
    (point,) = catalog.list_points(world.vault.ports, world.instance().key)
    return catalog.read_manifest(world.vault.ports, point)


def spoil_reason(world: World) -> str:
    """What the first attempt came to; the second one went well."""
    run_jobs(world)
    job = newest_job(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    assert point_of(world).attempt == 2
    assert accepted_attempts(world) == [1, 2]
    (warned,) = [warning for warning in job.warnings if warning["code"] == "AttemptFailed"]
    return warned["message"]


def test_an_archive_cut_at_any_byte_never_becomes_a_recovery_point():
    for cut in range(len(ARCHIVE)):
        world = landed(truncated={DATABASE: cut})
        assert step(world).next is Step.PREPARING, f"cut after {cut} bytes"
        assert world.memory.storage.list_blobs("vault", "points") == []


def test_a_whole_archive_does():
    world = landed()
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert {file.suffix for file in point_of(world).files} == {DATABASE, ROLE_FILE}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param(
            {"truncated": {DATABASE: len(ARCHIVE) - 3}}, "_database_orders.sql", id="cut before the terminator"
        ),
        pytest.param({"missing": {DATABASE, ROLE_FILE}}, "no file", id="no file at all"),
        pytest.param({"truncated": {DATABASE: 0, ROLE_FILE: 0}}, "only empty files", id="all files empty"),
        pytest.param({"truncated": {DATABASE: 0}}, "custom-format", id="an empty archive"),
    ],
)
def test_what_spoils_an_attempt_is_said_and_the_next_attempt_follows(script: dict[str, Any], said: str):
    assert said in spoil_reason(landed(**script))


def test_an_archive_that_is_none_spoils_the_attempt():
    assert "custom-format" in spoil_reason(landed({DATABASE: b"-- plain SQL\n", ROLE_FILE: ROLES}))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({DATABASE: ARCHIVE}, id="no roles file"),
        pytest.param({ROLE_FILE: ROLES}, id="no database"),
        pytest.param({DATABASE: ARCHIVE, ROLE_FILE: ROLES, "_new.bin": b"?"}, id="a name that is not known"),
        pytest.param({"_dump.bin": ARCHIVE, "_globals.txt": ROLES}, id="all names new"),
        pytest.param({DATABASE: b"PGDMP\x01\x63" + ARCHIVE[7:], ROLE_FILE: ROLES}, id="an archive of a later version"),
    ],
)
def test_a_layout_that_is_not_known_is_kept_as_it_is_with_a_warning(files: dict[str, bytes]):
    world = landed(files)
    run_jobs(world)
    job = newest_job(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    assert [warning["code"] for warning in job.warnings] == ["UnknownLayout"]
    kept = {file.suffix: world.memory.storage.read("vault", "points", file.path) for file in point_of(world).files}
    assert kept == files


def test_a_size_that_differs_from_the_services_figure_is_a_warning():
    world = landed(missing={"_schema.sql"}, files={DATABASE: ARCHIVE, ROLE_FILE: ROLES, "_schema.sql": b"-- x\n"})
    run_jobs(world)
    assert [warning["code"] for warning in newest_job(world).warnings] == ["SizeDiffers"]


def test_h9_a_landing_file_that_changes_while_it_is_copied_spoils_the_attempt():
    world = landed()
    changed = f"{only_container(world)}"

    def overwrite() -> None:
        name = world.memory.storage.list_blobs("landing", changed)[0].name
        world.memory.storage.put("landing", changed, name, tiny_archive("other"))

    world.memory.faults.run_next("vault_writer.stage_block", overwrite, after=True)
    assert "changed while it was copied" in spoil_reason(world)
    assert [warning["code"] for warning in newest_job(world).warnings] == ["AttemptFailed"]


def only_container(world: World) -> str:
    (container,) = only_open(world).state["containers"]
    return container


def test_warnings_of_a_spoiled_attempt_do_not_stick_to_the_next():
    world = landed(missing={"_schema.sql"}, files={DATABASE: ARCHIVE, ROLE_FILE: ROLES, "_schema.sql": b"-- x\n"})
    container = only_container(world)

    def overwrite() -> None:
        name = world.memory.storage.list_blobs("landing", container)[0].name
        world.memory.storage.put("landing", container, name, tiny_archive("other"))

    world.memory.faults.run_next("vault_writer.stage_block", overwrite, after=True)
    run_jobs(world)
    assert [warning["code"] for warning in newest_job(world).warnings] == ["AttemptFailed"]


def test_a_foreign_blob_at_the_target_name_is_never_overwritten_and_is_named():
    world = landed()
    opened = only_open(world)
    point = names.point_id(opened.job_id)
    file = f"{names.backup_name(opened.job_id, 1)}{DATABASE}"
    path = blob_names.file_path(opened.instance, point, 1, 0, file)
    world.memory.storage.put("vault", "points", path, b"foreign", {OWNER: "somebody"})
    run_jobs(world)
    error = newest_job(world).error or {}
    assert (error["code"], path in error["message"]) == ("ForeignBlob", True)
    assert world.memory.storage.read("vault", "points", path) == b"foreign"
    assert world.memory.storage.list_blobs("vault", "manifests") == []


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 bytes, two a batch: a tiny archive has several batches."""
    monkeypatch.setattr("flexvault.domain.manifest._SMALL_BLOCK", 64)
    monkeypatch.setattr(copying, "BLOCKS_A_BATCH", 2)


@pytest.mark.usefixtures("small_blocks")
def test_after_a_crash_only_blocks_without_a_checksum_are_staged_again():
    world = landed()
    blocks = -(-len(ARCHIVE) // 64) + -(-len(ROLES) // 64)
    staged = Interruption()
    vault = interrupted(world.vault, staged)
    for _ in range(4):
        world.memory.faults.run_next("vault_writer.stage_block", lambda: None)
    world.memory.faults.fail_next("vault_writer.stage_block", TransientError("503"))
    hurt = replace(world, vault=vault)
    with pytest.raises(TransientError):
        run_one(hurt, only_open(world))
    while only_open(world).step is Step.PROMOTING:
        run_one(hurt, only_open(world))
    assert blocks < staged.calls.count("vault_writer.stage_block") <= blocks + 2
    run_jobs(world)
    assert {file.suffix: len(file.crc64) for file in point_of(world).files} == {
        DATABASE: -(-len(ARCHIVE) // 64),
        ROLE_FILE: -(-len(ROLES) // 64),
    }
    for file in point_of(world).files:
        assert world.memory.storage.read("vault", "points", file.path) in {ARCHIVE, ROLES}


@pytest.mark.usefixtures("small_blocks")
def test_a_copy_that_takes_long_stops_in_time_and_goes_on_in_the_next_activity():
    world = landed()
    answers: list[Step | None] = []
    percents: list[float] = []

    def slow() -> None:
        world.clock.advance(timedelta(minutes=5))

    for _ in range(20):
        world.memory.faults.run_next("vault_writer.stage_block", slow)
    while world.open_jobs() and only_open(world).step is Step.PROMOTING:
        answers.append(run_one(world, only_open(world)).next)
        percents += [task["percent"] for task in newest_job(world).sub_tasks if task["name"] == "Promote to vault"]
    assert answers.count(Step.PROMOTING) > 1
    assert answers[-1] is Step.SEALING
    assert percents == sorted(percents)
    assert (0 < percents[0] < 100, percents[-1]) == (True, 100)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_files_of_several_containers_are_all_promoted():
    files = backup_files(orders=ARCHIVE, more=tiny_archive("more"))
    world = landed(files, container_count=3)
    run_jobs(world)
    assert {file.suffix for file in point_of(world).files} == set(files)
    assert {file.path.split("/")[3] for file in point_of(world).files} == {"c0", "c1", "c2"}


# Sealing -------------------------------------------------------------------------------------------------------------


def sealing(**script: Any) -> World:
    world = landed(**script)
    run_until(world, Step.SEALING)
    return world


def test_the_manifest_says_what_is_known_of_the_point():
    world = sealing()
    run_jobs(world)
    manifest, job = point_of(world), newest_job(world)
    assert (manifest.job_id, manifest.point_id) == (job.job_id, names.point_id(job.job_id))
    assert manifest.account == world.vault.settings.vault_blob_endpoint
    assert manifest.server["name"] == "pg-orders"
    database = next(file for file in manifest.files if file.suffix == DATABASE)
    assert database.facts["database"] == "orders"
    assert manifest.immutability == "Unlocked"
    assert job.recovery["point_id"] == manifest.point_id


def test_the_entry_is_made_from_the_stored_manifest_not_from_memory():
    world = sealing()
    opened = only_open(world)
    path = blob_names.manifest_path(opened.instance, names.point_id(opened.job_id))
    counted = Interruption()
    run_one(replace(world, vault=interrupted(world.vault, counted)), opened)
    stored = world.memory.storage.read("vault", "manifests", path)
    (sealed,) = [entry for entry in entries(world, opened.instance) if entry.type == "Sealed"]
    assert sealed.body["manifest_hash"] == names.sha256_hex(stored)
    at = counted.calls.index("vault_writer.create")
    assert counted.calls[at + 1 : at + 3] == ["vault_reader.list_versions", "vault_reader.read"]


def test_a_manifest_that_an_earlier_run_made_decides():
    world = sealing()
    opened = only_open(world)
    path = blob_names.manifest_path(opened.instance, names.point_id(opened.job_id))
    world.memory.faults.fail_next("vault_writer.create", TransientError("lost"), after=True)
    with pytest.raises(TransientError):
        run_one(world, opened)
    first = world.memory.storage.read("vault", "manifests", path)
    world.clock.advance(timedelta(hours=1))
    run_jobs(world)
    assert world.memory.storage.read("vault", "manifests", path) == first
    require_rest(world)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda data: data[:-1], id="cut"),
        pytest.param(lambda data: data + b"x", id="longer"),
    ],
)
def test_a_promoted_file_that_is_not_what_was_copied_fails_the_seal(harm: Callable[[bytes], bytes]):
    world = sealing()
    blob = world.memory.storage.list_blobs("vault", "points")[0]
    data = world.memory.storage.read("vault", "points", blob.name)
    world.memory.storage.spoil("vault", "points", blob.name, harm(data))
    run_jobs(world)
    error = newest_job(world).error or {}
    assert blob.name in error["message"]
    assert world.memory.storage.list_blobs("vault", "manifests") == []


def test_an_archive_whose_end_was_zeroed_in_the_vault_account_fails_the_seal():
    world = sealing()
    blob = next(blob for blob in world.memory.storage.list_blobs("vault", "points") if blob.name.endswith(DATABASE))
    hurt = ARCHIVE[:-6] + b"\xff" * 6
    world.memory.storage.spoil("vault", "points", blob.name, hurt)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert world.memory.storage.list_blobs("vault", "manifests") == []


def test_the_landing_containers_of_a_sealed_point_are_removed_and_those_of_a_failed_attempt_kept():
    world = landed(truncated={DATABASE: 9})
    failed = only_container(world)
    run_jobs(world)
    assert landing_containers(world) == [failed]


def test_the_point_is_timed_by_the_moment_before_its_post():
    world = landed()
    requested = only_open(world).state["start_requested_at"]
    run_jobs(world)
    assert point_of(world).recovery_point_time.isoformat() == requested
    assert json.dumps(newest_job(world).recovery)
