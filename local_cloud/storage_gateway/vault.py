"""The calls of a vault account, by name. What is not here is answered 501."""

from collections.abc import Awaitable, Callable, Mapping

from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.call import Call
from local_cloud.storage_gateway.delegation import get_user_delegation_key
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.listing import list_blobs
from local_cloud.storage_gateway.passing import describe_container, pass_through, refuse_delete_container
from local_cloud.storage_gateway.protection import (
    delete_blob,
    delete_immutability_policy,
    delete_version,
    set_immutability_policy,
    set_legal_hold,
    undelete_blob,
)
from local_cloud.storage_gateway.reads import get_blob, get_blob_metadata, get_blob_properties, get_block_list
from local_cloud.storage_gateway.writes import (
    copy_blob,
    put_blob,
    put_block,
    put_block_list,
    set_blob_metadata,
    set_blob_tier,
)

type Handler = Callable[[Gateway, Call, Caller], Awaitable[Answer]]

HANDLERS: Mapping[str, Handler] = {
    # Their content is the same with and without versions.
    "List Containers": pass_through,
    "Get Account Information": pass_through,
    "Get Blob Service Properties": pass_through,
    "Create Container": pass_through,
    "Get Container Properties": describe_container,
    "Get Container Metadata": describe_container,
    "Delete Container": refuse_delete_container,
    "Get User Delegation Key": get_user_delegation_key,
    "List Blobs": list_blobs,
    "Get Blob": get_blob,
    "Get Blob Properties": get_blob_properties,
    "Get Blob Metadata": get_blob_metadata,
    "Get Block List": get_block_list,
    "Put Blob": put_blob,
    "Put Block": put_block,
    "Put Block From URL": put_block,
    "Put Block List": put_block_list,
    "Copy Blob": copy_blob,
    "Set Blob Metadata": set_blob_metadata,
    "Set Blob Tier": set_blob_tier,
    "Delete Blob": delete_blob,
    "Delete Blob Version": delete_version,
    "Undelete Blob": undelete_blob,
    "Set Blob Immutability Policy": set_immutability_policy,
    "Delete Blob Immutability Policy": delete_immutability_policy,
    "Set Blob Legal Hold": set_legal_hold,
}
