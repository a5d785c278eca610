"""Role assignment: the two source roles are granted or verified before a server counts as protected."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def grant_roles(request: Any) -> dict[str, Any]:
    """Assign the source roles at the server's scope, or find that they are there."""
    return run_step_activity(Step.GRANTING, request)


def verify_roles(request: Any) -> dict[str, Any]:
    """Look whether the roles have taken effect."""
    return run_step_activity(Step.VERIFYING, request)


def record_protection(request: Any) -> dict[str, Any]:
    """Journal that the instance is protected."""
    return run_step_activity(Step.RECORDING, request)
