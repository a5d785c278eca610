"""Restore a recovery point as files: probe the target, copy, write the kit, close."""

from typing import Any

from durabletask import task

from orchestrators.run_job import Job, run_job


def restore_recovery_point(ctx: task.OrchestrationContext, payload: dict[str, Any]) -> Job:
    """Restore a recovery point as files: probe the target, copy, write the kit, close."""
    return (yield from run_job(ctx, payload))
