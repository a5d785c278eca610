"""What durabletask's own in-memory backend does wrong and ours does right.

Each test runs on both. On the stock backend it must fail, with the reason given: when a new version of durabletask
corrects one, the strict mark says so and our correction can go.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any, cast

import azure.durable_functions as df
import grpc
import pytest
from durabletask import history
from durabletask.client import OrchestrationState, OrchestrationStatus, TaskHubGrpcClient
from durabletask.testing import in_memory_backend

from local_cloud.functions_host.clock import utc_now
from local_cloud.functions_host.host import FunctionsHost, HostOptions, HubKind
from tests.host.running import APPS, RunningHost

# The stock backend gives a sub-orchestration this long; shortened, so that the tests are quick.
STOCK_WAIT_SECONDS = 0.3
ANSWER_SECONDS = 5
# How a test may fail on the stock backend; anything else is an error of the test.
FAILURES = (AssertionError, TimeoutError, grpc.RpcError, pytest.fail.Exception)


@pytest.fixture(scope="module", params=["memory", "stock"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionsHost]:
    hub: HubKind = request.param
    options = HostOptions(app_dir=APPS / "durable", state_dir=tmp_path_factory.mktemp(hub), hub=hub)
    with RunningHost(options) as running:
        yield running.host


@pytest.fixture
def host(request: pytest.FixtureRequest, running: FunctionsHost) -> FunctionsHost:
    reason = request.node.get_closest_marker("stock")
    if request.node.callspec.params["running"] == "stock":
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason.args[0], raises=FAILURES))
    return running


@pytest.fixture
def client(host: FunctionsHost) -> Iterator[df.SyncDurableFunctionsClient]:
    with closing(df.SyncDurableFunctionsClient(host.client_config)) as client:
        yield client


def stock(reason: str) -> pytest.MarkDecorator:
    """What the stock backend does instead."""
    return pytest.mark.stock(reason)


def finished(client: TaskHubGrpcClient, instance_id: str, seconds: float = ANSWER_SECONDS) -> OrchestrationState:
    state = client.wait_for_orchestration_completion(instance_id, timeout=seconds)
    assert state is not None
    return state


@stock("gives the child half a minute and lets the parent wait for ever")
def test_a_parent_hears_of_a_child_that_takes_long(
    client: df.SyncDurableFunctionsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend: Any = in_memory_backend.InMemoryOrchestrationBackend
    wait_for_state = backend._wait_for_state

    def impatient(self: Any, instance_id: str, predicate: Any, timeout: float | None) -> Any:
        return wait_for_state(self, instance_id, predicate, STOCK_WAIT_SECONDS if timeout is None else timeout)

    monkeypatch.setattr(backend, "_wait_for_state", impatient)
    instance_id = client.schedule_new_orchestration("parent_of", input={"name": "sleeper", "input": 0.8})

    assert finished(client, instance_id, 1.5).get_output()["slept"] >= 0.8


@pytest.mark.long
@stock("gives the child half a minute and lets the parent wait for ever")
def test_a_parent_hears_of_a_child_that_takes_more_than_half_a_minute(client: df.SyncDurableFunctionsClient) -> None:
    instance_id = client.schedule_new_orchestration("parent_of", input={"name": "sleeper", "input": 32})

    assert finished(client, instance_id, 40).get_output()["slept"] >= 32


@stock("lets a timer of the generation before fire into this one")
def test_a_timer_left_over_from_before_continue_as_new_never_fires(client: df.SyncDurableFunctionsClient) -> None:
    instance_id = client.schedule_new_orchestration("left_over_timer", input={"seconds": 0.5, "next": 1.0})
    client.wait_for_orchestration_start(instance_id, timeout=ANSWER_SECONDS)
    client.raise_orchestration_event(instance_id, "go")

    assert finished(client, instance_id).get_output() >= 1.0


@stock("runs the finished orchestrator again, which then ends twice")
def test_a_result_that_comes_after_the_end_is_dropped(client: df.SyncDurableFunctionsClient) -> None:
    instance_id = client.schedule_new_orchestration("first_wins", input=0.2)
    finished(client, instance_id)
    later = client.schedule_new_orchestration("first_wins", input=0.4)
    finished(client, later)
    # An activity that was begun after the loser of the first, and takes longer, has ended: so has the loser.
    last = client.schedule_new_orchestration("sleeper", input=0.3)
    finished(client, last)

    events = client.get_orchestration_history(instance_id)
    assert sum(isinstance(event, history.ExecutionCompletedEvent) for event in events) == 1


@stock("lets ten waiting clients block every other call")
def test_many_waiting_clients_do_not_block_another_call(client: df.SyncDurableFunctionsClient) -> None:
    instance_id = client.schedule_new_orchestration("wait_event")
    client.wait_for_orchestration_start(instance_id, timeout=ANSWER_SECONDS)

    def wait() -> None:
        with pytest.raises(TimeoutError):
            client.wait_for_orchestration_completion(instance_id, timeout=1.5)

    with ThreadPoolExecutor(12) as waiting:
        waits = [waiting.submit(wait) for _ in range(12)]
        time.sleep(0.3)  # until they are all at the server; nothing tells
        asked_at = time.monotonic()
        client.get_orchestration_state(instance_id)
        answered_after = time.monotonic() - asked_at
        for each in waits:
            each.result()

    assert answered_after < 0.6


@stock("keeps a sleeping thread for each timer")
def test_pending_timers_take_no_threads(client: df.SyncDurableFunctionsClient) -> None:
    before = threading.active_count()
    ids = [client.schedule_new_orchestration("sleeper", input=60) for _ in range(60)]
    for instance_id in ids:
        client.wait_for_orchestration_start(instance_id, timeout=ANSWER_SECONDS)
    grown_by = threading.active_count() - before
    for instance_id in ids:
        client.terminate_orchestration(instance_id)

    # gRPC adds threads of its own as calls come, up to one for each of these.
    assert grown_by < 55


@stock("takes the id of a finished instance for ever")
def test_the_id_of_a_finished_instance_can_be_used_again(client: df.SyncDurableFunctionsClient) -> None:
    for number in (1, 50):
        client.schedule_new_orchestration("chain5", input=number, instance_id="used-again")
        assert finished(client, "used-again").get_output() == number + 5


@stock("runs it at once")
def test_start_at_is_honoured(client: df.SyncDurableFunctionsClient) -> None:
    start_at = utc_now() + timedelta(seconds=0.6)
    instance_id = client.schedule_new_orchestration("chain5", input=1, start_at=start_at)
    state = client.get_orchestration_state(instance_id)
    assert state is not None
    assert state.runtime_status == OrchestrationStatus.PENDING

    assert finished(client, instance_id).last_updated_at.timestamp() >= start_at.timestamp()


@stock("refuses a message over 4 MiB")
def test_an_endpoint_takes_messages_over_4_mib(client: df.SyncDurableFunctionsClient, host: FunctionsHost) -> None:
    address = client.rpcBaseUrl.removeprefix("http://")
    large = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with (
        grpc.insecure_channel(address, options=large) as channel,
        closing(TaskHubGrpcClient(channel=channel)) as unlimited,
    ):
        instance_id = unlimited.schedule_new_orchestration("wait_event", input="x" * 5_000_000)

        state = unlimited.get_orchestration_state(instance_id)
        assert state is not None
        assert len(state.get_input()) == 5_000_000


@stock("leaves the parent out")
def test_a_child_knows_its_parent(client: df.SyncDurableFunctionsClient) -> None:
    parent_id = client.schedule_new_orchestration(
        "parent_of", input={"name": "chain5", "input": 1, "child": "known-child"}
    )
    finished(client, parent_id)

    started = next(
        event
        for event in client.get_orchestration_history("known-child")
        if isinstance(event, history.ExecutionStartedEvent)
    )
    assert started.parent_instance is not None
    assert started.parent_instance.orchestration_instance is not None
    assert started.parent_instance.orchestration_instance.instance_id == parent_id


@stock("takes a failure without a text for a success")
def test_a_failure_without_a_text_is_a_failure(client: df.SyncDurableFunctionsClient) -> None:
    instance_id = client.schedule_new_orchestration("fail_handled", input="no_text")

    output = finished(client, instance_id).get_output()
    assert output is not None
    assert (output["type"], output["message"]) == ("ValueError", "")


@stock("answers OK and keeps the event")
def test_an_event_for_a_finished_instance_is_refused(client: df.SyncDurableFunctionsClient) -> None:
    instance_id = client.schedule_new_orchestration("chain5", input=1)
    finished(client, instance_id)

    with pytest.raises(grpc.RpcError) as refused:
        client.raise_orchestration_event(instance_id, "go")
    assert cast("grpc.Call", refused.value).code() == grpc.StatusCode.FAILED_PRECONDITION
