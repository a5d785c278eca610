"""The report of a comparison: it is evidence, so it says itself what was compared with what, when, by which files."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.sql_text import readable
from flexvault.kit.facts import KitFacts
from flexvault.kit.file_proof import FileProof
from flexvault.kit.options import Options
from flexvault.kit.server_identity import ServerIdentity

OF_POINT: Final = "compare-report-point.json"
OF_SOURCE: Final = "compare-report-source.json"
_UNFINISHED: Final = ".part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a report says beside its findings.

    Attributes:
        source: Nothing when the recovery point was compared.
        files: Those that were read.
    """

    facts: KitFacts
    options: Options
    target: ServerIdentity
    source: ServerIdentity | None
    files: tuple[FileProof, ...]
    started_at: datetime
    completed_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Write it for the report."""
        facts, verification = self.facts, self.facts.verification
        known = None
        if verification:
            known = {name: verification.to_json()[name] for name in ("number", "completedAt", "verdict")}
        return {
            "startedAt": self.started_at.isoformat(),
            "completedAt": self.completed_at.isoformat(),
            "target": self.target.to_json(),
            "source": self.source.to_json() if self.source else None,
            "kit": {"id": facts.kit_id, "filePrefix": facts.file_prefix},
            "server": {"name": facts.server_name, "id": facts.server_id, "version": facts.server_version},
            "recoveryPoint": {
                "id": facts.recovery_point_id,
                "time": facts.recovery_point_time,
                "manifestHash": facts.manifest_hash,
            },
            "verification": known,
            "files": [proof.to_json() for proof in self.files],
            "choice": _choice(self.options),
        }


def _choice(options: Options) -> Mapping[str, Any]:
    return {
        "databases": [readable(name) for name in sorted(options.databases)],
        "schemas": [[readable(d), readable(s)] for d, names in options.schemas.items() for s in names],
        "tables": [
            [readable(d), readable(t.schema), readable(t.name)] for d, tables in options.tables.items() for t in tables
        ],
        "into": readable(options.into),
    }


@contextmanager
def report_file(path: Path) -> Generator[IO[bytes]]:
    """Open a report for writing before the work begins; it takes the place of an older one when the block ends well.

    Raises:
        InvalidInputError: It cannot be written there.
    """
    part = path.with_name(f"{path.name}{_UNFINISHED}")
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        file = part.open("wb")
    except OSError as error:
        raise InvalidInputError(
            f"the report cannot be written to {path}: {error.strerror}; nothing was compared",
            hint="name a file in a folder that is there and that you may write in, with --report FILE",
            target=str(path),
        ) from None
    try:
        with file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
