"""What a verification finds, and the checks of single things: a stream, a root, a promoted file. All pure.

A finding is an error when something that was recorded is not there any more as it was, and a warning when somebody
should look at what no record explains.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from flexvault.domain import blob_names, names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.journal import Entry
from flexvault.domain.manifest import Manifest, ManifestFile, split_blocks


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "Error"
    WARNING = "Warning"


class Verdict(StrEnum):
    """What a verification says of everything that it looked at."""

    INTACT = "Intact"
    """No error; there may be warnings."""
    BROKEN = "Broken"
    NOT_PROVEN = "NotProven"
    """No error, but something could not be read."""


_BRING_BACK = (
    "look in the storage account's own logs for who changed it; if the account keeps versions or soft-deleted blobs, "
    "bring the old one back"
)
_DISTRUST = "treat the vault account as tampered with: find out who may write there, and trust no answer before a date"
ACTIONS: Mapping[str, str] = {
    "EntryMissing": f"somebody deleted it, or planted the entry behind the gap: {_BRING_BACK}",
    "EntryUnreadable": "the vault never wrote this: the entry was written over, or somebody planted it where none was: "
    f"{_BRING_BACK}",
    "EntryDiffers": f"it was written over, or the root was: {_BRING_BACK}",
    "LinkBroken": f"one of both entries was written over: {_BRING_BACK}",
    "EventRepeated": _DISTRUST,
    "EventIdDiffers": _DISTRUST,
    "HeadDiffers": f"the journal's end or the app's table was changed: {_BRING_BACK}",
    "RootMissing": f"somebody deleted it: {_BRING_BACK}",
    "RootUnreadable": f"it was written over: {_BRING_BACK}",
    "RootDiffers": f"it, or the root before, was written over: {_BRING_BACK}",
    "LaterVersion": "delete the later version, once you know who wrote it: the first one is the vault's own",
    "NameDeleted": "copy the version that is left back to its name, once you know who deleted it",
    "BlobUnknown": "nothing of the vault's lies under such a name: find out who wrote it, then delete it",
    "ManifestMissing": f"the recovery point cannot be restored without it: {_BRING_BACK}",
    "ManifestDiffers": f"do not restore from it: {_BRING_BACK}",
    "ManifestUnreadable": f"do not restore from it: {_BRING_BACK}",
    "ManifestNotJournalled": "the next retention plan journals it, if its job died after the seal; else the last "
    "entries of its stream are gone: compare with the jobs of that day",
    "ManifestOfDeletedPoint": "the next retention plan deletes it; if it comes back, find out who writes it",
    "FileWrittenOver": "a restore reads the version that was sealed; find out who wrote the later one, then delete it",
    "FileMissing": f"the recovery point cannot be restored whole: {_BRING_BACK}",
    "FileDiffers": f"do not restore from it: {_BRING_BACK}",
    "BlockListDiffers": f"the file was written again: {_BRING_BACK}",
    "BlockDiffers": f"do not restore from it: {_BRING_BACK}",
    "DataDamaged": "restore another recovery point where this table or file is needed, and take a new backup; if its "
    "checksums are those that were sealed, the backup arrived like this: look at the server and its dump",
    "DataNotCounted": "its checksums were compared, its rows were not counted: compare a rebuilt server with a living "
    "source instead",
    "FileNotRead": "give the vault's control identity the right to read it back, then verify the recovery point again",
    "VerificationMissing": f"somebody deleted it: {_BRING_BACK}; or verify the recovery point again",
    "VerificationDiffers": f"do not believe it: {_BRING_BACK}; or verify the recovery point again",
    "MoreFindings": "treat the recovery point as damaged as a whole: restore another one",
}
"""What to do about each kind of finding."""
_WARNINGS = frozenset(
    {
        "BlobUnknown",
        "DataNotCounted",
        "FileNotRead",
        "FileWrittenOver",
        "ManifestNotJournalled",
        "ManifestOfDeletedPoint",
    }
)
_NOT_PROVING = frozenset({"FileNotRead"})
"""Findings under which nothing is proven of what they name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    code: str
    """A key of `ACTIONS`."""
    subject: str
    """Container and path of the blob."""
    message: str

    @property
    def severity(self) -> Severity:
        """Answer how bad it is."""
        return Severity.WARNING if self.code in _WARNINGS else Severity.ERROR

    @property
    def action(self) -> str:
        """Answer what to do."""
        return ACTIONS[self.code]


