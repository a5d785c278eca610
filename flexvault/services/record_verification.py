"""The last step of a deep verification: its indexes and its result become blobs beside the manifest, then an entry.

The number of a verification is an intent in the open row; a repeat finds it, and takes what it wrote for what lies
there. A name that a job of before took, which died before its entry, is left to it: the next number is tried.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.deep_verification import DeepVerification
from flexvault.domain.events import Rows
from flexvault.domain.job import JobStatus, Result, closes_as
from flexvault.domain.open_job import OpenJob
from flexvault.domain.verification import Verdict
from flexvault.domain.verification_events import POINT_VERIFIED
from flexvault.ports import Ports, Scalar
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.first_versions import list_first
from flexvault.services.immutability import Version, protect
from flexvault.services.journal import Draft, append
from flexvault.services.progress import warning
from flexvault.services.regrades import show_effective
from flexvault.services.steps import StepRun, SupersededError
from flexvault.services.storage_holds import hold_versions
from flexvault.services.verification_result import Intent, NameTakenError, write_result
from flexvault.services.verified_point import LoadedPoint, gone, load_point, unless_gone

NOT_INTACT = "PointNotIntact"


@unless_gone
def record_verification(run: StepRun) -> Result:
    """Write what was found, protect it, journal it and tell it."""
    loaded = load_point(run)
    result, versions = _write(run, loaded)
    (point,) = show_effective(run.ports, run.open.instance, [loaded.point])
    mode = read_believed_settings(run.ports).immutability
    for version in versions:
        protect(run.ports, version, point.expiry_time, mode)
    append(run.ports, _draft(run, loaded, result, versions[-1].version_id))
    hold_versions(run.ports, run.open.instance, loaded.point.point_id, versions)
    _tell(run.ports, result)
    warned = [warning(found.code, found.message, found.subject, found.action) for found in result.findings]
    status = JobStatus.COMPLETED_WITH_WARNINGS if warned else JobStatus.COMPLETED
    return closes_as(status, warnings=warned, size_bytes=loaded.size_bytes)


def _write(run: StepRun, loaded: LoadedPoint) -> tuple[DeepVerification, list[Version]]:
    while True:
        intent = _fix(run, loaded)
        try:
            return write_result(run, loaded, intent)
        except NameTakenError:
            run.record(partial(_next_number, intent))


def _fix(run: StepRun, loaded: LoadedPoint) -> Intent:
    """Fix the number and the moment in the open row, or find what an earlier run fixed."""
    if not run.open.state.get("number"):
        number = 1 + max([loaded.point.verified_number, *_numbers(run.ports, loaded)])
        intent = {"number": number, "completed_at": run.now().isoformat()}
        run.record(lambda current: {} if current.state.get("number") else intent)
    state = run.open.state
    return Intent(number=int(state["number"]), completed_at=datetime.fromisoformat(state["completed_at"]))


def _next_number(taken: Intent, current: OpenJob) -> Mapping[str, Any]:
    return {"number": taken.number + 1} if current.state.get("number") == taken.number else {}


def _numbers(ports: Ports, loaded: LoadedPoint) -> Iterator[int]:
    """Answer the numbers that blobs beside the manifest have: a job may have died before its entry."""
    prefix = blob_names.verifications_prefix(loaded.point.instance, loaded.point.point_id)
    for blob in list_first(ports.vault_reader, blob_names.MANIFESTS, prefix):
        found = blob_names.verification_of(blob.name)
        if found is not None:
            yield found.number


def _draft(run: StepRun, loaded: LoadedPoint, result: DeepVerification, version_id: str) -> Draft:
    def check(rows: Rows) -> None:
        job, point, *_ = rows.values()
        if job is None or job.values.get("closed_event_id"):
            raise SupersededError
        if point is None or point.values.get("state") != "sealed":
            raise gone(result.point_id)

    body: dict[str, Any] = {
        "point_id": result.point_id,
        "instance": result.instance,
        "job_id": result.job_id,
        "number": result.number,
        "verdict": result.verdict.value,
        "completed_at": result.completed_at.isoformat(),
        "findings": len(result.findings),
        "codes": sorted({finding.code for finding in result.findings}),
        "manifest_hash": result.manifest_hash,
        "result_hash": names.sha256_hex(result.to_bytes()),
        "result_version": version_id,
        "before": {"number": loaded.point.verified_number, "verdict": loaded.point.verified_verdict or None},
        "after": {"number": result.number, "verdict": result.verdict.value},
    }
    return Draft(
        stream=result.instance,
        type=POINT_VERIFIED,
        key=result.job_id,
        body=body,
        actor=run.open.actor,
        check=check,
    )


def _tell(ports: Ports, result: DeepVerification) -> None:
    """Send the event of a point that is not proven intact; a repeated step sends it again rather than never."""
    if result.verdict is Verdict.INTACT:
        return
    first = result.findings[0]
    facts: dict[str, Scalar] = {
        "instance": result.instance,
        "point_id": result.point_id,
        "verdict": result.verdict.value,
        "number": result.number,
        "findings": len(result.findings),
        "code": first.code,
        "subject": first.subject,
        "message": first.message,
        "action": first.action,
    }
    ports.telemetry.emit(NOT_INTACT, facts)
