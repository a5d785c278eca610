"""What a check finds: how bad it is, of what, and what to do about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class FindingSeverity(StrEnum):
    """What a finding means for backups and restores."""

    ERROR = "Error"
    """A backup or a copy will fail, or is not possible."""
    WARNING = "Warning"
    """It may fail, or something should be looked at."""
    INFORMATION = "Information"


class FindingCheck(StrEnum):
    """Whether it was looked at."""

    CHECKED = "Checked"
    NOT_CHECKABLE = "NotCheckable"
    """It cannot be known from ARM, or ARM does not say it to the control identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check says."""

    code: str
    severity: FindingSeverity
    subject: str
    """The ARM id of what it is about."""
    message: str
    remedy: str = ""
    """The exact command, or what to do."""
    check: FindingCheck = FindingCheck.CHECKED
    sql: str = ""
    """What to run in PostgreSQL to know it; reads only."""
    passes: bool = False
    """It is a state that passes by itself: a backup waits for its end."""

    @classmethod
    def error(
        cls, code: str, subject: str, message: str, remedy: str, check: FindingCheck = FindingCheck.CHECKED
    ) -> "Finding":
        """Say that a backup or a copy is not possible."""
        return cls(
            code=code, severity=FindingSeverity.ERROR, subject=subject, message=message, remedy=remedy, check=check
        )

    @classmethod
    def warning(
        cls, code: str, subject: str, message: str, remedy: str, check: FindingCheck = FindingCheck.CHECKED
    ) -> "Finding":
        """Say that something may fail, or should be looked at."""
        return cls(
            code=code, severity=FindingSeverity.WARNING, subject=subject, message=message, remedy=remedy, check=check
        )

    @classmethod
    def information(cls, code: str, subject: str, message: str, remedy: str = "") -> "Finding":
        """Say what is good to know; nothing needs to be done."""
        return cls(code=code, severity=FindingSeverity.INFORMATION, subject=subject, message=message, remedy=remedy)

    @property
    def is_error(self) -> bool:
        """Say whether a backup or a copy is not possible."""
        return self.severity is FindingSeverity.ERROR

    @property
    def is_warning(self) -> bool:
        """Say whether something may fail or should be looked at."""
        return self.severity is FindingSeverity.WARNING

    def to_json(self) -> dict[str, Any]:
        """Write it for a row."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "subject": self.subject,
            "message": self.message,
            "remedy": self.remedy,
            "check": self.check.value,
            "passes": self.passes,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Finding":
        """Read it from a row."""
        return cls(
            code=data["code"],
            severity=FindingSeverity(data["severity"]),
            subject=data["subject"],
            message=data["message"],
            remedy=data.get("remedy", ""),
            check=FindingCheck(data.get("check", FindingCheck.CHECKED.value)),
            passes=data.get("passes", False),
        )


_ORDER = tuple(FindingSeverity)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: errors, warnings, information; of one severity in the order of the checks."""
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
