"""How the doctor's findings are shown."""

from collections.abc import Sequence

from flexvault_cli.output import Columns
from flexvault_cli.views import member
from flexvault_cli.wire import Json

FINDINGS: Columns = {
    "severity": member("severity"),
    "code": member("code"),
    "message": member("message"),
}


def tell_when(server: Json) -> str:
    """Say of which moment the findings are."""
    checked_at = server.get("checkedAt")
    if checked_at:
        return f"as of {checked_at}"
    return "not examined yet: it is in the first minutes of the next day (UTC); flexvault doctor --now does it now"


def list_remedies(findings: Sequence[Json]) -> list[str]:
    """Answer what to do about each finding that has a remedy, the worst first."""
    return [f"{finding['code']}: {finding['remedy']}" for finding in findings if finding.get("remedy")]


def list_sql(findings: Sequence[Json], *, whole: bool) -> list[str]:
    """Answer what only PostgreSQL knows: by name, or whole with the SQL."""
    asked = [finding for finding in findings if finding.get("sql")]
    if not whole:
        names = ", ".join(str(finding["code"]) for finding in asked)
        return [f"not checkable from ARM: {names}: flexvault doctor --sql shows the SQL to run"] if asked else []
    lines: list[str] = []
    for finding in asked:
        lines += ["", f"-- {finding['code']}: {finding['message']}", f"-- {finding['remedy']}", f"{finding['sql']};"]
    return lines
