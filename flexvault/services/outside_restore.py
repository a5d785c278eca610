"""A restore into a container outside: a critical operation, for it may be a way to steal data.

An approval covers the exact container, recovery point and prefix. The restore's announcement in the journal is its use.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.approval import APPROVED, ApprovalState
from flexvault.domain.approval_events import approval_target
from flexvault.domain.errors import ApprovalRequiredError
from flexvault.domain.event_rows import instance_target, seq_of
from flexvault.domain.instance import Instance
from flexvault.domain.restored_files import describe_databases
from flexvault.services import catalog
from flexvault.services.approvals import CriticalChange, get_approval
from flexvault.services.journal import find_row, read_entry
from flexvault.services.progress import warning
from flexvault.services.vault import Vault

RESTORE = "Microsoft.DataProtection/backupVaults/backupInstances/restore/action"


class OutsideError(Exception):
    """The container is outside; the text says why."""


def refuse_outside(why: str) -> None:
    """Tell a check that the container is outside, before anything is sent there.

    Raises:
        OutsideError: Always.
    """
    raise OutsideError(why)


def approval_warning(url: str, why: str) -> Mapping[str, Any]:
    """Write for a check that the restore itself will need a second person."""
    text = (
        f"the container '{url}' is outside: {why}; a second person must approve the restore; whether the container is "
        "there and empty was not looked at"
    )
    remedy = "send the restore, which answers 403 with the id of the approval; have that approved, then send it again"
    return warning("ApprovalRequired", text, url, remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideRestore:
    """A restore into a container outside, as somebody asks for it."""

    instance: Instance
    point_id: str
    target: Mapping[str, Any]
    """`url`, `file_prefix`, `resource_id`; `databases` where some were chosen."""
    actor: Mapping[str, str]
    why: str
    """The container is outside."""

    @property
    def change(self) -> CriticalChange:
        """Answer what an approval of it covers."""
        url, databases = str(self.target["url"]), tuple(self.target.get("databases", ()))
        wanted: dict[str, Any] = {
            "recoveryPointId": self.point_id,
            "url": url,
            "filePrefix": self.target["file_prefix"],
            "targetResourceArmId": self.target["resource_id"].lower(),
            **({"databases": list(databases)} if databases else {}),
        }
        whole = f"recovery point {self.point_id} of backup instance '{self.instance.name}'"
        what = f"{describe_databases(databases)} of {whole}" if databases else f"{whole}, with all its data"
        return CriticalChange(
            operation=RESTORE,
            path=f"{self.instance.id}/restore".lower(),
            body=wanted,
            actor=self.actor,
            target=instance_target(self.instance.key),
            target_seq=self.instance.journal_seq,
            reasons=(f"it copies {what}, into the container '{url}' outside", self.why),
            before=None,
            after=wanted,
        )


def find_open_restore(vault: Vault, approval_id: str) -> str:
    """Answer the open job that an approval was given to already, or nothing: one approval is one restore."""
    for opened in catalog.list_open_jobs(vault.ports):
        if opened.state.get("approval_id") == approval_id:
            return opened.job_id
    return ""


def require_approved(vault: Vault, job: Mapping[str, Any], instance: str, why: str) -> None:
    """Refuse to reach a container outside unless the journal says that this very restore was approved.

    Rows can be forged: an approval's id is the hash of what it covers, and its decision is read from the journal.

    Args:
        vault: The vault.
        job: The open job's state: `approval_id`, `actor`, `point_id`, `target`.
        instance: 32 hex digits.
        why: The container is outside.

    Raises:
        ApprovalRequiredError: It was not, or the approval is not good any more.
    """
    approval_id, target = str(job.get("approval_id", "")), job["target"]
    known = catalog.find_instance_by_key(vault.ports, instance)
    if not approval_id or known is None:
        raise _not_approved(target["url"], why)
    approval, state = get_approval(vault, approval_id)
    restore = OutsideRestore(instance=known, point_id=str(job["point_id"]), target=target, actor=job["actor"], why=why)
    change = replace(restore.change, target_seq=approval.target_seq)
    seq = seq_of(find_row(vault.ports, approval_target(approval_id)))
    decided = read_entry(vault.ports, blob_names.VAULT_STREAM, seq)
    is_decided = (
        decided.type == "ApprovalDecided"
        and decided.body["approval_id"] == approval_id
        and decided.body["decision"] == APPROVED
        and decided.actor.get("oid", "").lower() != str(job["actor"].get("oid", "")).lower()
    )
    if approval_id.rpartition("-")[0] != change.key or not is_decided or state is not ApprovalState.APPROVED:
        raise _not_approved(target["url"], why)


def _not_approved(url: str, why: str) -> ApprovalRequiredError:
    return ApprovalRequiredError(
        f"the container '{url}' is outside and this restore has no approval that is good now: {why}",
        target=url,
        hint="send the restore again: that asks for an approval",
    )
