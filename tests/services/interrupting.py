"""Interrupt the vault at any call that it makes to its surroundings: a crash, or a hold that lets others go on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from flexvault.ports import Ports
from flexvault.services.vault import Vault
from tests.builders import World

LONGEST_WAIT_SECONDS = 10.0
UNTOUCHED = frozenset({"clock"})
"""Reading a clock is no effect."""


class CrashError(BaseException):
    """The process is gone: nothing that it might still do happens."""


@dataclass(slots=True)
class Interruption:
    """What to do at one call, counted from 0 over all ports; every call is remembered."""

    at: int | None = None
    act: Callable[[], None] = lambda: None
    after: bool = False
    calls: list[str] = field(default_factory=list[str])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """Carry out a call, and the interruption if it is this one's turn."""
        with self._lock:
            is_turn = len(self.calls) == self.at
            self.calls.append(name)
        if is_turn and not self.after:
            self.act()
        try:
            return call()
        finally:  # an answer can be an error, too: no entry of that number
            if is_turn and self.after:
                self.act()


class _Interrupted:
    """A port whose every method passes by an interruption."""

    def __init__(self, name: str, port: Any, interruption: Interruption) -> None:
        self._name = name
        self._port = port
        self._interruption = interruption

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)

        def interrupted(*args: Any, **kwargs: Any) -> Any:
            return self._interruption.around(f"{self._name}.{method}", lambda: call(*args, **kwargs))

        return interrupted


def interrupted(vault: Vault, interruption: Interruption) -> Vault:
    """The same vault, seen through an interruption."""
    wrapped: dict[str, Any] = {
        member.name: _Interrupted(member.name, getattr(vault.ports, member.name), interruption)
        for member in fields(Ports)
        if member.name not in UNTOUCHED
    }
    return Vault(settings=vault.settings, ports=replace(vault.ports, **wrapped))


def crash_at(call: int, *, after: bool) -> Interruption:
    """Die just before or just after a call."""

    def die() -> None:
        raise CrashError

    return Interruption(at=call, act=die, after=after)


class Zombie:
    """A run of its own thread that is held at one call until it is released."""

    def __init__(self, world: World, body: Callable[[Vault], Any], call: int, *, after: bool) -> None:
        self._reached, self._released = threading.Event(), threading.Event()
        self._problem: BaseException | None = None
        self._vault = interrupted(world.vault, Interruption(at=call, act=self._hold, after=after))
        self._body = body
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Run until the hold."""
        self._thread.start()
        assert self._reached.wait(LONGEST_WAIT_SECONDS), "the call was never made"

    def release(self) -> BaseException | None:
        """Let it go on to its end; answers what it died of."""
        self._released.set()
        self._thread.join(LONGEST_WAIT_SECONDS)
        assert not self._thread.is_alive()
        return self._problem

    def _hold(self) -> None:
        self._reached.set()
        assert self._released.wait(LONGEST_WAIT_SECONDS), "nobody released it"

    def _run(self) -> None:
        try:
            self._body(self._vault)
        except BaseException as problem:  # noqa: BLE001 - handed to the test
            self._problem = problem
            self._reached.set()
