"""Check a root: against the root before, against itself, and against what is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flexvault.domain import blob_names, names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.journal import Entry
from flexvault.domain.root import NOTHING, Covered, Root, RootLine
from flexvault.domain.verification import Finding, journal_subject

type StoredHashes = Mapping[tuple[str, int], str | None]
"""(stream, number) -> SHA-256 of the entry that is stored there; nothing when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The root before the one that is checked."""

    day: date
    hash: str
    root: Root | None
    """Nothing when it cannot be read: then only its hash is compared."""


def root_subject(day: date) -> str:
    """Name a root in a finding."""
    return f"{blob_names.JOURNAL}/{blob_names.root_path(day)}"


def read_root(day: date, data: bytes) -> tuple[Root | None, list[Finding]]:
    """Read a stored root; what cannot be read is a finding."""
    try:
        root = Root.from_bytes(data)
    except IntegrityError as error:
        return None, [Finding(code="RootUnreadable", subject=root_subject(day), message=error.message)]
    if root.day != day:
        return None, [_differs(day, f"it says that it is the root of {root.day}")]
    return root, []


def find_wrong_root(root: Root, before: Before | None, stored: StoredHashes, only: str = "") -> Iterator[Finding]:
    """Check a root that could be read.

    Args:
        root: The root.
        before: The root that lies before it, or nothing for the first one.
        stored: What the journal holds.
        only: Compare the entries of this stream alone with what is stored; nothing: of all streams.
    """
    yield from _find_wrong_link(root, before)
    lines: dict[str, list[RootLine]] = {stream: [] for stream in root.streams}
    for line in root.lines:
        if line.stream not in lines:
            yield _differs(root.day, f"it holds an entry of stream '{line.stream}', which it does not list")
            continue
        lines[line.stream].append(line)
    for stream, covered in root.streams.items():
        # Of a root before that cannot be read nothing is known: what this one holds must still fit together.
        known = None if before is not None and before.root is None else _covered_before(before, stream)
        if problem := _find_contradiction(covered, known, lines[stream]):
            yield _differs(root.day, f"stream '{stream}': {problem}")
    for line in root.lines:
        if only in {"", line.stream}:
            yield from _find_wrong_entry(root.day, line, stored.get((line.stream, line.seq)))


def _covered_before(before: Before | None, stream: str) -> Covered:
    return NOTHING if before is None or before.root is None else before.root.streams.get(stream, NOTHING)


def _find_wrong_link(root: Root, before: Before | None) -> Iterator[Finding]:
    named = (root.previous_day, root.previous_hash)
    if before is None:
        if root.previous_day is not None:
            text = f"the root of {root.day} names it as the one before, and it is not there"
            yield Finding(code="RootMissing", subject=root_subject(root.previous_day), message=text)
        elif root.previous_hash:
            yield _differs(root.day, "it is the first root and names the hash of one before")
        return
    if root.previous_day != before.day:
        if root.previous_day is not None and before.day < root.previous_day < root.day:
            text = f"the root of {root.day} names it as the one before, and it is not there"
            yield Finding(code="RootMissing", subject=root_subject(root.previous_day), message=text)
        else:
            yield _differs(root.day, f"the root before is of {before.day}, and it names {root.previous_day or 'none'}")
    elif named != (before.day, before.hash):
        yield _differs(root.day, f"it names another hash of the root of {before.day} than that one has now")
    if before.root is not None:
        for stream in sorted(set(before.root.streams) - set(root.streams)):
            yield _differs(root.day, f"it does not list stream '{stream}', which the root before lists")


def _find_contradiction(covered: Covered, before: Covered | None, lines: Sequence[RootLine]) -> str:
    """Say where what a root tells of a stream does not fit together, or nothing."""
    if before is not None and covered.first != before.last + 1:
        return f"it begins at entry {covered.first}, and the root before ends at {before.last}"
    if [line.seq for line in lines] != list(range(covered.first, covered.last + 1)):
        return f"it does not hold entries {covered.first} to {covered.last}"
    known = "" if covered.first == 1 else before.hash if before is not None else None
    for line in lines:
        if problem := _find_wrong_line(line, known):
            return f"its entry {line.seq} {problem}"
        known = line.hash
    if known is not None and covered.hash != known:
        return f"its entry {covered.last} has another hash than its header says"
    return ""


def _find_wrong_line(line: RootLine, previous_hash: str | None) -> str:
    if names.sha256_hex(line.data) != line.hash:
        return "has another hash than it says"
    try:
        entry = Entry.from_bytes(line.data)
    except IntegrityError as error:
        return f"cannot be read: {error.message}"
    return "" if previous_hash in {None, entry.previous_hash} else "does not follow the one before"


def _find_wrong_entry(day: date, line: RootLine, stored: str | None) -> Iterator[Finding]:
    subject = journal_subject(line.stream, line.seq)
    if stored is None:
        text = f"the root of {day} holds entry {line.seq} of stream '{line.stream}', which is missing"
        yield Finding(code="EntryMissing", subject=subject, message=text)
    elif stored != line.hash:
        text = f"entry {line.seq} of stream '{line.stream}' is another one than the root of {day} holds"
        yield Finding(code="EntryDiffers", subject=subject, message=text)


def _differs(day: date, text: str) -> Finding:
    return Finding(code="RootDiffers", subject=root_subject(day), message=text)
