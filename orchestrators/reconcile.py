"""Reconcile: one look at every open row."""

from collections.abc import Generator
from typing import Any

from durabletask import task

from flexvault.messages import RECONCILE_JOBS
from orchestrators.run_job import RETRY


def reconcile(ctx: task.OrchestrationContext, payload: dict[str, Any]) -> Generator[task.Task[Any], Any, Any]:
    """Look at every open row once; answers what was done."""
    return (yield ctx.call_activity(RECONCILE_JOBS, input=payload, retry_policy=RETRY))
