"""Check what landed, fix time, tag and expiry, then copy every file into the vault account with checksums per block."""

from flexvault.domain import blob_names, names
from flexvault.domain.errors import AlreadyExistsError, IntegrityError, InvalidInputError
from flexvault.domain.job import Outcome, Result, Step
from flexvault.ports import BlockRange
from flexvault.services.block_log import BlockLog, LoggedFile
from flexvault.services.copying import Budget, percent_staged, stage_all
from flexvault.services.invoke_backup import next_attempt
from flexvault.services.landing_check import SpoiledAttemptError, check_landing
from flexvault.services.progress import sub_tasks
from flexvault.services.steps import StepRun

OWNER = "flexvault_job"
BLOCKS_DROPPED = "InvalidBlockList"
"""Storage's code for a commit of blocks that it does not hold any more."""


def promote_files(run: StepRun) -> Result:
    """Copy this attempt's landing files for a while; answers Again while blocks are left."""
    log = BlockLog(run.ports, run.open.job_id, run.open.attempt)
    try:
        if not run.open.state.get("checked"):
            check_landing(run, log)
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
        version_id = run.ports.vault_writer.commit(path, len(file.blocks), {OWNER: owner})
    except AlreadyExistsError:
        version_id = _find_own(run, path, owner)
    except InvalidInputError as error:
        if error.inner_code != BLOCKS_DROPPED:
            raise
        return log.forget(file)
    return log.mark_committed(file, version_id)


def _require_unchanged(run: StepRun, container: str, file: LoggedFile) -> None:
    """A landing file that changed after it was checked spoils the attempt: something else writes there."""
    now = {blob.name: blob.etag for blob in run.ports.landing.list_files(container)}
    if now.get(file.name) != file.facts["etag"]:
        text = f"the landing file '{file.name}' changed while it was copied"
        raise SpoiledAttemptError("LandingChanged", text)


def _find_own(run: StepRun, path: str, owner: str) -> str:
    """Answer the version that an earlier run of this step made."""
    blob = run.ports.vault_reader.find(blob_names.POINTS, path)
    if blob is None or blob.metadata.get(OWNER) != owner:
        raise IntegrityError(
            f"a blob that is not this attempt's lies at '{path}'",
            code="ForeignBlob",
            target=path,
            hint="find out who wrote it; the vault never overwrites",
        )
    return blob.version_id
