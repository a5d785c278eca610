"""Verify a recovery point deeply: read every file, count every block, record the result, close."""

from typing import Any

from durabletask import task

from orchestrators.run_job import Job, run_job


def verify_recovery_point(ctx: task.OrchestrationContext, payload: dict[str, Any]) -> Job:
    """Verify a recovery point deeply: read every file, count every block, record the result, close."""
    return (yield from run_job(ctx, payload))
