"""Read a stream of the journal from its newest entry to its first, some entries at a time.

The head row only says where to begin: where it is missing, forged or behind, what is stored counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from flexvault.domain import blob_names, names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.events import head_target
from flexvault.domain.journal import Entry
from flexvault.domain.json_values import MALFORMED
from flexvault.ports import Ports
from flexvault.services.first_versions import list_first
from flexvault.services.journal import find_entry_data, find_row, is_stored

MOST_READ = 200
"""Entries that one request looks at; each costs storage two requests."""
MOST_AHEAD = 20
"""Entries behind which a head row may be before the stream is listed: it is moved right after each one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """What lies at a number of a stream."""

    seq: int
    entry: Entry | None
    """Nothing where it cannot be read."""
    sha256: str
    """Of the stored bytes; empty where there are none."""
    problem: str = ""
    """Why it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """Some entries, newest first."""

    entries: Sequence[StoredEntry]
    continue_before: int
    """Number before which the next page begins; 0: there is none."""


def read_journal_page(ports: Ports, stream: str, *, before: int, size: int, kind: str = "") -> JournalPage:
    """Read a stream backwards.

    Args:
        ports: Where to read.
        stream: Which stream.
        before: Only entries of smaller numbers; 0 for the newest ones.
        size: How many entries to answer at most; fewer when `MOST_READ` have been looked at.
        kind: Only entries of this type, and those that cannot be read; empty for all.
    """
    found: list[StoredEntry] = []
    last = 0
    for looked_at, seq in enumerate(_numbers(ports, stream, before)):
        if looked_at == MOST_READ or len(found) == size:
            return JournalPage(entries=found, continue_before=last)
        last = seq
        stored = _read(ports, stream, seq)
        if stored.entry is None or kind in ("", stored.entry.type):
            found.append(stored)
    return JournalPage(entries=found, continue_before=0)


def has_stream(ports: Ports, stream: str) -> bool:
    """Say whether a stream has a first entry."""
    return find_entry_data(ports.vault_reader, stream, 1) is not None


def _numbers(ports: Ports, stream: str, before: int) -> Iterator[int]:
    """Answer the numbers of a stream below one, the greatest first."""
    newest = _find_newest(ports, stream)
    if newest is not None:
        yield from range(min(newest, before - 1) if before else newest, 0, -1)
        return
    listed = (
        blob_names.entry_seq(blob.name) for blob in list_first(ports.vault_reader, blob_names.JOURNAL, f"{stream}/")
    )
    yield from sorted((seq for seq in listed if seq and (not before or seq < before)), reverse=True)


def _find_newest(ports: Ports, stream: str) -> int | None:
    """Answer the number of the last entry, from the head row on; nothing when the row does not help."""
    head = find_row(ports, head_target(stream))
    if head is None or not is_stored(ports, stream, head):
        return None
    told = int(str(head.values["seq"]))
    for seq in count(told):
        if seq > told + MOST_AHEAD:
            return None
        if find_entry_data(ports.vault_reader, stream, seq + 1) is None:
            return seq
    return None


def _read(ports: Ports, stream: str, seq: int) -> StoredEntry:
    data = find_entry_data(ports.vault_reader, stream, seq)
    if data is None:
        return StoredEntry(seq=seq, entry=None, sha256="", problem="no entry of this number is stored")
    sha256 = names.sha256_hex(data)
    try:
        entry = Entry.from_bytes(data)
        is_its_own = (entry.stream, entry.seq) == (stream, seq)
    except IntegrityError as error:
        return StoredEntry(seq=seq, entry=None, sha256=sha256, problem=error.message)
    except MALFORMED:
        return StoredEntry(seq=seq, entry=None, sha256=sha256, problem="what lies in the journal is no entry")
    if not is_its_own:
        problem = f"what lies here says that it is {entry.stream} {entry.seq}"
        return StoredEntry(seq=seq, entry=None, sha256=sha256, problem=problem)
    return StoredEntry(seq=seq, entry=entry, sha256=sha256)
