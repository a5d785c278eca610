"""Retention: store a plan, then execute exactly that one; its inputs are asked again before every deletion."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.errors import AlreadyExistsError, ConflictError, IntegrityError
from flexvault.domain.events import Rows
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import JobStatus, Operation, Outcome, Result, closes_as
from flexvault.domain.manifest import Manifest
from flexvault.domain.retention import Decision, PointFacts, build_plan, judge
from flexvault.ports import Orchestrations, Ports
from flexvault.services import catalog
from flexvault.services.claims import claim_job
from flexvault.services.journal import Draft, append
from flexvault.services.progress import warning
from flexvault.services.starting import start_by_key
from flexvault.services.steps import StepRun
from flexvault.services.vault import Vault

CLOCKS_MAY_DIFFER = timedelta(minutes=5)
DELETIONS_AN_ACTIVITY = 200


def begin_retention(vault: Vault, orchestrations: Orchestrations) -> str:
    """Claim a retention job; while one runs, only the plan of this moment is stored. Answers the job's id or ''."""
    now = vault.ports.clock.storage_now()
    job_id = names.request_job_id("retention", now)
    try:
        opened = claim_job(
            vault.ports,
            job_id=job_id,
            operation=Operation.RETENTION,
            subject=blob_names.VAULT_STREAM,
            instance=blob_names.VAULT_STREAM,
            now=now,
            not_before=now,
            is_user_triggered=False,
            facts={"vault": vault.settings.vault_name},
        )
    except AlreadyExistsError:
        store_plan(vault.ports, now)
        return ""
    start_by_key(vault, orchestrations, opened.key, now)
    return job_id


def plan_retention(run: StepRun) -> Result:
    """Judge every recovery point that the vault account holds and store the plan."""
    now, host_now = run.now(), run.ports.clock.host_now()
    if abs(now - host_now) > CLOCKS_MAY_DIFFER:
        text = (
            f"the host's clock says {host_now.isoformat()}, the vault account's {now.isoformat()}: nothing was deleted"
        )
        differ = warning("ClocksDiffer", text, run.settings.vault_blob_endpoint)
        return closes_as(JobStatus.COMPLETED_WITH_WARNINGS, warnings=[differ])
    path, plan_hash = store_plan(run.ports, now)
    return Result(outcome=Outcome.DONE, state={"plan": path, "plan_hash": plan_hash, "done": 0})


def execute_retention(run: StepRun) -> Result:
    """Execute the stored plan, some deletions at a time; answers Again while some are left."""
    data = run.ports.vault_reader.read(blob_names.PLANS, str(run.open.state["plan"]))
    if names.sha256_hex(data) != run.open.state["plan_hash"]:
        raise IntegrityError("the retention plan is not the one that was stored", target=str(run.open.state["plan"]))
    verdicts = [verdict for verdict in json.loads(data)["verdicts"] if verdict["decision"] == Decision.EXPIRE]
    done = int(run.open.state["done"])
    warnings = list(run.open.state.get("warnings", []))
    for verdict in verdicts[done : done + DELETIONS_AN_ACTIVITY]:
        blocked = delete_point(run, verdict)
        if blocked:
            warnings.append(warning("PointBlocked", blocked, verdict["pointId"]))
        run.record()
    done = min(done + DELETIONS_AN_ACTIVITY, len(verdicts))
    if done < len(verdicts):
        state = {"done": done, "progress": f"deletion {done}", "warnings": warnings}
        return Result(outcome=Outcome.AGAIN, state=state)
    status = JobStatus.COMPLETED_WITH_WARNINGS if warnings else JobStatus.COMPLETED
    return closes_as(status, done=done, warnings=warnings)


def store_plan(ports: Ports, as_of: datetime) -> tuple[str, str]:
    """Store the plan of a moment; answers its path and hash."""
    data = names.canonical_json(build_plan(judge(list(read_points(ports)), as_of), as_of))
    plan_hash = names.sha256_hex(data)
    path = blob_names.plan_path(as_of, plan_hash)
    with suppress(AlreadyExistsError):  # the same moment and the same hash: the same plan
        ports.vault_cleaner.create(blob_names.PLANS, path, data)
    return path, plan_hash


