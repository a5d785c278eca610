"""What the tables show of approvals, the breaker, legal holds and the poisoning guard."""

import json
from collections.abc import Callable, Iterator
from typing import Any, cast

from flexvault_cli.output import Columns
from flexvault_cli.views import member, moment
from flexvault_cli.wire import Json, dig, dig_list

PROVIDER = "Microsoft.DataProtection/"


def compare(before: Any, after: Any) -> list[str]:
    """Answer a line for each value that differs between two JSON documents."""
    old, new = dict(_flatten("", before)), dict(_flatten("", after))
    return [
        f"{path or 'value'}: {_write(old, path)} -> {_write(new, path)}"
        for path in dict.fromkeys([*old, *new])
        if path not in old or path not in new or old[path] != new[path]
    ]


def _flatten(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, member in cast("Json", value).items():
            yield from _flatten(f"{path}.{name}" if path else name, member)
    elif isinstance(value, list) and value:
        for index, member in enumerate(cast("list[Any]", value)):
            yield from _flatten(f"{path}[{index}]", member)
    elif path or value is not None:
        yield path, value


def _write(values: dict[str, Any], path: str) -> str:
    if path not in values:
        return "nothing"
    value = values[path]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _person(path: str) -> Callable[[Json], object]:
    return lambda answer: dig(answer, f"{path}.name") or dig(answer, f"{path}.oid")


def _person_and_address(path: str) -> Callable[[Json], object]:
    """Name a person in every way that the vault knows: names are what tokens say, and two people may share one."""

    def read(answer: Json) -> str:
        oid, address = dig(answer, f"{path}.oid"), dig(answer, f"{path}.from")
        parts = (dig(answer, f"{path}.name"), f"({oid})" if oid else "", f"from {address}" if address else "")
        return " ".join(str(part) for part in parts if part)

    return read


def _operation(approval: Json) -> str:
    return str(approval.get("operation") or "").removeprefix(PROVIDER)


def _changes(approval: Json) -> list[str]:
    return compare(approval.get("before"), approval.get("after"))


def _trips(breaker: Json) -> list[str]:
    return [_describe_trip(reason) for reason in dig_list(breaker, "reasons")]


def _suspected(poisoning: Json) -> list[str]:
    return [f"{one.get('recoveryPoint')}: {one.get('text')}" for one in dig_list(poisoning, "suspected")]


def _describe_trip(reason: Json) -> str:
    instance = reason.get("backupInstance")
    where = f" (instance {instance})" if instance else ""
    return f"{reason.get('code')}: {reason.get('message')}{where}"


APPROVALS: Columns = {
    "id": member("id"),
    "state": member("state"),
    "operation": _operation,
    "by": _person("requestedBy"),
    "asked": moment("requestedAt"),
    "expires": moment("expiresAt"),
}
APPROVALS_DROPPED = ("asked", "expires", "by", "operation")
APPROVAL: Columns = {
    **APPROVALS,
    "by": _person_and_address("requestedBy"),
    "path": member("path"),
    "because": member("reasons"),
    "changes": _changes,
    "decided by": _person_and_address("decidedBy"),
    "decided": moment("decidedAt"),
    "decision": member("decisionReason"),
    "used": moment("usedAt"),
}
BREAKER: Columns = {
    "state": member("state"),
    "tripped": moment("trippedAt"),
    "plan": member("plan"),
    "because": _trips,
    "released": moment("releasedAt"),
}
HOLDS: Columns = {
    "name": member("name"),
    "point": lambda hold: hold.get("recoveryPointId") or "all",
    "reason": member("reason"),
    "placed by": _person("placedBy"),
    "placed": moment("placedAt"),
    "changed by": _person("changedBy"),
    "changed": moment("changedAt"),
}
HOLDS_DROPPED = ("changed", "changed by", "placed by", "placed")
GUARD: Columns = {"poisoning guard": member("state")}
POISONING: Columns = {
    "state": member("state"),
    "expiry": member("expiry"),
    "count": member("count"),
    "suspected": _suspected,
    "guard": member("guard"),
    "acknowledged": moment("acknowledgedAt"),
    "acknowledged by": _person("acknowledgedBy"),
    "because": member("acknowledgedReason"),
}
