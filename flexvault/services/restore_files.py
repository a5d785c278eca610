"""Restore a recovery point as files: probe the target, copy block by block against the manifest, write the kit last."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePosixPath

from flexvault.domain import blob_names
from flexvault.domain.errors import AlreadyExistsError, ConflictError, IntegrityError, InvalidInputError, TransientError
from flexvault.domain.events import Rows
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import JobStatus, Outcome, Result, Step, closes_as
from flexvault.domain.manifest import Manifest, ManifestFile
from flexvault.kit.facts import KitFacts, KitFile
from flexvault.ports import BlobFacts, BlockRange
from flexvault.services import catalog
from flexvault.services.approvals import check_unused
from flexvault.services.block_log import BlockLog, LoggedFile
from flexvault.services.copying import Budget, percent_staged, stage_all
from flexvault.services.journal import Draft, append
from flexvault.services.outside_restore import require_approved
from flexvault.services.progress import sub_tasks
from flexvault.services.promote import BLOCKS_DROPPED
from flexvault.services.rebuild_kit import build_kit
from flexvault.services.restore_target import require_empty, require_target
from flexvault.services.steps import StepRun, SupersededError
from flexvault.services.target_account import describe_account

OWNER = "flexvault_job"
ATTEMPT = 1


class NotAnnouncedError(Exception):
    """The restore never said that it reads, so there is no end of it to say."""


def probe_target(run: StepRun) -> Result:
    """Check the target before the first write, once; and announce the restore, so that nothing deletes the point."""
    point, manifest = _load(run)
    target = run.open.state["target"]
    if not run.open.state.get("target_checked_at"):

        def allow(why: str) -> None:
            require_approved(run.vault, run.open.state, run.open.instance, why)

        found = require_target(run.vault, target["url"], target["resource_id"], allow)
        require_empty(run.ports.restore_target, target["url"], target["file_prefix"])
        run.record(
            lambda _current: {"target_checked_at": run.now().isoformat(), "target_settings": describe_account(found)}
        )
    _append_started(run, point)
    log = BlockLog(run.ports, run.open.job_id, ATTEMPT)
    restored = restored_names(target["file_prefix"], manifest.files)
    for ordinal, file in enumerate(manifest.files):
        log.add(
            LoggedFile(
                ordinal=ordinal,
                name=restored[ordinal],
                size_bytes=file.size_bytes,
                block_size_bytes=file.block_size_bytes,
                facts={},
            )
        )
    job = {"sub_tasks": sub_tasks(run.open.operation, Step.COPYING)}
    return Result(outcome=Outcome.DONE, job=job)


def copy_files(run: StepRun) -> Result:
    """Copy for a while, comparing every block's checksum with the manifest's; answers Again while blocks are left."""
    _, manifest = _load(run)
    log, budget = BlockLog(run.ports, run.open.job_id, ATTEMPT), Budget(run)
    files = log.files()
    for index, file in enumerate(files):
        if not file.is_committed:
            files[index] = _copy(run, log, file, manifest.files[file.ordinal], budget)
    percent = percent_staged(files)
    transferred = sum(file.size_bytes for file in files if file.is_committed)
    if all(file.is_committed for file in files):
        job = {"sub_tasks": sub_tasks(run.open.operation, Step.FINISHING), "transferred_bytes": transferred}
        return Result(outcome=Outcome.DONE, job=job)
    staged = sum(len(file.crc64) for file in files)
    job = {"sub_tasks": sub_tasks(run.open.operation, Step.COPYING, percent), "transferred_bytes": transferred}
    return Result(outcome=Outcome.AGAIN, state={"progress": f"block {staged}"}, job=job)


def finish_restore(run: StepRun) -> Result:
    """Write the rebuild kit last: where it is, all files are."""
    point, manifest = _load(run)
    target = run.open.state["target"]
    kit = build_kit(_kit_facts(str(target["file_prefix"]), point, manifest))
    for name, data in kit.items():
        _create_own(run, f"{target['file_prefix']}_rebuild/{name}", data)
    return closes_as(JobStatus.COMPLETED)


def end_reading(run: StepRun) -> None:
    """Say that the restore reads no more; part of closing, whatever the outcome.

    Whether it was announced is asked of the job's row as of the entry before, never of the open row: a step may die
    between its announcement and its result.
    """
    body = {"job_id": run.open.job_id, "point_id": run.open.state["point_id"]}
    draft = Draft(
        stream=run.open.instance,
        type="RestoreEnded",
        key=run.open.job_id,
        body=body,
        actor=run.open.actor,
        check=_require_announced,
    )
    with suppress(NotAnnouncedError):
        append(run.ports, draft)


def require_reading_ended(rows: Rows) -> None:
    """Refuse to close a restore that was announced by a late run after its reading had been looked at.

    Raises:
        TransientError: Close it again: the reading is ended then.
    """
    job = next(iter(rows.values()))
    if job is not None and job.values.get("started_event_id") and not job.values.get("ended_event_id"):
        raise TransientError("the restore was announced while it was being closed", code="JournalContended")


def _require_announced(rows: Rows) -> None:
    job = next(iter(rows.values()))
    if job is None or not job.values.get("started_event_id"):
        raise NotAnnouncedError


def restored_names(prefix: str, files: Sequence[ManifestFile]) -> list[str]:
    """Name restored files as Azure Backup names them: the request's prefix in place of the backup's name.

    Files of several containers may end alike; then a number keeps them apart, so that none replaces another.
    """
    taken: set[str] = set()
    named: list[str] = []
    for file in files:
        name, number = f"{prefix}{file.suffix}", 1
        while name.lower() in taken:
            number += 1
            name = f"{prefix}_{number}{file.suffix}"
        taken.add(name.lower())
        named.append(name)
    return named


def _load(run: StepRun) -> tuple[RecoveryPoint, Manifest]:
    row = catalog.find_point(run.ports, run.open.instance, str(run.open.state["point_id"]))
    return row, catalog.read_manifest(run.ports, row)


def _append_started(run: StepRun, point: RecoveryPoint) -> None:
    """Announce the reading under the sequence number under which no tombstone was seen: who loses decides anew.

    Of a restore that goes outside it is the use of its approval.
    """
    approval_id = str(run.open.state.get("approval_id", ""))

    def check(rows: Rows) -> None:
        job, row, *_ = rows.values()
        if job is None or job.values.get("closed_event_id"):
            raise SupersededError
        if approval_id:
            check_unused(rows, approval_id, run.now())
        if row is None or row.values["state"] != "sealed":
            raise ConflictError(
                f"recovery point {point.point_id} is being deleted",
                code="RecoveryPointIsBeingDeleted",
                target=point.point_id,
                hint="restore another recovery point",
            )

    body: dict[str, object] = {"job_id": run.open.job_id, "point_id": point.point_id}
    body |= {"before": None, "after": {"target": run.open.state["target"]}}
    if approval_id:
        body |= {"approval_id": approval_id, "target": run.open.state["target"]}
    draft = Draft(
        stream=run.open.instance,
        type="RestoreStarted",
        key=run.open.job_id,
        body=body,
        actor=run.open.actor,
        check=check,
    )
    append(run.ports, draft)


def _copy(run: StepRun, log: BlockLog, file: LoggedFile, source: ManifestFile, budget: Budget) -> LoggedFile:
    url = str(run.open.state["target"]["url"])

    def stage(staged: LoggedFile, index: int) -> str:
        offset, length = staged.blocks[index]
        block = BlockRange(
            container=blob_names.POINTS,
            name=source.path,
            offset=offset,
            length=length,
            version_id=source.version_id,
        )
        crc64 = run.ports.restore_target.stage_block(url, staged.name, index, block)
        if crc64 != source.crc64[index]:
            raise IntegrityError(
                f"block {index} of '{source.path}' is not what was sealed: its checksum differs; "
                f"'{staged.name}' was not written",
                target=source.path,
                hint="restore another recovery point, and treat the vault account as damaged or tampered with",
            )
        return crc64

    existing = _find_existing(run, url, file.name)
    if existing is not None:
        _require_own(run, existing)
        if len(file.crc64) == len(file.blocks) and existing.size_bytes == file.size_bytes:
            return log.mark_committed(file)  # an earlier run of this step wrote it and died before it said so
    file = stage_all(run, log, file, stage, budget)
    if len(file.crc64) < len(file.blocks):
        return file
    metadata = {OWNER: run.open.job_id}
    try:
        etag = existing.etag if existing else ""
        run.ports.restore_target.commit(url, file.name, len(file.blocks), metadata, etag=etag)
    except AlreadyExistsError:
        _require_own(run, _find_existing(run, url, file.name))
    except InvalidInputError as error:
        if error.inner_code != BLOCKS_DROPPED:
            raise
        return log.forget(file)
    return log.mark_committed(file)


def _find_existing(run: StepRun, url: str, name: str) -> BlobFacts | None:
    blobs = run.ports.restore_target.list_blobs(url, name)
    return next((blob for blob in blobs if blob.name == name), None)


def _require_own(run: StepRun, blob: BlobFacts | None) -> None:
    if blob is None or blob.metadata.get(OWNER) != run.open.job_id:
        name = blob.name if blob else "?"
        raise ConflictError(
            f"a blob '{name}' that is not this restore's appeared in the target container",
            code="UserErrorTargetFilesExist",
            target=name,
            hint="choose another file prefix, or remove the blob",
        )


def _create_own(run: StepRun, name: str, data: bytes) -> None:
    url = str(run.open.state["target"]["url"])
    try:
        run.ports.restore_target.create(url, name, data, {OWNER: run.open.job_id})
    except AlreadyExistsError:
        _require_own(run, _find_existing(run, url, name))


def _kit_facts(prefix: str, point: RecoveryPoint, manifest: Manifest) -> KitFacts:
    restored = zip(manifest.files, restored_names(prefix, manifest.files), strict=True)
    files = tuple(
        KitFile(
            name=PurePosixPath(name).name,
            kind=str(file.kind),
            size_bytes=file.size_bytes,
            database=str((file.facts or {}).get("database", "")),
        )
        for file, name in restored
    )
    return KitFacts(
        file_prefix=PurePosixPath(prefix).name,
        server_name=str(manifest.server["name"]),
        server_id=str(manifest.server["id"]),
        server_version=str(manifest.server["version"]),
        recovery_point_id=point.point_id,
        recovery_point_time=point.recovery_point_time.isoformat(),
        manifest_hash=point.manifest_hash,
        files=files,
    )
