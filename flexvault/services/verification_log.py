"""How far a deep verification has come: rows of its job, so that it costs no memory and goes on after any death.

A file has a row, each of its blocks and each finding, too. What is written is either the same whoever writes it or
only says where to begin again: so a second run of a step, or one that was held, harms nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import batched
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.dump_counting import BlockFacts, HashState
from flexvault.domain.dump_walk import Block, WalkState
from flexvault.domain.errors import AlreadyExistsError, RowChangedError
from flexvault.domain.rows import Change, Delete, Insert, Merge, Row
from flexvault.domain.texts import shorten
from flexvault.domain.verification import Finding
from flexvault.ports import Ports

ROWS_A_CHANGE = 100
"""What Table Storage carries out together."""
PARTS_A_MEMBER = 400
"""Hashes of 1 GiB each, whose text fits into a member of a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProgress:
    """How far one file was read.

    Attributes:
        position: Bytes before it were compared with the manifest's checksums.
        crc: CRC64 state of the manifest's block that the position lies in.
        walk: Where the walk stands; nothing before it began.
        blocks: How many blocks the walk has ended.
        data_start: Length of header and table of contents; 0 for no archive.
        head_sha256: Of those.
        sha256: Of the whole file, when one run read it all.
        is_stopped: Its walk came to damage: nothing of it is counted.
        is_read: Its last byte was reached, or it cannot be read.
        is_walked: All of its blocks are in the log.
        is_counted: Each of them has its facts.
    """

    position: int = 0
    crc: int = 0
    walk: WalkState | None = None
    blocks: int = 0
    data_start: int = 0
    head_sha256: str = ""
    sha256: str = ""
    is_stopped: bool = False
    is_read: bool = False
    is_walked: bool = False
    is_counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedBlock:
    """A block that was walked.

    Attributes:
        facts: Nothing before it was read as a whole.
        tries: Runs that could not count it to its end.
        hashed: Of a block that is too long for one run: how far its bytes were hashed.
    """

    number: int
    block: Block
    facts: BlockFacts | None
    tries: int
    hashed: HashState


