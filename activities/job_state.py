"""Job state: a job is closed by its journal entry."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def close_job(request: Any) -> dict[str, Any]:
    """Finish a job whose outcome is in its open row."""
    return run_step_activity(Step.CLOSING, request)
