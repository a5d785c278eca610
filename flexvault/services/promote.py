"""Check what landed, fix time, tag and expiry, then copy every file into the vault account with checksums per block."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.dump_archive import UnknownArchiveError, is_custom_format, read_archive
from flexvault.domain.dump_facts import describe
from flexvault.domain.errors import AlreadyExistsError, IntegrityError
from flexvault.domain.job import Failure, Outcome, Result, Step
from flexvault.domain.landing_files import FileKind, FileName, is_known_layout, read_name
from flexvault.domain.manifest import block_size_bytes
from flexvault.ports import BlobFacts, BlockRange
from flexvault.services import catalog
from flexvault.services.block_log import BlockLog, LoggedFile
from flexvault.services.copying import Budget, percent_staged, stage_all
from flexvault.services.invoke_backup import next_attempt
from flexvault.services.progress import sub_tasks, warning
from flexvault.services.steps import StepRun

OWNER = "flexvault_job"
LAYOUT_WARNINGS = frozenset({"UnknownLayout", "SizeDiffers"})
"""They are about what one attempt landed: those of an earlier attempt say nothing of the point."""


class SpoiledAttemptError(Exception):
    """What landed cannot become a recovery point; another attempt may."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(
            code=code,
            message=message,
            recommended_action="look at the server's long-term-retention operations; the next attempt starts by itself",
            is_user_error=False,
            is_retryable=True,
        )


def promote_files(run: StepRun) -> Result:
    """Copy this attempt's landing files for a while; answers Again while blocks are left."""
    log = BlockLog(run.ports, run.open.job_id, run.open.attempt)
    try:
        if not run.open.state.get("checked"):
            _check_landing(run, log)
        files = log.files()
        budget = Budget(run)
        for index, file in enumerate(files):
            if not file.is_committed:
                files[index] = _promote(run, log, file, budget)
    except SpoiledAttemptError as spoiled:
        return next_attempt(run, spoiled.failure)
    percent = percent_staged(files)
    if all(file.is_committed for file in files):
        job = {"sub_tasks": sub_tasks(run.open.operation, Step.SEALING)}
        return Result(outcome=Outcome.DONE, job=job)
    staged = sum(len(file.crc64) for file in files)
    job = {"sub_tasks": sub_tasks(run.open.operation, Step.PROMOTING, percent)}
    return Result(outcome=Outcome.AGAIN, state={"progress": f"block {staged}"}, job=job)


def vault_path(run: StepRun, file: LoggedFile) -> str:
    """Place a file of this attempt in the vault account."""
    point = names.point_id(run.open.job_id)
    return blob_names.file_path(run.open.instance, point, run.open.attempt, file.ordinal, file.name)


def describe_archive(read: Any, size_bytes: int, name: str) -> Mapping[str, Any]:
    """Read a custom-format archive to its end and say what its table of contents holds.

    Raises:
        IntegrityError: It is not whole.
        UnknownArchiveError: It is of a version that is not known.
    """
    return describe(read_archive(read, size_bytes, name=name))


def _check_landing(run: StepRun, log: BlockLog) -> None:
    """Look at every landed file before the first block is copied; once per attempt."""
    backup_name = names.backup_name(run.open.job_id, run.open.attempt)
    found: list[tuple[int, str, BlobFacts, FileName]] = []
    for ordinal, container in enumerate(run.open.state["containers"]):
        blobs = run.ports.landing.list_files(container)
        found += [(ordinal, container, blob, read_name(blob.name, backup_name)) for blob in blobs]
    if not found or all(blob.size_bytes == 0 for _, _, blob, _ in found):
        what = "no file" if not found else "only empty files"
        raise SpoiledAttemptError("NoFilesInBackup", f"the server reported success, but {what} arrived")
    kinds = [name.kind for _, _, _, name in found]
    unknown = not is_known_layout(kinds)
    for ordinal, container, blob, name in found:
        look = _look_into(run, container, blob, name)
        unknown = unknown or look is Look.UNREADABLE
        remembered = {
            "container": container,
            "etag": blob.etag,
            "kind": name.kind,
            "suffix": name.suffix,
            "is_archive": look is Look.ARCHIVE,
        }
        log.add(
            LoggedFile(
                ordinal=ordinal,
                name=blob.name,
                size_bytes=blob.size_bytes,
                block_size_bytes=block_size_bytes(blob.size_bytes),
                facts=remembered,
            )
        )
    _fix_point(run, _layout_warnings(run, found, unknown=unknown))


