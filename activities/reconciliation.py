"""Reconciliation: jobs that stopped are taken over, those that never go on are closed."""

from typing import Any

from activities.registry import redacted
from flexvault.bootstrap import get_vault, orchestrations_of
from flexvault.messages import RECONCILE_JOBS
from flexvault.services.reconcile import reconcile


def reconcile_jobs(request: Any, client: Any) -> dict[str, Any]:  # noqa: ARG001 - Durable always sends an input
    """Look at every open row once; starts what it takes over through the host's durable client."""

    def body() -> dict[str, Any]:
        done = reconcile(get_vault(), orchestrations_of(client))
        return {
            "taken_over": list(done.taken_over),
            "closed": list(done.closed),
            "removed_containers": done.removed_containers,
        }

    return redacted(RECONCILE_JOBS, body)
