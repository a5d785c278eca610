"""Deep verifications that policies ask for: of each instance the newest good point, once in a period."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from flexvault.domain import names, row_keys
from flexvault.domain.durations import add_duration
from flexvault.domain.errors import AlreadyExistsError, PermanentError, RowChangedError
from flexvault.domain.instance import Instance, RecoveryPoint, StoredPolicy
from flexvault.domain.job import Operation
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.open_job import OpenJob
from flexvault.domain.policy import Policy
from flexvault.domain.rows import Replace, Row, Scalar
from flexvault.domain.verification import Verdict
from flexvault.services import catalog
from flexvault.services.claims import claim_job
from flexvault.services.vault import Vault
from flexvault.services.verification_jobs import verification_job

LOOK_EVERY = timedelta(hours=1)
AGAIN_AFTER = timedelta(days=1)
"""A point whose verification ended without a result is not tried before."""
MOST_AT_ONCE = 4
"""Deep verifications that run in the vault, those that people asked for among them: each keeps a core busy."""
NEXT_LOOK, LAST_POINT, LAST_CLAIM = "verification_look_at", "verification_point", "verification_claimed_at"


def claim_due_verifications(
    vault: Vault,
    protected: Iterable[tuple[Instance, StoredPolicy, Policy]],
    open_jobs: Iterable[OpenJob],
    now: datetime,
) -> list[str]:
    """Claim what is due, up to what may run at once; answers the jobs. The rest is due at the next tick, too."""
    running = {opened.instance for opened in open_jobs if opened.operation is Operation.VERIFY}
    claimed: list[str] = []
    for instance, stored, policy in protected:
        if len(running) + len(claimed) >= MOST_AT_ONCE:
            break
        if not policy.verify_newest_every or instance.key in running:
            continue
        try:
            job_id = _claim(vault, instance, stored, policy.verify_newest_every, now)
        except (PermanentError, ArithmeticError, *MALFORMED) as error:
            # One instance's trouble must not keep the others from being verified.
            code = error.code if isinstance(error, PermanentError) else "RowUnreadable"
            vault.ports.telemetry.emit("ClaimFailed", {"instance": instance.name, "code": code})
            continue
        claimed += [job_id] if job_id else []
    return claimed


def find_due(points: Sequence[RecoveryPoint], every: str, now: datetime) -> RecoveryPoint | None:
    """Answer the newest good point of some, newest first, if none of them was proven intact within the period.

    One that was found broken is no good point, so the one before it is the next; one of which nothing could be proven
    is not tried again within the period. A moment after now says nothing: no verification ends in the future.
    """
    good = [point for point in points if not point.is_broken]
    if not good or _is_recent(good[0], every, now):
        return None
    proven = (point for point in good if point.verified_verdict == Verdict.INTACT)
    return None if any(_is_recent(point, every, now) for point in proven) else good[0]


def _is_recent(point: RecoveryPoint, every: str, now: datetime) -> bool:
    at = point.verified_at
    return at is not None and at <= now and add_duration(at, every) > now


def _claim(vault: Vault, instance: Instance, stored: StoredPolicy, every: str, now: datetime) -> str:
    row = catalog.find_schedule_row(vault.ports, instance.key)
    if row is None or _is_within(row, NEXT_LOOK, now, now + LOOK_EVERY):
        return ""
    point = find_due(catalog.list_sealed_points(vault.ports, instance.key), every, now)
    values = {**row.values, NEXT_LOOK: now + LOOK_EVERY}
    if point is None or (
        row.values.get(LAST_POINT) == point.point_id and _is_within(row, LAST_CLAIM, now - AGAIN_AFTER, now)
    ):
        _write(vault, row, values)
        return ""
    job = verification_job(instance, stored, point, job_id=names.request_job_id(f"verify-{point.point_id}", now))
    remember = Replace(key=row.key, values={**values, LAST_POINT: point.point_id, LAST_CLAIM: now}, etag=row.etag)
    try:
        return claim_job(vault.ports, job, now, [remember]).job_id
    except (AlreadyExistsError, RowChangedError):
        return ""  # another tick claimed it, or a backup changed the row: the next tick looks again


def _write(vault: Vault, row: Row, values: dict[str, Scalar]) -> None:
    try:
        vault.ports.rows.apply(
            row_keys.JOBS, row_keys.JOBS_PARTITION, [Replace(key=row.key, values=values, etag=row.etag)]
        )
    except RowChangedError:
        return  # the next tick looks again


def _is_within(row: Row, member: str, after: datetime, until: datetime) -> bool:
    """Say whether a row has a moment after one and not after another; a later one was never written by a tick."""
    found = row.values.get(member)
    return isinstance(found, datetime) and after < found <= until
