"""The loop alone: a plain generator over a context that remembers what it was asked for."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.durable_functions.testing import orchestrator_generator_wrapper
from durabletask import task

from flexvault.domain.job import Step
from orchestrators.run_job import HOST_ERRORS, LOOK_AGAIN_AFTER, MAX_LOOKS, MAX_TURNS, RETRY, run_job
from tests.orchestrators.plays import go, payload
from tests.orchestrators.replaying import BEGIN


class _Result:
    """A task whose result is known."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome

    @property
    def result(self) -> Any:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


NAIVE_BEGIN = BEGIN.replace(tzinfo=None)


@dataclass(slots=True)
class FakeContext:
    """Answers activities in turn; time is naive UTC, as on the real host."""

    outcomes: list[Any]
    current_utc_datetime: datetime = NAIVE_BEGIN
    asked: list[Any] = field(default_factory=list[Any])

    def call_activity(self, name: str, *, input: Any, retry_policy: Any) -> _Result:  # noqa: A002 - Durable's name
        self.asked.append((name, input["step"]))
        assert retry_policy is RETRY, "an activity without a retry policy dies with its worker"
        return _Result(self.outcomes.pop(0))

    def create_timer(self, duration: timedelta) -> _Result:
        self.asked.append(duration)
        return _Result(None)

    def continue_as_new(self, new_input: Any) -> None:
        self.asked.append(("continue_as_new", new_input["step"], new_input["not_before"]))


def run(outcomes: list[Any], begin: dict[str, Any] | None = None) -> tuple[list[Any], Any]:
    context: Any = FakeContext(outcomes)
    played = list(orchestrator_generator_wrapper(run_job(context, begin or payload(Step.PREPARING))))
    return context.asked, played[-1]


def failed(error_type: str) -> task.TaskFailedError:
    error = type(error_type, (Exception,), {"__module__": "builtins"})("no")
    return task.TaskFailedError("no", error)


def test_it_calls_a_step_waits_if_told_and_goes_on_with_the_next():
    asked, output = run([go(Step.STARTING).to_json(), go(Step.POLLING, 90).to_json(), go(None).to_json()])
    assert asked == [
        ("prepare_landing", "Preparing"),
        ("start_backup", "Starting"),
        timedelta(seconds=90),
        ("poll_backup", "Polling"),
    ]
    assert output == "done"


def test_it_waits_for_its_moment_first():
    asked, _ = run([go(None).to_json()], payload(Step.PREPARING, not_before=BEGIN.timestamp() + 40))
    assert asked[0] == timedelta(seconds=40)


def test_a_superseded_run_ends():
    assert run([{"next": "", "superseded": True}])[1] == "superseded"


def test_an_answer_of_an_older_version_without_its_newer_members_is_read():
    assert run([{"next": "Starting"}, {"next": ""}])[1] == "done"


@pytest.mark.parametrize("error_type", HOST_ERRORS)
def test_it_looks_again_after_an_error_of_the_hosts(error_type: str):
    asked, output = run([failed(error_type), go(None).to_json()])
    assert asked == [("prepare_landing", "Preparing"), LOOK_AGAIN_AFTER, ("prepare_landing", "Preparing")]
    assert output == "done"


def test_it_looks_again_only_so_often():
    with pytest.raises(task.TaskFailedError):
        run([failed(HOST_ERRORS[0])] * (MAX_LOOKS + 1))


def test_any_other_error_ends_it():
    with pytest.raises(task.TaskFailedError):
        run([failed("ActivityError")])


def test_a_job_that_looks_again_and_again_goes_on_with_an_empty_history():
    asked, output = run([go(Step.POLLING).to_json()] * MAX_TURNS, payload(Step.POLLING))
    assert asked[-1] == ("continue_as_new", "Polling", 0.0)
    assert len(asked) == MAX_TURNS + 1
    assert output == "continued"
