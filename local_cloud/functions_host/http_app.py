"""The ASGI application: routes, keys, invocation, and the host's own few pages."""

import hmac
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from local_cloud.functions_host.errors import InvocationError
from local_cloud.functions_host.http_request import (
    BadRequestError,
    HttpRequest,
    decode_path,
    parse_headers,
    parse_query,
)
from local_cloud.functions_host.http_response import BROKEN, FAILED, REFUSED, HttpResponse, bare, response_of
from local_cloud.functions_host.routes import Route, RouteTable
from local_cloud.functions_host.runtime import FunctionsRuntime

_LOG = logging.getLogger(__name__)
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 104857600
_MAX_REQUEST_LINE_BYTES = 8192
_HOME = b"<!DOCTYPE html>\n<title>Your Azure Function App is up and running.</title>\n"
_NO_STORE = (("Cache-Control", "no-store,no-cache"), ("Pragma", "no-cache"))
_UNAUTHORIZED_ADMIN = bare(401, ("WWW-Authenticate", "Bearer"))


class HttpApp:
    """Answers as the real host does; a function that fails is a bare 500."""

    def __init__(self, runtime: FunctionsRuntime, routes: RouteTable, *, client: str, keys: dict[str, str]) -> None:
        """Make the application.

        Args:
            runtime: Runs the functions.
            routes: Of all HTTP functions.
            client: Text for their durable client bindings.
            keys: `default` (the host key) and `_master`.
        """
        self._runtime = runtime
        self._routes = routes
        self._client = client
        self._keys = keys

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one request (ASGI)."""
        response = await self._respond(scope, receive)
        await _send(response, is_head=scope["method"] == "HEAD", send=send)

    async def _respond(self, scope: _Scope, receive: _Receive) -> HttpResponse:
        if (refusal := _refuse_line(scope)) is not None:
            return refusal
        try:
            path = decode_path(scope["raw_path"])
            headers = parse_headers(scope["headers"])
        except BadRequestError:
            return REFUSED
        # HTTP/1.0 may come without a host, which the real host then misses in the URL.
        if "host" not in headers or int(headers.get("content-length", "0")) > MAX_BODY_BYTES:
            return BROKEN
        body = await _read_body(receive, is_kept="content-length" in headers)
        if body is None:
            return BROKEN  # the client is gone; nobody reads this
        request = HttpRequest(
            method=scope["method"],
            scheme=scope["scheme"],
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
        )
        return await self._answer(request)

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        if (own := _own_page(request.path.lower())) is not None:
            return own
        found = self._routes.find(request.method, request.path)
        if found is None:
            return _home() if request.path == "/" else bare(404)
        route, parameters = found
        if not self._is_allowed(route, request):
            return bare(401)
        try:
            answer = await self._runtime.invoke(
                route.function, request.message(parameters), client=self._client, headers=request.headers
            )
        except InvocationError as error:
            _LOG.error("function %s failed: %s\n%s", route.function.name, error.message, error.stack)
            return FAILED
        return response_of(answer)

    def _is_allowed(self, route: Route, request: HttpRequest) -> bool:
        level = str(route.function.trigger.get("authLevel", "function")).lower()
        if level == "anonymous":
            return True
        accepted = ("_master",) if level == "admin" else ("default", "_master")
        query = {name.lower(): value for name, value in parse_query(request.query).items()}
        # The header wins, also when it is wrong.
        given = request.headers.get("x-functions-key", query.get("code", ""))
        return any(hmac.compare_digest(given.encode(), self._keys[name].encode()) for name in accepted)


def _refuse_line(scope: _Scope) -> HttpResponse | None:
    if scope["raw_path"] == b"*":
        return bare(404)
    if len(scope["raw_path"]) + len(scope["query_string"]) > _MAX_REQUEST_LINE_BYTES:
        return bare(414, ("Connection", "close"))
    return None


def _own_page(path: str) -> HttpResponse | None:
    """Return what the host itself serves; its keyed pages exist only as their refusal."""
    if path == "/admin/host/ping":
        return bare(200, *_NO_STORE)
    if path == "/admin/warmup":
        return bare(200)
    if path.startswith(("/admin/host/", "/runtime/webhooks/durabletask/")):
        return _UNAUTHORIZED_ADMIN
    return None


def _home() -> HttpResponse:
    headers = (("Content-Type", "text/html"), ("Content-Length", str(len(_HOME))))
    return HttpResponse(status=200, headers=headers, body=_HOME)


async def _read_body(receive: _Receive, *, is_kept: bool) -> bytes | None:
    """Read the body, or None if the client goes before its end.

    Without a Content-Length (chunked) the real host hands on an empty one.
    """
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if is_kept:
            chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(response: HttpResponse, *, is_head: bool, send: _Send) -> None:
    headers = list(response.headers)
    if "server" not in {name.lower() for name, _ in headers}:
        headers.append(("Server", "Kestrel"))
    encoded = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    await send({"type": "http.response.body", "body": b"" if is_head else response.body})
