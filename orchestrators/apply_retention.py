"""Apply retention: store a plan, execute it, close."""

from typing import Any

from durabletask import task

from orchestrators.run_job import Job, run_job


def apply_retention(ctx: task.OrchestrationContext, payload: dict[str, Any]) -> Job:
    """Apply retention: store a plan, execute it, close."""
    return (yield from run_job(ctx, payload))