def read_points(ports: Ports) -> Iterator[PointFacts]:
    """Answer every recovery point that the vault account holds: the manifests decide, never a row alone."""
    for blob in ports.vault_reader.list_blobs(blob_names.MANIFESTS, ""):
        instance, _, file = blob.name.partition("/")
        point_id = file.removesuffix(".json")
        if not file.endswith(".json") or "." in point_id:
            continue  # a later fact beside a manifest
        data = ports.vault_reader.read(blob_names.MANIFESTS, blob.name)
        manifest = Manifest.from_bytes(data)
        row = catalog.find_point_or_none(ports, instance, point_id)
        if row is not None and row.state != "sealed":
            continue  # its tombstone stands: it does not exist any more
        yield _facts(manifest, names.sha256_hex(data), row)


def delete_point(run: StepRun, verdict: Mapping[str, Any]) -> str:
    """Delete one recovery point of the plan: tombstone, files, manifest; answers why not, or nothing.

    The plan's reasons are asked again under the tombstone's own sequence number: who loses decides anew.
    """
    ports, instance, point_id = run.ports, str(verdict["instance"]), str(verdict["pointId"])
    row = catalog.find_point_or_none(ports, instance, point_id)
    if row is not None and row.state == "deleted":
        return ""
    if row is None or row.state == "sealed":
        why_not = _find_block(run, verdict, row)
        if why_not:
            return why_not
        try:
            append(ports, _tombstone(run, verdict), by_retention=True)
        except ConflictError as error:
            return error.message
    path = blob_names.manifest_path(instance, point_id)
    try:
        for blob in list(ports.vault_reader.list_blobs(blob_names.POINTS, blob_names.point_prefix(instance, point_id))):
            ports.vault_cleaner.delete(blob_names.POINTS, blob.name, blob.version_id)
        ports.vault_cleaner.delete(blob_names.MANIFESTS, path)
    except ConflictError as error:
        return f"recovery point {point_id}: {error.message}"
    body = {"point_id": point_id, "instance": instance}
    append(ports, Draft(stream=instance, type="PointDeleted", key=point_id, body=body), by_retention=True)
    return ""


def _facts(manifest: Manifest, manifest_hash: str, row: RecoveryPoint | None) -> PointFacts:
    return PointFacts(
        instance=manifest.instance,
        point_id=manifest.point_id,
        chain=manifest.chain,
        recovery_point_time=manifest.recovery_point_time,
        expiry_time=manifest.expiry_time,
        manifest_hash=manifest_hash,
        readers=0 if row is None else row.readers,
    )


def _find_block(run: StepRun, verdict: Mapping[str, Any], row: RecoveryPoint | None) -> str:
    """Judge the point again, from what the vault account says now."""
    instance, point_id = str(verdict["instance"]), str(verdict["pointId"])
    if row is None:
        return f"recovery point {point_id} has a manifest but no entry: reconcile writes it first"
    own = [point for point in read_points(run.ports) if point.instance == instance]
    now = {judged.point.point_id: judged for judged in judge(own, run.now())}
    judged = now.get(point_id)
    if judged is None or judged.point.manifest_hash != verdict["manifestHash"]:
        return f"the manifest of recovery point {point_id} is not the one that the plan names"
    if judged.decision is not Decision.EXPIRE:
        return f"recovery point {point_id}: {'; '.join(judged.reasons)}"
    return ""


def _tombstone(run: StepRun, verdict: Mapping[str, Any]) -> Draft:
    point_id = str(verdict["pointId"])

    def check(rows: Rows) -> None:
        row = next(iter(rows.values()))
        if row is None or int(str(row.values["readers"])) > 0:
            raise ConflictError(f"a restore reads recovery point {point_id}", code="PointIsRead", target=point_id)

    body = {
        "point_id": point_id,
        "instance": verdict["instance"],
        "manifest_hash": verdict["manifestHash"],
        "plan_hash": run.open.state["plan_hash"],
        "reasons": verdict["reasons"],
    }
    return Draft(stream=str(verdict["instance"]), type="Tombstoned", key=point_id, body=body, check=check)
