"""The real replay engine, without a host: a request with a history goes in, actions come out.

A history is played as the backend would: what an orchestrator schedules becomes an event, and the next request carries
its outcome. `python -m tests.orchestrators.record` keeps such histories as golden files.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import json_format

HISTORIES = Path(__file__).parent / "histories"
BEGIN = datetime(2026, 1, 5, 2, tzinfo=UTC)
INSTANCE = "019b8be1-f500-75fe-80f4-3f925cfdba49"
type Outcome = dict[str, Any] | Exception
type Play = Callable[[str, Any], Outcome]
"""(activity, its input) -> what it answers, or what it fails with."""


def replay(orchestrator: Callable[..., Any], past: Sequence[Any], new: Sequence[Any]) -> Any:
    """Run an orchestrator over a history; answers the engine's response."""
    request: Any = pb.OrchestratorRequest(instanceId=INSTANCE, pastEvents=past, newEvents=new)
    body = base64.b64encode(request.SerializeToString()).decode()
    builder: Any = df.DFApp().orchestration_trigger(context_name="ctx")(orchestrator)
    answered = asyncio.run(builder.build().get_user_function()(ctx=func.OrchestrationContext(body)))
    return pb.OrchestratorResponse.FromString(base64.b64decode(answered))


def started(orchestrator: Callable[..., Any], payload: dict[str, Any]) -> list[Any]:
    """The events that every history begins with."""
    name = orchestrator.__name__
    return [
        helpers.new_orchestrator_started_event(BEGIN),
        helpers.new_execution_started_event(name, INSTANCE, json.dumps(payload)),
    ]


@dataclass(slots=True)
class Played:
    """A history from start to end."""

    events: list[list[Any]] = field(default_factory=list[list[Any]])
    """One list per request: what was new in it, after what the one before had scheduled."""
    calls: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    timers: list[timedelta] = field(default_factory=list[timedelta])
    status: int = 0
    output: Any = None
    error_type: str = ""


def play(orchestrator: Callable[..., Any], payload: dict[str, Any], activities: Play, *, most: int = 200) -> Played:
    """Play an orchestration to its end; a timer fires when it is due."""
    played = Played(events=[started(orchestrator, payload)])
    now = BEGIN
    for _ in range(most):
        *past, new = played.events
        response = replay(orchestrator, [event for events in past for event in events], new)
        scheduled: list[Any] = []
        outcomes: list[Any] = []
        for action in response.actions:
            kind = action.WhichOneof("orchestratorActionType")
            if kind == "completeOrchestration":
                return _finish(played, action.completeOrchestration)
            now = _take(played, action, kind, activities, scheduled, outcomes, now)
        played.events.append([*scheduled, helpers.new_orchestrator_started_event(now), *outcomes])
    message = f"did not end: {played.calls[-3:]}"
    raise AssertionError(message)


def _take(
    played: Played,
    action: Any,
    kind: str,
    activities: Play,
    scheduled: list[Any],
    outcomes: list[Any],
    now: datetime,
) -> datetime:
    if kind == "createTimer":
        at = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        played.timers.append(at - now)
        scheduled.append(helpers.new_timer_created_event(action.id, at))
        outcomes.append(helpers.new_timer_fired_event(action.id, at))
        return max(now, at)
    assert kind == "scheduleTask", kind
    name, text = action.scheduleTask.name, action.scheduleTask.input.value
    played.calls.append((name, json.loads(text)))
    scheduled.append(helpers.new_task_scheduled_event(action.id, name, text))
    outcome = activities(name, json.loads(text))
    if isinstance(outcome, Exception):
        outcomes.append(helpers.new_task_failed_event(action.id, outcome))
    else:
        outcomes.append(helpers.new_task_completed_event(action.id, json.dumps(outcome)))
    return now + timedelta(seconds=1)


def _finish(played: Played, completed: Any) -> Played:
    played.status = completed.orchestrationStatus
    played.output = json.loads(completed.result.value) if completed.result.value else None
    played.error_type = completed.failureDetails.errorType
    return played


def save(path: Path, orchestrator: str, played: Played) -> None:
    """Keep a history as a golden file."""
    events = [[json_format.MessageToDict(event) for event in events] for events in played.events]
    kept = {"orchestrator": orchestrator, "output": played.output, "events": events}
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def load(path: Path) -> tuple[str, Any, list[list[Any]]]:
    """Read a golden file: (orchestrator, output, events of each request)."""
    kept = json.loads(path.read_text())
    events = [[json_format.ParseDict(event, pb.HistoryEvent()) for event in events] for events in kept["events"]]
    return kept["orchestrator"], kept["output"], events
