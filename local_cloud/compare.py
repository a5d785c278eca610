"""Prove that a rebuilt server equals its recovery point, or its source as it is now: run the kit's `compare`."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from local_cloud.rebuild import PROGRAM, RebuildFailedError, server_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the kit's report says.

    Attributes:
        findings: One line for each object that differs, and for each that could not be compared.
        verdict: All of it in one line, what was not compared included.
    """

    is_equal: bool
    verdict: str
    findings: tuple[str, ...]


def compare(
    files_folder: Path,
    prefix: str,
    server_url: str,
    pg_bin: Path,
    *,
    source_url: str | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Compared:
    """Compare a rebuilt server with the files that it was rebuilt from, or with its source.

    Args:
        files_folder: Holds the files of the restore and the kit's folder `{prefix}_rebuild`.
        prefix: File prefix of the restore; a folder part of it is ignored, as `download_restore` does.
        server_url: `postgresql://` URL of the rebuilt server.
        pg_bin: Folder with psql, pg_dump and pg_dumpall of the server's version.
        source_url: Of the living source; nothing to compare with the files.
        on_line: Hears each line that the kit prints.

    Raises:
        RebuildFailedError: The comparison itself failed.
    """
    kit = files_folder / f"{PurePosixPath(prefix).name}_rebuild" / PROGRAM
    environment = server_environment(server_url, pg_bin)
    if source_url is not None:
        at_source = server_environment(source_url, pg_bin).items()
        environment |= {f"SOURCE_{name}": value for name, value in at_source if name.startswith("PG")}
    with tempfile.TemporaryDirectory(prefix="flexvault-") as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-I", str(kit), "compare", "--files", str(files_folder), "--report", str(report)]
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False
        )
        if on_line is not None:
            for line in done.stdout.splitlines():
                on_line(line)
        if not report.is_file():
            raise RebuildFailedError(f"comparing ended with status {done.returncode}: {done.stderr.strip()[-2000:]}")
        found = json.loads(report.read_text(encoding="utf-8"))
    findings = (*found["differences"], *found["notProven"])
    return Compared(is_equal=found["isEqual"], verdict=found["verdict"], findings=tuple(map(_line, findings)))


def _line(finding: dict[str, str]) -> str:
    where = f"database {finding['database']}: " if finding["database"] else ""
    texts = [finding["reason"], *(f"{side}: {finding[side]}" for side in ("source", "target") if finding[side])]
    return " ".join(f"{where}{finding['kind']} {finding['name']} {finding['state']}, {', '.join(texts)}".split())
