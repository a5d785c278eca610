"""Ask for a deep verification of a recovery point: one of each backup instance runs at a time."""

from collections.abc import Mapping

from flexvault.domain import names, row_keys
from flexvault.domain.errors import AlreadyExistsError, ConflictError
from flexvault.domain.instance import Instance
from flexvault.domain.job import Operation
from flexvault.services import catalog
from flexvault.services.claims import claim_once
from flexvault.services.requests import NOBODY, OVERLAP, Claimed
from flexvault.services.vault import Vault
from flexvault.services.verification_jobs import verification_job


def verify_point(
    vault: Vault, instance: Instance, point_id: str, request_key: str, *, actor: Mapping[str, str] = NOBODY
) -> Claimed:
    """Claim a deep verification; while one of the same point runs, that one is the answer.

    Args:
        vault: The vault.
        instance: Whose point it is.
        point_id: As a client writes it.
        request_key: Names the request.
        actor: Who asks.

    Raises:
        NotFoundError: There is no such recovery point.
        ConflictError: code UserErrorMaxConcurrentOperationLimitReached: another point of the instance is verified.
    """
    now = vault.ports.clock.storage_now()
    point = catalog.get_sealed_point(vault.ports, instance, point_id)
    policy = catalog.find_policy(vault.ports, instance.policy_name)
    job_id = names.request_job_id(request_key, now)
    job = verification_job(instance, policy, point, job_id=job_id, state={"actor": dict(actor)})
    try:
        return Claimed.of(claim_once(vault.ports, request_key, job, now))
    except AlreadyExistsError:
        opened = catalog.find_open_job(vault.ports, row_keys.open_row(Operation.VERIFY, instance.key))
        if opened is not None and opened.state.get("point_id") == point.point_id:
            return Claimed(job_id=opened.job_id)
        which = f" {opened.state['point_id']}, job {opened.job_id}," if opened is not None else ""
        raise ConflictError(
            f"a deep verification of another recovery point{which} of '{instance.friendly_name}' is running",
            code=OVERLAP,
            target=instance.id,
            hint="wait for the running job, then verify this recovery point",
        ) from None
