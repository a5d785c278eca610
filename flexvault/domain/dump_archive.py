"""Read an archive's table of contents and prove that the file is whole.

Only the header, the table of contents and the end are read, through range reads: a dump of 500 GB costs a few requests.
The format has no end mark and no checksum, so completeness is deduced, see `read_archive`. Its layout: `dump_contents`.
"""

from dataclasses import dataclass, fields
from typing import Final, Literal

from flexvault.domain.dump_contents import Contents, Entry, UnknownArchiveError, is_custom_format, read_contents
from flexvault.domain.dump_cursor import Cursor, RangeRead, incomplete
from flexvault.domain.dump_walk import (
    BLOCK_KINDS,
    WalkState,
    check_none_missing,
    head_of,
    walk,
)
from flexvault.domain.errors import IntegrityError

__all__ = ["Archive", "Entry", "RangeRead", "UnknownArchiveError", "is_custom_format", "read_archive"]

WALK_LIMIT_BYTES: Final = 64 * 1024 * 1024

type EndProof = Literal["walked", "terminator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(Contents):
    """Header and table of contents of a whole archive.

    Attributes:
        end_proof: `walked` when every chunk of the last block (of all blocks, if the archive has no offsets) was
            followed to the end of the file; `terminator` when only the last bytes were looked at.
    """

    end_proof: EndProof


def read_archive(
    read: RangeRead, size_bytes: int, *, name: str = "archive", walk_limit_bytes: int = WALK_LIMIT_BYTES
) -> Archive:
    """Read header and table of contents, and prove that the file ends where the archive ends.

    Where pg_dump wrote offsets the last block is known and is followed chunk by chunk to the end of the file; where it
    could not (its output was a pipe), all blocks are followed, and every entry that has data must have its block. More
    than the limit is not followed, then the terminator of the last block decides (an int 0: five zero bytes).

    Args:
        read: Reads a range of the file, which is `size_bytes` long.
        size_bytes: Of the whole file.
        name: How errors name the file.
        walk_limit_bytes: Most bytes to read after the table of contents; `size_bytes` proves any archive to the end.

    Raises:
        IntegrityError: code `IncompleteArchive`, with the place where the file stops being an archive.
        UnknownArchiveError: another format, or a version that is not known here.
    """
    contents = read_contents(read, size_bytes, name=name)
    known = {field.name: getattr(contents, field.name) for field in fields(contents)}
    return Archive(**known, end_proof=_check_end(contents, read, walk_limit_bytes))


def _check_end(contents: Contents, read: RangeRead, walk_limit_bytes: int) -> EndProof:
    start, missing = _last_known_block(contents)
    if contents.size_bytes - start > walk_limit_bytes:
        _check_terminator(contents, read, start, missing)
        return "terminator"
    for block in walk(contents, read, WalkState(position=start)).blocks:
        if block.dump_id not in missing:
            raise _incomplete(contents, f"no data block that it names begins at byte {block.offset}")
        missing.discard(block.dump_id)
    check_none_missing(contents, missing)
    return "walked"


def _last_known_block(contents: Contents) -> tuple[int, set[int]]:
    """Return where to walk from, and which entries must have their blocks from there on."""
    with_data = [entry for entry in contents.entries if entry.has_data]
    offsets = {entry.offset: entry for entry in with_data if entry.offset is not None}
    if not with_data or len(offsets) < len(with_data):
        return contents.data_start, {entry.dump_id for entry in with_data}
    first, last = min(offsets), max(offsets)
    if first < contents.data_start or last >= contents.size_bytes:
        raise _incomplete(contents, f"the data of its last table should begin at byte {last}")
    return last, {offsets[last].dump_id}


def _check_terminator(contents: Contents, read: RangeRead, start: int, missing: set[int]) -> None:
    if not missing:
        raise _incomplete(contents, f"nothing should follow byte {start}")
    width = head_of(contents).size
    cursor = Cursor(read, contents.size_bytes, contents.name)
    cursor.int_size = contents.int_size
    cursor.seek(start)
    kind, dump_id = BLOCK_KINDS.get(cursor.take(1)[0]), cursor.integer()
    if kind is None or dump_id not in missing:
        raise _incomplete(contents, f"no data block that it names begins at byte {start}")
    # The list of large objects has a terminator of its own behind that of its last object.
    zeros = width * (2 if kind == "largeObjects" and len(missing) == 1 else 1)
    cursor.seek(contents.size_bytes - zeros)
    if any(cursor.take(zeros)):
        raise _incomplete(contents, "it does not end with the terminator of its last data block")


def _incomplete(contents: Contents, reason: str) -> IntegrityError:
    return incomplete(contents.name, contents.size_bytes, reason)
