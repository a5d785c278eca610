"""Close a job: the outcome is in the open row by now, and whoever meets it there only finishes it."""

from dataclasses import replace
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.job import JobStatus, Operation, Outcome, Result
from flexvault.ports import Scalar
from flexvault.services import catalog
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.journal import Draft, append
from flexvault.services.protection import record_failure
from flexvault.services.restore_files import end_reading, require_reading_ended
from flexvault.services.seal import journal_found_manifest
from flexvault.services.steps import StepRun
from flexvault.services.verification_log import VerificationLog


def close_job(run: StepRun) -> Result:
    """Append `JobClosed`, whose projection closes the job's row and deletes its open row in one transaction."""
    state = run.open.state
    warnings = list(state.get("warnings", []))
    if run.open.operation is Operation.BACKUP and state.get("closing_status") == JobStatus.FAILED:
        warnings += journal_found_manifest(run)
    body: dict[str, Any] = {
        "job_id": run.open.job_id,
        "open_key": run.open.key,
        "operation": run.open.operation.value,
        "instance": run.open.instance,
        "status": state.get("closing_status", JobStatus.COMPLETED.value),
        "before": {"status": JobStatus.IN_PROGRESS.value},
        "after": {"status": state.get("closing_status", JobStatus.COMPLETED.value)},
        "error": state.get("closing_error"),
        "warnings": warnings,
    }
    if state.get("slot") and state.get("missed_because"):
        body["missed"] = {"slot": state["slot"], "reason": state["missed_because"]}
    stream = blob_names.VAULT_STREAM if run.open.operation is Operation.RETENTION else run.open.instance
    by_retention = run.open.operation is Operation.RETENTION
    draft = Draft(stream=stream, type="JobClosed", key=run.open.job_id, body=body, actor=run.open.actor)
    if run.open.operation is Operation.RESTORE:
        end_reading(run)
        draft = replace(draft, check=require_reading_ended)
    if run.open.operation is Operation.CONFIGURE and state.get("closing_status") == JobStatus.FAILED:
        record_failure(run)
    if run.open.operation is Operation.VERIFY:
        VerificationLog(run.ports, run.open.job_id).forget()
    if append(run.ports, draft, by_retention=by_retention):
        _report(run, body)
    return Result(outcome=Outcome.DONE)


def _report(run: StepRun, body: dict[str, Any]) -> None:
    """Send one event per finished job."""
    job = catalog.find_job(run.ports, run.open.job_id)
    facts: dict[str, Scalar] = {
        "flexvault.job_id": run.open.job_id,
        "flexvault.operation": body["operation"],
        "flexvault.status": body["status"],
        "flexvault.attempts": run.open.attempt,
        "flexvault.warnings": len(body["warnings"]),
    }
    if job is not None:
        facts["flexvault.instance"] = str(job.facts.get("instance_name", ""))
        facts["flexvault.duration_seconds"] = (run.now() - job.started_at).total_seconds()
    if body["status"] == JobStatus.FAILED:
        # Who watches the events tells an alert by this: the vault's own setting, as Azure Backup has it.
        facts["flexvault.is_alert"] = read_believed_settings(run.ports).alerts_for_failures
    if body["error"]:
        facts["flexvault.error_code"] = body["error"]["code"]
    if "size_bytes" in run.open.state:
        facts["flexvault.size_bytes"] = int(run.open.state["size_bytes"])
    run.ports.telemetry.emit("JobCompleted" if body["status"] != JobStatus.FAILED else "JobFailed", facts)
