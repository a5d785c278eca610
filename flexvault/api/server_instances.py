"""The backup instances of a source server, asked for below the server's own id."""

from http import HTTPStatus

from flexvault.api.call import Answer, Call
from flexvault.api.instances import INSTANCE_PLACE
from flexvault.api.pages import answer_page, read_page
from flexvault.api.problems import RefusedError
from flexvault.api.resource_ids import is_resource_id
from flexvault.api.views import show_instance
from flexvault.services import catalog


def list_instances_of(call: Call) -> Answer:
    """List the backup instances that protect the resource of the path; none when it is not protected here."""
    resource_id = call.params["resource"]
    if not is_resource_id(resource_id):
        raise RefusedError(
            f"'{resource_id}' is no ARM id, so nothing is protected under it",
            status=HTTPStatus.NOT_FOUND,
            code="ResourceNotFound",
            target=resource_id,
            hint="send the whole id of a server, beginning with /subscriptions/",
        )
    page = read_page(call, INSTANCE_PLACE)
    found = catalog.find_protector(call.vault.ports, resource_id)
    protecting = [] if found is None or found.key <= page.after else [found]
    return answer_page(call, page, protecting, lambda one: one.key, lambda one: show_instance(call.ids, one))
