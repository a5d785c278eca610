"""Requests to Azurite: with the caller's own proof, or as the gateway."""

import ssl
import time
from collections.abc import AsyncIterable, Iterable, Mapping
from http import HTTPStatus
from urllib.parse import quote, urlsplit

import httpcore
import jwt

from local_cloud.landscape import object_id_of
from local_cloud.storage_gateway.call import BlobKey
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.problems import StorageError
from local_cloud.tokens import IDENTITIES_ISSUER, STORAGE_AUDIENCE

_TIMEOUTS = {"connect": 10.0, "read": 300.0, "write": 300.0, "pool": 60.0}
# Azurite (Node) closes an idle connection after 5 s; one that is given up sooner never dies under a request.
_IDLE_SECONDS = 3.0
_CONNECTIONS = 200
CONNECTION_LOST = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
"""What is raised when Azurite does not answer, or not to the end."""
_TOKEN_SECONDS = 3600

type Body = bytes | AsyncIterable[bytes]
type Headers = Iterable[tuple[str, str]]


class Azurite:
    """The only client of Azurite's blob service."""

    def __init__(self, config: GatewayConfig) -> None:
        url = urlsplit(config.azurite_url)
        self.host = url.netloc
        self._name, self._port = str(url.hostname), url.port
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(cafile=str(config.ca_file)),
            max_connections=_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
        )
        self._token = ""
        self._token_ends_at = 0.0

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def send(
        self, method: str, target: bytes, headers: Headers, body: Body = b"", *, length: str = ""
    ) -> httpcore.Response:
        """Send a request; the answer's body is not read yet, and the caller closes it.

        Args:
            method: Of HTTP.
            target: Path and query, encoded.
            headers: Without Host and the length.
            body: Whole, or as it arrives.
            length: Of a body that arrives; "" = unknown.

        Raises:
            StorageError: 503 ServerBusy when Azurite does not answer.
        """
        whole = isinstance(body, bytes)
        size = str(len(body)) if whole and (body or method in {"PUT", "POST"}) else length
        framing = [("Content-Length", size)] if size else [] if whole else [("Transfer-Encoding", "chunked")]
        url = httpcore.URL(scheme=b"https", host=self._name.encode(), port=self._port, target=target)
        request = httpcore.Request(
            method,
            url,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in (*headers, *framing)],
            content=_Stream(body),
            extensions={"timeout": _TIMEOUTS},
        )
        try:
            return await self._pool.handle_async_request(request)
        except CONNECTION_LOST as error:
            message = f"Azurite does not answer: {type(error).__name__}"
            raise StorageError(HTTPStatus.SERVICE_UNAVAILABLE, "ServerBusy", message) from error

    async def send_own(
        self,
        method: str,
        key: BlobKey,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        *,
        length: str = "",
    ) -> httpcore.Response:
        """Send a request as the gateway itself, to whom Azurite, which has no roles, allows everything."""
        parts = [key.account, key.container, key.name]
        path = "/" + "/".join(quote(part, safe="/") for part in parts if part)
        target = f"{path}?{query}" if query else path
        own = {"Host": self.host, "Authorization": f"Bearer {self._own_token()}", "x-ms-version": "2021-12-02"}
        return await self.send(method, target.encode(), {**own, **(headers or {})}.items(), body, length=length)

    def _own_token(self) -> str:
        """Answer a token that Azurite accepts: it checks all claims and no signature."""
        now = int(time.time())
        if now > self._token_ends_at - _TOKEN_SECONDS / 2:
            claims = {"iss": IDENTITIES_ISSUER, "aud": STORAGE_AUDIENCE, "iat": now, "nbf": now - 300}
            subject = {"oid": object_id_of("storage-gateway"), "tid": IDENTITIES_ISSUER.split("/")[3]}
            self._token_ends_at = now + _TOKEN_SECONDS
            self._token = jwt.encode({**claims, **subject, "exp": now + _TOKEN_SECONDS}, "unchecked" * 8, "HS256")
        return self._token


class _Stream:
    """A request's body as the client library wants it."""

    def __init__(self, body: Body) -> None:
        self._body = body

    async def __aiter__(self):  # noqa: ANN204 - an asynchronous generator
        if isinstance(self._body, bytes):
            if self._body:
                yield self._body
            return
        async for part in self._body:
            if part:
                yield part


def header_of(response: httpcore.Response, name: str) -> str:
    """Answer a header of an answer, or ""."""
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == wanted), "")


async def read_all(response: httpcore.Response) -> bytes:
    """Read an answer to its end and give its connection back."""
    try:
        return await response.aread()
    except CONNECTION_LOST as error:
        message = f"Azurite broke off: {type(error).__name__}"
        raise StorageError(HTTPStatus.SERVICE_UNAVAILABLE, "ServerBusy", message) from error
    finally:
        await response.aclose()
