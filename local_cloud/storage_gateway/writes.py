"""Calls that make a version, or blocks of one, in a vault account.

"If versioning is enabled for the storage account, then a write operation to a block blob creates a new version, with
the exception of the Put Block operation." (immutable-version-level-worm-policies, "Scenarios") That holds over a
protected blob as over any other. The conditions are judged once more after the bytes have arrived: only then is it
decided.
"""

from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from local_cloud.storage_gateway import conditions, copy_source, worm
from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer, pick, relay, relay_failure
from local_cloud.storage_gateway.azurite import header_of, read_all
from local_cloud.storage_gateway.call import BlobKey, Call
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.ledger import Version
from local_cloud.storage_gateway.problems import StorageError, invalid_header, mismatch
from local_cloud.storage_gateway.reads import find, named
from local_cloud.storage_gateway.rights import SET_IMMUTABILITY
from local_cloud.storage_gateway.wire import CONTENT_HEADERS

_META = "x-ms-meta-"
_CHECKED_BY_AZURITE = ("content-type", "content-md5", "x-ms-content-crc64")
_SOURCE = ("x-ms-source-range", "x-ms-source-content-md5", "x-ms-source-content-crc64")
_TIERS = {tier.lower(): tier for tier in ("Hot", "Cool", "Cold", "Archive")}
_PREDICATES = ("content-md5", "x-ms-content-crc64")


async def put_blob(gateway: Gateway, call: Call, caller: Caller) -> Answer:
    """Make a version of the request's body."""
    facts = _facts(gateway, call, caller, plain=True)
    conditions.require_for_write(call.headers, gateway.ledger.current(call.key))
    hidden = call.key._replace(name=gateway.ledger.new_path(call.key))
    headers = {"x-ms-blob-type": "BlockBlob", **_given(call, *_CHECKED_BY_AZURITE)}
    body = _Counted(call.request)
    length = call.header("content-length")
    response = await gateway.azurite.send_own("PUT", hidden, headers=headers, body=body, length=length)
    if response.status != HTTPStatus.CREATED:
        return await relay_failure(response)
    await read_all(response)
    sums = pick(response, "Content-MD5", "x-ms-content-crc64")
    # put-blob: "When this header is omitted in version 2012-02-12 or later, Blob Storage generates an MD5 hash."
    if "Content-MD5" in sums:
        facts["content"].setdefault("content-md5", sums["Content-MD5"])
    version = await _add(gateway, call, hidden, **facts, size=body.size)
    return _created(version, sums)


async def put_block(gateway: Gateway, call: Call, caller: Caller) -> Answer:
    """Stage a block of the request's body, or of another blob."""
    hidden = call.key._replace(name=gateway.ledger.staging_path(call.key))
    query = f"comp=block&blockid={_raw_parameter(call, 'blockid')}"
    if copy_source.HEADER in call.headers:
        source = gateway.sources.resolve(call, caller)
        headers = {copy_source.HEADER: source.url, **_given(call, *_SOURCE)}
        if source.version is None:
            headers |= {name: value for name, value in call.headers.items() if name.startswith("x-ms-source-if-")}
        return relay(await gateway.azurite.send_own("PUT", hidden, query, headers))
    headers = _given(call, *_PREDICATES)
    length = call.header("content-length")
    return relay(await gateway.azurite.send_own("PUT", hidden, query, headers, call.request.stream(), length=length))


async def put_block_list(gateway: Gateway, call: Call, caller: Caller) -> Answer:
    """Make a version of staged blocks. Blocks of the version before cannot be taken over: Azurite keeps them apart."""
    facts = _facts(gateway, call, caller)
    body = await call.request.body()
    async with gateway.lock(call.key):
        conditions.require_for_write(call.headers, gateway.ledger.current(call.key))
        hidden = call.key._replace(name=gateway.ledger.staging_path(call.key))
        headers = {"Content-Type": "application/xml", **_given(call, *_PREDICATES)}
        response = await gateway.azurite.send_own("PUT", hidden, "comp=blocklist", headers, body)
        if response.status != HTTPStatus.CREATED:
            return await relay_failure(response)
        await read_all(response)
        size = int(header_of(await _look(gateway, hidden), "Content-Length"))
        version = await _add(gateway, call, hidden, **facts, size=size)
    return _created(version, pick(response, "Content-MD5", "x-ms-content-crc64"))


