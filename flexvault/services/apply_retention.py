"""Retention: store a plan, then execute exactly that one; its inputs are asked again before every deletion."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.errors import (
    AlreadyExistsError,
    ConflictError,
    IntegrityError,
    PreconditionFailedError,
)
from flexvault.domain.events import Rows
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus, Operation, Outcome, Result, closes_as
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.open_job import OpenJob
from flexvault.domain.retention import Decision, Verdict, is_soft_deleted, judge
from flexvault.domain.retention_texts import explain
from flexvault.domain.rows import Row
from flexvault.ports import Orchestrations, Ports
from flexvault.services import catalog
from flexvault.services.claims import NewJob, claim_job
from flexvault.services.copying import Budget
from flexvault.services.deletion_proofs import PlanProofs, require_executable
from flexvault.services.end_deletion import end_deletions
from flexvault.services.finish_deletion import finish_deletion
from flexvault.services.journal import Draft, append
from flexvault.services.keeping import purge_at_of
from flexvault.services.progress import warning
from flexvault.services.retention_plan import StoredPlan, read_points, store_plan
from flexvault.services.standings import JudgedBy, Standings, judged_by, require_unchanged
from flexvault.services.starting import start_by_key
from flexvault.services.steps import StepRun
from flexvault.services.vault import Vault
from flexvault.services.vault_files import find_unsealed, point_of

CLOCKS_MAY_DIFFER = timedelta(minutes=5)
DELETIONS_AN_ACTIVITY = 200
SHOWN_BLOCKED = 50
"""Warnings are part of a row, whose text has at most 32 K characters."""


def begin_retention(vault: Vault, orchestrations: Orchestrations) -> str:
    """Claim a retention job; while one runs, only the plan of this moment is stored. Answers the job's id or ''."""
    now = vault.ports.clock.storage_now()
    opened = claim_retention(vault, now)
    if opened is None:
        if not _clocks_differ(vault.ports, now):  # by a wrong clock a plan would trip the breaker
            store_plan(vault, now)
        return ""
    start_by_key(vault, orchestrations, opened.key, now)
    return opened.job_id


def claim_retention(vault: Vault, now: datetime, actor: Mapping[str, str] | None = None) -> OpenJob | None:
    """Claim a retention job, for a person who asked for something that it does, or for none; nothing while one runs."""
    job = NewJob(
        job_id=names.request_job_id("retention", now),
        operation=Operation.RETENTION,
        subject=blob_names.VAULT_STREAM,
        instance=blob_names.VAULT_STREAM,
        not_before=now,
        is_user_triggered=actor is not None,
        facts={"vault": vault.settings.vault_name},
        state={"actor": dict(actor)} if actor else {},
    )
    try:
        return claim_job(vault.ports, job, now)
    except AlreadyExistsError:
        return None


def plan_retention(run: StepRun) -> Result:
    """Judge every recovery point that the vault account holds and store the plan."""
    now = run.now()
    if _clocks_differ(run.ports, now):
        host_now = run.ports.clock.host_now().isoformat()
        text = f"the host's clock says {host_now}, the vault account's {now.isoformat()}: nothing was deleted"
        differ = warning("ClocksDiffer", text, run.settings.vault_blob_endpoint)
        return closes_as(JobStatus.COMPLETED_WITH_WARNINGS, warnings=[differ])
    stored = store_plan(run.vault, now, run.record)
    if stored.trips:
        return _hold_back(run, stored)
    return Result(outcome=Outcome.DONE, state={"plan": stored.path, "plan_hash": stored.plan_hash, "done": 0})


def _clocks_differ(ports: Ports, now: datetime) -> bool:
    return abs(now - ports.clock.host_now()) > CLOCKS_MAY_DIFFER


def _hold_back(run: StepRun, stored: StoredPlan) -> Result:
    """Delete nothing of a plan that tripped, and say so where people look."""
    for trip in stored.trips:
        facts = {"plan": stored.path, "instance": trip.instance, "code": trip.code, "message": trip.message}
        run.ports.telemetry.emit("RetentionBreakerTripped", facts)
    # Of what is gone already nothing can be held back.
    unended = end_deletions(run.vault, stored.standing, run.open.job_id)
    hint = "nothing was deleted; look at the plan, then POST /api/vault/breaker/release"
    warnings = [warning(trip.code, f"{trip.message}; {hint}", trip.instance or stored.path) for trip in stored.trips]
    warnings += [warning(told.code, told.message, told.resource) for told in stored.warnings]
    return closes_as(JobStatus.COMPLETED_WITH_WARNINGS, warnings=[*warnings, *unended][:SHOWN_BLOCKED])


