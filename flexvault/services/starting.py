"""Start the orchestrations of open rows. A start is no claim: a lost or doubled one changes nothing but the moment."""

from datetime import datetime, timedelta

from flexvault.domain import row_keys
from flexvault.domain.errors import RowChangedError, TransientError
from flexvault.domain.open_job import OpenJob
from flexvault.domain.rows import Replace
from flexvault.ports import Orchestrations
from flexvault.services import catalog
from flexvault.services.claims import start_request
from flexvault.services.vault import Vault

START_AGAIN_AFTER = timedelta(seconds=30)


def start_due(vault: Vault, orchestrations: Orchestrations, now: datetime) -> None:
    """Start every open row whose present generation has not written, whose moment is near and that rested a while."""
    for opened in list(catalog.list_open_jobs(vault.ports)):
        is_near = opened.not_before <= now + vault.settings.look_ahead
        rested = opened.last_started_at is None or opened.last_started_at <= now - START_AGAIN_AFTER
        if opened.written_generation < opened.generation and is_near and rested:
            start(vault, orchestrations, opened, now)


def start_by_key(vault: Vault, orchestrations: Orchestrations, open_key: str, now: datetime) -> None:
    """Start a job that was just claimed."""
    opened = catalog.find_open_job(vault.ports, open_key)
    if opened is not None:
        start(vault, orchestrations, opened, now)


def start(vault: Vault, orchestrations: Orchestrations, opened: OpenJob, now: datetime) -> None:
    """Remember the start, then start: a start that is lost is repeated by a later tick.

    A job that another app runs is left to that app's next tick, whoever claimed it.

    Raises:
        TransientError: code TaskHubUnusable, after an event of that name was sent.
    """
    if not vault.settings.role.runs(opened.operation):
        return
    changed = opened.changed(last_started_at=now)
    change = Replace(key=opened.key, values=changed.to_values(), etag=opened.etag)
    try:
        vault.ports.rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, [change])
    except RowChangedError:
        return  # it runs already, or another tick starts it
    request = start_request(changed)
    try:
        orchestrations.start(request.orchestrator, request.instance_id, request.payload)
    except TransientError as error:
        vault.ports.telemetry.emit(error.code, {"job_id": opened.job_id, "hint": error.hint})
        raise
