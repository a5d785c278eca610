"""Work that nobody waits for: done one after the other, in a thread that ends when nothing is left."""

import logging
import threading
from collections import deque
from collections.abc import Callable

MOST_WAITING = 64
logger = logging.getLogger(__name__)


class Background:
    """A short queue and at most one thread, which does not keep the process from ending."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_running = False

    def __call__(self, work: Callable[[], None]) -> bool:
        """Take work, which must not raise; answers False, and takes nothing, when too much of it waits."""
        with self._lock:
            if len(self._waiting) >= self._most:
                return False
            self._waiting.append(work)
            if not self._is_running:
                threading.Thread(target=self._work_off, name="background", daemon=True).start()
                self._is_running = True
            return True

    def _work_off(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                work = self._waiting.popleft()
            try:
                work()
            except Exception:  # this thread is the only one: without it nothing is done any more
                logger.exception("background work failed")
