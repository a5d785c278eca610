"""Polling: seldom, by the server's own percentage."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def poll_backup(request: Any) -> dict[str, Any]:
    """Ask the server how its backup goes and when to look again."""
    return run_step_activity(Step.POLLING, request)
