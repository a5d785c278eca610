"""Names that cross Durable and the payloads that go with them: JSON dicts, new members with defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flexvault.domain.job import Operation, Step

BACK_UP_SERVER = "back_up_server"
RESTORE_RECOVERY_POINT = "restore_recovery_point"
CONFIGURE_PROTECTION = "configure_protection"
APPLY_RETENTION = "apply_retention"
VERIFY_RECOVERY_POINT = "verify_recovery_point"
RECONCILE = "reconcile"

ORCHESTRATORS: Mapping[Operation, str] = {
    Operation.BACKUP: BACK_UP_SERVER,
    Operation.RESTORE: RESTORE_RECOVERY_POINT,
    Operation.CONFIGURE: CONFIGURE_PROTECTION,
    Operation.RETENTION: APPLY_RETENTION,
    Operation.VERIFY: VERIFY_RECOVERY_POINT,
}

PREPARE_LANDING = "prepare_landing"
START_BACKUP = "start_backup"
POLL_BACKUP = "poll_backup"
PROMOTE_FILES = "promote_files"
SEAL_POINT = "seal_point"
PROBE_TARGET = "probe_target"
COPY_FILES = "copy_files"
FINISH_RESTORE = "finish_restore"
GRANT_ROLES = "grant_roles"
VERIFY_ROLES = "verify_roles"
RECORD_PROTECTION = "record_protection"
PLAN_RETENTION = "plan_retention"
EXECUTE_RETENTION = "execute_retention"
INDEX_FILES = "index_files"
COUNT_BLOCKS = "count_blocks"
RECORD_VERIFICATION = "record_verification"
CLOSE_JOB = "close_job"
RECONCILE_JOBS = "reconcile_jobs"

ACTIVITIES: Mapping[Step, str] = {
    Step.PREPARING: PREPARE_LANDING,
    Step.STARTING: START_BACKUP,
    Step.POLLING: POLL_BACKUP,
    Step.PROMOTING: PROMOTE_FILES,
    Step.SEALING: SEAL_POINT,
    Step.PROBING: PROBE_TARGET,
    Step.COPYING: COPY_FILES,
    Step.FINISHING: FINISH_RESTORE,
    Step.GRANTING: GRANT_ROLES,
    Step.VERIFYING: VERIFY_ROLES,
    Step.RECORDING: RECORD_PROTECTION,
    Step.PLANNING: PLAN_RETENTION,
    Step.EXECUTING: EXECUTE_RETENTION,
    Step.INDEXING: INDEX_FILES,
    Step.COUNTING: COUNT_BLOCKS,
    Step.CONCLUDING: RECORD_VERIFICATION,
    Step.CLOSING: CLOSE_JOB,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRequest:
    """One run of one step of one generation of a job."""

    open_key: str
    """Key of the job's open row."""
    job_id: str
    generation: int
    step: Step
    not_before: float = 0.0
    """Unix seconds; only the orchestrator reads it, and only at the start."""

    def to_json(self) -> dict[str, Any]:
        """Write it for Durable."""
        return {
            "open_key": self.open_key,
            "job_id": self.job_id,
            "generation": self.generation,
            "step": self.step.value,
            "not_before": self.not_before,
        }

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> "StepRequest":
        """Read it from Durable."""
        return cls(
            open_key=payload["open_key"],
            job_id=payload["job_id"],
            generation=payload["generation"],
            step=Step(payload["step"]),
            not_before=payload.get("not_before", 0.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswer:
    """What the orchestrator does next: call a step, after a wait, or end."""

    next: Step | None
    wait_seconds: float = 0.0
    superseded: bool = False

    def to_json(self) -> dict[str, Any]:
        """Write it for Durable."""
        return {
            "next": self.next.value if self.next else "",
            "wait_seconds": self.wait_seconds,
            "superseded": self.superseded,
        }

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> "StepAnswer":
        """Read it from Durable."""
        step = payload.get("next", "")
        return cls(
            next=Step(step) if step else None,
            wait_seconds=payload.get("wait_seconds", 0.0),
            superseded=payload.get("superseded", False),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """An orchestration to start; a repeated start changes nothing."""

    orchestrator: str
    instance_id: str
    payload: dict[str, Any]
