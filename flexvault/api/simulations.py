"""Simulate a policy over years: nothing of the vault is read or changed."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flexvault.api import shapes
from flexvault.api.bodies import conform
from flexvault.api.call import Answer, Call
from flexvault.api.ignored_members import refuse_misspelt, show_ignored
from flexvault.api.times import plain_time
from flexvault.domain.durations import add_duration
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.json_values import as_list, as_object
from flexvault.domain.mistakes import Mistakes
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.policy_warnings import find_policy_warnings
from flexvault.domain.retention_texts import describe_because
from flexvault.domain.simulation import SimulatedPoint, grow, months_of, simulate

MOST_YEARS = 100
LARGEST_SERVER_BYTES = 2**60
LARGEST_GROWTH = 100
"""Per year: the hundredfold."""
_YEARS = range(1971, 2900)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_RFC_3339 = re.compile(
    rf"{_DATE.pattern}T\d{{2}}:\d{{2}}:\d{{2}}(\.\d+)?(Z|[+-]\d{{2}}:\d{{2}})", re.ASCII | re.IGNORECASE
)


def simulate_policy(call: Call) -> Answer:
    """Answer every point that a policy would create between two moments, and what would be deleted when and why."""
    body = call.body(shapes.SIMULATE_POLICY)
    mistakes = Mistakes()
    policy = read_policy(mistakes, body.get("policy"))
    begin, end = _read_span(mistakes, body)
    failures = _read_failures(mistakes, body.get("failures"))
    size, growth = _read_size(mistakes, body)
    mistakes.finish("simulation")
    if policy is None or begin is None or end is None:
        message = "a request without mistakes was not understood"
        raise RuntimeError(message)
    points = simulate(policy, begin, end, failures=failures)
    sizes = grow(points, begin, size or 0, growth)
    months = months_of(policy, points, begin, end, sizes)
    return Answer(
        body={
            "recoveryPoints": [_show_point(point) for point in points],
            "deletions": _show_deletions(points),
            "countByMonth": {month.name: month.count for month in months},
            "storageBytesByMonth": {month.name: month.size_bytes for month in months} if size is not None else {},
            "warnings": [*show_ignored(body.get("policy")), *show_policy_warnings(policy)],
        }
    )


def read_policy(mistakes: Mistakes, value: Any) -> Policy | None:
    """Read a policy, bare or as the API's resource; what is wrong is told below `policy`."""
    properties = read_policy_properties(mistakes, value)
    return None if properties is None else parse_policy(properties)


def read_policy_properties(mistakes: Mistakes, value: Any) -> Any:
    """Read the properties of a policy that can be understood; nothing, and mistakes, for anything else."""
    given = as_object(value)
    if given is None:
        mistakes.wrong("policy", "is missing or not an object: send a policy's properties, or the policy's resource")
        return None
    is_resource = any(name.lower() == "properties" for name in given)
    try:
        refuse_misspelt(given)
        properties = conform(given if is_resource else {"properties": given}, shapes.POLICY).get("properties")
        parse_policy(properties)
    except InvalidInputError as error:
        for detail in error.details or (error,):
            path = detail.target.removeprefix("properties").lstrip(".")
            place = ["policy", *(["properties"] if is_resource else []), *([path] if path else [])]
            mistakes.wrong(".".join(place), detail.message, detail.code)
        return None
    return properties


def show_policy_warnings(policy: Policy) -> list[dict[str, str]]:
    """Show what in a policy has no effect."""
    return [
        {"code": found.code, "message": found.message, "target": found.target} for found in find_policy_warnings(policy)
    ]


def read_moment(mistakes: Mistakes, path: str, value: Any) -> datetime | None:
    """Read an RFC 3339 time; nothing, and a mistake, for anything else."""
    try:
        moment = datetime.fromisoformat(value) if _RFC_3339.fullmatch(value) else None
    except (TypeError, ValueError):
        moment = None
    if moment is None:
        mistakes.wrong(path, f"'{value}' is no RFC 3339 time with an offset, such as 2026-01-01T00:00:00Z")
        return None
    if moment.year not in _YEARS:
        mistakes.wrong(path, f"'{value}' is outside of the years {_YEARS[0]} to {_YEARS[-1]}")
        return None
    return moment.astimezone(UTC)


def _read_span(mistakes: Mistakes, body: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    begin = read_moment(mistakes, "from", body.get("from"))
    until, years = body.get("until"), body.get("years")
    if (until is None) is (years is None):
        mistakes.wrong("until", "give either 'until' or 'years'")
        return begin, None
    if years is not None:
        if not isinstance(years, int) or isinstance(years, bool) or not 1 <= years <= MOST_YEARS:
            mistakes.wrong("years", f"'{years}' is no whole number of years from 1 to {MOST_YEARS}")
            return begin, None
        return begin, add_duration(begin, f"P{years}Y") if begin else None
    end = read_moment(mistakes, "until", until)
    if begin and end and not begin < end <= begin + timedelta(days=366 * MOST_YEARS):
        mistakes.wrong("until", f"'{until}' must be later than 'from', by at most {MOST_YEARS} years")
        return begin, None
    return begin, end


def _read_failures(mistakes: Mistakes, value: Any) -> frozenset[date]:
    if value is None:
        return frozenset()
    entries = as_list(value)
    if entries is None:
        mistakes.wrong("failures", "is not a list of dates")
        return frozenset()
    found: set[date] = set()
    for index, entry in enumerate(entries):
        day = _read_date(entry)
        if day is None:
            mistakes.wrong(f"failures[{index}]", f"'{entry}' is no date such as 2026-01-31")
        else:
            found.add(day)
    return frozenset(found)


def _read_date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if _DATE.fullmatch(value) else None
    except (TypeError, ValueError):
        return None


def _read_size(mistakes: Mistakes, body: Mapping[str, Any]) -> tuple[int | None, float]:
    size, growth = body.get("serverSizeBytes"), body.get("growthPerYear")
    if size is not None and (
        not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST_SERVER_BYTES
    ):
        mistakes.wrong("serverSizeBytes", f"'{size}' is no whole number of bytes")
        size = None
    if growth is not None and (
        not isinstance(growth, int | float) or isinstance(growth, bool) or not -1 < growth <= LARGEST_GROWTH
    ):
        mistakes.wrong("growthPerYear", f"'{growth}' is no share such as 0.2 for 20 % a year")
        growth = None
    if growth is not None and body.get("serverSizeBytes") is None:
        mistakes.wrong("serverSizeBytes", "is missing: growthPerYear needs a size to grow from")
    return size, float(growth or 0)


def _show_point(point: SimulatedPoint) -> dict[str, Any]:
    return {
        "time": plain_time(point.time),
        "tags": list(point.tags),
        "retentionTag": point.tag,
        "expiry": plain_time(point.expiry),
        "reason": describe_because(point.because, point.day.isoformat()),
    }


def _show_deletions(points: Sequence[SimulatedPoint]) -> list[dict[str, str]]:
    deleted = sorted((point.deleted_at, point.time, point) for point in points if point.deleted_at is not None)
    return [
        {"time": plain_time(at), "recoveryPoint": plain_time(time), "reason": _reason(point, at)}
        for at, time, point in deleted
    ]


def _reason(point: SimulatedPoint, deleted_at: datetime) -> str:
    because = describe_because(point.because, point.day.isoformat())
    text = f"expired {point.expiry.date().isoformat()}: {because}, rule {point.tag}"
    return text if deleted_at == point.expiry else f"{text}; kept until then as the newest recovery point"
