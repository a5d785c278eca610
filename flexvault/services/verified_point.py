"""The recovery point that a deep verification is about: its manifest, or what is wrong with that."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.errors import ConflictError, IntegrityError, NotFoundError, PermanentError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import Failure, JobStatus, Result, closes_as
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.verification import Finding, manifest_subject
from flexvault.services import catalog
from flexvault.services.steps import StepRun

GONE_CODE = "RecoveryPointIsBeingDeleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPoint:
    """A point with the files that its manifest names; none where that is not what was sealed."""

    point: RecoveryPoint
    files: tuple[ManifestFile, ...]
    finding: Finding | None = None
    """What is wrong with the manifest itself."""

    @property
    def size_bytes(self) -> int:
        """Answer the size of all files."""
        return sum(file.size_bytes for file in self.files)


def load_point(run: StepRun) -> LoadedPoint:
    """Read the point and its manifest.

    Raises:
        ConflictError: code RecoveryPointIsBeingDeleted: there is nothing to verify any more.
        TransientError: It cannot be read now.
    """
    point = catalog.find_point_or_none(run.ports, run.open.instance, str(run.open.state["point_id"]))
    if point is None or point.state != "sealed":
        raise gone(str(run.open.state["point_id"]))
    try:
        return LoadedPoint(point=point, files=catalog.read_manifest(run.ports, point).files)
    except PermanentError as error:
        return LoadedPoint(point=point, files=(), finding=_wrong_manifest(point, error))


def gone(point_id: str) -> ConflictError:
    """Say that a point is deleted: that ends its verification, and nothing is wrong."""
    text = f"recovery point {point_id} is being deleted, or is gone"
    return ConflictError(text, code=GONE_CODE, target=point_id, hint="verify another recovery point")


def unless_gone(effect: Callable[[StepRun], Result]) -> Callable[[StepRun], Result]:
    """Make an effect whose job ends as Cancelled once its recovery point is deleted."""

    @wraps(effect)
    def run_unless_gone(run: StepRun) -> Result:
        try:
            return effect(run)
        except ConflictError as error:
            if error.code != GONE_CODE:
                raise
            failure = Failure(code=error.code, message=error.message, recommended_action=error.hint)
            return closes_as(JobStatus.CANCELLED, failure)

    return run_unless_gone


def _wrong_manifest(point: RecoveryPoint, error: PermanentError) -> Finding:
    code = "FileNotRead"
    if isinstance(error, IntegrityError):
        code = "ManifestDiffers"
    elif isinstance(error, NotFoundError) and error.code == BLOB_NOT_FOUND:
        code = "ManifestMissing"
    return Finding(code=code, subject=manifest_subject(point.instance, point.point_id), message=error.message)
