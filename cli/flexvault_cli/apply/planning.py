"""Plan what has to be sent so that a vault has what a folder says; nothing is ever deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from flexvault_cli.api import VaultApi
from flexvault_cli.apply.comparing import find_differences, without_read_only
from flexvault_cli.apply.folder import Kind, Wanted, find_member, names_of
from flexvault_cli.commands.lookup import policy_path, resource_path
from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.wire import Json, dig

COLLECTIONS = {Kind.POLICY: "backupPolicies", Kind.INSTANCE: "backupInstances"}
_UNSOUND = {"ConfiguringProtectionFailed", "ProtectionError"}
"""States of an instance that the same PUT again may mend."""


class Action(StrEnum):
    """What has to be done."""

    CREATE = "create"
    CHANGE = "change"
    NOTHING = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One policy or backup instance of the folder, beside what the vault has."""

    wanted: Wanted
    properties: Json
    """What is sent."""
    action: Action
    differences: tuple[str, ...] = ()
    etag: str = ""
    """Of what was compared; empty: the vault had none."""

    @property
    def path(self) -> str:
        """Answer the path below the vault."""
        return _path(self.wanted)

    @property
    def policy(self) -> str:
        """Answer the name of an instance's policy in lower case; empty for a policy."""
        policy_id = find_member(self.properties, "policyInfo.policyId")
        return str(policy_id or "").rstrip("/").rpartition("/")[2].lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be done, in this order; and what the vault has beside the folder."""

    items: tuple[Item, ...]
    others: tuple[tuple[Kind, str], ...]
    """Kind and name of what is left as it is."""

    @property
    def steps(self) -> list[Item]:
        """Answer what changes something."""
        return [item for item in self.items if item.action is not Action.NOTHING]


def make_plan(api: VaultApi, wanted: Sequence[Wanted]) -> Plan:
    """Compare a folder with the vault.

    Raises:
        CliError: The vault refused, or an instance names a policy that is neither in the folder nor in the vault.
    """
    known = {kind: [str(one["name"]) for one in api.list_all(path)] for kind, path in COLLECTIONS.items()}
    policies = names_of(wanted, Kind.POLICY) | {name.lower() for name in known[Kind.POLICY]}
    items = tuple(_compare(api, one) for one in wanted)
    lost = [item for item in items if item.wanted.kind is Kind.INSTANCE and item.policy not in policies]
    if lost:
        lines = [
            f"{item.wanted.file}: there is no policy '{item.policy}', in the folder or in the vault" for item in lost
        ]
        raise CliError("\n".join(["nothing was sent", *lines]), code="InvalidFolder", exit_code=MISUSED)
    others = [
        (kind, name) for kind, names in known.items() for name in names if name.lower() not in names_of(wanted, kind)
    ]
    return Plan(items=items, others=tuple(others))


def _compare(api: VaultApi, wanted: Wanted) -> Item:
    properties = _resolve(api, wanted)
    found, etag = api.find_version(_path(wanted))
    if found is None:
        return Item(wanted=wanted, properties=properties, action=Action.CREATE)
    differences = find_differences(wanted.kind, found.get("properties") or {}, properties)
    state = dig(found, "properties.currentProtectionState")
    if not differences and state in _UNSOUND:
        differences = [f"currentProtectionState: {state} -> ProtectionConfigured"]
    action = Action.CHANGE if differences else Action.NOTHING
    return Item(wanted=wanted, properties=properties, action=action, differences=tuple(differences), etag=etag)


def _resolve(api: VaultApi, wanted: Wanted) -> Json:
    """Write ids for the names that a file may have in their place: a policy's, and of a local cloud a server's."""
    properties = without_read_only(wanted.kind, wanted.properties)
    if wanted.kind is Kind.POLICY:
        return properties
    policy = str(find_member(properties, "policyInfo.policyId"))
    if "/" not in policy:
        properties = _replace(properties, "policyInfo.policyId", f"{api.connection.vault_id}/{policy_path(policy)}")
    server = str(find_member(properties, "dataSourceInfo.resourceID"))
    return _replace(properties, "dataSourceInfo.resourceID", api.connection.servers.get(server, server))


def _replace(properties: Json, path: str, value: str) -> Json:
    holder, _, member = path.partition(".")
    name = next(name for name in properties if name.lower() == holder.lower())
    inner: Json = {key: value if key.lower() == member.lower() else old for key, old in properties[name].items()}
    return {**properties, name: inner}


def _path(wanted: Wanted) -> str:
    return resource_path(COLLECTIONS[wanted.kind], wanted.name)
