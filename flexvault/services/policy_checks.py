"""What to warn of before a server is put under a policy: nothing here forbids it."""

from datetime import timedelta
from typing import Any

from flexvault.domain.errors import NotAuthorizedError
from flexvault.domain.instance import StoredPolicy
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.policy_warnings import find_policy_warnings
from flexvault.domain.schedule import gaps_between_slots
from flexvault.ports import Ports, Server
from flexvault.services import catalog
from flexvault.services.progress import warning


def policy_warnings(ports: Ports, server: Server, stored: StoredPolicy, instance: str) -> list[dict[str, Any]]:
    """Warn of what in the policy has no effect, and of a schedule that the server cannot follow.

    Args:
        ports: Where earlier backups are found.
        server: The source server.
        stored: The policy.
        instance: 32 hex digits of its backup instance, if it is known.
    """
    policy = parse_policy(stored.properties)
    found = [
        warning(one.code, f"policy '{stored.name}': {one.message}", stored.name) for one in find_policy_warnings(policy)
    ]
    return [*found, *_find_longer(ports, server, policy, instance)]


def _find_longer(ports: Ports, server: Server, policy: Policy, instance: str) -> list[dict[str, Any]]:
    expected = _expected_duration(ports, server, instance)
    shortest, _ = gaps_between_slots(policy.intervals, policy.zone)
    if expected is None or expected <= shortest:
        return []
    text = (
        f"a backup of server '{server.name}' takes about {expected - timedelta(microseconds=expected.microseconds)}, "
        f"the schedule runs every {shortest}: slots that come while one is running are missed"
    )
    return [warning("BackupLongerThanInterval", text, server.id)]


def _expected_duration(ports: Ports, server: Server, instance: str) -> timedelta | None:
    """Answer how long the newest backup took, of the instance or of whoever backed the server up before."""
    chain = catalog.find_chain(ports, instance, server)
    known = catalog.expected_duration(ports, catalog.list_points(ports, instance), chain) if instance else None
    if known is not None:
        return known
    try:
        operations = ports.ltr.list_by_server(server.id)
    except NotAuthorizedError:
        return None  # said by the check of the rights; without them nobody knows
    ended = [
        (one.ended_at, one.ended_at - one.started_at)
        for one in operations
        if one.status == "Succeeded" and one.started_at is not None and one.ended_at is not None
    ]
    return max(ended)[1] if ended else None
