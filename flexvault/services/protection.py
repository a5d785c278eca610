"""Configure protection: validate, grant the source roles or verify them, record."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.azure_codes import ALREADY_PROTECTED, NOT_READY, OPERATION_FAILED
from flexvault.domain.doctor import examine_server
from flexvault.domain.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NotAuthorizedError,
    PreconditionFailedError,
)
from flexvault.domain.event_rows import instance_target, seq_of, server_target
from flexvault.domain.events import Rows, job_target, policy_target
from flexvault.domain.instance import RUNS_BACKUPS, Instance, ProtectionState, StoredPolicy
from flexvault.domain.job import Failure, JobStatus, Operation, Outcome, Result, closes_as
from flexvault.domain.open_job import OpenJob
from flexvault.domain.policy import DATASOURCE_TYPE
from flexvault.domain.protection_moves import require_configurable
from flexvault.ports import Server
from flexvault.services import catalog
from flexvault.services.claims import NewJob, claim_once
from flexvault.services.journal import Draft, append
from flexvault.services.policy_checks import policy_warnings
from flexvault.services.policy_moves import find_approval, require_still_allowed
from flexvault.services.remove_roles import is_being_removed, were_just_removed
from flexvault.services.rights import missing_rights
from flexvault.services.server_facts import gather_facts
from flexvault.services.sizes import require_small
from flexvault.services.soft_delete import already_soft_deleted
from flexvault.services.source_checks import ServerIsChangingError, get_server, refuse_errors, warnings_of
from flexvault.services.steps import StepRun
from flexvault.services.vault import Vault

PROPAGATION = timedelta(minutes=10)
LOOK_AGAIN_SECONDS = 10.0
SERVER_ID_PARTS = 9
LARGEST_INSTANCE = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A backup instance that may be configured."""

    server: Server
    policy: StoredPolicy
    warnings: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionRequest:
    """What a client wants to protect."""

    instance_id: str
    """Canonical ARM id of the backup instance."""
    name: str
    server_id: str
    policy_name: str
    properties: Mapping[str, Any]
    """As sent."""
    expected_seq: int | None = None
    """The instance's journal_seq by which preconditions were judged, 0 where there was none; nothing without any."""


def validate_for_backup(vault: Vault, server_id: str, policy_name: str, instance_key: str = "") -> Validated:
    """Check all that reads can tell.

    Args:
        vault: The vault.
        server_id: ARM id of the source server.
        policy_name: Name of one of the vault's policies.
        instance_key: The instance that is configured, if it is known: its own claim is no obstacle.

    Raises:
        InvalidInputError: code UserErrorDppDatasourceAlreadyProtected, or an id that is no flexible server's.
        NotFoundError: The server or the policy does not exist.
        ServerNotReadyError: The server cannot be backed up as it is.
        NotAuthorizedError: The control identity may not even read it.
    """
    require_server_id(server_id, "properties.dataSourceInfo.resourceID")
    policy = catalog.get_policy(vault.ports, policy_name)
    claimed_by = catalog.find_server_claim(vault.ports, server_id)
    if claimed_by is not None and claimed_by != instance_key:
        raise _already_protected(vault, server_id, claimed_by)
    server = get_server(vault.ports.servers, server_id)
    points = catalog.list_sealed_points(vault.ports, instance_key) if instance_key else ()
    facts = gather_facts(vault, server, instance_key, points)
    findings = examine_server(facts, vault.ports.clock.storage_now())
    try:
        refuse_errors(findings)
    except ServerIsChangingError as error:
        raise InvalidInputError(
            error.message, code=OPERATION_FAILED, inner_code=NOT_READY, target=server.id, hint=error.hint
        ) from None
    warnings = (*warnings_of(findings), *policy_warnings(vault.ports, server, policy, instance_key))
    return Validated(server=server, policy=policy, warnings=warnings)


def require_server_id(server_id: str, target: str) -> None:
    """Refuse an id that is no flexible server's.

    Raises:
        InvalidInputError: With the form that is expected.
    """
    parts = server_id.split("/")
    if len(parts) != SERVER_ID_PARTS or f"{parts[6]}/{parts[7]}".lower() != DATASOURCE_TYPE.lower():
        raise InvalidInputError(
            f"'{server_id}' is no id of a flexible server",
            target=target,
            hint=f"send /subscriptions/../resourceGroups/../providers/{DATASOURCE_TYPE}/NAME",
        )


