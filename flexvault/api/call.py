"""One call of one operation: what a handler is given and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from flexvault.api.addresses import read_address
from flexvault.api.bodies import Shape, conform, read_object
from flexvault.api.resource_ids import ResourceIds
from flexvault.api.roles import Role
from flexvault.api.tokens import Caller
from flexvault.api.wire import Request
from flexvault.domain import names
from flexvault.domain.errors import InvalidInputError, PreconditionFailedError
from flexvault.services.vault import Vault

API_VERSION = "2026-06-01"
"""Azure Backup's, after which the API is made."""


class LongRunning(StrEnum):
    """How a client learns the end of an operation, as Azure's SDKs demand it."""

    NO = "no"
    """The answer is the end."""
    POST = "post"
    """202; `Azure-AsyncOperation` says when it ends, `Location` then holds the result."""
    PUT = "put"
    """201 with the resource; the same headers, the result is the resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler answers; the dispatcher makes a response of it."""

    status: HTTPStatus = HTTPStatus.OK
    body: Mapping[str, Any] | None = None
    data: bytes = b""
    """In place of a JSON body: the bytes of a file, with `media_type` and `file_name`."""
    media_type: str = ""
    file_name: str = ""
    """Under which a client keeps the file: letters, digits, dashes, dots and underscores only."""
    operation_id: str = ""
    """Of the long-running operation that a client may follow."""
    etag: str = ""
    waits: bool = False
    """The client should look again, after the operation's Retry-After."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes absolute URLs of the vault as the client reaches it: scheme, host and prefix are those of its request."""

    origin: str
    """Scheme, host and prefix, without a final slash."""
    api_version: str

    def to(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Answer the URL of a resource path; header values must be ASCII, so everything else is escaped."""
        # The vault's own operations have no api-version.
        version = {"api-version": self.api_version} if self.api_version else {}
        return f"{self.origin}{quote(path)}?{urlencode({**version, **(query or {})}, safe='$')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One row of the operation table."""

    name: str
    method: str
    template: str
    """Path below the prefix; `{name}` is one segment, a leading `{*name}` one or more."""
    role: Role | None
    """The least role; None opens the operation to everybody."""
    statuses: frozenset[HTTPStatus]
    """Every status of success that clients of this operation accept."""
    handler: "Callable[[Call], Answer]"
    long_running: LongRunning = LongRunning.NO
    retry_after_seconds: int = 0
    """How long a client should wait before it looks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated call; parameters and query are decoded."""

    vault: Vault
    begin: Callable[[str], None]
    operation: ApiOperation
    params: Mapping[str, str]
    path: str
    """Path of the resource below the prefix, decoded, without doubled slashes."""
    query: Mapping[str, str]
    """By lower-cased name."""
    request: Request
    """Its header names are in lower case."""
    caller: Caller
    correlation_id: str
    request_id: str
    """This request's own, never repeated."""
    links: Links
    page_size: int
    ids: ResourceIds

    def body(self, shape: Shape) -> dict[str, Any]:
        """Read the body and give its members their canonical names.

        Raises:
            InvalidInputError: It is no JSON object.
        """
        return conform(read_object(self.request.body), shape)

    def request_key(self, body: Mapping[str, Any]) -> str:
        """Name this request: a repetition has the same name, and without a client request id nothing is repeated."""
        client_request_id = self.request.headers.get("x-ms-client-request-id") or self.request_id
        return names.request_key(self.operation.name, self.path, body, client_request_id)

    def actor(self) -> dict[str, str]:
        """Say for the journal who asks, and from where."""
        actor = {
            "oid": self.caller.object_id,
            "name": self.caller.name,
            "correlation_id": self.correlation_id,
        }
        address = read_address(self.request.headers)
        return actor | ({"from": address} if address else {})

    def require_preconditions(self, etag: str | None, what: str) -> None:
        """Compare `If-Match` and `If-None-Match` with the ETag of what is there, or None when nothing is.

        Raises:
            PreconditionFailedError: It is not what the client expects.
        """
        wanted = self.request.headers.get("if-match", "").strip()
        unwanted = self.request.headers.get("if-none-match", "").strip()
        if wanted and (etag is None or (wanted != "*" and etag not in _etags(wanted))):
            raise PreconditionFailedError(
                f"{what} is not the one that If-Match names", target=what, hint="read it again, then send the change"
            )
        if unwanted and etag is not None and (unwanted == "*" or etag in _etags(unwanted)):
            raise PreconditionFailedError(
                f"{what} exists, and If-None-Match forbids to change it", target=what, hint="leave out If-None-Match"
            )


def require_name(name: str, what: str) -> str:
    """Refuse a name that ARM allows in no resource id.

    Raises:
        InvalidInputError: code InvalidResourceName.
    """
    if not name.strip() or len(name) > _MAX_NAME or any(_is_forbidden(character) for character in name):
        raise InvalidInputError(
            f"'{name}' is no {what} name: use 1 to {_MAX_NAME} characters without <>*%&:?#+/\\ and control characters",
            code="InvalidResourceName",
            target=what,
            hint=f"send it under a name of letters, digits and dashes, such as '{what}-1'",
        )
    return name


_MAX_NAME = 260


def _is_forbidden(character: str) -> bool:
    return character in "<>*%&:?#+/\\" or not character.isprintable()


def _etags(header: str) -> set[str]:
    return {etag.strip().removeprefix("W/") for etag in header.split(",")}
