"""Reconcile: take over jobs that stopped, close those that never go on, remove landing containers that nobody needs."""

from dataclasses import dataclass
from datetime import datetime

from flexvault.domain import names, row_keys
from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import RowChangedError, TransientError, VaultError
from flexvault.domain.job import MAX_TAKEOVERS_WITHOUT_PROGRESS, Failure, JobStatus, Step, closes_as, patience
from flexvault.domain.open_job import OpenJob
from flexvault.domain.rows import Replace
from flexvault.ports import Orchestrations
from flexvault.services import catalog
from flexvault.services.doctor_rounds import go_round
from flexvault.services.remove_roles import remove_roles
from flexvault.services.rights import verify_rights
from flexvault.services.roots import write_due_root
from flexvault.services.starting import start_by_key, start_due
from flexvault.services.strengthen import check_guards
from flexvault.services.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What one run of reconcile did."""

    taken_over: tuple[str, ...]
    closed: tuple[str, ...]
    """Jobs that made no progress."""
    removed_containers: int


def reconcile(vault: Vault, orchestrations: Orchestrations) -> Reconciled:
    """Bring what stopped to a truthful end, whatever the task hub says.

    Of two apps each looks after its own jobs: the other's hub cannot be asked, and the other's identities are not here.
    """
    now = vault.ports.clock.storage_now()
    taken_over: list[str] = []
    closed: list[str] = []
    role = vault.settings.role
    for opened in [found for found in catalog.list_open_jobs(vault.ports) if role.runs(found.operation)]:
        try:
            successor = _renew(vault, orchestrations, opened, now)
        except VaultError as error:
            # One job's trouble must not keep the others waiting.
            vault.ports.telemetry.emit("ReconcileFailed", {"job_id": opened.job_id, "code": error.code})
            continue
        if successor is not None:
            has_ended = successor.state.get("closing_error", {}).get("code") == "NoProgress"
            (closed if has_ended else taken_over).append(opened.job_id)
    start_due(vault, orchestrations, now)
    if role is AppRole.JANITOR:
        return Reconciled(taken_over=tuple(taken_over), closed=tuple(closed), removed_containers=0)
    write_due_root(vault, now)
    removed = remove_landing_containers(vault, now)
    remove_roles(vault, now)
    check_guards(vault, now)
    go_round(vault, now, verify_rights(vault, now))
    return Reconciled(taken_over=tuple(taken_over), closed=tuple(closed), removed_containers=removed)


def _renew(vault: Vault, orchestrations: Orchestrations, opened: OpenJob, now: datetime) -> OpenJob | None:
    if not _has_stopped(vault, orchestrations, opened, now):
        return None
    successor = take_over(vault, opened, now)
    if successor is not None:
        start_by_key(vault, orchestrations, successor.key, now)
    return successor


def take_over(vault: Vault, opened: OpenJob, now: datetime) -> OpenJob | None:
    """Raise the generation and move the next check in one write: the old generation is fenced from here on.

    Only a generation that has written counts as a try without progress, else an outage of the hub would close healthy
    jobs; progress is another step, attempt, poll or block.
    """
    mark = f"{opened.step}/{opened.attempt}/{opened.state.get('progress', '')}"
    is_same = opened.stuck_at == mark
    count, since = (opened.stuck_count, opened.stuck_since or now) if is_same else (0, now)
    if opened.written_generation == opened.generation:
        count += 1
    successor = opened.changed(
        generation=opened.generation + 1,
        next_check_at=now,
        stuck_at=mark,
        stuck_count=count,
        stuck_since=since,
    )
    waits = patience(opened.step, vault.settings.stale_grace, is_outage=bool(opened.state.get("outage")))
    has_tried = count > MAX_TAKEOVERS_WITHOUT_PROGRESS and now - since >= waits
    if has_tried and opened.step is not Step.CLOSING:
        successor = successor.changed(step=Step.CLOSING, state=_no_progress(opened))
    change = Replace(key=successor.key, values=successor.to_values(), etag=opened.etag)
    try:
        vault.ports.rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, [change])
    except RowChangedError:
        return None  # it goes on by itself, or another run took it over
    return successor


def remove_landing_containers(vault: Vault, now: datetime) -> int:
    """Remove landing containers without an open job that are older than a failed attempt's are kept."""
    kept = tuple(names.landing_owner_prefix(opened.job_id) for opened in catalog.list_open_jobs(vault.ports))
    removed = 0
    for container in list(vault.ports.landing.list_containers()):
        if container.last_modified is None or container.last_modified > now - vault.settings.landing_keep_for:
            continue
        if names.is_landing_container(container.name) and not container.name.startswith(kept):
            vault.ports.landing.delete_container(container.name)
            removed += 1
    return removed


def _has_stopped(vault: Vault, orchestrations: Orchestrations, opened: OpenJob, now: datetime) -> bool:
    """A job is stale by its row alone; one that wrote and that is not alive in the hub is taken over sooner."""
    if opened.next_check_at + vault.settings.stale_grace < now:
        return True
    if opened.written_generation != opened.generation:
        return False
    try:
        return not orchestrations.is_alive(opened.orchestration_id)
    except TransientError:
        return False  # the hub gives hints only: without one the row decides


def _no_progress(opened: OpenJob) -> dict[str, object]:
    failure = Failure(
        code="NoProgress",
        message=f"step {opened.step} of attempt {opened.attempt} was taken over "
        f"{MAX_TAKEOVERS_WITHOUT_PROGRESS} times and never got further{_cause(opened)}",
        recommended_action="look at the app's failures in Application Insights for this job's id, then start it again",
        is_user_error=False,
        is_retryable=True,
    )
    result = closes_as(JobStatus.FAILED, failure)
    return dict(result.state or {})


def _cause(opened: OpenJob) -> str:
    code = opened.state.get("outage")
    return f"; the last error was {code}" if code else ""
