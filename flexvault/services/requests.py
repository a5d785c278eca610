"""What a person asks for: a backup now, a restore. The job row is the answer; the job goes on by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flexvault.domain import names
from flexvault.domain.container_url import read_container_url
from flexvault.domain.errors import AlreadyExistsError, ConflictError, IntegrityError, InvalidInputError
from flexvault.domain.instance import Instance, RecoveryPoint, StoredPolicy
from flexvault.domain.job import Operation
from flexvault.domain.open_job import OpenJob
from flexvault.domain.policy import parse_policy
from flexvault.domain.protection_moves import require_backups
from flexvault.domain.restored_files import require_databases
from flexvault.domain.tagging import DEFAULT_TAG
from flexvault.domain.verification import Verdict
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.approvals import require_approval
from flexvault.services.claims import NewJob, claim_once, instance_facts
from flexvault.services.outside_restore import (
    OutsideError,
    OutsideRestore,
    approval_warning,
    find_open_restore,
    refuse_outside,
    require_approved,
)
from flexvault.services.progress import warning
from flexvault.services.restore_target import require_empty, require_prefix, require_target
from flexvault.services.scheduling import backup_job
from flexvault.services.target_account import target_warnings
from flexvault.services.vault import Vault
from flexvault.services.verifications import find_newest

OVERLAP = "UserErrorMaxConcurrentOperationLimitReached"


NOBODY: Mapping[str, str] = {}
"""Who asks when it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The job of a request; `open_key` is empty when an earlier, identical request made it."""

    job_id: str
    open_key: str = ""

    @classmethod
    def of(cls, claimed: OpenJob | str) -> "Claimed":
        """Tell a new job from a known one."""
        if isinstance(claimed, str):
            return cls(job_id=claimed)
        return cls(job_id=claimed.job_id, open_key=claimed.key)


def back_up_now(
    vault: Vault,
    instance_id: str,
    rule_name: str,
    tag: str,
    request_key: str,
    *,
    actor: Mapping[str, str] = NOBODY,
) -> Claimed:
    """Claim an on-demand backup: it is no slot.

    Args:
        vault: The vault.
        instance_id: ARM id of the backup instance.
        rule_name: Name of the backup rule or of a retention rule: clients send either.
        tag: `retentionTagOverride`, or empty for the rule's own.
        request_key: Names the request.
        actor: Who asks.

    Raises:
        NotFoundError: There is no such instance.
        InvalidInputError: The rule or tag is not in the policy, or the instance is not protected.
        ConflictError: code UserErrorMaxConcurrentOperationLimitReached: a backup of the instance runs; or it is being
            deleted.
    """
    now = vault.ports.clock.storage_now()
    instance = catalog.get_instance(vault.ports, instance_id)
    require_backups(instance)
    stored = catalog.get_policy(vault.ports, instance.policy_name)
    chosen = _choose_tag(stored, rule_name, tag)
    job = backup_job(instance, stored, chosen, job_id=names.request_job_id(request_key, now), not_before=now)
    job = replace(job, state={**job.state, "actor": dict(actor)})
    try:
        return Claimed.of(claim_once(vault.ports, request_key, job, now))
    except AlreadyExistsError:
        raise ConflictError(
            f"a backup of '{instance.friendly_name}' is running",
            code=OVERLAP,
            target=instance.id,
            hint="wait for the running job, then trigger the backup again",
        ) from None


def _choose_tag(stored: StoredPolicy, rule_name: str, tag: str) -> str:
    """Answer the tag that a request names, in the policy's own spelling."""
    policy = parse_policy(stored.properties)
    tags = {name.lower(): name for name in policy.retention}
    if rule_name.lower() not in {policy.rule_name.lower(), *tags}:
        known = ", ".join([policy.rule_name, *policy.retention])
        raise InvalidInputError(
            f"policy '{stored.name}' has no rule '{rule_name}'; it has {known}",
            target="backupRuleOptions.ruleName",
            hint=f"name one of these rules, such as '{policy.rule_name}'",
        )
    wanted = tag or (rule_name if rule_name.lower() in tags else DEFAULT_TAG)
    if wanted.lower() not in tags:
        raise InvalidInputError(
            f"policy '{stored.name}' has no retention tag '{tag}'; it has {', '.join(policy.retention)}",
            target="backupRuleOptions.triggerOption.retentionTagOverride",
            hint="name one of these tags, or none for the rule's own",
        )
    return tags[wanted.lower()]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreOrder:
    """A restore as files, as the client wants it."""

    instance_id: str
    point_id: str
    container_url: str
    file_prefix: str
    target_resource_id: str = ""
    databases: tuple[str, ...] = ()
    """Exact names of the databases whose files are copied, each once; none for all."""


