"""Failures and interruptions that a test orders in advance."""

import threading
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flexvault.domain.errors import VaultError


@dataclass(slots=True)
class _Orders:
    before: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])
    after: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])


class Faults:
    """Orders by operation, `{port member}.{method}`: `rows.apply`, `ltr.start`, `vault_writer.commit`.

    Each order is used once, in the order given.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: defaultdict[str, _Orders] = defaultdict(_Orders)

    def fail_next(self, operation: str, error: VaultError, *, times: int = 1, after: bool = False) -> None:
        """Fail the next calls: before anything happened, or after all of it did (an answer that got lost)."""

        def fail() -> None:
            raise error

        for _ in range(times):
            self.run_next(operation, fail, after=after)

    def run_next(self, operation: str, action: Callable[[], object], *, after: bool = False) -> None:
        """Run something just before or just after the next call, as another party would."""
        with self._lock:
            orders = self._orders[operation]
            (orders.after if after else orders.before).append(action)

    def clear(self) -> None:
        """Take back every order."""
        with self._lock:
            self._orders.clear()

    @contextmanager
    def around(self, operation: str) -> Generator[None]:
        """Carry out the orders for one call; doubles wrap every method in it."""
        self._run(self._orders[operation].before)
        yield
        self._run(self._orders[operation].after)

    def _run(self, actions: list[Callable[[], object]]) -> None:
        with self._lock:
            action = actions.pop(0) if actions else None
        # Outside the lock: the action may call a double, which comes back here.
        if action is not None:
            action()
