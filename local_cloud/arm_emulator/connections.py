"""Open connections, so that a fault can cut one: the client then never learns what became of its request."""

import asyncio

from starlette.requests import Request
from starlette.types import Receive

from local_cloud.https_server import Protocol


class Connections:
    """The connections of one server, by the client's address, which is unique among open ones."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        transports = self._transports

        class RegisteredProtocol(Protocol):
            """The server's HTTP protocol, which keeps this registry up to date."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - uvicorn narrows asyncio's argument
                super().connection_made(transport)
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                # By the address kept at the start: an aborted TLS transport no longer knows its peer.
                if self.client is not None:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

        self.protocol = RegisteredProtocol
        """The protocol class that the server must use."""

    async def drop(self, request: Request, receive: Receive) -> None:
        """Cut the connection of a request and wait until the server has noticed."""
        if request.client is not None:
            self._transports[(request.client.host, request.client.port)].abort()
        # Until then the server would take the missing answer for a bug and send its own error.
        while (await receive())["type"] != "http.disconnect":
            pass
