"""Show findings of a verification, of the vault's or of a recovery point's."""

from collections.abc import Iterable

from flexvault.domain.verification import Finding


def show_findings(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Answer findings as the API shows them, each with what to do."""
    return [
        {
            "code": finding.code,
            "severity": finding.severity.value,
            "subject": finding.subject,
            "message": finding.message,
            "recommendedAction": finding.action,
        }
        for finding in findings
    ]
