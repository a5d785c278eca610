"""The ASGI application: requests in, answers of the Blob service out."""

import itertools
import logging
import uuid
from contextlib import aclosing
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from local_cloud.storage_gateway import control
from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.azurite import CONNECTION_LOST
from local_cloud.storage_gateway.call import Call, split_path
from local_cloud.storage_gateway.config import CALLERS_PATH, SETTINGS_PATH
from local_cloud.storage_gateway.dispatch import dispatch
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.problems import StorageError
from local_cloud.storage_gateway.wire import http_date

_LOG = logging.getLogger("local_cloud.storage_gateway")
_NAMESPACE = uuid.UUID("6f0a3f0c-7d7f-4b8e-9a55-1b0a3b6f8d11")
_BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


class GatewayApp:
    """Serves one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._started = gateway.clock.now().isoformat()
        self._ordinals = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or close with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = Request(scope, receive)
        request_id = str(uuid.uuid5(_NAMESPACE, f"{self._started}|{next(self._ordinals)}"))
        try:
            await self._send(request, request_id, await self._respond(request, request_id), send)
        except ClientDisconnect:
            _LOG.debug("a client went away before it was answered")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._gateway.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, request: Request, request_id: str) -> Answer:
        try:
            if request.url.path == SETTINGS_PATH:
                return control.control(self._gateway, request.method, await request.body())
            if request.url.path == CALLERS_PATH:
                return control.show_callers(self._gateway)
            return await dispatch(self._gateway, self._read(request))
        except StorageError as error:
            time = self._gateway.clock.now().isoformat()
            return Answer(status=error.status, headers=error.headers, body=error.body(request_id, time))

    def _read(self, request: Request) -> Call:
        raw_path: bytes = request.scope["raw_path"]
        query: bytes = request.scope["query_string"]
        account, container, blob = split_path(raw_path.decode("latin-1"))
        found = self._gateway.config.accounts.get(account)
        if found is None:
            message = f"There is no storage account '{account}' in this cloud."
            raise StorageError(HTTPStatus.NOT_FOUND, "ResourceNotFound", message)
        return Call(
            method=request.method,
            account=found,
            container=container,
            blob=blob,
            raw_target=raw_path + (b"?" + query if query else b""),
            raw_query=query.decode("latin-1"),
            headers=request.headers,
            request=request,
        )

    async def _send(self, request: Request, request_id: str, answer: Answer, send: Send) -> None:
        headers = {
            "x-ms-request-id": request_id,
            "x-ms-version": request.headers.get("x-ms-version", "2021-12-02"),
            **answer.headers,
            "Date": http_date(self._gateway.clock.date()),
        }
        if client_id := request.headers.get("x-ms-client-request-id"):
            headers["x-ms-client-request-id"] = client_id
        has_body = request.method != "HEAD" and answer.status not in _BODILESS
        if answer.relayed is None and request.method != "HEAD":
            headers["Content-Length"] = str(len(answer.body) if has_body else 0)
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": int(answer.status), "headers": encoded})
        try:
            async with aclosing(answer.parts()) as parts:
                async for part in parts:
                    if has_body and part:
                        await send({"type": "http.response.body", "body": part, "more_body": True})
        except CONNECTION_LOST:
            # The status is sent already; an answer that ends early tells the client that it is not whole.
            _LOG.warning("Azurite broke off an answer")
            raise
        await send({"type": "http.response.body", "body": b"", "more_body": False})
