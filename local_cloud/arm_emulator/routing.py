"""The operation table: which method and path is which operation, and what right it needs.

Paths compare case-insensitively and a double slash counts as one, as in ARM.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from local_cloud.arm_emulator.conditions import Facts
from local_cloud.arm_emulator.problems import ArmError
from local_cloud.arm_emulator.tokens import Principal

if TYPE_CHECKING:
    from local_cloud.arm_emulator.emulator import Emulator

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}"
SERVERS = "/providers/Microsoft.DBforPostgreSQL/flexibleServers"
SERVER = f"{GROUP}{SERVERS}/{{server}}"
LOCATION = f"{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/locations/{{location}}"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{{account}}"
AUTHORIZATION = "{scope}/providers/Microsoft.Authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request to an operation, by somebody who is known."""

    principal: Principal
    params: Mapping[str, str]
    """The path's parts, as they were sent."""
    query: Mapping[str, str]
    """Query parameters; names in lower case."""
    path: str
    body: Mapping[str, Any]
    """The JSON object of the body; empty without one."""
    base_url: str
    method: str
    target: str
    """Path and query, as faults match them."""

    def member(self, *names: str) -> Any:
        """Return a member of the body by its path; None when any part of the path is missing."""
        found: Any = self.body
        for name in names:
            if not isinstance(found, Mapping):
                return None
            found = cast("Mapping[str, Any]", found).get(name)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler answers; a body of None is no body at all."""

    body: Mapping[str, Any] | None = None
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default=MappingProxyType({}))


type Handler = Callable[["Emulator", Call], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the operation table."""

    name: str
    """Azure's operation id; the log counts by it."""
    method: str
    path: str
    handler: Handler
    action: str | None
    """The right that a caller needs at `scope`; None = the handler itself decides whom it answers."""
    scope: str = ""
    """Template of the scope; filled from the path's parts."""
    facts: Callable[["Emulator", Call], Facts] | None = None
    """What conditions on the caller's roles are judged by, beside the action."""


class Router:
    """Finds the operation of a request."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._rows = [(operation, _pattern(operation.path)) for operation in operations]

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        """Return the operation and the parts of its path.

        Raises:
            ArmError: 404 for an unknown path, 405 for a known one with another method.
        """
        is_known = False
        for operation, pattern in self._rows:
            if (match := pattern.fullmatch(path)) is None:
                continue
            is_known = True
            if operation.method == method.upper():
                return operation, match.groupdict()
        if is_known:
            raise ArmError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                f"The resource at '{path}' does not support http method '{method}'.",
            )
        raise ArmError(
            HTTPStatus.NOT_FOUND, "InvalidResourceType", f"The emulator serves no resource type at '{path}'."
        )


def normalised(path: str) -> str:
    """Return a path with single slashes and none at its end."""
    return re.sub("/{2,}", "/", path).rstrip("/")


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    names = parts[1::2]
    # A scope is a resource id of any depth, or nothing: the root.
    groups = [f"(?P<{name}>(?:/.+)?)" if name == "scope" else f"(?P<{name}>[^/]+)" for name in names]
    texts = [re.escape(text) for text in parts[0::2]]
    return re.compile("".join(a + b for a, b in zip(texts, [*groups, ""], strict=True)), re.IGNORECASE)
