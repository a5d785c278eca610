"""Orchestrations and activities behind the recorded durable cases, and those that the stock backend gets wrong."""

import json
import os
import time
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from durabletask import task

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
type Workflow = Generator[task.Task[Any], Any, Any]
ATTEMPTS: dict[str, int] = {}


class CustomError(Exception):
    pass


@app.activity_trigger(input_name="number")
def add_one(number: int) -> int:
    return number + 1


@app.activity_trigger(input_name="number")
async def add_one_async(number: int) -> int:
    return number + 1


@app.activity_trigger(input_name="seconds")
def slow(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@app.activity_trigger(input_name="how")
def fail(how: str) -> object:
    """Fail in the way that is asked for."""
    if how == "value":
        raise ValueError("SECRET-TEXT-value")
    if how == "custom":
        raise CustomError(42, "SECRET-TEXT-custom")
    if how == "no_text":
        raise ValueError
    if how == "two_lines":
        raise ValueError("first line\nsecond line")
    if how == "unserializable":
        return object()
    try:
        int("SECRET-TEXT-inner")
    except ValueError as inner:
        if how == "chained":
            raise RuntimeError("SECRET-TEXT-outer") from inner
        raise RuntimeError("public outer") from None


@app.activity_trigger(input_name="key")
def flaky(key: str) -> str:
    ATTEMPTS[key] = ATTEMPTS.get(key, 0) + 1
    if ATTEMPTS[key] < 3:
        raise ValueError("not yet")
    return f"{key} ok after {ATTEMPTS[key]}"


@app.activity_trigger(input_name="size")
def letters(size: int) -> str:
    return "x" * size


@app.activity_trigger(input_name="order")
@app.durable_client_input(client_name="client")
async def start_and_wait(order: Any, client: df.DurableFunctionsClient) -> dict[str, Any]:
    """Take a dict; the worker refuses `dict[str, Any]` as the type of an input, not of a result."""
    instance_id = await client.schedule_new_orchestration("chain5", input=order["n"], instance_id=order["id"])
    state = await client.wait_for_orchestration_completion(instance_id, timeout=10)
    assert state is not None
    return {"id": instance_id, "status": state.runtime_status.name, "output": state.get_output()}


@app.activity_trigger(input_name="order")
def log_run(order: Any) -> str:
    """Write a line at the begin and at the end, and take some time between."""
    with Path(order["file"]).open("a") as file:
        file.write(f"begin {order['name']} {os.getpid()}\n")
    time.sleep(order["work"])
    with Path(order["file"]).open("a") as file:
        file.write(f"end {order['name']} {os.getpid()}\n")
    return order["name"]


@app.orchestration_trigger(context_name="ctx")
def chain5(ctx: task.OrchestrationContext, number: int) -> Workflow:
    for _ in range(5):
        number = yield ctx.call_activity("add_one", input=number)
    return number


@app.orchestration_trigger(context_name="ctx")
def fan(ctx: task.OrchestrationContext, count: int) -> Workflow:
    all_of_them: list[task.Task[int]] = [ctx.call_activity("add_one_async", input=n) for n in range(count)]
    results: list[int] = yield task.when_all(all_of_them)
    return sum(results)


@app.orchestration_trigger(context_name="ctx")
def fail_handled(ctx: task.OrchestrationContext, how: str) -> Workflow:
    try:
        yield ctx.call_activity("fail", input=how)
    except task.TaskFailedError as error:
        return {"type": error.details.error_type, "message": error.details.message, "stack": error.details.stack_trace}


@app.orchestration_trigger(context_name="ctx")
def fail_unhandled(ctx: task.OrchestrationContext, how: str) -> Workflow:
    yield ctx.call_activity("fail", input=how)


@app.orchestration_trigger(context_name="ctx")
def fail_self(ctx: task.OrchestrationContext, _: Any) -> Workflow:
    raise RuntimeError("SECRET-TEXT-orchestrator")
    yield


@app.orchestration_trigger(context_name="ctx")
def retrying(ctx: task.OrchestrationContext, key: str) -> Workflow:
    policy = task.RetryPolicy(first_retry_interval=timedelta(milliseconds=20), max_number_of_attempts=4)
    return (yield ctx.call_activity("flaky", input=key, retry_policy=policy))


@app.orchestration_trigger(context_name="ctx")
def calls_unknown_activity(ctx: task.OrchestrationContext, name: str) -> Workflow:
    yield ctx.call_activity(name)


@app.orchestration_trigger(context_name="ctx")
def parent(ctx: task.OrchestrationContext, count: int) -> Workflow:
    children: list[task.Task[int]] = [ctx.call_sub_orchestrator("chain5", input=n) for n in range(count)]
    results: list[int] = yield task.when_all(children)
    return sum(results)


@app.orchestration_trigger(context_name="ctx")
def parent_of(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Workflow:
    try:
        return (
            yield ctx.call_sub_orchestrator(order["name"], input=order.get("input"), instance_id=order.get("child"))
        )
    except task.TaskFailedError as error:
        return {"type": error.details.error_type, "message": error.details.message}


@app.orchestration_trigger(context_name="ctx")
def sleeper(ctx: task.OrchestrationContext, seconds: float) -> Workflow:
    started_at = ctx.current_utc_datetime
    yield ctx.create_timer(timedelta(seconds=seconds))
    return {"slept": (ctx.current_utc_datetime - started_at).total_seconds(), "zone": str(started_at.tzinfo)}


@app.orchestration_trigger(context_name="ctx")
def wait_event(ctx: task.OrchestrationContext, _: Any) -> Workflow:
    return (yield ctx.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="ctx")
def two_events(ctx: task.OrchestrationContext, _: Any) -> Workflow:
    first = yield ctx.wait_for_external_event("a")
    second = yield ctx.wait_for_external_event("b")
    return [first, second]


@app.orchestration_trigger(context_name="ctx")
def approval(ctx: task.OrchestrationContext, seconds: float) -> Workflow:
    event = ctx.wait_for_external_event("approve")
    timer = ctx.create_timer(timedelta(seconds=seconds))
    winner = yield task.when_any([event, timer])
    return {"approved": event.get_result() if winner is event else None}


@app.orchestration_trigger(context_name="ctx")
def loop(ctx: task.OrchestrationContext, state: dict[str, int]) -> Workflow:
    number: int = yield ctx.call_activity("add_one", input=state["n"])
    ctx.set_custom_status({"n": number})
    if number < state["until"]:
        ctx.continue_as_new({"n": number, "until": state["until"]})
        return None
    return number


@app.orchestration_trigger(context_name="ctx")
def loop_events(ctx: task.OrchestrationContext, state: dict[str, list[int]]) -> Workflow:
    got: int = yield ctx.wait_for_external_event("item")
    total = [*state["got"], got]
    if len(total) < 3:
        ctx.continue_as_new({"got": total}, save_events=True)
        return None
    return total


@app.orchestration_trigger(context_name="ctx")
def left_over_timer(ctx: task.OrchestrationContext, state: dict[str, float]) -> Workflow:
    """First generation: an event beats a short timer. Second: a longer timer with the same number must run in full."""
    started_at: datetime = ctx.current_utc_datetime
    timer = ctx.create_timer(timedelta(seconds=state["seconds"]))
    if "next" in state:
        yield task.when_any([ctx.wait_for_external_event("go"), timer])
        ctx.continue_as_new({"seconds": state["next"]})
        return None
    yield timer
    return (ctx.current_utc_datetime - started_at).total_seconds()


@app.orchestration_trigger(context_name="ctx")
def first_wins(ctx: task.OrchestrationContext, seconds: float) -> Workflow:
    both: list[task.Task[Any]] = [ctx.call_activity("add_one", input=1), ctx.call_activity("slow", input=seconds)]
    yield task.when_any(both)
    return "fast"


@app.orchestration_trigger(context_name="ctx")
def custom_status(ctx: task.OrchestrationContext, size: int) -> Workflow:
    ctx.set_custom_status("s" * size)
    yield ctx.wait_for_external_event("go")


@app.orchestration_trigger(context_name="ctx")
def big(ctx: task.OrchestrationContext, size: int) -> Workflow:
    return len((yield ctx.call_activity("letters", input=size)))


@app.orchestration_trigger(context_name="ctx")
def uses_client(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Workflow:
    return (yield ctx.call_activity("start_and_wait", input=order))


@app.orchestration_trigger(context_name="ctx")  # pyright: ignore[reportArgumentType] - the form of version 1
def v1_style(context: df.DurableOrchestrationContext) -> Workflow:
    number = context.get_input()
    number = yield context.call_activity("add_one", number)
    both = yield context.task_all(
        [context.call_activity("add_one", number), context.call_activity("add_one_async", number)]
    )
    context.set_custom_status({"at": "end"})
    return both


@app.orchestration_trigger(context_name="ctx")
def work_then_sleep(ctx: task.OrchestrationContext, order: dict[str, Any]) -> Workflow:
    """One activity that logs, a child that does too, a timer, one more activity."""
    names: list[str] = [(yield ctx.call_activity("log_run", input=order | {"name": f"{order['name']}-1"}))]
    yield ctx.create_timer(timedelta(seconds=order["sleep"]))
    names.append((yield ctx.call_activity("log_run", input=order | {"name": f"{order['name']}-2"})))
    return names


@app.route(route="threads", methods=["GET"])
def threads(req: func.HttpRequest) -> str:
    return os.environ["PYTHON_THREADPOOL_THREAD_COUNT"]


@app.route(route="start/{name}/{id}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    name, instance_id = req.route_params["name"], req.route_params["id"]
    return func.HttpResponse(
        await client.schedule_new_orchestration(name, input=req.get_json(), instance_id=instance_id)
    )


@app.route(route="state/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
def state(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> func.HttpResponse:
    found = client.get_orchestration_state(req.route_params["id"])
    if found is None:
        return func.HttpResponse(json.dumps({"status": "UNKNOWN", "output": None}))
    return func.HttpResponse(json.dumps({"status": found.runtime_status.name, "output": found.get_output()}))


@app.timer_trigger(arg_name="timer", schedule="%TICK%")
@app.durable_client_input(client_name="client")
async def tick(timer: func.TimerRequest, client: df.DurableFunctionsClient) -> None:
    if await client.get_orchestration_state("from-timer") is None:
        await client.schedule_new_orchestration("chain5", input=1, instance_id="from-timer")
