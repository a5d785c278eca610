"""Answers of the gateway, and the relaying of Azurite's."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import httpcore

from local_cloud.storage_gateway.azurite import header_of, read_all

_OWN_OR_OF_THE_CONNECTION = frozenset({
    *("connection", "keep-alive", "transfer-encoding", "date", "server"),
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and a body that is whole or arrives."""

    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    relayed: httpcore.Response | None = None
    """The body is this one's, once it is sent."""

    async def parts(self) -> AsyncGenerator[bytes]:
        """Answer the body, part by part."""
        if self.relayed is None:
            yield self.body
            return
        try:
            async for part in self.relayed.aiter_stream():
                yield part
        finally:
            await self.relayed.aclose()


def relay(response: httpcore.Response, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer what Azurite answered, with further or other headers."""
    changed = {name.lower() for name in headers or {}}
    kept = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in response.headers
        if name.decode("latin-1").lower() not in _OWN_OR_OF_THE_CONNECTION | changed
    }
    return Answer(status=response.status, headers={**kept, **(headers or {})}, relayed=response)


async def relay_failure(response: httpcore.Response) -> Answer:
    """Answer Azurite's refusal, read whole."""
    body = await read_all(response)
    headers = pick(response, "x-ms-error-code", "Content-Type", "Content-Range")
    return Answer(status=response.status, headers=headers, body=body)


def pick(response: httpcore.Response, *names: str) -> dict[str, str]:
    """Answer those of Azurite's headers that it gave."""
    return {name: value for name in names if (value := header_of(response, name))}
