"""Plan what has to be sent so that a vault has what a folder says; nothing is ever deleted."""

from collections.abc import Sequence
from dataclasses import dataclass

from flexvault_cli.api import VaultApi
from flexvault_cli.apply.checking import find_mistakes
from flexvault_cli.apply.comparing import find_differences, without_read_only
from flexvault_cli.apply.folder import Kind, Wanted, find_member, names_of
from flexvault_cli.apply.items import COLLECTIONS, Action, Item, path_of
from flexvault_cli.commands.lookup import policy_path
from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.wire import Json, dig

_UNSOUND = {"ConfiguringProtectionFailed", "ProtectionError"}
"""States of an instance that the same PUT again may mend."""
_RESUME = "flexvault instance resume {name}"
_UNPROTECTED = {
    "ProtectionStopped": _RESUME,
    "BackupSchedulesSuspended": _RESUME,
    "SoftDeleted": f"flexvault instance undelete {{name}}, then {_RESUME}",
    "SoftDeleting": "wait until it is gone (see: flexvault instance show {name}), or take it out of the folder",
}
"""States in which no backups run until a person does something, and what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be done, in this order; and what the vault has beside the folder."""

    items: tuple[Item, ...]
    others: tuple[tuple[Kind, str], ...]
    """Kind and name of what is left as it is."""

    @property
    def steps(self) -> list[Item]:
        """Answer what changes something."""
        return [item for item in self.items if item.is_step]

    @property
    def attentions(self) -> list[Item]:
        """Answer the instances that need a person, for no backups run."""
        return [item for item in self.items if item.action is Action.ATTENTION]


def make_plan(api: VaultApi, wanted: Sequence[Wanted]) -> Plan:
    """Compare a folder with the vault.

    Raises:
        CliError: The vault refused or, with exit code 2, would refuse some of it: all of that is told.
    """
    known = {kind: [str(one["name"]) for one in api.list_all(path)] for kind, path in COLLECTIONS.items()}
    policies = names_of(wanted, Kind.POLICY) | {name.lower() for name in known[Kind.POLICY]}
    items = tuple(_compare(api, one) for one in wanted)
    mistakes = find_mistakes(api, items, policies)
    if mistakes:
        raise CliError("\n".join(["nothing was sent", *mistakes]), code="InvalidFolder", exit_code=MISUSED)
    others = [
        (kind, name) for kind, names in known.items() for name in names if name.lower() not in names_of(wanted, kind)
    ]
    return Plan(items=items, others=tuple(others))


def _compare(api: VaultApi, wanted: Wanted) -> Item:
    properties = _resolve(api, wanted)
    found, etag = api.find_version(path_of(wanted))
    if found is None:
        return Item(wanted=wanted, properties=properties, action=Action.CREATE)
    differences = find_differences(wanted.kind, found.get("properties") or {}, properties)
    state = str(dig(found, "properties.currentProtectionState") or "")
    if state in _UNPROTECTED and find_member(wanted.properties, "currentProtectionState") != state:
        return _need_attention(wanted, properties, state, differences)
    if not differences and state in _UNSOUND:
        differences = [f"currentProtectionState: {state} -> ProtectionConfigured"]
    action = Action.CHANGE if differences else Action.NOTHING
    return Item(wanted=wanted, properties=properties, action=action, differences=tuple(differences), etag=etag)


def _need_attention(wanted: Wanted, properties: Json, state: str, differences: list[str]) -> Item:
    """Tell of an instance that the vault has, but does not back up: the file says that it is protected."""
    told = (f"currentProtectionState: {state}: no backups run", *differences)
    remedy = _UNPROTECTED[state].format(name=wanted.name)
    return Item(wanted=wanted, properties=properties, action=Action.ATTENTION, differences=told, remedy=remedy)


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
