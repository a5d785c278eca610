"""Which call of the Blob service a request is, and which right it needs.

The rights are those of "Authorize with Microsoft Entra ID", permissions for Blob service operations
(authorize-with-azure-active-directory), as `infra/README.md` section 5 sums them up; the letters of a shared access
signature are those of create-user-delegation-sas.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from local_cloud.storage_gateway import rights
from local_cloud.storage_gateway.call import Call


@dataclass(frozen=True, slots=True)
class Operation:
    """A call by its documented name."""

    name: str
    right: str
    letters: str = ""
    """Any of these permissions of a shared access signature does; "" = none does."""
    right_if_new: str = ""
    """A right that is enough for a blob that does not exist."""


_ACCOUNT: Mapping[tuple[str, str], Operation] = {
    ("GET", "list"): Operation("List Containers", rights.READ_CONTAINERS),
    ("GET", "properties"): Operation("Get Blob Service Properties", rights.READ_SERVICE),
    ("PUT", "properties"): Operation("Set Blob Service Properties", rights.WRITE_SERVICE),
    ("GET", "stats"): Operation("Get Blob Service Stats", rights.READ_SERVICE),
    ("POST", "userdelegationkey"): Operation("Get User Delegation Key", rights.DELEGATE_KEYS),
    ("POST", "batch"): Operation("Blob Batch", rights.WRITE_CONTAINERS),
    ("GET", "blobs"): Operation("Find Blobs by Tags", rights.READ_TAGS),
}
_INFO = Operation("Get Account Information", rights.READ_INFO)
_CONTAINER: Mapping[tuple[str, str], Operation] = {
    ("PUT", ""): Operation("Create Container", rights.WRITE_CONTAINERS),
    ("DELETE", ""): Operation("Delete Container", rights.DELETE_CONTAINERS),
    ("GET", ""): Operation("Get Container Properties", rights.READ_CONTAINERS),
    ("HEAD", ""): Operation("Get Container Properties", rights.READ_CONTAINERS),
    ("GET", "metadata"): Operation("Get Container Metadata", rights.READ_CONTAINERS),
    ("HEAD", "metadata"): Operation("Get Container Metadata", rights.READ_CONTAINERS),
    ("PUT", "metadata"): Operation("Set Container Metadata", rights.WRITE_CONTAINERS),
    ("GET", "acl"): Operation("Get Container ACL", rights.READ_CONTAINERS),
    ("HEAD", "acl"): Operation("Get Container ACL", rights.READ_CONTAINERS),
    ("PUT", "acl"): Operation("Set Container ACL", rights.WRITE_CONTAINERS),
    ("PUT", "lease"): Operation("Lease Container", rights.WRITE_CONTAINERS),
    ("PUT", "undelete"): Operation("Restore Container", rights.WRITE_CONTAINERS),
    ("GET", "list"): Operation("List Blobs", rights.READ_BLOBS, "l"),
    ("GET", "blobs"): Operation("Find Blobs by Tags in Container", rights.READ_TAGS),
    ("POST", "batch"): Operation("Blob Batch", rights.WRITE_CONTAINERS),
}
_PUT_BLOB = Operation("Put Blob", rights.WRITE_BLOBS, "w", rights.ADD_BLOBS)
_COPY = Operation("Copy Blob", rights.WRITE_BLOBS, "w", rights.ADD_BLOBS)
_DELETE_VERSION = Operation("Delete Blob Version", rights.DELETE_VERSIONS, "x")
_BLOB: Mapping[tuple[str, str], Operation] = {
    ("GET", ""): Operation("Get Blob", rights.READ_BLOBS, "r"),
    ("HEAD", ""): Operation("Get Blob Properties", rights.READ_BLOBS, "r"),
    ("GET", "metadata"): Operation("Get Blob Metadata", rights.READ_BLOBS, "r"),
    ("HEAD", "metadata"): Operation("Get Blob Metadata", rights.READ_BLOBS, "r"),
    ("GET", "blocklist"): Operation("Get Block List", rights.READ_BLOBS, "r"),
    ("PUT", ""): _PUT_BLOB,
    # Since 2026-04-06 `c` also covers these (version-2026-04-06).
    ("PUT", "block"): Operation("Put Block", rights.WRITE_BLOBS, "cw"),
    ("PUT", "blocklist"): Operation("Put Block List", rights.WRITE_BLOBS, "cw"),
    ("PUT", "metadata"): Operation("Set Blob Metadata", rights.WRITE_BLOBS, "w"),
    ("PUT", "properties"): Operation("Set Blob Properties", rights.WRITE_BLOBS, "w"),
    ("PUT", "tier"): Operation("Set Blob Tier", rights.WRITE_BLOBS, "w"),
    ("PUT", "lease"): Operation("Lease Blob", rights.WRITE_BLOBS, "w"),
    ("PUT", "snapshot"): Operation("Snapshot Blob", rights.WRITE_BLOBS, "cw"),
    ("PUT", "copy"): Operation("Abort Copy Blob", rights.WRITE_BLOBS, "w"),
    ("PUT", "appendblock"): Operation("Append Block", rights.WRITE_BLOBS, "aw"),
    ("PUT", "seal"): Operation("Seal Append Blob", rights.WRITE_BLOBS, "w"),
    ("PUT", "page"): Operation("Put Page", rights.WRITE_BLOBS, "w"),
    ("PUT", "incrementalcopy"): Operation("Incremental Copy Blob", rights.WRITE_BLOBS, "w"),
    ("GET", "pagelist"): Operation("Get Page Ranges", rights.READ_BLOBS, "r"),
    ("POST", "query"): Operation("Query Blob Contents", rights.READ_BLOBS, "r"),
    ("GET", "tags"): Operation("Get Blob Tags", rights.READ_TAGS, "t"),
    ("PUT", "tags"): Operation("Set Blob Tags", rights.TAG_BLOBS, "t"),
    ("PUT", "expiry"): Operation("Set Blob Expiry", rights.WRITE_BLOBS, "w"),
    ("PUT", "undelete"): Operation("Undelete Blob", rights.WRITE_CONTAINERS),
    # One right for both: whoever may set may remove an Unlocked one. No signature of this cloud has `i`.
    ("PUT", "immutabilitypolicies"): Operation("Set Blob Immutability Policy", rights.SET_IMMUTABILITY),
    ("DELETE", "immutabilitypolicies"): Operation("Delete Blob Immutability Policy", rights.SET_IMMUTABILITY),
    # Or containers/write: Microsoft's pages differ (docs/azure-unknowns.md).
    ("PUT", "legalhold"): Operation("Set Blob Legal Hold", rights.SET_IMMUTABILITY),
    ("DELETE", ""): Operation("Delete Blob", rights.DELETE_BLOBS, "d"),
}


def operation_of(call: Call) -> Operation | None:
    """Answer which call a request is; None = there is none of this form."""
    comp, kind = call.query.get("comp", "").lower(), call.query.get("restype", "").lower()
    if kind == "account" and comp == "properties":
        return _INFO
    if call.blob:
        return _blob_operation(call, comp)
    if call.container:
        return _CONTAINER.get((call.method, comp))
    return _ACCOUNT.get((call.method, comp))


def _blob_operation(call: Call, comp: str) -> Operation | None:
    found = _BLOB.get((call.method, comp))
    is_copy = "x-ms-copy-source" in call.headers
    match found.name if found else "":
        case "Put Blob" if is_copy and "x-ms-blob-type" in call.headers:
            return Operation("Put Blob From URL", rights.WRITE_BLOBS, "w", rights.ADD_BLOBS)
        case "Put Blob" if is_copy:
            return _COPY
        case "Put Blob" if call.header("x-ms-blob-type").lower() != "blockblob":
            return Operation(f"Put Blob of type '{call.header('x-ms-blob-type')}'", rights.WRITE_BLOBS, "w")
        case "Put Block" if is_copy:
            return Operation("Put Block From URL", rights.WRITE_BLOBS, "cw")
        case "Delete Blob" if call.version_id:
            return _DELETE_VERSION
        case _:
            return found
