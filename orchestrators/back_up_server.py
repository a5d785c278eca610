"""Back a server up: prepare the landing, start once, poll, promote, seal, close."""

from typing import Any

from durabletask import task

from orchestrators.run_job import Job, run_job


def back_up_server(ctx: task.OrchestrationContext, payload: dict[str, Any]) -> Job:
    """Back a server up: prepare the landing, start once, poll, promote, seal, close."""
    return (yield from run_job(ctx, payload))
