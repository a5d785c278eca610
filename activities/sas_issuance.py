"""SAS issuance: the landing containers exist and the grant (container, permissions, life) is fixed in the open row.

The signature itself is minted by the storage adapter inside `start_backup`, at the moment of use, and goes into that
one message only: a SAS that were an activity's result would lie in the task hub's history.
"""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def prepare_landing(request: Any) -> dict[str, Any]:
    """Look at the server, create this attempt's landing containers and fix the grant."""
    return run_step_activity(Step.PREPARING, request)