def execute_retention(run: StepRun) -> Result:
    """Execute the stored plan, some deletions at a time; answers Again while some are left."""
    data = run.ports.vault_reader.read(blob_names.PLANS, str(run.open.state["plan"]))
    if names.sha256_hex(data) != run.open.state["plan_hash"]:
        raise IntegrityError("the retention plan is not the one that was stored", target=str(run.open.state["plan"]))
    plan = json.loads(data)
    recheck = Recheck(run, plan.get("standing", {}))
    recheck.require_executable(plan)
    work = _list_work(run, recheck, plan)
    done, blocked = int(run.open.state["done"]), int(run.open.state.get("blocked", 0))
    warnings = list(run.open.state.get("warnings", []))
    if done == 0:
        damaged, told = plan["damaged"][:SHOWN_BLOCKED], plan.get("warnings", [])[:SHOWN_BLOCKED]
        warnings += [warning("ManifestUnreadable", found["reason"], found["path"]) for found in damaged]
        warnings += [warning(found["code"], found["message"], found["resource"]) for found in told]
    budget = Budget(run)
    for what, carry_out in work[done : done + DELETIONS_AN_ACTIVITY]:
        if budget.is_spent:
            break
        why_not = _carry_out(carry_out)
        done += 1
        if why_not:
            blocked += 1
            warnings += [warning("DeletionBlocked", why_not, what)] if blocked <= SHOWN_BLOCKED else []
        run.record()
    if done < len(work):
        state = {"done": done, "blocked": blocked, "progress": f"deletion {done}", "warnings": warnings}
        return Result(outcome=Outcome.AGAIN, state=state)
    if blocked > SHOWN_BLOCKED:
        text = f"{blocked} deletions were blocked in all, the first {SHOWN_BLOCKED} of them are listed"
        warnings.append(warning("DeletionBlocked", text, str(run.open.state["plan"])))
    warnings += end_deletions(run.vault, plan.get("standing", {}), run.open.job_id)[:SHOWN_BLOCKED]
    status = JobStatus.COMPLETED_WITH_WARNINGS if warnings else JobStatus.COMPLETED
    return closes_as(status, done=done, warnings=warnings)


def _carry_out(deletion: Callable[[], str]) -> str:
    """Carry out one deletion; a row that cannot be read blocks it and must not keep the others from being done."""
    try:
        return deletion()
    except MALFORMED as error:
        return f"what the tables say of it cannot be read: {type(error).__name__}"


class Recheck:
    """Judges an instance's points again, once per activity: manifests are only ever created.

    What may change meanwhile, protection, readers, holds and a re-evaluation, is asked again before each tombstone.
    """

    def __init__(self, run: StepRun, standing: Mapping[str, Any]) -> None:
        self._run = run
        self._standings = Standings(run.ports, standing, run.record)
        self._judged: dict[str, dict[str, Verdict]] = {}
        self._judged_by: dict[str, JudgedBy] = {}

    def require_executable(self, plan: Mapping[str, Any]) -> None:
        """Refuse a plan that must not be executed, whoever named it."""
        require_executable(self._run.ports, plan, self._standings, str(self._run.open.state["plan"]))

    def find(self, instance: str, point_id: str) -> Verdict | None:
        """Answer the verdict of this moment, or nothing when there is no such point any more."""
        if instance not in self._judged:
            points = read_points(self._run.ports, self._standings, within=f"{instance}/").points
            self._judged[instance] = {found.point.point_id: found for found in judge(points, self._run.now())}
            self._judged_by[instance] = judged_by(self._standings, instance)
        return self._judged[instance].get(point_id)

    def require_unchanged(self, instance: str, point_id: str) -> None:
        """Read the journal to its end, and refuse when it says otherwise than when the point was judged.

        Raises:
            ConflictError: Something keeps the point now.
        """
        require_unchanged(self._standings, instance, point_id, self._judged_by[instance])


def _list_work(run: StepRun, recheck: Recheck, plan: Mapping[str, Any]) -> list[tuple[str, Callable[[], str]]]:
    """List the plan's deletions in its order: (what it is about, what answers why it may not be, or nothing)."""
    proofs = PlanProofs(run.ports, plan, str(run.open.state["plan_hash"]))
    expired = [verdict for verdict in plan["verdicts"] if verdict["decision"] == Decision.EXPIRE]
    return [
        *(
            (deletion["pointId"], partial(finish_deletion, run.ports, proofs, deletion, run.now()))
            for deletion in plan["unfinished"]
        ),
        *((verdict["pointId"], partial(delete_point, run, recheck, proofs, verdict)) for verdict in expired),
        *((file["path"], partial(delete_unsealed, run, file)) for file in plan["unsealed"]),
    ]


