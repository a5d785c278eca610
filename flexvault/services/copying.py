"""Copy files block by block, side by side, for at most a few minutes at a time."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

from flexvault.domain.open_job import OpenJob
from flexvault.services.block_log import BlockLog, LoggedFile
from flexvault.services.steps import StepRun

PARALLEL_BLOCKS = 16
BLOCKS_A_BATCH = 64
LONGEST_ACTIVITY = timedelta(minutes=8)
"""Below the ten minutes that an activity may last: the last batch still has to end."""

type StageBlock = Callable[[LoggedFile, int], str]
"""Stages one block by its index and answers its CRC64, in base64."""


class Budget:
    """How much longer this activity may copy."""

    def __init__(self, run: StepRun) -> None:
        self._clock = run.ports.clock
        self._until = self._clock.host_now() + LONGEST_ACTIVITY

    @property
    def is_spent(self) -> bool:
        """Say whether the rest is for the next activity."""
        now: datetime = self._clock.host_now()
        return now >= self._until


def stage_all(run: StepRun, log: BlockLog, file: LoggedFile, stage: StageBlock, budget: Budget) -> LoggedFile:
    """Stage a file's blocks from the first one that has no checksum; stops when the budget is spent."""
    staged = file
    while len(staged.crc64) < len(file.blocks) and not budget.is_spent:
        first = len(staged.crc64)
        batch = range(first, min(first + BLOCKS_A_BATCH, len(file.blocks)))
        with ThreadPoolExecutor(max_workers=PARALLEL_BLOCKS) as pool:
            crc64 = list(pool.map(stage, repeat(file), batch))
        staged = log.write_checksums(staged, [*staged.crc64, *crc64])
        run.record(_advance(f"block {len(staged.crc64)} of {file.name[-80:]}"))
    return staged


def _advance(progress: str) -> Callable[[OpenJob], Mapping[str, Any]]:
    """Say how far it is at once: a takeover after an error must see that there was progress."""
    return lambda _current: {"progress": progress}


def percent_staged(files: Sequence[LoggedFile]) -> float:
    """Answer how much of all files is staged, by bytes."""
    total = sum(file.size_bytes for file in files)
    done = sum(sum(length for _, length in file.blocks[: len(file.crc64)]) for file in files)
    return 100.0 if total == 0 else 100.0 * done / total
