"""Say whether the files that lie here are those of the backup, before anything is read of them."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flexvault.domain.sql_text import one_line
from flexvault.kit.facts import KitFile

type Proof = Literal["same", "other", "notProven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProof:
    """What a file is here, beside what the kit knows of it.

    Attributes:
        size_bytes: Of the file here; nothing when it cannot be read.
        sha256: Of the file here, in hex; empty when it cannot be read.
        problem: Why nothing can be proven by it; empty for a file that is as the kit has it.
    """

    file: KitFile
    size_bytes: int | None = None
    sha256: str = ""
    problem: str = ""

    @property
    def proof(self) -> Proof:
        """Whether it is the backup's file; not proven where no deep verification has told the kit its SHA-256."""
        if self.problem:
            return "other"
        return "same" if self.file.sha256 else "notProven"

    def to_json(self) -> dict[str, Any]:
        """Write it for the report."""
        return {
            "name": self.file.name,
            "sizeBytes": self.size_bytes,
            "sha256": self.sha256,
            "expectedSizeBytes": self.file.size_bytes,
            "expectedSha256": self.file.sha256,
            "proof": self.proof,
        }


def prove_files(
    folder: Path, files: Iterable[KitFile], *, jobs: int, on_line: Callable[[str], None] = lambda _: None
) -> dict[str, FileProof]:
    """Hash files, several at once, and answer by name what they are."""

    def prove(file: KitFile) -> FileProof:
        return _prove(folder, file)

    found: dict[str, FileProof] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for proof in pool.map(prove, files):
            found[proof.file.name] = proof
            if proof.sha256:
                on_line(f"hashed {one_line(proof.file.name)}: SHA-256 {proof.sha256}, {_SAID[proof.proof]}")
    return found


_SAID: dict[Proof, str] = {
    "same": "as in the backup",
    "other": "not as in the backup",
    "notProven": "the kit does not know the backup's",
}


def _prove(folder: Path, file: KitFile) -> FileProof:
    path = folder / file.name
    again = "download it again"
    try:
        with path.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
            size_bytes = opened.tell()
    except OSError as error:
        problem = f"{file.name} cannot be read: {error.strerror}; download all files of the restore into one folder"
        return FileProof(file=file, problem=problem)
    problem = ""
    if size_bytes != file.size_bytes:
        problem = f"{file.name} has {size_bytes} bytes instead of the backup's {file.size_bytes}: {again}"
    elif file.sha256 and sha256 != file.sha256:
        problem = f"{file.name} has another SHA-256 than the backup's file: {again}"
    return FileProof(file=file, size_bytes=size_bytes, sha256=sha256, problem=problem)
