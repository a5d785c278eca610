"""The task hub: its gRPC endpoint for the durable client, with the refusals of the Durable extension.

Every method that replaces one of the stock backend (durabletask 1.12) says what the stock one does.
"""

# ruff: noqa: N802 - the gRPC service names its methods

from collections.abc import Callable
from concurrent import futures
from datetime import timedelta
from typing import Any, Never

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as stubs
from durabletask.testing.in_memory_backend import OrchestrationInstance

from local_cloud.functions_host.clock import utc_now
from local_cloud.functions_host.durable.backend import TERMINAL, KeptBackend
from local_cloud.functions_host.durable.store import HubStore

_GRPC_THREADS = 256
_generated: Any = stubs  # generated code has no types
_add_servicer = _generated.add_TaskHubSidecarServiceServicer_to_server


class TaskHub(KeptBackend):
    """A task hub for one host."""

    def __init__(
        self,
        store: HubStore,
        *,
        redelivery_delay: timedelta,
        keep_finished: timedelta,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Make a hub; `start` takes stored work up again.

        Args:
            store: Where instances are kept.
            redelivery_delay: How long activities that were in flight when the host died wait for their second run.
            keep_finished: How long a finished instance stays before it is purged.
            on_failure: Told when the hub itself fails, such as by a full disk.
        """
        super().__init__(store, redelivery_delay=redelivery_delay, on_failure=on_failure)
        self._keep_finished = keep_finished

    def start(self) -> str:
        """Open the endpoint on a free port of 127.0.0.1, take up stored work, and return `127.0.0.1:port`.

        Stock: a fixed port on all interfaces, ten threads (ten waiting clients block all others), 4 MiB per message.
        """
        self._take_up()
        self._due.start()
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_GRPC_THREADS, thread_name_prefix="durable-grpc"),
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
        )
        _add_servicer(self, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._purge_finished()
        return f"127.0.0.1:{self._port}"

    def stop(self, grace: float | None = None) -> None:
        """Close the endpoint, wake every waiting client, and close the store."""
        self._due.stop()
        self._wake_clients()
        super().stop(grace)
        self._wake_clients()  # those that came between: their threads would keep the process alive
        with self._lock:
            self._closed = True
            self._store.close()

    def _wake_clients(self) -> None:
        with self._lock:
            for waiter in [waiter for waiters in self._state_waiters.values() for waiter in waiters]:
                waiter.event.set()

    def StartInstance(
        self, request: pb.CreateInstanceRequest, context: grpc.ServicerContext
    ) -> pb.CreateInstanceResponse:
        """Start an instance, also with the id of a finished one. Stock: a finished id is taken for ever."""
        with self._transaction():
            existing = self._instances.get(request.instanceId)
            if existing is not None and existing.status not in TERMINAL:
                _refuse(
                    context,
                    grpc.StatusCode.ALREADY_EXISTS,
                    f"An Orchestration instance with the ID {request.instanceId} already exists.",
                )
            if existing is not None:
                self._forget(existing.instance_id)
            response = super().StartInstance(request, context)
            self._first_token[response.instanceId] = self._instances[response.instanceId].completion_token
            self._changed.add(response.instanceId)
            return response

    def RaiseEvent(self, request: pb.RaiseEventRequest, context: grpc.ServicerContext) -> pb.RaiseEventResponse:
        """Raise an event. Stock: an event for a finished instance is answered OK."""
        with self._transaction(request.instanceId):
            if self._get(request.instanceId, context).status in TERMINAL:
                _refuse(
                    context,
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "The orchestration instance with the provided instance id is not running.",
                )
            return super().RaiseEvent(request, context)

    def TerminateInstance(self, request: pb.TerminateRequest, context: grpc.ServicerContext) -> pb.TerminateResponse:
        """Terminate an instance. Stock: an unknown or a finished one is answered OK."""
        with self._transaction(request.instanceId):
            self._get_unfinished(request.instanceId, context, "terminate")
            return super().TerminateInstance(request, context)

    def SuspendInstance(self, request: pb.SuspendRequest, context: grpc.ServicerContext) -> pb.SuspendResponse:
        """Suspend an instance. Stock: a finished one is answered OK."""
        with self._transaction(request.instanceId):
            self._get_unfinished(request.instanceId, context, "suspend")
            return super().SuspendInstance(request, context)

    def ResumeInstance(self, request: pb.ResumeRequest, context: grpc.ServicerContext) -> pb.ResumeResponse:
        """Resume an instance. Stock: a finished one is answered OK."""
        with self._transaction(request.instanceId):
            self._get_unfinished(request.instanceId, context, "resume")
            return super().ResumeInstance(request, context)

    def RestartInstance(
        self, request: pb.RestartInstanceRequest, context: grpc.ServicerContext
    ) -> pb.RestartInstanceResponse:
        """Restart a finished instance, as the stock backend does, and keep it."""
        with self._transaction(request.instanceId):
            response = super().RestartInstance(request, context)
            self._first_token[response.instanceId] = self._instances[response.instanceId].completion_token
            self._changed.add(response.instanceId)
            return response

    def RewindInstance(
        self, request: pb.RewindInstanceRequest, context: grpc.ServicerContext
    ) -> pb.RewindInstanceResponse:
        """Rewind a failed instance, as the stock backend does, and keep it."""
        with self._transaction(request.instanceId):
            return super().RewindInstance(request, context)

    def PurgeInstances(
        self, request: pb.PurgeInstancesRequest, context: grpc.ServicerContext
    ) -> pb.PurgeInstancesResponse:
        """Purge finished instances. Stock: a running one is answered OK, with nothing purged."""
        with self._transaction():
            instance = self._instances.get(request.instanceId)
            if instance is not None and instance.status not in TERMINAL:
                _refuse(
                    context,
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID "
                    f"{request.instanceId} has status {_status_name(instance)}",
                )
            before = set(self._instances)
            response = super().PurgeInstances(request, context)
            for instance_id in before.difference(self._instances):
                self._forget(instance_id)
            return response

    def ListInstanceIds(
        self,
        request: pb.ListInstanceIdsRequest,  # noqa: ARG002 - the service passes it
        context: grpc.ServicerContext,
    ) -> pb.ListInstanceIdsResponse:
        """Refuse, as the extension does: it has no such call."""
        _refuse(context, grpc.StatusCode.UNIMPLEMENTED, "")

    def _purge_finished(self) -> None:
        with self._transaction():
            horizon = utc_now() - self._keep_finished
            for instance in list(self._instances.values()):
                if instance.status in TERMINAL and instance.last_updated_at < horizon:
                    self._forget(instance.instance_id)
        self._due.call_at(utc_now() + min(self._keep_finished, timedelta(minutes=1)), self._purge_finished)

    def _get(self, instance_id: str, context: grpc.ServicerContext, prefix: str = "") -> OrchestrationInstance:
        instance = self._instances.get(instance_id)
        if instance is None:
            text = f"{prefix}No instance with ID '{instance_id}' was found. (Parameter 'instanceId')"
            _refuse(context, grpc.StatusCode.NOT_FOUND, text)
        return instance

    def _get_unfinished(self, instance_id: str, context: grpc.ServicerContext, verb: str) -> None:
        instance = self._get(instance_id, context, "ArgumentException: ")
        if instance.status in TERMINAL:
            _refuse(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                f"InvalidOperationException: Cannot {verb} the orchestration instance {instance_id} "
                f"because instance is in the {_status_name(instance)} state.",
            )


def _refuse(context: grpc.ServicerContext, code: grpc.StatusCode, text: str) -> Never:
    context.abort(code, text)
    raise AssertionError("abort raises")


def _status_name(instance: OrchestrationInstance) -> str:
    return pb.OrchestrationStatus.Name(instance.status).removeprefix("ORCHESTRATION_STATUS_").capitalize()
