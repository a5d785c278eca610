"""What storage itself says of the demo's recovery points: asked as the vault account's owner, never of flexvault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.storage.blob import BlobServiceClient

from local_cloud.credentials import StaticCredential
from local_cloud.endpoints import Endpoints

CONTAINERS = ("manifests", "points")


class NotProtectedError(Exception):
    """Storage would let somebody delete a version of a recovery point."""


@dataclass(frozen=True, slots=True)
class Protection:
    """Until when storage refuses to delete any version of a recovery point."""

    until: datetime
    mode: str
    versions: int

    def __str__(self) -> str:
        return f"immutable until {self.until:%Y-%m-%d} ({self.mode})"


def find_protection(endpoints: Endpoints, point: str) -> Protection:
    """Look at every version of a point's manifest and files.

    Args:
        endpoints: Of the cloud.
        point: The recovery point's id, 32 hex digits.

    Raises:
        NotProtectedError: One has no policy, or there is none at all.
    """
    storage = endpoints["storage"]
    owner = StaticCredential(endpoints["owners"]["vault-owner"])
    with BlobServiceClient(storage["vault"]["blobEndpoint"], owner, connection_verify=storage["ca"]) as service:
        return judge([version for name in CONTAINERS for version in _versions(service, name, point)], point)


def _versions(service: BlobServiceClient, container: str, point: str) -> list[Any]:
    listed = service.get_container_client(container).list_blobs(include=["versions", "immutabilitypolicy"])
    return [version for version in listed if f"/{point}" in str(version.name)]


def judge(versions: Sequence[Any], point: str) -> Protection:
    """Answer the weakest protection of a point's versions.

    Raises:
        NotProtectedError: One has no policy, or there is none at all.
    """
    free = [str(version.name) for version in versions if version.immutability_policy.expiry_time is None]
    if free or not versions:
        raise NotProtectedError(f"storage does not protect recovery point {point}: {', '.join(free) or 'not there'}")
    policies = [version.immutability_policy for version in versions]
    modes = {str(policy.policy_mode).capitalize() for policy in policies}
    return Protection(
        until=min(policy.expiry_time for policy in policies),
        mode="Unlocked" if "Unlocked" in modes else "Locked",
        versions=len(versions),
    )


_DEEDS: Mapping[str, tuple[str, ...]] = {
    "copied": ("Put Block From URL",),
    "sealed": ("Put Blob",),
    "protected": ("Set Blob Immutability Policy",),
    "deleted": ("Delete Blob", "Delete Blob Version"),
}


def tell_who(done: Mapping[str, Sequence[str]]) -> str:
    """Say in one line which identities did what in the vault account, from who did which operation of storage."""
    told: list[str] = []
    for deed, operations in _DEEDS.items():
        who = sorted({name for operation in operations for name in done.get(operation, ())})
        told.append(f"{' and '.join(who) or 'nobody'} {deed}")
    return ", ".join(told)
