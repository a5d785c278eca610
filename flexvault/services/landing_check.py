"""Check what landed before anything is copied: whole archives, a known layout, nothing missing that was there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flexvault.domain import names
from flexvault.domain.dump_archive import UnknownArchiveError, is_custom_format, read_archive
from flexvault.domain.dump_facts import describe
from flexvault.domain.errors import IntegrityError, NotFoundError
from flexvault.domain.job import Failure
from flexvault.domain.landing_files import FileKind, FileName, is_known_layout, read_name
from flexvault.domain.manifest import block_size_bytes
from flexvault.ports import BlobFacts
from flexvault.services import catalog
from flexvault.services.block_log import BlockLog, LoggedFile
from flexvault.services.progress import warning
from flexvault.services.steps import StepRun
from flexvault.services.tag_backup import tag_backup

LAYOUT_WARNINGS = frozenset({"UnknownLayout", "SizeDiffers", "RolesIncomplete", "DatabaseMissing"})
"""What a check may find; those of a spoiled attempt are not the next one's."""
_DUMPALL_BEGIN, _DUMPALL_END = b"PostgreSQL database cluster dump", b"PostgreSQL database cluster dump complete"
_TAIL_BYTES = 4096


class SpoiledAttemptError(Exception):
    """What landed cannot become a recovery point; another attempt may."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(
            code=code,
            message=message,
            recommended_action="look at the server's long-term-retention operations; the next attempt starts by itself",
            is_user_error=False,
            is_retryable=True,
        )


class Look(StrEnum):
    """What a landed file turned out to be."""

    ARCHIVE = "archive"
    """A custom-format archive, whole to its end."""
    UNREADABLE = "unreadable"
    """A custom-format archive of a version that is not known: kept as it is."""
    OTHER = "other"
    """Anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedFile:
    """A file in a landing container, looked into."""

    ordinal: int
    container: str
    blob: BlobFacts
    name: FileName
    look: Look
    database: str = ""
    """Of a database's archive: the exact name."""
    is_cut: bool = False
    """Of a roles file: it does not end as pg_dumpall ends it."""

    def to_log(self) -> LoggedFile:
        """Write down what its copy must know."""
        return LoggedFile(
            ordinal=self.ordinal,
            name=self.blob.name,
            size_bytes=self.blob.size_bytes,
            block_size_bytes=block_size_bytes(self.blob.size_bytes),
            facts={
                "container": self.container,
                "etag": self.blob.etag,
                "kind": self.name.kind,
                "suffix": self.name.suffix,
                "is_archive": self.look is Look.ARCHIVE,
            },
        )


def check_landing(run: StepRun, log: BlockLog) -> None:
    """Look at every landed file before the first block is copied; once per attempt."""
    backup_name = names.backup_name(run.open.job_id, run.open.attempt)
    blobs = [
        (ordinal, container, blob)
        for ordinal, container in enumerate(run.open.state["containers"])
        for blob in run.ports.landing.list_files(container)
    ]
    if all(blob.size_bytes == 0 for _, _, blob in blobs):
        what = "only empty files" if blobs else "no file"
        raise SpoiledAttemptError("NoFilesInBackup", f"the server reported success, but {what} arrived")
    landed = [
        _look_into(run, ordinal, container, blob, read_name(blob.name, backup_name))
        for ordinal, container, blob in blobs
    ]
    for file in landed:
        log.add(file.to_log())
    _fix_point(run, _find_warnings(run, landed))


def describe_archive(read: Any, size_bytes: int, name: str) -> Mapping[str, Any]:
    """Read a custom-format archive to its end and say what its table of contents holds.

    Raises:
        IntegrityError: It is not whole.
        UnknownArchiveError: It is of a version that is not known.
    """
    return describe(read_archive(read, size_bytes, name=name))


