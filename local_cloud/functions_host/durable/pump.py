"""Hands the hub's work items to the app's functions, as the Durable extension does in the real host."""

import asyncio
import base64
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, cast

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend
from google.protobuf.wrappers_pb2 import StringValue

from local_cloud.functions_host.durable import failures
from local_cloud.functions_host.errors import InvocationError
from local_cloud.functions_host.indexing import ACTIVITY, ORCHESTRATION, Function
from local_cloud.functions_host.protos import Message
from local_cloud.functions_host.runtime import FunctionsRuntime

_LOG = logging.getLogger(__name__)


class _InProcessContext:
    """What the hub asks of a gRPC call's context, for calls that never leave the process."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def is_active(self) -> bool:
        return not self.stopped.is_set()

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise RuntimeError(f"{code.name}: {details}")


class WorkItemPump:
    """Runs orchestrators and activities until it is stopped."""

    def __init__(
        self,
        hub: InMemoryOrchestrationBackend,
        runtime: FunctionsRuntime,
        functions: list[Function],
        *,
        client: str,
        max_activities: int,
        max_orchestrators: int,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """Make a pump that does not run yet.

        Args:
            hub: The task hub.
            runtime: Runs the functions.
            functions: All functions of the app.
            client: Text for the durable client bindings of activities.
            max_activities: Activities at once.
            max_orchestrators: Turns of orchestrators at once.
            on_failure: Told when the hub refuses an answer: then the host cannot go on.
        """
        self._hub = hub
        self._runtime = runtime
        self._orchestrators = {f.called_as: f for f in functions if f.kind == ORCHESTRATION}
        self._activities = {f.called_as: f for f in functions if f.kind == ACTIVITY}
        self._client = client
        self._activity_slots = asyncio.Semaphore(max_activities)
        self._orchestrator_slots = asyncio.Semaphore(max_orchestrators)
        self._on_failure = on_failure
        self._context = _InProcessContext()
        self._running: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start to read work items on a thread of its own."""
        loop = asyncio.get_running_loop()
        self._reader = threading.Thread(target=self._read, args=(loop,), name="durable-work-items", daemon=True)
        self._reader.start()

    async def stop(self, drain_seconds: float) -> None:
        """Take no more work, and wait for what runs; what does not end in time runs again at the next start."""
        self._context.stopped.set()
        await asyncio.to_thread(self._reader.join)
        if not self._running:
            return
        _, unfinished = await asyncio.wait(self._running, timeout=drain_seconds)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        if unfinished:
            _LOG.warning("%d activities did not end in time; they run again at the next start", len(unfinished))

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for item in self._hub.GetWorkItems(pb.GetWorkItemsRequest(), self._servicer_context):
            loop.call_soon_threadsafe(self._begin, item)
        if self._context.is_active():
            # The hub logs an error of its own and ends the stream.
            self._on_failure(RuntimeError("the task hub hands out no more work"))

    def _begin(self, item: pb.WorkItem) -> None:
        run: Coroutine[Any, Any, None]
        run = self._run_activity(item) if item.HasField("activityRequest") else self._run_turn(item)
        task = asyncio.get_running_loop().create_task(run)
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    async def _run_turn(self, item: pb.WorkItem) -> None:
        async with self._orchestrator_slots:
            response = await self._turn(item.orchestratorRequest)
        response.completionToken = item.completionToken
        self._hub.CompleteOrchestratorTask(response, self._servicer_context)

    async def _turn(self, request: pb.OrchestratorRequest) -> pb.OrchestratorResponse:
        name = _orchestrator_name(request)
        function = self._orchestrators.get(name.lower())
        if function is None:
            known = [f.name for f in self._orchestrators.values()]
            return failures.failed_turn(request.instanceId, failures.unknown_orchestrator(name, known))
        try:
            data = Message(string=base64.b64encode(request.SerializeToString()).decode())
            answer = await self._runtime.invoke(function, data)
        except InvocationError as error:
            _log_failure(function, error)
            return failures.failed_turn(request.instanceId, failures.failed_orchestrator(name, error.message))
        response = pb.OrchestratorResponse.FromString(base64.b64decode(_text(answer) or ""))
        if (complaint := failures.oversized_custom_status(response)) is not None:
            return failures.failed_turn(request.instanceId, failures.failed_orchestrator(name, complaint))
        return response

    async def _run_activity(self, item: pb.WorkItem) -> None:
        request = item.activityRequest
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId,
            taskId=request.taskId,
            completionToken=item.completionToken,
        )
        async with self._activity_slots:
            await self._fill_activity_response(request, response)
        self._hub.CompleteActivityTask(response, self._servicer_context)

    async def _fill_activity_response(self, request: pb.ActivityRequest, response: pb.ActivityResponse) -> None:
        function = self._activities.get(request.name.lower())
        if function is None:
            known = [f.name for f in self._activities.values()]
            response.failureDetails.CopyFrom(failures.unknown_activity(request.name, known))
            return
        try:
            data = Message(string=request.input.value if request.HasField("input") else "null")
            answer = await self._runtime.invoke(function, data, client=self._client)
        except InvocationError as error:
            _log_failure(function, error)
            response.failureDetails.CopyFrom(failures.failure_details(error))
            return
        response.result.CopyFrom(StringValue(value=_text(answer) or "null"))

    @property
    def _servicer_context(self) -> grpc.ServicerContext:
        return cast("grpc.ServicerContext", self._context)


def _orchestrator_name(request: pb.OrchestratorRequest) -> str:
    events = [*request.pastEvents, *request.newEvents]
    return next(event.executionStarted.name for event in events if event.HasField("executionStarted"))


def _text(answer: Message | None) -> str | None:
    kind = None if answer is None else answer.WhichOneof("data")
    return None if kind is None else getattr(answer, kind)


def _log_failure(function: Function, error: InvocationError) -> None:
    _LOG.error("function %s failed: %s\n%s", function.name, error.message, error.stack)
