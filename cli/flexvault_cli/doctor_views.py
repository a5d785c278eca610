"""How the doctor's findings are shown."""

from collections.abc import Sequence

from flexvault_cli.output import Columns
from flexvault_cli.views import member
from flexvault_cli.wire import Json, dig_list

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


def name_sql(findings: Sequence[Json]) -> list[str]:
    """Answer by name what only PostgreSQL knows."""
    names = ", ".join(str(finding["code"]) for finding in findings if finding.get("sql"))
    return [f"not checkable from ARM: {names}: flexvault doctor --sql shows the SQL to run"] if names else []


def write_script(server: Json) -> list[str]:
    """Answer what only PostgreSQL knows of a server as a script for psql: the SQL, all else in comments."""
    asked = [finding for finding in dig_list(server, "findings") if finding.get("sql")]
    lines = [f"-- {server.get('server')}"]
    for finding in asked:
        lines += ["", f"-- {finding['code']}: {finding['message']}", f"-- {finding['remedy']}", f"{finding['sql']};"]
    return lines


def sum_up(servers: Sequence[Json]) -> list[str]:
    """Answer what must not be overlooked among many servers: of which nothing is known, and which are not backed up."""
    told = {"no backups run": "ProtectionPaused", "not examined yet": "NotExaminedYet"}
    lines: list[str] = []
    for text, code in told.items():
        names = [
            str(server.get("backupInstance"))
            for server in servers
            if any(finding.get("code") == code for finding in dig_list(server, "findings"))
        ]
        if names:
            lines.append(f"{text}: {', '.join(names)}")
    return lines
