"""What ARM's view of a server means for its backups. One set of rules: doctor, configuration and backups use it.

Sources: Azure Backup's support matrix for flexible servers (size, replicas, Premium SSD v2, elastic clusters, regions);
the end of PostgreSQL's versions, https://www.postgresql.org/support/versioning/.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flexvault.domain.azure_codes import NOT_READY
from flexvault.domain.findings import Finding, FindingCheck
from flexvault.domain.server import AzureBackupInstance, Server

LARGEST_SERVER_GIB = 1024
PASSING_STATES = frozenset({"Starting", "Stopping", "Updating", "Restarting", "Provisioning"})
REPLICA_ROLES = frozenset({"AsyncReplica", "GeoAsyncReplica"})
SUPPORTED_STORAGE = frozenset({"", "Premium_LRS"})
PREMIUM_V2 = "PremiumV2_LRS"
CHANGING = "ServerIsChanging"
RECREATED = "ServerRecreated"
AZURE_BACKUP_NOT_ASKED = "AzureBackupNotAsked"
SOON = timedelta(days=180)

_ENDS = {
    11: datetime(2023, 11, 9, tzinfo=UTC),
    12: datetime(2024, 11, 21, tzinfo=UTC),
    13: datetime(2025, 11, 13, tzinfo=UTC),
    14: datetime(2026, 11, 12, tzinfo=UTC),
    15: datetime(2027, 11, 11, tzinfo=UTC),
    16: datetime(2028, 11, 9, tzinfo=UTC),
    17: datetime(2029, 11, 8, tzinfo=UTC),
    18: datetime(2030, 11, 14, tzinfo=UTC),
}
_IDLE = frozenset({"protectionstopped", "backupssuspended", "backupschedulessuspended", "softdeleted", "softdeleting"})
"""Words of Azure Backup for an instance that backs nothing up; two of them are spelt in two ways."""


def check_readiness(server: Server) -> list[Finding]:
    """Look for what long-term retention surely refuses: a replica, a server that is not ready."""
    found: list[Finding] = []
    if server.replication_role in REPLICA_ROLES:
        primary = f": {server.source_server_id}" if server.source_server_id else ""
        text = f"the server '{server.name}' is a replica ({server.replication_role}); only primaries can be backed up"
        remedy = f"protect the primary server instead{primary}"
        found.append(Finding.error("UserErrorReplicaServerNotSupported", server.id, text, remedy))
    if server.state in PASSING_STATES:
        text = f"the server '{server.name}' is {server.state}"
        changing = Finding.warning(CHANGING, server.id, text, "wait until the server is Ready, then try again")
        found.append(replace(changing, passes=True))
    elif server.state != "Ready":
        text = f"the server '{server.name}' is {server.state}, not Ready"
        remedy = f"start the server: az postgres flexible-server start --ids {server.id}"
        found.append(Finding.error(NOT_READY, server.id, text, remedy))
    return found


def check_size(server: Server) -> list[Finding]:
    """Look for a server larger than long-term retention is documented to support."""
    if server.storage_size_gib is None or server.storage_size_gib <= LARGEST_SERVER_GIB:
        return []
    text = (
        f"the server '{server.name}' has {server.storage_size_gib} GiB provisioned; "
        f"backups are supported up to {LARGEST_SERVER_GIB} GiB (1 TiB) and may fail above"
    )
    remedy = (
        "back up on demand and see whether it is done; if not, move databases to another server: provisioned storage "
        "can never be made smaller"
    )
    return [Finding.warning("ServerLargerThanSupported", server.id, text, remedy)]


def check_kind(server: Server) -> list[Finding]:
    """Look for storage and clusters that Azure Backup's documentation rules out."""
    found: list[Finding] = []
    if server.storage_type == PREMIUM_V2:
        text = f"the server '{server.name}' has Premium SSD v2 storage, which long-term retention does not support"
        remedy = "move the data to a server with Premium SSD storage (Premium_LRS), and protect that one"
        found.append(Finding.error("UserErrorStorageTypeNotSupported", server.id, text, remedy))
    elif server.storage_type not in SUPPORTED_STORAGE:
        text = (
            f"the server '{server.name}' has storage of type {server.storage_type}: nobody has documented that "
            "long-term retention supports it"
        )
        found.append(
            Finding.warning("StorageTypeUnknown", server.id, text, "back up on demand and see whether it is done")
        )
    if server.cluster_size is not None:
        text = (
            f"the server '{server.name}' is an elastic cluster of {server.cluster_size} node(s), which long-term "
            "retention does not support"
        )
        remedy = "protect it with version 2 of Azure Backup, which supports elastic clusters"
        found.append(Finding.error("UserErrorElasticClusterNotSupported", server.id, text, remedy))
    return found


