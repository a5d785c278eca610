"""ARM backup invocation: one POST of startLtrBackup per name and container."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def start_backup(request: Any) -> dict[str, Any]:
    """Mint the SAS, write the intent, POST once; or find out what became of an earlier POST."""
    return run_step_activity(Step.STARTING, request)
