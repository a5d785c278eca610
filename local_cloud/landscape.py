"""What exists in the local Azure: names and ids of subscriptions, groups, servers, accounts and principals.

Nothing here reads or writes anything. Every id is derived, so two starts of one cloud, and two clouds, agree on all of
them; only ports and keys differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

LOCATION = "eastus"
SERVER_NAMES = ("pg-orders", "pg-billing")
DATA_GROUP = "rg-flexvault-data"
"""Resource group of the landing and the vault account, as infra/README.md names it."""
OWNER = "owner"
"""The principal that may do everything in the emulator."""

_IDS = uuid5(NAMESPACE_URL, "urn:flexvault:local-cloud")

TENANT_ID = str(uuid5(_IDS, "tenant"))


def object_id_of(principal: str) -> str:
    """Derive the Entra object id of a person or an identity from its name."""
    return str(uuid5(_IDS, f"principal/{principal}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Landscape:
    """One vault and what surrounds it: its subscription, source servers and storage accounts.

    The two source servers of every landscape exist only in ARM; all landscapes share the two PostgreSQL processes
    behind them. "One operation at a time per server", roles and faults are per ARM id, so tests do not meet there.
    """

    name: str
    """Name of the vault; also of its subscription."""
    servers_group: str
    """Resource group of the source servers."""
    restore_group: str
    """Resource group of the restore account, apart from the servers': it survives the loss of theirs."""
    landing: str
    vault: str
    app: str
    restore: str

    @property
    def subscription_id(self) -> str:
        """The subscription that holds everything of this landscape."""
        return str(uuid5(_IDS, f"subscription/{self.name}"))

    @property
    def vault_resource_id(self) -> str:
        """ARM id of the backup vault."""
        return f"{self._group('rg-flexvault')}/providers/Microsoft.DataProtection/backupVaults/{self.name}"

    @property
    def servers_group_id(self) -> str:
        """ARM id of the source servers' resource group."""
        return self._group(self.servers_group)

    @property
    def restore_resource_id(self) -> str:
        """ARM id of the restore account."""
        return f"{self._group(self.restore_group)}/providers/Microsoft.Storage/storageAccounts/{self.restore}"

    @property
    def accounts(self) -> tuple[str, str, str, str]:
        """The names of the four storage accounts."""
        return self.landing, self.vault, self.app, self.restore

    def server_resource_id(self, server: str) -> str:
        """Answer the ARM id of a source server."""
        return f"{self.servers_group_id}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{server}"

    @property
    def landing_resource_id(self) -> str:
        """ARM id of the landing account."""
        return f"{self._group(DATA_GROUP)}/providers/Microsoft.Storage/storageAccounts/{self.landing}"

    @property
    def vault_account_resource_id(self) -> str:
        """ARM id of the vault account."""
        return f"{self._group(DATA_GROUP)}/providers/Microsoft.Storage/storageAccounts/{self.vault}"

    def _group(self, name: str) -> str:
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{name}"


MAIN = Landscape(
    name="flexvault",
    servers_group="rg-databases",
    restore_group="rg-restore",
    landing="landing",
    vault="vault",
    app="app",
    restore="restore",
)
"""The landscape of `make run` and `make demo`."""


def numbered(number: int) -> Landscape:
    """Answer the landscape of the test vault with this number, counted from 1."""
    suffix = f"{number:02d}"
    return Landscape(
        name=f"vault{suffix}",
        servers_group=f"rg-vault{suffix}",
        restore_group=f"rg-vault{suffix}-restore",
        landing=f"landing{suffix}",
        vault=f"vault{suffix}",
        app=f"app{suffix}",
        restore=f"restore{suffix}",
    )


def landscapes(test_vaults: int) -> list[Landscape]:
    """Answer the main landscape and as many further ones as tests need."""
    return [MAIN, *(numbered(number) for number in range(1, test_vaults + 1))]


_ROLE_DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions"
_LTR_BACKUP_ID, _READER_ID = "c088a766-074b-43ba-90d4-1fb21feae531", "acdd72a7-3385-48ef-bd42-f606fba81ae7"
_READER = f"{_ROLE_DEFINITIONS}/{_READER_ID}"
_ACCESS_ADMINISTRATOR = f"{_ROLE_DEFINITIONS}/f58310d9-a9f6-439a-9e8d-f62e7b41a168"


def first_role_assignments(places: Sequence[Landscape]) -> list[dict[str, str]]:
    """List the rights that an operator gives the control identity before the first protection.

    It may read the servers' group and assign its two roles to itself there, and it may see the restore account and the
    vault account, of which infra's role of the control identity shows it the settings. The right to start a long-term
    backup is not among them: the vault grants it to itself when protection is configured.
    """
    control = object_id_of("control")
    return [
        {"scope": scope, "roleDefinitionId": role, "principalId": control, "condition": condition}
        for place in places
        for scope, role, condition in (
            (place.servers_group_id, _READER, ""),
            (place.servers_group_id, _ACCESS_ADMINISTRATOR, delegation_condition(control)),
            (place.restore_resource_id, _READER, ""),
            (place.vault_account_resource_id, _READER, ""),
        )
    ]


def delegation_condition(principal_id: str) -> str:
    """Answer the condition under which an identity may assign and remove the two source roles, only for itself.

    The same text as in infra/source-roles.bicep, mode `delegated`; a test compares them.
    """
    assignments, equals = "Microsoft.Authorization/roleAssignments", "ForAnyOfAnyValues:GuidEquals"

    def bound(action: str, side: str) -> str:
        return (
            f"((!(ActionMatches{{'{assignments}/{action}'}})) OR "
            f"(@{side}[{assignments}:RoleDefinitionId] {equals} {{{_LTR_BACKUP_ID}, {_READER_ID}}} AND "
            f"@{side}[{assignments}:PrincipalId] {equals} {{{principal_id}}}))"
        )

    return f"{bound('write', 'Request')} AND {bound('delete', 'Resource')}"