def check_network(server: Server) -> list[Finding]:
    """Say what a closed network means: the server itself writes the backup outward, to the landing account."""
    if server.delegated_subnet_id:
        text = (
            f"the server '{server.name}' lies in subnet '{server.delegated_subnet_id}': the backup leaves through the "
            "service, which writes to the landing account; whether the subnet's own rules hold for it is not documented"
        )
        remedy = (
            "back up on demand and see whether it is done; if it cannot reach the landing account, allow outbound "
            "traffic to service tag Storage in the subnet's network security group"
        )
        return [Finding.information("ServerInVirtualNetwork", server.id, text, remedy)]
    if server.public_network_access != "Disabled":
        return []
    text = (
        f"the server '{server.name}' refuses public network access ({server.private_endpoints} private endpoint(s)): a "
        "backup needs no way in, it is written outward to the landing account by the service"
    )
    remedy = (
        "back up on demand and see whether it is done; Azure Backup once asked that trusted Microsoft services be "
        "allowed on such a server"
    )
    return [Finding.information("PublicNetworkAccessDisabled", server.id, text, remedy)]


def check_version(server: Server, now: datetime) -> list[Finding]:
    """Look for a PostgreSQL that nobody mends any more: a server of its version may soon not be had to restore into."""
    major = server.version.partition(".")[0]
    end = _ENDS.get(int(major)) if major.isdecimal() else None
    if end is None or now + SOON < end:
        return []
    has_ended = end <= now
    text = (
        f"PostgreSQL {major} of server '{server.name}' {'has reached' if has_ended else 'reaches'} its end of life on "
    )
    text += f"{end:%Y-%m-%d}: a restore may find no server of the same version"
    remedy = (
        f"az postgres flexible-server upgrade --ids {server.id} --version {max(_ENDS)}, after a backup; or whatever "
        "version your application knows"
    )
    if has_ended:
        return [Finding.warning("PostgresVersionEnded", server.id, text, remedy)]
    return [Finding.information("PostgresVersionEnds", server.id, text, remedy)]


def check_region(server: Server, vault_location: str) -> list[Finding]:
    """Look for a server in another region than the vault's."""
    if _region(server.location) == _region(vault_location):
        return []
    text = (
        f"the server '{server.name}' is in {server.location}, the vault in {vault_location}: each backup is "
        "written from region to region, which costs traffic and may break rules on where data lies"
    )
    return [Finding.warning("RegionDiffers", server.id, text, f"protect it with a vault in {server.location}")]


def check_chain(server: Server, is_recreated: bool) -> list[Finding]:  # noqa: FBT001 - the fact itself
    """Say that a server is not the one whose recovery points the instance has."""
    if not is_recreated:
        return []
    text = f"the server '{server.name}' was created anew: its recovery points are a chain of their own"
    remedy = (
        "nothing, if you made it anew: its first backup counts as a first one; the newest recovery point of the server "
        "before it stays"
    )
    return [Finding.warning(RECREATED, server.id, text, remedy)]


def check_azure_backup(server: Server, instances: Sequence[AzureBackupInstance]) -> list[Finding]:
    """Look for backup instances of Azure Backup: two that back up one server get into each other's way."""
    found: list[Finding] = []
    for instance in instances:
        is_idle = instance.state.lower() in _IDLE
        doing = "holds backups of" if is_idle else "backs up"
        text = f"Azure Backup {doing} the server '{server.name}', too: '{instance.id}' is {instance.state or 'there'}"
        if is_idle:
            remedy = "nothing: it starts no backups"
            found.append(Finding.information("ProtectedByAzureBackup", server.id, text, remedy))
            continue
        text += "; a backup that meets one of the other fails or waits, and both are paid for"
        found.append(Finding.warning("ProtectedByAzureBackup", server.id, text, _stop_command(instance.id)))
    return found


def azure_backup_not_asked(server_id: str, why: str, remedy: str) -> Finding:
    """Say that nobody knows whether Azure Backup protects a server: refused is not "no"."""
    text = f"whether Azure Backup protects the server, too, could not be asked: {why}"
    remedy = remedy or "ask again later, or look at the server's page Backup in the portal"
    return Finding.warning(AZURE_BACKUP_NOT_ASKED, server_id, text, remedy, FindingCheck.NOT_CHECKABLE)


def _stop_command(instance_id: str) -> str:
    parts = instance_id.split("/")
    if len(parts) <= _VAULT or [part.lower() for part in parts[6:8]] != ["microsoft.dataprotection", "backupvaults"]:
        return "stop its protection in the vault that names it"
    return (
        f'az dataprotection backup-instance stop-protection --subscription "{parts[2]}" --resource-group "{parts[4]}" '
        f'--vault-name "{parts[8]}" --backup-instance-name "{parts[_VAULT]}"'
    )


_VAULT = 10
"""Where an instance's name stands in its id, after its vault's."""


def _region(location: str) -> str:
    return location.replace(" ", "").lower()
