"""Operations on backup jobs."""

import re

from flexvault.api.call import Answer, Call
from flexvault.api.job_views import show_job, show_job_fully
from flexvault.api.pages import answer_page, read_page
from flexvault.domain import row_keys
from flexvault.domain.errors import NotFoundError
from flexvault.domain.job import STEPS, JobStatus, Operation, Step
from flexvault.domain.open_job import JobRecord
from flexvault.services import catalog


def list_jobs(call: Call) -> Answer:
    """List jobs, newest first; a page costs one query of its size, however many jobs there are."""
    page = read_page(call, _JOB_ID)
    jobs = catalog.list_jobs(call.vault.ports, after=page.after, limit=page.to_read)
    return answer_page(call, page, jobs, lambda job: job.job_id, lambda job: show_job(call.ids, job))


_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def get_job(call: Call) -> Answer:
    """Show one job with its sub-tasks."""
    job_id = call.params["job"]
    job = catalog.find_job(call.vault.ports, job_id)
    if job is None:
        raise NotFoundError(
            f"the vault has no backup job '{job_id}'", target=job_id, hint="list the vault's backup jobs"
        )
    return Answer(body=show_job_fully(call.ids, job, _step_of(call, job)))


def _step_of(call: Call, job: JobRecord) -> Step:
    """Answer where a job stands: its open row knows."""
    first = STEPS[job.operation][0]
    if job.status is not JobStatus.IN_PROGRESS or job.sub_tasks:
        return first
    subject = job.job_id if job.operation is Operation.RESTORE else job.instance
    opened = catalog.find_open_job(call.vault.ports, row_keys.open_row(job.operation, subject))
    return opened.step if opened is not None and opened.job_id == job.job_id else first
