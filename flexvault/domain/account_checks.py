"""What the settings of a storage account mean for a restore that copies into it.

Sources: what a restore of Azure Backup asks of its target (reachable from the public network,
`AllowCrossTenantReplication` where tenants differ); the permitted scope of copies,
https://learn.microsoft.com/azure/storage/common/security-restrict-copy-operations; which accounts hold block blobs,
https://learn.microsoft.com/azure/storage/common/storage-account-overview.
"""

from dataclasses import dataclass

from flexvault.domain.findings import Finding, FindingCheck

BLOCK_BLOB_KINDS = frozenset({"", "storage", "storagev2", "blobstorage", "blockblobstorage"})
NETWORK_CODES = frozenset({"TargetPublicNetworkDisabled", "TargetFirewallDenies"})
"""What the probe of the container proves or disproves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What ARM says of a storage account; an empty text where it says nothing."""

    id: str
    kind: str = ""
    sku: str = ""
    public_network_access: str = "Enabled"
    """`Enabled`, `Disabled`, `SecuredByPerimeter`."""
    default_action: str = "Allow"
    """What its firewall does with whom no rule names: `Allow` or `Deny`."""
    allows_account_keys: bool = True
    allows_cross_tenant_replication: bool = True
    copy_scope: str = ""
    """`AAD` or `PrivateLink`: from where copies may come; empty = from anywhere."""

    def describe(self) -> str:
        """Say in words what decides about access."""
        keys = "allowed" if self.allows_account_keys else "refused"
        return (
            f"public network access {self.public_network_access}, network default {self.default_action}, "
            f"account keys {keys}"
        )


def find_obstacles(account: AccountSettings, *, crosses_tenants: bool) -> list[Finding]:
    """Name each setting that stops a copy, or may: a warning is one that the probe or the tenants decide.

    Args:
        account: What ARM says of it.
        crosses_tenants: The account is known to be in another tenant than the vault.
    """
    return [*_check_kind(account), *_check_network(account), *_check_copies(account, crosses_tenants=crosses_tenants)]


def target_not_readable(subject: str) -> Finding:
    """Say that nobody knows the settings of the account."""
    text = "ARM does not show the target's storage account, so its settings were not looked at"
    remedy = "send targetResourceArmId, and give the control identity Reader on the account"
    return Finding.warning("TargetNotReadable", subject, text, remedy, FindingCheck.NOT_CHECKABLE)


def _check_kind(account: AccountSettings) -> list[Finding]:
    is_page_blobs = account.kind.lower() == "storagev2" and account.sku.lower().startswith("premium")
    if account.kind.lower() in BLOCK_BLOB_KINDS and not is_page_blobs:
        return []
    text = (
        f"the storage account '{account.id}' is of kind {account.kind}, {account.sku}: it holds no block blobs, which "
        "restored files are"
    )
    remedy = "restore into another account: az storage account create --kind StorageV2 --sku Standard_LRS ..."
    return [Finding.error("TargetHoldsNoBlockBlobs", account.id, text, remedy)]


def _check_network(account: AccountSettings) -> list[Finding]:
    found: list[Finding] = []
    if account.public_network_access.lower() not in {"", "enabled"}:
        text = (
            f"the storage account '{account.id}' has public network access {account.public_network_access}: the vault "
            "reaches it through a private endpoint only"
        )
        remedy = _update(account, "--public-network-access Enabled")
        found.append(Finding.warning("TargetPublicNetworkDisabled", account.id, text, remedy))
    if account.default_action.lower() == "deny":
        text = (
            f"the firewall of the storage account '{account.id}' denies by default: the vault reaches it only where "
            "one of its rules lets it in"
        )
        remedy = _update(account, "--default-action Allow")
        found.append(Finding.warning("TargetFirewallDenies", account.id, text, remedy))
    return found


def _check_copies(account: AccountSettings, *, crosses_tenants: bool) -> list[Finding]:
    found: list[Finding] = []
    scope = account.copy_scope.lower()
    if scope == "privatelink" or (scope == "aad" and crosses_tenants):
        wider = "accounts with a private endpoint in the same network" if scope == "privatelink" else "its own tenant"
        text = (
            f"the storage account '{account.id}' takes copies only from {wider} (allowedCopyScope "
            f"{account.copy_scope}): storage may refuse what is copied from the vault account"
        )
        remedy = _update(account, "--allowed-copy-scope AAD") if scope == "privatelink" else ""
        if crosses_tenants:
            remedy = "restore into an account of the vault's tenant, or take allowedCopyScope off it in the portal"
        found.append(Finding.warning("TargetRestrictsCopies", account.id, text, remedy))
    if crosses_tenants and not account.allows_cross_tenant_replication:
        text = (
            f"the storage account '{account.id}' is in another tenant and has allowCrossTenantReplication false, which "
            "a restore of Azure Backup asks to be true"
        )
        remedy = _update(account, "--allow-cross-tenant-replication true")
        found.append(Finding.warning("TargetRefusesOtherTenants", account.id, text, remedy))
    return found


def _update(account: AccountSettings, change: str) -> str:
    return f'az storage account update --ids "{account.id}" {change}'
