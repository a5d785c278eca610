"""What the local cloud's HTTPS servers share: listening, saying when they serve, a thread, a main program."""

import argparse
import asyncio
import json
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

_START_SECONDS = 10.0
_GRACE_SECONDS = 1
_KEEP_ALIVE_SECONDS = 3_600
"""A connection that uvicorn closes for its idleness, and again at the end, could not be aborted any more."""
_ABORTED_WITHIN_SECONDS = 0.01
"""The event loop closes an aborted transport in its next rounds."""


class Protocol(H11Protocol):
    """uvicorn's HTTP protocol, which lets go of an idle client at the end."""

    def shutdown(self) -> None:
        super().shutdown()
        if self.transport.is_closing():
            # An idle client reads nothing, so it would never answer TLS's farewell.
            self.transport.abort()


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it serves."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # A client that keeps its connection answers no TLS goodbye: what is left would outlive the event loop.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(_ABORTED_WITHIN_SECONDS)

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


def _listen(port: int) -> socket.socket:
    """Listen on a port of the loopback address; 0 = a free one."""
    # With its protocol named: asyncio switches Nagle's algorithm off only then, and with it every small answer would
    # wait 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


class HttpsServer:
    """One application on one loopback port: in the main thread with `run`, or in a thread as a context manager."""

    def __init__(self, name: str, port: int) -> None:
        """Listen at once.

        Args:
            name: Of the thread, and in messages.
            port: Of the loopback address; 0 = a free one.
        """
        self._name = name
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        self._server: _Server

    def serve(
        self, app: Any, *, certificate: Path, private_key: Path, http: type[Protocol] = Protocol, **options: Any
    ) -> None:
        """Say what is served, before it is run.

        Args:
            app: An ASGI application.
            certificate: File with the certificate.
            private_key: File with its key.
            http: Of its connections.
            options: Further ones of `uvicorn.Config`.
        """
        settings = uvicorn.Config(
            app,
            http=http,
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=str(private_key),
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # a client's address is its connection's, whatever it says
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            **options,
        )
        self._server = _Server(settings, self._started.set)

    def close(self) -> None:
        """Let go of what is behind the application; called when it is to end, perhaps twice."""

    def run(self, on_started: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; `on_started` is called once requests are answered."""
        self._server.on_started = on_started
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.close()
            self._socket.close()

    def start(self) -> None:
        """Serve in a thread; requests are answered when this returns.

        Raises:
            TimeoutError: the server did not start.
        """
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=self._name, daemon=True
        )
        self._thread.start()
        if not self._started.wait(_START_SECONDS):
            raise TimeoutError(f"{self._name} did not start")

    def ask_to_stop(self) -> None:
        """Let go of what is behind the application, and let the thread end soon."""
        self.close()
        self._server.should_exit = True

    def stop(self) -> None:
        """End the thread."""
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


def serve_configured(name: str, description: str, build: Callable[[Mapping[str, Any]], HttpsServer]) -> None:
    """Be a server's main program: `--config FILE`, and one line of JSON once requests are answered.

    Args:
        name: Of the program, and of its package in `local_cloud`.
        description: For `--help`.
        build: Makes the server of its configuration, the file's JSON object.
    """
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--config", type=Path, required=True, help=f"JSON file, see local_cloud/{name}/config.py")
    server = build(json.loads(parser.parse_args().config.read_text(encoding="utf-8")))

    def announce() -> None:
        print(json.dumps({"ready": True, "port": server.port}), flush=True)

    server.run(announce)
