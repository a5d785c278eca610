"""One call: who makes it, may they, and who answers it."""

from http import HTTPStatus

from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.azurite import read_all
from local_cloud.storage_gateway.batch import answer_batch
from local_cloud.storage_gateway.call import BlobKey, Call
from local_cloud.storage_gateway.copy_source import HEADER as COPY_SOURCE
from local_cloud.storage_gateway.delegation import get_user_delegation_key
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.operations import Operation, operation_of
from local_cloud.storage_gateway.passing import pass_through
from local_cloud.storage_gateway.problems import StorageError, not_implemented
from local_cloud.storage_gateway.rights import Kind
from local_cloud.storage_gateway.vault import HANDLERS

_NOT_UNDERSTOOD = (
    "x-ms-if-tags",
    "x-ms-source-if-tags",
    "x-ms-lease-id",
    "x-ms-tags",
    "x-ms-encryption-key",
    "x-ms-encryption-scope",
    "x-ms-copy-source-authorization",
    "x-ms-structured-body",
)


async def dispatch(gateway: Gateway, call: Call) -> Answer:
    """Answer a call; the right is asked first, before anything is told about what there is.

    Raises:
        StorageError: it is refused.
    """
    operation = operation_of(call)
    caller = await gateway.access.caller_of(call)
    if operation is None:
        message = f"The resource doesn't support the HTTP verb {call.method} with this query."
        raise StorageError(HTTPStatus.METHOD_NOT_ALLOWED, "UnsupportedHttpVerb", message)
    is_vault = call.account.kind is Kind.VAULT
    exists = not is_vault or gateway.ledger.current(call.key) is not None
    gateway.access.require(caller, call, operation, exists=exists)
    answer = await _carry_out(gateway, call, caller, operation)
    gateway.callers.note(call.account.name, operation, caller, answer)
    return answer


async def _carry_out(gateway: Gateway, call: Call, caller: Caller, operation: Operation) -> Answer:
    if COPY_SOURCE in call.headers:
        await gateway.copies.pass_one()
    if operation.name == "Blob Batch":
        return await answer_batch(gateway, call, dispatch)
    if call.account.kind is not Kind.VAULT:
        if operation.name == "Get User Delegation Key":
            return await get_user_delegation_key(gateway, call, caller)
        return await pass_through(gateway, call, caller)
    if operation.name == "Get Blob":
        await gateway.reads.pass_one()
    handler = HANDLERS.get(operation.name)
    if handler is None:
        raise not_implemented(operation.name)
    _require_understood(call, operation.name)
    if call.container and operation.name != "Create Container":
        await _require_container(gateway, call)
    return await handler(gateway, call, caller)


def _require_understood(call: Call, name: str) -> None:
    """Refuse what would otherwise be ignored in silence: a condition, above all, must not be."""
    found = [header for header in _NOT_UNDERSTOOD if header in call.headers]
    if call.blob and "snapshot" in call.query:
        found.append("snapshot")
    if found:
        raise not_implemented(f"{name} with {', '.join(found)}")


async def _require_container(gateway: Gateway, call: Call) -> None:
    key = BlobKey(call.account.name, call.container, "")
    if key in gateway.known_containers:
        return
    response = await gateway.azurite.send_own("HEAD", key, "restype=container")
    await read_all(response)
    if response.status == HTTPStatus.NOT_FOUND:
        raise StorageError(HTTPStatus.NOT_FOUND, "ContainerNotFound", "The specified container does not exist.")
    # Nobody can delete a container of a vault account.
    gateway.known_containers.add(key)