def delete_point(run: StepRun, recheck: Recheck, proofs: PlanProofs, verdict: Mapping[str, Any]) -> str:
    """Delete one recovery point of the plan: tombstone, files, manifest; answers why not, or nothing.

    The plan's reasons are asked again under the tombstone's own sequence number: who loses decides anew.
    """
    instance, point_id = str(verdict["instance"]), str(verdict["pointId"])
    row = run.ports.rows.find(row_keys.POINTS, instance, point_id)  # it need not be readable: judging it says so
    state = None if row is None else row.values.get("state")
    if state == "deleted":
        return ""
    if row is None or state == "sealed":
        why_not = _find_block(recheck, verdict, row)
        if why_not:
            return why_not
        try:
            append(run.ports, _tombstone(run, recheck, verdict), by_retention=True)
        except ConflictError as error:
            return error.message
    row = run.ports.rows.find(row_keys.POINTS, instance, point_id)
    seq = 0 if row is None else row.values.get("tombstone_seq", 0)
    deletion = {"instance": instance, "pointId": point_id, "tombstoneSeq": seq}
    return finish_deletion(run.ports, proofs, deletion, run.now())


def delete_unsealed(run: StepRun, file: Mapping[str, Any]) -> str:
    """Delete a file that no manifest names; asked again before it is done."""
    path, version_id = str(file["path"]), str(file["versionId"])
    found = find_unsealed(run.vault, run.now(), within=point_of(path))
    if (path, version_id) not in {(unsealed.path, unsealed.version_id) for unsealed in found}:
        return ""  # it was sealed, or is gone
    try:
        run.ports.vault_cleaner.delete(blob_names.POINTS, path, version_id)
    except (ConflictError, PreconditionFailedError) as error:
        return f"'{path}': {error.message}"
    return ""


def _find_block(recheck: Recheck, verdict: Mapping[str, Any], row: Row | None) -> str:
    """Judge the point again, from what the vault account says now."""
    instance, point_id = str(verdict["instance"]), str(verdict["pointId"])
    if row is None:
        return f"recovery point {point_id} has a manifest but no journal entry"
    judged = recheck.find(instance, point_id)
    if judged is None or judged.point.manifest_hash != verdict["manifestHash"]:
        return f"the manifest of recovery point {point_id} is not the one that the plan names"
    if judged.decision is not Decision.EXPIRE:
        return f"recovery point {point_id}: {explain(judged)}"
    return ""


def _require_not_retained(ports: Ports, verdict: Mapping[str, Any]) -> None:
    """Refuse when protection was stopped since the plan was made: whoever was told so relies on every point's staying.

    Raises:
        ConflictError: code PointIsRetained.
    """
    instance, point_id = str(verdict["instance"]), str(verdict["pointId"])
    row = catalog.find_instance_row(ports, instance)
    if row is None or row.values["state"] == ProtectionState.STOPPED:
        text = f"protection was stopped meanwhile and recovery point {point_id} is retained"
        raise ConflictError(text, code="PointIsRetained", target=point_id)
    purge_at = purge_at_of(row.values)
    if is_soft_deleted(purge_at, ports.clock.storage_now()):
        text = f"recovery point {point_id} was soft-deleted meanwhile and is retained until {purge_at}"
        raise ConflictError(text, code="PointIsRetained", target=point_id)


def _tombstone(run: StepRun, recheck: Recheck, verdict: Mapping[str, Any]) -> Draft:
    point_id = str(verdict["pointId"])

    def check(rows: Rows) -> None:
        # The head was read before: a hold up to it is found in the journal, also where its rows were lost.
        recheck.require_unchanged(str(verdict["instance"]), point_id)
        row, common, *_ = rows.values()
        if row is None or int(str(row.values["readers"])) > 0:
            raise ConflictError(f"a restore reads recovery point {point_id}", code="PointIsRead", target=point_id)
        holds = [name for found in (row, common) if found for name in json.loads(str(found.values.get("holds", "[]")))]
        if holds:
            text = f"a legal hold stands on recovery point {point_id}: {', '.join(holds)}"
            raise ConflictError(text, code="PointIsHeld", target=point_id)
        _require_not_retained(run.ports, verdict)

    body = {
        "point_id": point_id,
        "instance": verdict["instance"],
        "manifest_hash": verdict["manifestHash"],
        "plan_hash": run.open.state["plan_hash"],
        "reasons": verdict["reasons"],
    }
    return Draft(stream=str(verdict["instance"]), type="Tombstoned", key=point_id, body=body, check=check)
