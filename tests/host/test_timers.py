"""When timer functions are called, in simulated time; the table follows the recorded calls of the real host."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local_cloud.functions_host.errors import InvocationError
from local_cloud.functions_host.indexing import TIMER, Function
from local_cloud.functions_host.schedule import Schedule, ScheduleError
from local_cloud.functions_host.timers import Timer, TimerRunner, TimerStatusFile

NEVER = "0001-01-01T00:00:00+00:00"


def at(text: str) -> datetime:
    """`15:18:00` of one Wednesday, UTC."""
    return datetime.fromisoformat(f"2026-11-25T{text}+00:00")


class EndOfTest(BaseException):
    """Ends a runner whose story is over."""


class SimulatedClock:
    """Time that passes only while somebody waits or works, until `until`."""

    def __init__(self, start: str, until: str) -> None:
        self._now = at(start)
        self._until = at(until)

    def now(self) -> datetime:
        return self._now

    async def wait_until(self, due_at: datetime) -> None:
        if due_at > self._until:
            raise EndOfTest
        self._now = max(self._now, due_at)

    def work(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


@dataclass(kw_only=True)
class Call:
    """One call of the function under test, as it saw it."""

    started: str
    past_due: bool
    status: dict[str, str] | None


@dataclass(kw_only=True)
class Story:
    """A timer function in a host that may be stopped and started again."""

    statuses: Path
    schedule: str = "0 * * * * *"
    trigger: dict[str, Any] = field(default_factory=dict[str, Any])
    takes_seconds: float = 0.0
    fails: bool = False
    calls: list[Call] = field(default_factory=list[Call])

    def run_host(self, start: str, until: str) -> None:
        clock = SimulatedClock(start, until)

        async def call(function: Function, request: dict[str, Any]) -> None:
            self.calls.append(
                Call(started=f"{clock.now():%H:%M:%S}", past_due=request["IsPastDue"], status=request["ScheduleStatus"])
            )
            clock.work(self.takes_seconds)
            if self.fails:
                raise InvocationError("ValueError: on purpose", "")

        timer = Timer(
            function=Function(
                id="1", name="tick", kind=TIMER, trigger=self.trigger, called_as="tick", client_parameters=()
            ),
            schedule=Schedule.parse(self.schedule),
        )
        runner = TimerRunner(call, TimerStatusFile(self.statuses), clock)
        with pytest.raises(EndOfTest):
            asyncio.run(runner.run(timer))

    def starts(self) -> list[str]:
        return [call.started for call in self.calls]


@pytest.fixture
def statuses(tmp_path: Path) -> Path:
    return tmp_path / "timers.json"


def test_a_timer_is_first_called_at_its_next_due_time(statuses: Path) -> None:
    story = Story(statuses=statuses)

    story.run_host("15:17:29", until="15:19:30")

    assert [(call.started, call.past_due) for call in story.calls] == [("15:18:00", False), ("15:19:00", False)]


def test_a_call_is_told_the_start_of_the_call_before_and_its_own_due_time(statuses: Path) -> None:
    story = Story(statuses=statuses)

    story.run_host("15:17:29", until="15:19:30")

    assert [call.status for call in story.calls] == [
        {"Last": NEVER, "Next": "2026-11-25T15:18:00+00:00", "LastUpdated": NEVER},
        {
            "Last": "2026-11-25T15:18:00+00:00",
            "Next": "2026-11-25T15:19:00+00:00",
            "LastUpdated": "2026-11-25T15:18:00+00:00",
        },
    ]


def test_after_a_downtime_there_is_one_call_at_once_for_all_that_was_missed(statuses: Path) -> None:
    story = Story(statuses=statuses)
    story.run_host("15:17:29", until="15:20:15")
    story.calls.clear()

    story.run_host("15:23:36", until="15:25:30")

    assert [(call.started, call.past_due) for call in story.calls] == [
        ("15:23:36", True),
        ("15:24:00", False),
        ("15:25:00", False),
    ]
    assert story.calls[0].status is not None
    assert story.calls[0].status["Next"] == "2026-11-25T15:21:00+00:00"


def test_a_host_killed_before_the_first_due_time_makes_up_for_it_too(statuses: Path) -> None:
    story = Story(statuses=statuses, schedule="0 0 16 * * *")
    story.run_host("15:17:29", until="15:20:00")

    story.run_host("16:10:00", until="16:11:00")

    assert [(call.started, call.past_due) for call in story.calls] == [("16:10:00", True)]


@pytest.mark.parametrize(
    ("schedule", "trigger"),
    [
        pytest.param("*/20 * * * * *", {}, id="more often than once a minute"),
        pytest.param("0 * * * * *", {"useMonitor": False}, id="monitor switched off"),
    ],
)
def test_a_timer_without_a_monitor_has_neither_status_nor_catch_up(
    statuses: Path, schedule: str, trigger: dict[str, Any]
) -> None:
    story = Story(statuses=statuses, schedule=schedule, trigger=trigger)
    story.run_host("15:17:29", until="15:18:10")
    story.calls.clear()

    story.run_host("15:23:36", until="15:24:10")

    assert all(not call.past_due and call.status is None for call in story.calls)
    assert story.starts()[0] in ("15:23:40", "15:24:00")


def test_a_slow_call_never_overlaps_the_next_which_follows_at_once(statuses: Path) -> None:
    story = Story(statuses=statuses, takes_seconds=80)

    story.run_host("15:17:29", until="15:20:10")

    assert [(call.started, call.past_due) for call in story.calls] == [
        ("15:18:00", False),
        ("15:19:20", False),
        ("15:20:40", False),
    ]


def test_a_failing_call_is_not_repeated_and_stops_nothing(statuses: Path) -> None:
    story = Story(statuses=statuses, fails=True)

    story.run_host("15:17:29", until="15:20:10")

    assert story.starts() == ["15:18:00", "15:19:00", "15:20:00"]


def test_run_on_startup_and_a_missed_time_together_are_one_call(statuses: Path) -> None:
    story = Story(statuses=statuses, trigger={"runOnStartup": True})
    story.run_host("15:17:29", until="15:18:30")
    assert story.starts() == ["15:17:29", "15:18:00"]
    story.calls.clear()

    story.run_host("15:23:36", until="15:24:10")

    assert [(call.started, call.past_due) for call in story.calls] == [("15:23:36", True), ("15:24:00", False)]


def test_the_status_of_a_call_is_kept_only_when_it_has_ended(statuses: Path) -> None:
    story = Story(statuses=statuses)

    async def killed(function: Function, request: dict[str, Any]) -> None:
        raise EndOfTest

    runner = TimerRunner(killed, TimerStatusFile(statuses), SimulatedClock("15:17:29", until="15:18:10"))
    function = Function(id="1", name="tick", kind=TIMER, trigger={}, called_as="tick", client_parameters=())
    with pytest.raises(EndOfTest):
        asyncio.run(runner.run(Timer(function=function, schedule=Schedule.parse("0 * * * * *"))))
    assert json.loads(statuses.read_text())["tick"]["Next"] == "2026-11-25T15:18:00+00:00"

    story.run_host("15:18:05", until="15:18:10")

    assert [(call.started, call.past_due) for call in story.calls] == [("15:18:05", True)]


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        pytest.param("0 */5 * * * *", "2026-11-25T15:17:29", "2026-11-25T15:20:00", id="every five minutes"),
        pytest.param("*/2 * * * * *", "2026-11-25T15:17:29", "2026-11-25T15:17:30", id="every two seconds"),
        pytest.param("0 10 3 * * *", "2026-11-25T15:17:29", "2026-11-26T03:10:00", id="every night"),
        pytest.param("*/1 * * * *", "2026-11-25T15:17:29", "2026-11-25T15:18:00", id="five fields have no seconds"),
        pytest.param("0 0 0 13 * 5", "2026-11-25T15:17:29", "2027-08-13T00:00:00", id="day of month and of week"),
        pytest.param("0 0 9 * * 1-5", "2026-11-27T10:00:00", "2026-11-30T09:00:00", id="after Friday comes Monday"),
        pytest.param("0 0 * * * *", "2026-11-25T16:00:00", "2026-11-25T17:00:00", id="a due time is not its own next"),
    ],
)
def test_a_schedule_is_due_as_ncrontab_says(expression: str, after: str, due: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)

    assert Schedule.parse(expression).next_after(moment) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize("expression", ["nonsense", "0 0 0 0", "61 * * * * *", "00:01:00", ""])
def test_what_is_no_ncrontab_expression_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match="not an NCRONTAB expression"):
        Schedule.parse(expression)