def require_rights(vault: Vault, server: Server) -> None:
    """Refuse when the control identity may not back the server up and may not give itself the right to.

    Raises:
        NotAuthorizedError: code UserErrorMissingRequiredPermissions; the hint holds the commands.
    """
    missing = vault.ports.roles.find_missing(server.id)
    if missing and not vault.ports.roles.can_grant(server.id):
        raise missing_rights(vault, server.id, missing)


def request_protection(
    vault: Vault, request: ProtectionRequest, actor: Mapping[str, str], request_key: str
) -> tuple[Instance, str, OpenJob | None]:
    """Begin to configure protection; answers the instance, the job and, when it is new, its open row.

    Raises:
        ConflictError: code OperationInProgress: another configuration of this instance runs; or it is being deleted.
        InvalidInputError: The properties are too large to keep, or the instance is paused.
        ApprovalRequiredError: The instance is protected, and the policy keeps less than its present one.
        PreconditionFailedError: It is not what the request expects any more.
    """
    require_small(request.properties, "backup instance", request.name, LARGEST_INSTANCE)
    now = vault.ports.clock.storage_now()
    key = names.instance_key(request.instance_id)
    before = catalog.find_instance_by_key(vault.ports, key)
    if before is not None:
        _require_configurable(vault, before, request.server_id)
    validated = validate_for_backup(vault, request.server_id, request.policy_name, key)
    approval = find_approval(vault, before, validated.policy, request.properties, actor)
    request_key = _key_anew(vault, request, request_key, before, now)
    job = _configure_job(request, validated, actor, names.request_job_id(request_key, now), now)
    keeps_policy = before is not None and before.policy_name.lower() == validated.policy.name.lower()
    # After all that was asked of ARM, which takes long; what comes between here and the claim finds no open job.
    _require_expected(vault, request, key)
    wanted = {**job.state["request"], **approval}
    job = replace(job, state={**job.state, "request": wanted, "changes_policy": not keeps_policy})
    try:
        claimed = claim_once(vault.ports, request_key, job, now)
    except AlreadyExistsError:
        raise ConflictError(
            f"another configuration of backup instance '{request.name}' is running",
            code="OperationInProgress",
            target=request.instance_id,
            hint="wait for its end: list the vault's backup jobs",
        ) from None
    if isinstance(claimed, str):
        first = catalog.find_open_job(vault.ports, row_keys.open_row(Operation.CONFIGURE, key))
        if first is not None and first.job_id == claimed:
            _append_requested(vault, first)  # the first request may have died before it did
        return catalog.get_instance(vault.ports, request.instance_id), claimed, None
    _append_requested(vault, claimed)
    return catalog.get_instance(vault.ports, request.instance_id), claimed.job_id, claimed


def _require_expected(vault: Vault, request: ProtectionRequest, key: str) -> None:
    if request.expected_seq is None:
        return
    found = catalog.find_instance_by_key(vault.ports, key)
    if request.expected_seq != (found.journal_seq if found is not None else 0):
        raise PreconditionFailedError(
            f"the backup instance '{request.name}' was changed since its preconditions were judged",
            target=request.instance_id,
            hint="read it again, then send the change",
        )


def _key_anew(
    vault: Vault, request: ProtectionRequest, request_key: str, before: Instance | None, now: datetime
) -> str:
    """Answer another key when the same request came before and the instance was changed otherwise since then."""
    known = catalog.find_request(vault.ports, request_key, now)
    job = catalog.find_job(vault.ports, known) if known else None
    if job is None or job.status is JobStatus.IN_PROGRESS:
        return request_key
    if before is None:
        row = catalog.find_instance_row(vault.ports, names.instance_key(request.instance_id))
        return names.request_key("again", request_key, seq_of(row), "") if row else request_key
    is_so = before.properties == request.properties and before.policy_name.lower() == request.policy_name.lower()
    if is_so and before.rights is None:
        return request_key
    return names.request_key("again", request_key, before.journal_seq, "")


