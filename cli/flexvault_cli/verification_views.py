"""What a verification says, gathered from its pages."""

from flexvault_cli.output import Columns
from flexvault_cli.views import byte_count, member, moment, write_bytes
from flexvault_cli.wire import Json, dig, dig_list

_COUNTED = (
    ("journal entries", "journalEntries"),
    ("roots", "roots"),
    ("recovery points", "recoveryPoints"),
    ("files", "files"),
    ("blocks", "blocks"),
)


class Verification:
    """The pages of one verification.

    Attributes:
        continue_from: Where the next page begins; empty for the first one.
        is_complete: The last page was taken up.
    """

    def __init__(self) -> None:
        self.continue_from = ""
        self.is_complete = False
        self.not_checked: list[Json] = []
        self._findings: dict[tuple[str, str], Json] = {}
        self._checked: dict[str, int] = {}
        self._streams: list[Json] = []
        self._verdicts: set[str] = set()
        self._last: Json = {}

    def add(self, page: Json) -> None:
        """Take up a page; what two pages tell of one thing counts once."""
        for finding in dig_list(page, "findings"):
            self._findings.setdefault((str(finding.get("code")), str(finding.get("subject"))), finding)
        self.not_checked += dig_list(page, "notChecked")
        self._verdicts.add(str(page.get("verdict")))
        counts: Json = dig(page, "checked") or {}
        for name, count in counts.items():
            self._checked[name] = self._checked.get(name, 0) + int(count)
        self._streams += dig_list(page, "evidence.streams")
        self._last = page
        self.continue_from = str(page.get("continueFrom") or "")
        self.is_complete = not self.continue_from

    @property
    def findings(self) -> list[Json]:
        """Answer what was found, errors first."""
        return sorted(self._findings.values(), key=lambda finding: finding.get("severity") != "Error")

    @property
    def verdict(self) -> str:
        """Answer what is to be said of the whole."""
        if "Broken" in self._verdicts:
            return "Broken"
        return "Intact" if self._verdicts == {"Intact"} else "NotProven"

    def describe_checked(self) -> str:
        """Say in a line what was looked at."""
        counts = ", ".join(f"{self._checked.get(name, 0)} {words}" for words, name in _COUNTED)
        read = self._checked.get("bytesRead", 0)
        return f"{counts}, {write_bytes(read)} read" if read else counts

    def describe_reach(self) -> str:
        """Say how far that is proven."""
        root = dig(self._last, "evidence.newestRoot")
        newest = f"newest root {root.get('date')}, SHA-256 {root.get('sha256')}; " if root else ""
        return f"evidence: {newest}{dig(self._last, 'evidence.reach')}"

    def to_json(self) -> Json:
        """Write the whole as the vault writes a page."""
        evidence: Json = {**(dig(self._last, "evidence") or {}), "streams": self._streams}
        whole = {
            "verdict": self.verdict,
            "findings": self.findings,
            "notChecked": self.not_checked,
            "checked": self._checked,
            "evidence": evidence,
        }
        return {**self._last, **whole}


FINDINGS: Columns = {
    "severity": member("severity"),
    "code": member("code"),
    "what": member("subject"),
    "message": member("message"),
}
FINDINGS_DROPPED = ("message",)
DEEP: Columns = {
    "recovery point": member("recoveryPoint"),
    "verification": member("number"),
    "verdict": member("verdict"),
    "completed": moment("completedAt"),
    "job": member("jobId"),
    "manifest": member("manifestSha256"),
}
DEEP_FILES: Columns = {
    "file": member("suffix"),
    "database": member("database"),
    "size": byte_count("sizeInBytes"),
    "tables": member("tables"),
    "rows": member("rows"),
    "not counted": member("tablesNotCounted"),
    "large objects": member("largeObjects"),
    "sha256": member("sha256"),
}
DEEP_FILES_DROPPED = ("sha256", "large objects", "size")
