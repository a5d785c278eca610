"""The loop that every job runs in: call the step, wait if told, go on with the next.

A fresh start, a takeover and a host's error take the same way, because the open row knows the step and every activity
looks at it first.
"""

from collections.abc import Generator
from datetime import UTC, timedelta
from typing import Any

from durabletask import task

from flexvault.messages import ACTIVITIES, StepAnswer, StepRequest

RETRY = task.RetryPolicy(
    first_retry_interval=timedelta(seconds=2),
    max_number_of_attempts=4,
    backoff_coefficient=2.0,
    max_retry_interval=timedelta(seconds=30),
)
HOST_ERRORS = ("FunctionInvocationException", "FunctionTimeoutException", "WorkerProcessExitException")
"""Error types of the host's own: the outcome is unknown, so the step is looked at again."""
MAX_LOOKS = 5
LOOK_AGAIN_AFTER = timedelta(seconds=5)
MAX_TURNS = 100
"""A replay reads all of a history: after so many turns the job goes on with an empty one."""

type Job = Generator[task.Task[Any], Any, str]


def run_job(ctx: task.OrchestrationContext, payload: dict[str, Any]) -> Job:
    """Run one generation of a job to its end; answers `done` or `superseded`, or `continued` with a new history."""
    request = StepRequest.from_json(payload)
    early = request.not_before - ctx.current_utc_datetime.replace(tzinfo=UTC).timestamp()
    if early > 0:
        yield ctx.create_timer(timedelta(seconds=early))
    step, looks = request.step, 0
    for _ in range(MAX_TURNS):
        body = {**payload, "step": step.value}
        try:
            answered = yield ctx.call_activity(ACTIVITIES[step], input=body, retry_policy=RETRY)
        except task.TaskFailedError as error:
            if not error.details.error_type.endswith(HOST_ERRORS) or looks >= MAX_LOOKS:
                raise  # the row is stale soon, and reconcile takes it over
            looks += 1
            yield ctx.create_timer(LOOK_AGAIN_AFTER)
            continue
        answer = StepAnswer.from_json(answered)
        if answer.next is None:
            return "superseded" if answer.superseded else "done"
        if answer.wait_seconds > 0:
            yield ctx.create_timer(timedelta(seconds=answer.wait_seconds))
        step = answer.next
    ctx.continue_as_new({**payload, "step": step.value, "not_before": 0.0})
    return "continued"
