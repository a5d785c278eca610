"""Azure Backup's own operations: `Microsoft.DataProtection` 2026-06-01, for PostgreSQL flexible servers."""

from flexvault.api.availability import check_feature_support, check_name_availability
from flexvault.api.backups import back_up
from flexvault.api.call import ApiOperation
from flexvault.api.instance_changes import sync, validate_for_modify_backup
from flexvault.api.instances import get_instance, list_instances, put_instance, validate_for_backup
from flexvault.api.jobs import get_job, list_jobs
from flexvault.api.operation_results import get_result, get_status
from flexvault.api.points import get_point, list_points
from flexvault.api.policies import delete_policy, get_policy, list_policies, put_policy
from flexvault.api.protection_states import (
    delete_instance,
    resume_backups,
    resume_protection,
    stop_protection,
    suspend_backups,
)
from flexvault.api.resource_ids import PROVIDER
from flexvault.api.restores import restore, validate_restore
from flexvault.api.server_instances import list_instances_of
from flexvault.api.table.rows import BI, BP, BV, CHECK, CONTRIBUTOR, CREATE, JOB, OPERATOR, POLL, READER, row
from flexvault.api.time_ranges import find_restorable_time_ranges
from flexvault.api.vaults import get_vault, patch_vault

SUB = f"/subscriptions/{{subscription}}/providers/{PROVIDER}"
RG = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}"
V = RG + "/backupVaults/{vault}"
POLICIES = V + "/backupPolicies"
INSTANCES = V + "/backupInstances"
ONE = INSTANCES + "/{instance}"
STATUS, RESULTS = "/operationStatus/{operation}", "/operationResults/{operation}"
AT = "/locations/{location}"

AZURE: tuple[ApiOperation, ...] = (
    row("GET", V, f"{BV}/read", READER, get_vault, 200),
    row("PATCH", V, f"{BV}/write", CONTRIBUTOR, patch_vault, 200),
    row("GET", POLICIES, f"{BP}/read", READER, list_policies, 200),
    row("GET", POLICIES + "/{policy}", f"{BP}/read", READER, get_policy, 200),
    row("PUT", POLICIES + "/{policy}", f"{BP}/write", CONTRIBUTOR, put_policy, 200),
    row("DELETE", POLICIES + "/{policy}", f"{BP}/delete", CONTRIBUTOR, delete_policy, 200, 204),
    row("GET", INSTANCES, f"{BI}/read", READER, list_instances, 200),
    row("GET", ONE, f"{BI}/read", READER, get_instance, 200),
    row("PUT", ONE, f"{BI}/write", CONTRIBUTOR, put_instance, 200, 201, lro=CREATE),
    row("DELETE", ONE, f"{BI}/delete", CONTRIBUTOR, delete_instance, 202, 204, lro=JOB),
    row("POST", ONE + "/stopProtection", f"{BI}/stopProtection/action", CONTRIBUTOR, stop_protection, 202, lro=CHECK),
    row("POST", ONE + "/suspendBackups", f"{BI}/suspendBackups/action", CONTRIBUTOR, suspend_backups, 202, lro=CHECK),
    row("POST", ONE + "/resumeBackups", f"{BI}/resumeBackups/action", CONTRIBUTOR, resume_backups, 202, lro=CHECK),
    row(
        "POST",
        ONE + "/resumeProtection",
        f"{BI}/resumeProtection/action",
        CONTRIBUTOR,
        resume_protection,
        202,
        lro=CHECK,
    ),
    row(
        "POST",
        V + "/validateForBackup",
        f"{BV}/validateForBackup/action",
        OPERATOR,
        validate_for_backup,
        202,
        lro=CHECK,
    ),
    row(
        "POST",
        ONE + "/validateForModifyBackup",
        f"{BI}/validateForModifyBackup/action",
        OPERATOR,
        validate_for_modify_backup,
        202,
        lro=CHECK,
    ),
    row("POST", ONE + "/sync", f"{BI}/sync/action", CONTRIBUTOR, sync, 202, lro=JOB),
    row(
        "POST",
        ONE + "/findRestorableTimeRanges",
        f"{BI}/findRestorableTimeRanges/action",
        READER,
        find_restorable_time_ranges,
        200,
    ),
    row("POST", ONE + "/backup", f"{BI}/backup/action", OPERATOR, back_up, 202, lro=JOB),
    row("POST", ONE + "/validateRestore", f"{BI}/validateRestore/action", OPERATOR, validate_restore, 202, lro=CHECK),
    row("POST", ONE + "/restore", f"{BI}/restore/action", OPERATOR, restore, 202, lro=JOB),
    row("GET", ONE + "/recoveryPoints", f"{BI}/recoveryPoints/read", READER, list_points, 200),
    row("GET", ONE + "/recoveryPoints/{point}", f"{BI}/recoveryPoints/read", READER, get_point, 200),
    row("GET", V + "/backupJobs", f"{BV}/backupJobs/read", READER, list_jobs, 200),
    row("GET", V + "/backupJobs/{job}", f"{BV}/backupJobs/read", READER, get_job, 200),
    row("GET", f"/{{*resource}}/providers/{PROVIDER}/backupInstances", f"{BI}/read", READER, list_instances_of, 200),
    row(
        "POST",
        RG + AT + "/checkNameAvailability",
        "locations/checkNameAvailability/action",
        READER,
        check_name_availability,
        200,
    ),
    row(
        "POST",
        SUB + AT + "/checkFeatureSupport",
        "locations/checkFeatureSupport/action",
        READER,
        check_feature_support,
        200,
    ),
    row("GET", SUB + AT + STATUS, "locations/operationStatus/read", READER, get_status, 200, lro=POLL),
    row("GET", RG + STATUS, "operationStatus/read", READER, get_status, 200, lro=POLL),
    row("GET", V + STATUS, f"{BV}/operationStatus/read", READER, get_status, 200, lro=POLL),
    row("GET", SUB + AT + RESULTS, "locations/operationResults/read", READER, get_result, 200, 202, lro=POLL),
    row("GET", V + RESULTS, f"{BV}/operationResults/read", READER, get_result, 200, 202, lro=POLL),
    row("GET", ONE + RESULTS, f"{BI}/operationResults/read", READER, get_result, 200, 202, lro=POLL),
)
