"""The second step of a deep verification: what each block holds is inflated, counted, digested and hashed.

It fans out per block, in lanes of one activity: threads of a pool. Storage's answers, zlib and hashlib let the others
run meanwhile, so the lanes hide each other's waits; the counting itself keeps one core busy, and an activity each
would read the table of contents each time and fill the history with every block. Of a batch of lanes what was counted
is written down together.

Nothing of a block that is half counted can be kept. So one that did not end with a run is counted alone, first of all,
by the next one; and one that does not end even then is only hashed, in as many runs as it takes.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from flexvault.domain.dump_contents import Contents, Entry, entries_by_id, read_contents
from flexvault.domain.dump_counting import BlockFacts, count_block, hash_block
from flexvault.domain.dump_cursor import RangeRead
from flexvault.domain.dump_facts import qualified
from flexvault.domain.errors import IntegrityError, PermanentError
from flexvault.domain.job import Outcome, Result, Step
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.sql_text import readable
from flexvault.domain.verification import Finding, file_subject
from flexvault.services.copying import Budget
from flexvault.services.progress import sub_tasks
from flexvault.services.reading_file import range_read, refused
from flexvault.services.steps import StepRun
from flexvault.services.verification_log import LoggedBlock, VerificationLog
from flexvault.services.verified_point import load_point, unless_gone

LANES = 4
BATCH_BLOCKS = 64
BATCH_BYTES = 256 * 1024 * 1024
"""What a death costs at most, but for one long block."""
TOO_LONG = "its data did not fit into one run: its bytes were hashed, its rows were not counted"
ALONE, HASHED = 1, 2
"""Tries after which a block is counted alone, and after which it is only hashed."""


@unless_gone
def count_blocks(run: StepRun) -> Result:
    """Count blocks for a while; answers Again while some are left."""
    loaded = load_point(run)
    counting = _Counting(run)
    for ordinal, file in enumerate(loaded.files):
        if not counting.count_file(ordinal, file):
            percent = 100.0 * ordinal / len(loaded.files)
            job = {"sub_tasks": sub_tasks(run.open.operation, Step.COUNTING, percent)}
            return Result(outcome=Outcome.AGAIN, state={"progress": counting.progress}, job=job)
    return Result(outcome=Outcome.DONE, job={"sub_tasks": sub_tasks(run.open.operation, Step.CONCLUDING)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    """A file whose blocks are counted."""

    ordinal: int
    file: ManifestFile
    contents: Contents
    entries: dict[int, Entry]
    read: RangeRead

    def describe(self, dump_id: int) -> str:
        """Name whose data a block is."""
        entry = self.entries[dump_id]
        name = readable(qualified(entry.namespace, entry.tag))
        return f"{entry.desc} {name} (entry {dump_id})"


class _Counting:
    """One run of the step, over all files.

    Attributes:
        progress: What is new since the run before: a takeover must see it.
    """

    def __init__(self, run: StepRun) -> None:
        self._run = run
        self._log = VerificationLog(run.ports, run.open.job_id)
        self._budget = Budget(run)
        self._is_fresh = True
        self.progress = str(run.open.state.get("progress", ""))

    def count_file(self, ordinal: int, file: ManifestFile) -> bool:
        """Count what is left of a file; answers no when the budget ended before."""
        progress = self._log.file(ordinal)
        if not progress.is_walked or progress.is_counted:
            return True
        if self._budget.is_spent:
            return False
        pending = self._list_pending(ordinal)
        is_done = not pending or self._count_pending(ordinal, file, pending)
        if is_done:
            self._log.keep(ordinal, is_counted=True)
        return is_done

    def _count_pending(self, ordinal: int, file: ManifestFile, pending: Sequence[LoggedBlock]) -> bool:
        try:
            archive = self._open(ordinal, file)
            return self._count_alone(archive, pending) and self._count_others(archive, pending)
        except PermanentError as error:
            # The file was whole a moment ago: it is gone, or the right to read it is.
            self._log.add_finding(ordinal, refused(file, error), 1)
            left = self._list_pending(ordinal)
            self._log.write_facts(ordinal, [(logged, _not_read(logged, error)) for logged in left])
            return True

    def _list_pending(self, ordinal: int) -> list[LoggedBlock]:
        return [logged for logged in self._log.blocks(ordinal) if logged.facts is None]

    def _open(self, ordinal: int, file: ManifestFile) -> _Archive:
        read = range_read(self._run.ports, file)
        contents = read_contents(read, file.size_bytes, name=file.path)
        return _Archive(ordinal=ordinal, file=file, contents=contents, entries=entries_by_id(contents), read=read)

    def _count_alone(self, archive: _Archive, pending: Sequence[LoggedBlock]) -> bool:
        for logged in pending:
            if logged.tries >= HASHED:
                if not self._hash(archive, logged):
                    return False
            elif logged.tries == ALONE and not self._count_one(archive, logged):
                return False
        return True

    def _count_one(self, archive: _Archive, logged: LoggedBlock) -> bool:
        is_first, self._is_fresh = self._is_fresh, False
        facts = self._count(archive, logged)
        if facts is not None:
            self._write(archive, [(logged, facts)])
            return True
        if is_first:  # it had all of a run for itself
            self._log.write_try(archive.ordinal, logged, HASHED)
            self._tell_progress(archive, logged, "is hashed")
        return False

    def _hash(self, archive: _Archive, logged: LoggedBlock) -> bool:
        state = logged.hashed
        self._is_fresh = False
        while not state.sha256:
            if self._budget.is_spent:
                return False
            state = hash_block(archive.contents, logged.block, archive.read, state, go_on=lambda _: False)
            self._log.write_parts(archive.ordinal, logged, state)
            self._tell_progress(archive, logged, f"part {len(state.parts)}")
        facts = BlockFacts(dump_id=logged.block.dump_id, sha256=state.sha256, not_counted=TOO_LONG)
        self._tell_not_counted(archive, TOO_LONG)
        self._write(archive, [(logged, facts)])
        return True

    def _count_others(self, archive: _Archive, pending: Sequence[LoggedBlock]) -> bool:
        with ThreadPoolExecutor(max_workers=LANES) as pool:
            for batch in _batches(logged for logged in pending if logged.tries < ALONE):
                if self._budget.is_spent:
                    return False
                self._is_fresh = False
                counted = list(zip(batch, pool.map(partial(self._count, archive), batch), strict=True))
                done = [(logged, facts) for logged, facts in counted if facts is not None]
                self._write(archive, done)
                for logged, facts in counted:
                    if facts is None:
                        self._log.write_try(archive.ordinal, logged, ALONE)
                if len(done) < len(counted):
                    return False
        return True

    def _count(self, archive: _Archive, logged: LoggedBlock) -> BlockFacts | None:
        """Count a block; nothing when the budget ended before it did. Damage is written down, never raised."""
        if self._budget.is_spent:
            return None
        entry = archive.entries[logged.block.dump_id]
        try:
            facts = self._read_block(archive, logged, entry)
        except IntegrityError as error:
            text = f"the data of {archive.describe(entry.dump_id)} cannot be read: {error.message}"
            finding = Finding(code="DataDamaged", subject=file_subject(archive.file), message=text)
            self._log.add_finding(archive.ordinal, finding, logged.block.offset)
            return BlockFacts(dump_id=entry.dump_id, sha256="", not_counted=f"it is damaged: {error.message}")
        if facts is not None and facts.not_counted:
            self._tell_not_counted(archive, facts.not_counted)
        return facts

    def _read_block(self, archive: _Archive, logged: LoggedBlock, entry: Entry) -> BlockFacts | None:
        """Read a block, and once more what seems damaged: what was read wrongly is no damage."""
        read = partial(
            count_block, archive.contents, entry, logged.block, archive.read, go_on=lambda _: not self._budget.is_spent
        )
        try:
            return read()
        except IntegrityError:
            return read()

    def _tell_not_counted(self, archive: _Archive, reason: str) -> None:
        """Warn once for a file: a dump is compressed or written as INSERTs as a whole."""
        text = f"data of it was not counted: {reason}"
        self._log.add_finding(
            archive.ordinal, Finding(code="DataNotCounted", subject=file_subject(archive.file), message=text)
        )

    def _write(self, archive: _Archive, counted: Sequence[tuple[LoggedBlock, BlockFacts]]) -> None:
        self._log.write_facts(archive.ordinal, counted)
        if counted:
            self._tell_progress(archive, counted[-1][0], "counted")

    def _tell_progress(self, archive: _Archive, logged: LoggedBlock, what: str) -> None:
        self.progress = f"file {archive.ordinal}, block {logged.number} {what}"
        self._run.record(lambda _current: {"progress": self.progress})


def _batches(blocks: Iterator[LoggedBlock]) -> Iterator[list[LoggedBlock]]:
    """Cut blocks into batches of so many and so many bytes at most."""
    batch: list[LoggedBlock] = []
    size = 0
    for logged in blocks:
        if batch and (len(batch) >= BATCH_BLOCKS or size + logged.block.length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(logged)
        size += logged.block.length
    if batch:
        yield batch


def _not_read(logged: LoggedBlock, error: PermanentError) -> BlockFacts:
    return BlockFacts(dump_id=logged.block.dump_id, sha256="", not_counted=f"it could not be read: {error.code}")
