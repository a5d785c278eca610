"""function_app.py registers every name that messages cross Durable by, and no other."""

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest

from flexvault.messages import ACTIVITIES, ORCHESTRATORS, RECONCILE, RECONCILE_JOBS
from flexvault.services.effects import EFFECTS
from tests.unit.test_settings import FRONT, GOOD, JANITOR

OF_THE_SDK = frozenset({"BuiltIn__HttpActivity", "BuiltIn__HttpPollOrchestrator"})
"""DFApp adds them by itself; nothing of ours calls them."""


APP = Path(__file__).parent.parent.parent / "function_app.py"


def index() -> dict[str, list[Any]]:
    """Functions by the type of their trigger, as the host indexes them."""
    spec = importlib.util.spec_from_file_location("indexed_function_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: dict[str, list[Any]] = {}
    for function in module.app.get_functions():
        trigger = function.get_trigger()
        assert trigger is not None
        if function.get_function_name() not in OF_THE_SDK:
            found.setdefault(str(trigger.type), []).append(function)
    return found


@pytest.fixture(scope="module")
def registered() -> dict[str, list[Any]]:
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, GOOD)
        return index()


def set_environment(patch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name in GOOD:
        patch.delenv(name, raising=False)
    for name, value in environment.items():
        patch.setenv(name, value)


def names_of(functions: list[Any]) -> list[str]:
    return sorted(function.get_function_name() for function in functions)


def test_every_activity_is_registered_by_the_name_that_the_loop_calls(registered: dict[str, list[Any]]):
    assert names_of(registered["activityTrigger"]) == sorted([*ACTIVITIES.values(), RECONCILE_JOBS])


def test_every_orchestrator_is_registered_by_the_name_that_a_start_uses(registered: dict[str, list[Any]]):
    assert names_of(registered["orchestrationTrigger"]) == sorted([*ORCHESTRATORS.values(), RECONCILE])


def test_orchestrators_take_their_context_by_the_name_that_every_host_binds(registered: dict[str, list[Any]]):
    assert {function.get_trigger().name for function in registered["orchestrationTrigger"]} == {"ctx"}


def test_the_timers_follow_app_settings(registered: dict[str, list[Any]]):
    schedules = {
        function.get_function_name(): function.get_trigger().schedule for function in registered["timerTrigger"]
    }
    assert schedules == {
        "schedule_tick": "%SCHEDULE_TICK%",
        "reconcile_tick": "%RECONCILE_TICK%",
        "retention_tick": "%RETENTION_TICK%",
    }


def test_there_is_one_door(registered: dict[str, list[Any]]):
    (door,) = registered["httpTrigger"]
    trigger = door.get_trigger()
    assert trigger.route == "{*path}"
    methods = {str(getattr(method, "value", method)) for method in trigger.methods}
    assert methods == {"GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"}


def test_nothing_else_is_registered(registered: dict[str, list[Any]]):
    assert set(registered) == {"activityTrigger", "orchestrationTrigger", "timerTrigger", "httpTrigger"}


def test_every_step_has_an_activity_and_an_effect():
    assert set(ACTIVITIES) == set(EFFECTS)


def test_a_front_has_the_door_and_nothing_of_retention(monkeypatch: pytest.MonkeyPatch):
    set_environment(monkeypatch, FRONT)
    found = index()
    assert names_of(found["timerTrigger"]) == ["reconcile_tick", "schedule_tick"]
    assert names_of(found["httpTrigger"]) == ["serve"]
    assert set(names_of(found["orchestrationTrigger"])) == {*ORCHESTRATORS.values(), RECONCILE} - {"apply_retention"}
    activities = {*ACTIVITIES.values(), RECONCILE_JOBS} - {"plan_retention", "execute_retention"}
    assert set(names_of(found["activityTrigger"])) == activities


def test_a_janitor_has_its_timers_and_no_door(monkeypatch: pytest.MonkeyPatch):
    set_environment(monkeypatch, JANITOR)
    found = index()
    assert "httpTrigger" not in found
    assert names_of(found["timerTrigger"]) == ["reconcile_tick", "retention_tick"]
    assert names_of(found["orchestrationTrigger"]) == ["apply_retention", "reconcile"]
    activities = ["close_job", "execute_retention", "plan_retention", "reconcile_jobs"]
    assert names_of(found["activityTrigger"]) == activities


def test_settings_that_cannot_be_used_are_all_in_the_log_while_the_app_is_indexed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    set_environment(monkeypatch, {**GOOD, "FLEXVAULT_ROLE": "back", "FLEXVAULT_LOCATION": ""})
    with caplog.at_level(logging.ERROR, logger="flexvault"):
        found = index()
    assert "httpTrigger" in found
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "FLEXVAULT_ROLE is 'back'" in lines[0]
    assert "FLEXVAULT_LOCATION is missing" in lines[1]
