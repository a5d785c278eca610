"""The report of a rebuild names roles, tables and settings: it is for who ran it."""

from pathlib import Path
from typing import Any

from flexvault.kit.outcome import Outcome, write_report


class Heading:
    def to_json(self) -> dict[str, Any]:
        return {"kitId": "0"}

    def lines(self) -> list[str]:
        return ["a rebuild"]


def test_nobody_else_reads_a_report_not_even_one_that_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "rebuild-report.txt").write_text("of before")
    (tmp_path / "rebuild-report.txt").chmod(0o644)
    write_report(tmp_path, Heading(), [Outcome(database="", kind="role", name="app", state="restored")])
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"rebuild-report.json": 0o600, "rebuild-report.txt": 0o600}
