"""Append to the journal and project its entries into the tables.

The entry is the commit. An append reads the head first and the targets after it; a projection writes the targets
first and the head after them. That order is the proof: whoever saw head n sees every target as of n at least, so an
event that is not done there is not in the stream up to n, and entry n + 1 can be created only once.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from flexvault.domain import blob_names, names, row_keys, row_values
from flexvault.domain.approval_events import approval_target
from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.errors import AlreadyExistsError, IntegrityError, NotFoundError, RowChangedError, TransientError
from flexvault.domain.events import EVENT_TYPES, EventType, Rows, Target, head_target, head_values
from flexvault.domain.journal import Entry
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.rows import Change, Delete, Insert, Replace, Row
from flexvault.domain.verification import Head
from flexvault.ports import Ports, VaultReader
from flexvault.services.first_versions import list_first, read_first, read_first_if_there

MAX_TRIES = 40


def _accept(_rows: Rows) -> None:
    """Accept whatever the rows say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event that somebody wants to append."""

    stream: str
    type: str
    key: str
    """With stream and type it makes the event's id: the same event always has the same key."""
    body: Mapping[str, Any]
    actor: Mapping[str, str] = field(default_factory=dict[str, str])
    check: Callable[[Rows], None] = _accept
    """Raises when the rows as of the head forbid the event; read again after every lost race."""

    @property
    def event_id(self) -> str:
        """Answer the id of the event."""
        return names.event_id(self.stream, self.type, self.key)


def append(ports: Ports, draft: Draft, *, by_retention: bool = False) -> bool:
    """Append an event once, however often and by however many it is tried; answers whether this call appended it.

    Args:
        ports: Where to write.
        draft: What to append.
        by_retention: Write as the retention identity instead of the writer.

    Raises:
        VaultError: What the draft's check raised.
        PermanentError: code RowNotStorable: it does not fit into its rows; nothing was written.
        TransientError: Too many others append at the same time.
    """
    event = EVENT_TYPES[draft.type]
    event_id = draft.event_id
    targets = event.targets(draft.stream, draft.body)
    for _ in range(MAX_TRIES):
        head = find_row(ports, head_target(draft.stream))
        rows = {target: find_row(ports, target) for target in targets}
        first = rows[targets[0]]
        if first is not None and first.values.get(event.done_member) == event_id:
            return False
        if (done := _find_by_use(ports, draft, rows)) is not None:
            project(ports, done)
            return False
        draft.check(rows)
        if head is not None and not is_stored(ports, draft.stream, head):
            _mend_head(ports, draft.stream, head)
            continue
        entry = Entry(
            stream=draft.stream,
            seq=1 if head is None else int(str(head.values["seq"])) + 1,
            previous_hash="" if head is None else str(head.values["hash"]),
            event_id=event_id,
            type=draft.type,
            at=ports.clock.storage_now(),
            body=draft.body,
            actor=draft.actor,
        )
        _require_projectable(event, entry, rows)
        if _create(ports, entry, by_retention=by_retention):
            project(ports, entry)
            return True
        stored = read_entry(ports, entry.stream, entry.seq)
        project(ports, stored)
        if stored.event_id == event_id:
            return stored == entry  # then it was this call's own write, whose answer got lost
    raise TransientError(f"the journal stream '{draft.stream}' is contended", code="JournalContended")


def is_stored(ports: Ports, stream: str, head: Row) -> bool:
    """Say whether the entry that a head row names is there: by a forged row a hole would come that nothing mends."""
    try:
        data = find_entry_data(ports.vault_reader, stream, int(str(head.values["seq"])))
        return data is not None and names.sha256_hex(data) == head.values["hash"]
    except MALFORMED:
        return False  # no number at all


def _mend_head(ports: Ports, stream: str, head: Row) -> None:
    """Put a head row back to the last entry that is stored, and tell it; who loses the row reads it again."""
    target = head_target(stream)
    stored = [blob.name for blob in list_first(ports.vault_reader, blob_names.JOURNAL, f"{stream}/")]
    change: Change = Delete(key=target.key, etag=head.etag)
    if stored:
        data = read_first(ports.vault_reader, blob_names.JOURNAL, stored[-1])
        values = head_values(Entry.from_bytes(data), names.sha256_hex(data))
        change = Replace(key=target.key, values=values, etag=head.etag)
    ports.telemetry.emit("RowsDiffer", {"instance": stream})
    with suppress(RowChangedError):
        ports.rows.apply(target.table, target.partition, [change])


