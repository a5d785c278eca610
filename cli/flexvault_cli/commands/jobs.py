"""Commands on jobs, and how a command follows the job that it started."""

import argparse

from flexvault_cli import views
from flexvault_cli.api import VaultApi
from flexvault_cli.errors import INTERRUPTED, CliError, read_failure
from flexvault_cli.output import show_one, show_progress, show_rows
from flexvault_cli.wire import Json, dig, dig_list

GOOD_ENDS = {"Completed", "CompletedWithWarnings"}


def list_jobs(api: VaultApi, options: argparse.Namespace) -> None:
    """List the jobs."""
    rows = api.list_all("backupJobs")
    show_rows(rows, views.JOBS, as_json=options.as_json, dropped_first=views.JOBS_DROPPED)


def show_job(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one job, at once or when it has ended."""
    _report_job(api, views.last_segment(options.job), options, wait=options.wait)


def follow_job(api: VaultApi, answer: Json, options: argparse.Namespace) -> None:
    """Show the job that an answer names, at once or when it has ended."""
    job_id = views.last_segment(answer.get("jobId"))
    if not job_id:
        raise CliError("the vault accepted the request and named no job", actions=["see: flexvault job list"])
    _report_job(api, job_id, options, wait=options.wait)


def _report_job(api: VaultApi, job_id: str, options: argparse.Namespace, *, wait: bool) -> None:
    """Show a job; the last look decides how the command ends."""
    seen = ""
    job: Json = {}
    try:
        for job in api.watch_job(job_id):
            if not wait:
                break
            line = "; ".join([f"job {job_id}: {dig(job, 'properties.status')}", *views.describe_job_tasks(job)])
            if line != seen:
                show_progress(line)
                seen = line
    except KeyboardInterrupt:
        again = f"flexvault job show {job_id} --wait"
        raise CliError(f"interrupted; job {job_id} goes on", actions=[f"see: {again}"], exit_code=INTERRUPTED) from None
    show_one(job, views.JOB, as_json=options.as_json)
    if wait and dig(job, "properties.status") not in GOOD_ENDS:
        errors = dig_list(job, "properties.errorDetails")
        raise read_failure(errors[0] if errors else {"message": f"job {job_id} is {dig(job, 'properties.status')}"})
