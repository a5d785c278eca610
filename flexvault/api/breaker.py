"""The breaker of retention: show it, release it."""

from typing import Any

from flexvault.api.approvals import read_reason
from flexvault.api.call import Answer, Call
from flexvault.api.times import plain_time
from flexvault.services import catalog
from flexvault.services.breaker import BreakerState, read_breaker
from flexvault.services.release_breaker import release_breaker


def get_breaker(call: Call) -> Answer:
    """Show whether retention waits for a release, and why."""
    return Answer(body=_show(call, read_breaker(call.vault.ports)))


def release(call: Call) -> Answer:
    """Let retention go on with what the plan that tripped the breaker would delete; needs a second person."""
    return Answer(body=_show(call, release_breaker(call.vault, call.actor(), read_reason(call))))


def _show(call: Call, state: BreakerState) -> dict[str, Any]:
    return {
        "state": "Tripped" if state.is_tripped else "Closed",
        "plan": state.plan or None,
        "planSha256": state.plan_hash or None,
        "trippedAt": plain_time(state.tripped_at) if state.tripped_at else None,
        "releasedAt": plain_time(state.released_at) if state.released_at and not state.is_tripped else None,
        "reasons": [
            {"code": trip["code"], "message": trip["message"], "backupInstance": _name_of(call, trip["instance"])}
            for trip in state.trips
        ],
    }


def _name_of(call: Call, instance: str) -> str | None:
    found = catalog.find_instance_by_key(call.vault.ports, instance) if instance else None
    return found.name if found else instance or None