def project(ports: Ports, entry: Entry) -> None:
    """Bring the tables to an entry: its targets first, then the head; never backwards."""
    event = EVENT_TYPES[entry.type]
    targets = event.targets(entry.stream, entry.body)
    for _ in range(MAX_TRIES):
        rows = {target: find_row(ports, target) for target in targets}
        try:
            for batch in event.project(entry, rows):
                ports.rows.apply(batch.table, batch.partition, batch.changes)
            _move_head(ports, entry)
        except (RowChangedError, AlreadyExistsError):
            continue
        return
    raise TransientError(f"the rows of event {entry.event_id} are contended", code="JournalContended")


def find_entry_data(reader: VaultReader, stream: str, seq: int) -> bytes | None:
    """Find the bytes of one entry; nothing when there is none of that number. A refusal is raised, never an answer."""
    return read_first_if_there(reader, blob_names.JOURNAL, blob_names.journal_path(stream, seq))


def find_entry(ports: Ports, stream: str, seq: int) -> Entry | None:
    """Find one entry; nothing when there is none of that number. A refusal is raised, never an answer.

    Raises:
        IntegrityError: What lies there is no entry, or another stream's or number's.
    """
    data = find_entry_data(ports.vault_reader, stream, seq)
    if data is None:
        return None
    entry, path = Entry.from_bytes(data), blob_names.journal_path(stream, seq)
    if (entry.stream, entry.seq) != (stream, seq):
        raise IntegrityError(f"journal entry {path} says that it is {entry.stream} {entry.seq}", target=path)
    return entry


def read_entry(ports: Ports, stream: str, seq: int) -> Entry:
    """Read one entry.

    Raises:
        NotFoundError: There is none of that number.
        IntegrityError: What lies there is no entry, or another stream's or number's.
    """
    entry = find_entry(ports, stream, seq)
    if entry is None:
        path = blob_names.journal_path(stream, seq)
        raise NotFoundError(f"the journal has no entry '{path}'", code=BLOB_NOT_FOUND, target=path)
    return entry


def read_stream(ports: Ports, stream: str) -> Iterator[Entry]:
    """Read a stream from its first entry to its end.

    Raises:
        IntegrityError: What lies at a number is no entry, or another's.
    """
    for seq in count(1):
        entry = find_entry(ports, stream, seq)
        if entry is None:
            return
        yield entry


def _find_by_use(ports: Ports, draft: Draft, rows: Rows) -> Entry | None:
    """Answer the event's entry if its approval says that it was used by it.

    A later event may have taken the place in the target's row; the use of an approval is never written over.
    """
    approval_id = draft.body.get("approval_id")
    row = rows.get(approval_target(approval_id)) if approval_id else None
    if row is None or row.values.get("used_event_id") != draft.event_id:
        return None
    return read_entry(ports, str(row.values["used_by_stream"]), int(str(row.values["used_by_seq"])))


def _require_projectable(event: EventType, entry: Entry, rows: Rows) -> None:
    """Refuse what would not fit into its rows: an entry that cannot be projected would stop its stream for ever.

    Raises:
        PermanentError: code RowNotStorable.
    """
    for batch in event.project(entry, rows):
        row_values.check_changes(batch.table, [change.key for change in batch.changes])
        for change in batch.changes:
            if not isinstance(change, Delete):
                row_values.check_row(batch.table, change.key, change.values)


def _create(ports: Ports, entry: Entry, *, by_retention: bool) -> bool:
    path = blob_names.journal_path(entry.stream, entry.seq)
    store = ports.vault_cleaner if by_retention else ports.vault_writer
    try:
        store.create(blob_names.JOURNAL, path, entry.to_bytes())
    except AlreadyExistsError:
        return False
    return True


def _move_head(ports: Ports, entry: Entry) -> None:
    target = head_target(entry.stream)
    head = find_row(ports, target)
    values = head_values(entry, names.sha256_hex(entry.to_bytes()))
    if head is None:
        ports.rows.apply(target.table, target.partition, [Insert(key=target.key, values=values)])
    elif int(str(head.values["seq"])) < entry.seq:
        ports.rows.apply(target.table, target.partition, [Replace(key=target.key, values=values, etag=head.etag)])


def find_row(ports: Ports, target: Target) -> Row | None:
    """Find the row of a target."""
    return ports.rows.find(target.table, target.partition, target.key)


def list_heads(ports: Ports) -> dict[str, Head]:
    """Answer what the tables say of every stream's end; a row that cannot be read says nothing."""
    found: dict[str, Head] = {}
    for row in ports.rows.query(row_keys.CONFIG, row_keys.HEADS_PARTITION, start="0", end="~"):
        with suppress(*MALFORMED):
            found[row.key] = Head(seq=int(str(row.values["seq"])), hash=str(row.values["hash"]))
    return found
