"""Operations on backup instances: configure protection, and check whether it could be."""

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from flexvault.api import shapes
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call, require_name
from flexvault.api.checks import run_check
from flexvault.api.pages import answer_page, read_page
from flexvault.api.resource_ids import is_resource_id
from flexvault.api.views import show_instance
from flexvault.domain import names, row_keys
from flexvault.domain.azure_codes import ALREADY_PROTECTED
from flexvault.domain.errors import ConflictError, InvalidInputError, NotFoundError, TransientError
from flexvault.domain.instance import PAUSED, BrokenPoint, Instance, ProtectionState
from flexvault.domain.job import Failure, Operation
from flexvault.domain.poisoning import Poisoning
from flexvault.domain.policy import DATASOURCE_TYPE
from flexvault.domain.protection_findings import describe_broken
from flexvault.domain.protection_moves import require_configurable
from flexvault.domain.suspicion import POISONING_SUSPECTED
from flexvault.services import catalog, protection
from flexvault.services.immutability import LeftByStorage, find_left
from flexvault.services.operations import record_operation
from flexvault.services.poisoning_guard import read_poisoning
from flexvault.services.rights import verify_instance
from flexvault.services.soft_delete import find_gone_at, read_soft_deletion, tell_soft_deleted
from flexvault.services.verifications import list_broken


def list_instances(call: Call) -> Answer:
    """List backup instances, in an order of their own that stays; soft-deleted ones have a list of their own."""
    page = read_page(call, INSTANCE_PLACE)
    found = catalog.list_instances(call.vault.ports, after=page.after)
    listed = (one for one in found if one.state is not ProtectionState.SOFT_DELETED)
    return answer_page(call, page, listed, lambda one: one.key, lambda one: show_instance(call.ids, one))


INSTANCE_PLACE = re.compile(r"[0-9a-f]{32}")


def get_instance(call: Call) -> Answer:
    """Show one backup instance; what keeps its points against expectation stands where an error would."""
    instance = find_named(call)
    answer = _answer(call, instance)
    error = None if instance.error is not None else _find_remark(call, instance)
    if error is None or answer.body is None:
        return answer
    status = {**answer.body["properties"]["protectionStatus"], "errorDetails": error}
    properties = {**answer.body["properties"], "protectionErrorDetails": error, "protectionStatus": status}
    return replace(answer, body={**answer.body, "properties": properties})


def _find_remark(call: Call, instance: Instance) -> dict[str, Any] | None:
    ports = call.vault.ports
    if instance.state is ProtectionState.DELETING:
        left = find_left(ports, instance.key, ports.clock.storage_now())
        return None if left is None else _left(left)
    if instance.state is ProtectionState.SOFT_DELETED:
        return _soft_deleted(call, instance)
    poisoning = read_poisoning(ports, instance.key)
    if poisoning.is_suspected:
        return _paused(instance, poisoning)
    broken = list_broken(ports, instance.key)
    return _broken(instance, broken) if broken else None


def _soft_deleted(call: Call, instance: Instance) -> dict[str, Any]:
    ports = call.vault.ports
    purge_at = read_soft_deletion(ports, instance).purge_at
    gone_at = find_gone_at(ports, instance, purge_at)
    is_over = ports.clock.storage_now() >= purge_at
    back = f"/deletedBackupInstances/{instance.name}/undelete"
    return Failure(
        code="BackupInstanceSoftDeleted",
        message=f"it was deleted and is SoftDeleted: {tell_soft_deleted(purge_at, gone_at, is_over=is_over)}",
        recommended_action="restore what you need while it is there"
        if is_over
        else f"undelete it until {purge_at.isoformat()}, with POST {call.ids.vault}{back}, or let it go",
        is_user_error=False,
    ).to_json()


def _left(left: LeftByStorage) -> dict[str, Any]:
    until = f"until {left.until.isoformat()}" if left.until else "by a legal hold"
    return Failure(
        code="RecoveryPointsImmutable",
        message=f"{left.count} recovery point(s) are kept by storage {until}; each is deleted when storage lets it go",
        recommended_action="wait; until then each of them can be restored",
        is_user_error=False,
    ).to_json()


def _paused(instance: Instance, poisoning: Poisoning) -> dict[str, Any]:
    first = poisoning.suspects[0]
    own = f"/api/vault/backupInstances/{instance.name}"
    return Failure(
        code=POISONING_SUSPECTED,
        message=f"expiry is paused: recovery point {first.point_id} may be poisoned: {first.suspicion.describe()}",
        recommended_action=f"look at it with GET {own}/poisoning, then POST {own}/acknowledgePoisoning with a reason, "
        "and have a second person approve it",
        is_user_error=False,
    ).to_json()


