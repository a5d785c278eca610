"""Check a change of a backup instance before it is sent, and bring an instance back to what its properties say."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from flexvault.api import shapes
from flexvault.api.accepting import accept
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.checks import run_check
from flexvault.api.instances import (
    configure,
    find_named,
    find_running,
    has_rights,
    read_instance,
    require_same_server,
    with_policy_id,
)
from flexvault.domain.instance import Instance, ProtectionState
from flexvault.domain.protection_moves import require_configurable
from flexvault.services.modify_checks import validate_for_modify
from flexvault.services.protection import ProtectionRequest

FORCE = "forceresync"


def validate_for_modify_backup(call: Call) -> Answer:
    """Check whether an instance could be changed as the body says, and keep the verdict as an operation."""
    instance = find_named(call)
    body = call.body(shapes.VALIDATE_FOR_BACKUP)
    sent: Any = body.get("backupInstance")
    server_id, policy_name = read_instance(call, sent, "backupInstance")
    properties = with_policy_id(call, sent, policy_name)

    def check() -> tuple[Mapping[str, Any], ...]:
        require_same_server(instance, server_id)
        return validate_for_modify(call.vault, instance, policy_name, properties)

    return run_check(call, body, check, resource_id=instance.id)


def sync(call: Call) -> Answer:
    """Try the last failed configuration again, or verify the rights of an instance that is protected.

    `ForceResync` configures a protected instance again even if it lacks nothing. A configuration that runs is answered
    as it stands; an instance that is paused or being deleted is refused.
    """
    instance = find_named(call)
    kind = _read_sync_type(call)
    request = ProtectionRequest(
        instance_id=instance.id,
        name=instance.name,
        server_id=instance.server_id,
        policy_name=instance.policy_name,
        properties=instance.properties,
    )
    running = find_running(call, request)
    if running is not None:
        return _accepted(running)
    require_configurable(instance)
    if instance.state is ProtectionState.CONFIGURED and kind != FORCE and has_rights(call, instance):
        return _nothing_to_do(call, instance)
    return _accepted(configure(call, request))


def _read_sync_type(call: Call) -> str:
    """Answer the kind of synchronization in lower case; nothing said is the default."""
    if not call.request.body.strip():
        return "default"
    body = call.body(shapes.SYNC)
    reader = Reader(body)
    reader.expect("syncType", "Default", "ForceResync", optional=True)
    reader.finish("synchronization")
    return str(body.get("syncType") or "Default").lower()


def _accepted(answer: Answer) -> Answer:
    """Answer the operation without the instance: this is a POST without a result."""
    return replace(answer, status=HTTPStatus.ACCEPTED, body=None, etag="")


def _nothing_to_do(call: Call, instance: Instance) -> Answer:
    return accept(call, call.request_key({}), instance.id)