def judge_findings(findings: Iterable[Finding]) -> Verdict:
    """Answer what findings come to: an error breaks, what could not be read is not proven."""
    codes = {finding.code: finding.severity for finding in findings}
    if Severity.ERROR in codes.values():
        return Verdict.BROKEN
    return Verdict.NOT_PROVEN if _NOT_PROVING & codes.keys() else Verdict.INTACT


def journal_subject(stream: str, seq: int) -> str:
    """Name an entry in a finding."""
    return f"{blob_names.JOURNAL}/{blob_names.journal_path(stream, seq)}"


def manifest_subject(stream: str, point_id: str) -> str:
    """Name a manifest in a finding."""
    return f"{blob_names.MANIFESTS}/{blob_names.manifest_path(stream, point_id)}"


_KEYED_BY_POINT = frozenset({"Sealed", "Tombstoned", "PointDeleted"})
"""Kinds of events whose id follows from the point's."""


class Chain:
    """One stream, entry by entry, and what it says of recovery points.

    Attributes:
        last: The last number that was read; 0 before the first one.
        hashes: SHA-256 of each stored entry, by number.
        sealed: The manifest's hash of each point that was sealed.
        tombstoned: Points that are being deleted, or are gone.
        deleted: Points that are gone.
        verified: By point, the hash of the result of each of its deep verifications, by its number.
        first_break: Subject of the first entry that does not follow from the one before, or nothing.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.last = 0
        self.hashes: dict[int, str] = {}
        self.sealed: dict[str, str] = {}
        self.tombstoned: set[str] = set()
        self.deleted: set[str] = set()
        self.verified: dict[str, dict[int, str]] = {}
        self.first_break = ""
        self._events: dict[str, int] = {}

    def take_up(self, seq: int, data: bytes) -> Iterator[Finding]:
        """Read the stored entry of the next number that there is; answers what is wrong with it."""
        found = [*self._find_gap(seq), *self._find_wrong(seq, data)]
        self.last, self.hashes[seq] = seq, names.sha256_hex(data)
        if found and not self.first_break:
            self.first_break = found[0].subject
        yield from found

    def skip(self, seq: int) -> None:
        """Go past an entry that is there and cannot be read now: nothing is said of it, nor of the link to it."""
        self.last = seq

    def _find_gap(self, seq: int) -> Iterator[Finding]:
        first, last = self.last + 1, seq - 1
        if first <= last:
            one = f"entry {first} of stream '{self.stream}' is"
            which = one if first == last else f"entries {first} to {last} of stream '{self.stream}' are"
            text = f"{which} missing, though there is an entry {seq}"
            yield Finding(code="EntryMissing", subject=journal_subject(self.stream, first), message=text)

    def _find_wrong(self, seq: int, data: bytes) -> Iterator[Finding]:
        subject = journal_subject(self.stream, seq)
        try:
            entry = Entry.from_bytes(data)
        except IntegrityError as error:
            yield Finding(code="EntryUnreadable", subject=subject, message=error.message)
            return
        if not entry.is_written_as(data) or (entry.stream, entry.seq) != (self.stream, seq):
            text = f"it says that it is entry {entry.seq} of stream '{entry.stream}', or is not in the vault's own form"
            yield Finding(code="EntryUnreadable", subject=subject, message=text)
            return
        before = self.hashes.get(seq - 1, "" if seq == 1 else None)
        if before is not None and entry.previous_hash != before:
            text = f"it does not follow entry {seq - 1}: that one has another hash than this one names"
            yield Finding(code="LinkBroken", subject=subject, message=text)
        yield from self._find_wrong_event(entry, subject)
        self._remember(entry)

    def _find_wrong_event(self, entry: Entry, subject: str) -> Iterator[Finding]:
        earlier = self._events.setdefault(entry.event_id, entry.seq)
        if earlier != entry.seq:
            text = f"event {entry.event_id} is in the stream already, as entry {earlier}"
            yield Finding(code="EventRepeated", subject=subject, message=text)
        if entry.type in _KEYED_BY_POINT:
            derived = names.event_id(entry.stream, entry.type, str(entry.body.get("point_id")))
            if entry.event_id != derived:
                text = f"its id is {entry.event_id}, and what it says makes {derived}"
                yield Finding(code="EventIdDiffers", subject=subject, message=text)

    def _remember(self, entry: Entry) -> None:
        point_id = str(entry.body.get("point_id"))
        if entry.type == "Sealed":
            self.sealed.setdefault(point_id, str(entry.body.get("manifest_hash")))
        elif entry.type == "PointVerified":
            number, result_hash = entry.body.get("number"), str(entry.body.get("result_hash"))
            if isinstance(number, int):
                self.verified.setdefault(point_id, {}).setdefault(number, result_hash)
        elif entry.type in {"Tombstoned", "PointDeleted"}:
            self.tombstoned.add(point_id)
            if entry.type == "PointDeleted":
                self.deleted.add(point_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the app's tables say of a stream's end: a second opinion."""

    seq: int
    hash: str


