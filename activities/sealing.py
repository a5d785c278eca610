"""Sealing: the manifest is created, which makes the recovery point exist."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def seal_point(request: Any) -> dict[str, Any]:
    """Verify the promoted files, create the manifest, journal the point."""
    return run_step_activity(Step.SEALING, request)
