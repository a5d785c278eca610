"""The two rows of a job: the open row, by which it runs and is fenced, and the row that people see."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from flexvault.domain import names, row_keys
from flexvault.domain.job import JobStatus, Operation, Step

MOST_WARNINGS_CHARACTERS = 10_000
_JSON_MEMBERS = frozenset({"facts", "sub_tasks", "warnings", "error", "recovery", "target"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job that runs: its open row. Deleting the row is the last fence."""

    key: str
    job_id: str
    operation: Operation
    instance: str
    """32 hex digits of the backup instance; `vault` for a job of the whole vault."""
    step: Step
    next_check_at: datetime
    """When somebody must have written again; later than that by the grace, the job is stale."""
    not_before: datetime
    claimed_at: datetime
    generation: int = 1
    written_generation: int = 0
    """The newest generation that has written: a start that never ran does not count as a try."""
    attempt: int = 1
    last_started_at: datetime | None = None
    stuck_at: str = ""
    """Step and attempt at the last takeover."""
    stuck_count: int = 0
    stuck_since: datetime | None = None
    """When the first takeover at this step and attempt was."""
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the steps of this operation remember."""
    etag: str = ""

    @property
    def job_key(self) -> str:
        """Answer the key of the row that people see."""
        return row_keys.job_row(self.job_id)

    @property
    def actor(self) -> Mapping[str, str]:
        """Answer who asked for it; nobody for what the vault does by itself."""
        return self.state.get("actor", {})

    @property
    def orchestration_id(self) -> str:
        """Answer the durable instance of the present generation."""
        return names.orchestration_id(self.job_id, self.generation)

    def changed(self, **changes: Any) -> "OpenJob":
        """Answer a copy with some members changed; `state` is merged."""
        if "state" in changes:
            changes["state"] = {**self.state, **(changes["state"] or {})}
        return replace(self, **changes)

    def to_values(self) -> dict[str, Any]:
        """Write the row."""
        values: dict[str, Any] = {
            "job_id": self.job_id,
            "operation": self.operation.value,
            "instance": self.instance,
            "step": self.step.value,
            "next_check_at": self.next_check_at,
            "not_before": self.not_before,
            "claimed_at": self.claimed_at,
            "generation": self.generation,
            "written_generation": self.written_generation,
            "attempt": self.attempt,
            "stuck_at": self.stuck_at,
            "stuck_count": self.stuck_count,
            "state": json.dumps(
                {name: fit_warnings(value) if name == "warnings" else value for name, value in self.state.items()}
            ),
        }
        if self.stuck_since is not None:
            values["stuck_since"] = self.stuck_since
        if self.last_started_at is not None:
            values["last_started_at"] = self.last_started_at
        return values

    @classmethod
    def from_values(cls, key: str, values: Mapping[str, Any], etag: str) -> "OpenJob":
        """Read the row."""
        return cls(
            key=key,
            job_id=values["job_id"],
            operation=Operation(values["operation"]),
            instance=values["instance"],
            step=Step(values["step"]),
            next_check_at=values["next_check_at"],
            not_before=values["not_before"],
            claimed_at=values["claimed_at"],
            generation=values["generation"],
            written_generation=values["written_generation"],
            attempt=values["attempt"],
            last_started_at=values.get("last_started_at"),
            stuck_at=values.get("stuck_at", ""),
            stuck_count=values.get("stuck_count", 0),
            stuck_since=values.get("stuck_since"),
            state=json.loads(values.get("state", "{}")),
            etag=etag,
        )


def fit_warnings(warnings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Answer as many warnings as a row has room for beside the rest, and how many more there are."""
    kept: list[Mapping[str, Any]] = []
    size = 0
    for entry in warnings:
        size += len(json.dumps(entry))
        if size > MOST_WARNINGS_CHARACTERS:
            more = f"{len(warnings) - len(kept)} further warnings are not listed"
            return [*kept, {"code": "MoreWarnings", "message": more, "resource": ""}]
        kept.append(entry)
    return kept


def encode(members: Mapping[str, Any]) -> dict[str, Any]:
    """Write members of a job's row: lists and dicts as JSON text, nothing for None."""
    return {
        name: json.dumps(fit_warnings(value) if name == "warnings" else value) if name in _JSON_MEMBERS else value
        for name, value in members.items()
        if value is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as people see it."""

    job_id: str
    operation: Operation
    status: JobStatus
    instance: str
    is_user_triggered: bool
    started_at: datetime
    ended_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What was true at the claim: `instance_id`, `instance_name`, `friendly_name`, `server_id`, `server_name`,
    `server_location`, `policy_id`, `policy_name`, `policy_seq`, `rule_name`, `slot`, `tag`, `correlation_id`."""
    sub_tasks: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[Mapping[str, Any], ...] = ()
    error: Mapping[str, Any] | None = None
    transferred_bytes: int | None = None
    ran_for_seconds: float | None = None
    """How long the server wrote a backup, from the start request to its own end."""
    recovery: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The recovery point read or made: `point_id`, `recovery_point_time`, `expiry_time`, `tag`."""
    target: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of a restore: `url`, `file_prefix`."""
    etag: str = ""

    def to_values(self) -> dict[str, Any]:
        """Write the row."""
        return encode(
            {
                "job_id": self.job_id,
                "operation": self.operation.value,
                "status": self.status.value,
                "instance": self.instance,
                "is_user_triggered": self.is_user_triggered,
                "started_at": self.started_at,
                "ended_at": self.ended_at,
                "facts": dict(self.facts),
                "sub_tasks": list(self.sub_tasks),
                "warnings": list(self.warnings),
                "error": self.error,
                "transferred_bytes": self.transferred_bytes,
                "ran_for_seconds": self.ran_for_seconds,
                "recovery": dict(self.recovery),
                "target": dict(self.target),
            }
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any], etag: str) -> "JobRecord":
        """Read the row."""
        return cls(
            job_id=values["job_id"],
            operation=Operation(values["operation"]),
            status=JobStatus(values["status"]),
            instance=values["instance"],
            is_user_triggered=values["is_user_triggered"],
            started_at=values["started_at"],
            ended_at=values.get("ended_at"),
            facts=json.loads(values.get("facts", "{}")),
            sub_tasks=tuple(json.loads(values.get("sub_tasks", "[]"))),
            warnings=tuple(json.loads(values.get("warnings", "[]"))),
            error=json.loads(values["error"]) if values.get("error") else None,
            transferred_bytes=values.get("transferred_bytes"),
            ran_for_seconds=values.get("ran_for_seconds"),
            recovery=json.loads(values.get("recovery", "{}")),
            target=json.loads(values.get("target", "{}")),
            etag=etag,
        )
