"""The API's entry: every request comes in here, and every answer, failures included, leaves here."""

import logging
import secrets
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from time import perf_counter
from uuid import UUID

from flexvault.api import problems
from flexvault.api.answers import RequestIds, to_refusal, to_response
from flexvault.api.call import Call, Links
from flexvault.api.door import Door, Seen
from flexvault.api.rates import Throttle
from flexvault.api.refused import describe_refusal
from flexvault.api.resource_ids import ResourceIds
from flexvault.api.signing_keys import SigningKeys
from flexvault.api.tokens import TokenValidator
from flexvault.api.wire import Request, Response
from flexvault.domain.errors import TransientError, VaultError
from flexvault.domain.redaction import redact, redact_path
from flexvault.services.refusals import Refusals
from flexvault.services.vault import Vault
from flexvault.settings import REQUESTS_PER_MINUTE, Settings

PREFIX = "/api"
PAGE_SIZE = 100
logger = logging.getLogger(__name__)


def draw_request_id() -> str:
    """Draw a GUID: the one name that is not derived, because no request is another one."""
    return str(UUID(bytes=secrets.token_bytes(16), version=4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the API needs."""

    vault: Vault
    tokens: TokenValidator
    begin: Callable[[str], None]
    """Starts the orchestration of an open row now; a start that is lost is repeated by the next tick."""
    page_size: int = PAGE_SIZE
    draw_request_id: Callable[[], str] = draw_request_id
    throttle: Throttle = field(default_factory=lambda: Throttle(REQUESTS_PER_MINUTE))
    refusals: Refusals = field(default_factory=Refusals)


def build_tokens(settings: Settings) -> TokenValidator:
    """Build the validator of a vault's settings; it keeps the issuer's keys, so a process needs only one."""
    url = settings.openid_configuration_url
    return TokenValidator(
        SigningKeys(url),
        issuers=settings.token_issuers,
        audiences=settings.token_audiences,
        authority=url.removesuffix("/.well-known/openid-configuration"),
    )


def handle(app: Api, request: Request) -> Response:
    """Answer a request, whatever happens."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    ids = RequestIds.of(headers, app.draw_request_id())
    request = replace(request, method=request.method.upper(), headers=headers)
    with ExitStack() as stack:
        return _answer(app, request, ids, stack)


def _answer(app: Api, request: Request, ids: RequestIds, stack: ExitStack) -> Response:
    started, seen = perf_counter(), Seen()
    refused: VaultError | None = None
    try:
        stack.enter_context(app.vault.ports.telemetry.within(ids.facts()))
        response = _serve(app, request, ids, seen)
    except VaultError as error:
        response, refused = to_refusal(error, ids), error
    except Exception as error:  # noqa: BLE001 - the last to see it: the client gets an ARM error, the log the rest
        _log_unexpected("request failed unexpectedly", error, ids)
        response = to_refusal(problems.internal_error(ids.correlation_id), ids)
    _note_refusal(app, request, refused, ids, seen)
    response = replace(response, headers={**response.headers, **seen.rate})
    if request.method == "HEAD":
        response = replace(response, body=b"")
    logger.info(
        "%s %s answered %d %s in %d ms: operation %s, caller %s, correlation %s",
        request.method,
        redact_path(seen.target.escaped_path) if seen.target else "-",
        response.status,
        response.headers.get("x-ms-error-code", "OK"),
        (perf_counter() - started) * 1000,
        seen.operation.name if seen.operation else "-",
        (seen.caller.object_id if seen.caller else "") or "-",
        ids.correlation_id,
    )
    return response


def _note_refusal(app: Api, request: Request, error: VaultError | None, ids: RequestIds, seen: Seen) -> None:
    """Have a refused call counted and journalled; nothing of that changes its answer."""
    try:
        ports = app.vault.ports
        now = ports.clock.host_now()
        app.refusals.end_hours(ports, now, ids.request_id)
        refusal = None if error is None else describe_refusal(request, error, ids, seen)
        if refusal is not None:
            app.refusals.add(ports, refusal, now)
    except Exception as failure:  # noqa: BLE001 - the answer stands
        _log_unexpected("a refusal was not noted", failure, ids)


def _log_unexpected(what: str, error: Exception, ids: RequestIds) -> None:
    # Somebody else's text may hold a SAS or a token.
    trace = redact("".join(traceback.format_exception(error)))
    logger.error("%s, correlation %s: %s", what, ids.correlation_id, trace)


def refuse_unusable(request: Request, error: VaultError) -> Response:
    """Answer any request to an app whose settings cannot be used; which they are is for the log, not for strangers."""
    refused = problems.RefusedError(
        "this app cannot serve requests: its settings cannot be used",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        code=error.code,
        hint="look for InvalidSettings in the app's log: each line names a setting and what is expected",
    )
    headers = {name.lower(): value for name, value in request.headers.items()}
    return to_refusal(refused, RequestIds.of(headers, draw_request_id()))


def _serve(app: Api, request: Request, ids: RequestIds, seen: Seen) -> Response:
    own, now = ResourceIds.of(app.vault.settings), app.vault.ports.clock.host_now()
    door = Door(tokens=app.tokens, throttle=app.throttle, ids=own, prefix=PREFIX, now=now)
    admitted = door.admit(request, seen)
    target = admitted.target
    call = Call(
        vault=app.vault,
        begin=lambda open_key: _begin(app, open_key),
        operation=admitted.operation,
        params=admitted.params,
        path=target.path,
        query=target.query,
        request=request,
        caller=admitted.caller,
        request_id=ids.request_id,
        correlation_id=ids.correlation_id,
        links=Links(origin=target.origin, api_version=target.query.get("api-version", "")),
        page_size=app.page_size,
        ids=own,
    )
    answer = admitted.operation.handler(call)
    if answer.status not in admitted.operation.statuses:
        message = f"{admitted.operation.name} answered {answer.status}, which its clients do not expect"
        raise RuntimeError(message)
    return to_response(call, answer, ids)


def _begin(app: Api, open_key: str) -> None:
    """Start a job that was just claimed. The claim stands: when the hub refuses, the next tick starts it."""
    try:
        app.begin(open_key)
    except TransientError as error:
        app.vault.ports.telemetry.emit(
            "StartPostponed", {"flexvault.open_key": open_key, "flexvault.error": error.code}
        )
