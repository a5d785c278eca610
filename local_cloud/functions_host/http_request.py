"""A request as the function sees it: URL, parameters, headers and body, made as Kestrel and the host make them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from local_cloud.functions_host.protos import Message

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_VALID_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# What ASP.NET leaves as it is in the path of a URL (PathString.ToUriComponent).
_SAFE_IN_PATH = "/!$&'()*+,;=:@-._~"


class BadRequestError(Exception):
    """The request line or a header is refused with a bare 400."""


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request with its whole body.

    Attributes:
        path: Decoded, except `%2F` and bytes that are not UTF-8; dot segments resolved.
        query: As it was sent, without the question mark.
        headers: Lower-cased names; repeated ones joined with commas.
    """

    method: str
    scheme: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def url(self) -> str:
        """Return the absolute URL: the Host header, the path escaped anew, the query as sent."""
        query = "?" + self.query.replace("#", "%23") if self.query else ""
        return f"{self.scheme}://{self.headers.get('host', '')}{encode_path(self.path)}{query}"

    def message(self, route_parameters: dict[str, str]) -> Message:
        """Return the request as the worker gets it (TypedData)."""
        return Message(
            http=Message(
                method=self.method,
                url=self.url(),
                headers=self.headers,
                params=route_parameters,
                query=parse_query(self.query),
                body=Message(bytes=self.body),
            )
        )


def decode_path(raw: bytes) -> str:
    """Decode the path of a request line and resolve its dot segments.

    `%2F` stays escaped, and so does what is not UTF-8.

    Raises:
        BadRequestError: It is not a path, or it holds a zero byte.
    """
    if not raw.startswith(b"/") or b"%00" in raw or b"\0" in raw:
        raise BadRequestError
    octets = _ESCAPE.sub(lambda match: match[0] if match[1].upper() == b"2F" else bytes([int(match[1], 16)]), raw)
    text = octets.decode("utf-8", "surrogateescape")
    text = "".join(f"%{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char for char in text)
    return _without_dot_segments(text)


def encode_path(path: str) -> str:
    """Escape a decoded path as ASP.NET does: what looks like an escape is left alone."""
    encoded, at = "", 0
    for match in _VALID_ESCAPE.finditer(path):
        encoded += quote(path[at : match.start()], safe=_SAFE_IN_PATH) + match[0]
        at = match.end()
    return encoded + quote(path[at:], safe=_SAFE_IN_PATH)


def parse_query(query: str) -> dict[str, str]:
    """Return the query parameters as the host hands them on.

    Names that differ only in case are one, named by its second spelling; repeated values are joined with commas;
    empty ones vanish: `API=1&aPi=2&api=3&b=` is `{"aPi": "1,2,3"}`.
    """
    values: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name = unquote_plus(name)
        values.setdefault(name.lower(), []).append(unquote_plus(value))
        names.setdefault(name.lower(), []).append(name)
    joined = {names[key][:2][-1]: ",".join(values[key]) for key in values}
    return {name: value for name, value in joined.items() if value}


def parse_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower the names and join repeated headers.

    Raises:
        BadRequestError: A value is not ASCII.
    """
    headers: dict[str, str] = {}
    for name, value in raw:
        if not value.isascii():
            raise BadRequestError
        key = name.decode("ascii").lower()
        text = value.decode("ascii")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    return headers


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        if segment not in (".", ".."):
            kept.append(segment)
            continue
        if segment == ".." and kept:
            kept.pop()
        if index == len(segments) - 1:
            kept.append("")
    return "/" + "/".join(kept)
