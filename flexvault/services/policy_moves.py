"""Put a protected instance under another policy: a weaker one needs a second person."""

from collections.abc import Mapping
from typing import Any

from flexvault.domain.errors import ConflictError
from flexvault.domain.event_rows import instance_target, policy_target
from flexvault.domain.events import Rows
from flexvault.domain.instance import RUNS_BACKUPS, Instance, StoredPolicy
from flexvault.domain.policy_change import find_weakenings_of
from flexvault.services import catalog
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.vault import Vault

INSTANCE_WRITE = "Microsoft.DataProtection/backupVaults/backupInstances/write"


def find_approval_id(
    vault: Vault,
    before: Instance | None,
    policy: StoredPolicy,
    properties: Mapping[str, Any],
    actor: Mapping[str, str],
) -> str:
    """Answer the approval by which an instance may be put under a policy; nothing when it needs none.

    Raises:
        ApprovalRequiredError: A second person must approve it first.
    """
    reasons = _find_weakenings(vault, before, policy)
    if before is None or not reasons:
        return ""
    change = CriticalChange(
        operation=INSTANCE_WRITE,
        path=before.id.lower(),
        # A policy that nobody uses may be changed freely: the approval is of the policy as the approver could see it.
        body={"properties": properties, "policySeq": policy.journal_seq},
        actor=actor,
        target=instance_target(before.key),
        target_seq=before.journal_seq,
        reasons=reasons,
        before={"policyName": before.policy_name, "properties": before.properties},
        after={"policyName": policy.name, "properties": properties, "policy": policy.properties},
    )
    return require_approval(vault, change).id


def require_still_allowed(vault: Vault, rows: Rows, request: Mapping[str, Any], event_id: str) -> None:
    """Refuse a change of policy that needs an approval, or another one, as of the head; part of its draft's check.

    Raises:
        ApprovalRequiredError: Its approval is not good any more.
        ConflictError: One of the two policies, or the instance, was changed since the request was looked at.
    """
    policy_row, row = rows[policy_target(str(request["policy_name"]))], rows[instance_target(str(request["instance"]))]
    if policy_row is None:
        return
    policy = StoredPolicy.from_values(policy_row.values)
    approval_id = str(request.get("approval_id", ""))
    if approval_id:
        if check_unused(rows, approval_id, event_id, vault.ports.clock.storage_now()):
            return
        is_allowed = policy.journal_seq == request["policy_seq"]
    else:
        before = None if row is None else Instance.from_values(row.values)
        is_allowed = not _find_weakenings(vault, before, policy)
    if not is_allowed:
        raise ConflictError(
            f"a policy of backup instance '{request['instance_name']}' was changed while it was put under "
            f"'{policy.name}'",
            target=str(request["instance_id"]),
            hint="send the request again: it is looked at anew",
        )


def _find_weakenings(vault: Vault, before: Instance | None, policy: StoredPolicy) -> tuple[str, ...]:
    if before is None or before.state not in RUNS_BACKUPS or before.policy_name.lower() == policy.name.lower():
        return ()
    old = catalog.find_policy(vault.ports, before.policy_name)
    now = vault.ports.clock.storage_now()
    taken = catalog.find_last_slot(vault.ports, before.key)
    return find_weakenings_of(None if old is None else old.properties, policy.properties, now, taken)
