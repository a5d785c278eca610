"""A clock that stands still until a test moves it."""

import threading
from datetime import UTC, datetime, timedelta

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""Where a simulated clock begins unless told."""


class SimulatedClock:
    """Both clocks of the port; `host_ahead` sets the machine's apart from storage's."""

    def __init__(self, start: datetime = MONDAY) -> None:
        self._lock = threading.Lock()
        self._now = start
        self.host_ahead = timedelta()

    def host_now(self) -> datetime:
        """Answer the machine's time."""
        return self.storage_now() + self.host_ahead

    def storage_now(self) -> datetime:
        """Answer storage's time."""
        with self._lock:
            return self._now

    def advance(self, duration: timedelta) -> datetime:
        """Move on, never back; answers the new time."""
        if duration < timedelta():
            message = "a simulated clock never goes back"
            raise ValueError(message)
        with self._lock:
            self._now += duration
            return self._now

    def advance_to(self, moment: datetime) -> datetime:
        """Move on to a moment; one that has passed changes nothing."""
        with self._lock:
            self._now = max(self._now, moment)
            return self._now
