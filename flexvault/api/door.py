"""The checks that every request passes before an operation sees it: who calls, what is asked, may they, is it here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from flexvault.api.addresses import network_of, read_address
from flexvault.api.call import API_VERSION, ApiOperation
from flexvault.api.problems import RefusedError
from flexvault.api.rates import Kind, Throttle
from flexvault.api.resource_ids import ResourceIds
from flexvault.api.roles import includes
from flexvault.api.routing import Target, find_operation, match, read_target, require_own
from flexvault.api.table import OPERATIONS
from flexvault.api.tokens import Caller, TokenValidator
from flexvault.api.wire import Request

MAX_BODY_BYTES = 1024 * 1024
MAX_URL_CHARACTERS = 8 * 1024
MAX_HEADER_CHARACTERS = 32 * 1024
"""Of all headers together, as the Functions host's own server has it; a token with many groups has some 8 KiB."""
ANYBODY = Caller(object_id="", name="", roles=())
_POLLED = ("operationstatus", "operationresults")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that may go on to its operation."""

    operation: ApiOperation
    params: Mapping[str, str]
    caller: Caller
    target: Target


@dataclass(slots=True)
class Seen:
    """What was learnt of a request on its way in, for the log and the journal, also when it was refused."""

    address: str = ""
    target: Target | None = None
    caller: Caller | None = None
    """Of a token that was validated."""
    operation: ApiOperation | None = None
    rate: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers that tell how many calls the caller has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """By what requests are judged."""

    tokens: TokenValidator
    throttle: Throttle
    ids: ResourceIds
    prefix: str
    now: datetime

    def admit(self, request: Request, seen: Seen) -> Admitted:
        """Let a request in.

        A caller without a token learns nothing, not even which paths exist.

        Raises:
            RefusedError: 401, 403, 404, 405, 413, 414, 431 or 400, and what is missing.
            ThrottledError: Too many calls came from there.
            TransientError: The issuer's keys cannot be read.
        """
        require_bounds(request)
        seen.address = read_address(request.headers)
        try:
            target = seen.target = read_target(request.url, self.prefix)
        except RefusedError:
            self._identify(request, None, seen)
            raise
        for operation in OPERATIONS:
            if operation.role is None and operation.method == request.method:
                params = match(operation.template, target.segments)
                if params is not None:
                    seen.operation = operation
                    return Admitted(operation=operation, params=params, caller=ANYBODY, target=target)
        caller = self._identify(request, target, seen)
        operation, params = find_operation(OPERATIONS, request.method, target.segments)
        seen.operation = operation
        _require_role(operation, caller, target)
        require_own(params, self.ids)
        _require_api_version(target)
        _require_readable(request)
        return Admitted(operation=operation, params=params, caller=caller, target=target)

    def _identify(self, request: Request, target: Target | None, seen: Seen) -> Caller:
        authorization, sender = request.headers.get("authorization", ""), network_of(seen.address)
        self.throttle.require_trust(sender, authorization, self.now)
        try:
            seen.caller = self.tokens.validate(authorization, self.now)
        except RefusedError:
            self.throttle.count_failure(sender, self.now)
            raise
        self.throttle.remember(authorization)
        kind = _kind_of(request.method, target)
        seen.rate = {kind.header: "0"}
        left = self.throttle.require_room_for(seen.caller.object_id, kind, self.now)
        seen.rate = {kind.header: str(left)}
        return seen.caller


def _kind_of(method: str, target: Target | None) -> Kind:
    if method == "DELETE":
        return Kind.DELETE
    if method in {"PUT", "POST", "PATCH"}:
        return Kind.WRITE
    is_poll = target is not None and any(segment.lower() in _POLLED for segment in target.segments)
    return Kind.POLL if is_poll else Kind.READ


def require_bounds(request: Request) -> None:
    """Refuse a request whose URL or headers are too long to be looked at.

    Raises:
        RefusedError: 414 or 431.
    """
    if len(request.url) > MAX_URL_CHARACTERS:
        raise RefusedError(
            f"the URL has {len(request.url)} characters; at most {MAX_URL_CHARACTERS} are accepted",
            status=HTTPStatus.REQUEST_URI_TOO_LONG,
            code="RequestUriTooLong",
            target="URL",
            hint="shorten its query",
        )
    size = sum(len(name) + len(value) for name, value in request.headers.items())
    if size > MAX_HEADER_CHARACTERS:
        raise RefusedError(
            f"the headers have {size} characters; at most {MAX_HEADER_CHARACTERS} are accepted",
            status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            code="RequestHeadersTooLarge",
            target="headers",
            hint="send fewer headers; a token that names many groups can be replaced by app roles",
        )


def _require_role(operation: ApiOperation, caller: Caller, target: Target) -> None:
    if operation.role is None or includes(caller.roles, operation.role):
        return
    held = ", ".join(caller.roles) or "none"
    raise RefusedError(
        f"the caller '{caller.object_id}' may not perform '{operation.name}' on '{target.path}': "
        f"it needs the role {operation.role}, the token has {held}",
        status=HTTPStatus.FORBIDDEN,
        code="AuthorizationFailed",
        target=target.path,
        hint=f"have the app role {operation.role} assigned to the caller, then get a new token",
    )


def _require_api_version(target: Target) -> None:
    """Demand an api-version as ARM does, in any form; the vault's own operations have none."""
    if target.segments[:1] != ("vault",) and not target.query.get("api-version"):
        raise RefusedError(
            "the query has no api-version",
            status=HTTPStatus.BAD_REQUEST,
            code="MissingApiVersionParameter",
            target="api-version",
            hint=f"send ?api-version={API_VERSION}",
        )


def _require_readable(request: Request) -> None:
    if len(request.body) > MAX_BODY_BYTES:
        raise RefusedError(
            f"the body has {len(request.body)} bytes; at most {MAX_BODY_BYTES} are accepted",
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            code="RequestEntityTooLarge",
            target="body",
            hint="send a smaller body",
        )
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if request.body and encoding not in {"", "identity"}:
        raise RefusedError(
            "the body is encoded, which is not understood",
            status=HTTPStatus.BAD_REQUEST,
            code="InvalidRequestContent",
            target="Content-Encoding",
            hint="send the body as it is, without Content-Encoding",
        )
