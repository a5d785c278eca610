"""What a recovery point's files say of each database: the table of contents, the rows and the large objects."""

import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from flexvault.domain.dump_contents import Contents, Entry, entries_by_id, read_contents
from flexvault.domain.dump_counting import BlockFacts, count_block, object_digests
from flexvault.domain.dump_cursor import RangeRead
from flexvault.domain.dump_walk import Block
from flexvault.domain.errors import IntegrityError
from flexvault.domain.row_digest import digest_text
from flexvault.kit.choice import NOT_REACHED, chosen_entries, into_database, is_apart, lies_in_chosen_schema
from flexvault.kit.dumps import walked_blocks
from flexvault.kit.facts import KitFacts, KitFile
from flexvault.kit.options import Options
from flexvault.kit.row_streams import Rows, total_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRows:
    """Rows of one entry; without them the reason why they are not known."""

    rows: Rows | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointDatabase:
    """One archive.

    Attributes:
        contents: Of the file, as of the database into which it was restored.
        chosen: What of it was restored: its table of contents without the rest.
        rest: Entries that were not chosen, and why that is so.
        rows: By the dump id of the entry with the rows.
        objects: Of all large objects together: their number, and the sum of their digests; or why it is not known.
        counted_now: Nothing was known, so the file was read.
    """

    file: KitFile
    path: Path
    contents: Contents
    chosen: Contents
    rest: tuple[tuple[Entry, str], ...]
    rows: dict[int, ExpectedRows]
    objects: ExpectedRows
    counted_now: bool


def read_database(
    facts: KitFacts, file: KitFile, folder: Path, options: Options, *, on_line: Callable[[str], None]
) -> PointDatabase:
    """Read the table of contents of a file, and its rows from the deep verification, else by counting them now.

    Raises:
        IntegrityError: The file is not there or is not what the recovery point has.
        NotFoundError: It has not the schemas or tables that were chosen.
    """
    path = folder / file.name
    with opened(path) as read:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            raise IntegrityError(
                f"{file.name} has {size_bytes} bytes instead of {file.size_bytes}",
                code="FileDiffers",
                hint="download it again",
                target=file.name,
            )
        contents = read_contents(read, size_bytes, name=file.name)
        numbers = chosen_entries(contents, options)
        verified = facts.verification.files.get(file.name) if facts.verification else None
        if verified is not None:
            rows = {
                found.dump_id: _expected(found.rows, found.digest, found.size_bytes, found.not_counted)
                for found in verified.rows
            }
            known = verified.large_objects
            objects = _expected(known.count, known.digest, known.size_bytes, known.not_counted) if known else _NONE
        else:
            on_line(f"counting the rows of {file.name}, no deep verification has")
            rows, objects = _count(contents, read, numbers, options.jobs)
    named = into_database(contents, options.into) if options.into else contents
    return PointDatabase(
        file=file,
        path=path,
        contents=named,
        chosen=replace(named, entries=tuple(e for e in named.entries if e.dump_id in numbers or is_apart(e))),
        rest=tuple(_rest(contents, numbers, options)),
        rows=rows,
        objects=_NONE if options.is_partial(contents.database) else objects,
        counted_now=verified is None,
    )


def _rest(contents: Contents, numbers: frozenset[int], options: Options) -> Iterator[tuple[Entry, str]]:
    for entry in contents.entries:
        if entry.dump_id not in numbers and not is_apart(entry):
            is_near = lies_in_chosen_schema(entry, options, contents.database)
            yield entry, f"not chosen: it {NOT_REACHED}" if is_near else "not chosen"


def digests_of_file(database: PointDatabase) -> dict[int, int]:
    """Return oid -> digest of each large object, from the file.

    Raises:
        IntegrityError: The file is damaged.
    """
    by_id = entries_by_id(database.contents)
    digests: dict[int, int] = {}
    with opened(database.path) as read:
        for block in walked_blocks(database.contents, read):
            if block.kind == "largeObjects":
                digests |= object_digests(database.contents, by_id[block.dump_id], block, read)
    return digests


@contextmanager
def opened(path: Path) -> Generator[RangeRead]:
    """Read ranges of a file, from several threads if need be.

    Raises:
        IntegrityError: The file cannot be read.
    """
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError as error:
        hint = "download all files of the restore into one folder, or name it with --files"
        raise IntegrityError(
            f"{path.name} cannot be read: {error.strerror}", code="FileMissing", hint=hint, target=path.name
        ) from None
    try:
        yield lambda offset, length: os.pread(number, length, offset)
    finally:
        os.close(number)


def _expected(count: int | None, digest: str, size_bytes: int | None, not_counted: str) -> ExpectedRows:
    if count is None:
        return ExpectedRows(rows=None, reason=not_counted)
    return ExpectedRows(rows=Rows(count=count, digest=digest, size_bytes=size_bytes or 0))


_NONE: Final = ExpectedRows(rows=Rows(count=0, digest=digest_text(0)))


def _count(
    contents: Contents, read: RangeRead, numbers: frozenset[int], jobs: int
) -> tuple[dict[int, ExpectedRows], ExpectedRows]:
    by_id = entries_by_id(contents)

    def count(block: Block) -> BlockFacts:
        facts = count_block(contents, by_id[block.dump_id], block, read)
        assert facts is not None  # noqa: S101 - there is no budget that could end
        return facts

    blocks = [block for block in walked_blocks(contents, read) if block.dump_id in numbers]
    with ThreadPoolExecutor(jobs) as pool:
        counted = list(pool.map(count, blocks))
    rows: dict[int, ExpectedRows] = {}
    objects = _NONE
    for block, facts in zip(blocks, counted, strict=True):
        found = _expected(facts.count, facts.digest, facts.plain_bytes, facts.not_counted)
        if block.kind == "largeObjects":
            objects = sum_of(objects, found)
        else:
            rows[block.dump_id] = found
    return rows, objects


def sum_of(one: ExpectedRows, other: ExpectedRows) -> ExpectedRows:
    """Add two sets of rows; one that is not known makes the sum unknown."""
    if one.rows is None or other.rows is None:
        return one if one.rows is None else other
    return ExpectedRows(rows=total_of([one.rows, other.rows]))
