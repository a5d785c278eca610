"""A flexible server as ARM shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What ARM says of a flexible server."""

    id: str
    name: str
    location: str
    state: str
    version: str = ""
    replication_role: str = "Primary"
    storage_size_gib: int | None = None
    storage_type: str = ""
    """`Premium_LRS`, `PremiumV2_LRS`, `UltraSSD_LRS`; empty where ARM does not say, which means the first."""
    cluster_size: int | None = None
    """Nodes of an elastic cluster; nothing for a single server."""
    public_network_access: str = ""
    """`Enabled` or `Disabled`; empty where ARM does not say."""
    delegated_subnet_id: str = ""
    """Of a server that lies in a virtual network of its owner."""
    private_endpoints: int = 0
    """How many private endpoint connections it has."""
    source_server_id: str = ""
    """The primary of a replica, where ARM names it."""
    created_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureBackupInstance:
    """A backup instance of Azure Backup that protects a server."""

    id: str
    state: str
    """Its `currentProtectionState`, such as `ProtectionConfigured`."""
