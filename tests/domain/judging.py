"""Policies from a few words, and what their backups become."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.simulation import SimulatedPoint, simulate
from tests.golden.writing import policy_json, tag

NIGHTLY = "R/2023-01-01T02:00:00Z/P1D"
"""At 02:00 UTC, since a Sunday."""
DEFAULT = tag("Default", 99, is_default=True)


def policy_of(
    *tags: Mapping[str, Any],
    zone: str = "UTC",
    intervals: Sequence[str] = (NIGHTLY,),
    keep: Mapping[str, str] | None = None,
) -> Policy:
    """A policy with these tags behind the default one; what `keep` does not name is kept for P7D."""
    names = [str(one["tagInfo"]["tagName"]) for one in (DEFAULT, *tags)]
    return parse_policy(policy_json(zone, intervals, [DEFAULT, *tags], dict.fromkeys(names, "P7D") | dict(keep or {})))


def points_of(policy: Policy, begin: str, end: str, *failures: str) -> tuple[SimulatedPoint, ...]:
    """The points of a window of days in the policy's zone, the last one with it; backups of some days fail."""
    first, last = (datetime.fromisoformat(text).replace(tzinfo=policy.zone) for text in (begin, f"{end}T23:59:59"))
    failing = {date.fromisoformat(day) for day in failures}
    return simulate(policy, first.astimezone(UTC), last.astimezone(UTC), failures=failing)


def days_tagged(policy: Policy, begin: str, end: str, *failures: str, name: str = "Tag") -> list[str]:
    """The local dates of a window on which a backup gets a tag."""
    return [point.day.isoformat() for point in points_of(policy, begin, end, *failures) if point.tag == name]


def days_that_match(begin: str, end: str, *criteria: Mapping[str, Any], **policy: Any) -> list[str]:
    """The local dates of a window on which a backup gets a tag of these criteria."""
    return days_tagged(policy_of(tag("Tag", 1, *criteria), **policy), begin, end)
