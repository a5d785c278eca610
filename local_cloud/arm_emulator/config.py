"""The emulator's configuration, read from one JSON file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from local_cloud.arm_emulator.resources import FlexibleServer, ResourceGroup, StorageAccount, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialRoleAssignment:
    """A role that somebody holds from the start, effective at once."""

    scope: str
    role_definition_id: str
    """A role's GUID, or a resource id that ends in it."""
    principal_id: str
    condition: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an element of `roleAssignments` in the configuration."""
        return cls(
            scope=data["scope"],
            role_definition_id=data["roleDefinitionId"],
            principal_id=data["principalId"],
            condition=data.get("condition", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """All that an emulator needs to run."""

    certificate: Path
    private_key: Path
    ca_file: Path
    """PEM of the authority that uploads trust."""
    state_dir: Path
    """Where the log is kept; it survives a restart."""
    tenant_id: str
    jwks_url: str
    owner: str
    """Object id of the principal that may do everything."""
    port: int = 0
    """0 = a free one."""
    base_url: str | None = None
    """What links in answers begin with; None = `https://127.0.0.1:{port}`."""
    pg_bin: Path | None = None
    """Folder of `pg_dump` and `pg_dumpall`; None = those on PATH."""
    revoked_keys_file: Path | None = None
    """Where storage reads which keys are revoked; None = nobody is told."""
    role_delay_seconds: float = 3.0
    minimum_duration_seconds: float = 0.0
    page_size: int = 2
    subscriptions: tuple[Subscription, ...] = ()
    resource_groups: tuple[ResourceGroup, ...] = ()
    servers: tuple[FlexibleServer, ...] = ()
    storage_accounts: tuple[StorageAccount, ...] = ()
    role_assignments: tuple[InitialRoleAssignment, ...] = field(default=())

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the configuration from its JSON object.

        Raises:
            KeyError: A required member is missing.
            ValueError: A member has a wrong value.
        """
        pg_bin = data.get("pgBin")
        return cls(
            certificate=Path(data["certificate"]),
            private_key=Path(data["privateKey"]),
            ca_file=Path(data["caFile"]),
            state_dir=Path(data["state"]),
            tenant_id=data["tenantId"],
            jwks_url=data["jwksUrl"],
            owner=data["owner"],
            port=int(data.get("port", 0)),
            base_url=data.get("baseUrl"),
            pg_bin=Path(pg_bin) if pg_bin else None,
            revoked_keys_file=Path(data["revokedKeysFile"]) if data.get("revokedKeysFile") else None,
            role_delay_seconds=float(data.get("roleDelaySeconds", 3.0)),
            minimum_duration_seconds=float(data.get("minimumDurationSeconds", 0.0)),
            page_size=int(data.get("pageSize", 2)),
            subscriptions=tuple(map(Subscription.from_json, data.get("subscriptions", ()))),
            resource_groups=tuple(map(ResourceGroup.from_json, data.get("resourceGroups", ()))),
            servers=tuple(map(FlexibleServer.from_json, data.get("servers", ()))),
            storage_accounts=tuple(map(StorageAccount.from_json, data.get("storageAccounts", ()))),
            role_assignments=tuple(map(InitialRoleAssignment.from_json, data.get("roleAssignments", ()))),
        )
