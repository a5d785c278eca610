"""The API's entry: every request comes in here, and every answer, failures included, leaves here."""

import logging
import secrets
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from time import perf_counter
from uuid import UUID

from flexvault.api import problems
from flexvault.api.answers import RequestIds, to_refusal, to_response
from flexvault.api.call import Call, Links
from flexvault.api.door import admit
from flexvault.api.resource_ids import ResourceIds
from flexvault.api.routing import read_target
from flexvault.api.signing_keys import SigningKeys
from flexvault.api.tokens import TokenValidator
from flexvault.api.wire import Request, Response
from flexvault.domain.errors import TransientError, VaultError
from flexvault.domain.redaction import redact
from flexvault.services.vault import Vault
from flexvault.settings import Settings

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
    started = perf_counter()
    headers = {name.lower(): value for name, value in request.headers.items()}
    ids = RequestIds.of(headers, app.draw_request_id())
    seen = _Seen()
    try:
        response = _serve(app, replace(request, method=request.method.upper(), headers=headers), ids, seen)
    except VaultError as error:
        response = to_refusal(error, ids)
    except Exception as error:  # noqa: BLE001 - the last to see it: the client gets an ARM error, the log the rest
        # Somebody else's text may hold a SAS or a token.
        trace = redact("".join(traceback.format_exception(error)))
        logger.error("request failed unexpectedly, correlation %s: %s", ids.correlation_id, trace)  # noqa: TRY400 - see trace
        response = to_refusal(problems.internal_error(ids.correlation_id), ids)
    if request.method.upper() == "HEAD":
        response = replace(response, body=b"")
    logger.info(
        "%s %s answered %d %s in %d ms: operation %s, caller %s, correlation %s",
        request.method,
        seen.path,
        response.status,
        response.headers.get("x-ms-error-code", "OK"),
        (perf_counter() - started) * 1000,
        seen.operation,
        seen.caller,
        ids.correlation_id,
    )
    return response


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


@dataclass(slots=True)
class _Seen:
    """What was learnt of a request before it was answered, for its line in the log."""

    path: str = "-"
    operation: str = "-"
    caller: str = "-"


def _serve(app: Api, request: Request, ids: RequestIds, seen: _Seen) -> Response:
    own = ResourceIds.of(app.vault.settings)
    target = read_target(request.url, PREFIX)
    seen.path = target.escaped_path
    admitted = admit(request, target, app.tokens, own, app.vault.ports.clock.host_now())
    seen.operation, seen.caller = admitted.operation.name, admitted.caller.object_id or "-"
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
