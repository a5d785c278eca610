"""The checks that every request passes before an operation sees it: who calls, what is asked, may they, is it here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from flexvault.api.call import ApiOperation
from flexvault.api.problems import RefusedError
from flexvault.api.resource_ids import ResourceIds
from flexvault.api.roles import includes
from flexvault.api.routing import Target, find_operation, match, require_own
from flexvault.api.table import OPERATIONS
from flexvault.api.tokens import Caller, TokenValidator
from flexvault.api.wire import Request

MAX_BODY_BYTES = 1024 * 1024
ANYBODY = Caller(object_id="", name="", roles=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A request that may go on to its operation."""

    operation: ApiOperation
    params: Mapping[str, str]
    caller: Caller


def admit(request: Request, target: Target, tokens: TokenValidator, ids: ResourceIds, now: datetime) -> Admitted:
    """Let a request in.

    A caller without a token learns nothing, not even which paths exist.

    Raises:
        RefusedError: 401, 403, 404, 405, 413 or 400, and what is missing.
        TransientError: The issuer's keys cannot be read.
    """
    for operation in OPERATIONS:
        if operation.role is None and operation.method == request.method:
            params = match(operation.template, target.segments)
            if params is not None:
                return Admitted(operation=operation, params=params, caller=ANYBODY)
    caller = tokens.validate(request.headers.get("authorization"), now)
    operation, params = find_operation(OPERATIONS, request.method, target.segments)
    _require_role(operation, caller, target)
    require_own(params, ids)
    _require_api_version(target)
    _require_readable(request)
    return Admitted(operation=operation, params=params, caller=caller)


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
            hint="send ?api-version=2026-06-01",
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
