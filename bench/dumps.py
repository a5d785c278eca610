"""What reading dumps costs: the walk, counting and digests, memory, a long table of contents, and one table's slice.

The archives are as PostgreSQL 15 writes them into a pipe (no offsets; gzip in chunks of 4,096 bytes, or a chunk for
each row), one of them also as it writes into a file (with offsets). They lie in the project's folder, mostly in the
machine's cache: the processor is measured, not the disk. That a restored slice equals its table, of either kind, is
proven with real dumps by `tests/rebuild/test_dump_data.py`.
"""

import hashlib
import os
import random
import resource
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from flexvault.domain.dump_choice import TableName, data_of_tables
from flexvault.domain.dump_contents import Contents, entries_by_id, read_contents
from flexvault.domain.dump_counting import count_block
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES
from flexvault.domain.dump_slice import plan_slice, slice_bytes
from flexvault.domain.dump_walk import begin_walk, check_index, walk
from tests.unit.archive_writer import COPY_END, Block, Item, Recipe

FOLDER = Path(__file__).resolve().parent.parent / ".local" / "bench-dumps"
TABLES, ROWS = 4, 500_000
CHUNK_BYTES = 4096
ENTRIES = 100_000
MB = 1_000_000
WALK_AIM_MB, COUNT_AIM_MB, MEMORY_AIM_MB, CONTENTS_AIM_S = 300, 30, 200, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one pass over an archive took: seconds of the processor, bytes, and the process's most memory."""

    seconds: float
    file_bytes: int
    plain_bytes: int = 0
    peak_bytes: int = 0


class File:
    """An archive that is read by ranges, and what was read of it."""

    def __init__(self, path: Path) -> None:
        self.size_bytes = path.stat().st_size
        self.requests = self.read_bytes = 0
        self._file = path.open("rb", buffering=0)

    def read(self, offset: int, length: int) -> bytes:
        """Read a range; several threads may."""
        data = os.pread(self._file.fileno(), length, offset)
        self.requests += 1
        self.read_bytes += len(data)
        return data

    def contents(self) -> Contents:
        """Read header and table of contents."""
        return read_contents(self.read, self.size_bytes)


