"""The durable task hub, through the client that the host binds to a function."""

from collections.abc import Mapping
from typing import Any

import grpc
from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.client import OrchestrationStatus

from flexvault.domain.errors import TransientError

_ALIVE = frozenset(
    {
        OrchestrationStatus.RUNNING,
        OrchestrationStatus.PENDING,
        OrchestrationStatus.SUSPENDED,
        OrchestrationStatus.CONTINUED_AS_NEW,
    }
)


class DurableOrchestrations:
    """Starts and looks at orchestrations. An OK from a start is no claim: concurrent starts all hear it."""

    def __init__(self, client: SyncDurableFunctionsClient) -> None:
        self._client = client

    def start(self, name: str, instance_id: str, payload: Mapping[str, Any]) -> bool:
        """Start an orchestration; False when the hub has one of that id that has not ended."""
        try:
            self._client.schedule_new_orchestration(name, input=dict(payload), instance_id=instance_id)
        except grpc.RpcError as error:
            if _code(error) is grpc.StatusCode.ALREADY_EXISTS:
                return False
            raise _unusable(error) from None
        return True

    def is_alive(self, instance_id: str) -> bool:
        """Say whether the hub holds an instance of this id that has not ended."""
        try:
            state = self._client.get_orchestration_state(instance_id, fetch_payloads=False)
        except grpc.RpcError as error:
            raise _unusable(error) from None
        return state is not None and state.runtime_status in _ALIVE


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    # grpc documents that an error raised by a call is a Call too; its base class does not say so.
    call: Any = error
    code: grpc.StatusCode | None = call.code() if hasattr(call, "code") else None
    return code


def _unusable(error: grpc.RpcError) -> TransientError:
    code = _code(error)
    return TransientError(
        f"the task hub refused: {code.name if code else 'no answer'}",
        code="TaskHubUnusable",
        hint="if this lasts, restart the app: a hub that was wiped under a running host stays dead until then",
    )
