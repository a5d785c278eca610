"""List Blobs of a vault account, from the ledger: hidden names never show (list-blobs)."""

import base64
import json
import re
from http import HTTPStatus
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.call import BlobKey, Call
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.ledger import Version
from local_cloud.storage_gateway.problems import StorageError, not_implemented
from local_cloud.storage_gateway.reads import DEFAULT_TIER
from local_cloud.storage_gateway.wire import CONTENT_HEADERS, element, http_date_of

_MOST = 5_000
_SECONDS_A_DAY = 86_400
_KNOWN = frozenset({
    *("", "copy", "deleted", "immutabilitypolicy", "legalhold", "metadata", "snapshots", "tags", "versions"),
})  # fmt: skip
# Characters that XML 1.0 cannot hold: such a name is percent-encoded, and says so.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


async def list_blobs(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Answer one page: blobs in order of name, the versions of one from the oldest to the newest."""
    query = call.query
    include = {word.strip().lower() for word in query.get("include", "").split(",")}
    if unknown := include - _KNOWN:
        raise not_implemented(f"List Blobs with include={','.join(sorted(unknown))}")
    most = _read_most(query.get("maxresults", ""))
    entries, marker = _page(gateway, call, include, most)
    echo = "".join(
        element(name, query[name.lower()]) for name in ("Prefix", "Marker", "Delimiter") if query.get(name.lower())
    )
    where = f"https://{call.header('host')}/{call.account.name}"
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint={quoteattr(where)} '
        f"ContainerName={quoteattr(call.container)}>{echo}{element('MaxResults', most)}"
        f"<Blobs>{''.join(entries)}</Blobs>{element('NextMarker', marker)}</EnumerationResults>"
    )
    return Answer(headers={"Content-Type": "application/xml"}, body=body.encode())


def _page(gateway: Gateway, call: Call, include: set[str], most: int) -> tuple[list[str], str]:
    """Answer the elements of a page, and where the next one begins or ""."""
    prefix, delimiter = call.query.get("prefix", ""), call.query.get("delimiter", "")
    after = _read_marker(call.query.get("marker", ""))
    container = BlobKey(call.account.name, call.container, prefix)
    rows = gateway.ledger.scan(container, after, old="versions" in include, deleted="deleted" in include)
    entries: list[str] = []
    folder = ""
    for name, version in rows:
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        below = name[: cut + len(delimiter)] if cut >= 0 else ""
        if below and below == (folder or _folder_of(after[0], prefix, delimiter)):
            after = (name, version.version_id)
            continue
        if len(entries) == most:
            return entries, _write_marker(after)
        folder = below
        entries.append(f"<BlobPrefix>{_name(below)}</BlobPrefix>" if below else _blob(gateway, name, version, include))
        after = (name, version.version_id)
    return entries, ""


def _folder_of(name: str, prefix: str, delimiter: str) -> str:
    """Answer the folder that the page before ended in, or ""."""
    cut = name.find(delimiter, len(prefix))
    return name[: cut + len(delimiter)] if name.startswith(prefix) and cut >= 0 else ""


def _blob(gateway: Gateway, name: str, version: Version, include: set[str]) -> str:
    parts = [_name(name)]
    if "versions" in include:
        parts.append(element("VersionId", version.version_id))
        parts += [element("IsCurrentVersion", "true")] if version.is_current else []
    if version.deleted_at is not None:
        parts.append(element("Deleted", "true"))
    parts.append(f"<Properties>{''.join(_properties(gateway, version, include))}</Properties>")
    if "metadata" in include:
        pairs = "".join(element(key, value) for key, value in version.metadata.items())
        parts.append(f"<Metadata>{pairs}</Metadata>")
    return f"<Blob>{''.join(parts)}</Blob>"


def _properties(gateway: Gateway, version: Version, include: set[str]) -> list[str]:
    parts = [
        element("Creation-Time", http_date_of(version.modified)),
        element("Last-Modified", http_date_of(version.modified)),
        element("Etag", version.etag.strip('"')),
        element("Content-Length", version.size),
        *(element(tag, version.content.get(name, "")) for name, tag in CONTENT_HEADERS.items()),
        element("BlobType", "BlockBlob"),
        element("AccessTier", version.tier or DEFAULT_TIER),
        element("ServerEncrypted", "true"),
    ]
    parts += [] if version.tier else [element("AccessTierInferred", "true")]
    if version.deleted_at is not None:
        ends = version.deleted_at + gateway.config.soft_delete_days * _SECONDS_A_DAY
        left = (ends - gateway.clock.policy_now().timestamp()) / _SECONDS_A_DAY
        parts.append(element("DeletedTime", http_date_of(version.deleted_at)))
        parts.append(element("RemainingRetentionDays", max(0, int(left))))
    if "immutabilitypolicy" in include and version.until is not None:
        parts.append(element("ImmutabilityPolicyUntilDate", http_date_of(version.until)))
        parts.append(element("ImmutabilityPolicyMode", version.mode.lower()))
    if "legalhold" in include and version.legal_hold is not None:
        parts.append(element("LegalHold", str(version.legal_hold).lower()))
    if "copy" in include and version.copy:
        parts.append(element("CopyId", version.copy.get("x-ms-copy-id", "")))
        parts.append(element("CopyStatus", version.copy.get("x-ms-copy-status", "")))
    return parts


def _name(name: str) -> str:
    if _UNWRITABLE.search(name):
        return f'<Name Encoded="true">{quote(name, safe="")}</Name>'
    return element("Name", name)


def _read_most(text: str) -> int:
    if not text:
        return _MOST
    if not text.isdecimal() or int(text) < 1:
        message = "One of the query parameters specified in the request URI is outside the permissible range."
        raise StorageError(HTTPStatus.BAD_REQUEST, "OutOfRangeQueryParameterValue", f"{message} maxresults: '{text}'")
    return min(int(text), _MOST)


def _write_marker(after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(after).encode()).decode()


def _read_marker(text: str) -> tuple[str, str]:
    if not text:
        return "", ""
    try:
        name, version_id = json.loads(base64.urlsafe_b64decode(text))
    except (ValueError, TypeError):
        message = f"Value for one of the query parameters specified in the request URI is invalid. marker: '{text}'"
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidQueryParameterValue", message) from None
    return str(name), str(version_id)
