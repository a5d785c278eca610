"""Which effect belongs to which step."""

from collections.abc import Mapping

from flexvault.domain.job import Step
from flexvault.messages import StepAnswer, StepRequest
from flexvault.services.apply_retention import execute_retention, plan_retention
from flexvault.services.close_job import close_job
from flexvault.services.count_blocks import count_blocks
from flexvault.services.index_files import index_files
from flexvault.services.invoke_backup import poll_backup, prepare_landing, start_backup
from flexvault.services.promote import promote_files
from flexvault.services.protection import grant_roles, record_protection, verify_roles
from flexvault.services.record_verification import record_verification
from flexvault.services.restore_files import copy_files, finish_restore, probe_target
from flexvault.services.seal import seal_point
from flexvault.services.steps import Effect, run_step
from flexvault.services.vault import Vault

EFFECTS: Mapping[Step, Effect] = {
    Step.PREPARING: prepare_landing,
    Step.STARTING: start_backup,
    Step.POLLING: poll_backup,
    Step.PROMOTING: promote_files,
    Step.SEALING: seal_point,
    Step.PROBING: probe_target,
    Step.COPYING: copy_files,
    Step.FINISHING: finish_restore,
    Step.GRANTING: grant_roles,
    Step.VERIFYING: verify_roles,
    Step.RECORDING: record_protection,
    Step.PLANNING: plan_retention,
    Step.EXECUTING: execute_retention,
    Step.INDEXING: index_files,
    Step.COUNTING: count_blocks,
    Step.CONCLUDING: record_verification,
    Step.CLOSING: close_job,
}


def run(vault: Vault, request: StepRequest) -> StepAnswer:
    """Run one step of a job with the effect that belongs to it."""
    return run_step(vault, request, EFFECTS)
