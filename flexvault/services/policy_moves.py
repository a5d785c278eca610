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


def find_approval(
    vault: Vault,
    before: Instance | None,
    policy: StoredPolicy,
    properties: Mapping[str, Any],
    actor: Mapping[str, str],
) -> Mapping[str, Any]:
    """Answer what the request keeps of the approval by which an instance may be put under a policy, if it needs one.

    Raises:
        ApprovalRequiredError: A second person must approve it first.
    """
    reasons = find_weakenings(vault, before, policy)
    if before is None or not reasons:
        return {}
    present = catalog.find_policy(vault.ports, before.policy_name)
    present_seq = 0 if present is None else present.journal_seq
    change = CriticalChange(
        operation=INSTANCE_WRITE,
        path=before.id.lower(),
        # Either policy may become another meanwhile: the approval is of both as the approver could see them.
        body={"properties": properties, "policySeq": policy.journal_seq, "presentPolicySeq": present_seq},
        actor=actor,
        target=instance_target(before.key),
        target_seq=before.journal_seq,
        reasons=reasons,
        before={
            "policyName": before.policy_name,
            "properties": before.properties,
            "policy": None if present is None else present.properties,
        },
        after={"policyName": policy.name, "properties": properties, "policy": policy.properties},
    )
    return {"approval_id": require_approval(vault, change).id, "present_policy_seq": present_seq}


def require_still_allowed(vault: Vault, rows: Rows, request: Mapping[str, Any]) -> None:
    """Refuse a change of policy that needs an approval, or another one, as of the head; part of its draft's check.

    Raises:
        ApprovalRequiredError: Its approval is not good any more.
        ConflictError: One of the two policies, or the instance, was changed since the request was looked at.
    """
    policy_row, row = rows[policy_target(str(request["policy_name"]))], rows[instance_target(str(request["instance"]))]
    if policy_row is None:
        return
    policy = StoredPolicy.from_values(policy_row.values)
    before = None if row is None else Instance.from_values(row.values)
    approval_id = str(request.get("approval_id", ""))
    if approval_id:
        check_unused(rows, approval_id, vault.ports.clock.storage_now())
        is_allowed = policy.journal_seq == request["policy_seq"] and _follows(vault, before, request)
    else:
        is_allowed = not find_weakenings(vault, before, policy)
    if not is_allowed:
        raise ConflictError(
            f"a policy of backup instance '{request['instance_name']}' was changed while it was put under "
            f"'{policy.name}'",
            target=str(request["instance_id"]),
            hint="send the request again: it is looked at anew",
        )


def _follows(vault: Vault, before: Instance | None, request: Mapping[str, Any]) -> bool:
    """Say whether the policy that the instance follows is still the one that the approver saw it follow."""
    present = None if before is None else catalog.find_policy(vault.ports, before.policy_name)
    return (0 if present is None else present.journal_seq) == request.get("present_policy_seq", 0)


def find_weakenings(vault: Vault, before: Instance | None, policy: StoredPolicy) -> tuple[str, ...]:
    """Answer by what a protected instance would keep less under another policy; nothing of that needs no approval."""
    if before is None or before.state not in RUNS_BACKUPS or before.policy_name.lower() == policy.name.lower():
        return ()
    old = catalog.find_policy(vault.ports, before.policy_name)
    now = vault.ports.clock.storage_now()
    taken = catalog.find_last_slot(vault.ports, before.key)
    return find_weakenings_of(None if old is None else old.properties, policy.properties, now, taken)
