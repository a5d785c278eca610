"""Checks that a client starts as an operation: they run inside the request, and the verdict is kept."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Any

from flexvault.api.call import Answer, Call
from flexvault.domain import names
from flexvault.domain.errors import NotFoundError, PermanentError
from flexvault.services.operations import describe_error, get_operation, record_operation

type Warnings = tuple[Mapping[str, Any], ...]


def run_check(
    call: Call,
    body: Mapping[str, Any],
    check: Callable[[], Warnings],
    *,
    resource_id: str = "",
    at_once: AbstractSet[str] = frozenset(),
    restore: Callable[[], Mapping[str, Any]] | None = None,
) -> Answer:
    """Run a check and answer the operation that tells its verdict.

    Args:
        call: The call.
        body: What names the request; a repetition gets the first verdict.
        check: Answers warnings, or raises what is wrong.
        resource_id: What it is about.
        at_once: Codes of errors that clients expect as the answer itself.
        restore: Answers of a restore that may begin what its outline is made of.

    Raises:
        VaultError: Of those codes, or one that may pass by itself and is no verdict.
    """
    operation_id = names.operation_id(call.operation.name, call.request_key(body))
    if not _is_known(call, operation_id):
        error, warnings = None, ()
        try:
            warnings = check()
        except PermanentError as found:
            if found.code in at_once:
                raise
            error = describe_error(found)
        record_operation(
            call.vault.ports,
            operation_id=operation_id,
            kind=call.operation.name,
            resource_id=resource_id,
            error=error,
            warnings=warnings,
            restore=restore() if restore is not None and error is None else None,
        )
    return Answer(status=HTTPStatus.ACCEPTED, operation_id=operation_id, waits=True)


def _is_known(call: Call, operation_id: str) -> bool:
    try:
        get_operation(call.vault.ports, operation_id)
    except NotFoundError:
        return False
    return True
