"""What may be retried, one file per promise, and which app carries out which."""

from collections.abc import Callable, Mapping
from typing import Any

from activities.backup_invocation import start_backup
from activities.deep_verification import count_blocks, index_files, record_verification
from activities.job_state import close_job
from activities.polling import poll_backup
from activities.promotion import promote_files
from activities.reconciliation import reconcile_jobs
from activities.restore_copy import copy_files, finish_restore, probe_target
from activities.retention_cleanup import execute_retention, plan_retention
from activities.role_assignment import grant_roles, record_protection, verify_roles
from activities.sas_issuance import prepare_landing
from activities.sealing import seal_point
from flexvault.domain.app_role import AppRole

type Activity = Callable[..., dict[str, Any]]

_OF_THE_FRONT = (
    prepare_landing, start_backup, poll_backup, promote_files, seal_point, probe_target, copy_files, finish_restore,
    grant_roles, verify_roles, record_protection, index_files, count_blocks, record_verification,
)  # fmt: skip
_OF_THE_JANITOR = (plan_retention, execute_retention)

ACTIVITIES: Mapping[AppRole, tuple[Activity, ...]] = {
    AppRole.ALL: (*_OF_THE_FRONT, *_OF_THE_JANITOR, close_job),
    AppRole.FRONT: (*_OF_THE_FRONT, close_job),
    AppRole.JANITOR: (*_OF_THE_JANITOR, close_job),
}
CLIENT_ACTIVITIES: Mapping[AppRole, tuple[Activity, ...]] = dict.fromkeys(AppRole, (reconcile_jobs,))
"""Those that start orchestrations themselves, through the client that the host binds."""
