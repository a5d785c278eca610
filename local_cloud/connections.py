"""Open connections, so that a fault can cut one: the client then never learns what became of its request."""

import asyncio

from starlette.requests import Request
from starlette.types import Receive
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connections:
    """The connections of one server, by the client's address, which is unique among open ones."""

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        transports = self._transports

        class RegisteredProtocol(H11Protocol):
            """uvicorn's HTTP protocol, which keeps this registry up to date."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - uvicorn narrows asyncio's argument
                super().connection_made(transport)
                if self.client is not None:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                # By the address kept at the start: an aborted TLS transport no longer knows its peer.
                if self.client is not None:
                    transports.pop(self.client, None)
                super().connection_lost(exc)

            def shutdown(self) -> None:
                super().shutdown()
                if self.transport.is_closing():
                    # An idle client reads nothing, so it would never answer TLS's farewell.
                    self.transport.abort()

        self.protocol = RegisteredProtocol
        """The protocol class that the server must use."""

    async def drop(self, request: Request, receive: Receive) -> None:
        """Cut the connection of a request and wait until the server has noticed."""
        if request.client is not None:
            self._transports[(request.client.host, request.client.port)].abort()
        # Until then the server would take the missing answer for a bug and send its own error.
        while (await receive())["type"] != "http.disconnect":
            pass