class Look(StrEnum):
    """What a landed file turned out to be."""

    ARCHIVE = "archive"
    """A custom-format archive, whole to its end."""
    UNREADABLE = "unreadable"
    """A custom-format archive of a version that is not known: kept as it is."""
    OTHER = "other"
    """Anything else."""


def _look_into(run: StepRun, container: str, blob: BlobFacts, name: FileName) -> Look:
    """Look into a landed file.

    Raises:
        SpoiledAttemptError: It should be a whole archive and is not.
    """

    def read(offset: int, length: int) -> bytes:
        return run.ports.landing.read(container, blob.name, offset, length)

    begins_well = blob.size_bytes > 0 and is_custom_format(read(0, 5))
    if not begins_well and name.kind is FileKind.DATABASE:
        text = f"the file '{blob.name}' does not begin as a custom-format archive"
        raise SpoiledAttemptError("IncompleteArchive", text)
    if not begins_well or name.kind not in {FileKind.DATABASE, FileKind.UNKNOWN}:
        return Look.OTHER
    try:
        describe_archive(read, blob.size_bytes, blob.name)
    except UnknownArchiveError:
        return Look.UNREADABLE
    except IntegrityError as error:
        raise SpoiledAttemptError(error.code, error.message) from None
    return Look.ARCHIVE


def _layout_warnings(run: StepRun, found: Any, *, unknown: bool) -> list[dict[str, Any]]:
    server = str(run.open.state["server_id"])
    warnings: list[dict[str, Any]] = []
    if unknown:
        text = "the files of this backup have a layout that this version does not know; they are kept as they are"
        warnings.append(warning("UnknownLayout", text, server))
    said, landed = run.open.state.get("service_bytes"), sum(blob.size_bytes for _, _, blob, _ in found)
    if said is not None and said != landed:
        text = f"the server reported {said} bytes, {landed} bytes arrived"
        warnings.append(warning("SizeDiffers", text, server))
    return warnings


def _fix_point(run: StepRun, warnings: list[dict[str, Any]]) -> None:
    """Fix what the point will be before anything is copied: a repeat must not decide otherwise."""
    state = run.open.state
    policy = catalog.policy_as_of(run.ports, int(state["policy_seq"]))
    at = datetime.fromisoformat(state["start_requested_at"])
    recovery = {
        "point_id": names.point_id(run.open.job_id),
        "recovery_point_time": at.isoformat(),
        "expiry_time": policy.expiry(state["tag"], at).isoformat(),
        "tag": state["tag"],
    }
    others = [entry for entry in state.get("warnings", []) if entry["code"] not in LAYOUT_WARNINGS]
    changes = {"checked": True, "recovery": recovery, "warnings": [*others, *warnings]}
    run.record(lambda _current: changes, job={"recovery": recovery, "warnings": changes["warnings"]})


def _promote(run: StepRun, log: BlockLog, file: LoggedFile, budget: Budget) -> LoggedFile:
    path, container = vault_path(run, file), str(file.facts["container"])

    def stage(staged: LoggedFile, index: int) -> str:
        offset, length = staged.blocks[index]
        source = BlockRange(container=container, name=staged.name, offset=offset, length=length)
        return run.ports.vault_writer.stage_block(path, index, source)

    file = stage_all(run, log, file, stage, budget)
    if len(file.crc64) < len(file.blocks):
        return file
    _require_unchanged(run, container, file)
    owner = names.blob_owner(run.open.job_id, run.open.attempt)
    try:
        run.ports.vault_writer.commit(path, len(file.blocks), {OWNER: owner})
    except AlreadyExistsError:
        _require_own(run, path, owner)
    return log.mark_committed(file)


def _require_unchanged(run: StepRun, container: str, file: LoggedFile) -> None:
    """A landing file that changed after it was checked spoils the attempt: something else writes there."""
    now = {blob.name: blob.etag for blob in run.ports.landing.list_files(container)}
    if now.get(file.name) != file.facts["etag"]:
        text = f"the landing file '{file.name}' changed while it was copied"
        raise SpoiledAttemptError("LandingChanged", text)


def _require_own(run: StepRun, path: str, owner: str) -> None:
    blob = run.ports.vault_reader.find(blob_names.POINTS, path)
    if blob is None or blob.metadata.get(OWNER) != owner:
        raise IntegrityError(
            f"a blob that is not this attempt's lies at '{path}'",
            code="ForeignBlob",
            target=path,
            hint="find out who wrote it; the vault never overwrites",
        )
