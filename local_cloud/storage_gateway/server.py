"""The gateway as an HTTPS server: in this process's main thread, or in a thread for tests."""

import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

import uvicorn

from local_cloud.connections import Connections
from local_cloud.https_server import Server, listen
from local_cloud.storage_gateway.app import GatewayApp
from local_cloud.storage_gateway.clock import utc_now
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.gateway import Gateway

_START_SECONDS = 10.0
_GRACE_SECONDS = 1


class GatewayServer:
    """One gateway on one loopback port.

    In tests: `with GatewayServer(config) as server: ...`; the gateway then runs in a thread, and its clock and its
    switch are `server.gateway.clock` and `server.gateway.base_name_delete`.
    """

    def __init__(self, config: GatewayConfig, now: Callable[[], datetime] = utc_now) -> None:
        self._socket = listen(config.port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.gateway = Gateway.build(config, self.port, now)
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        settings = uvicorn.Config(
            GatewayApp(self.gateway),
            http=Connections().protocol,
            ws="none",
            lifespan="on",
            ssl_certfile=config.certificate,
            ssl_keyfile=str(config.private_key),
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,  # the gateway's own clock writes it
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._server = Server(settings, self._started.set)

    def run(self, on_started: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; `on_started` is called once requests are answered."""
        self._server.on_started = on_started
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def start(self) -> None:
        """Serve in a thread; requests are answered when this returns.

        Raises:
            TimeoutError: the server did not start.
        """
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="storage-gateway", daemon=True
        )
        self._thread.start()
        if not self._started.wait(_START_SECONDS):
            raise TimeoutError("the storage gateway did not start")

    def stop(self) -> None:
        """End the thread."""
        self._server.should_exit = True
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
