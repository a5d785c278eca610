"""What comes in and what goes out: the API's own request and response, whatever host carries them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request."""

    method: str
    url: str
    """Absolute, escaped as the client sent it, with its query."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One HTTP answer; header values are ASCII without line breaks, as the Functions host demands."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
