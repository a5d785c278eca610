"""Registers everything and does nothing else."""

import azure.durable_functions as df
import azure.functions as func

from activities.backup_invocation import start_backup
from activities.job_state import close_job
from activities.polling import poll_backup
from activities.promotion import promote_files
from activities.reconciliation import reconcile_jobs
from activities.restore_copy import copy_files, finish_restore, probe_target
from activities.retention_cleanup import execute_retention, plan_retention
from activities.role_assignment import grant_roles, record_protection, verify_roles
from activities.sas_issuance import prepare_landing
from activities.sealing import seal_point
from flexvault.bootstrap import redact_logs
from orchestrators import ORCHESTRATORS
from triggers.http import METHODS, serve
from triggers.timers import reconcile_tick, retention_tick, schedule_tick

redact_logs()
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for timer, setting in (
    (schedule_tick, "%SCHEDULE_TICK%"),
    (reconcile_tick, "%RECONCILE_TICK%"),
    (retention_tick, "%RETENTION_TICK%"),
):
    app.timer_trigger(arg_name="timer", schedule=setting)(app.durable_client_input(client_name="client")(timer))
app.route(route="{*path}", methods=METHODS)(app.durable_client_input(client_name="client")(serve))
for orchestrator in ORCHESTRATORS:
    app.orchestration_trigger(context_name="ctx")(orchestrator)
for activity in (
    prepare_landing, start_backup, poll_backup, promote_files, seal_point, probe_target, copy_files, finish_restore,
    grant_roles, verify_roles, record_protection, plan_retention, execute_retention, close_job,
):  # fmt: skip
    app.activity_trigger(input_name="request")(activity)
app.activity_trigger(input_name="request")(app.durable_client_input(client_name="client")(reconcile_jobs))
