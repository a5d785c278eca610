"""One thread for everything that is due later; the stock backend has one sleeping thread for each timer."""

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import datetime

from local_cloud.functions_host.clock import utc_now


class DueQueue:
    """Runs actions at their time, never early, one after another."""

    def __init__(self, on_failure: Callable[[BaseException], None]) -> None:
        """Make an idle queue.

        Args:
            on_failure: Told of an action that raised; the queue goes on with the next one.
        """
        self._on_failure = on_failure
        self._entries: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="durable-due", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is not yet due never runs."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def call_at(self, due_at: datetime, action: Callable[[], None]) -> None:
        """Run `action` on the queue's thread at `due_at` (aware), or at once if that is past."""
        with self._changed:
            heapq.heappush(self._entries, (due_at, next(self._order), action))
            self._changed.notify_all()

    def _run(self) -> None:
        while (action := self._wait_for_next()) is not None:
            try:
                action()
            except BaseException as error:  # noqa: BLE001 - it is handed on, and the other timers must fire
                self._on_failure(error)

    def _wait_for_next(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopped:
                wait_seconds = (self._entries[0][0] - utc_now()).total_seconds() if self._entries else None
                if wait_seconds is not None and wait_seconds <= 0:
                    return heapq.heappop(self._entries)[2]
                # A condition cannot wait for years; a day is enough to look again.
                self._changed.wait(None if wait_seconds is None else min(wait_seconds, 86400))
        return None
