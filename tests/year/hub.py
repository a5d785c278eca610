"""A task hub that runs the real orchestrators, one thing after the other, on a simulated clock.

Every wait of every orchestration moves the clock to its end, the earliest first, so a run is the same each time.
"""

import heapq
import importlib
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

from durabletask import task

from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import VaultError
from flexvault.messages import RECONCILE_JOBS, StepRequest
from flexvault.ports import Clock
from flexvault.services.effects import run
from flexvault.services.reconcile import reconcile
from flexvault.services.vault import Vault

_ORCHESTRATORS: tuple[Callable[..., Any], ...] = importlib.import_module("orchestrators").ORCHESTRATORS[AppRole.ALL]
_BY_NAME: Mapping[str, Callable[..., Generator[Any, Any, Any]]] = {found.__name__: found for found in _ORCHESTRATORS}


class MovableClock(Clock, Protocol):
    """A clock that goes on when it is told to."""

    def advance_to(self, moment: datetime) -> datetime:
        """Move on to a moment; one that has passed changes nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    name: str
    body: Mapping[str, Any]
    retry_policy: task.RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What an orchestrator sees: time is naive UTC, as on the real host."""

    clock: Clock
    continued: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    @property
    def current_utc_datetime(self) -> datetime:
        return self.clock.storage_now().astimezone(UTC).replace(tzinfo=None)

    def call_activity(self, name: str, *, input: Any, retry_policy: task.RetryPolicy) -> _Call:  # noqa: A002 - Durable's name
        return _Call(name=name, body=json.loads(json.dumps(input)), retry_policy=retry_policy)

    def create_timer(self, duration: timedelta) -> timedelta:
        return duration

    def continue_as_new(self, new_input: Any) -> None:
        self.continued.append(new_input)


@dataclass(slots=True, kw_only=True)
class _Run:
    instance_id: str
    name: str
    context: _Context
    body: Generator[Any, Any, Any]
    resume: Callable[[], Any]
    """Goes on with the generator; answers what it yields."""
    call: _Call | None = None
    """An activity that failed and is to be tried again."""
    tries: int = 0


class Hub:
    """The task hub of one vault: a port `Orchestrations`.

    Args:
        vault: Whose services the activities are.
        clock: Stands still but for the orchestrations' waits.
        before: What is done before each run of an activity of that name.

    Attributes:
        outputs: What every orchestration ended with, by its id.
    """

    def __init__(
        self, vault: Vault, clock: MovableClock, *, before: Mapping[str, Callable[[], object]] | None = None
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._before = before or {}
        self._waiting: list[tuple[datetime, int, _Run]] = []
        self._running: set[str] = set()
        self._order = count()
        self.outputs: dict[str, Any] = {}

    def start(self, name: str, instance_id: str, payload: Mapping[str, Any]) -> bool:
        """Take a start; False while one of that id runs."""
        if instance_id in self._running:
            return False
        self._running.add(instance_id)
        self._begin(name, instance_id, payload)
        return True

    def is_alive(self, instance_id: str) -> bool:
        """Answer whether it runs."""
        return instance_id in self._running

    def wipe(self) -> None:
        """Lose all that runs, as a host that is off for longer than anybody waits."""
        self._waiting.clear()
        self._running.clear()

    def run_until(self, moment: datetime) -> None:
        """Run whatever is due until a moment, and let the clock reach it."""
        while self._waiting and self._waiting[0][0] <= moment:
            due, _, waiting = heapq.heappop(self._waiting)
            self._clock.advance_to(due)
            self._go_on(waiting)
        self._clock.advance_to(moment)

    def run_to_the_end(self, *, within: timedelta = timedelta(days=1)) -> None:
        """Run until no orchestration is left."""
        until = self._clock.storage_now() + within
        while self._waiting:
            due = self._waiting[0][0]
            assert due <= until, f"does not end: {self._waiting[0][2].instance_id}"
            self.run_until(due)

    def _begin(self, name: str, instance_id: str, payload: Mapping[str, Any]) -> None:
        context = _Context(clock=self._clock)
        body = _BY_NAME[name](context, json.loads(json.dumps(payload)))
        begun = _Run(instance_id=instance_id, name=name, context=context, body=body, resume=lambda: next(body))
        self._wait(begun, timedelta())

    def _wait(self, waiting: _Run, duration: timedelta) -> None:
        heapq.heappush(self._waiting, (self._clock.storage_now() + duration, next(self._order), waiting))

    def _go_on(self, current: _Run) -> None:
        """Go on with one orchestration until it waits or ends."""
        while True:
            call, current.call = current.call, None
            try:
                wanted = call or current.resume()
            except StopIteration as ended:
                self._end(current, ended.value)
                return
            except task.TaskFailedError as error:
                self._end(current, error)
                return
            if isinstance(wanted, timedelta):
                current.resume = lambda: current.body.send(None)
                self._wait(current, wanted)
                return
            pause = self._call(current, wanted)
            if pause is not None:
                self._wait(current, pause)
                return

    def _call(self, current: _Run, call: _Call) -> timedelta | None:
        """Run an activity; answers how long to wait before its next try, if it failed and has one."""
        try:
            answered = json.loads(json.dumps(self._activity(call)))
        except VaultError as error:
            current.tries += 1
            policy = call.retry_policy
            if current.tries < policy.max_number_of_attempts:
                current.call = call
                return policy.first_retry_interval * (policy.backoff_coefficient or 1) ** (current.tries - 1)
            failed = task.TaskFailedError(f"{call.name}: {error.code}", error)
            current.resume = lambda: current.body.throw(failed)
        else:
            current.resume = lambda: current.body.send(answered)
        current.tries = 0
        return None

    def _activity(self, call: _Call) -> Any:
        if call.name in self._before:
            self._before[call.name]()
        if call.name == RECONCILE_JOBS:
            return asdict(reconcile(self._vault, self))
        return run(self._vault, StepRequest.from_json(call.body)).to_json()

    def _end(self, ended: _Run, output: Any) -> None:
        self.outputs[ended.instance_id] = output
        if ended.context.continued:
            self._begin(ended.name, ended.instance_id, ended.context.continued[-1])
        else:
            self._running.discard(ended.instance_id)
