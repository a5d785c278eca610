"""Ports that no other local cloud of this machine takes, kept from one start to the next where they are still free."""

import contextlib
import json
import random
import socket
from pathlib import Path

from local_cloud.files import write_atomically

# Below the range from which Linux takes the ports of outgoing connections: those come and go at any moment.
_CHOICE = range(20000, 32000)


class NoFreePortError(Exception):
    """No port of the range could be had."""


class Ports:
    """The ports of one cloud. Close it when the cloud has ended."""

    def __init__(self, memory: Path, *, tries: int = 500) -> None:
        """Remember ports in the JSON file `memory`: name to number. Try at most `tries` ports for a name."""
        self._memory = memory
        self._tries = tries
        self._reservations: list[socket.socket] = []
        self._taken: dict[str, int] = {}
        self._chosen: dict[str, int] = {}
        with contextlib.suppress(FileNotFoundError):
            self._chosen.update(json.loads(memory.read_text()))

    def take(self, name: str, *, first: int | None = None) -> int:
        """Reserve a free port for `name`: the one it had, else a random one, or the first free one from `first` on.

        Asked again, answer the same one.

        Raises:
            NoFreePortError: every port of the range is in use.
        """
        if name in self._taken:
            return self._taken[name]
        any_port = [*self._earlier(name), *random.sample(_CHOICE, self._tries)]
        for port in range(first, first + self._tries) if first else any_port:
            if self._reserve(port):
                self._taken[name] = self._chosen[name] = port
                write_atomically(self._memory, json.dumps(self._chosen))
                return port
        raise NoFreePortError(f"no free port for {name}: {self._tries} were tried")

    def close(self) -> None:
        """Give all reservations back."""
        for reservation in self._reservations:
            reservation.close()
        self._reservations.clear()

    def _earlier(self, name: str) -> list[int]:
        return [self._chosen[name]] if name in self._chosen else []

    def _reserve(self, port: int) -> bool:
        """Claim a port among local clouds, by a name in Linux's abstract namespace, then see whether it is free.

        The child that will listen opens its port later; the claim closes that gap between clouds that start together,
        and the kernel drops it with the process.
        """
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0flexvault-local-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            return False
        self._reservations.append(claim)
        return True
