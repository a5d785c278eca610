"""Write the daily root: what the journal's streams said at the end of a day, create-only, once.

Whatever a root holds cannot be taken out of the journal any more without the root telling. A day without one (an
outage) is covered by the next one. The streams are found in the vault account, never in a row.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from flexvault.domain import blob_names, names
from flexvault.domain.errors import AlreadyExistsError, IntegrityError, VaultError
from flexvault.domain.journal import Entry
from flexvault.domain.root import NOTHING, Covered, Root, RootLine
from flexvault.ports import BlobFacts, Ports, VaultReader
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.first_versions import list_first, read_first
from flexvault.services.immutability import Version, is_weaker, protect
from flexvault.services.journal import find_entry_data
from flexvault.services.vault import Vault

PARALLEL_STREAMS = 8
ROOT_KEPT_FOR = timedelta(days=3_653)
"""As long as the longest policy keeps a recovery point: ten years."""
LARGEST_ROOT_BYTES = 64 * 1024**2
"""What a root does not take any more is taken up by the next one: a backlog costs days, not memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """One stream since the root before."""

    stream: str
    covered: Covered
    lines: Sequence[RootLine] = ()
    problem: str = ""
    """Why it was not read to its end."""


def write_due_root(vault: Vault, now: datetime) -> bool:
    """Write the root of the day before, unless there is one; answers whether this call wrote it.

    A failure is told and tried again at the next tick: it must not keep reconcile from its other work.
    """
    day = _due(now)
    if vault.rooted_day == day:
        return False
    try:
        is_new = _write_root(vault.ports, day)
    except VaultError as error:
        vault.ports.telemetry.emit("RootNotWritten", {"day": day.isoformat(), "code": error.code})
        return False
    vault.rooted_day = day
    return is_new


def _list_roots(ports: Ports, prefix: str, due: date) -> Iterator[tuple[date, BlobFacts]]:
    """Answer the first version of every root below a prefix, also one whose name was deleted.

    One of a day that is still to come, created before that day's end, is none of the vault's: whoever may write could
    stop the roots with it for as long as they like. It is told, and neither followed nor protected.
    """
    for blob in list_first(ports.vault_reader, blob_names.JOURNAL, prefix):
        day = blob_names.root_day(blob.name)
        if day is None:
            continue
        ends = datetime.combine(day, time.min, UTC) + timedelta(days=1)
        if day > due and blob.last_modified is not None and blob.last_modified < ends:
            ports.telemetry.emit("RootNotBelieved", {"day": day.isoformat(), "path": blob.name})
            continue
        yield day, blob


def protect_roots(ports: Ports, prefix: str = blob_names.ROOTS_PREFIX) -> int:
    """Give the first version of each root below a prefix its immutability policy; answers how many lacked it.

    Called again after a crash between both: fine to do twice.

    Raises:
        IntegrityError: code ImmutabilityNotSet.
    """
    mode = read_believed_settings(ports).immutability
    weak = 0
    for day, blob in _list_roots(ports, prefix, _due(ports.clock.storage_now())):
        until = datetime.combine(day, time.min, UTC) + ROOT_KEPT_FOR
        version = Version(container=blob_names.JOURNAL, path=blob.name, version_id=blob.version_id)
        weak += is_weaker(blob, until, mode) and protect(ports, version, until, mode)
    return weak


def _due(now: datetime) -> date:
    return (now - timedelta(days=1)).date()