class VerificationLog:
    """The rows of one deep verification."""

    def __init__(self, ports: Ports, job_id: str) -> None:
        self._rows = ports.rows
        self._job_id = job_id

    def file(self, ordinal: int) -> FileProgress:
        """Answer how far a file was read."""
        row = self._rows.find(row_keys.BLOCKS, self._job_id, row_keys.verified_file_row(ordinal))
        values: Mapping[str, Any] = {} if row is None else row.values
        walk = values.get("walk")
        return FileProgress(
            position=values.get("position", 0),
            crc=int(values.get("crc", "0")),
            walk=WalkState.from_json(json.loads(walk)) if walk else None,
            blocks=values.get("blocks", 0),
            data_start=values.get("data_start", 0),
            head_sha256=values.get("head_sha256", ""),
            sha256=values.get("sha256", ""),
            is_stopped=values.get("is_stopped", False),
            is_read=values.get("is_read", False),
            is_walked=values.get("is_walked", False),
            is_counted=values.get("is_counted", False),
        )

    def keep(self, ordinal: int, **members: Any) -> None:
        """Write members of a file's row; the others stay. A state is given as it is."""
        walk: WalkState | None = members.get("walk")
        if walk is not None:
            members["walk"] = json.dumps(walk.to_json())
        if "crc" in members:
            members["crc"] = str(members["crc"])  # a table's integers have a sign, so they are a bit too short
        key = row_keys.verified_file_row(ordinal)
        if self._rows.find(row_keys.BLOCKS, self._job_id, key) is None:
            try:
                self._apply([Insert(key=key, values=members)])
            except AlreadyExistsError:
                pass  # a second run was faster: merge
            else:
                return
        self._apply([Merge(key=key, values=members)])

    def add_blocks(self, ordinal: int, first: int, blocks: Sequence[Block]) -> None:
        """Remember the next blocks of a file; those that are there stay as they are: every walk finds the same."""
        inserts: list[Change] = [
            Insert(
                key=row_keys.verified_block_row(ordinal, first + index), values={"block": json.dumps(block.to_json())}
            )
            for index, block in enumerate(blocks)
        ]
        self._insert(inserts)

    def blocks(self, ordinal: int) -> Iterator[LoggedBlock]:
        """Answer a file's blocks in its order."""
        prefix = row_keys.verified_blocks_prefix(ordinal)
        for row in self._query(prefix):
            values: Mapping[str, Any] = row.values
            facts = values.get("facts")
            yield LoggedBlock(
                number=int(row.key.removeprefix(prefix)),
                block=Block.from_json(json.loads(values["block"])),
                facts=BlockFacts.from_json(json.loads(facts)) if facts else None,
                tries=values.get("tries", 0),
                hashed=HashState(parts=_read_parts(values)),
            )

    def write_facts(self, ordinal: int, found: Iterable[tuple[LoggedBlock, BlockFacts]]) -> None:
        """Remember what blocks hold."""
        merges: list[Change] = [
            Merge(key=_block_key(ordinal, logged), values={"facts": json.dumps(facts.to_json())})
            for logged, facts in found
        ]
        for changes in batched(merges, ROWS_A_CHANGE, strict=False):
            self._apply(changes)

    def write_try(self, ordinal: int, logged: LoggedBlock, tries: int) -> None:
        """Remember that a run could not count a block to its end."""
        self._apply([Merge(key=_block_key(ordinal, logged), values={"tries": tries})])

    def write_parts(self, ordinal: int, logged: LoggedBlock, hashed: HashState) -> None:
        """Remember how far a long block was hashed."""
        batches = batched(hashed.parts, PARTS_A_MEMBER, strict=False)
        values = {f"parts{number}": json.dumps(parts) for number, parts in enumerate(batches)}
        self._apply([Merge(key=_block_key(ordinal, logged), values=values)])

    def add_finding(self, ordinal: int, finding: Finding, place: int = 0) -> None:
        """Remember a finding, once: by its file, its code and its place there."""
        key = row_keys.verified_finding_row(ordinal, finding.code, place)
        values = {"code": finding.code, "subject": finding.subject, "message": shorten(finding.message)}
        self._insert([Insert(key=key, values=values)])

    def findings(self, ordinal: int) -> Iterator[Finding]:
        """Answer what was found in a file."""
        for row in self._query(row_keys.verified_findings_prefix(ordinal)):
            values: Mapping[str, Any] = row.values
            yield Finding(code=values["code"], subject=values["subject"], message=values["message"])

    def forget(self) -> None:
        """Remove the rows: the result says it all. A run that was held may leave some, which nobody reads."""
        start, end = row_keys.VERIFIED, row_keys.prefix_end(row_keys.VERIFIED)
        while rows := list(self._rows.query(row_keys.BLOCKS, self._job_id, start=start, end=end, limit=ROWS_A_CHANGE)):
            with suppress(RowChangedError):  # such a run writes them now
                self._apply([Delete(key=row.key, etag=row.etag) for row in rows])
            start = f"{rows[-1].key} "

    def _insert(self, inserts: Sequence[Change]) -> None:
        for changes in batched(inserts, ROWS_A_CHANGE, strict=False):
            try:
                self._apply(changes)
            except AlreadyExistsError:
                # Some are there: from a run that died after them, or that goes on beside this one.
                for change in changes:
                    self._insert_one(change)

    def _insert_one(self, change: Change) -> None:
        try:
            self._apply([change])
        except AlreadyExistsError:
            return

    def _apply(self, changes: Sequence[Change]) -> None:
        self._rows.apply(row_keys.BLOCKS, self._job_id, changes)

    def _query(self, prefix: str) -> Iterator[Row]:
        return self._rows.query(row_keys.BLOCKS, self._job_id, start=prefix, end=row_keys.prefix_end(prefix))


def _read_parts(values: Mapping[str, Any]) -> tuple[str, ...]:
    parts: list[str] = []
    while stored := values.get(f"parts{len(parts) // PARTS_A_MEMBER}"):
        read = json.loads(stored)
        parts += read
        if len(read) < PARTS_A_MEMBER:
            break
    return tuple(parts)


def _block_key(ordinal: int, logged: LoggedBlock) -> str:
    return row_keys.verified_block_row(ordinal, logged.number)
