"""What Azure says of the vault's own account and identity, remembered: a read of the vault must not wait for it."""

import threading
from datetime import timedelta
from time import monotonic

from azure.core.credentials import TokenCredential

from flexvault.adapters.azure.arm import PUBLIC_SCOPE, Arm
from flexvault.adapters.azure.identity import read_claims
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.domain.errors import VaultError
from flexvault.ports import VaultFacts

_KNOWN_FOR, _UNKNOWN_FOR = timedelta(hours=1), timedelta(minutes=10)
_REDUNDANCIES = {
    "LRS": "LocallyRedundant",
    "ZRS": "ZoneRedundant",
    "GRS": "GeoRedundant",
    "RAGRS": "GeoRedundant",
    "GZRS": "GeoRedundant",
    "RAGZRS": "GeoRedundant",
}
"""Source: https://learn.microsoft.com/rest/api/storagerp/srp_sku_types"""


class AzureSurroundings:
    """Asks ARM and the control identity's own token, at most once in a while and one caller at a time.

    Args:
        arm: The control identity's way into ARM.
        control: The control identity.
        subscription_id: Of the vault, where its account is looked for.
        blob_endpoint: Of the vault account.
    """

    def __init__(self, arm: Arm, control: TokenCredential, subscription_id: str, blob_endpoint: str) -> None:
        self._arm = arm
        self._control = control
        self._subscription_id = subscription_id
        self._blob_endpoint = blob_endpoint
        self._lock = threading.Lock()
        self._facts = VaultFacts()
        self._asks_again_at = 0.0

    def describe(self) -> VaultFacts:
        """Answer what is known; while somebody asks Azure, everybody else gets what was known before."""
        if monotonic() < self._asks_again_at or not self._lock.acquire(blocking=False):
            return self._facts
        try:
            self._facts = self._ask()
            is_known = self._facts.redundancy and self._facts.principal_id
            self._asks_again_at = monotonic() + (_KNOWN_FOR if is_known else _UNKNOWN_FOR).total_seconds()
        finally:
            self._lock.release()
        return self._facts

    def _ask(self) -> VaultFacts:
        try:
            claims = read_claims(self._control, PUBLIC_SCOPE)
            sku = StorageAccounts(self._arm).find_sku(self._subscription_id, self._blob_endpoint)
        except VaultError:
            # Not known is a plain answer here; what was known stays so until Azure can be asked again.
            return self._facts
        redundancy = _REDUNDANCIES.get(sku.rpartition("_")[2].upper(), "")
        return VaultFacts(
            redundancy=redundancy, principal_id=str(claims.get("oid", "")), tenant_id=str(claims.get("tid", ""))
        )