async def copy_blob(gateway: Gateway, call: Call, caller: Caller) -> Answer:
    """Make a version of another blob: Copy Blob, and Copy Blob From URL, which Azurite finishes as quickly."""
    facts = _facts(gateway, call, caller)
    conditions.require_for_write(call.headers, gateway.ledger.current(call.key))
    source = gateway.sources.resolve(call, caller)
    hidden = call.key._replace(name=gateway.ledger.new_path(call.key))
    headers = {copy_source.HEADER: source.url, **_given(call, "x-ms-requires-sync")}
    response = await gateway.azurite.send_own("PUT", hidden, headers=headers)
    if response.status != HTTPStatus.ACCEPTED:
        return await relay_failure(response)
    await read_all(response)
    seen = await _look(gateway, hidden)
    origin = source.version
    taken = origin.content if origin else pick(seen, *CONTENT_HEADERS)
    if not facts["metadata"]:  # copy-blob: "If no name-value pairs are specified, the operation will copy the metadata"
        facts["metadata"] = origin.metadata if origin else _metadata_of(seen.headers)
    copied = pick(response, "x-ms-copy-id", "x-ms-copy-status")
    size = int(header_of(seen, "Content-Length"))
    facts |= {"content": {**taken, **facts["content"]}, "size": size, "copy": copied}
    version = await _add(gateway, call, hidden, **facts)
    return Answer(status=HTTPStatus.ACCEPTED, headers={**named(version), **copied})


async def set_blob_metadata(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Make a version with the same bytes and other metadata (set-blob-metadata, versioning-overview)."""
    version = conditions.require_for_change(call.headers, gateway.ledger.current(call.key))
    worm.require_metadata_writable(version, gateway.clock.policy_now())
    facts = {"size": version.size, "content": version.content, "tier": version.tier, "copy": version.copy}
    now, metadata = gateway.clock.now(), _metadata(call.headers)
    changed = gateway.ledger.add(call.key, now, version.path, metadata=metadata, **facts)
    return Answer(headers={**named(changed), "x-ms-request-server-encrypted": "true"})


async def set_blob_tier(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Move a version to another tier, also a protected one: "All blob access tiers support immutable storage"."""
    version = find(gateway.ledger, call)
    gateway.ledger.change(call.key, version, tier=_tier(call))
    return Answer()


async def _add(gateway: Gateway, call: Call, hidden: BlobKey, **facts: Any) -> Version:
    """Make bytes that have arrived the current version, if the conditions still hold."""
    try:
        conditions.require_for_write(call.headers, gateway.ledger.current(call.key))
    except StorageError:
        response = await gateway.azurite.send_own("DELETE", hidden)
        await read_all(response)
        raise
    # Nothing waits between the check above and the entry here.
    return gateway.ledger.add(call.key, gateway.clock.now(), hidden.name, **facts)


def _facts(gateway: Gateway, call: Call, caller: Caller, *, plain: bool = False) -> dict[str, Any]:
    """Answer what a request says about the version that it makes.

    Raises:
        StorageError: 403 AuthorizationPermissionMismatch for a policy or a hold from somebody who may set none: an
            upload that carries one needs that right beside the one to write (infra/README.md section 5, number 1).
    """
    policy, hold = worm.read_policy(call.headers, gateway.clock.policy_now()), worm.read_hold(call.headers)
    may_set = caller.may(SET_IMMUTABILITY, "", call.account.kind, call.container)
    if (policy or hold is not None) and not may_set:
        raise mismatch()
    content = {
        name: call.header(f"x-ms-blob-{name}") for name in CONTENT_HEADERS if f"x-ms-blob-{name}" in call.headers
    }
    if plain and "content-type" in call.headers:
        content.setdefault("content-type", call.header("content-type"))
    return {
        "content": content,
        "metadata": _metadata(call.headers),
        "tier": _tier(call) if "x-ms-access-tier" in call.headers else "",
        "until": policy.until if policy else None,
        "mode": policy.mode if policy else "",
        "legal_hold": hold,
    }


async def _look(gateway: Gateway, hidden: BlobKey) -> Any:
    response = await gateway.azurite.send_own("HEAD", hidden)
    await read_all(response)
    if response.status != HTTPStatus.OK:
        message = f"Azurite answers {response.status} for what it has just written."
        raise StorageError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message)
    return response


def _created(version: Version, sums: Mapping[str, str]) -> Answer:
    headers = {**named(version), **sums, "x-ms-request-server-encrypted": "true"}
    return Answer(status=HTTPStatus.CREATED, headers=headers)


def _tier(call: Call) -> str:
    given = call.header("x-ms-access-tier")
    if given.lower() not in _TIERS:
        raise invalid_header("x-ms-access-tier", f"'{given}' is no tier of a block blob")
    return _TIERS[given.lower()]


def _given(call: Call, *names: str) -> dict[str, str]:
    return {name: call.header(name) for name in names if name in call.headers}


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(_META): value for name, value in headers.items() if name.startswith(_META)}


def _metadata_of(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    return _metadata({name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers})


def _raw_parameter(call: Call, name: str) -> str:
    """Answer a parameter of the query as it was sent, still encoded."""
    found = (part.partition("=")[2] for part in call.raw_query.split("&") if part.lower().startswith(f"{name}="))
    return next(found, "")


class _Counted:
    """A request's body as it arrives, and how much of it there was."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._request.stream():
            self.size += len(part)
            yield part