def _write_root(ports: Ports, day: date) -> bool:
    path = blob_names.root_path(day)
    days = sorted(found for found, _ in _list_roots(ports, blob_names.ROOTS_PREFIX, day))
    if days and days[-1] >= day:
        if day in days:
            protect_roots(ports, path)
        return False
    root, problems = _build(ports.vault_reader, day, days[-1] if days else None)
    data = root.to_bytes()
    try:
        ports.vault_writer.create(blob_names.JOURNAL, path, data)
    except AlreadyExistsError:
        protect_roots(ports, path)  # another reconcile was faster; what came since is the next root's
        return False
    protect_roots(ports, path)
    # Its hash leaves the vault account here: whoever rewrites journal and roots together cannot rewrite that.
    facts = {"day": day.isoformat(), "sha256": names.sha256_hex(data), "entries": len(root.lines)}
    ports.telemetry.emit("RootWritten", facts)
    for stream, problem in problems:
        ports.telemetry.emit("RootIncomplete", {"day": day.isoformat(), "stream": stream, "problem": problem})
    return True


def _build(reader: VaultReader, day: date, previous_day: date | None) -> tuple[Root, list[tuple[str, str]]]:
    before: Root | None = None
    previous_hash = ""
    problems: list[tuple[str, str]] = []
    if previous_day is not None:
        data = read_first(reader, blob_names.JOURNAL, blob_names.root_path(previous_day))
        previous_hash = names.sha256_hex(data)
        try:
            before = Root.from_bytes(data)
        except IntegrityError as error:  # then this one holds every entry anew, as far as it has room
            problems.append((blob_names.root_path(previous_day), error.message))
    covered: Mapping[str, Covered] = {} if before is None else before.streams
    stored = filter(blob_names.is_stream, reader.list_folders(blob_names.JOURNAL))
    streams = sorted({*stored, *covered})
    room = _Room(LARGEST_ROOT_BYTES)

    def gather(stream: str) -> _Gathered:
        return _gather(reader, stream, covered.get(stream, NOTHING), room)

    with ThreadPoolExecutor(max_workers=PARALLEL_STREAMS) as pool:
        gathered = list(pool.map(gather, streams))
    root = Root(
        day=day,
        previous_day=previous_day,
        previous_hash=previous_hash,
        streams={found.stream: found.covered for found in gathered},
        lines=[line for found in gathered for line in found.lines],
    )
    return root, [*problems, *((found.stream, found.problem) for found in gathered if found.problem)]


class _Room:
    """How much more fits into a root."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take room for an entry, if there is still some."""
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= size
            return True


def _gather(reader: VaultReader, stream: str, before: Covered, room: _Room) -> _Gathered:
    """Read what came into a stream since the root before, as far as it is one chain with it.

    Where it is not, the root keeps what the one before said: it never goes back behind what is proven.
    """
    lines: list[RootLine] = []
    covered = replace(before, first=before.last + 1)
    problem = ""
    if before.last:
        stored = find_entry_data(reader, stream, before.last)
        if stored is None or names.sha256_hex(stored) != before.hash:
            return _Gathered(stream=stream, covered=covered, problem=f"entry {before.last} is not the root's")
    for seq, data in _read_from(reader, stream, before.last + 1):
        if problem := _find_break(stream, seq, data, covered.hash):
            break
        if not room.take(len(data)):
            problem = f"the root has no more room: entry {seq} and later ones are for the next one"
            break
        covered = replace(covered, last=seq, hash=names.sha256_hex(data))
        lines.append(RootLine(stream=stream, seq=seq, hash=covered.hash, data=data))
    return _Gathered(stream=stream, covered=covered, lines=lines, problem=problem)


def _find_break(stream: str, seq: int, data: bytes, previous_hash: str) -> str:
    try:
        entry = Entry.from_bytes(data)
    except IntegrityError as error:
        return f"entry {seq}: {error.message}"
    is_its_own = (entry.stream, entry.seq) == (stream, seq) and entry.is_written_as(data)
    if not is_its_own or entry.previous_hash != previous_hash:
        return f"entry {seq} does not follow the one before it"
    return ""


def _read_from(reader: VaultReader, stream: str, seq: int) -> Iterator[tuple[int, bytes]]:
    while (data := find_entry_data(reader, stream, seq)) is not None:
        yield seq, data
        seq += 1
