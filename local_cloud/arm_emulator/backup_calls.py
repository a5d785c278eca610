"""Long-term retention: the check, the start, the operations and their two long-running-operation views."""

import re
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from local_cloud.arm_emulator.backups import BackupOrder
from local_cloud.arm_emulator.clock import wire_time
from local_cloud.arm_emulator.faults import Stage
from local_cloud.arm_emulator.operations import FAILED, RUNNING, SUCCEEDED, BackupOperation
from local_cloud.arm_emulator.problems import ArmError, bad_request, conflict, resource_not_found
from local_cloud.arm_emulator.resources import SERVER_TYPE, FlexibleServer, ServerState
from local_cloud.arm_emulator.routing import LOCATION, SERVER, Answer, Call, Operation
from local_cloud.arm_emulator.server_calls import server_of
from local_cloud.arm_emulator.upload import InvalidSasError, SasContainer
from local_cloud.arm_emulator.views import (
    async_operation_view,
    backup_result_view,
    backup_view,
    long_running_headers,
)

if TYPE_CHECKING:
    from local_cloud.arm_emulator.emulator import Emulator

_BACKUP_NAME = re.compile(r"[-\w.]{1,128}", re.ASCII)


def _check_prerequisites(emulator: "Emulator", call: Call) -> Answer:
    server = server_of(emulator, call)
    _backup_name(call)
    _require_backup_is_possible(server)
    return Answer(body={"properties": {"numberOfContainers": server.containers}})


def _start(emulator: "Emulator", call: Call) -> Answer:
    server = server_of(emulator, call)
    name = _backup_name(call)
    targets = _targets(emulator, call, server)
    _require_backup_is_possible(server)
    operation = _begin(emulator, call, server, name, targets)
    headers = long_running_headers(
        call.base_url,
        subscription_id=server.subscription_id,
        location=server.location,
        operation_id=operation.operation_id,
        api_version=call.query["api-version"],
        started_at=operation.started_at,
    )
    body = {
        "operation": "LongTermRetentionBackupManagementOperation",
        "startTime": wire_time(operation.started_at),
    }
    return Answer(status=HTTPStatus.ACCEPTED, body=body, headers=headers)


def _begin(
    emulator: "Emulator", call: Call, server: FlexibleServer, name: str, targets: tuple[SasContainer, ...]
) -> BackupOperation:
    emulator.operations.require_idle(server)  # a refused start uses up no fault
    faults = {fault.name: fault for fault in emulator.faults.take(Stage.BACKUP, call.method, call.target)}
    seconds = {
        fault: faults[fault].parameters["seconds"] for fault in ("not-visible", "slow-backup") if fault in faults
    }
    ordinary = server.minimum_duration_seconds
    if ordinary is None:
        ordinary = emulator.config.minimum_duration_seconds
    operation = emulator.operations.begin(
        server,
        backup_name=name,
        containers=tuple(target.name for target in targets),
        hidden_for=timedelta(seconds=seconds.get("not-visible", 0)),
        minimum_duration=timedelta(seconds=seconds.get("slow-backup", ordinary)),
    )
    if "odd-report" in faults:
        emulator.operations.update(operation.operation_id, reported=faults["odd-report"].parameters["properties"])
    emulator.runner.start(BackupOrder(server=server, operation=operation, targets=targets, faults=faults))
    return operation


def _get(emulator: "Emulator", call: Call) -> Answer:
    server = server_of(emulator, call)
    for operation in emulator.operations.visible_of(server):
        if operation.backup_name == call.params["backup"]:
            return Answer(body=backup_view(operation, emulator.clock()))
    raise resource_not_found(
        SERVER_TYPE, f"{server.name}/ltrBackupOperations/{call.params['backup']}", server.resource_group
    )


def _list(emulator: "Emulator", call: Call) -> Answer:
    server = server_of(emulator, call)
    now = emulator.clock()
    found = emulator.operations.visible_of(server)
    return Answer(body={"value": [backup_view(operation, now, is_listed=True) for operation in found]})


def _async_operation(emulator: "Emulator", call: Call) -> Answer:
    deleted_at = emulator.deletions.get(call.params["operation"])
    if deleted_at is not None:
        body = {"name": call.params["operation"], "status": SUCCEEDED, "startTime": wire_time(deleted_at)}
        return Answer(body=body)
    operation = _operation_of(emulator, call, "Microsoft.DBforPostgreSQL/locations/azureAsyncOperation/read")
    return Answer(body=async_operation_view(operation))


