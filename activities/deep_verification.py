"""Deep verification: every byte of a recovery point is read, every row counted, and the result is journalled."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def index_files(request: Any) -> dict[str, Any]:
    """Read and walk files for a few minutes; the next call goes on."""
    return run_step_activity(Step.INDEXING, request)


def count_blocks(request: Any) -> dict[str, Any]:
    """Count and digest blocks for a few minutes; the next call goes on."""
    return run_step_activity(Step.COUNTING, request)


def record_verification(request: Any) -> dict[str, Any]:
    """Write the result beside the manifest and journal it."""
    return run_step_activity(Step.CONCLUDING, request)
