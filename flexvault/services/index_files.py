"""The first step of a deep verification: every byte of every file passes, each archive is walked to its end.

The bytes are compared with the checksums that were sealed, block by block of the manifest; the walk finds where the
data of each entry lies. A run reads for a few minutes, the next one goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256

from flexvault.domain import blob_names
from flexvault.domain.dump_archive import UnknownArchiveError
from flexvault.domain.dump_contents import Contents, read_contents
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES
from flexvault.domain.dump_walk import begin_walk, check_index, walk
from flexvault.domain.errors import IntegrityError, PermanentError
from flexvault.domain.job import Outcome, Result, Step
from flexvault.domain.landing_files import FileKind
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.verification import Finding, file_subject
from flexvault.services.copying import Budget
from flexvault.services.progress import sub_tasks
from flexvault.services.reading_file import PassingRead, range_read, refused
from flexvault.services.steps import StepRun
from flexvault.services.verification_log import FileProgress, VerificationLog
from flexvault.services.verified_point import load_point, unless_gone

SLICE_BYTES = 256 * 1024 * 1024
"""Read before it is written down how far it is: what a death costs at most."""


@unless_gone
def index_files(run: StepRun) -> Result:
    """Read files for a while, in the manifest's order; answers Again while bytes are left."""
    loaded = load_point(run)
    log, budget = VerificationLog(run.ports, run.open.job_id), Budget(run)
    done = 0
    for ordinal, file in enumerate(loaded.files):
        progress = log.file(ordinal)
        if not progress.is_read:
            progress = _FileIndexing(run, log, ordinal, file, budget).go_on(progress)
        done += file.size_bytes if progress.is_read else progress.position
        if not progress.is_read:
            percent = 100.0 * done / max(1, loaded.size_bytes)
            job = {"sub_tasks": sub_tasks(run.open.operation, Step.INDEXING, percent)}
            return Result(outcome=Outcome.AGAIN, state={"progress": f"byte {done}"}, job=job)
    return Result(outcome=Outcome.DONE, job={"sub_tasks": sub_tasks(run.open.operation, Step.COUNTING)})


