"""Restore: files go into the target container, each block compared with the manifest, the kit last."""

from typing import Any

from activities.registry import run_step_activity
from flexvault.domain.job import Step


def probe_target(request: Any) -> dict[str, Any]:
    """Check the target before the first write and announce the restore."""
    return run_step_activity(Step.PROBING, request)


def copy_files(request: Any) -> dict[str, Any]:
    """Copy for a few minutes; the next call goes on."""
    return run_step_activity(Step.COPYING, request)


def finish_restore(request: Any) -> dict[str, Any]:
    """Write the rebuild kit."""
    return run_step_activity(Step.FINISHING, request)
