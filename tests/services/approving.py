"""Critical changes, as tests ask for them, decide on them and look at their use."""

from flexvault.domain.approval import Approval, ApprovalState
from flexvault.domain.journal import Entry
from flexvault.services.approvals import decide, each_approval, get_approval
from flexvault.services.protection import ProtectionRequest, request_protection
from flexvault.services.vault import Vault
from tests.builders import ACTOR, INSTANCE_ID, SERVER_ID, World, policy_properties
from tests.services.invariants import entries

APPROVER = {"oid": "oid-approver", "name": "Anna", "correlation_id": "c-2", "from": "203.0.113.9"}
OTHER = {"oid": "oid-other", "name": "Otto", "correlation_id": "c-3"}
SHORT = policy_properties(keep_for="P7D")
LONG = policy_properties(keep_for="P2M")
ASKING = {"ApprovalRequested", "ApprovalDecided"}


def approve(world: World, approval_id: str) -> None:
    """Approve, as the second person."""
    assert decide(world.vault, approval_id, APPROVER, approve=True)[1] is ApprovalState.APPROVED


def state(world: World, approval_id: str) -> ApprovalState:
    """What an approval is worth now."""
    return get_approval(world.vault, approval_id)[1]


def list_approvals(vault: Vault, wanted: ApprovalState | None = None) -> list[tuple[Approval, ApprovalState]]:
    """The approvals in a state, or all, newest first."""
    return list(each_approval(vault, wanted))


def of_type(world: World, kind: str) -> list[Entry]:
    """The vault's entries of one kind."""
    return [entry for entry in entries(world, "vault") if entry.type == kind]


def require_used_once(world: World, approval_id: str) -> None:
    """One entry, and no other, names the approval, and the approval names that entry."""
    uses = [
        entry
        for entry in entries(world, "vault")
        if entry.type not in ASKING and entry.body.get("approval_id") == approval_id
    ]
    assert len(uses) == 1
    approval, now = get_approval(world.vault, approval_id)
    assert now is ApprovalState.USED
    assert (approval.used_event_id, approval.used_at) == (uses[0].event_id, uses[0].at)
    assert (approval.used_by_stream, approval.used_by_seq) == ("vault", uses[0].seq)


def move(vault: Vault, policy: str, key: str = "move", actor: dict[str, str] = ACTOR) -> None:
    """Put the instance under another policy."""
    request = ProtectionRequest(
        instance_id=INSTANCE_ID,
        name="pg-orders",
        server_id=SERVER_ID,
        policy_name=policy,
        properties={"friendlyName": "pg-orders"},
    )
    request_protection(vault, request, actor, key)
