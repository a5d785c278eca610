"""Make HTTP answers: of what an operation answered, or of what went wrong."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flexvault.api import problems
from flexvault.api.call import API_VERSION, Answer, Call, LongRunning
from flexvault.api.wire import Response
from flexvault.domain.errors import VaultError

_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
}
_HEADER_TEXT = re.compile(r"[ -~]{1,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIds:
    """The names under which a request is found in logs: its own, and the one that its caller gave it."""

    request_id: str
    correlation_id: str
    client_request_id: str = ""
    """To be sent back, if the client wants it so."""
    plain_client_request_id: str = ""
    """For logs and the journal, whatever the client wants back."""

    @classmethod
    def of(cls, headers: Mapping[str, str], request_id: str) -> "RequestIds":
        """Read what the client sent; only a plain id is taken over into logs and answers."""
        correlation_id = headers.get("x-ms-correlation-request-id", "")
        client_request_id = headers.get("x-ms-client-request-id", "")
        is_wanted = headers.get("x-ms-return-client-request-id", "").lower() == "true"
        return cls(
            request_id=request_id,
            correlation_id=correlation_id if _PLAIN_ID.fullmatch(correlation_id) else request_id,
            client_request_id=client_request_id if is_wanted and _HEADER_TEXT.fullmatch(client_request_id) else "",
            plain_client_request_id=client_request_id if _PLAIN_ID.fullmatch(client_request_id) else "",
        )

    def facts(self) -> dict[str, str]:
        """Answer them as every log record and the trace of the request carry them."""
        facts = {"request_id": self.request_id, "correlation_id": self.correlation_id}
        client = self.plain_client_request_id
        return {**facts, "client_request_id": client} if client else facts


_PLAIN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


def to_response(call: Call, answer: Answer, ids: RequestIds) -> Response:
    """Make the response of an operation's answer."""
    headers = {"ETag": answer.etag} if answer.etag else {}
    if answer.operation_id:
        headers |= _operation_headers(call, answer)
    if answer.waits:
        headers["Retry-After"] = str(retry_after_seconds(call))
    if answer.media_type:
        disposition = f'attachment; filename="{answer.file_name}"'
        headers |= {"Content-Type": answer.media_type, "Content-Disposition": disposition}
    return _respond(answer.status, answer.data if answer.media_type else answer.body, headers, ids)


def to_refusal(error: VaultError, ids: RequestIds) -> Response:
    """Make the response of a failure."""
    code = error.code if _HEADER_TEXT.fullmatch(error.code) else "Unknown"
    headers = {**problems.headers_of(error), "x-ms-error-code": code}
    return _respond(problems.status_of(error), problems.body_of(error, ids.correlation_id), headers, ids)


def retry_after_seconds(call: Call) -> int:
    """Answer how long a client should wait: never longer than the app itself waits before it looks again."""
    floor = call.vault.settings.poll_floors_seconds[0]
    return max(1, min(call.operation.retry_after_seconds, math.ceil(floor)))


def _operation_headers(call: Call, answer: Answer) -> dict[str, str]:
    scope, operation_id = call.ids.location_scope, answer.operation_id
    result = f"{scope}/operationResults/{operation_id}"
    if call.operation.long_running is LongRunning.PUT:
        result = f"{call.path}/operationResults/{operation_id}"
    # An operation of the vault's own has no api-version, and what says how it ends is Azure Backup's.
    version = {} if call.links.api_version else {"api-version": API_VERSION}
    return {
        "Azure-AsyncOperation": call.links.to(f"{scope}/operationStatus/{operation_id}", version),
        "Location": call.links.to(result, version),
    }


def _respond(
    status: int, body: Mapping[str, Any] | bytes | None, headers: Mapping[str, str], ids: RequestIds
) -> Response:
    common = {
        **_SECURITY_HEADERS,
        "x-ms-request-id": ids.request_id,
        "x-ms-correlation-request-id": ids.correlation_id,
    }
    if ids.client_request_id:
        common["x-ms-client-request-id"] = ids.client_request_id
    if body is None:
        return Response(status=status, headers={**common, **headers})
    if isinstance(body, bytes):
        return Response(status=status, headers={**common, **headers}, body=body)
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", **headers}
    return Response(status=status, headers={**common, **headers}, body=data)