def validate_restore(vault: Vault, order: RestoreOrder) -> tuple[Mapping[str, Any], ...]:
    """Check all that reads can tell: the point, its manifest, the target; answers warnings.

    Raises:
        NotFoundError, InvalidInputError, NotAuthorizedError, IntegrityError: With what is wrong and what to do.
    """
    _, point = _check_point(vault, order)
    broken = _warn_of_broken(vault.ports, point)
    target = _target_of(order)
    try:
        found = require_target(vault, target["url"], target["resource_id"], refuse_outside)
    except OutsideError as outside:
        found = vault.ports.restore_target.find_account(target["url"], target["resource_id"])
        needs = approval_warning(target["url"], str(outside))
        return (*broken, needs, *target_warnings(vault, target["url"], found, is_reached=False))
    require_empty(vault.ports.restore_target, target["url"], order.file_prefix)
    return (*broken, *target_warnings(vault, target["url"], found, is_reached=True))


def _warn_of_broken(ports: Ports, point: RecoveryPoint) -> tuple[Mapping[str, Any], ...]:
    """Say what a person would rather know before they restore a point that failed its deep verification.

    The journal's newest one counts; where that proved nothing, the row says what an earlier one found.
    """
    try:
        found = find_newest(ports, point)
    except IntegrityError as error:
        text = f"whether recovery point {point.point_id} failed its deep verification is not known: {error.message}"
        return (warning(error.code, text, point.point_id, error.hint),)
    if found is None or found.verdict is Verdict.INTACT:
        return ()
    if found.verdict is Verdict.NOT_PROVEN and not point.is_broken:
        return ()
    text = f"recovery point {point.point_id} failed its deep verification: something of it is damaged"
    remedy = "look at what is damaged: GET /api/vault/backupInstances/.../recoveryPoints/.../verification; or restore "
    return (warning("RecoveryPointBroken", text, point.point_id, f"{remedy}another recovery point"),)


def restore_point(vault: Vault, order: RestoreOrder, request_key: str, *, actor: Mapping[str, str] = NOBODY) -> Claimed:
    """Claim a restore.

    Raises:
        NotFoundError, InvalidInputError, NotAuthorizedError, IntegrityError: As `validate_restore`.
        ApprovalRequiredError: The target is outside, and nobody approved that yet.
    """
    now = vault.ports.clock.storage_now()
    from_before = catalog.find_request(vault.ports, request_key, now)
    if from_before is not None:
        return Claimed(job_id=from_before)
    instance, point = _check_point(vault, order)
    target = _target_of(order)
    approvals: list[str] = []

    def allow(why: str) -> None:
        asked = OutsideRestore(instance=instance, point_id=point.point_id, target=target, actor=actor, why=why)
        approval_id = require_approval(vault, asked.change).id
        state = {"approval_id": approval_id, "actor": actor, "point_id": point.point_id, "target": target}
        require_approved(vault, state, instance.key, why)
        approvals.append(approval_id)

    require_target(vault, target["url"], target["resource_id"], allow)
    if approvals and (opened := find_open_restore(vault, approvals[0])):
        return Claimed(job_id=opened)
    require_empty(vault.ports.restore_target, target["url"], order.file_prefix)
    job_id = names.request_job_id(request_key, now)
    approved = {"approval_id": approvals[0]} if approvals else {}
    job = NewJob(
        job_id=job_id,
        operation=Operation.RESTORE,
        subject=job_id,
        instance=instance.key,
        not_before=now,
        is_user_triggered=True,
        facts=instance_facts(instance, catalog.find_policy(vault.ports, instance.policy_name)),
        state={"point_id": point.point_id, "target": target, "actor": dict(actor), **approved},
        target=target,
        recovery={"point_id": point.point_id, "recovery_point_time": point.recovery_point_time.isoformat()},
    )
    return Claimed.of(claim_once(vault.ports, request_key, job, now))


def _check_point(vault: Vault, order: RestoreOrder) -> tuple[Instance, RecoveryPoint]:
    instance = catalog.get_instance(vault.ports, order.instance_id)
    point = catalog.get_sealed_point(vault.ports, instance, order.point_id)
    require_prefix(order.file_prefix)
    manifest = catalog.read_manifest(vault.ports, point)
    require_databases(point.point_id, manifest.files, order.databases, "restoreTargetInfo.databases")
    return instance, point


def _target_of(order: RestoreOrder) -> dict[str, Any]:
    """Answer what a restore is about, in the form that is compared: a choice in any order is the same choice."""
    chosen = {"databases": sorted(order.databases)} if order.databases else {}
    return {
        "url": read_container_url(order.container_url),
        "file_prefix": order.file_prefix,
        "resource_id": order.target_resource_id,
        **chosen,
    }
