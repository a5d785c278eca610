"""What the task hub keeps: each story is cut off by a copy of the files, as a kill would leave them."""

import json
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest
from durabletask.client import OrchestrationStatus

from local_cloud.functions_host.clock import utc_now
from local_cloud.functions_host.errors import HostError
from local_cloud.functions_host.host import HostOptions
from tests.host.running import APPS, RunningHost

ANSWER_SECONDS = 5
POLL_SECONDS = 0.01
Client = df.SyncDurableFunctionsClient


@contextmanager
def hub(state: Path, **options: Any) -> Generator[Client]:
    """Run a host with its hub in `state`, and give a client."""
    settings: dict[str, Any] = {"drain": timedelta(seconds=0.05)} | options
    with (
        RunningHost(HostOptions(app_dir=APPS / "durable", state_dir=state, **settings)) as running,
        closing(Client(running.host.client_config)) as client,
    ):
        yield client


@pytest.fixture
def killed(tmp_path: Path) -> Callable[[], Path]:
    """Copy the files of the running hub and return the copy's folder."""

    def copy() -> Path:
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
        return tmp_path / "killed"

    return copy


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "live"


def output_of(client: Client, instance_id: str) -> Any:
    state = client.wait_for_orchestration_completion(instance_id, timeout=ANSWER_SECONDS)
    assert state is not None
    assert state.runtime_status == OrchestrationStatus.COMPLETED
    return json.loads(state.serialized_output or "null")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def begin_work(client: Client, log: Path) -> None:
    """Start an activity that lasts, and return when it runs."""
    log.touch()
    order = {"file": str(log), "name": "work", "work": 0.4, "sleep": 0}
    client.schedule_new_orchestration("work_then_sleep", input=order, instance_id="work")
    wait_until(lambda: "begin work-1" in log.read_text())


def test_an_activity_in_flight_at_a_kill_waits_for_its_redelivery(
    live: Path, killed: Callable[[], Path], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with hub(live) as client:
        begin_work(client, log)
        files = killed()

    restarted_at = time.monotonic()
    with hub(files, redelivery_delay=timedelta(seconds=0.6)) as client:
        wait_until(lambda: log.read_text().count("begin work-1") == 2)
        waited_seconds = time.monotonic() - restarted_at
        assert output_of(client, "work") == ["work-1", "work-2"]
    assert waited_seconds >= 0.6


def test_an_activity_that_a_gentle_stop_abandoned_runs_again_at_once(live: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with hub(live) as client:
        begin_work(client, log)

    with hub(live, redelivery_delay=timedelta(minutes=5)) as client:
        assert output_of(client, "work") == ["work-1", "work-2"]
    assert log.read_text().count("begin work-1") == 2


def test_events_that_were_raised_before_a_kill_are_kept(live: Path, killed: Callable[[], Path]) -> None:
    with hub(live) as client:
        client.schedule_new_orchestration("two_events", instance_id="events")
        client.raise_orchestration_event("events", "b", data="second")
        files = killed()

    with hub(files) as client:
        client.raise_orchestration_event("events", "a", data="first")
        assert output_of(client, "events") == ["first", "second"]


def test_a_kill_between_two_generations_goes_on_with_the_later(live: Path, killed: Callable[[], Path]) -> None:
    def got(client: Client) -> int:
        state = client.get_orchestration_state("loop")
        assert state is not None
        return len(json.loads(state.serialized_input or "{}")["got"])

    with hub(live) as client:
        client.schedule_new_orchestration("loop_events", input={"got": []}, instance_id="loop")
        client.raise_orchestration_event("loop", "item", data=1)
        wait_until(lambda: got(client) == 1)
        files = killed()

    with hub(files) as client:
        for number in (2, 3):
            client.raise_orchestration_event("loop", "item", data=number)
        assert output_of(client, "loop") == [1, 2, 3]


def test_a_scheduled_start_is_kept_over_a_kill(live: Path, killed: Callable[[], Path]) -> None:
    start_at = utc_now() + timedelta(seconds=1)
    with hub(live) as client:
        client.schedule_new_orchestration("chain5", input=1, instance_id="later", start_at=start_at)
        files = killed()

    with hub(files) as client:
        state = client.get_orchestration_state("later")
        assert state is not None
        assert state.runtime_status == OrchestrationStatus.PENDING
        assert output_of(client, "later") == 6
    assert utc_now() >= start_at


def test_suspended_and_finished_instances_are_found_as_they_were(live: Path, killed: Callable[[], Path]) -> None:
    with hub(live) as client:
        client.schedule_new_orchestration("loop", input={"n": 1, "until": 2}, instance_id="done")
        output_of(client, "done")
        client.schedule_new_orchestration("wait_event", instance_id="asleep")
        client.wait_for_orchestration_start("asleep", timeout=ANSWER_SECONDS)
        client.suspend_orchestration("asleep")
        wait_until(lambda: status_of(client, "asleep") == "SUSPENDED")
        before = client.get_orchestration_state("done")
        files = killed()

    with hub(files) as client:
        assert client.get_orchestration_state("done") == before
        assert status_of(client, "asleep") == "SUSPENDED"
        client.resume_orchestration("asleep")
        client.raise_orchestration_event("asleep", "go", data="x")
        assert output_of(client, "asleep") == "x"


def status_of(client: Client, instance_id: str) -> str:
    state = client.get_orchestration_state(instance_id)
    return "UNKNOWN" if state is None else state.runtime_status.name


def test_a_finished_instance_is_purged_after_a_while_and_a_waiting_one_is_not(live: Path) -> None:
    with hub(live, keep_finished=timedelta(seconds=0.1)) as client:
        client.schedule_new_orchestration("wait_event", instance_id="waits")
        client.schedule_new_orchestration("chain5", input=1, instance_id="ends")
        wait_until(lambda: status_of(client, "ends") == "UNKNOWN")
        assert status_of(client, "waits") == "RUNNING"

    with hub(live) as client:
        assert (status_of(client, "ends"), status_of(client, "waits")) == ("UNKNOWN", "RUNNING")


def test_a_second_host_with_the_same_hub_is_refused(live: Path, tmp_path: Path) -> None:
    with hub(live), pytest.raises(HostError, match="does another host run with it"), hub(live):
        pass
