"""The operation table: the whole API in one place.

Paths, codes and shapes are Azure Backup's (`Microsoft.DataProtection` 2026-06-01); what it lacks lies under `/vault`.
HEAD and OPTIONS belong to no operation: they are answered with 405.
"""

from collections.abc import Callable
from http import HTTPStatus

from flexvault.api.approvals import approve, get_approval, list_approvals, reject
from flexvault.api.backups import back_up
from flexvault.api.breaker import get_breaker, release
from flexvault.api.call import Answer, ApiOperation, Call, LongRunning
from flexvault.api.emergencies import revoke_keys
from flexvault.api.holds import delete_hold, get_hold, list_holds, put_hold
from flexvault.api.instances import get_instance, list_instances, put_instance, validate_for_backup
from flexvault.api.isolation import get_isolation
from flexvault.api.jobs import get_job, list_jobs
from flexvault.api.operation_results import get_result, get_status
from flexvault.api.points import get_point, list_points
from flexvault.api.poisoning import acknowledge, get_poisoning
from flexvault.api.policies import delete_policy, get_policy, list_policies, put_policy
from flexvault.api.protection_states import (
    delete_instance,
    resume_backups,
    resume_protection,
    stop_protection,
    suspend_backups,
)
from flexvault.api.reevaluations import reevaluate
from flexvault.api.resource_ids import PROVIDER
from flexvault.api.restores import restore, validate_restore
from flexvault.api.retention_previews import preview_retention
from flexvault.api.roles import Role
from flexvault.api.schedules import get_schedule
from flexvault.api.simulations import simulate_policy
from flexvault.api.vaults import get_alive, get_poisoning_guard, get_vault, patch_vault, put_poisoning_guard
from flexvault.api.verification import verify

SUB = f"/subscriptions/{{subscription}}/providers/{PROVIDER}"
RG = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}"
V = RG + "/backupVaults/{vault}"
POLICIES = V + "/backupPolicies"
INSTANCES = V + "/backupInstances"
ONE = INSTANCES + "/{instance}"
STATUS, RESULTS = "/operationStatus/{operation}", "/operationResults/{operation}"
AT = "/locations/{location}"
APPROVALS = "/vault/approvals"
OWN_ONE = "/vault/backupInstances/{instance}"
HOLDS = OWN_ONE + "/holds"
GUARD = "/vault/poisoningGuard"

BV, BI, BP = "backupVaults", "backupVaults/backupInstances", "backupVaults/backupPolicies"
READER, OPERATOR, CONTRIBUTOR, APPROVER = Role.READER, Role.OPERATOR, Role.CONTRIBUTOR, Role.APPROVER
# How the end is learnt, and how many seconds a client should wait before it looks (the real service's own numbers).
SYNC = (LongRunning.NO, 0)
POLL = (LongRunning.NO, 10)
CHECK = (LongRunning.POST, 10)
JOB = (LongRunning.POST, 30)
CREATE = (LongRunning.PUT, 15)


def _row(
    method: str,
    template: str,
    action: str,
    role: Role | None,
    handler: Callable[[Call], Answer],
    *statuses: int,
    lro: tuple[LongRunning, int] = SYNC,
) -> ApiOperation:
    return ApiOperation(
        name=f"{PROVIDER}/{action}",
        method=method,
        template=template,
        role=role,
        statuses=frozenset(HTTPStatus(status) for status in statuses),
        handler=handler,
        long_running=lro[0],
        retry_after_seconds=lro[1],
    )