def find_wrong_head(chain: Chain, head: Head) -> Iterator[Finding]:
    """Compare a stream's end with what the tables said before it was read; a table may lag behind, never be ahead."""
    stored = chain.hashes.get(head.seq)
    if head.seq > 0 and stored != head.hash:
        subject = journal_subject(chain.stream, head.seq)
        if stored is None:
            text = f"the app's table knows entry {head.seq} of stream '{chain.stream}', which is not there"
            yield Finding(code="EntryMissing", subject=subject, message=text)
        else:
            text = f"the app's table knows entry {head.seq} of stream '{chain.stream}' with another hash"
            yield Finding(code="HeadDiffers", subject=subject, message=text)


def find_wrong_manifest(chain: Chain, point_id: str, data: bytes) -> Iterator[Finding]:
    """Compare a stored manifest with the entry that sealed it."""
    subject = manifest_subject(chain.stream, point_id)
    if point_id in chain.deleted:
        text = f"recovery point {point_id} was deleted, and its manifest is there again"
        yield Finding(code="ManifestOfDeletedPoint", subject=subject, message=text)
        return
    sealed = chain.sealed.get(point_id)
    if sealed is None:
        text = f"no entry of stream '{chain.stream}' sealed recovery point {point_id}: nothing proves its manifest"
        yield Finding(code="ManifestNotJournalled", subject=subject, message=text)
    elif sealed != names.sha256_hex(data):
        text = f"the manifest of recovery point {point_id} is not the one that was sealed"
        yield Finding(code="ManifestDiffers", subject=subject, message=text)


def file_subject(file: ManifestFile) -> str:
    """Name a promoted file in a finding."""
    return f"{blob_names.POINTS}/{file.path}"


def find_wrong_blocks(file: ManifestFile, sizes: Sequence[int]) -> Iterator[Finding]:
    """Compare the committed block list of a file with its manifest."""
    expected = [length for _, length in split_blocks(file.size_bytes, file.block_size_bytes)]
    if list(sizes) != expected or len(file.crc64) != len(expected):
        text = f"it was sealed with {_describe(expected)} and now has {_describe(sizes)}"
        yield Finding(code="BlockListDiffers", subject=file_subject(file), message=text)


def find_wrong_file(manifest: Manifest, file: ManifestFile, size_bytes: int, owner: str) -> Iterator[Finding]:
    """Compare what storage says of a file with its manifest."""
    if size_bytes != file.size_bytes:
        text = f"it was sealed with {file.size_bytes} bytes and now has {size_bytes}"
        yield Finding(code="FileDiffers", subject=file_subject(file), message=text)
    elif owner != names.blob_owner(manifest.job_id, manifest.attempt):
        text = "it does not name the backup any more that promoted it"
        yield Finding(code="FileDiffers", subject=file_subject(file), message=text)


def _describe(sizes: Sequence[int]) -> str:
    return f"{len(sizes)} block(s) of {sum(sizes)} bytes in all"
