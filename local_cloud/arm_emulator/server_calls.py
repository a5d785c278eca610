"""Subscriptions, resource groups and flexible servers: get, list, delete; who else backs a server up."""

import base64
import binascii
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from local_cloud.arm_emulator.problems import bad_request
from local_cloud.arm_emulator.resources import FlexibleServer
from local_cloud.arm_emulator.routing import GROUP, SERVER, SERVERS, SUBSCRIPTION, Answer, Call, Operation
from local_cloud.arm_emulator.views import (
    azure_backup_instance_view,
    long_running_headers,
    resource_group_view,
    server_view,
    subscription_view,
)

if TYPE_CHECKING:
    from local_cloud.arm_emulator.emulator import Emulator

_READ_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers/read"


def server_of(emulator: "Emulator", call: Call) -> FlexibleServer:
    """Return the server that a path names.

    Raises:
        ArmError: 404, naming what does not exist.
    """
    return emulator.inventory.get_server(call.params["subscription"], call.params["group"], call.params["server"])


def _list_subscriptions(emulator: "Emulator", call: Call) -> Answer:
    mine = [
        subscription_view(subscription, emulator.config.tenant_id)
        for subscription in emulator.inventory.subscriptions()
        if emulator.access.reaches(call.principal, subscription.resource_id)
    ]
    return Answer(body={"value": mine, "count": {"type": "Total", "value": len(mine)}})


def _get_resource_group(emulator: "Emulator", call: Call) -> Answer:
    group = emulator.inventory.get_resource_group(call.params["subscription"], call.params["group"])
    return Answer(body=resource_group_view(group))


def _delete_resource_group(emulator: "Emulator", call: Call) -> Answer:
    group = emulator.inventory.get_resource_group(call.params["subscription"], call.params["group"])
    for server in emulator.inventory.servers_under(group.resource_id):
        emulator.delete_server(server)
    emulator.inventory.delete_resource_group(group)
    emulator.access.delete_below(group.resource_id)
    return Answer()


def _get_server(emulator: "Emulator", call: Call) -> Answer:
    return Answer(body=server_view(server_of(emulator, call)))


def _delete_server(emulator: "Emulator", call: Call) -> Answer:
    server = server_of(emulator, call)
    deletion_id = emulator.delete_server(server)
    headers = long_running_headers(
        call.base_url,
        subscription_id=server.subscription_id,
        location=server.location,
        operation_id=deletion_id,
        api_version=call.query["api-version"],
        started_at=emulator.clock(),
    )
    return Answer(status=HTTPStatus.ACCEPTED, headers=headers)


def _list_servers_of_subscription(emulator: "Emulator", call: Call) -> Answer:
    subscription = emulator.inventory.get_subscription(call.params["subscription"])
    return _page(emulator, call, emulator.inventory.servers_under(subscription.resource_id), server_view)


def _list_servers_of_group(emulator: "Emulator", call: Call) -> Answer:
    group = emulator.inventory.get_resource_group(call.params["subscription"], call.params["group"])
    return _page(emulator, call, emulator.inventory.servers_under(group.resource_id), server_view)


def _list_azure_backup_instances(emulator: "Emulator", call: Call) -> Answer:
    server = server_of(emulator, call)
    return _page(emulator, call, server.azure_backup_instances, partial(azure_backup_instance_view, server))


def _page[Item](
    emulator: "Emulator", call: Call, items: Sequence[Item], view: Callable[[Item], dict[str, Any]]
) -> Answer:
    start = _offset(call.query.get("$skiptoken"))
    end = start + emulator.config.page_size
    body: dict[str, Any] = {"value": [view(item) for item in items[start:end]]}
    if end < len(items):
        token = base64.urlsafe_b64encode(str(end).encode()).decode()
        body["nextLink"] = (
            f"{call.base_url}{call.path}?api-version={call.query['api-version']}&$skiptoken={quote(token)}"
        )
    return Answer(body=body)


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise bad_request("InvalidSkipToken", "The $skiptoken is not one that this service gave out.") from error


OPERATIONS = (
    Operation(name="Subscriptions_List", method="GET", path="/subscriptions", handler=_list_subscriptions, action=None),
    Operation(
        name="ResourceGroups_Get",
        method="GET",
        path=GROUP,
        handler=_get_resource_group,
        action="Microsoft.Resources/subscriptions/resourceGroups/read",
        scope=GROUP,
    ),
    Operation(
        name="ResourceGroups_Delete",
        method="DELETE",
        path=GROUP,
        handler=_delete_resource_group,
        action="Microsoft.Resources/subscriptions/resourceGroups/delete",
        scope=GROUP,
    ),
    Operation(
        name="Servers_ListBySubscription",
        method="GET",
        path=f"{SUBSCRIPTION}{SERVERS}",
        handler=_list_servers_of_subscription,
        action=_READ_SERVERS,
        scope=SUBSCRIPTION,
    ),
    Operation(
        name="Servers_ListByResourceGroup",
        method="GET",
        path=f"{GROUP}{SERVERS}",
        handler=_list_servers_of_group,
        action=_READ_SERVERS,
        scope=GROUP,
    ),
    Operation(
        name="BackupInstancesExtensionRouting_List",
        method="GET",
        path=f"{SERVER}/providers/Microsoft.DataProtection/backupInstances",
        handler=_list_azure_backup_instances,
        action="Microsoft.DataProtection/backupInstances/read",
        scope=SERVER,
    ),
    Operation(name="Servers_Get", method="GET", path=SERVER, handler=_get_server, action=_READ_SERVERS, scope=SERVER),
    Operation(
        name="Servers_Delete",
        method="DELETE",
        path=SERVER,
        handler=_delete_server,
        action="Microsoft.DBforPostgreSQL/flexibleServers/delete",
        scope=SERVER,
    ),
)
