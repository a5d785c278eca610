"""An answer as the client sees it, made from what a function returned."""

import re
from dataclasses import dataclass
from typing import Any

from local_cloud.functions_host.protos import Message

_TEXT = "text/plain; charset=utf-8"
_WITHOUT_BODY = (204, 304)
_SAME_SITE = {1: "lax", 2: "strict", 3: "none"}
_BAD_VALUE = re.compile(r"[^\x20-\x7e\t]")


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """Status, headers in the order in which they are sent, and the whole body."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def bare(status: int, *headers: tuple[str, str]) -> HttpResponse:
    """Return an answer of the host itself: no body."""
    return HttpResponse(status=status, headers=(*headers, ("Content-Length", "0")))


# The connection ends with an answer to a request that Kestrel gave up.
REFUSED = bare(400, ("Connection", "close"))
FAILED = bare(500)
BROKEN = bare(500, ("Connection", "close"))


def response_of(answer: Message | None) -> HttpResponse:
    """Turn a function's return value (TypedData) into an answer; what Kestrel cannot send becomes a bare 500."""
    if answer is None:
        return FAILED
    kind = answer.WhichOneof("data")
    if kind == "string":
        return _framed(200, [("Content-Type", _TEXT)], answer.string.encode())
    if kind != "http":
        return FAILED
    http: Message = answer.http
    headers = [(str(name), str(value)) for name, value in http.headers.items()]
    cookies: list[Message] = http.cookies or []
    headers += [("Set-Cookie", _cookie(cookie)) for cookie in cookies]
    body: Any = getattr(http.body, http.body.WhichOneof("data") or "bytes")
    return _framed(int(http.status_code), headers, body if isinstance(body, bytes) else str(body).encode())


def _framed(status: int, headers: list[tuple[str, str]], body: bytes) -> HttpResponse:
    if any(_BAD_VALUE.search(value) for _, value in headers):
        return FAILED
    named = {name.lower(): value for name, value in headers}
    if "transfer-encoding" in named:
        return BROKEN
    if status in _WITHOUT_BODY:
        return HttpResponse(status=status, headers=tuple(headers))
    if named.get("content-length", str(len(body))) != str(len(body)):
        return BROKEN
    if not body and "content-length" not in named:
        headers = [*headers, ("Content-Length", "0")]
    return HttpResponse(status=status, headers=tuple(headers), body=body)


def _cookie(cookie: Message) -> str:
    """Write a cookie as ASP.NET does, which always names domain and path."""
    parts = [f"{cookie.name}={cookie.value}"]
    if (max_age := _value(cookie.max_age)) is not None:
        parts.append(f"max-age={int(max_age)}")
    parts += [f"domain={_value(cookie.domain) or ''}", f"path={_value(cookie.path) or ''}"]
    if _value(cookie.secure):
        parts.append("secure")
    if cookie.same_site in _SAME_SITE:
        parts.append(f"samesite={_SAME_SITE[cookie.same_site]}")
    if _value(cookie.http_only):
        parts.append("httponly")
    return "; ".join(parts)


def _value(wrapped: Message | None) -> Any:
    return None if wrapped is None else wrapped.value
