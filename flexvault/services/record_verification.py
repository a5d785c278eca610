"""The last step of a deep verification: its indexes and its result become blobs beside the manifest, then an entry.

The number of a verification is an intent in the open row; a repeat finds it, and takes what it wrote for what lies
there. A name that a job of before took, which died before its entry, is left to it: the next number is tried.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.deep_verification import DeepVerification, VerifiedFile, VerifiedObjects, VerifiedRows
from flexvault.domain.dump_contents import read_contents
from flexvault.domain.dump_counting import BlockFacts
from flexvault.domain.dump_walk import Block
from flexvault.domain.errors import AlreadyExistsError, IntegrityError, PermanentError
from flexvault.domain.events import Rows
from flexvault.domain.job import JobStatus, Result, closes_as
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.open_job import OpenJob
from flexvault.domain.row_digest import add_digests
from flexvault.domain.sql_text import readable
from flexvault.domain.verification import Finding, Severity, Verdict, judge_findings, manifest_subject
from flexvault.domain.verification_events import POINT_VERIFIED
from flexvault.ports import BlobFacts, Ports, Scalar
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.first_versions import find_first, list_first
from flexvault.services.immutability import Version, protect
from flexvault.services.journal import Draft, append
from flexvault.services.progress import warning
from flexvault.services.reading_file import range_read, refused
from flexvault.services.regrades import show_effective
from flexvault.services.steps import StepRun, SupersededError
from flexvault.services.storage_holds import hold_versions
from flexvault.services.verification_log import VerificationLog
from flexvault.services.verified_point import LoadedPoint, gone, load_point, unless_gone

MOST_FINDINGS = 200
"""Of a result; more are counted."""
NOT_INTACT = "PointNotIntact"
AT_END = 2
"""Place of a finding that is of no byte."""


class NameTakenError(Exception):
    """Another job's verification has this number."""


