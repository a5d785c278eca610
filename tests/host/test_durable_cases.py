"""What the real host's Durable extension did, asked again here."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import azure.durable_functions as df
import grpc
import pytest
from durabletask.client import OrchestrationState, OrchestrationStatus

from local_cloud.functions_host.clock import utc_now
from local_cloud.functions_host.host import FunctionsHost, HostOptions
from tests.host.running import APPS, CASES, RunningHost, read_cases

RUNS = read_cases("durable.json")
CALLS: list[dict[str, Any]] = json.loads((CASES / "durable.json").read_text(encoding="utf-8"))["calls"]
ADDRESS = re.compile(r"0x[0-9a-f]+")
ANSWER_SECONDS = 5
Client = df.SyncDurableFunctionsClient


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionsHost]:
    with RunningHost(HostOptions(app_dir=APPS / "durable", state_dir=tmp_path_factory.mktemp("hub"))) as running:
        yield running.host


@pytest.fixture(scope="module")
def client(host: FunctionsHost) -> Iterator[Client]:
    with closing(Client(host.client_config)) as client:
        yield client


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RUNS])
def test_an_orchestration_runs_as_on_the_real_host(client: Client, case: dict[str, Any]) -> None:
    names = {"ID": f"run-{case['id']}", "CHILD": f"child-{case['id']}"}
    client.schedule_new_orchestration(case["orchestrator"], input=filled(case["input"], names), instance_id=names["ID"])
    for name, value in case.get("raise", []):
        client.raise_orchestration_event(names["ID"], name, data=value)
    state = finished(client, names["ID"])

    assert state.runtime_status.name == case["status"]
    assert state.serialized_custom_status == case["custom_status"]
    if case["output"] is not None:
        assert state.serialized_output is not None
        assert state.serialized_output.startswith(filled(case["output"], names))
    if "failure" in case:
        assert_failure(json.loads(state.serialized_output or ""), case["failure"])
    if "history" in case:
        assert history_of(client, names["ID"]) == case["history"]


def filled(template: Any, names: dict[str, str]) -> Any:
    text = json.dumps(template)
    for name, value in names.items():
        text = text.replace(f"<{name}>", value)
    return json.loads(text)


def finished(client: Client, instance_id: str) -> OrchestrationState:
    state = client.wait_for_orchestration_completion(instance_id, timeout=ANSWER_SECONDS)
    assert state is not None
    return state


def assert_failure(seen: dict[str, str], recorded: dict[str, Any]) -> None:
    assert seen["type"] == recorded["type"]
    assert ADDRESS.sub("ADDRESS", seen["message"]) == recorded["message"]
    planted = [text for text in ("inner", "outer", "value", "custom") if f"SECRET-TEXT-{text}" in seen["stack"]]
    assert planted == [text.removeprefix("SECRET-TEXT-") for text in recorded["stack_says"]]


def history_of(client: Client, instance_id: str) -> list[str]:
    return [type(event).__name__.removesuffix("Event") for event in client.get_orchestration_history(instance_id)]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CALLS])
def test_a_client_call_is_answered_as_by_the_real_host(client: Client, case: dict[str, Any]) -> None:
    instance_id = f"call-{case['id']}"
    bring_into_state(client, instance_id, case["state"])

    assert answer_of(client, case["call"], instance_id) == (
        case["code"],
        None if case["details"] is None else filled(case["details"], {"ID": instance_id}),
    )


def bring_into_state(client: Client, instance_id: str, state: str) -> None:
    if state == "unknown":
        return
    if state in ("completed", "failed"):
        orchestrator = "chain5" if state == "completed" else "fail_self"
        client.schedule_new_orchestration(orchestrator, input=1, instance_id=instance_id)
        finished(client, instance_id)
        return
    start_at = utc_now() + timedelta(minutes=1) if state == "pending" else None
    client.schedule_new_orchestration("wait_event", instance_id=instance_id, start_at=start_at)
    if state == "pending":
        return
    client.wait_for_orchestration_start(instance_id, timeout=ANSWER_SECONDS)
    if state == "terminated":
        client.terminate_orchestration(instance_id)
        finished(client, instance_id)
    if state == "suspended":
        client.suspend_orchestration(instance_id)


def answer_of(client: Client, call: str, instance_id: str) -> tuple[str, str | None]:
    calls: dict[str, Callable[[], object]] = {
        "start": lambda: client.schedule_new_orchestration("chain5", input=50, instance_id=instance_id),
        "raise": lambda: client.raise_orchestration_event(instance_id, "go"),
        "terminate": lambda: client.terminate_orchestration(instance_id),
        "suspend": lambda: client.suspend_orchestration(instance_id),
        "resume": lambda: client.resume_orchestration(instance_id),
        "purge": lambda: client.purge_orchestration(instance_id),
        "restart": lambda: client.restart_orchestration(instance_id),
        "list_ids": client.list_instance_ids,
        "state": lambda: client.get_orchestration_state(instance_id),
    }
    try:
        calls[call]()
    except grpc.RpcError as error:
        answer = cast("grpc.Call", error)
        return answer.code().name, answer.details()
    return "OK", None


def test_a_finished_instance_is_replaced_by_a_new_start(client: Client) -> None:
    for number in (1, 50):
        client.schedule_new_orchestration("chain5", input=number, instance_id="again")
        state = finished(client, "again")

    assert (state.serialized_input, state.serialized_output) == ("50", "55")


def test_purge_counts_what_it_removes(client: Client) -> None:
    client.schedule_new_orchestration("chain5", input=1, instance_id="to-purge")
    finished(client, "to-purge")

    assert [client.purge_orchestration("to-purge").deleted_instance_count for _ in range(2)] == [1, 0]
    assert client.get_orchestration_state("to-purge") is None


def test_a_terminated_instance_has_the_given_output(client: Client) -> None:
    client.schedule_new_orchestration("wait_event", instance_id="to-terminate")
    client.terminate_orchestration("to-terminate", output={"reason": "x"})
    state = finished(client, "to-terminate")

    assert (state.runtime_status.name, state.serialized_output) == ("TERMINATED", '{"reason": "x"}')


def test_events_wait_for_the_end_of_a_suspension(client: Client) -> None:
    client.schedule_new_orchestration("wait_event", instance_id="to-suspend")
    client.wait_for_orchestration_start("to-suspend", timeout=ANSWER_SECONDS)
    client.suspend_orchestration("to-suspend")
    client.raise_orchestration_event("to-suspend", "go", data="x")
    client.resume_orchestration("to-suspend")

    assert finished(client, "to-suspend").serialized_output == '"x"'
    assert "ExecutionSuspended" in history_of(client, "to-suspend")


@pytest.mark.parametrize("instance_id", ["a/b", "a\\b", "a#b", "a?b", "a b", "\u00e9", "x" * 256, "UPPER", "a.b_c:d"])
def test_an_instance_id_may_hold_almost_anything(client: Client, instance_id: str) -> None:
    assert client.schedule_new_orchestration("chain5", input=1, instance_id=instance_id) == instance_id

    assert finished(client, instance_id).serialized_output == "6"


def test_a_client_refuses_to_send_an_input_over_4_mib(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        client.schedule_new_orchestration("chain5", input="x" * 5_000_000)

    assert cast("grpc.Call", refused.value).code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_clock_of_an_orchestrator_is_naive_and_a_timer_never_early(client: Client) -> None:
    instance_id = client.schedule_new_orchestration("sleeper", input=0.2)

    output = finished(client, instance_id).get_output()
    assert output["slept"] >= 0.2
    assert output["zone"] == "None"


def test_a_call_of_an_unknown_activity_fails_with_its_name(client: Client) -> None:
    instance_id = client.schedule_new_orchestration("calls_unknown_activity", input="nobody")
    state = finished(client, instance_id)

    assert state.runtime_status == OrchestrationStatus.FAILED
    assert "The function 'nobody' doesn't exist" in (state.serialized_output or "")


def test_only_the_first_line_of_a_failure_is_its_text(client: Client) -> None:
    instance_id = client.schedule_new_orchestration("fail_handled", input="two_lines")

    output = finished(client, instance_id).get_output()
    assert output["message"] == "first line"
    assert "second line" in output["stack"]
