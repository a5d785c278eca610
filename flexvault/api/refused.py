"""Which answers are refusals of a caller, and how the journal tells them."""

from http import HTTPStatus

from flexvault.api.addresses import network_of
from flexvault.api.answers import RequestIds
from flexvault.api.door import Seen
from flexvault.api.problems import RefusedError, status_of
from flexvault.api.routing import find_operation
from flexvault.api.table import OPERATIONS
from flexvault.api.wire import Request
from flexvault.domain.errors import VaultError
from flexvault.services.refusals import UNKNOWN, Refusal

_OF_THE_DOOR = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_OF_SERVICES = frozenset({"AuthorCannotApprove"})
"""Codes by which a service refuses a caller; what the vault's own identities may not do is another matter."""


def describe_refusal(request: Request, error: VaultError, ids: RequestIds, seen: Seen) -> Refusal | None:
    """Answer how a call was refused; nothing when it failed for another reason."""
    is_of_the_door = isinstance(error, RefusedError) and error.status in _OF_THE_DOOR
    if not is_of_the_door and error.code not in _OF_SERVICES:
        return None
    operation = seen.operation
    if operation is None and seen.target is not None:
        try:
            operation, _ = find_operation(OPERATIONS, request.method, seen.target.segments)
        except RefusedError:
            operation = None
    return Refusal(
        code=error.code,
        status=status_of(error),
        method=request.method,
        path=seen.target.escaped_path if seen.target else "",
        operation=operation.name if operation else UNKNOWN,
        needs=operation.role or "" if operation else "",
        oid=seen.caller.object_id if seen.caller else "",
        name=seen.caller.name if seen.caller else "",
        roles=seen.caller.roles if seen.caller else (),
        address=seen.address,
        network=network_of(seen.address),
        request_id=ids.request_id,
        correlation_id=ids.correlation_id,
        client_request_id=ids.plain_client_request_id,
    )