def _broken(instance: Instance, broken: Sequence[BrokenPoint]) -> dict[str, Any]:
    found = describe_broken(instance, broken)
    return Failure(
        code=found.code, message=found.message, recommended_action=found.remedy, is_user_error=False
    ).to_json()


def put_instance(call: Call) -> Answer:
    """Configure protection, or change it; what is already so is answered with 200 at once."""
    name = require_name(call.params["instance"], "backup instance")
    properties: Any = call.body(shapes.INSTANCE).get("properties")
    server_id, policy_name = read_instance(call, properties, "properties")
    properties = with_policy_id(call, properties, policy_name)
    old = _find_as_expected(call, name)
    if old is not None:
        require_same_server(old, server_id)
        if _says_the_same(old, properties) and old.state in _SETTLED and old.error is None and has_rights(call, old):
            return _answer(call, old)
    request = protection.ProtectionRequest(
        instance_id=call.ids.instance(name) if old is None else old.id,
        name=name if old is None else old.name,
        server_id=server_id,
        policy_name=policy_name,
        properties=properties,
        expected_seq=_expected_seq(call, old),
    )
    try:
        return find_running(call, request) or configure(call, request)
    except InvalidInputError:
        # What the client read may have been soft-deleted since it was compared: then that is what is wrong.
        _find_as_expected(call, name)
        raise


def _find_as_expected(call: Call, name: str) -> Instance | None:
    """Answer the instance of a name, if there is one and it is what the client's preconditions expect.

    Raises:
        PreconditionFailedError: It is not; for `If-Match` a soft-deleted instance is none.
    """
    found = catalog.find_instance(call.vault.ports, call.ids.instance(name))
    is_there = found is not None and found.state is not ProtectionState.SOFT_DELETED
    call.require_preconditions(instance_etag(found) if found and is_there else None, f"the backup instance '{name}'")
    return found


def _expected_seq(call: Call, old: Instance | None) -> int | None:
    is_conditional = not {"if-match", "if-none-match"}.isdisjoint(call.request.headers)
    return (old.journal_seq if old is not None else 0) if is_conditional else None


def with_policy_id(call: Call, properties: Mapping[str, Any], policy_name: str) -> dict[str, Any]:
    """Write the policy's id as the vault spells it: clients send it in any case, and some read it strictly."""
    policy = catalog.find_policy(call.vault.ports, policy_name)
    policy_id = call.ids.policy(policy_name if policy is None else policy.name)
    return {**properties, "policyInfo": {**properties["policyInfo"], "policyId": policy_id}}


def _says_the_same(old: Instance, properties: Mapping[str, Any]) -> bool:
    """Compare what was sent; who sends back what GET showed sends the name that was filled in, too."""
    shown = {"friendlyName": old.friendly_name}
    return {**shown, **old.properties} == {**shown, **properties}


def has_rights(call: Call, instance: Instance) -> bool:
    """Ask ARM now: by an identical PUT a person has lost rights granted again, also before the night has seen it."""
    if instance.state is ProtectionState.CONFIGURED:
        verify_instance(call.vault, instance, call.vault.ports.clock.storage_now())
        instance = catalog.get_instance(call.vault.ports, instance.id)
    return instance.rights is None


_SETTLED = frozenset({ProtectionState.CONFIGURED, *PAUSED})


def validate_for_backup(call: Call) -> Answer:
    """Check whether a server could be protected, and keep the verdict as an operation that has ended."""
    body = call.body(shapes.VALIDATE_FOR_BACKUP)
    server_id, policy_name = read_instance(call, body.get("backupInstance"), "backupInstance")

    def check() -> tuple[Mapping[str, Any], ...]:
        validated = protection.validate_for_backup(call.vault, server_id, policy_name)
        protection.require_rights(call.vault, validated.server)
        return validated.warnings

    return run_check(call, body, check, at_once={ALREADY_PROTECTED})


def find_named(call: Call) -> Instance:
    """Answer the backup instance that the path names.

    Raises:
        NotFoundError: There is none.
    """
    return catalog.get_instance(call.vault.ports, call.ids.instance(call.params["instance"]))


def instance_etag(instance: Instance) -> str:
    """Answer the ETag of what a client may set."""
    return names.content_etag({"properties": instance.properties})


