"""Promotion: what landed is checked, then copied into the vault account with a checksum per block."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def promote_files(request: Any) -> dict[str, Any]:
    """Copy this attempt's files for a few minutes; the next call goes on."""
    return run_step_activity(Step.PROMOTING, request)
