"""Release the breaker: a critical operation, for a person has to look at what a plan would delete."""

from collections.abc import Mapping
from dataclasses import replace

from flexvault.domain import blob_names
from flexvault.domain.errors import ConflictError
from flexvault.domain.events import Rows, breaker_target
from flexvault.domain.redaction import redact
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.breaker import BreakerState, find_newest_plan, read_breaker
from flexvault.services.journal import Draft, append
from flexvault.services.vault import Vault

BREAKER_RELEASE = "Microsoft.DataProtection/vault/breaker/release/action"
RELEASE_PATH = "/vault/breaker/release"


def release_breaker(vault: Vault, actor: Mapping[str, str], reason: str) -> BreakerState:
    """Allow what the plan that tripped the breaker would delete; a breaker that stands is left as it is.

    What the newest plan knows may go, too: points that were sealed and have expired while the breaker was tripped.

    Args:
        vault: The vault.
        actor: Who asks.
        reason: In their words; may be empty.

    Raises:
        ApprovalRequiredError: A second person must look first.
        ConflictError: Another plan tripped it meanwhile.
    """
    state = read_breaker(vault.ports)
    if not state.is_tripped:
        return state
    body = {"plan": state.plan, "plan_hash": state.plan_hash, "reason": redact(reason)}
    approval = require_approval(vault, _release_of(state, body, actor))
    known_plan, known_hash = find_newest_plan(vault.ports, vault.ports.clock.storage_now())
    draft = Draft(
        stream=blob_names.VAULT_STREAM,
        type="BreakerReleased",
        key=f"{state.plan_hash}|{state.journal_seq}",
        body={
            **body,
            "known_plan": known_plan,
            "known_hash": known_hash,
            "approval_id": approval.id,
            "before": {"is_tripped": True, "plan": state.plan},
            "after": {"is_tripped": False},
        },
        actor=actor,
    )

    def check(rows: Rows) -> None:
        row = rows[breaker_target()]
        if row is None or row.values["journal_seq"] != state.journal_seq:
            text = "the breaker was tripped by another plan meanwhile"
            raise ConflictError(text, target=RELEASE_PATH, hint="look at it again: GET /api/vault/breaker")
        check_unused(rows, approval.id, vault.ports.clock.storage_now())

    append(vault.ports, replace(draft, check=check))
    return read_breaker(vault.ports)


def _release_of(state: BreakerState, body: Mapping[str, str], actor: Mapping[str, str]) -> CriticalChange:
    return CriticalChange(
        operation=BREAKER_RELEASE,
        path=RELEASE_PATH,
        body=body,
        actor=actor,
        target=breaker_target(),
        target_seq=state.journal_seq,
        reasons=tuple(_describe(trip) for trip in state.trips),
        before={"plan": state.plan, "trips": [dict(trip) for trip in state.trips]},
        after={"released": state.plan},
    )


def _describe(trip: Mapping[str, str]) -> str:
    return f"instance {trip['instance']}: {trip['message']}" if trip["instance"] else trip["message"]
