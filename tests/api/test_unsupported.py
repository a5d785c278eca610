"""Azure's operations without a meaning here answer why, behind the same door as everything else."""

import inspect
from urllib.parse import urlsplit

import pytest
from azure.mgmt.dataprotection.operations import _operations

from flexvault.api.call import ApiOperation
from flexvault.api.routing import find_operation
from flexvault.api.table import OPERATIONS, UNSUPPORTED
from tests.api.doors import VAULT_ID, Door
from tests.api.test_door import path_of
from tests.builders import SERVER_ID, SUBSCRIPTION

REFUSING = [pytest.param(one, id=f"{one.method} {one.template[-50:]}") for one in UNSUPPORTED if not one.statuses]
LISTS = [one for one in UNSUPPORTED if one.statuses]


@pytest.fixture(scope="module")
def door() -> Door:
    return Door()


@pytest.mark.parametrize("operation", REFUSING)
@pytest.mark.parametrize("body", [b"", b"{}", b"not JSON at all"], ids=["no body", "an object", "no JSON"])
def test_it_is_refused_with_the_reason_and_what_to_do_instead(door: Door, operation: ApiOperation, body: bytes) -> None:
    refused = door.send(operation.method, path_of(operation), body)
    assert (refused.status, refused.error["code"]) == (400, "UserErrorOperationNotSupported")
    assert refused.header("x-ms-error-code") == "UserErrorOperationNotSupported"
    assert "Microsoft.DBforPostgreSQL/flexibleServers" in refused.error["message"]
    (facing,) = refused.error["additionalInfo"]
    (instead,) = facing["info"]["recommendedAction"]
    assert len(instead) > 20
    assert facing["info"]["isRetryable"] is False


def test_clients_that_list_first_are_told_that_there_is_nothing(door: Door) -> None:
    assert {one.template.rpartition("/")[2] for one in LISTS} == {"resourceGuards", "backupResourceGuardProxies"}
    for operation in LISTS:
        assert door.send("GET", path_of(operation), person="reader").json == {"value": []}


@pytest.mark.parametrize(
    "path",
    [
        f"{VAULT_ID}/backupResourceGuardProxies/x/unlock",
        f"{VAULT_ID}/backupJobs/operations/x/y",
        f"{VAULT_ID.rpartition('/backupVaults/')[0]}/resourceGuards/x/otherRequests",
        f"{VAULT_ID.rpartition('/backupVaults/')[0]}/locations/eastus/otherRestore",
        f"{VAULT_ID}/backupInstances/x/rehydrates",
    ],
)
def test_anything_else_stays_404(door: Door, path: str) -> None:
    for method in ("GET", "POST", "PUT"):
        assert door.send(method, path, {}).status == 404


def test_a_405_offers_only_what_can_succeed(door: Door) -> None:
    refused = door.send("POST", VAULT_ID)
    assert refused.status == 405
    assert "DELETE" not in refused.header("Allow")
    assert door.send("PATCH", f"{VAULT_ID}/backupResourceGuardProxies/x").header("Allow") == "DELETE, GET, PUT"


def test_the_vault_itself_is_still_there_afterwards(door: Door) -> None:
    assert door.send("DELETE", VAULT_ID).status == 400
    assert door.send("GET", VAULT_ID).status == 200


def sdk_requests() -> dict[str, tuple[str, list[str]]]:
    """Method and path segments of every request that the official SDK can make."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, build in inspect.getmembers(_operations, inspect.isfunction):
        if not name.startswith("build_"):
            continue
        wanted = [one.name for one in inspect.signature(build).parameters.values() if one.default is one.empty]
        values = {one: SUBSCRIPTION if one == "subscription_id" else "some-name" for one in wanted if one != "kwargs"}
        if "resource_id" in values:
            values["resource_id"] = SERVER_ID.lstrip("/")
        request = build(**values)
        found[name] = (request.method, urlsplit(request.url).path.strip("/").split("/"))
    return found


SDK_REQUESTS = sdk_requests()
SOFT_DELETE = {
    "build_backup_vaults_create_or_update_request",
    "build_backup_vaults_get_in_subscription_request",
    "build_backup_vaults_get_in_resource_group_request",
    "build_deleted_backup_vaults_get_request",
    "build_deleted_backup_vaults_list_by_location_request",
    "build_deleted_backup_instances_get_request",
    "build_deleted_backup_instances_list_request",
    "build_deleted_backup_instances_undelete_request",
}
"""Come with soft delete."""


def test_the_sdk_has_the_requests_that_this_suite_thinks_of() -> None:
    assert len(SDK_REQUESTS) >= 75


@pytest.mark.parametrize("name", [name for name in SDK_REQUESTS if name not in SOFT_DELETE])
def test_every_request_that_the_official_sdk_can_make_has_its_row(name: str) -> None:
    method, segments = SDK_REQUESTS[name]
    operation, _ = find_operation(OPERATIONS, method, segments)
    assert operation.method == method
