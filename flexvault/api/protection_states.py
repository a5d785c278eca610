"""Stop, suspend and resume protection, delete a backup instance with its data."""

from http import HTTPStatus
from typing import Any

from flexvault.api import shapes
from flexvault.api.accepting import accept
from flexvault.api.call import Answer, Call
from flexvault.api.instances import instance_etag
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.protection_moves import Verb
from flexvault.services import catalog
from flexvault.services.apply_retention import claim_retention
from flexvault.services.protection_states import change_protection, request_deletion
from flexvault.services.rights import verify_instance


def stop_protection(call: Call) -> Answer:
    """End backups and retain every recovery point for ever."""
    return _change(call, Verb.STOP)


def suspend_backups(call: Call) -> Answer:
    """End backups; recovery points expire as before, but for the newest good one."""
    return _change(call, Verb.SUSPEND)


def resume_backups(call: Call) -> Answer:
    """End a suspension."""
    return _change(call, Verb.RESUME_BACKUPS)


def resume_protection(call: Call) -> Answer:
    """End a suspension or a stop."""
    return _change(call, Verb.RESUME_PROTECTION)


def delete_instance(call: Call) -> Answer:
    """Delete an instance with its data; 204 when there is none.

    With soft delete on the operation has ended at once: the instance is soft-deleted. Else it ends when the last
    recovery point is gone.
    """
    name = call.params["instance"]
    old = catalog.find_instance(call.vault.ports, call.ids.instance(name))
    call.require_preconditions(None if old is None else instance_etag(old), f"the backup instance '{name}'")
    instance = request_deletion(call.vault, call.ids.instance(name), call.actor())
    if instance is None:
        return Answer(status=HTTPStatus.NO_CONTENT)
    is_soft = instance.state is ProtectionState.SOFT_DELETED
    subject, follows = f"{instance.key}-{instance.deletion_seq}", 0 if is_soft else instance.deletion_seq
    answer = accept(call, subject, instance.id, follows_deletion=follows)
    if not is_soft:
        begin_retention(call)
    return answer


def begin_retention(call: Call) -> None:
    """Have the data deleted at once; while retention runs already, its next run does it."""
    opened = claim_retention(call.vault, call.vault.ports.clock.storage_now(), call.actor())
    if opened is not None:
        call.begin(opened.key)


def _change(call: Call, verb: Verb) -> Answer:
    check_empty_body(call)
    instance = change_protection(call.vault, call.ids.instance(call.params["instance"]), verb, call.actor())
    if instance.state is ProtectionState.CONFIGURED:
        # It may never have had the rights: one whose configuration failed can be deleted and undeleted, too.
        verify_instance(call.vault, instance, call.vault.ports.clock.storage_now())
    return accept(call, f"{instance.key}-{instance.journal_seq}", instance.id)


def check_empty_body(call: Call) -> None:
    """Accept what clients send: nothing, an empty object, or requests to a Resource Guard, which this vault has not.

    Raises:
        InvalidInputError: It is something else.
    """
    if not call.request.body.strip():
        return
    requests: Any = call.body(shapes.PROTECTION_CHANGE).get("resourceGuardOperationRequests", [])
    if not isinstance(requests, list):
        raise InvalidInputError(
            "resourceGuardOperationRequests: must be a list",
            target="resourceGuardOperationRequests",
            hint="leave it out: this vault asks a second person by approvals of its own",
        )
