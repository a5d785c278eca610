"""Which tenants the identities and the subscriptions belong to."""

from collections.abc import Mapping, Sequence

from azure.core.credentials import TokenCredential

from flexvault.adapters.azure.arm import PUBLIC_SCOPE, Arm
from flexvault.adapters.azure.identity import read_claims
from flexvault.domain.errors import TransientError
from flexvault.ports import Identity

_SUBSCRIPTIONS_VERSION = "2022-12-01"


class AzureTenancy:
    """Asks the identities' own tokens, and ARM.

    Args:
        arm: The control identity's way into ARM.
        credentials: Client id and credential of each identity that this app holds, by its name.
    """

    def __init__(self, arm: Arm, credentials: Mapping[str, tuple[str, TokenCredential]]) -> None:
        self._arm = arm
        self._credentials = dict(credentials)

    def describe_identities(self) -> Sequence[Identity]:
        """Answer each identity as its token states it; without a token only its client id is known."""
        return [self._describe(name, *found) for name, found in self._credentials.items()]

    def find_tenant(self, subscription_id: str) -> str:
        """Answer the home tenant of a subscription: ARM names it also where Lighthouse delegates the subscription."""
        found = self._arm.get(f"/subscriptions/{subscription_id}", _SUBSCRIPTIONS_VERSION)
        return str(found.get("tenantId") or "")

    def _describe(self, name: str, client_id: str, credential: TokenCredential) -> Identity:
        try:
            claims = read_claims(credential, PUBLIC_SCOPE)
        except TransientError:
            claims = {}
        object_id, tenant_id = str(claims.get("oid", "")), str(claims.get("tid", ""))
        return Identity(name=name, client_id=client_id, object_id=object_id, tenant_id=tenant_id)
