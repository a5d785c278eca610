"""The HTTP and HTTPS listeners on 127.0.0.1 (uvicorn)."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from local_cloud.functions_host.errors import HostError

_MAX_HEADER_BYTES = 65536


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The certificate of an HTTPS listener, PEM files."""

    certificate: Path
    private_key: Path


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the host."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class Listener:
    """One port, bound from the start and served until it is stopped."""

    def __init__(self, app: Any, port: int, tls: Tls | None = None) -> None:
        """Bind the port.

        Args:
            app: The ASGI application.
            port: Of 127.0.0.1; 0 takes a free one.
            tls: Makes it an HTTPS listener.

        Raises:
            HostError: The port is taken.
        """
        # asyncio turns Nagle off only for a socket that names its protocol; else kept connections answer 40 ms late.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError as error:
            self._socket.close()
            raise HostError(f"port {port} of 127.0.0.1 cannot be taken: {error.strerror}") from error
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else str(tls.private_key),
            timeout_graceful_shutdown=10,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Accept requests."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise HostError(f"the listener on port {self.port} ended at its start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Take no more requests, wait for those that run, and free the port."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        self._socket.close()