def _configure_job(
    request: ProtectionRequest, validated: Validated, actor: Mapping[str, str], job_id: str, now: datetime
) -> NewJob:
    key = names.instance_key(request.instance_id)
    common = {
        "instance_id": request.instance_id,
        "instance_name": request.name,
        "server_id": validated.server.id,
        "server_location": validated.server.location,
        "policy_name": validated.policy.name,
        "policy_seq": validated.policy.journal_seq,
    }
    friendly_name = str(request.properties.get("friendlyName") or validated.server.name)
    return NewJob(
        job_id=job_id,
        operation=Operation.CONFIGURE,
        subject=key,
        instance=key,
        not_before=now,
        is_user_triggered=True,
        facts={**common, "friendly_name": friendly_name, "server_name": validated.server.name},
        state={
            "request": {**common, "instance": key, "properties": dict(request.properties)},
            "actor": dict(actor),
            "warnings": [dict(entry) for entry in validated.warnings],
        },
    )


def grant_roles(run: StepRun) -> Result:
    """Assign the two source roles where the vault may, or verify that they are there."""
    _append_requested(run.vault, run.open)
    server_id = str(run.open.state["request"]["server_id"])
    if is_being_removed(run.ports, server_id, run.now()):
        return _look_again(run)
    may_be_there = not were_just_removed(run.ports, server_id, run.now())
    if "intended" not in run.open.state and may_be_there and not run.ports.roles.find_missing(server_id):
        return Result(outcome=Outcome.DONE, state={"assignments": []})
    # The intent comes first: who dies after the grant must not leave assignments that nobody knows to remove.
    intended = list(run.ports.roles.planned_assignments(server_id))
    run.record(lambda _current: {"intended": intended})
    try:
        assignments = run.ports.roles.grant(server_id)
    except NotAuthorizedError:
        if run.ports.roles.find_missing(server_id):
            return _configuring_failed(run, server_id)
        assignments = ()
    state = {"assignments": list(assignments), "granted_at": run.now().isoformat()}
    return Result(outcome=Outcome.DONE, state=state)


def verify_roles(run: StepRun) -> Result:
    """Wait until the roles have taken effect."""
    server_id = str(run.open.state["request"]["server_id"])
    if not run.ports.roles.find_missing(server_id):
        return Result(outcome=Outcome.DONE)
    granted_at = run.open.state.get("granted_at")
    if granted_at is None or run.now() - datetime.fromisoformat(granted_at) > PROPAGATION:
        return _configuring_failed(run, server_id)
    return _look_again(run)


def _look_again(run: StepRun) -> Result:
    looks = int(run.open.state.get("looks", 0)) + 1
    wait = min(LOOK_AGAIN_SECONDS, run.settings.poll_floors_seconds[0])
    return Result(outcome=Outcome.AGAIN, wait_seconds=wait, state={"looks": looks, "progress": f"look {looks}"})


def record_protection(run: StepRun) -> Result:
    """Journal that the instance is protected; its slots count from now on."""
    request = run.open.state["request"]
    instance = catalog.find_instance_by_key(run.ports, run.open.instance)
    was_running = instance is not None and instance.state is ProtectionState.UPDATING
    body = {
        "job_id": run.open.job_id,
        "instance": run.open.instance,
        "server_id": request["server_id"],
        "assignments": run.open.state["assignments"],
        "slots_from": run.now().isoformat(),
        "restarts_schedule": not was_running or run.open.state["changes_policy"],
        "before": {"state": instance.state.value} if instance is not None else None,
        "after": {"state": ProtectionState.CONFIGURED.value},
    }
    draft = Draft(
        stream=blob_names.VAULT_STREAM,
        type="ProtectionConfigured",
        key=run.open.job_id,
        body=body,
        actor=run.open.actor,
        check=lambda rows: _require_configurable_row(run.vault, rows, run.open),
    )
    append(run.ports, draft)
    if instance is not None and instance.rights:
        facts = {"instance": instance.name, "server_id": instance.server_id}
        run.ports.telemetry.emit("RightsRestored", facts)
    warnings = list(run.open.state.get("warnings", []))
    status = JobStatus.COMPLETED_WITH_WARNINGS if warnings else JobStatus.COMPLETED
    return closes_as(status, warnings=warnings)


