"""The emulator as an HTTPS server: in this process's main thread, or in a thread for tests."""

import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import uvicorn

from local_cloud.arm_emulator.app import EmulatorApp
from local_cloud.arm_emulator.clock import Clock, utc_now
from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.connections import Connections
from local_cloud.arm_emulator.emulator import Emulator

_START_SECONDS = 10.0
_GRACE_SECONDS = 1


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it serves."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """End cleanly at SIGTERM and SIGINT: uvicorn's own would raise them again and cut off what comes after."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class EmulatorServer:
    """One emulator on one loopback port.

    In tests: `with EmulatorServer(config) as server: ...`; the emulator then runs in a thread.
    """

    def __init__(self, config: EmulatorConfig, clock: Clock = utc_now) -> None:
        self._socket = _listen(config.port)
        self.port: int = self._socket.getsockname()[1]
        self.base_url = (config.base_url or f"https://127.0.0.1:{self.port}").rstrip("/")
        self.emulator = Emulator(config, clock)
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._server = self._build(config)

    def _build(self, config: EmulatorConfig) -> _Server:
        connections = Connections()
        app = EmulatorApp(self.emulator, base_url=self.base_url, connections=connections)
        settings = uvicorn.Config(
            app,
            http=connections.protocol,
            ws="none",
            lifespan="off",
            ssl_certfile=config.certificate,
            ssl_keyfile=str(config.private_key),
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # a client's address is its connection's, whatever it says
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        return _Server(settings, self._started.set)

    def run(self, on_started: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; `on_started` is called once requests are answered."""
        self._server.on_started = on_started
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.emulator.close()
            self._socket.close()

    def start(self) -> None:
        """Serve in a thread; requests are answered when this returns.

        Raises:
            TimeoutError: The server did not start.
        """
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="arm-emulator", daemon=True
        )
        self._thread.start()
        if not self._started.wait(_START_SECONDS):
            raise TimeoutError("the ARM emulator did not start")

    def ask_to_stop(self) -> None:
        """End all backups and let the thread end soon."""
        self.emulator.close()
        self._server.should_exit = True

    def stop(self) -> None:
        """End the thread and all backups."""
        self.ask_to_stop()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def _listen(port: int) -> socket.socket:
    # With its protocol named: asyncio switches Nagle's algorithm off only then, and with it every small answer would
    # wait 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener
