"""Who may do what in which account: the roles and assignments of `infra/modules/vault-roles.bicep`, as a table.

A test holds this table to the templates. Azure's built-in roles are from Microsoft's page "Azure built-in roles for
Storage" (https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage). Only what concerns blobs
is listed. Azure tells actions and data actions apart; no name is both, so one set serves here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

_SERVICE = "Microsoft.Storage/storageAccounts/blobServices"
_BLOBS = f"{_SERVICE}/containers/blobs"

READ_SERVICE = f"{_SERVICE}/read"
WRITE_SERVICE = f"{_SERVICE}/write"
READ_INFO = f"{_SERVICE}/getInfo/action"
DELEGATE_KEYS = f"{_SERVICE}/generateUserDelegationKey/action"
READ_CONTAINERS = f"{_SERVICE}/containers/read"
WRITE_CONTAINERS = f"{_SERVICE}/containers/write"
DELETE_CONTAINERS = f"{_SERVICE}/containers/delete"
READ_BLOBS = f"{_BLOBS}/read"
WRITE_BLOBS = f"{_BLOBS}/write"
ADD_BLOBS = f"{_BLOBS}/add/action"
DELETE_BLOBS = f"{_BLOBS}/delete"
DELETE_VERSIONS = f"{_BLOBS}/deleteBlobVersion/action"
SET_IMMUTABILITY = f"{_BLOBS}/immutableStorage/runAsSuperUser/action"
TAG_BLOBS = f"{_BLOBS}/tags/write"
READ_TAGS = f"{_BLOBS}/tags/read"


class Kind(StrEnum):
    """What an account is for."""

    LANDING = "landing"
    VAULT = "vault"
    RESTORE = "restore"
    APP = "app"


class Role(StrEnum):
    """A role: the first five are those that the vault's deployment defines."""

    CONTROL = "control"
    WRITER = "writer"
    RETENTION = "retention"
    RECORDER = "recorder"
    CLEANER = "cleaner"
    BLOB_CONTRIBUTOR = "Storage Blob Data Contributor"
    BLOB_OWNER = "Storage Blob Data Owner"
    DEPLOYER = "deployer"
    """What ARM itself does for a deployment: create containers, and see them."""


ROLES: Mapping[Role, frozenset[str]] = {
    Role.CONTROL: frozenset(
        {
            "Microsoft.Storage/storageAccounts/read",
            READ_SERVICE,
            READ_CONTAINERS,
            f"{_SERVICE}/containers/immutabilityPolicies/read",
            READ_BLOBS,
            SET_IMMUTABILITY,
        }
    ),
    Role.WRITER: frozenset({DELEGATE_KEYS, READ_BLOBS}),
    Role.RETENTION: frozenset({READ_BLOBS}),
    Role.RECORDER: frozenset({WRITE_BLOBS, ADD_BLOBS}),
    Role.CLEANER: frozenset({DELETE_BLOBS, DELETE_VERSIONS}),
    Role.BLOB_CONTRIBUTOR: frozenset(
        {
            READ_CONTAINERS,
            WRITE_CONTAINERS,
            DELETE_CONTAINERS,
            DELEGATE_KEYS,
            READ_BLOBS,
            WRITE_BLOBS,
            ADD_BLOBS,
            DELETE_BLOBS,
            f"{_BLOBS}/move/action",
        }
    ),
    Role.BLOB_OWNER: frozenset({f"{_SERVICE}/containers/*", DELEGATE_KEYS}),
    Role.DEPLOYER: frozenset({READ_CONTAINERS, WRITE_CONTAINERS}),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on an account, or on one of its containers."""

    role: Role
    kind: Kind
    container: str = ""
    """"" = the whole account."""


DEPLOYMENT = "deployment"
"""Creates the containers, as ARM does in Azure. It is no identity of the app."""

_APP: Mapping[str, tuple[Grant, ...]] = {
    "control": (Grant(Role.CONTROL, Kind.VAULT),),
    "writer": (
        Grant(Role.WRITER, Kind.VAULT),
        Grant(Role.RECORDER, Kind.VAULT, "points"),
        Grant(Role.RECORDER, Kind.VAULT, "manifests"),
        Grant(Role.RECORDER, Kind.VAULT, "journal"),
        Grant(Role.BLOB_CONTRIBUTOR, Kind.LANDING),
        # Nothing of the vault's deployment: a person grants it on each restore target (docs/operations.md).
        Grant(Role.BLOB_CONTRIBUTOR, Kind.RESTORE),
    ),
    "retention": (
        Grant(Role.RETENTION, Kind.VAULT),
        Grant(Role.CLEANER, Kind.VAULT, "points"),
        Grant(Role.CLEANER, Kind.VAULT, "manifests"),
        Grant(Role.RECORDER, Kind.VAULT, "journal"),
        Grant(Role.RECORDER, Kind.VAULT, "plans"),
    ),
}
GRANTS: Mapping[str, tuple[Grant, ...]] = {
    **_APP,
    "single": tuple(grant for grants in _APP.values() for grant in grants),
    **{host: (Grant(Role.BLOB_OWNER, Kind.APP),) for host in ("host", "host-front", "host-janitor")},
    "vault-owner": (Grant(Role.BLOB_OWNER, Kind.VAULT),),
    "source-owner": (),
    DEPLOYMENT: tuple(Grant(Role.DEPLOYER, kind) for kind in Kind),
}
"""Grants by principal; a principal that is not listed may do nothing."""


def may(principal: str, right: str, kind: Kind, container: str = "") -> bool:
    """Tell whether a principal holds a right on a container of an account, or, with "", on the account itself."""
    return any(
        grant.kind == kind
        and grant.container in {"", container}
        and any(fnmatchcase(right, held) for held in ROLES[grant.role])
        for grant in GRANTS.get(principal, ())
    )