OPERATIONS: tuple[ApiOperation, ...] = (
    _row("GET", "/vault/alive", "alive/read", None, get_alive, 200),
    _row("POST", "/vault/simulatePolicy", "vault/simulatePolicy/action", READER, simulate_policy, 200),
    _row("GET", "/vault/backupInstances/{instance}/schedule", f"{BI}/schedule/read", READER, get_schedule, 200),
    _row("GET", APPROVALS, "approvals/read", READER, list_approvals, 200),
    _row("GET", APPROVALS + "/{approval}", "approvals/read", READER, get_approval, 200),
    _row("POST", APPROVALS + "/{approval}/approve", "approvals/approve/action", APPROVER, approve, 200),
    _row("POST", APPROVALS + "/{approval}/reject", "approvals/reject/action", APPROVER, reject, 200),
    _row("POST", "/vault/retentionPreview", "vault/retentionPreview/action", READER, preview_retention, 200),
    _row("POST", "/vault/verify", "vault/verify/action", READER, verify, 200),
    _row("GET", "/vault/breaker", "vault/breaker/read", READER, get_breaker, 200),
    _row("POST", "/vault/breaker/release", "vault/breaker/release/action", CONTRIBUTOR, release, 200),
    _row("POST", "/vault/emergency/revokeKeys", "vault/revokeKeys/action", CONTRIBUTOR, revoke_keys, 200),
    _row("GET", "/vault/isolation", "vault/isolation/read", READER, get_isolation, 200),
    _row("GET", HOLDS, f"{BI}/holds/read", READER, list_holds, 200),
    _row("GET", HOLDS + "/{hold}", f"{BI}/holds/read", READER, get_hold, 200),
    _row("PUT", HOLDS + "/{hold}", f"{BI}/holds/write", CONTRIBUTOR, put_hold, 200),
    _row("DELETE", HOLDS + "/{hold}", f"{BI}/holds/delete", CONTRIBUTOR, delete_hold, 200, 204),
    _row("GET", OWN_ONE + "/poisoning", f"{BI}/poisoning/read", READER, get_poisoning, 200),
    _row(
        "POST",
        OWN_ONE + "/acknowledgePoisoning",
        f"{BI}/acknowledgePoisoning/action",
        CONTRIBUTOR,
        acknowledge,
        200,
    ),
    _row("POST", OWN_ONE + "/reevaluate", f"{BI}/reevaluate/action", CONTRIBUTOR, reevaluate, 200),
    _row("GET", GUARD, "vault/poisoningGuard/read", READER, get_poisoning_guard, 200),
    _row("PUT", GUARD, "vault/poisoningGuard/write", CONTRIBUTOR, put_poisoning_guard, 200),
    _row("GET", V, f"{BV}/read", READER, get_vault, 200),
    _row("PATCH", V, f"{BV}/write", CONTRIBUTOR, patch_vault, 200),
    _row("GET", POLICIES, f"{BP}/read", READER, list_policies, 200),
    _row("GET", POLICIES + "/{policy}", f"{BP}/read", READER, get_policy, 200),
    _row("PUT", POLICIES + "/{policy}", f"{BP}/write", CONTRIBUTOR, put_policy, 200),
    _row("DELETE", POLICIES + "/{policy}", f"{BP}/delete", CONTRIBUTOR, delete_policy, 200, 204),
    _row("GET", INSTANCES, f"{BI}/read", READER, list_instances, 200),
    _row("GET", ONE, f"{BI}/read", READER, get_instance, 200),
    _row("PUT", ONE, f"{BI}/write", CONTRIBUTOR, put_instance, 200, 201, lro=CREATE),
    _row("DELETE", ONE, f"{BI}/delete", CONTRIBUTOR, delete_instance, 202, 204, lro=JOB),
    _row("POST", ONE + "/stopProtection", f"{BI}/stopProtection/action", CONTRIBUTOR, stop_protection, 202, lro=CHECK),
    _row("POST", ONE + "/suspendBackups", f"{BI}/suspendBackups/action", CONTRIBUTOR, suspend_backups, 202, lro=CHECK),
    _row("POST", ONE + "/resumeBackups", f"{BI}/resumeBackups/action", CONTRIBUTOR, resume_backups, 202, lro=CHECK),
    _row(
        "POST",
        ONE + "/resumeProtection",
        f"{BI}/resumeProtection/action",
        CONTRIBUTOR,
        resume_protection,
        202,
        lro=CHECK,
    ),
    _row(
        "POST",
        V + "/validateForBackup",
        f"{BV}/validateForBackup/action",
        OPERATOR,
        validate_for_backup,
        202,
        lro=CHECK,
    ),
    _row("POST", ONE + "/backup", f"{BI}/backup/action", OPERATOR, back_up, 202, lro=JOB),
    _row("POST", ONE + "/validateRestore", f"{BI}/validateRestore/action", OPERATOR, validate_restore, 202, lro=CHECK),
    _row("POST", ONE + "/restore", f"{BI}/restore/action", OPERATOR, restore, 202, lro=JOB),
    _row("GET", ONE + "/recoveryPoints", f"{BI}/recoveryPoints/read", READER, list_points, 200),
    _row("GET", ONE + "/recoveryPoints/{point}", f"{BI}/recoveryPoints/read", READER, get_point, 200),
    _row("GET", V + "/backupJobs", f"{BV}/backupJobs/read", READER, list_jobs, 200),
    _row("GET", V + "/backupJobs/{job}", f"{BV}/backupJobs/read", READER, get_job, 200),
    _row("GET", SUB + AT + STATUS, "locations/operationStatus/read", READER, get_status, 200, lro=POLL),
    _row("GET", RG + STATUS, "operationStatus/read", READER, get_status, 200, lro=POLL),
    _row("GET", V + STATUS, f"{BV}/operationStatus/read", READER, get_status, 200, lro=POLL),
    _row("GET", SUB + AT + RESULTS, "locations/operationResults/read", READER, get_result, 200, 202, lro=POLL),
    _row("GET", V + RESULTS, f"{BV}/operationResults/read", READER, get_result, 200, 202, lro=POLL),
    _row("GET", ONE + RESULTS, f"{BI}/operationResults/read", READER, get_result, 200, 202, lro=POLL),
)
