"""The app's settings, read once from the environment; all mistakes are reported together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flexvault.domain.app_role import AppRole
from flexvault.settings.reading import read_values

REQUESTS_PER_MINUTE = 1_500
"""Of one caller and kind: ARM's own buckets fill up with 25 reads a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the vault is, what it may use, and its patience."""

    vault_resource_id: str
    location: str
    vault_blob_endpoint: str
    table_endpoint: str
    landing_blob_endpoint: str = ""
    arm_endpoint: str = ""
    control_client_id: str = ""
    writer_client_id: str = ""
    retention_client_id: str = ""
    token_audiences: tuple[str, ...] = ()
    token_issuers: tuple[str, ...] = ()
    openid_configuration_url: str = ""
    host_client_id: str = ""
    """The host's own identity, which reaches the tables; empty where the app has only one."""
    restore_targets: tuple[str, ...] = ()
    """Container or account URLs that count as inside although ARM does not show them."""
    role: AppRole = AppRole.ALL
    tenant_id: str = ""
    """The vault's own tenant; empty where nobody said."""
    source_tenants: Mapping[str, str] = field(default_factory=dict[str, str])
    """Tenant by subscription, both in lower case, of sources that the federated app reaches."""
    federated_client_id: str = ""
    """Client id of the multi-tenant app that the control identity signs in for."""
    landing_sas_permissions: str = "racwl"
    stale_grace: timedelta = timedelta(seconds=600)
    """How long after its next check a job counts as stale."""
    not_started_after: timedelta = timedelta(seconds=180)
    """How long a start without an answer stays in doubt."""
    poll_floors_seconds: tuple[float, ...] = (180, 600, 1200, 1800)
    look_ahead: timedelta = timedelta(seconds=300)
    spread: timedelta = timedelta()
    """Over how long the instances that are due at one moment begin, each always at its own."""
    landing_keep_for: timedelta = timedelta(days=14)
    unsealed_keep_for: timedelta = timedelta(days=14)
    requests_per_minute: int = REQUESTS_PER_MINUTE

    @property
    def vault_name(self) -> str:
        """Answer the last segment of the vault's resource id."""
        return self.vault_resource_id.rpartition("/")[2]

    @property
    def subscription_id(self) -> str:
        """Answer the vault's own subscription."""
        return self.vault_resource_id.split("/")[2]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every setting.

        Raises:
            InvalidInputError: code InvalidSettings: settings are missing, wrong or unknown; each is a detail.
        """
        values: dict[str, Any] = {
            _MEMBERS.get(name, _member_of(name)): value for name, value in read_values(environ).items()
        }
        return cls(**values)


_MEMBERS = {
    "AZURE_CLIENT_ID": "host_client_id",
    "FLEXVAULT_STALE_GRACE_SECONDS": "stale_grace",
    "FLEXVAULT_NOT_STARTED_AFTER_SECONDS": "not_started_after",
    "FLEXVAULT_LOOK_AHEAD_SECONDS": "look_ahead",
    "FLEXVAULT_SPREAD_SECONDS": "spread",
    "FLEXVAULT_LANDING_KEEP_DAYS": "landing_keep_for",
    "FLEXVAULT_UNSEALED_KEEP_DAYS": "unsealed_keep_for",
}


def _member_of(name: str) -> str:
    return name.removeprefix("FLEXVAULT_").lower()
