"""The job of a deep verification, as a person or a policy asks for it."""

from collections.abc import Mapping
from typing import Any

from flexvault.domain import names
from flexvault.domain.instance import Instance, RecoveryPoint, StoredPolicy
from flexvault.domain.job import Operation
from flexvault.services.claims import NewJob, instance_facts


def verification_job(
    instance: Instance,
    policy: StoredPolicy | None,
    point: RecoveryPoint,
    *,
    job_id: str,
    state: Mapping[str, Any] | None = None,
) -> NewJob:
    """Describe a job that verifies a point deeply; without a state it is one that the policy asks for."""
    return NewJob(
        job_id=job_id,
        operation=Operation.VERIFY,
        subject=instance.key,
        instance=instance.key,
        not_before=names.job_time(job_id),
        is_user_triggered=state is not None,
        facts=instance_facts(instance, policy),
        state={"point_id": point.point_id, **(state or {})},
        recovery={"point_id": point.point_id, "recovery_point_time": point.recovery_point_time.isoformat()},
    )