def measure_dumps() -> None:
    """Measure and print; each pass runs in a process of its own, whose most memory is shown, Python's included."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    paths = {name: FOLDER / name for name in ("gzip", "file", "none", "contents")}
    try:
        plain_bytes = in_own_process(_write_archives, paths)
        print(f"reading dumps of {TABLES} tables, {TABLES * ROWS:,} rows, {plain_bytes / MB:,.0f} MB of COPY text")
        for name in ("gzip", "none"):
            _print_passes(name, paths[name])
        cost = _alone("contents", paths["contents"])
        print(f"  table of contents of {ENTRIES:,} entries: {cost.seconds:.1f} s   aim: at most {CONTENTS_AIM_S} s")
        print(f"    peak memory {cost.peak_bytes / MB:.0f} MB   aim: at most {MEMORY_AIM_MB} MB")
        for name, what in (("gzip", "a pipe"), ("file", "a file")):
            _print_slice(paths[name], what)
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


def _print_passes(name: str, path: Path) -> None:
    walked, counted = _alone("walk", path), _alone("count", path)
    print(f"  {name}, {walked.file_bytes / MB:,.0f} MB")
    print(f"    walk           {_rate(walked.file_bytes, walked)}   aim: at least {WALK_AIM_MB}")
    text = f"{_rate(counted.plain_bytes, counted)} of COPY text"
    print(f"    count, digest  {_rate(counted.file_bytes, counted)}   aim: at least {COUNT_AIM_MB}; {text}")
    peaks = f"{walked.peak_bytes / MB:.0f} and {counted.peak_bytes / MB:.0f} MB"
    print(f"    peak memory    {peaks}   aim: at most {MEMORY_AIM_MB} MB")


def _rate(size_bytes: int, cost: Cost) -> str:
    return f"{size_bytes / MB / cost.seconds:5.0f} MB/s"


def _print_slice(path: Path, written_to: str) -> None:
    file = File(path)
    contents = file.contents()
    index = walk(contents, file.read, begin_walk(contents)).blocks
    file.requests = file.read_bytes = 0
    contents = file.contents()
    plan = plan_slice(contents, index, data_of_tables(contents, [TableName("sales", "t2")]))
    size_bytes = sum(len(piece) for piece in slice_bytes(plan, file.read))
    aim = 3 + -(-size_bytes // LARGEST_READ_BYTES)
    print(
        f"  one table of {TABLES}, archive written to {written_to}, as a slice of {size_bytes / MB:.1f} MB: "
        f"{file.requests} requests, "
        f"{file.read_bytes / MB:.1f} MB read, table of contents included   aim: at most {aim} requests"
    )


def _alone(what: str, path: Path) -> Cost:
    return in_own_process(_pass, what, path)


def in_own_process[**P, T](work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run in a fresh process. This one stays small, because its own peak would count for those that it starts."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args, **kwargs).result()


def _pass(what: str, path: Path) -> Cost:
    file = File(path)
    started, plain_bytes = time.process_time(), 0
    contents = file.contents()
    if what != "contents":
        index = walk(contents, file.read, begin_walk(contents)).blocks
        check_index(contents, index)
        if what == "count":
            started = time.process_time()
            entries = entries_by_id(contents)
            facts = [count_block(contents, entries[block.dump_id], block, file.read) for block in index]
            plain_bytes = sum(fact.plain_bytes or 0 for fact in facts if fact)
    return Cost(
        seconds=time.process_time() - started,
        file_bytes=file.size_bytes,
        plain_bytes=plain_bytes,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _write_archives(paths: dict[str, Path]) -> int:
    lines = list(rows())
    text = b"".join(lines) + COPY_END
    packed = zlib.compress(text)
    chunks = tuple(packed[at : at + CHUNK_BYTES] for at in range(0, len(packed), CHUNK_BYTES))
    for name, block in (("gzip", Block(chunks=chunks)), ("none", Block(chunks=(*lines, COPY_END)))):
        tables = tuple(table_data(f"t{number}", block) for number in range(TABLES))
        paths[name].write_bytes(recipe(tables, compression=name).build())
        if name == "gzip":
            paths["file"].write_bytes(recipe(tables, with_offsets=True).build())
    paths["contents"].write_bytes(recipe(tuple(_many_entries())).build())
    return TABLES * (len(text) - len(COPY_END))


def recipe(items: tuple[Item, ...], compression: str = "gzip", *, with_offsets: bool = False) -> Recipe:
    """Answer an archive of PostgreSQL 15, as written to a pipe, or to a file."""
    return Recipe(version=(1, 14, 0), with_offsets=with_offsets, compression=compression, items=items)


def rows() -> Iterator[bytes]:
    """Answer rows of a table, as COPY writes them."""
    chance = random.Random(7)
    for number in range(ROWS):
        digest = hashlib.md5(b"%d" % number, usedforsecurity=False).hexdigest().encode()
        amount, other = chance.random() * 1e4, chance.randrange(10**9)
        day = b"2026-%02d-%02d 12:%02d:%02d+00" % (number % 12 + 1, number % 28 + 1, number % 60, number * 7 % 60)
        yield b"%d\t%d\t%s\t%s\tnote of customer %d\t\\N\t%.2f\n" % (number, other, day, digest, number % 9973, amount)


def table_data(name: str, block: Block) -> Item:
    """Answer the entry of a table's rows."""
    return Item(desc="TABLE DATA", tag=name, namespace="sales", owner="app", section=3, block=block)


def _many_entries() -> Iterator[Item]:
    block = Block(chunks=(zlib.compress(COPY_END),))
    for number in range(ENTRIES // 2):
        columns = "".join(f"    column_{column} integer NOT NULL,\n" for column in range(8))
        definition = f"CREATE TABLE sales.t{number} (\n{columns}    note text\n);\n"
        yield Item(desc="TABLE", tag=f"t{number}", namespace="sales", owner="app", definition=definition)
        yield table_data(f"t{number}", block)
