"""Operations on recovery points."""

import re
from datetime import datetime

from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.api.pages import answer_page, read_page
from flexvault.api.times import read_time
from flexvault.api.views import show_point
from flexvault.domain.errors import InvalidInputError, NotFoundError
from flexvault.domain.instance import Instance, RecoveryPoint
from flexvault.services import catalog
from flexvault.services.immutability import find_immutability_policy, list_immutability_policies

_TERM = re.compile(r"\s*(?P<member>startDate|endDate)\s+eq\s+'(?P<value>[^']*)'\s*", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)


def list_points(call: Call) -> Answer:
    """List an instance's recovery points, newest first, between two dates if the client names them."""
    instance = find_named(call)
    first, last = _read_filter(call.query.get("$filter", ""))
    page = read_page(call, _PLACE, has_filter=True)
    points = (
        point
        for point in catalog.list_points(call.vault.ports, instance.key)
        if (first is None or point.recovery_point_time >= first) and (last is None or point.recovery_point_time <= last)
    )
    rest = (point for point in points if _place(point) > page.after)
    policies = list_immutability_policies(call.vault.ports, instance.key)
    return answer_page(
        call, page, rest, _place, lambda point: show_point(call.ids, instance, point, policies.get(point.point_id))
    )


def get_point(call: Call) -> Answer:
    """Show one recovery point, with what storage says of its immutability now."""
    instance = find_named(call)
    point_id = require_point_id(instance, call.params["point"])
    point = catalog.get_point(call.vault.ports, instance, point_id)
    return Answer(body=show_point(call.ids, instance, point, find_immutability_policy(call.vault.ports, point)))


def require_point_id(instance: Instance, point_id: str) -> str:
    """Refuse what can be no recovery point's id before a table is asked for it.

    Raises:
        NotFoundError: As if it had been asked.
    """
    if not _POINT_ID.fullmatch(point_id):
        raise NotFoundError(
            f"backup instance '{instance.name}' has no recovery point '{point_id}'",
            code="UserErrorRecoveryPointNotFound",
            target=point_id,
            hint="list the instance's recovery points: an id has 32 hex digits",
        )
    return point_id


_POINT_ID = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _place(point: RecoveryPoint) -> str:
    """Answer where a point stands in the list, newest first, as text that sorts so."""
    microseconds = int(point.recovery_point_time.timestamp() * 1_000_000)
    return f"{_NEWEST_FIRST - microseconds:020d}-{point.point_id}"


_NEWEST_FIRST = 10**18
_PLACE = re.compile(r"[0-9]{20}-[0-9a-f]{32}")


def _read_filter(text: str) -> tuple[datetime | None, datetime | None]:
    """Read `startDate eq '..' and endDate eq '..'`; either may be missing, and the CLI sends an empty filter."""
    if not text.strip():
        return None, None
    found: dict[str, datetime] = {}
    for term in _AND.split(text.strip()):
        match = _TERM.fullmatch(term)
        moment = read_time(match["value"]) if match else None
        if match is None or moment is None or match["member"].lower() in found:
            raise InvalidInputError(
                f"the $filter '{text}' cannot be read",
                target="$filter",
                hint="send startDate eq '2026-01-01T00:00:00Z' and endDate eq '2026-02-01T00:00:00Z', or one of both",
            )
        found[match["member"].lower()] = moment
    return found.get("startdate"), found.get("enddate")
