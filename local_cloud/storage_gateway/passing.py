"""Requests that go on to Azurite as they came: all of landing, restore and app, and what concerns whole containers."""

from http import HTTPStatus

from local_cloud.storage_gateway import copy_source
from local_cloud.storage_gateway.access import BEARER, Caller
from local_cloud.storage_gateway.answer import Answer, relay
from local_cloud.storage_gateway.azurite import Body
from local_cloud.storage_gateway.call import Call
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.problems import StorageError, not_implemented

_OF_THE_CONNECTION = frozenset({
    *("connection", "keep-alive", "transfer-encoding", "content-length", "expect", "host"),
})  # fmt: skip


async def pass_through(gateway: Gateway, call: Call, caller: Caller, body: bytes | None = None) -> Answer:
    """Relay a request with the caller's own proof; the bodies stream in both directions.

    Args:
        gateway: The parts.
        call: The request.
        caller: Who makes it.
        body: What was read of it already; None = it arrives.
    """
    headers = {name: value for name, value in call.headers.items() if name not in _OF_THE_CONNECTION}
    # Azurite compares a source's address with the Host of the request.
    headers["host"] = gateway.azurite.host
    if copy_source.HEADER in headers:
        headers[copy_source.HEADER] = _source(gateway, call, caller)
    length = call.header("content-length")
    sent: Body
    if body is not None:
        sent = body
    elif length or "transfer-encoding" in call.headers:
        sent = call.request.stream()
    else:
        sent = b""
    return relay(await gateway.azurite.send(call.method, call.raw_target, headers.items(), sent, length=length))


def _source(gateway: Gateway, call: Call, caller: Caller) -> str:
    source = gateway.sources.resolve(call, caller)
    given = call.header(copy_source.HEADER)
    scheme = call.header("authorization").partition(" ")[0].lower()
    if source.url != given and scheme not in {"", BEARER}:
        raise not_implemented("A copy signed with an account key", "the key signs the source's address; use a token")
    if source.version and any(name.startswith("x-ms-source-if-") for name in call.headers):
        raise not_implemented("A condition on a copy's source in a vault account")
    return source.url


async def refuse_delete_container(_gateway: Gateway, _call: Call, _caller: Caller) -> Answer:
    """Refuse Delete Container: an account with version-level immutability admits it through ARM alone.

    Even of an empty one: Azure/azure-sdk-for-python issue 22255.
    """
    message = (
        "The requested operation is not allowed as the container is enabled for immutable storage with versioning."
    )
    raise StorageError(HTTPStatus.CONFLICT, "ContainerImmutableStorageWithVersioningEnabled", message)


async def describe_container(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Answer a container's properties (get-container-properties)."""
    response = await gateway.azurite.send_own(call.method, call.key, call.raw_query)
    if response.status != HTTPStatus.OK:
        return relay(response)
    worm = {
        "x-ms-immutable-storage-with-versioning-enabled": "true",
        "x-ms-has-immutability-policy": "false",
        "x-ms-has-legal-hold": "false",
    }
    return relay(response, worm)
