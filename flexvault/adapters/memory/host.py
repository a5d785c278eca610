"""Telemetry and the task hub, remembered instead of sent."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flexvault.adapters.memory.faults import Faults
from flexvault.ports import Scalar


class MemoryTelemetry:
    """Keeps every event, in order, and the facts of every block of work."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Scalar]]] = []
        self.blocks: list[Mapping[str, str]] = []

    def emit(self, event: str, facts: Mapping[str, Scalar]) -> None:
        """Keep one event."""
        self.events.append((event, dict(facts)))

    @contextmanager
    def within(self, more: Mapping[str, str]) -> Generator[None]:
        """Keep the facts; there is no log and no trace to put them on."""
        self.blocks.append(dict(more))
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedOrchestration:
    """One start that the hub took."""

    name: str
    instance_id: str
    payload: Mapping[str, Any]


class MemoryOrchestrations:
    """A task hub that runs nothing: a test looks at `started` and calls what should run."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self.started: list[StartedOrchestration] = []

    def start(self, name: str, instance_id: str, payload: Mapping[str, Any]) -> bool:
        """Take a start; False while one of that id runs."""
        with self._faults.around("orchestrations.start"), self._lock:
            if instance_id in self._running:
                return False
            self._running.add(instance_id)
            started = StartedOrchestration(name=name, instance_id=instance_id, payload=dict(payload))
            self.started.append(started)
            return True

    def is_alive(self, instance_id: str) -> bool:
        """Answer whether it runs."""
        with self._faults.around("orchestrations.is_alive"), self._lock:
            return instance_id in self._running

    def finish(self, instance_id: str) -> None:
        """End a run."""
        with self._lock:
            self._running.discard(instance_id)

    def wipe(self) -> None:
        """Lose the hub."""
        with self._lock:
            self._running.clear()
