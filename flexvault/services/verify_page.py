"""What one call of a verification has found so far, where it began and where the next one goes on."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from flexvault.domain.errors import InvalidInputError, NotAuthorizedError, NotFoundError, PermanentError
from flexvault.domain.root_check import Before
from flexvault.domain.verification import Finding, Head, Severity, Verdict

MOST_FINDINGS = 500
"""A page with more ends early."""
_POSITION = re.compile(
    r"(?:stream/(?P<stream>[^/]+)|points/(?P<owner>[^/]+)/(?P<point>[^/]+)(?:/(?P<file>\d{1,9})/(?P<block>\d{1,9}))?"
    r"|root/(?P<day>\d{4}-\d\d-\d\d))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to verify."""

    is_deep: bool = False
    """Read every block and compute its checksum, too."""
    instance: str = ""
    """Key of the only instance whose stream and points are looked at; nothing: the whole vault."""
    continue_from: str = ""
    """Where the page before ended."""
    heads: Mapping[str, Head] = field(default_factory=dict[str, Head])
    """What the app's tables say of the streams' ends, read before this call; empty offline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page begins: at a stream, at one of its points (or a block of a file), or at a root."""

    stream: str = ""
    point: str = ""
    file: int = 0
    block: int = 0
    day: date | None = None

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read where the page before ended.

        Raises:
            InvalidInputError: That is no answer of a page.
        """
        found = _POSITION.fullmatch(text) if text else None
        try:
            if found:
                return cls(
                    stream=found["stream"] or found["owner"] or "",
                    point=found["point"] or "",
                    file=int(found["file"] or 0),
                    block=int(found["block"] or 0),
                    day=date.fromisoformat(found["day"]) if found["day"] else None,
                )
        except ValueError:
            found = None
        if text:
            hint = "send the continueFrom of the answer before as it is, or leave it out to begin anew"
            raise InvalidInputError(f"'{text}' is no place to go on from", target="continueFrom", hint=hint)
        return cls()

    def to_text(self) -> str:
        """Write it for the next call."""
        if self.day:
            return f"root/{self.day.isoformat()}"
        if not self.point:
            return f"stream/{self.stream}"
        place = f"/{self.file}/{self.block}" if self.file or self.block else ""
        return f"points/{self.stream}/{self.point}{place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotChecked:
    """Something that is there and could not be read: neither found whole nor found broken."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvidence:
    """How far a stream's evidence reaches."""

    stream: str
    last: int
    last_hash: str
    covered_by_root: int
    """The last number that the newest root covers; later entries are covered by the chain alone."""
    first_break: str
    """Subject of the first entry that does not follow from the one before, or nothing."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What was looked at."""

    streams: int = 0
    entries: int = 0
    roots: int = 0
    points: int = 0
    deleting: int = 0
    files: int = 0
    blocks: int = 0
    bytes_read: int = 0
    """Of files alone."""


class Page:
    """Gathers what one call finds.

    Attributes:
        newest: The newest root, as far as it can be read.
        hashes: SHA-256 of every entry of the streams that this page has read.
    """

    def __init__(self, order: Order, is_spent: Callable[[], bool]) -> None:
        self.order = order
        self.counts = Counts()
        self.streams: list[StreamEvidence] = []
        self.not_checked: list[NotChecked] = []
        self.newest: Before | None = None
        self.hashes: dict[str, Mapping[int, str]] = {}
        self._is_spent = is_spent
        self._findings: dict[tuple[str, str], Finding] = {}

    def add(self, findings: Iterable[Finding]) -> None:
        """Keep findings; of one kind and subject the first one."""
        for finding in findings:
            self._findings.setdefault((finding.code, finding.subject), finding)

    def add_first(self, finding: Finding) -> None:
        """Keep a finding of what every page sees, once: on the first one."""
        if not self.order.continue_from:
            self.add([finding])

    def skip(self, subject: str, error: PermanentError) -> None:
        """Note what could not be read."""
        self.not_checked.append(NotChecked(subject=subject, reason=f"{error.code}: {error.message}"))

    @property
    def is_full(self) -> bool:
        """Say whether the rest is for the next page."""
        return self._is_spent() or len(self._findings) >= MOST_FINDINGS

    @property
    def findings(self) -> list[Finding]:
        """Answer what was found, in the order in which it was found."""
        return list(self._findings.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one page says."""

    page: Page
    continue_from: str
    """Where the next page goes on; empty: this was the last one."""

    @property
    def findings(self) -> list[Finding]:
        """Answer what was found."""
        return self.page.findings

    @property
    def verdict(self) -> Verdict:
        """Answer what is to be said of everything that this page looked at."""
        if any(finding.severity is Severity.ERROR for finding in self.findings):
            return Verdict.BROKEN
        return Verdict.NOT_PROVEN if self.page.not_checked else Verdict.INTACT


def is_of_one_blob(error: PermanentError) -> bool:
    """Say whether an error is of one blob alone; a refusal, or a container that is gone, is of everything."""
    return not isinstance(error, NotAuthorizedError | NotFoundError)
