"""What Azure Backup lacks: the vault's own operations, under `/api/vault/`."""

from flexvault.api.approvals import approve, get_approval, list_approvals, reject
from flexvault.api.breaker import get_breaker, release
from flexvault.api.call import Answer, ApiOperation, Call
from flexvault.api.contents import get_rebuild_kit, list_contents
from flexvault.api.deep_verifications import get_verification, verify_deeply
from flexvault.api.doctor import ask_doctor, ask_doctor_of_instance
from flexvault.api.emergencies import revoke_keys
from flexvault.api.holds import delete_hold, get_hold, list_holds, put_hold
from flexvault.api.isolation import get_isolation
from flexvault.api.journal import list_journal
from flexvault.api.openapi.document import answer_document
from flexvault.api.poisoning import acknowledge, get_poisoning
from flexvault.api.reevaluations import reevaluate
from flexvault.api.retention_previews import preview_retention
from flexvault.api.schedules import get_schedule
from flexvault.api.simulations import simulate_policy
from flexvault.api.table.rows import APPROVER, BI, CONTRIBUTOR, JOB, OPERATOR, READER, row
from flexvault.api.vaults import get_alive, get_poisoning_guard, put_poisoning_guard
from flexvault.api.verification import verify

APPROVALS = "/vault/approvals"
OWN_ONE = "/vault/backupInstances/{instance}"
POINT = OWN_ONE + "/recoveryPoints/{point}"
HOLDS = OWN_ONE + "/holds"
GUARD = "/vault/poisoningGuard"


def get_openapi(call: Call) -> Answer:
    """Show the OpenAPI document of the vault's own operations."""
    return answer_document(call, OWN)


OWN: tuple[ApiOperation, ...] = (
    row("GET", "/vault/alive", "alive/read", None, get_alive, 200),
    row("GET", "/vault/openapi.json", "vault/openapi/read", READER, get_openapi, 200),
    row("POST", "/vault/simulatePolicy", "vault/simulatePolicy/action", READER, simulate_policy, 200),
    row("GET", "/vault/backupInstances/{instance}/schedule", f"{BI}/schedule/read", READER, get_schedule, 200),
    row("GET", APPROVALS, "approvals/read", READER, list_approvals, 200),
    row("GET", APPROVALS + "/{approval}", "approvals/read", READER, get_approval, 200),
    row("POST", APPROVALS + "/{approval}/approve", "approvals/approve/action", APPROVER, approve, 200),
    row("POST", APPROVALS + "/{approval}/reject", "approvals/reject/action", APPROVER, reject, 200),
    row("POST", "/vault/retentionPreview", "vault/retentionPreview/action", READER, preview_retention, 200),
    row("POST", "/vault/verify", "vault/verify/action", READER, verify, 200),
    row("GET", "/vault/journal", "vault/journal/read", READER, list_journal, 200),
    row("GET", "/vault/breaker", "vault/breaker/read", READER, get_breaker, 200),
    row("POST", "/vault/breaker/release", "vault/breaker/release/action", CONTRIBUTOR, release, 200),
    row("POST", "/vault/emergency/revokeKeys", "vault/revokeKeys/action", CONTRIBUTOR, revoke_keys, 200),
    row("GET", "/vault/isolation", "vault/isolation/read", READER, get_isolation, 200),
    row("GET", "/vault/doctor", "vault/doctor/read", READER, ask_doctor, 200),
    row("GET", OWN_ONE + "/doctor", f"{BI}/doctor/read", READER, ask_doctor_of_instance, 200),
    row("GET", POINT + "/contents", f"{BI}/recoveryPoints/contents/read", READER, list_contents, 200),
    row("GET", POINT + "/rebuildKit", f"{BI}/recoveryPoints/rebuildKit/read", READER, get_rebuild_kit, 200),
    row("GET", HOLDS, f"{BI}/holds/read", READER, list_holds, 200),
    row("GET", HOLDS + "/{hold}", f"{BI}/holds/read", READER, get_hold, 200),
    row("PUT", HOLDS + "/{hold}", f"{BI}/holds/write", CONTRIBUTOR, put_hold, 200),
    row("DELETE", HOLDS + "/{hold}", f"{BI}/holds/delete", CONTRIBUTOR, delete_hold, 200, 204),
    row("GET", OWN_ONE + "/poisoning", f"{BI}/poisoning/read", READER, get_poisoning, 200),
    row(
        "POST",
        OWN_ONE + "/acknowledgePoisoning",
        f"{BI}/acknowledgePoisoning/action",
        CONTRIBUTOR,
        acknowledge,
        200,
    ),
    row("POST", OWN_ONE + "/reevaluate", f"{BI}/reevaluate/action", CONTRIBUTOR, reevaluate, 200),
    row(
        "POST",
        POINT + "/verify",
        f"{BI}/recoveryPoints/deepVerify/action",
        OPERATOR,
        verify_deeply,
        202,
        lro=JOB,
    ),
    row("GET", POINT + "/verification", f"{BI}/recoveryPoints/verification/read", READER, get_verification, 200),
    row("GET", GUARD, "vault/poisoningGuard/read", READER, get_poisoning_guard, 200),
    row("PUT", GUARD, "vault/poisoningGuard/write", CONTRIBUTOR, put_poisoning_guard, 200),
)
