"""Configure protection: grant the source roles, verify them, record, close."""

from typing import Any

from durabletask import task

from orchestrators.run_job import Job, run_job


def configure_protection(ctx: task.OrchestrationContext, payload: dict[str, Any]) -> Job:
    """Configure protection: grant the source roles, verify them, record, close."""
    return (yield from run_job(ctx, payload))
