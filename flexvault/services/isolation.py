"""Say honestly how far the vault is apart from its sources and from itself; what cannot be known is no reassurance."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import VaultError
from flexvault.domain.vault_settings import Immutability, SoftDelete, VaultSettings
from flexvault.ports import Identity, Ports
from flexvault.services import catalog
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.scheduling import subscription_of
from flexvault.services.vault import Vault

NAMED = 5
"""Subscriptions or instances that a message names."""
IMMUTABILITY, SOFT_DELETE = "Immutability", "SoftDelete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    code: str
    is_ok: bool
    message: str
    remedy: str = ""
    """What to do about it; empty when it is fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What was found."""

    role: AppRole
    identities: tuple[Identity, ...]
    findings: tuple[Finding, ...]

    @property
    def is_isolated(self) -> bool:
        """Say whether place and identities are apart; immutability and soft delete are protections beside them."""
        return all(found.is_ok for found in self.findings if found.code not in {IMMUTABILITY, SOFT_DELETE})


def examine_isolation(vault: Vault) -> Isolation:
    """Look at the identities, the apps, the sources' subscriptions and tenants, and the immutability.

    Args:
        vault: The vault.
    """
    identities = tuple(vault.ports.tenancy.describe_identities())
    sources, believed = _Sources(vault, identities), read_believed_settings(vault.ports)
    findings = (
        _judge_identities(identities),
        _judge_roles(vault.settings.role),
        sources.judge_own_tenant(),
        sources.judge_subscriptions(),
        sources.judge_tenants(),
        _judge_immutability(believed.immutability),
        _judge_soft_delete(believed),
    )
    return Isolation(role=vault.settings.role, identities=identities, findings=findings)


def _judge_identities(identities: Sequence[Identity]) -> Finding:
    code = "IdentitiesDistinct"
    told = ", ".join(f"{found.name} {found.client_id}" for found in identities)
    shared = [*_find_shared(identities, lambda found: found.client_id)]
    shared += [*_find_shared(identities, lambda found: found.object_id)]
    if not shared:
        return Finding(code=code, is_ok=True, message=f"the identities that this app holds are distinct: {told}")
    pairs = "; ".join(dict.fromkeys(" and ".join(names) for names in shared))
    return Finding(
        code=code,
        is_ok=False,
        message=f"one identity serves as {pairs}: whoever has its token has the rights of all of them",
        remedy="create one managed identity for each, give each its own roles (infra/README.md), "
        "then set their client ids",
    )


def _find_shared(identities: Iterable[Identity], read: Callable[[Identity], str]) -> Iterator[tuple[str, ...]]:
    names: dict[str, list[str]] = {}
    for found in identities:
        if read(found):
            names.setdefault(read(found).lower(), []).append(found.name)
    return (tuple(shared) for shared in names.values() if len(shared) > 1)


def _judge_roles(role: AppRole) -> Finding:
    if role is AppRole.FRONT:
        return Finding(
            code="RolesSplit",
            is_ok=True,
            message="the app behind the HTTP door holds no identity that may delete; a janitor of its own deletes",
        )
    return Finding(
        code="RolesSplit",
        is_ok=False,
        message="one app holds the HTTP door and the identity that deletes: code that runs in it may delete "
        "what no policy or hold protects",
        remedy="deploy two apps: parameter splitApps of infra/main.bicep, FLEXVAULT_ROLE front and janitor",
    )


def _judge_immutability(state: Immutability) -> Finding:
    texts = {
        Immutability.DISABLED: (
            "immutability is Disabled: nothing but roles keeps new recovery points from being deleted",
            "make it Unlocked, look at your longest retention, then make it Locked; Locked can never be taken back",
        ),
        Immutability.UNLOCKED: (
            "immutability is Unlocked: whoever may set a policy may also remove it",
            "look at your longest retention, then make it Locked; Locked can never be taken back",
        ),
        Immutability.LOCKED: ("immutability is Locked: no identity shortens or removes the policy of a version", ""),
    }
    message, remedy = texts[state]
    return Finding(code=IMMUTABILITY, is_ok=state is Immutability.LOCKED, message=message, remedy=remedy)


def _judge_soft_delete(settings: VaultSettings) -> Finding:
    days = settings.soft_delete_days
    texts = {
        SoftDelete.OFF: (
            "soft delete is Off: an approved deletion of a backup instance begins at once and cannot be taken back",
            "turn it On, then AlwaysOn; AlwaysOn can never be taken back",
        ),
        SoftDelete.ON: (f"soft delete is On: a deleted backup instance can be undeleted for {days} days", ""),
        SoftDelete.ALWAYS_ON: (f"soft delete is AlwaysOn: nobody can turn it off; its period is {days} days", ""),
    }
    message, remedy = texts[settings.soft_delete]
    is_on = settings.soft_delete is not SoftDelete.OFF
    return Finding(code=SOFT_DELETE, is_ok=is_on, message=message, remedy=remedy)


class _Sources:
    """The subscriptions of the protected servers, and the tenants that they and the vault belong to."""

    def __init__(self, vault: Vault, identities: Sequence[Identity]) -> None:
        self._settings = vault.settings
        self._own = vault.settings.subscription_id.lower()
        self._instances: dict[str, list[str]] = {}
        for instance in catalog.list_instances(vault.ports):
            self._instances.setdefault(subscription_of(instance), []).append(instance.name)
        self._told_tenant = next((found.tenant_id for found in identities if found.tenant_id), "")
        self._tenant = vault.settings.tenant_id or self._told_tenant
        self._tenants = {found: self._find_tenant(vault.ports, found) for found in sorted(self._instances)}

    def judge_own_tenant(self) -> Finding:
        """Compare what the setting says with what the identities' tokens say."""
        code, said, told = "VaultTenant", self._settings.tenant_id, self._told_tenant.lower()
        if said and told and said != told:
            text = f"FLEXVAULT_TENANT_ID says {said}, the identities' tokens are of tenant {told}"
            return Finding(code=code, is_ok=False, message=text, remedy="correct FLEXVAULT_TENANT_ID")
        if not self._tenant:
            text = "the vault's own tenant is not known: no setting names it and no identity got a token"
            return Finding(code=code, is_ok=False, message=text, remedy="set FLEXVAULT_TENANT_ID")
        return Finding(code=code, is_ok=True, message=f"the vault is in tenant {self._tenant}")

    def judge_subscriptions(self) -> Finding:
        """Look for sources in the vault's own subscription: its owner owns both."""
        code = "SourceSubscriptions"
        if self._own not in self._instances:
            text = f"no protected server is in the vault's subscription {self._own}"
            return Finding(code=code, is_ok=True, message=text)
        return Finding(
            code=code,
            is_ok=False,
            message=f"not isolated: protected in the vault's own subscription: {_name(self._instances[self._own])}; "
            "its owner may delete servers and vault together",
            remedy="deploy the vault into a subscription of its own, better a tenant of its own (infra/README.md)",
        )

    def judge_tenants(self) -> Finding:
        """Look for sources in the vault's own tenant, or in one that nobody names: its administrators own both."""
        code = "SourceTenants"
        same = [found for found, tenant in self._tenants.items() if tenant and tenant == self._tenant.lower()]
        unknown = [found for found, tenant in self._tenants.items() if not tenant or not self._tenant]
        if same:
            return Finding(
                code=code,
                is_ok=False,
                message=f"not isolated: in the vault's own tenant are the subscriptions {_name(same)}; "
                "whoever administers the tenant may take both",
                remedy="deploy the vault into a tenant of its own; reach the servers by Azure Lighthouse or by a "
                "federated app (infra/README.md)",
            )
        if unknown:
            return Finding(
                code=code,
                is_ok=False,
                message=f"not known to be isolated: the tenant of the subscriptions {_name(unknown)} could not be read",
                remedy="let the control identity read these subscriptions, or name their tenants in "
                "FLEXVAULT_SOURCE_TENANTS where a federated app reaches them",
            )
        text = "no protected server is in the vault's tenant" if self._tenants else "no server is protected yet"
        return Finding(code=code, is_ok=True, message=text)

    def _find_tenant(self, ports: Ports, subscription: str) -> str:
        """Answer the tenant of a source in lower case; nothing where it cannot be known."""
        if subscription == self._own:
            return self._tenant.lower()
        named: Mapping[str, str] = self._settings.source_tenants
        if subscription in named:
            return named[subscription]
        try:
            return ports.tenancy.find_tenant(subscription).lower()
        except VaultError:
            return ""  # shown as not known, which is no reassurance


def _name(names: Sequence[str]) -> str:
    more = "" if len(names) <= NAMED else f" and {len(names) - NAMED} more"
    return f"{', '.join(names[:NAMED])}{more}"
