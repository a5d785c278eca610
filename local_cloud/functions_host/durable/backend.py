"""The stock in-memory backend, corrected where the Functions host behaves otherwise, and kept in a store.

Every method that replaces one of the stock backend (durabletask 1.12) says what the stock one does. Instances live in
memory; each call that changes one is in the store before it answers.
"""

# ruff: noqa: N802 - the gRPC service names its methods

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import (
    ActivityWorkItem,
    InMemoryOrchestrationBackend,
    OrchestrationInstance,
)

from local_cloud.functions_host.clock import utc_now
from local_cloud.functions_host.durable.due_queue import DueQueue
from local_cloud.functions_host.durable.store import HubStore

_LOG = logging.getLogger(__name__)
TERMINAL = (
    pb.ORCHESTRATION_STATUS_COMPLETED,
    pb.ORCHESTRATION_STATUS_FAILED,
    pb.ORCHESTRATION_STATUS_TERMINATED,
)
_MAX_HISTORY_EVENTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class _Caller:
    """Who waits for a sub-orchestration: the parent, its task, and the parent's token at the call."""

    instance_id: str
    task_id: int
    token: int


class KeptBackend(InMemoryOrchestrationBackend):
    """Orchestrations that survive the process.

    A *token* numbers the turns of all orchestrators. What was scheduled by a turn carries its token, so that a result
    that arrives after `continue_as_new`, or after the id was used again, is known to be late and dropped.
    """

    def __init__(
        self, store: HubStore, *, redelivery_delay: timedelta, on_failure: Callable[[BaseException], None]
    ) -> None:
        """Make an empty backend; `_take_up` fills it.

        Args:
            store: Where instances are kept.
            redelivery_delay: How long activities that were in flight when the host died wait for their second run.
            on_failure: Told when the backend itself fails, such as by a full disk.
        """
        super().__init__(max_history_size=_MAX_HISTORY_EVENTS, port=0)
        self._store = store
        self._redelivery_delay = redelivery_delay
        self._on_failure = on_failure
        self._due = DueQueue(on_failure)
        self._callers: dict[str, _Caller] = {}
        self._first_token: dict[str, int] = {}  # of the present generation, per instance
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._news: set[str] = set()
        self._depth = 0
        self._closed = False

    # What the pump answers.

    def CompleteOrchestratorTask(
        self, request: pb.OrchestratorResponse, context: grpc.ServicerContext
    ) -> pb.CompleteTaskResponse:
        """Take an orchestrator's turn. Stock: a turn that sets no custom status clears it."""
        with self._transaction(request.instanceId):
            instance = self._instances.get(request.instanceId)
            if instance is not None and not request.customStatus.value:
                request.customStatus.value = instance.custom_status or "null"
            return super().CompleteOrchestratorTask(request, context)

    def CompleteActivityTask(
        self,
        request: pb.ActivityResponse,
        context: grpc.ServicerContext,  # noqa: ARG002 - the service passes it
    ) -> pb.CompleteTaskResponse:
        """Take an activity's result, unless nobody waits for it any more.

        Stock: the result of an earlier generation is delivered, and a failure without text counts as success.
        """
        if request.HasField("failureDetails"):
            failed = pb.TaskFailedEvent(taskScheduledId=request.taskId, failureDetails=request.failureDetails)
            event = pb.HistoryEvent(eventId=-1, timestamp=helpers.new_timestamp(utc_now()), taskFailed=failed)
        else:
            completed = pb.TaskCompletedEvent(taskScheduledId=request.taskId, result=request.result)
            event = pb.HistoryEvent(eventId=-1, timestamp=helpers.new_timestamp(utc_now()), taskCompleted=completed)
        self._deliver(request.instanceId, int(request.completionToken), event)
        return pb.CompleteTaskResponse()

    # What an orchestrator's turn asks for.

    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        """Arm a durable timer. Stock: a thread each, which fires into whatever generation runs then."""
        fire_at = action.createTimer.fireAt.ToDatetime(UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fire_at))
        self._arm(instance, action.id, fire_at)

    def _arm(self, instance: OrchestrationInstance, timer_id: int, fire_at: datetime) -> None:
        instance_id, token = instance.instance_id, instance.completion_token
        event = helpers.new_timer_fired_event(timer_id, fire_at)
        self._due.call_at(fire_at, lambda: self._deliver(instance_id, token, event))

    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        """End an instance or begin its next generation. Stock: a failed instance has no output, a child no parent."""
        super()._process_complete_orchestration_action(instance, complete_action)
        details = instance.failure_details
        if instance.status == pb.ORCHESTRATION_STATUS_FAILED and not instance.output and details is not None:
            instance.output = f"{details.errorType}: {details.errorMessage}"
        if complete_action.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
            # The token that this turn's end hands out next.
            self._first_token[instance.instance_id] = self._next_completion_token
            self._name_parent(instance)

    def _process_create_sub_orchestration_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        """Start a child. Stock: its history does not name the parent."""
        super()._process_create_sub_orchestration_action(instance, action)
        child = self._instances.get(action.createSubOrchestration.instanceId)
        if child is not None and child.instance_id in self._callers:
            self._first_token[child.instance_id] = child.completion_token
            self._name_parent(child)

    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        """Remember who waits. Stock: a thread that gives up after 30 s, and the parent waits for ever."""
        self._callers[sub_instance_id] = _Caller(
            instance_id=parent_instance_id,
            task_id=task_id,
            token=self._instances[parent_instance_id].completion_token,
        )
        self._report(sub_instance_id)

    def _name_parent(self, child: OrchestrationInstance) -> None:
        caller = self._callers.get(child.instance_id)
        if caller is None:
            return
        for event in child.pending_events:
            if event.HasField("executionStarted"):
                event.executionStarted.parentInstance.CopyFrom(
                    pb.ParentInstanceInfo(
                        taskScheduledId=caller.task_id,
                        orchestrationInstance=pb.OrchestrationInstance(instanceId=caller.instance_id),
                    )
                )

    def _notify_waiters(self, instance_id: str) -> None:
        """Tell who waits for a turn's end. Stock: clients hear of it before it is kept."""
        instance = self._instances.get(instance_id)
        if instance is not None:
            _order_last_events(instance)
        self._news.add(instance_id)
        self._report(instance_id)

    def _report(self, child_id: str) -> None:
        """Tell the parent of a child that has ended."""
        child = self._instances.get(child_id)
        if child is None or child.status not in TERMINAL or child_id not in self._callers:
            return
        caller = self._callers.pop(child_id)
        if child.status == pb.ORCHESTRATION_STATUS_COMPLETED:
            event = helpers.new_sub_orchestration_completed_event(caller.task_id, child.output)
        else:
            details = child.failure_details or pb.TaskFailureDetails(
                errorType="(unknown)", errorMessage=child.output or f"sub-orchestration '{child_id}' was terminated"
            )
            failed = pb.SubOrchestrationInstanceFailedEvent(taskScheduledId=caller.task_id, failureDetails=details)
            event = pb.HistoryEvent(eventId=-1, subOrchestrationInstanceFailed=failed)
        self._deliver(caller.instance_id, caller.token, event)

    # Delivery.

    def _deliver(self, instance_id: str, token: int, event: pb.HistoryEvent) -> None:
        """Give an event to the generation that asked for it, if that still runs."""
        with self._transaction():
            instance = self._instances.get(instance_id)
            if instance is None or instance.status in TERMINAL or token < self._first_token.get(instance_id, 0):
                return
            instance.pending_events.append(event)
            instance.last_updated_at = utc_now()
            self._changed.add(instance_id)
            self._enqueue_orchestration(instance_id)

    def _enqueue_orchestration(self, instance_id: str) -> None:
        """Make an instance's next turn due. Stock: also of a finished one, and `start_at` is ignored."""
        instance = self._instances.get(instance_id)
        if instance is None:
            return
        self._changed.add(instance_id)
        if instance.status in TERMINAL:
            instance.pending_events.clear()
            return
        start_at = _scheduled_start(instance)
        if start_at > utc_now():
            self._due.call_at(start_at, lambda: self._enqueue_due(instance_id))
            return
        super()._enqueue_orchestration(instance_id)
        # Stock: an instance that is queued while its turn runs waits for the next look, up to 0.1 s.
        self._work_available.set()

    def _enqueue_due(self, instance_id: str) -> None:
        with self._transaction():
            self._enqueue_orchestration(instance_id)

    # Keeping.

    @contextmanager
    def _transaction(self, changed_id: str = "") -> Generator[None]:
        """Hold the hub; what changed in it is in the store when the outermost block ends."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                self._changed.add(changed_id)
                if self._depth == 0 and not self._closed:
                    self._save_or_fail()

    def _save_or_fail(self) -> None:
        try:
            self._save()
        except Exception as error:
            # Memory now knows what the store does not: only a new start makes them one again.
            self._on_failure(error)
            raise

    def _save(self) -> None:
        """Keep what changed, then tell the clients that wait for it."""
        changed = [self._instances[name] for name in self._changed if name in self._instances]
        gone = [name for name in self._gone if name not in self._instances]
        if changed or gone:
            self._store.save(changed, gone)
        self._changed.clear()
        self._gone.clear()
        for instance_id in self._news:
            super()._notify_waiters(instance_id)
        self._news.clear()

    def _forget(self, instance_id: str) -> None:
        self._instances.pop(instance_id, None)
        self._callers.pop(instance_id, None)
        self._first_token.pop(instance_id, None)
        self._orchestration_queue_set.discard(instance_id)
        self._gone.add(instance_id)

    def _take_up(self) -> None:
        delay = timedelta(0) if self._store.take_clean_stop() else self._redelivery_delay
        with self._transaction():
            for instance in self._store.load():
                instance.completion_token = self._next_completion_token
                self._first_token[instance.instance_id] = instance.completion_token
                self._next_completion_token += 1
                self._instances[instance.instance_id] = instance
            for instance in list(self._instances.values()):
                if instance.status not in TERMINAL:
                    self._take_up_instance(instance, utc_now() + delay)

    def _take_up_instance(self, instance: OrchestrationInstance, activities_at: datetime) -> None:
        """Arm what its history has asked for and not yet received."""
        answered = {_answers(event) for event in (*instance.history, *instance.pending_events)}
        for event in instance.history:
            kind = event.WhichOneof("eventType")
            if kind == "timerCreated" and ("timer", event.eventId) not in answered:
                self._arm(instance, event.eventId, event.timerCreated.fireAt.ToDatetime(UTC))
            elif kind == "taskScheduled" and ("task", event.eventId) not in answered:
                self._redeliver(instance, event, activities_at)
            elif kind == "subOrchestrationInstanceCreated" and ("child", event.eventId) not in answered:
                self._watch_sub_orchestration(
                    instance.instance_id, event.subOrchestrationInstanceCreated.instanceId, event.eventId
                )
        if instance.pending_events and instance.status != pb.ORCHESTRATION_STATUS_SUSPENDED:
            self._enqueue_orchestration(instance.instance_id)

    def _redeliver(self, instance: OrchestrationInstance, scheduled: pb.HistoryEvent, at: datetime) -> None:
        task = scheduled.taskScheduled
        item = ActivityWorkItem(
            instance_id=instance.instance_id,
            name=task.name,
            task_id=scheduled.eventId,
            input=task.input.value if task.HasField("input") else None,
            completion_token=instance.completion_token,
        )

        def queue() -> None:
            with self._lock:
                self._activity_queue.append(item)
                self._work_available.set()

        _LOG.info("activity %s of %s runs again at %s", task.name, instance.instance_id, at.isoformat())
        self._due.call_at(at, queue)


def _scheduled_start(instance: OrchestrationInstance) -> datetime:
    """When the first turn may run: the stock backend puts `start_at` into the first event."""
    events = instance.pending_events
    if instance.status != pb.ORCHESTRATION_STATUS_PENDING or not events:
        return datetime.min.replace(tzinfo=UTC)
    return events[0].timestamp.ToDatetime(UTC)


def _answers(event: pb.HistoryEvent) -> tuple[str, int]:
    """Which request of the orchestrator an event answers: its kind and number."""
    match event.WhichOneof("eventType"):
        case "taskCompleted":
            return "task", event.taskCompleted.taskScheduledId
        case "taskFailed":
            return "task", event.taskFailed.taskScheduledId
        case "timerFired":
            return "timer", event.timerFired.timerId
        case "subOrchestrationInstanceCompleted":
            return "child", event.subOrchestrationInstanceCompleted.taskScheduledId
        case "subOrchestrationInstanceFailed":
            return "child", event.subOrchestrationInstanceFailed.taskScheduledId
        case _:
            return "nothing", event.eventId


def _order_last_events(instance: OrchestrationInstance) -> None:
    """Let a history end with the end of the turn, as the extension's does; the stock one has it before the last."""
    if len(instance.history) > 1 and instance.history[-1].HasField("executionCompleted"):
        instance.history[-2:] = reversed(instance.history[-2:])