def _look_into(run: StepRun, ordinal: int, container: str, blob: BlobFacts, name: FileName) -> LandedFile:
    """Look into a landed file.

    Raises:
        SpoiledAttemptError: It should be a whole archive and is not.
    """

    def read(offset: int, length: int) -> bytes:
        return run.ports.landing.read(container, blob.name, offset, length)

    def landed(look: Look, **facts: Any) -> LandedFile:
        return LandedFile(ordinal=ordinal, container=container, blob=blob, name=name, look=look, **facts)

    begins_well = blob.size_bytes > 0 and is_custom_format(read(0, 5))
    if not begins_well and name.kind is FileKind.DATABASE:
        text = f"the file '{blob.name}' does not begin as a custom-format archive"
        raise SpoiledAttemptError("IncompleteArchive", text)
    if not begins_well or name.kind not in {FileKind.DATABASE, FileKind.UNKNOWN}:
        return landed(Look.OTHER, is_cut=name.kind is FileKind.ROLES and _is_cut(read, blob.size_bytes))
    try:
        facts = describe_archive(read, blob.size_bytes, blob.name)
    except UnknownArchiveError:
        return landed(Look.UNREADABLE)
    except IntegrityError as error:
        raise SpoiledAttemptError(error.code, error.message) from None
    return landed(Look.ARCHIVE, database=str(facts["database"]))


def _is_cut(read: Any, size_bytes: int) -> bool:
    """Say whether a roles script is empty, or begins as pg_dumpall's and does not end as its."""
    if size_bytes == 0:
        return True
    head: bytes = read(0, min(size_bytes, _TAIL_BYTES))
    tail: bytes = read(max(0, size_bytes - _TAIL_BYTES), _TAIL_BYTES)
    return _DUMPALL_BEGIN in head and _DUMPALL_END not in tail


def _find_warnings(run: StepRun, landed: Sequence[LandedFile]) -> list[dict[str, Any]]:
    server = str(run.open.state["server_id"])
    warnings: list[dict[str, Any]] = []
    is_known = is_known_layout([file.name.kind for file in landed])
    if not is_known or any(file.look is Look.UNREADABLE for file in landed):
        text = "the files of this backup have a layout that this version does not know; they are kept as they are"
        warnings.append(warning("UnknownLayout", text, server))
    said, bytes_landed = run.open.state.get("service_bytes"), sum(file.blob.size_bytes for file in landed)
    if said is not None and said != bytes_landed:
        text = f"the server reported {said} bytes, {bytes_landed} bytes arrived"
        warnings.append(warning("SizeDiffers", text, server))
    for file in landed:
        if file.is_cut:
            text = f"the roles file '{file.blob.name}' does not end as pg_dumpall ends it: roles may be missing"
            warnings.append(warning("RolesIncomplete", text, server))
    missing = sorted(_databases_before(run) - {file.database for file in landed})
    if missing and is_known:
        text = f"databases of the newest recovery point are not in this backup: {', '.join(missing)}"
        warnings.append(warning("DatabaseMissing", text, server))
    return warnings


def _databases_before(run: StepRun) -> set[str]:
    """Answer the databases of the newest recovery point of the same chain that lacked none itself.

    So a database that is gone is warned of for as long as a point still holds it, not for one day.
    """
    chain = str(run.open.state["server"]["chain"])
    for point in catalog.list_sealed_points(run.ports, run.open.instance):
        if point.chain != chain:
            continue
        try:
            manifest = catalog.read_manifest(run.ports, point)
        except (IntegrityError, NotFoundError):
            continue  # its own trouble: restores and retention name it
        if not any(entry["code"] == "DatabaseMissing" for entry in manifest.warnings):
            facts: list[Mapping[str, Any]] = [file.facts for file in manifest.files]
            return {str(fact["database"]) for fact in facts if fact.get("database")}
    return set()


def _fix_point(run: StepRun, warnings: list[dict[str, Any]]) -> None:
    """Fix what the point will be before anything is copied: a repeat must not decide otherwise."""
    state = run.open.state
    policy = catalog.policy_as_of(run.ports, int(state["policy_seq"]))
    at = datetime.fromisoformat(state["start_requested_at"])
    tagged = tag_backup(run.ports, run.open, policy, at)
    recovery = {
        "point_id": names.point_id(run.open.job_id),
        "recovery_point_time": at.isoformat(),
        "expiry_time": policy.expiry(tagged.tag, at).isoformat(),
        "tag": tagged.tag,
        "tagging": tagged.to_json(),
    }
    others = [entry for entry in state.get("warnings", []) if entry["code"] not in LAYOUT_WARNINGS]
    changes = {"checked": True, "recovery": recovery, "warnings": [*others, *warnings]}
    run.record(lambda _current: changes, job={"recovery": recovery, "warnings": changes["warnings"]})
