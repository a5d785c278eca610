"""Timer triggers: one loop for each, with the memory that makes up for one missed call after a downtime."""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from local_cloud.functions_host.clock import utc_now
from local_cloud.functions_host.errors import InvocationError
from local_cloud.functions_host.indexing import Function
from local_cloud.functions_host.schedule import Schedule

_LOG = logging.getLogger(__name__)
_NEVER = datetime.min.replace(tzinfo=UTC)
_LONGEST_SLEEP_SECONDS = 60.0


class TimerClock(Protocol):
    """The time that the loops live in."""

    def now(self) -> datetime:
        """Return the present moment, aware."""
        ...

    async def wait_until(self, due_at: datetime) -> None:
        """Return when `now()` has reached `due_at`, never before."""
        ...


class WallClock:
    """The time of day."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return utc_now()

    async def wait_until(self, due_at: datetime) -> None:
        """Sleep until `due_at`; in short pieces, so that a clock that was set is noticed."""
        while (left := (due_at - utc_now()).total_seconds()) > 0:  # noqa: ASYNC110 - no event tells that time has come
            await asyncio.sleep(min(left, _LONGEST_SLEEP_SECONDS))


@dataclass(frozen=True, kw_only=True)
class TimerStatus:
    """What is remembered of a timer between two calls.

    Attributes:
        last: Start of the call before; year 1 when there was none.
        next: The due time that the next call is for.
    """

    last: datetime
    next: datetime

    def to_json(self) -> dict[str, str]:
        """Return the form of the host's status blob."""
        return {"Last": self.last.isoformat(), "Next": self.next.isoformat(), "LastUpdated": self.last.isoformat()}


class TimerStatusFile:
    """The statuses of all monitored timers, in one JSON file that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}

    def find(self, name: str) -> TimerStatus | None:
        """Return the status of a timer, if there is one."""
        row = self._rows.get(name)
        if row is None:
            return None
        return TimerStatus(last=datetime.fromisoformat(row["Last"]), next=datetime.fromisoformat(row["Next"]))

    def save(self, name: str, status: TimerStatus) -> None:
        """Write the status of a timer."""
        self._rows[name] = status.to_json()
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._rows))
        os.replace(new, self._path)  # noqa: PTH105 - Path.replace would do the same; this says that it is atomic


@dataclass(frozen=True, kw_only=True)
class Timer:
    """A timer function with its schedule."""

    function: Function
    schedule: Schedule

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a yes or no of the trigger."""
        return str(self.function.trigger.get(name, default)).lower() == "true"


class TimerRunner:
    """Calls timer functions when they are due.

    A timer never overlaps itself: a due time that passes during a call is made up for right after it. After a
    downtime over any number of due times there is one call, past due; timers that are due more often than once a
    minute are not remembered and have none.
    """

    def __init__(
        self,
        call: Callable[[Function, dict[str, Any]], Awaitable[None]],
        statuses: TimerStatusFile,
        clock: TimerClock,
    ) -> None:
        """Make a runner.

        Args:
            call: Invokes a function with the JSON of its timer request.
            statuses: The memory over restarts.
            clock: The time.
        """
        self._call = call
        self._statuses = statuses
        self._clock = clock
        self._loops: dict[asyncio.Task[None], str] = {}
        self._calling: set[str] = set()
        self._stopping = False

    def start(self, timers: list[Timer], on_failure: Callable[[BaseException], None]) -> None:
        """Start a loop for each timer.

        Args:
            timers: All of them.
            on_failure: Told of a loop that broke, which is an error of the host.
        """

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                on_failure(error)

        for timer in timers:
            task = asyncio.get_running_loop().create_task(self.run(timer))
            task.add_done_callback(ended)
            self._loops[task] = timer.function.name

    async def stop(self, drain_seconds: float) -> None:
        """End all loops: those that wait at once, those in a call when it has ended or the time is up."""
        self._stopping = True
        for task, name in self._loops.items():
            if name not in self._calling:
                task.cancel()
        if self._loops:
            await asyncio.wait(self._loops, timeout=drain_seconds)
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    async def run(self, timer: Timer) -> None:
        """Call the timer's function until the runner is stopped."""
        name, schedule, now = timer.function.name, timer.schedule, self._clock.now()
        is_remembered = timer.flag("useMonitor", default=True) and schedule.is_monitored(now)
        saved = self._statuses.find(name) if is_remembered else None
        status = saved or TimerStatus(last=_NEVER, next=schedule.next_after(now))
        is_past_due = status.next <= now
        if not is_past_due:
            status = TimerStatus(last=status.last, next=schedule.next_after(now))
        is_due_now = is_past_due or timer.flag("runOnStartup", default=False)
        while True:
            if is_remembered:
                self._statuses.save(name, status)
            if self._stopping:
                return
            if not is_due_now:
                await self._clock.wait_until(status.next)
            started_at = self._clock.now()
            await self._call_once(timer, status if is_remembered else None, is_past_due=is_past_due)
            due_from = started_at if is_due_now else max(started_at, status.next)
            status = TimerStatus(last=started_at, next=schedule.next_after(due_from))
            is_due_now = is_past_due = False

    async def _call_once(self, timer: Timer, status: TimerStatus | None, *, is_past_due: bool) -> None:
        request = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": None if status is None else status.to_json(),
            "IsPastDue": is_past_due,
        }
        self._calling.add(timer.function.name)
        try:
            await self._call(timer.function, request)
        except InvocationError as error:
            _LOG.error("function %s failed: %s\n%s", timer.function.name, error.message, error.stack)
        finally:
            self._calling.discard(timer.function.name)
