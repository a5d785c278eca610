"""Wrong input for any operation of the table: what its body knows, ways to get it wrong, and what must hold after."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.api import call as call_module
from flexvault.api.bodies import Shape, conform
from flexvault.api.call import ApiOperation
from flexvault.api.roles import Role
from flexvault.api.table import OPERATIONS
from flexvault.settings import REQUESTS_PER_MINUTE
from tests import builders
from tests.api.doors import (
    Door,
    Sent,
    backup_body,
    instance_body,
    instance_properties,
    policy_body,
    restore_body,
)
from tests.api.test_door import path_of

PERSON = {Role.READER: "reader", Role.OPERATOR: "operator", Role.CONTRIBUTOR: "contributor", Role.APPROVER: "approver"}
WITH_BODY = [
    operation for operation in OPERATIONS if operation.method in {"PUT", "POST", "PATCH"} and operation.statuses
]
POINT = "0" * 32
SAMPLES: Mapping[str, Any] = {
    "backupVaults/write": {"properties": {"securitySettings": {"immutabilitySettings": {"state": "Unlocked"}}}},
    "backupPolicies/write": policy_body(),
    "backupInstances/write": instance_body(),
    "validateForBackup/action": {"backupInstance": instance_properties()},
    "backup/action": backup_body(tag="Default"),
    "restore/action": restore_body(POINT),
    "validateRestore/action": {"restoreRequestObject": restore_body(POINT)},
    "simulatePolicy/action": {
        "policy": policy_body(),
        "from": "2026-01-01T00:00:00Z",
        "years": 1,
        "failures": ["2026-01-02"],
        "serverSizeBytes": 5,
        "growthPerYear": 0.1,
    },
    "retentionPreview/action": {
        "backupInstance": "pg-orders",
        "policy": policy_body(),
        "until": "2026-06-01T00:00:00Z",
    },
    "verify/action": {"deep": False, "instance": "pg-orders", "continueFrom": ""},
    "revokeKeys/action": {"account": "landing", "reason": "a SAS leaked"},
    "holds/write": {"reason": "a lawsuit", "recoveryPointId": POINT},
    "reevaluate/action": {"previewHash": "0" * 64},
    "poisoningGuard/write": {"state": "On"},
    "acknowledgePoisoning/action": {"reason": "fine"},
    "approve/action": {"reason": "fine"},
    "reject/action": {"reason": "no"},
    "release/action": {"reason": "fine"},
}
"""Bodies that are right, by the end of an operation's name; one that is not here is tried with what its shape knows."""
WRONG_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**400,
    1.5,
    "",
    "\x00",
    "../..",
    "x" * 3000,
    "\U0001f418é\u202e",
    [],
    [None],
    [[]],
    {},
    {"objectType": 5},
)
LEAST_ERROR = 400
THROTTLED = 429
STARTS_AN_APPROVAL = "ApprovalRequired"


def ready(requests_per_minute: int = REQUESTS_PER_MINUTE) -> Door:
    """A door to a protected server, without a recovery point."""
    door = Door(world=builders.world(requests_per_minute=requests_per_minute))
    door.grant_roles()
    door.make_target()
    door.protect()
    return door


def sample_of(operation: ApiOperation, shape: Shape = None) -> Any:
    for end, body in SAMPLES.items():
        if operation.name.endswith(f"/{end}"):
            return body
    return made_of(shape) if isinstance(shape, Mapping) else {}


def made_of(shape: Shape) -> Any:
    """A value of a shape's form, with a text wherever it says nothing."""
    if isinstance(shape, Mapping):
        return {name: made_of(inner) for name, inner in shape.items()}
    return [made_of(shape[0])] if isinstance(shape, Sequence) else "text"


def send(door: Door, operation: ApiOperation, body: Any, path: str = "", **changes: Any) -> Sent:
    assert operation.role is not None
    return door.send(operation.method, path or path_of(operation), body, person=PERSON[operation.role], **changes)


def find_shape(operation: ApiOperation, monkeypatch: pytest.MonkeyPatch) -> Shape:
    """Learn which members an operation's body knows, by listening to it reading one."""
    heard: list[Shape] = []
    door = ready()

    def listen(value: Any, shape: Shape, path: str = "") -> Any:
        heard.append(shape)
        return conform(value, shape, path)

    with monkeypatch.context() as patch:
        patch.setattr(call_module, "conform", listen)
        send(door, operation, {"x-unknown": {}})
    return heard[0] if heard else None


def picture(door: Door) -> dict[str, Any]:
    """What every table and the journal hold: a change of rows, even back to the same, puts new partitions in place."""
    tables = door.world.memory.rows._tables
    return {
        "rows": [[(partition, Same(rows)) for partition, rows in found.items()] for found in tables.values()],
        "journal": {blob.name for blob in door.world.memory.storage.list_blobs(VAULT, "journal")},
        "begun": list(door.begun),
    }


class Same:
    """Equal to the very same object alone."""

    def __init__(self, held: object) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)


@dataclass
class Trial:
    """Sends wrong input to one door and looks at every answer."""

    door: Door = field(default_factory=ready)

    def send(self, operation: ApiOperation, body: Any, path: str = "", **changes: Any) -> Sent:
        before = picture(self.door)
        answer = send(self.door, operation, body, path, **changes)
        assert answer.status != THROTTLED, "the door must have looked at it"
        shown = body if isinstance(body, bytes) else json.dumps(body)
        require_arms(answer, f"{operation.method} {operation.name} {shown[:300]!r} {path}")
        if answer.status >= LEAST_ERROR and answer.error["code"] != STARTS_AN_APPROVAL:
            assert picture(self.door) == before, f"{operation.name} {shown[:300]!r} left something behind"
        return answer


def trial_of(operation: ApiOperation) -> Trial:
    """What changes nothing shares one vault: it is slow to make."""
    changes = operation.method != "GET" and operation.statuses
    return Trial() if changes else _shared_trial()


@cache
def _shared_trial() -> Trial:
    return Trial(ready(requests_per_minute=1_000_000))


def require_arms(answer: Sent, what: str) -> None:
    """The answer is a success, or an ARM error with its code in the header: never 500."""
    assert answer.status < 500, f"{what}: {answer.body[:2000]!r}"
    if answer.status < LEAST_ERROR:
        return
    error = answer.error
    assert set(error) == {"code", "message", "target", "details", "additionalInfo"}, what
    assert error["code"] == answer.header("x-ms-error-code"), what
    assert error["message"], what
    assert error["additionalInfo"][0]["info"]["properties"]["ActivityId"], what
    assert answer.header("Content-Type") == "application/json; charset=utf-8"


def members_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Answer the path of everything in a body, itself included."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from members_of(part, (*path, name))


def merged(value: Any, shape: Shape) -> Any:
    """A right body with every member besides that its shape knows: those are wrong, as they are only made."""
    if isinstance(value, dict) and isinstance(shape, Mapping):
        return value | {name: made_of(inner) for name, inner in shape.items() if name not in value}
    return value


def replaced(value: Any, path: tuple[str | int, ...], by: Any) -> Any:
    if not path:
        return by
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy
