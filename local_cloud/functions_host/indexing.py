"""What the app's functions are: their triggers and bindings, and the refusal of those that are not emulated."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from local_cloud.functions_host.errors import HostError
from local_cloud.functions_host.protos import Message

HTTP = "httptrigger"
TIMER = "timertrigger"
ORCHESTRATION = "orchestrationtrigger"
ACTIVITY = "activitytrigger"
_DURABLE_CLIENT = "durableclient"
_TRIGGERS = {HTTP, TIMER, ORCHESTRATION, ACTIVITY}
_EMULATED = {*_TRIGGERS, _DURABLE_CLIENT, "http"}
# Under which name an orchestrator or activity is called, when it is not the function's own.
_NAME_FIELD = {ORCHESTRATION: "orchestration", ACTIVITY: "activity"}


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function of the app.

    Attributes:
        id: The runtime's own id, new at every start.
        kind: Type of the trigger in lower case: HTTP, TIMER, ORCHESTRATION or ACTIVITY.
        trigger: The trigger binding as the app declares it.
        called_as: Lower-cased name under which orchestrations call it.
        client_parameters: Parameters that receive a durable client.
    """

    id: str
    name: str
    kind: str
    trigger: dict[str, Any]
    called_as: str
    client_parameters: tuple[str, ...]


def index_functions(metadata: Iterable[Message]) -> list[Function]:
    """Turn the runtime's metadata into functions, in order of name without regard to case.

    Raises:
        HostError: A trigger or binding is not emulated; the text names each of them.
    """
    functions: list[Function] = []
    refused: list[str] = []
    for item in metadata:
        bindings = [cast("dict[str, Any]", json.loads(raw)) for raw in item.raw_bindings]
        unknown = [str(b["type"]) for b in bindings if str(b["type"]).lower() not in _EMULATED]
        if unknown:
            refused += [f"function '{item.name}': binding '{kind}' is not emulated locally" for kind in unknown]
            continue
        functions.append(_function(item, bindings))
    if refused:
        raise HostError("\n".join(refused))
    return sorted(functions, key=lambda function: function.name.upper())


def _function(item: Message, bindings: list[dict[str, Any]]) -> Function:
    trigger = next(b for b in bindings if str(b["type"]).lower() in _TRIGGERS)
    kind = str(trigger["type"]).lower()
    return Function(
        id=item.function_id,
        name=item.name,
        kind=kind,
        trigger=trigger,
        called_as=str(trigger.get(_NAME_FIELD.get(kind, "")) or item.name).lower(),
        client_parameters=tuple(str(b["name"]) for b in bindings if str(b["type"]).lower() == _DURABLE_CLIENT),
    )
