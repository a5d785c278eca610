"""The emulator as an HTTPS server: in this process's main thread, or in a thread for tests."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn

from local_cloud.arm_emulator.app import EmulatorApp
from local_cloud.arm_emulator.clock import Clock, utc_now
from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.emulator import Emulator
from local_cloud.connections import Connections
from local_cloud.https_server import Server, listen

_START_SECONDS = 10.0
_GRACE_SECONDS = 1


class EmulatorServer:
    """One emulator on one loopback port.

    In tests: `with EmulatorServer(config) as server: ...`; the emulator then runs in a thread.
    """

    def __init__(self, config: EmulatorConfig, clock: Clock = utc_now) -> None:
        self._socket = listen(config.port)
        self.port: int = self._socket.getsockname()[1]
        self.base_url = (config.base_url or f"https://127.0.0.1:{self.port}").rstrip("/")
        self.emulator = Emulator(config, clock)
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._server = self._build(config)

    def _build(self, config: EmulatorConfig) -> Server:
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
        return Server(settings, self._started.set)

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
