"""Every refusal that an operation may answer: statuses, headers, and when they are sent."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flexvault.api.openapi.schemas import TEXT, Schema, refer_to

_GUID_LIKE: Schema = {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$"}
COMMON_HEADERS: Mapping[str, Any] = {
    "x-ms-request-id": {"description": "Names this request.", "schema": _GUID_LIKE, "required": True},
    "x-ms-correlation-request-id": {
        "description": "The client's own if it sent a plain one; logs and journal have it.",
        "schema": _GUID_LIKE,
        "required": True,
    },
}
_CODE = {"x-ms-error-code": {"description": "The error's code.", "schema": TEXT, "required": True}}
_SECONDS: Schema = {"type": "string", "pattern": "^[0-9]+$"}
_WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": _SECONDS, "required": True}}
_CHALLENGE = {"WWW-Authenticate": {"description": "Where tokens are issued.", "schema": TEXT, "required": True}}
_ALLOW = {"Allow": {"description": "The methods that the path takes.", "schema": TEXT, "required": True}}

ANYBODYS = (400, 405, 413, 414, 431, 500, 503)
"""Also of an operation that needs no token."""
CALLERS = (401, 403, 404, 409, 412, 429)

_TEXTS: Mapping[int, tuple[str, Mapping[str, Any]]] = {
    400: ("Something in the request cannot be used; each mistake is a detail with its JSON path.", {}),
    401: ("There is no token, or it is not valid.", _CHALLENGE),
    403: (
        "The token lacks the role, or a second person has to approve: code ApprovalRequired, target the approval.",
        {},
    ),
    404: ("What the path names does not exist.", {}),
    405: ("The path takes another method.", _ALLOW),
    409: ("It cannot be done as things stand, or what is stored is not what was recorded.", {}),
    412: ("What was to be changed is not what the request expects.", {}),
    413: ("The body is larger than 1 MiB.", {}),
    414: ("The URL is longer than 8 KiB.", {}),
    429: ("The caller, or the caller's address, sent too many requests.", _WAIT),
    431: ("The headers are larger than 32 KiB together.", {}),
    500: ("Unexpected; the log names it under the correlation id.", {}),
    503: ("A service that the vault needs does not answer now.", _WAIT),
}


def list_refusals() -> dict[str, Any]:
    """Write every refusal as a component of the document, by its name."""
    return {_name(status): _write(status) for status in _TEXTS}


def refuse_with(statuses: tuple[int, ...]) -> dict[str, Any]:
    """Refer to refusals from an operation, by status."""
    return {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _write(status: int) -> dict[str, Any]:
    text, headers = _TEXTS[status]
    return {
        "description": text,
        "headers": {**COMMON_HEADERS, **_CODE, **headers},
        "content": {"application/json": {"schema": refer_to("Error")}},
    }
