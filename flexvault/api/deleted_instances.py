"""Operations on soft-deleted backup instances: see them, and bring them back while their period runs."""

from typing import Any

from flexvault.api.accepting import accept
from flexvault.api.call import Answer, Call
from flexvault.api.instances import INSTANCE_PLACE, instance_etag
from flexvault.api.pages import answer_page, read_page
from flexvault.api.protection_states import check_empty_body
from flexvault.api.views import show_deleted_instance
from flexvault.domain.instance import Instance, ProtectionState
from flexvault.services import catalog
from flexvault.services.soft_delete import (
    SoftDeletion,
    find_gone_at,
    no_such_deleted,
    read_soft_deletion,
    tell_soft_deletion,
    undelete,
)


def list_deleted_instances(call: Call) -> Answer:
    """List every soft-deleted backup instance, page by page."""
    page = read_page(call, INSTANCE_PLACE)
    listed = (one for one in catalog.list_instances(call.vault.ports, after=page.after) if _is_listed(one))
    return answer_page(
        call, page, listed, lambda one: one.key, lambda one: _show(call, one, tell_soft_deletion(call.vault.ports, one))
    )


def get_deleted_instance(call: Call) -> Answer:
    """Show one soft-deleted backup instance."""
    instance_id = call.ids.instance(call.params["instance"])
    instance = catalog.find_instance(call.vault.ports, instance_id)
    if instance is None or not _is_listed(instance):
        raise no_such_deleted(instance_id)
    deletion = read_soft_deletion(call.vault.ports, instance)
    return Answer(body=_show(call, instance, deletion), etag=instance_etag(instance))


def undelete_instance(call: Call) -> Answer:
    """Bring a soft-deleted backup instance back, with its protection stopped and its data retained for ever."""
    check_empty_body(call)
    instance = undelete(call.vault, call.ids.instance(call.params["instance"]), call.actor())
    return accept(call, f"{instance.key}-{instance.undeleted_seq}", instance.id)


def _is_listed(instance: Instance) -> bool:
    return instance.state is ProtectionState.SOFT_DELETED


def _show(call: Call, instance: Instance, deletion: SoftDeletion) -> dict[str, Any]:
    gone_at = find_gone_at(call.vault.ports, instance, deletion.purge_at)
    return show_deleted_instance(call.ids, instance, deletion, gone_at)
