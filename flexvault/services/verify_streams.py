"""Verify the journal: read each stream to its end, and compare each root with what is stored."""

from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import date
from itertools import batched

from flexvault.domain import blob_names, names
from flexvault.domain.errors import PermanentError
from flexvault.domain.root import RootLine
from flexvault.domain.root_check import Before, find_wrong_root, read_root, root_subject
from flexvault.domain.verification import Chain, Finding, find_wrong_head, journal_subject
from flexvault.ports import VaultReader
from flexvault.services.journal import find_entry_data
from flexvault.services.stored_names import StoredName, list_names, read_if_there
from flexvault.services.verify_page import Page, StreamEvidence, is_of_one_blob

ENTRIES_A_BATCH = 256


class StreamReader:
    """Reads one stream, and on when it grows meanwhile."""

    def __init__(self, reader: VaultReader, pool: Executor, page: Page, stream: str) -> None:
        self.chain = Chain(stream)
        self._reader = reader
        self._pool = pool
        self._page = page
        self._found: list[Finding] = []
        self._skipped: dict[str, PermanentError] = {}

    def read(self) -> None:
        """Read every entry that is listed; what is wrong is kept for `report`."""
        stored: list[tuple[int, StoredName]] = []
        for found in list_names(self._reader, blob_names.JOURNAL, f"{self.chain.stream}/"):
            seq = blob_names.entry_seq(found.first.name)
            if seq is None:
                self._found.append(unknown(f"{blob_names.JOURNAL}/{found.first.name}"))
            else:
                stored.append((seq, found))
        for batch in batched(stored, ENTRIES_A_BATCH, strict=False):
            versions = [(found.first.name, found.first.version_id) for _, found in batch]
            for (seq, found), data in zip(batch, self._pool.map(self._read, versions), strict=True):
                self._found += found.find_wrong(blob_names.JOURNAL)
                self._take_up(seq, data)

    def read_on(self) -> None:
        """Read what came since: a point may have been sealed or deleted meanwhile."""
        while True:
            seq = self.chain.last + 1
            data = find_entry_data(self._reader, self.chain.stream, seq)
            if data is None:
                return
            self._take_up(seq, data)

    def report(self) -> None:
        """Tell the page what is wrong with the stream, and how far its evidence reaches."""
        chain, page = self.chain, self._page
        head = page.order.heads.get(chain.stream)
        page.add(self._found)
        if head is not None:
            page.add(find_wrong_head(chain, head))
        for subject, error in self._skipped.items():
            page.skip(subject, error)
        root = page.newest.root if page.newest else None
        covered = root.streams.get(chain.stream) if root else None
        page.counts.streams += 1
        page.counts.entries += len(chain.hashes)
        page.streams.append(
            StreamEvidence(
                stream=chain.stream,
                last=chain.last,
                last_hash=chain.hashes.get(chain.last, ""),
                covered_by_root=covered.last if covered else 0,
                first_break=chain.first_break,
            )
        )

    def _read(self, version: tuple[str, str]) -> bytes | PermanentError | None:
        path, version_id = version
        try:
            return read_if_there(self._reader, blob_names.JOURNAL, path, version_id)
        except PermanentError as error:
            if not is_of_one_blob(error):
                raise
            return error

    def _take_up(self, seq: int, data: bytes | PermanentError | None) -> None:
        subject = journal_subject(self.chain.stream, seq)
        if data is None:
            text = "it was listed, and is gone now"
            self._found.append(Finding(code="EntryMissing", subject=subject, message=text))
        elif isinstance(data, bytes):
            self._found += self.chain.take_up(seq, data)
        else:
            self._skipped[subject] = data
            self.chain.skip(seq)


def unknown(subject: str) -> Finding:
    """Find a blob that the vault would never have written there."""
    return Finding(code="BlobUnknown", subject=subject, message="the vault writes nothing under such a name")


class RootReader:
    """Reads the roots, each with the one before it."""

    def __init__(self, reader: VaultReader, pool: Executor, page: Page) -> None:
        self._reader = reader
        self._pool = pool
        self._page = page
        self._stored: dict[date, StoredName] = {}
        for found in list_names(reader, blob_names.JOURNAL, blob_names.ROOTS_PREFIX):
            day = blob_names.root_day(found.first.name)
            if day is None:
                page.add_first(unknown(f"{blob_names.JOURNAL}/{found.first.name}"))
            else:
                self._stored[day] = found
        self.days = sorted(self._stored)
        page.newest = self._read(self.days[-1], []) if self.days else None

    def check_all(self, begin: date | None) -> date | None:
        """Check the roots from a day on; answers the day for the next page, or nothing at the end."""
        days = [day for day in self.days if begin is None or day >= begin]
        earlier = [day for day in self.days if day < days[0]] if days else []
        before = self._read(earlier[-1], []) if earlier else None
        for day, following in zip(days, [*days[1:], None], strict=False):
            before = self._check(day, before)
            if following is not None and self._page.is_full:
                return following
        return None

    def _check(self, day: date, before: Before | None) -> Before | None:
        found: list[Finding] = list(self._stored[day].find_wrong(blob_names.JOURNAL))
        try:
            read = self._read(day, found)
        except PermanentError as error:
            if not is_of_one_blob(error):
                raise
            self._page.skip(root_subject(day), error)
            return None
        self._page.counts.roots += 1
        if read is not None and read.root is not None:
            only = self._page.order.instance
            stored = self._hash_stored([line for line in read.root.lines if only in {"", line.stream}])
            found += find_wrong_root(read.root, before, stored, only)
        self._page.add(found)
        return read

    def _read(self, day: date, found: list[Finding]) -> Before | None:
        first = self._stored[day].first
        data = read_if_there(self._reader, blob_names.JOURNAL, first.name, first.version_id)
        if data is None:
            text = "it was listed, and is gone now"
            found.append(Finding(code="RootMissing", subject=root_subject(day), message=text))
            return None
        root, wrong = read_root(day, data)
        found += wrong
        return Before(day=day, hash=names.sha256_hex(data), root=root)

    def _hash_stored(self, lines: Sequence[RootLine]) -> dict[tuple[str, int], str | None]:
        """Answer the hash of what is stored for each line; what this page has read already is not read again."""
        known = self._page.hashes
        found = {(line.stream, line.seq): known.get(line.stream, {}).get(line.seq) for line in lines}
        missing = [key for key, known_hash in found.items() if known_hash is None]
        expected = {(line.stream, line.seq): line.hash for line in lines}

        def read(key: tuple[str, int]) -> str | None:
            data = read_if_there(self._reader, blob_names.JOURNAL, blob_names.journal_path(*key))
            if data is None or names.sha256_hex(data) != expected[key]:  # the first version is asked for only then
                data = find_entry_data(self._reader, *key)
            return None if data is None else names.sha256_hex(data)

        for batch in batched(missing, ENTRIES_A_BATCH, strict=False):
            found |= zip(batch, self._pool.map(read, batch), strict=True)
        return found
