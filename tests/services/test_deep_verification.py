"""Deep verification: every byte is read, every row counted, and whatever is wrong is found, told and kept."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, names
from flexvault.domain.deep_verification import DeepVerification
from flexvault.domain.dump_counting import BlockFacts
from flexvault.domain.dump_walk import Block
from flexvault.domain.errors import ConflictError, IntegrityError, NotAuthorizedError, TransientError
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.row_digest import CopyText
from flexvault.domain.rows import Delete, Merge
from flexvault.domain.verification import Severity, Verdict
from flexvault.services import catalog, count_blocks, index_files, record_verification, verification_result
from flexvault.services.effects import run
from flexvault.services.holds import HoldOrder, place_hold
from flexvault.services.request_verification import verify_point
from flexvault.services.retention_plan import store_plan
from flexvault.services.scheduling import tick
from flexvault.services.strengthen import strengthen
from flexvault.services.verifications import read_newest
from tests.builders import ACTOR, World, backup_files, request_of, run_jobs, run_one, tiny_archive
from tests.services.invariants import entries, require_rest
from tests.services.running import claimed, newest_job, only_open, quietly, run_until
from tests.services.verifying import OBJECTS, TABLES, archive_of, flip, newest, rows_of, shop, verified, with_point
from tests.unit.whole_archive import Whole

ARCHIVES = {compression: shop(compression) for compression in ("gzip", "none")}
PLACES = [
    pytest.param(compression, block.offset + part * (block.length - 1) // 3, id=f"{compression} {number} {part}/3")
    for compression, archive in ARCHIVES.items()
    for number, block in enumerate(Whole(archive).blocks)
    for part in range(4)
]


def digest_of(text: bytes) -> str:
    copied = CopyText()
    copied.add(text + b"\\.\n\n\n")
    assert copied.close()
    return copied.rows.digest


def codes(found: DeepVerification) -> list[str]:
    return sorted({finding.code for finding in found.findings})


def events(world: World) -> list[str]:
    return [event for event, _ in world.memory.telemetry.events]


def manifests(world: World) -> list[str]:
    blobs = world.memory.storage.list_blobs(VAULT, blob_names.MANIFESTS)
    return sorted(blob.name.partition(".")[2] for blob in blobs)


@pytest.mark.parametrize("compression", ARCHIVES)
def test_every_row_and_large_object_is_counted_and_digested_and_every_file_hashed(compression: str) -> None:
    world = with_point(ARCHIVES[compression])
    found = verified(world)

    assert (found.verdict, found.findings, newest_job(world).status) == (Verdict.INTACT, (), JobStatus.COMPLETED)
    manifest = catalog.read_manifest(world.vault.ports, newest(world))
    read = {file.path: world.memory.storage.read(VAULT, blob_names.POINTS, file.path) for file in manifest.files}
    assert {file.path: file.sha256 for file in found.files} == {
        path: hashlib.sha256(data).hexdigest() for path, data in read.items()
    }
    (archive,) = [file for file in found.files if file.index_path]
    assert archive.database == "shop"
    assert [(rows.schema, rows.name, rows.rows, rows.size_bytes, rows.digest) for rows in archive.rows] == [
        ("sales", table, 60, len(rows_of(table)), digest_of(rows_of(table))) for table in TABLES
    ]
    assert archive.large_objects is not None
    assert (archive.large_objects.count, archive.large_objects.size_bytes) == (3, sum(map(len, OBJECTS.values())))


def test_the_index_says_where_each_block_lies_and_what_its_bytes_hash_to() -> None:
    world = with_point()
    (file,) = [file for file in verified(world).files if file.index_path]
    stored = world.memory.storage.read(VAULT, blob_names.MANIFESTS, file.index_path)
    index = json.loads(stored)
    whole = Whole(ARCHIVES["gzip"])

    assert names.sha256_hex(stored) == file.index_sha256
    assert tuple(Block.from_json(block) for block in index["blocks"]) == whole.blocks
    assert [BlockFacts.from_json(block) for block in index["blocks"]] == [whole.count(block) for block in whole.blocks]
    head = whole.content[: whole.contents.data_start]
    assert (index["dataStart"], index["headSha256"]) == (len(head), hashlib.sha256(head).hexdigest())
    assert (index["version"], index["path"], index["sizeBytes"]) == (1, file.path, len(whole.content))


@pytest.mark.parametrize(("compression", "place"), PLACES)
def test_a_flipped_byte_in_any_data_block_is_found(compression: str, place: int) -> None:
    world = with_point(ARCHIVES[compression])
    flip(world, place)
    found = verified(world)

    assert found.verdict is Verdict.BROKEN
    assert "BlockDiffers" in codes(found)
    assert newest(world).is_broken


def test_a_flipped_byte_in_the_table_of_contents_or_in_another_file_is_found() -> None:
    for change in (lambda world: flip(world, 40), lambda world: flip(world, 3, roles_of(world))):
        world = with_point()
        change(world)
        assert "BlockDiffers" in codes(verified(world))


def roles_of(world: World) -> Any:
    manifest = catalog.read_manifest(world.vault.ports, newest(world))
    return next(file for file in manifest.files if file.suffix == "_roles.sql")


def test_what_arrived_damaged_and_was_sealed_so_is_found_with_the_table_named() -> None:
    block = Whole(ARCHIVES["gzip"]).blocks[1]
    archive = bytearray(ARCHIVES["gzip"])
    archive[block.offset + block.length // 2] ^= 0x20
    found = verified(with_point(bytes(archive)))

    assert codes(found) == ["DataDamaged"]
    (finding,) = found.findings
    assert "TABLE DATA sales.items (entry 2)" in finding.message
    assert finding.action
    (file,) = [file for file in found.files if file.index_path]
    assert [rows.rows for rows in file.rows] == [60, None, 60]
    assert file.rows[1].not_counted.startswith("it is damaged")


def test_a_broken_point_is_told_by_job_event_row_and_journal_and_stays() -> None:
    world = with_point()
    flip(world, len(ARCHIVES["gzip"]) // 2)
    found = verified(world)

    job, point = newest_job(world), newest(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    assert {entry["code"] for entry in job.warnings} == set(codes(found))
    assert all(entry["remedy"] for entry in job.warnings)
    assert events(world).count("PointNotIntact") == 1
    assert (point.verified_verdict, point.verified_number, point.is_broken) == ("Broken", 1, True)
    assert point.verified_findings == len(found.findings)
    entry = next(entry for entry in entries(world, point.instance) if entry.type == "PointVerified")
    assert (entry.body["verdict"], entry.body["codes"], dict(entry.actor)) == ("Broken", codes(found), ACTOR)
    require_rest(world)


def test_what_a_verification_kept_on_its_way_is_gone_when_it_has_ended() -> None:
    world = with_point()
    found = verified(world)
    assert list(world.memory.rows.query("blocks", found.job_id, start="", end="~")) == []


def test_a_point_that_is_verified_again_gets_the_next_number_and_is_good_again() -> None:
    world = with_point()
    place = len(ARCHIVES["gzip"]) // 2
    flip(world, place)
    assert verified(world).verdict is Verdict.BROKEN
    flip(world, place)
    world.clock.advance(timedelta(hours=1))

    assert (verified(world, key="verify-2").verdict, newest(world).verified_number) == (Verdict.INTACT, 2)
    assert not newest(world).is_broken
    assert [name for name in manifests(world) if name.endswith("-2.json")] == ["verification-2.json"]


def _missing(world: World) -> None:
    world.memory.storage.lose(VAULT, blob_names.POINTS, archive_of(world).path)


def _longer(world: World) -> None:
    path = archive_of(world).path
    data = world.memory.storage.read(VAULT, blob_names.POINTS, path)
    world.memory.storage.spoil(VAULT, blob_names.POINTS, path, data + b"x")


def _other_manifest(world: World) -> None:
    path = blob_names.manifest_path(world.instance().key, newest(world).point_id)
    world.memory.storage.spoil(VAULT, blob_names.MANIFESTS, path, b"{}")


def _no_manifest(world: World) -> None:
    path = blob_names.manifest_path(world.instance().key, newest(world).point_id)
    world.memory.storage.lose(VAULT, blob_names.MANIFESTS, path)


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        pytest.param(_missing, "FileMissing", id="a file is gone"),
        pytest.param(_longer, "FileDiffers", id="a file is longer"),
        pytest.param(_other_manifest, "ManifestDiffers", id="the manifest is another one"),
        pytest.param(_no_manifest, "ManifestMissing", id="the manifest is gone"),
    ],
)
def test_what_is_not_there_as_it_was_sealed_is_a_finding_and_no_failure(
    harm: Callable[[World], None], code: str
) -> None:
    world = with_point()
    point = newest(world)
    harm(world)
    found = verified(world, point)

    assert (found.verdict, codes(found)) == (Verdict.BROKEN, [code])
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS


def test_a_refusal_of_storage_proves_nothing_and_breaks_nothing() -> None:
    world = with_point()
    verify_point(world.vault, world.instance(), newest(world).point_id, "verify-1")
    refused = NotAuthorizedError("the control identity may not read", hint="grant it")
    world.memory.faults.fail_next("vault_reader.find", refused)
    run_jobs(world)

    found = read_newest(world.vault.ports, newest(world))
    assert found is not None
    assert (found.verdict, codes(found)) == (Verdict.NOT_PROVEN, ["FileNotRead"])
    assert [finding.severity for finding in found.findings] == [Severity.WARNING]
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert not newest(world).is_broken
    assert events(world).count("PointNotIntact") == 1


@pytest.mark.parametrize("step", [Step.INDEXING, Step.COUNTING, Step.CONCLUDING])
def test_an_outage_of_storage_is_raised_and_the_step_is_repeated(step: Step) -> None:
    world = with_point()
    verify_point(world.vault, world.instance(), newest(world).point_id, "verify-1")
    run_until(world, step)
    world.memory.faults.fail_next("vault_reader.read", TransientError("busy"))
    with pytest.raises(TransientError):
        run_one(world, only_open(world))
    run_jobs(world)

    found = read_newest(world.vault.ports, newest(world))
    assert found is not None
    assert (found.verdict, found.findings) == (Verdict.INTACT, ())


def slow(world: World, monkeypatch: pytest.MonkeyPatch, minutes: float = 5) -> None:
    """Let every read of the vault account take long, and every run stop soon."""
    reader: Any = world.memory.ports.vault_reader
    read = reader.read

    def slowly(container: str, *args: Any, **kwargs: Any) -> bytes:
        if container == blob_names.POINTS:
            world.clock.advance(timedelta(minutes=minutes))
        return read(container, *args, **kwargs)

    monkeypatch.setattr(reader, "read", slowly)


def test_a_verification_of_many_short_runs_has_the_result_of_one_long_run(monkeypatch: pytest.MonkeyPatch) -> None:
    quick, cut = with_point(), with_point()
    whole = verified(quick)
    monkeypatch.setattr(index_files, "SLICE_BYTES", 1)
    monkeypatch.setattr(count_blocks, "LANES", 1)
    slow(cut, monkeypatch)
    verify_point(cut.vault, cut.instance(), newest(cut).point_id, "verify-1")
    steps: list[Step] = []
    while cut.open_jobs():
        steps.append(only_open(cut).step)
        run_one(cut, only_open(cut))
    found = read_newest(cut.vault.ports, newest(cut))

    assert found is not None
    assert min(steps.count(Step.INDEXING), steps.count(Step.COUNTING)) > 2
    assert (found.verdict, found.findings) == (Verdict.INTACT, ())
    for one, other in zip(found.files, whole.files, strict=True):
        assert replace(one, sha256="", index_path="", index_sha256="", path="") == replace(
            other, sha256="", index_path="", index_sha256="", path=""
        )


def test_a_block_that_one_run_could_not_count_is_counted_alone_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    world = with_point()
    count, tried = count_blocks.count_block, list[int]()

    def not_at_once(contents: Any, entry: Any, *args: Any, **more: Any) -> BlockFacts | None:
        tried.append(entry.dump_id)
        return None if tried.count(entry.dump_id) == 1 and entry.dump_id == 2 else count(contents, entry, *args, **more)

    monkeypatch.setattr(count_blocks, "count_block", not_at_once)
    found = verified(world)

    assert (found.verdict, found.findings) == (Verdict.INTACT, ())
    assert sorted(tried) == [1, 2, 2, 3, 4]
    (file,) = [file for file in found.files if file.index_path]
    assert [rows.rows for rows in file.rows] == [60] * len(TABLES)


def test_what_was_read_wrongly_once_is_read_again_before_it_counts_as_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    world = with_point()
    count, tried = count_blocks.count_block, list[int]()

    def wrong_once(contents: Any, entry: Any, *args: Any, **more: Any) -> BlockFacts | None:
        tried.append(entry.dump_id)
        if tried.count(entry.dump_id) == 1:
            raise IntegrityError("it cannot be inflated", code="DamagedData")
        return count(contents, entry, *args, **more)

    monkeypatch.setattr(count_blocks, "count_block", wrong_once)
    assert verified(world).verdict is Verdict.INTACT


def test_a_block_that_no_run_can_count_is_hashed_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    world = with_point()
    monkeypatch.setattr(count_blocks, "count_block", lambda *_args, **_more: None)
    found = verified(world)

    assert (found.verdict, codes(found)) == (Verdict.INTACT, ["DataNotCounted"])
    (file,) = [file for file in found.files if file.index_path]
    assert {rows.not_counted for rows in file.rows} == {count_blocks.TOO_LONG}
    index = json.loads(world.memory.storage.read(VAULT, blob_names.MANIFESTS, file.index_path))
    whole = Whole(ARCHIVES["gzip"])
    assert [block["sha256"] for block in index["blocks"]] == [whole.count(block).sha256 for block in whole.blocks]


def test_what_is_compressed_in_a_way_that_is_not_read_here_is_hashed_and_said_to_be_not_counted() -> None:
    archive = shop("lz4")
    found = verified(with_point(archive))

    assert (found.verdict, codes(found)) == (Verdict.INTACT, ["DataNotCounted"])
    (file,) = [file for file in found.files if file.index_path]
    assert [rows.rows for rows in file.rows] == [None] * len(TABLES)
    assert file.large_objects is not None
    assert "lz4" in file.large_objects.not_counted


def test_a_number_that_a_dead_job_took_is_left_to_it() -> None:
    world = with_point()
    point = newest(world)
    taken = blob_names.verification_index_path(point.instance, point.point_id, 1, 0)
    world.memory.storage.put(VAULT, blob_names.MANIFESTS, taken, b'{"jobId": "another"}')

    assert verified(world).number == 2


def test_a_name_that_another_job_takes_at_the_last_moment_is_left_to_it() -> None:
    world = with_point()
    point = newest(world)
    verify_point(world.vault, world.instance(), point.point_id, "verify-1")
    run_until(world, Step.CONCLUDING)
    taken = blob_names.verification_path(point.instance, point.point_id, 1)
    world.memory.faults.run_next(
        "vault_writer.create",
        quietly(lambda: world.memory.storage.put(VAULT, blob_names.MANIFESTS, taken, b'{"jobId": "another"}')),
    )
    run_jobs(world)

    found = read_newest(world.vault.ports, newest(world))
    assert found is not None
    assert (found.number, found.verdict) == (2, Verdict.INTACT)


def test_its_blobs_are_protected_as_the_manifest_is_and_kept_so_when_it_gets_longer() -> None:
    world = with_point()
    verified(world)
    blobs = list(world.memory.storage.list_versions(VAULT, blob_names.MANIFESTS, ""))
    assert len(blobs) == 3
    assert len({(blob.immutable_until, blob.immutability_mode) for blob in blobs}) == 1
    world.memory.storage.unprotect(blob_names.MANIFESTS)

    assert strengthen(world.vault.ports, world.instance().key) == 3
    again = list(world.memory.storage.list_versions(VAULT, blob_names.MANIFESTS, ""))
    assert {blob.immutable_until for blob in again} == {blob.immutable_until for blob in blobs}


def test_a_hold_that_stands_covers_what_a_verification_writes() -> None:
    world = with_point()
    hold = HoldOrder(name="case-7", reason="a court's order", recovery_point_id=newest(world).point_id)
    place_hold(world.vault, world.instance(), hold, ACTOR)
    verified(world)

    blobs = list(world.memory.storage.list_versions(VAULT, blob_names.MANIFESTS, ""))
    assert [blob.has_legal_hold for blob in blobs] == [True] * 3


def test_while_one_runs_the_same_point_is_answered_with_it_and_another_is_refused() -> None:
    world = with_point()
    first = newest(world)
    world.clock.advance(timedelta(days=1))
    claimed_again(world)
    claim = verify_point(world.vault, world.instance(), first.point_id, "verify-1")

    assert verify_point(world.vault, world.instance(), first.point_id, "verify-2").job_id == claim.job_id
    with pytest.raises(ConflictError, match=first.point_id) as refused:
        verify_point(world.vault, world.instance(), newest(world).point_id, "verify-3")
    assert refused.value.code == "UserErrorMaxConcurrentOperationLimitReached"


def claimed_again(world: World) -> None:
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)


@pytest.mark.parametrize("step", [Step.INDEXING, Step.CONCLUDING])
def test_a_point_that_is_deleted_meanwhile_ends_its_verification_and_nothing_is_wrong(step: Step) -> None:
    world = with_point()
    point = newest(world)
    verify_point(world.vault, world.instance(), point.point_id, "verify-1")
    run_until(world, step)
    world.vault.ports.rows.apply("points", point.instance, [Merge(key=point.point_id, values={"state": "deleting"})])
    run_jobs(world)

    job = newest_job(world)
    assert (job.status, (job.error or {})["code"]) == (JobStatus.CANCELLED, "RecoveryPointIsBeingDeleted")
    assert "PointVerified" not in [entry.type for entry in entries(world, point.instance)]


def test_more_findings_than_a_result_has_room_for_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification_result, "MOST_FINDINGS", 2)
    archive = bytearray(ARCHIVES["gzip"])
    for block in Whole(ARCHIVES["gzip"]).blocks[:3]:
        archive[block.offset + block.length // 2] ^= 0x20
    found = verified(with_point(bytes(archive)))

    assert [finding.code for finding in found.findings] == ["DataDamaged", "MoreFindings"]
    assert found.findings[1].message.startswith("2 further")


def test_a_row_that_was_lost_gets_its_verification_back_from_the_journal() -> None:
    world = with_point()
    flip(world, len(ARCHIVES["gzip"]) // 2)
    verified(world)
    point = newest(world)
    row = world.vault.ports.rows.find("points", point.instance, point.point_id)
    assert row is not None
    world.vault.ports.rows.apply("points", point.instance, [Delete(key=point.point_id, etag=row.etag)])
    store_plan(world.vault, world.clock.storage_now())

    assert newest(world) == point


@pytest.mark.parametrize("harm", ["lose", "spoil"])
def test_a_result_that_is_not_what_was_journalled_is_never_believed(harm: str) -> None:
    world = with_point()
    verified(world)
    point = newest(world)
    path = blob_names.verification_path(point.instance, point.point_id, 1)
    if harm == "lose":
        world.memory.storage.lose(VAULT, blob_names.MANIFESTS, path)
    else:
        world.memory.storage.spoil(VAULT, blob_names.MANIFESTS, path, b"{}")

    with pytest.raises(IntegrityError) as wrong:
        read_newest(world.vault.ports, point)
    assert wrong.value.code == {"lose": "VerificationMissing", "spoil": "VerificationDiffers"}[harm]


def test_a_second_run_of_the_last_step_tells_nothing_twice_in_the_journal() -> None:
    world = with_point()
    verify_point(world.vault, world.instance(), newest(world).point_id, "verify-1")
    opened = run_until(world, Step.CONCLUDING)
    world.memory.faults.fail_next("vault_guard.protect", TransientError("busy"))
    with pytest.raises(TransientError):
        run(world.vault, request_of(opened))
    run_jobs(world)

    assert [entry.type for entry in entries(world, world.instance().key)].count("PointVerified") == 1
    assert "verification-2.json" not in manifests(world)


def test_a_backup_of_an_empty_table_and_files_of_nothing_is_intact() -> None:
    world = claimed()
    files = backup_files(shop=tiny_archive("shop", rows=b"")) | {"_schema.sql": b""}
    world.memory.ltr.script = LtrScript(files=files)
    run_jobs(world)
    found = verified(world)

    assert (found.verdict, found.findings) == (Verdict.INTACT, ())
    assert [rows.rows for file in found.files for rows in file.rows] == [0]
    assert record_verification.NOT_INTACT not in events(world)
