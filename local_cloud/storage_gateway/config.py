"""The gateway's configuration, read from one JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from local_cloud.storage_gateway.rights import Kind

SETTINGS_PATH = "/_gateway/settings"
"""Where the local cloud and its tests change what may change while the gateway runs."""

CALLERS_PATH = "/_gateway/callers"
"""Who did what: `{account: {operation: [principal]}}`."""


class BaseNameDelete(StrEnum):
    """What Delete Blob on the base name does while the current version is protected.

    Microsoft's pages allow both readings. `keep` is the default, because it is what the page on this very feature says
    (immutable-version-level-worm-policies, "Version dependency"): "When you delete the current version of a blob, the
    current version becomes a previous version and is retained until explicitly deleted. A previous blob version
    possesses the time-based retention policy that was in effect when the current version became a previous version."
    """

    KEEP = "keep"
    """It becomes a previous version that stays protected."""
    REFUSE = "refuse"
    """409, as for the version itself: the same page's table of scenarios lists Delete Blob as prohibited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A storage account."""

    name: str
    kind: Kind
    key: str = field(repr=False)
    """In base64; signs the reads of copy sources inside Azurite, and nothing that a caller sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """All that a gateway needs to run."""

    certificate: Path
    private_key: Path
    ca_file: Path
    """PEM of the authority that vouches for Azurite."""
    state_dir: Path
    azurite_url: str
    tenant_id: str
    jwks_url: str
    accounts: Mapping[str, Account]
    principals: Mapping[str, str]
    """Name of each principal, by its object id."""
    port: int = 0
    """0 = a free one."""
    base_name_delete: BaseNameDelete = BaseNameDelete.KEEP
    soft_delete_days: int = 14
    """As `softDeleteDays` in `infra/vault.bicep`."""

    def name_of(self, object_id: str) -> str:
        """Answer a principal's name; an unknown one has its id for a name, and no rights."""
        return self.principals.get(object_id, object_id)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the configuration from its JSON object.

        Raises:
            KeyError: a required member is missing.
            ValueError: a member has a wrong value.
        """
        accounts = [
            Account(name=account["name"], kind=Kind(account["kind"]), key=account["key"])
            for account in data["accounts"]
        ]
        return cls(
            certificate=Path(data["certificate"]),
            private_key=Path(data["privateKey"]),
            ca_file=Path(data["caFile"]),
            state_dir=Path(data["state"]),
            azurite_url=data["azuriteUrl"],
            tenant_id=data["tenantId"],
            jwks_url=data["jwksUrl"],
            accounts={account.name: account for account in accounts},
            principals=data["principals"],
            port=int(data.get("port", 0)),
            base_name_delete=BaseNameDelete(data.get("baseNameDelete", BaseNameDelete.KEEP)),
            soft_delete_days=int(data.get("softDeleteDays", 14)),
        )


def revoked_keys_file(state_dir: Path) -> Path:
    """Answer the file that says until when each account's user delegation keys are revoked.

    It is a JSON object: account name to ISO time. ARM's `revokeUserDelegationKeys` (the emulator) writes it; a
    signature whose key starts before that time is refused. It may be missing, and is replaced whole.
    """
    return state_dir / "revoked-keys.json"