def _append_requested(vault: Vault, opened: OpenJob) -> None:
    """Make the instance visible and claim its server; the job's first step repeats it, should this process die."""
    request: Mapping[str, Any] = opened.state["request"]
    instance = catalog.find_instance_by_key(vault.ports, opened.instance)
    is_running = instance is not None and instance.state in RUNS_BACKUPS
    state = ProtectionState.UPDATING if is_running else ProtectionState.CONFIGURING

    def check(rows: Rows) -> None:
        _require_configurable_row(vault, rows, opened)
        _require_unfinished(rows, opened)
        claim = rows[server_target(str(request["server_id"]))]
        if claim is not None and claim.values["instance"] != opened.instance:
            raise _already_protected(vault, str(request["server_id"]), str(claim.values["instance"]))
        policy = rows[policy_target(str(request["policy_name"]))]
        if policy is None or policy.values.get("is_deleted"):
            name = str(request["policy_name"])
            raise InvalidInputError(
                f"the policy '{name}' was deleted meanwhile", target=name, hint="choose another one"
            )
        require_still_allowed(vault, rows, request)

    before = None
    if instance is not None:
        before = {
            "state": instance.state.value,
            "policy_name": instance.policy_name,
            "properties": instance.properties,
        }
    after = {"state": state.value, "policy_name": request["policy_name"], "properties": request["properties"]}
    body = {**request, "job_id": opened.job_id, "state": state.value, "before": before, "after": after}
    draft = Draft(
        stream=blob_names.VAULT_STREAM,
        type="ProtectionRequested",
        key=opened.job_id,
        body=body,
        actor=opened.actor,
        check=check,
    )
    append(vault.ports, draft)


def _require_configurable_row(vault: Vault, rows: Rows, opened: OpenJob) -> None:
    """Refuse to configure an instance that was paused, or whose deletion was begun, since the request was looked at."""
    row = rows[instance_target(opened.instance)]
    if row is not None and not row.values.get("is_deleted"):
        _require_configurable(vault, Instance.from_values(row.values), str(opened.state["request"]["server_id"]))


def _require_configurable(vault: Vault, instance: Instance, server_id: str) -> None:
    if instance.state is ProtectionState.SOFT_DELETED:
        raise already_soft_deleted(vault.ports, server_id, instance)
    require_configurable(instance)


def _require_unfinished(rows: Rows, opened: OpenJob) -> None:
    """Refuse to begin what nobody would end: a job that failed or is closed configures nothing any more."""
    row = rows[job_target(opened.job_id)]
    if row is not None and (row.values.get("failed_event_id") or row.values.get("closed_event_id")):
        raise ConflictError(
            f"the configuration of backup instance '{opened.state['request']['instance_name']}' ended meanwhile",
            target=str(opened.state["request"]["instance_id"]),
            hint=f"see why in job {opened.job_id}, then send the request again",
        )


def _already_protected(vault: Vault, server_id: str, claimed_by: str) -> InvalidInputError:
    other = catalog.find_instance_by_key(vault.ports, claimed_by)
    if other is not None and other.state is ProtectionState.SOFT_DELETED:
        return already_soft_deleted(vault.ports, server_id, other)
    named = f"the backup instance '{other.name}'" if other is not None else "another backup instance"
    is_going = other is not None and other.state is ProtectionState.DELETING
    return InvalidInputError(
        f"the server '{server_id}' is already protected by {named} of this vault"
        + (", which is being deleted" if is_going else ""),
        code=ALREADY_PROTECTED,
        target=server_id,
        hint="wait until its last recovery point is gone: GET of that instance says what storage keeps until when"
        if is_going
        else "use the instance that is there",
    )


def _configuring_failed(run: StepRun, server_id: str) -> Result:
    error = missing_rights(run.vault, server_id, run.ports.roles.find_missing(server_id))
    failure = Failure(code=error.code, message=error.message, recommended_action=error.hint)
    return closes_as(JobStatus.FAILED, failure, warnings=list(run.open.state.get("warnings", [])))


def record_failure(run: StepRun) -> None:
    """Say in the instance that its configuration failed, whatever ended it; part of closing such a job."""
    request = run.open.state["request"]
    body = {
        "job_id": run.open.job_id,
        "instance": run.open.instance,
        "server_id": request["server_id"],
        "error": run.open.state.get("closing_error"),
        "assignments": run.open.state.get("assignments", run.open.state.get("intended", [])),
    }

    def check(rows: Rows) -> None:
        job = rows[job_target(run.open.job_id)]
        if job is not None and job.values.get("configured_event_id"):
            raise ConflictError("the protection is configured; only its job did not end well")

    draft = Draft(
        stream=blob_names.VAULT_STREAM,
        type="ProtectionFailed",
        key=run.open.job_id,
        body=body,
        actor=run.open.actor,
        check=check,
    )
    with suppress(ConflictError):
        append(run.ports, draft)
