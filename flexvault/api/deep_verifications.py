"""Deep verification of a recovery point: ask for it, and show what the newest one found."""

from typing import Any

from flexvault.api import shapes
from flexvault.api.backups import accept_job
from flexvault.api.call import Answer, Call
from flexvault.api.finding_views import show_findings
from flexvault.api.instances import find_named
from flexvault.api.points import require_point_id
from flexvault.api.times import plain_time
from flexvault.domain.deep_verification import DeepVerification, VerifiedFile
from flexvault.domain.errors import NotFoundError
from flexvault.domain.names import sha256_hex
from flexvault.services import catalog
from flexvault.services.request_verification import verify_point
from flexvault.services.verifications import read_newest


def verify_deeply(call: Call) -> Answer:
    """Claim a deep verification of a recovery point; the operation has ended, the job goes on."""
    instance = find_named(call)
    if call.request.body.strip():
        call.body(shapes.NOTHING)
    point_id = require_point_id(instance, call.params["point"])
    claimed = verify_point(call.vault, instance, point_id, call.request_key({}), actor=call.actor())
    return accept_job(call, instance, claimed)


def get_verification(call: Call) -> Answer:
    """Show the newest deep verification of a recovery point."""
    instance = find_named(call)
    point_id = require_point_id(instance, call.params["point"])
    point = catalog.get_sealed_point(call.vault.ports, instance, point_id)
    found = read_newest(call.vault.ports, point)
    if found is None:
        raise NotFoundError(
            f"recovery point {point.point_id} was never verified deeply",
            code="UserErrorVerificationNotFound",
            target=point.point_id,
            hint=f"POST /api/vault/backupInstances/{instance.name}/recoveryPoints/{point.point_id}/verify",
        )
    return Answer(body=_show(found))


def _show(found: DeepVerification) -> dict[str, Any]:
    return {
        "recoveryPoint": found.point_id,
        "number": found.number,
        "verdict": found.verdict.value,
        "jobId": found.job_id,
        "startedAt": plain_time(found.started_at),
        "completedAt": plain_time(found.completed_at),
        "manifestSha256": found.manifest_hash,
        "resultSha256": sha256_hex(found.to_bytes()),
        "findings": show_findings(found.findings),
        "files": [_show_file(file) for file in found.files],
    }


def _show_file(file: VerifiedFile) -> dict[str, Any]:
    """Show a file with the sums over its tables; the tables themselves are too many for one answer."""
    objects = file.large_objects
    return {
        "path": file.path,
        "suffix": file.suffix,
        "sizeInBytes": file.size_bytes,
        "sha256": file.sha256 or None,
        "database": file.database or None,
        "tables": len(file.rows),
        "tablesNotCounted": sum(rows.rows is None for rows in file.rows),
        "rows": sum(rows.rows or 0 for rows in file.rows),
        "rowBytes": sum(rows.size_bytes or 0 for rows in file.rows),
        "largeObjects": None if objects is None else objects.count,
        "largeObjectBytes": None if objects is None else objects.size_bytes,
        "indexPath": file.index_path or None,
        "indexSha256": file.index_sha256 or None,
    }