class _FileIndexing:
    """Reads one file, from where it stands."""

    def __init__(self, run: StepRun, log: VerificationLog, ordinal: int, file: ManifestFile, budget: Budget) -> None:
        self._run, self._log, self._ordinal, self._file, self._budget = run, log, ordinal, file, budget
        self._read = range_read(run.ports, file)

    def go_on(self, progress: FileProgress) -> FileProgress:
        """Read on until the file or the budget ends; what is wrong is written down, never raised."""
        try:
            if not progress.position and (wrong := self._find_wrong_size()):
                return self._end(progress, wrong)
            return self._pass(progress)
        except PermanentError as error:
            return self._end(progress, refused(self._file, error))

    def _find_wrong_size(self) -> Finding | None:
        found = self._run.ports.vault_reader.find(blob_names.POINTS, self._file.path, version_id=self._file.version_id)
        if found is None:
            text = f"version {self._file.version_id} of it is not there" if self._file.version_id else "it is not there"
            return Finding(code="FileMissing", subject=file_subject(self._file), message=text)
        if found.size_bytes != self._file.size_bytes:
            text = f"it was sealed with {self._file.size_bytes} bytes and now has {found.size_bytes}"
            return Finding(code="FileDiffers", subject=file_subject(self._file), message=text)
        return None

    def _end(self, progress: FileProgress, finding: Finding) -> FileProgress:
        self._log.add_finding(self._ordinal, finding)
        self._log.keep(self._ordinal, is_read=True)
        return replace(progress, is_read=True)

    def _pass(self, progress: FileProgress) -> FileProgress:
        passing = PassingRead(self._file, self._read, self._tell_block, progress.position, progress.crc)
        contents = None if progress.is_stopped else self._open_archive()
        if not progress.position:
            progress = self._pass_head(passing, progress, contents)
        while contents is not None and not progress.is_walked and not self._budget.is_spent:
            try:
                progress = self._walk(passing, progress, contents)
            except IntegrityError as error:
                self._tell_damage(error)
                progress, contents = replace(progress, is_stopped=True), None
                self._log.keep(self._ordinal, is_stopped=True)
        is_waiting = contents is not None and not progress.is_walked
        while not is_waiting and passing.position < self._file.size_bytes and not self._budget.is_spent:
            passing.pass_to(self._file.size_bytes, self._slice)
            progress = self._keep(progress, passing)
        if is_waiting or passing.position < self._file.size_bytes:
            return progress
        self._log.keep(self._ordinal, is_read=True, **self._whole_hash(passing))
        return replace(progress, is_read=True)

    def _open_archive(self) -> Contents | None:
        """Read the table of contents of what was sealed as an archive."""
        if not self._file.facts:
            if self._file.kind == FileKind.DATABASE:
                text = "it was sealed as an archive of a version that is not known: its rows were not counted"
                self._log.add_finding(
                    self._ordinal, Finding(code="DataNotCounted", subject=file_subject(self._file), message=text)
                )
            return None
        try:
            return read_contents(self._read, self._file.size_bytes, name=self._file.path)
        except (IntegrityError, UnknownArchiveError) as error:
            self._tell_damage(error)
            return None

    def _pass_head(self, passing: PassingRead, progress: FileProgress, contents: Contents | None) -> FileProgress:
        """Read header and table of contents, which no run divides.

        A run that dies within the first slice behind them reads them again: so a death costs the hash of a whole file
        only where the file is longer than a slice. One that has no time left for that slice must get on.
        """
        if contents is None:
            return progress
        head = sha256()
        while passing.position < contents.data_start:
            at = passing.position
            head.update(passing.read(at, min(LARGEST_READ_BYTES, contents.data_start - at)))
        facts = {"data_start": contents.data_start, "head_sha256": head.hexdigest(), "walk": begin_walk(contents)}
        progress = replace(progress, **facts)
        kept = {"position": passing.position, "crc": passing.crc} if self._budget.is_spent else {}
        self._log.keep(self._ordinal, **facts, **kept)
        return progress

    def _walk(self, passing: PassingRead, progress: FileProgress, contents: Contents) -> FileProgress:
        """Walk for one slice and write down what it found before how far it is."""
        begin = progress.walk or begin_walk(contents)
        walked = walk(contents, passing.read, begin, go_on=self._slice)
        total = progress.blocks + len(walked.blocks)
        if total > sum(entry.has_data for entry in contents.entries):
            text = f"{self._file.path} is damaged: it has more blocks than its table of contents names"
            raise IntegrityError(text, code="IncompleteArchive")
        self._log.add_blocks(self._ordinal, progress.blocks, walked.blocks)
        progress = self._keep(replace(progress, walk=walked.state, blocks=total), passing)
        if walked.is_done:
            check_index(contents, [logged.block for logged in self._log.blocks(self._ordinal)])
            self._log.keep(self._ordinal, is_walked=True)
            progress = replace(progress, is_walked=True)
        return progress

    def _keep(self, progress: FileProgress, passing: PassingRead) -> FileProgress:
        progress = replace(progress, position=passing.position, crc=passing.crc)
        self._log.keep(
            self._ordinal,
            position=progress.position,
            crc=progress.crc,
            blocks=progress.blocks,
            **({"walk": progress.walk} if progress.walk else {}),
            **self._whole_hash(passing),
        )
        self._run.record(lambda _current: {"progress": f"file {self._ordinal}, byte {progress.position}"})
        return progress

    def _whole_hash(self, passing: PassingRead) -> Mapping[str, str]:
        """Answer the hash of the file once all of it has passed; kept with how far that is, or a death loses it."""
        is_whole = passing.position == self._file.size_bytes and passing.sha256
        return {"sha256": passing.sha256} if is_whole else {}

    @property
    def _slice(self) -> Callable[[int], bool]:
        return lambda read_bytes: read_bytes < SLICE_BYTES and not self._budget.is_spent

    def _tell_block(self, index: int) -> None:
        begin = index * self._file.block_size_bytes
        end = min(begin + self._file.block_size_bytes, self._file.size_bytes) - 1
        text = f"block {index}, bytes {begin} to {end}, has not the checksum that was sealed"
        finding = Finding(code="BlockDiffers", subject=file_subject(self._file), message=text)
        self._log.add_finding(self._ordinal, finding, index)

    def _tell_damage(self, error: PermanentError) -> None:
        self._log.add_finding(
            self._ordinal, Finding(code="DataDamaged", subject=file_subject(self._file), message=error.message)
        )
