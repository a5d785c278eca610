"""What becomes of each policy and backup instance of a folder."""

from dataclasses import dataclass
from enum import StrEnum

from flexvault_cli.apply.folder import Kind, Wanted, find_member
from flexvault_cli.commands.lookup import resource_path
from flexvault_cli.wire import Json

COLLECTIONS = {Kind.POLICY: "backupPolicies", Kind.INSTANCE: "backupInstances"}


class Action(StrEnum):
    """What has to be done."""

    CREATE = "create"
    CHANGE = "change"
    ATTENTION = "attention"
    """No backups run, and a file alone must not change that: a person does it, by a command."""
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
    remedy: str = ""
    """Of what needs attention: what a person does."""

    @property
    def path(self) -> str:
        """Answer the path below the vault."""
        return path_of(self.wanted)

    @property
    def is_step(self) -> bool:
        """Say whether something is to be sent."""
        return self.action in {Action.CREATE, Action.CHANGE}

    @property
    def policy(self) -> str:
        """Answer the name of an instance's policy in lower case; empty for a policy."""
        policy_id = find_member(self.properties, "policyInfo.policyId")
        return str(policy_id or "").rstrip("/").rpartition("/")[2].lower()

    @property
    def server(self) -> str:
        """Answer the id of an instance's server; empty for a policy."""
        return str(find_member(self.properties, "dataSourceInfo.resourceID") or "")

    @property
    def moves(self) -> bool:
        """Say whether an instance that there is goes under another policy."""
        named = any(line.lower().startswith("policyinfo.policyid:") for line in self.differences)
        return self.action is Action.CHANGE and named


def path_of(wanted: Wanted) -> str:
    """Answer the path below the vault of what a file describes."""
    return resource_path(COLLECTIONS[wanted.kind], wanted.name)
