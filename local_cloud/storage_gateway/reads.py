"""Get Blob, Get Blob Properties, Get Blob Metadata and Get Block List of a vault account."""

from collections.abc import Mapping
from http import HTTPStatus
from xml.etree import ElementTree as ET

from local_cloud.storage_gateway import conditions, worm
from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer, pick, relay_failure
from local_cloud.storage_gateway.azurite import read_all
from local_cloud.storage_gateway.call import BlobKey, Call
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.ledger import Ledger, Version
from local_cloud.storage_gateway.problems import StorageError, blob_archived, blob_not_found
from local_cloud.storage_gateway.signing import OVERRIDES
from local_cloud.storage_gateway.wire import CONTENT_HEADERS, http_date_of

DEFAULT_TIER = "Hot"
_RANGE = ("range", "x-ms-range", "x-ms-range-get-content-md5", "x-ms-range-get-content-crc64")


def find(ledger: Ledger, call: Call) -> Version:
    """Answer the version that a call names, or the current one; a soft-deleted one is not there.

    Raises:
        StorageError: 404 BlobNotFound.
    """
    found = ledger.find(call.key, call.version_id)
    if found is None:
        raise blob_not_found()
    return found


async def get_blob(gateway: Gateway, call: Call, caller: Caller) -> Answer:
    """Answer a version's bytes, or a range of them."""
    version = find(gateway.ledger, call)
    conditions.require_for_read(call.headers, version)
    if version.tier == "Archive":
        raise blob_archived()
    wanted = {name: call.header(name) for name in _RANGE if name in call.headers}
    response = await gateway.azurite.send_own("GET", call.key._replace(name=version.path), headers=wanted)
    if response.status == HTTPStatus.NOT_FOUND:
        await response.aclose()
        message = "Azurite has lost the bytes of this version."
        raise StorageError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message)
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        return await relay_failure(response)
    of_this_read = pick(response, "Content-Length", "Content-Range", "x-ms-content-crc64")
    headers = describe(version, caller)
    if response.status == HTTPStatus.PARTIAL_CONTENT:
        whole = headers.pop("Content-MD5", "")
        headers |= {"x-ms-blob-content-md5": whole} if whole else {}
        headers |= pick(response, "Content-MD5") if "x-ms-range-get-content-md5" in wanted else {}
    return Answer(status=response.status, headers={**headers, **of_this_read}, relayed=response)


async def get_blob_properties(gateway: Gateway, call: Call, caller: Caller) -> Answer:
    """Answer a version's facts."""
    version = find(gateway.ledger, call)
    conditions.require_for_read(call.headers, version)
    return Answer(headers={**describe(version, caller), "Content-Length": str(version.size)})


async def get_blob_metadata(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Answer a version's metadata."""
    version = find(gateway.ledger, call)
    conditions.require_for_read(call.headers, version)
    return Answer(headers={**named(version), **_metadata(version)})


async def get_block_list(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Answer the committed blocks of a version, and those that wait to be committed (get-block-list)."""
    which = call.query.get("blocklisttype", "committed").lower()
    version = gateway.ledger.current(call.key) if not call.version_id else find(gateway.ledger, call)
    staged = gateway.ledger.find_staged(call.key)
    if version is None and not staged:
        raise blob_not_found()
    committed = await _blocks(gateway, call.key, version.path if version else "", "CommittedBlocks")
    uncommitted = await _blocks(gateway, call.key, staged, "UncommittedBlocks")
    lists = (committed if which != "uncommitted" else "") + (uncommitted if which != "committed" else "")
    headers = {"Content-Type": "application/xml"}
    if version:
        headers |= {**named(version), "x-ms-blob-content-length": str(version.size)}
    body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{lists}</BlockList>'.encode()
    return Answer(headers=headers, body=body)


async def _blocks(gateway: Gateway, key: BlobKey, path: str, name: str) -> str:
    if not path:
        return f"<{name} />"
    query = "comp=blocklist&blocklisttype=all"
    response = await gateway.azurite.send_own("GET", key._replace(name=path), query)
    body = await read_all(response)
    found = ET.fromstring(body).find(name) if response.status == HTTPStatus.OK else None
    return f"<{name} />" if found is None else ET.tostring(found, "unicode")


def named(version: Version) -> dict[str, str]:
    """Answer the headers that name a version."""
    return {
        "ETag": version.etag,
        "Last-Modified": http_date_of(version.modified),
        "x-ms-version-id": version.version_id,
    }


def describe(version: Version, caller: Caller) -> dict[str, str]:
    """Answer the headers of Get Blob and Get Blob Properties, without the length."""
    headers = {
        **named(version),
        "Content-Type": "application/octet-stream",
        **{CONTENT_HEADERS[name]: value for name, value in version.content.items()},
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": http_date_of(version.modified),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "true",
        "x-ms-access-tier": version.tier or DEFAULT_TIER,
        **_metadata(version),
        **version.copy,
        **worm.describe(version),
    }
    headers |= {"x-ms-is-current-version": "true"} if version.is_current else {}
    headers |= {} if version.tier else {"x-ms-access-tier-inferred": "true"}
    overridden: Mapping[str, str] = caller.signature.content_headers if caller.signature else {}
    return headers | {OVERRIDES[name]: value for name, value in overridden.items()}


def _metadata(version: Version) -> dict[str, str]:
    return {f"x-ms-meta-{name}": value for name, value in version.metadata.items()}
