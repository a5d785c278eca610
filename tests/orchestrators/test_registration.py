"""function_app.py registers every name that messages cross Durable by, and no other."""

from typing import Any

import pytest

from flexvault.messages import ACTIVITIES, ORCHESTRATORS, RECONCILE, RECONCILE_JOBS
from flexvault.services.effects import EFFECTS

OF_THE_SDK = frozenset({"BuiltIn__HttpActivity", "BuiltIn__HttpPollOrchestrator"})
"""DFApp adds them by itself; nothing of ours calls them."""


@pytest.fixture(scope="module")
def registered() -> dict[str, list[Any]]:
    """Functions by the type of their trigger, as the host indexes them."""
    import function_app

    found: dict[str, list[Any]] = {}
    for function in function_app.app.get_functions():
        trigger = function.get_trigger()
        assert trigger is not None
        if function.get_function_name() not in OF_THE_SDK:
            found.setdefault(str(trigger.type), []).append(function)
    return found


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