def find_by_name_or_id(call: Call, name: str) -> Instance:
    """Find an instance that a body names: by its name or its ARM id.

    Raises:
        NotFoundError: There is none.
    """
    prefix = call.ids.instance("").lower()
    plain = name[len(prefix) :].rstrip("/") if name.lower().startswith(prefix) else name
    return catalog.get_instance(call.vault.ports, call.ids.instance(plain))


@contextmanager
def body_references() -> Generator[None]:
    """Answer 400 when something that the body names does not exist: 404 would say that of the path.

    Raises:
        InvalidInputError: In place of NotFoundError, with its code and its hint.
    """
    try:
        yield
    except NotFoundError as error:
        raise InvalidInputError(
            error.message, code=error.code, hint=error.hint, target=error.target, inner_code=error.inner_code
        ) from None


def read_instance(call: Call, properties: Any, path: str) -> tuple[str, str]:
    """Answer the id of the server and the name of the policy that a client's properties name.

    Raises:
        InvalidInputError: Something in them cannot be used; every mistake is a detail.
    """
    reader = Reader(properties, path)
    reader.expect("objectType", "BackupInstance")
    source = reader.inner("dataSourceInfo")
    source.expect("objectType", "Datasource", optional=True)
    source.expect("datasourceType", DATASOURCE_TYPE, optional=True)
    server_id = source.text("resourceID")
    if server_id and not is_resource_id(server_id):
        source.wrong(f"{path}.dataSourceInfo.resourceID", f"'{server_id}' is no ARM id")
    policy_id = reader.inner("policyInfo").text("policyId")
    reader.expect("validationType", "ShallowValidation", "DeepValidation", optional=True)
    reader.text("friendlyName", optional=True)
    # A secret must not come to lie in tables and journal; flexible servers are read by the vault's identity.
    if isinstance(properties, Mapping) and "datasourceAuthCredentials" in properties:
        reader.wrong(f"{path}.datasourceAuthCredentials", "must be absent: flexible servers need no credentials")
    reader.finish("backup instance")
    return server_id, call.ids.policy_name_of(policy_id)


def require_same_server(old: Instance, server_id: str) -> None:
    """Refuse to move an instance to another server.

    Raises:
        InvalidInputError: The id is another server's.
    """
    if old.server_id.lower() != server_id.lower():
        raise InvalidInputError(
            f"backup instance '{old.name}' protects '{old.server_id}' and cannot be moved to '{server_id}'",
            target="properties.dataSourceInfo.resourceID",
            hint="configure another backup instance for the other server",
        )


def find_running(call: Call, request: protection.ProtectionRequest) -> Answer | None:
    """Answer the operation that does just this already, whoever asked for it."""
    key = row_keys.open_row(Operation.CONFIGURE, names.instance_key(request.instance_id))
    opened = catalog.find_open_job(call.vault.ports, key)
    if opened is None or opened.state["request"]["properties"] != request.properties:
        return None
    instance = catalog.find_instance(call.vault.ports, request.instance_id)
    if instance is None:
        raise TransientError(f"the backup instance '{request.name}' is being recorded", code="OperationInProgress")
    # It may have been paused or deleted after the job was claimed: that job comes to nothing.
    require_configurable(instance)
    return _accepted(call, instance, opened.job_id)


def configure(call: Call, request: protection.ProtectionRequest) -> Answer:
    """Begin to configure protection and answer as PUT does, or the operation that does just this already."""
    with body_references():
        if str(request.properties.get("validationType", "")).lower() == "deepvalidation":
            key = names.instance_key(request.instance_id)
            validated = protection.validate_for_backup(call.vault, request.server_id, request.policy_name, key)
            protection.require_rights(call.vault, validated.server)
        request_key = call.request_key(request.properties)
        try:
            instance, job_id, opened = protection.request_protection(call.vault, request, call.actor(), request_key)
        except ConflictError:
            # The same request may have come twice at once; the other one was faster.
            running = find_running(call, request)
            if running is None:
                raise
            return running
    if opened is not None:
        call.begin(opened.key)
    return _accepted(call, instance, job_id)


def _accepted(call: Call, instance: Instance, job_id: str) -> Answer:
    operation_id = names.operation_id(call.operation.name, job_id)
    record_operation(
        call.vault.ports,
        operation_id=operation_id,
        kind=call.operation.name,
        job_id=job_id,
        follows_job=True,
        resource_id=instance.id,
    )
    return Answer(
        status=HTTPStatus.CREATED,
        body=show_instance(call.ids, instance),
        etag=instance_etag(instance),
        operation_id=operation_id,
        waits=True,
    )


def _answer(call: Call, instance: Instance) -> Answer:
    return Answer(body=show_instance(call.ids, instance), etag=instance_etag(instance))