@unless_gone
def record_verification(run: StepRun) -> Result:
    """Write what was found, protect it, journal it and tell it."""
    loaded = load_point(run)
    while True:
        fixed = _fix(run, loaded)
        try:
            result, versions = _write(run, loaded, fixed)
        except NameTakenError:
            run.record(lambda current: _next_number(current, fixed))
            continue
        break
    (point,) = show_effective(run.ports, run.open.instance, [loaded.point])
    mode = read_believed_settings(run.ports).immutability
    for version in versions:
        protect(run.ports, version, point.expiry_time, mode)
    append(run.ports, _draft(run, result, versions[-1].version_id))
    hold_versions(run.ports, run.open.instance, loaded.point.point_id, versions)
    _tell(run.ports, result)
    warned = [warning(found.code, found.message, found.subject, found.action) for found in result.findings]
    status = JobStatus.COMPLETED_WITH_WARNINGS if warned else JobStatus.COMPLETED
    return closes_as(status, warnings=warned, size_bytes=loaded.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fixed:
    number: int
    completed_at: datetime


def _fix(run: StepRun, loaded: LoadedPoint) -> _Fixed:
    """Fix the number and the moment in the open row, or find what an earlier run fixed."""
    if not run.open.state.get("number"):
        number = 1 + max([loaded.point.verified_number, *_numbers(run.ports, loaded)])
        intent = {"number": number, "completed_at": run.now().isoformat()}
        run.record(lambda current: {} if current.state.get("number") else intent)
    state = run.open.state
    return _Fixed(number=int(state["number"]), completed_at=datetime.fromisoformat(state["completed_at"]))


def _next_number(current: OpenJob, taken: _Fixed) -> Mapping[str, Any]:
    return {"number": taken.number + 1} if current.state.get("number") == taken.number else {}


def _numbers(ports: Ports, loaded: LoadedPoint) -> Iterator[int]:
    """Answer the numbers that blobs beside the manifest have: a job may have died before its entry."""
    prefix = blob_names.verifications_prefix(loaded.point.instance, loaded.point.point_id)
    for blob in list_first(ports.vault_reader, blob_names.MANIFESTS, prefix):
        found = blob_names.verification_of(blob.name)
        if found is not None:
            yield found.number


def _write(run: StepRun, loaded: LoadedPoint, fixed: _Fixed) -> tuple[DeepVerification, list[Version]]:
    """Create the indexes, then the result; answers it as it is stored, and all versions, the result's last."""
    log, point = VerificationLog(run.ports, run.open.job_id), loaded.point
    files: list[VerifiedFile] = []
    versions: list[Version] = []
    for ordinal, file in enumerate(loaded.files):
        verified, version = _write_file(run, log, loaded, fixed.number, ordinal)
        files.append(verified)
        versions += [version] if version else []
    findings = [*([loaded.finding] if loaded.finding else [])]
    findings += [found for ordinal in range(len(loaded.files)) for found in log.findings(ordinal)]
    result = DeepVerification(
        instance=point.instance,
        point_id=point.point_id,
        number=fixed.number,
        job_id=run.open.job_id,
        manifest_hash=point.manifest_hash,
        started_at=run.open.claimed_at,
        completed_at=fixed.completed_at,
        verdict=judge_findings(findings),
        findings=_limit(findings, manifest_subject(point.instance, point.point_id)),
        files=tuple(files),
    )
    path = blob_names.verification_path(point.instance, point.point_id, fixed.number)
    stored, version = _create_own(run, path, result.to_bytes(), "jobId")
    return DeepVerification.from_bytes(stored), [*versions, version]


def _limit(findings: list[Finding], subject: str) -> tuple[Finding, ...]:
    """Answer the worst findings, and how many more there are."""
    ordered = sorted(findings, key=lambda found: (found.severity is not Severity.ERROR, found.subject))
    if len(ordered) <= MOST_FINDINGS:
        return tuple(ordered)
    text = f"{len(ordered) - MOST_FINDINGS + 1} further findings are not listed"
    return (*ordered[: MOST_FINDINGS - 1], Finding(code="MoreFindings", subject=subject, message=text))


def _write_file(
    run: StepRun, log: VerificationLog, loaded: LoadedPoint, number: int, ordinal: int
) -> tuple[VerifiedFile, Version | None]:
    file, point, progress = loaded.files[ordinal], loaded.point, log.file(ordinal)
    verified = VerifiedFile(path=file.path, suffix=file.suffix, size_bytes=file.size_bytes, sha256=progress.sha256)
    if not progress.is_walked:
        return replace(verified, database=str(file.facts.get("database", ""))), None
    index = {
        "version": 1,
        "jobId": run.open.job_id,
        "path": file.path,
        "sizeBytes": file.size_bytes,
        "dataStart": progress.data_start,
        "headSha256": progress.head_sha256,
        "blocks": [
            {**logged.block.to_json(), **(logged.facts or _unread(logged.block)).to_json()}
            for logged in log.blocks(ordinal)
        ],
    }
    path = blob_names.verification_index_path(point.instance, point.point_id, number, ordinal)
    stored, version = _create_own(run, path, names.canonical_json(index), "jobId")
    verified = replace(verified, index_path=path, index_sha256=names.sha256_hex(stored))
    try:
        return _fill(run.ports, file, verified, json.loads(stored)), version
    except PermanentError as error:  # it could be read a moment ago
        log.add_finding(ordinal, refused(file, error), AT_END)
        return verified, version


def _unread(block: Block) -> BlockFacts:
    return BlockFacts(dump_id=block.dump_id, sha256="", not_counted="it was not read")


def _fill(ports: Ports, file: ManifestFile, verified: VerifiedFile, index: Mapping[str, Any]) -> VerifiedFile:
    """Say what the blocks of an archive hold, in the order of its table of contents."""
    contents = read_contents(range_read(ports, file), file.size_bytes, name=file.path)
    blocks: dict[int, tuple[Block, BlockFacts]] = {
        stored["dumpId"]: (Block.from_json(stored), BlockFacts.from_json(stored)) for stored in index["blocks"]
    }
    rows: list[VerifiedRows] = []
    objects: list[BlockFacts] = []
    for entry in contents.entries:
        found = blocks.get(entry.dump_id)
        if found is None:
            continue
        block, facts = found
        if block.kind == "largeObjects":
            objects.append(facts)
            continue
        rows.append(
            VerifiedRows(
                schema=readable(entry.namespace),
                name=readable(entry.tag),
                dump_id=entry.dump_id,
                rows=facts.count,
                size_bytes=None if facts.not_counted else facts.plain_bytes,
                digest=facts.digest,
                not_counted=facts.not_counted,
            )
        )
    large = _sum_objects(objects) if objects else None
    return replace(verified, database=readable(contents.database), rows=tuple(rows), large_objects=large)


def _sum_objects(objects: list[BlockFacts]) -> VerifiedObjects:
    reasons = [facts.not_counted for facts in objects if facts.not_counted]
    if reasons:
        return VerifiedObjects(count=None, size_bytes=None, digest="", not_counted=reasons[0])
    return VerifiedObjects(
        count=sum(facts.count or 0 for facts in objects),
        size_bytes=sum(facts.plain_bytes or 0 for facts in objects),
        digest=add_digests(facts.digest for facts in objects),
    )


def _create_own(run: StepRun, path: str, data: bytes, owner: str) -> tuple[bytes, Version]:
    """Create a blob, or find the one that an earlier run of this job created: the stored bytes decide.

    Raises:
        NameTakenError: Another job's lies there.
    """
    try:
        run.ports.vault_writer.create(blob_names.MANIFESTS, path, data)
    except AlreadyExistsError:
        pass
    found = find_first(run.ports.vault_reader, blob_names.MANIFESTS, path)
    if found is None:
        text = f"'{path}' was created and is not there"
        raise IntegrityError(text, code="VerificationMissing", target=path)
    stored = _read(run.ports, path, found)
    if stored != data and not _is_own(stored, owner, run.open.job_id):
        raise NameTakenError
    return stored, Version(container=blob_names.MANIFESTS, path=path, version_id=found.version_id)


def _read(ports: Ports, path: str, found: BlobFacts) -> bytes:
    return ports.vault_reader.read(blob_names.MANIFESTS, path, version_id=found.version_id)


def _is_own(stored: bytes, owner: str, job_id: str) -> bool:
    try:
        return json.loads(stored)[owner] == job_id
    except MALFORMED:
        return False


def _draft(run: StepRun, result: DeepVerification, version_id: str) -> Draft:
    def check(rows: Rows) -> None:
        job, point = rows.values()
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
