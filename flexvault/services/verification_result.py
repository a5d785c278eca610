"""The blobs of a deep verification: an index for each archive, then the result, which names them.

A blob is created once; a repeat takes what an earlier run of its job wrote for what lies there.
"""

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.deep_verification import DeepVerification, VerifiedFile, VerifiedObjects, VerifiedRows
from flexvault.domain.dump_contents import read_contents
from flexvault.domain.dump_counting import BlockFacts
from flexvault.domain.dump_walk import Block
from flexvault.domain.errors import AlreadyExistsError, IntegrityError, PermanentError
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.row_digest import add_digests
from flexvault.domain.sql_text import readable
from flexvault.domain.verification import Finding, Severity, Verdict, judge_findings, manifest_subject
from flexvault.ports import Ports
from flexvault.services.first_versions import find_first
from flexvault.services.immutability import Version
from flexvault.services.reading_file import range_read, refused
from flexvault.services.steps import StepRun
from flexvault.services.verification_log import VerificationLog
from flexvault.services.verified_point import LoadedPoint

MOST_FINDINGS = 200
"""Of a result; more are counted."""
AT_END = 2
"""Place of a finding that is of no byte."""


class NameTakenError(Exception):
    """Another job's verification has this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the open row fixes before anything is written."""

    number: int
    completed_at: datetime


def write_result(run: StepRun, loaded: LoadedPoint, intent: Intent) -> tuple[DeepVerification, list[Version]]:
    """Create the indexes, then the result; answers it as it is stored, and all versions, the result's last.

    Raises:
        NameTakenError: Try the next number.
    """
    log, point = VerificationLog(run.ports, run.open.job_id), loaded.point
    files: list[VerifiedFile] = []
    versions: list[Version] = []
    for ordinal in range(len(loaded.files)):
        verified, version = _write_file(run, log, loaded, intent.number, ordinal)
        files.append(verified)
        versions += [version] if version else []
    findings = FoundIn(_each_finding(log, loaded))
    result = DeepVerification(
        instance=point.instance,
        point_id=point.point_id,
        number=intent.number,
        job_id=run.open.job_id,
        manifest_hash=point.manifest_hash,
        started_at=run.open.claimed_at,
        completed_at=intent.completed_at,
        verdict=findings.verdict,
        findings=findings.limited(manifest_subject(point.instance, point.point_id)),
        files=tuple(files),
    )
    path = blob_names.verification_path(point.instance, point.point_id, intent.number)
    stored, version = _create_own(run, path, result.to_bytes())
    return DeepVerification.from_bytes(stored), [*versions, version]


class FoundIn:
    """Findings that are read one by one: a file that is damaged throughout has one for each of its blocks."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """Read them all; only the worst are kept.

        Args:
            findings: Of one verification.
        """
        self._count = 0
        self._of_each_code: dict[str, Finding] = {}
        self._worst = heapq.nsmallest(MOST_FINDINGS, self._pass(findings), key=_worst_first)

    @property
    def verdict(self) -> Verdict:
        """Answer what all of them come to."""
        return judge_findings(self._of_each_code.values())

    def limited(self, subject: str) -> tuple[Finding, ...]:
        """Answer the worst findings, and how many more there are."""
        if self._count <= MOST_FINDINGS:
            return tuple(self._worst)
        text = f"{self._count - MOST_FINDINGS + 1} further findings are not listed"
        return (*self._worst[: MOST_FINDINGS - 1], Finding(code="MoreFindings", subject=subject, message=text))

    def _pass(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        for found in findings:
            self._count += 1
            self._of_each_code.setdefault(found.code, found)
            yield found


def _worst_first(found: Finding) -> tuple[bool, str]:
    return (found.severity is not Severity.ERROR, found.subject)


def _each_finding(log: VerificationLog, loaded: LoadedPoint) -> Iterator[Finding]:
    if loaded.finding:
        yield loaded.finding
    for ordinal in range(len(loaded.files)):
        yield from log.findings(ordinal)


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
    stored, version = _create_own(run, path, names.canonical_json(index))
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


def _create_own(run: StepRun, path: str, data: bytes) -> tuple[bytes, Version]:
    """Create a blob, or find the one that an earlier run of this job created: the stored bytes decide.

    Raises:
        NameTakenError: Another job's lies there.
    """
    with suppress(AlreadyExistsError):
        run.ports.vault_writer.create(blob_names.MANIFESTS, path, data)
    found = find_first(run.ports.vault_reader, blob_names.MANIFESTS, path)
    if found is None:
        text = f"'{path}' was created and is not there"
        raise IntegrityError(text, code="VerificationMissing", target=path)
    stored = run.ports.vault_reader.read(blob_names.MANIFESTS, path, version_id=found.version_id)
    if stored != data and not _is_own(stored, run.open.job_id):
        raise NameTakenError
    return stored, Version(container=blob_names.MANIFESTS, path=path, version_id=found.version_id)


def _is_own(stored: bytes, job_id: str) -> bool:
    try:
        return json.loads(stored)["jobId"] == job_id
    except MALFORMED:
        return False
