"""The ASGI application: requests in, ARM answers out, and the faults that act on requests."""

import itertools
import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from local_cloud.arm_emulator import control
from local_cloud.arm_emulator.clock import wire_time
from local_cloud.arm_emulator.connections import Connections
from local_cloud.arm_emulator.emulator import Emulator
from local_cloud.arm_emulator.faults import Fault, Stage
from local_cloud.arm_emulator.problems import ArmError, bad_request
from local_cloud.arm_emulator.ratelimit import RateLimit
from local_cloud.arm_emulator.routing import Answer, Call, normalised

_NAMESPACE = uuid.UUID("d2c0a1f4-1d4e-4c43-8a8f-5b0a7c9e3e52")
_STANDARD_HEADERS = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


class EmulatorApp:
    """Serves one emulator."""

    def __init__(self, emulator: Emulator, *, base_url: str, connections: Connections) -> None:
        self._emulator = emulator
        self._base_url = base_url
        self._connections = connections
        self._rate_limit = RateLimit(emulator.clock)
        self._started_at = wire_time(emulator.clock())
        self._ordinals = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or drop its connection when a fault says so."""
        request = Request(scope, receive)
        body = await request.body()
        response = await self._respond(request, body)
        if response is None:
            await self._connections.drop(request, receive)
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request, body: bytes) -> Response | None:
        path = normalised(request.url.path)
        try:
            if path.lower().startswith(control.PREFIX):
                host = request.client.host if request.client else ""
                answer = await run_in_threadpool(
                    control.control,
                    self._emulator,
                    client_host=host,
                    method=request.method,
                    path=path,
                    body=body,
                )
                return _response(answer, {})
            return await self._respond_as_arm(request, path, body)
        except ArmError as error:
            return self._refusal(error, request)

    async def _respond_as_arm(self, request: Request, path: str, body: bytes) -> Response | None:
        operation, params = self._emulator.router.find(request.method, path)
        self._emulator.count(operation)
        target = f"{path}?{request.url.query}"
        taken = self._emulator.faults.take(Stage.REQUEST, request.method, target)
        faults = {fault.name: fault for fault in taken}
        if "hold" in faults:
            await run_in_threadpool(faults["hold"].hold)
        if "throttle" in faults:
            raise self._throttled(faults["throttle"].parameters)
        if "error-before" in faults:
            raise _ordered_error(faults["error-before"])
        principal = await run_in_threadpool(self._emulator.tokens.principal_of, request.headers.get("authorization"))
        call = Call(
            principal=principal,
            params=params,
            query={name.lower(): value for name, value in parse_qsl(request.url.query)},
            path=path,
            body=_json_body(body),
            base_url=self._base_url,
            method=request.method,
            target=target,
        )
        try:
            answer = await run_in_threadpool(self._emulator.perform, operation, call)
        except ArmError:
            if "lost-response" in faults:
                return None
            raise
        if "lost-response" in faults:
            return None
        if "error-after" in faults:
            raise _ordered_error(faults["error-after"])
        return _response(answer, self._arm_headers(request))

    def _throttled(self, parameters: Mapping[str, Any]) -> ArmError:
        headers: dict[str, str] = {}
        if parameters["retryAfterForm"] == "seconds":
            headers["Retry-After"] = str(parameters["retryAfterSeconds"])
        elif parameters["retryAfterForm"] == "date":
            moment = self._emulator.clock() + timedelta(seconds=parameters["retryAfterSeconds"])
            headers["Retry-After"] = format_datetime(moment, usegmt=True)
        return ArmError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "TooManyRequests",
            "The request is being throttled as the limit has been reached for operation type.",
            headers=headers,
        )

    def _refusal(self, error: ArmError, request: Request) -> Response:
        answer = Answer(status=error.status, body=error.body(), headers=error.headers)
        return _response(answer, self._arm_headers(request))

    def _arm_headers(self, request: Request) -> dict[str, str]:
        subscription = normalised(request.url.path).split("/")[2:3]
        request_id = str(uuid.uuid5(_NAMESPACE, f"{self._started_at}|{next(self._ordinals)}"))
        headers = {
            **_STANDARD_HEADERS,
            "x-ms-request-id": request_id,
            "x-ms-correlation-request-id": request.headers.get("x-ms-correlation-request-id", request_id),
        }
        if subscription:
            headers |= self._rate_limit.headers(subscription[0], is_read=request.method in {"GET", "HEAD"})
        return headers


def _ordered_error(fault: Fault) -> ArmError:
    given = fault.parameters
    return ArmError(given["status"], given["code"], given["message"], headers=given["headers"])


def _json_body(body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    try:
        data: Any = json.loads(body)
    except ValueError as error:
        raise bad_request("InvalidRequestContent", "The request content was invalid and could not be read.") from error
    if not isinstance(data, dict):
        raise bad_request("InvalidRequestContent", "The request content must be a JSON object.")
    return data  # pyright: ignore[reportUnknownVariableType] - JSON of a caller


def _response(answer: Answer, headers: Mapping[str, str]) -> Response:
    all_headers = {**headers, **answer.headers}
    if answer.body is None:
        return Response(status_code=answer.status, headers=all_headers)
    return JSONResponse(
        answer.body, status_code=answer.status, headers=all_headers, media_type="application/json; charset=utf-8"
    )
