"""The storage account that a restore copies into: which of its settings would stop the copy."""

from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain.account_checks import NETWORK_CODES, AccountSettings, find_obstacles, target_not_readable
from flexvault.domain.errors import InvalidInputError, VaultError
from flexvault.domain.findings import Finding
from flexvault.services.source_checks import warnings_of
from flexvault.services.vault import Vault

NOT_READABLE = "not readable"


def describe_account(found: AccountSettings | None) -> dict[str, str]:
    """Write what ARM said of the account for the job's row."""
    if found is None:
        return {"account_id": "", "settings": NOT_READABLE}
    return {"account_id": found.id, "settings": found.describe()}


def refuse_account(found: AccountSettings) -> None:
    """Refuse an account into which nothing can be restored.

    Raises:
        InvalidInputError: code TargetHoldsNoBlockBlobs.
    """
    for obstacle in find_obstacles(found, crosses_tenants=False):
        if obstacle.is_error:
            raise InvalidInputError(obstacle.message, code=obstacle.code, target=found.id, hint=obstacle.remedy)


def find_account_obstacles(vault: Vault, found: AccountSettings) -> list[Finding]:
    """Name each setting of an account that may stop the copy; whose tenant it is in is asked first."""
    return find_obstacles(found, crosses_tenants=_crosses_tenants(vault, found.id))


def name_obstacles(error: VaultError, obstacles: Sequence[Finding]) -> None:
    """Add to the error of a probe each setting that may be why: in the hint first, and as a detail."""
    if not obstacles:
        return
    error.details += tuple(
        InvalidInputError(found.message, code=found.code, target=found.subject, hint=found.remedy)
        for found in obstacles
    )
    told = "; ".join(f"{found.message}: {found.remedy}" for found in obstacles)
    error.hint = f"{told}; {error.hint}" if error.hint else told


def target_warnings(
    vault: Vault, url: str, found: AccountSettings | None, *, is_reached: bool
) -> Sequence[Mapping[str, Any]]:
    """Warn of each setting that may stop the copy.

    Args:
        vault: The vault.
        url: The container.
        found: What ARM says of its account; nothing when it does not show it.
        is_reached: The writer has reached the container, which proves that the network lets it in.
    """
    if found is None:
        return warnings_of([target_not_readable(url)])
    obstacles = find_account_obstacles(vault, found)
    return warnings_of(one for one in obstacles if not (is_reached and one.code in NETWORK_CODES))


def _crosses_tenants(vault: Vault, account_id: str) -> bool:
    """Say whether the account is known to be in another tenant; what ARM does not say is no crossing."""
    identities = vault.ports.tenancy.describe_identities()
    own = vault.settings.tenant_id or next((one.tenant_id for one in identities if one.tenant_id), "")
    try:
        tenant = vault.ports.tenancy.find_tenant(account_id.split("/")[2])
    except VaultError:
        return False
    return bool(own and tenant) and own.lower() != tenant.lower()