def _operation_result(emulator: "Emulator", call: Call) -> Answer:
    if call.params["operation"] in emulator.deletions:
        return Answer(status=HTTPStatus.NO_CONTENT)
    operation = _operation_of(emulator, call, "Microsoft.DBforPostgreSQL/locations/operationResults/read")
    if operation.status == RUNNING:
        headers = long_running_headers(
            call.base_url,
            subscription_id=operation.subscription_id,
            location=operation.location,
            operation_id=operation.operation_id,
            api_version=call.query["api-version"],
            started_at=operation.started_at,
        )
        return Answer(status=HTTPStatus.ACCEPTED, headers=headers)
    if operation.status == FAILED:
        raise conflict(operation.error_code or "InternalServerError", operation.error_message or "The backup failed.")
    return Answer(status=HTTPStatus.CREATED, body=backup_result_view(operation, emulator.clock()))


def _operation_of(emulator: "Emulator", call: Call, action: str) -> BackupOperation:
    # The links lie under the subscription, where a vault has no role. Azure signs them instead; here the right is
    # asked for at the server that the operation belongs to.
    operation = emulator.operations.find(call.params["operation"])
    scope = f"/subscriptions/{call.params['subscription']}" if operation is None else operation.server_id
    emulator.access.require(call.principal, action, scope)
    if operation is None:
        raise ArmError(
            HTTPStatus.NOT_FOUND, "ResourceNotFound", f"The operation '{call.params['operation']}' was not found."
        )
    return operation


def _backup_name(call: Call) -> str:
    name = call.member("backupSettings", "backupName")
    if not isinstance(name, str) or not _BACKUP_NAME.fullmatch(name):
        raise bad_request(
            "InvalidParameterValue",
            "backupSettings.backupName must have 1 to 128 characters out of letters, digits, '-', '_' and '.'.",
        )
    return name


def _targets(emulator: "Emulator", call: Call, server: FlexibleServer) -> tuple[SasContainer, ...]:
    given = call.member("targetDetails", "sasUriList")
    urls = cast("list[object]", given) if isinstance(given, list) else []
    if len(urls) < max(1, server.containers):
        raise bad_request(
            "InvalidParameterValue",
            f"targetDetails.sasUriList must hold {server.containers} container SAS URLs, as ltrPreBackup says.",
        )
    now = emulator.clock()
    targets: list[SasContainer] = []
    for ordinal, url in enumerate(urls):
        try:
            targets.append(SasContainer.parse(str(url), now=now))
        except InvalidSasError as error:
            # Without its cause: the parser's own errors may quote the URL.
            raise bad_request("InvalidParameterValue", f"targetDetails.sasUriList[{ordinal}]: {error}.") from None
    return tuple(targets)


def _require_backup_is_possible(server: FlexibleServer) -> None:
    if server.replication_role.is_replica():
        raise conflict(
            "OperationNotAllowedOnReadReplica",
            f"Long term retention backup is not supported on the read replica '{server.name}'.",
        )
    if server.state is not ServerState.READY:
        raise conflict(
            "ServerNotReadyForLongTermBackup",
            f"The server '{server.name}' is in state '{server.state}'. Long term retention backup needs state 'Ready'.",
        )


OPERATIONS = (
    Operation(
        name="BackupsLongTermRetention_CheckPrerequisites",
        method="POST",
        path=f"{SERVER}/ltrPreBackup",
        handler=_check_prerequisites,
        action=f"{SERVER_TYPE}/ltrPreBackup/action",
        scope=SERVER,
    ),
    Operation(
        name="BackupsLongTermRetention_Start",
        method="POST",
        path=f"{SERVER}/startLtrBackup",
        handler=_start,
        action=f"{SERVER_TYPE}/startLtrBackup/action",
        scope=SERVER,
    ),
    Operation(
        name="BackupsLongTermRetention_Get",
        method="GET",
        path=f"{SERVER}/ltrBackupOperations/{{backup}}",
        handler=_get,
        action=f"{SERVER_TYPE}/ltrBackupOperations/read",
        scope=SERVER,
    ),
    Operation(
        name="BackupsLongTermRetention_ListByServer",
        method="GET",
        path=f"{SERVER}/ltrBackupOperations",
        handler=_list,
        action=f"{SERVER_TYPE}/ltrBackupOperations/read",
        scope=SERVER,
    ),
    Operation(
        name="Locations_AzureAsyncOperation",
        method="GET",
        path=f"{LOCATION}/azureAsyncOperation/{{operation}}",
        handler=_async_operation,
        action=None,
    ),
    Operation(
        name="Locations_OperationResults",
        method="GET",
        path=f"{LOCATION}/operationResults/{{operation}}",
        handler=_operation_result,
        action=None,
    ),
)
