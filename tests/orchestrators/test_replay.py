"""The orchestrators under the real replay engine, and golden histories that must always replay."""

import importlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb

from flexvault.domain.app_role import AppRole
from flexvault.domain.job import STEPS, Step
from flexvault.messages import ACTIVITIES, ORCHESTRATORS, RECONCILE, RECONCILE_JOBS
from orchestrators.back_up_server import back_up_server
from tests.orchestrators.plays import (
    STORIES,
    ActivityError,
    FunctionInvocationException,
    FunctionTimeoutException,
    answers,
    go,
    payload,
)
from tests.orchestrators.replaying import BEGIN, HISTORIES, load, play, replay

COMPLETED = pb.ORCHESTRATION_STATUS_COMPLETED
FAILED = pb.ORCHESTRATION_STATUS_FAILED
ALL: tuple[Callable[..., Any], ...] = importlib.import_module("orchestrators").ORCHESTRATORS[AppRole.ALL]
BY_NAME = {orchestrator.__name__: orchestrator for orchestrator in ALL}
FILES = sorted(HISTORIES.glob("*.json"))


def completion(response: Any) -> Any:
    found = [action.completeOrchestration for action in response.actions if action.HasField("completeOrchestration")]
    return found[0] if found else None


def test_every_story_has_its_golden_file():
    assert {path.stem for path in FILES} >= set(STORIES)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_history_that_was_once_recorded_still_replays(path: Path):
    name, output, requests = load(path)
    responses = [
        replay(BY_NAME[name], [event for events in requests[:last] for event in events], requests[last])
        for last in range(len(requests))
    ]
    for response in responses[:-1]:
        assert completion(response) is None, completion(response)
        assert len(response.actions) > 0
    ended = completion(responses[-1])
    assert (ended.orchestrationStatus, json.loads(ended.result.value)) == (COMPLETED, output)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_history_schedules_the_same_when_all_of_it_is_replayed_at_once(path: Path):
    name, output, requests = load(path)
    events = [event for events in requests for event in events]
    ended = completion(replay(BY_NAME[name], events[:-1], events[-1:]))
    assert json.loads(ended.result.value) == output


def test_a_history_that_the_code_does_not_follow_is_found_out():
    _, _, requests = load(HISTORIES / "backup.json")
    events = [event for events in requests[:3] for event in events]
    for event in events:
        if event.HasField("taskScheduled"):
            event.taskScheduled.name = "renamed"
    ended = completion(replay(back_up_server, events, requests[3]))
    assert ended.orchestrationStatus == FAILED
    assert "NonDeterminism" in ended.failureDetails.errorType


def test_a_backup_calls_its_steps_in_order_and_waits_as_told():
    orchestrator, begin, activities = STORIES["backup"]
    played = play(orchestrator, begin, activities())
    assert [name for name, _ in played.calls] == [
        "prepare_landing",
        "start_backup",
        "poll_backup",
        "poll_backup",
        "promote_files",
        "promote_files",
        "seal_point",
    ]
    assert [round(timer.total_seconds()) for timer in played.timers] == [90, 180, 600]
    assert (played.status, played.output) == (COMPLETED, "done")


def test_each_call_carries_the_generation_and_its_own_step():
    orchestrator, begin, activities = STORIES["backup_taken_over"]
    played = play(orchestrator, begin, activities())
    assert [(body["generation"], body["step"]) for _, body in played.calls] == [(3, "Polling"), (3, "Promoting")]
    assert played.output == "superseded"


def test_a_transient_failure_is_repeated_by_the_retry_policy():
    tries = [ActivityError("503")] * 3
    played = play(back_up_server, payload(Step.SEALING), answers(*tries, go(None)))
    assert [name for name, _ in played.calls] == ["seal_point"] * 4
    assert [round(timer.total_seconds()) for timer in played.timers] == [2, 4, 8]
    assert played.status == COMPLETED


def test_a_failure_that_stays_ends_the_orchestration_and_leaves_the_job_to_reconcile():
    played = play(back_up_server, payload(Step.SEALING), answers(*[ActivityError("503")] * 4))
    assert played.status == FAILED
    assert len(played.calls) == 4


@pytest.mark.parametrize("error", [FunctionTimeoutException("late"), FunctionInvocationException("dead")])
def test_an_error_of_the_hosts_is_an_unknown_outcome_so_the_step_is_looked_at_again(error: Exception):
    played = play(back_up_server, payload(Step.PROMOTING), answers(*[error] * 4, go(None)))
    assert [name for name, _ in played.calls] == ["promote_files"] * 5
    assert played.status == COMPLETED


def test_a_host_that_never_recovers_ends_the_orchestration_after_some_looks():
    played = play(back_up_server, payload(Step.PROMOTING), answers(*[FunctionTimeoutException("x")] * 99))
    assert played.status == FAILED
    assert len(played.calls) == 4 * 6


def test_a_moment_that_has_passed_is_not_waited_for():
    begin = payload(Step.PREPARING, not_before=BEGIN.timestamp() - 5)
    assert play(back_up_server, begin, answers(go(None))).timers == []


def test_a_payload_of_an_older_version_begins_at_once():
    begin = payload(Step.PREPARING)
    del begin["not_before"]
    assert play(back_up_server, begin, answers(go(None))).output == "done"


def test_a_payload_that_is_none_ends_the_orchestration_and_harms_nothing_else():
    assert play(back_up_server, {"step": "Nowhere"}, answers()).status == FAILED


@pytest.mark.parametrize("operation", list(ORCHESTRATORS))
def test_every_operation_runs_the_same_loop_from_any_step(operation: Any):
    orchestrator = BY_NAME[ORCHESTRATORS[operation]]
    for step in STEPS[operation]:
        played = play(orchestrator, payload(step), answers(go(None)))
        assert [name for name, _ in played.calls] == [ACTIVITIES[step]]


def test_a_reconciliation_is_one_look():
    orchestrator, begin, activities = STORIES["reconcile"]
    played = play(orchestrator, begin, activities())
    assert [name for name, _ in played.calls] == [RECONCILE_JOBS]
    assert played.output["removed_containers"] == 0


def test_orchestrators_are_registered_by_the_names_that_starts_use():
    assert set(BY_NAME) == {*ORCHESTRATORS.values(), RECONCILE}


def test_a_backup_takes_at_most_thirteen_durable_actions():
    quiet = answers(
        go(Step.STARTING), go(Step.POLLING, 180), go(Step.POLLING, 600), go(Step.POLLING, 600), go(Step.PROMOTING),
        go(Step.SEALING), go(None),
    )  # fmt: skip
    begin = payload(Step.PREPARING, not_before=BEGIN.timestamp() + 30)
    played = play(back_up_server, begin, quiet)
    assert 1 + len(played.calls) + len(played.timers) <= 13
    assert sum(played.timers, timedelta()) > timedelta(minutes=22)
