"""Retention cleanup: a plan is stored, then exactly that plan is executed."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def plan_retention(request: Any) -> dict[str, Any]:
    """Judge every recovery point and store the plan."""
    return run_step_activity(Step.PLANNING, request)


def execute_retention(request: Any) -> dict[str, Any]:
    """Carry out some of the plan's deletions; the next call goes on."""
    return run_step_activity(Step.EXECUTING, request)
