"""Flexible servers, groups and accounts: what is shown, listed, deleted and changed."""

import pytest
from azure.core.exceptions import ResourceNotFoundError

from local_cloud.arm_emulator.config import InitialRoleAssignment
from local_cloud.arm_emulator.control import control
from local_cloud.arm_emulator.problems import ArmError
from local_cloud.arm_emulator.roles import LTR_BACKUP_ROLE, READER_ROLE
from tests.emulator.conftest import StartWorld
from tests.emulator.people import CONTROL
from tests.emulator.places import ACCOUNT_ID, CREATED_AT, GROUP, GROUP_ID, SERVER_ID, SUBSCRIPTION_ID, server_of
from tests.emulator.world import World, server_path


def test_a_server_shows_what_a_vault_needs(calm_world: World) -> None:
    server = calm_world.postgres().servers.get(*server_path())

    assert server.id == SERVER_ID
    assert server.type == "Microsoft.DBforPostgreSQL/flexibleServers"
    assert server.location == "eastus"
    assert server["systemData"]["createdAt"] == CREATED_AT
    assert (server.properties.state, server.properties.version) == ("Ready", "18")
    assert (server.properties.replication_role, server.properties.replica.role) == ("Primary", "Primary")
    assert server.properties.storage.storage_size_gb == 128
    assert server.properties.fully_qualified_domain_name == "pg-orders.postgres.database.azure.com"
    assert server.properties.network.public_network_access == "Enabled"


def test_the_creation_time_is_shown_to_its_last_digit(start_world: StartWorld) -> None:
    world = start_world(servers=(server_of("pg-orders", createdAt="2025-03-03T09:12:44.5678901Z"),))

    assert world.arm("GET", SERVER_ID).json()["systemData"]["createdAt"] == "2025-03-03T09:12:44.5678901Z"


@pytest.mark.parametrize("by", ["subscription", "resource group"])
def test_a_list_comes_in_pages(start_world: StartWorld, by: str) -> None:
    names = [f"pg-{number}" for number in range(5)]
    world = start_world(servers=tuple(map(server_of, names)), page_size=2)
    servers = world.postgres().servers

    listed = servers.list_by_subscription() if by == "subscription" else servers.list_by_resource_group(GROUP)

    pages = [[server.name for server in page] for page in listed.by_page()]
    assert pages == [names[0:2], names[2:4], names[4:5]]


def test_the_link_to_the_next_page_is_absolute(start_world: StartWorld) -> None:
    world = start_world(servers=(server_of("pg-1"), server_of("pg-2")), page_size=1)
    path = f"{GROUP_ID}/providers/Microsoft.DBforPostgreSQL/flexibleServers"

    link = world.arm("GET", path).json()["nextLink"]

    assert link.startswith(f"{world.server.base_url}{path}?api-version=2025-08-01&$skiptoken=")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        pytest.param(f"{SERVER_ID}x", "ResourceNotFound", id="server"),
        pytest.param(SERVER_ID.replace(GROUP, "rg-gone"), "ResourceGroupNotFound", id="group"),
        pytest.param(f"/subscriptions/{'0' * 8}/resourceGroups/{GROUP}", "SubscriptionNotFound", id="subscription"),
        pytest.param(f"{ACCOUNT_ID}x", "ResourceNotFound", id="account"),
        pytest.param(f"{SERVER_ID}/ltrBackupOperations/b9", "ResourceNotFound", id="operation"),
        pytest.param(f"{SUBSCRIPTION_ID}/providers/Microsoft.Cache/redis", "InvalidResourceType", id="unknown type"),
    ],
)
def test_what_does_not_exist_is_not_found(calm_world: World, path: str, code: str) -> None:
    answer = calm_world.arm("GET", path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
    assert answer.headers["x-ms-error-code"] == code


def test_paths_compare_without_regard_to_case_and_double_slashes(calm_world: World) -> None:
    odd = SERVER_ID.upper().replace("/PROVIDERS/", "//providers//")

    assert calm_world.arm("GET", odd).json()["id"] == SERVER_ID


def test_a_known_path_with_another_method_is_not_allowed(calm_world: World) -> None:
    assert calm_world.arm("PATCH", SERVER_ID).status_code == 405


def test_a_request_without_api_version_is_refused(calm_world: World) -> None:
    answer = calm_world.http.get(SERVER_ID, headers={"Authorization": f"Bearer {calm_world.identity.token(CONTROL)}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MissingApiVersionParameter")


def test_answers_carry_a_request_id_and_what_is_left_of_the_rate_limit(world: World) -> None:
    first, second = (world.arm("GET", SERVER_ID).headers for _ in range(2))

    assert first["x-ms-request-id"] != second["x-ms-request-id"]
    assert int(first["x-ms-ratelimit-remaining-subscription-global-reads"]) == 16499
    assert first["cache-control"] == "no-cache"


def test_an_account_is_shown_to_a_reader_only(start_world: StartWorld) -> None:
    reads = InitialRoleAssignment(scope=GROUP_ID, role_definition_id=READER_ROLE, principal_id=CONTROL.object_id)
    backs_up = InitialRoleAssignment(scope=GROUP_ID, role_definition_id=LTR_BACKUP_ROLE, principal_id=CONTROL.object_id)

    answers = [
        start_world(role_assignments=(given,)).arm("GET", ACCOUNT_ID, person=CONTROL) for given in (reads, backs_up)
    ]

    assert [answer.status_code for answer in answers] == [200, 403]
    assert answers[0].json()["properties"]["primaryEndpoints"]["blob"] == "https://127.0.0.1:1/landing/"


def test_a_deleted_server_is_gone_also_after_a_restart(start_world: StartWorld) -> None:
    first = start_world(servers=(server_of("pg-orders"),))
    first.postgres().servers.begin_delete(*server_path()).result()
    with pytest.raises(ResourceNotFoundError):
        first.postgres().servers.get(*server_path())

    second = start_world(servers=(server_of("pg-orders"),))

    assert second.arm("GET", SERVER_ID).status_code == 404


def test_a_deleted_server_can_be_created_anew_under_its_name(world: World) -> None:
    world.arm("DELETE", SERVER_ID)
    assert world.change_server("pg-orders", state="Ready").status_code == 404

    world.change_server("pg-orders", createdAt="2026-01-01T00:00:00Z")

    assert world.arm("GET", SERVER_ID).json()["systemData"]["createdAt"] == "2026-01-01T00:00:00Z"


def test_a_deleted_group_takes_servers_accounts_and_roles_with_it(start_world: StartWorld) -> None:
    role = InitialRoleAssignment(scope=SERVER_ID, role_definition_id=READER_ROLE, principal_id=CONTROL.object_id)
    world = start_world(servers=(server_of("pg-orders"),), role_assignments=(role,))

    deleted = world.arm("DELETE", GROUP_ID).status_code

    codes = [world.arm("GET", path).json()["error"]["code"] for path in (GROUP_ID, SERVER_ID, ACCOUNT_ID)]
    assert deleted == 200
    assert codes == ["ResourceGroupNotFound"] * 3
    assert [entry["action"] for entry in world.log()["roleAssignments"]] == ["deleted"]


def test_a_server_changes_as_asked_and_stays_so(start_world: StartWorld) -> None:
    first = start_world(servers=(server_of("pg-orders"),))

    changed = first.change_server("PG-Orders", state="Stopped", replicationRole="AsyncReplica", storageSizeGB=4096)

    assert changed.status_code == 200
    properties = start_world(servers=(server_of("pg-orders"),)).arm("GET", SERVER_ID).json()["properties"]
    assert (properties["state"], properties["replicationRole"]) == ("Stopped", "AsyncReplica")
    assert properties["storage"]["storageSizeGB"] == 4096


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        pytest.param({"stat": "Stopped"}, "storageSizeGB", id="unknown member"),
        pytest.param({"state": "Sleeping"}, "'Sleeping'", id="unknown state"),
        pytest.param({"createdAt": "yesterday"}, "'yesterday'", id="no time"),
    ],
)
def test_a_wrong_change_is_refused_with_a_hint(calm_world: World, changes: dict[str, str], hint: str) -> None:
    answer = calm_world.change_server("pg-orders", **changes)

    assert answer.status_code == 400
    assert hint in answer.json()["error"]["message"]


def test_servers_of_one_name_are_told_apart_by_their_ids(start_world: StartWorld) -> None:
    twin = server_of("pg-orders", state="Ready")
    other = SERVER_ID.replace(GROUP, "rg-other")
    world = start_world(
        servers=(twin, server_of("pg-orders", resourceGroup="rg-other")),
    )

    by_name = world.change_server("pg-orders", state="Stopped")
    by_id = world.change_server(SERVER_ID.strip("/"), state="Stopped")

    assert by_name.status_code == 404
    assert other.lower() in by_name.json()["error"]["message"]
    assert by_id.json()["id"] == SERVER_ID


def test_the_emulator_s_own_paths_answer_this_machine_only(calm_world: World) -> None:
    with pytest.raises(ArmError) as refusal:
        control(calm_world.server.emulator, client_host="192.0.2.7", method="GET", path="/_emulator/log", body=b"")

    assert refusal.value.status == 403


def test_the_log_counts_requests_by_method_and_operation(world: World) -> None:
    world.arm("GET", SERVER_ID)
    world.arm("GET", f"{SERVER_ID}x", person=CONTROL)
    world.arm("GET", f"{SERVER_ID}/ltrBackupOperations")

    assert world.log()["requests"] == {
        "GET BackupsLongTermRetention_ListByServer": 1,
        "GET Servers_Get": 2,
    }


# Azure Backup and accounts ---------------------------------------------------------------------------------------------


AZURE_BACKUP = f"{SERVER_ID}/providers/Microsoft.DataProtection/backupInstances"
THEIRS = f"{GROUP_ID}/providers/Microsoft.DataProtection/backupVaults/theirs/backupInstances/pg-orders"


def test_the_instances_of_azure_backup_are_listed_by_their_server(world: World) -> None:
    world.change_server("pg-orders", azureBackupInstances=[{"id": THEIRS}]).raise_for_status()

    [found] = world.arm("GET", AZURE_BACKUP).raise_for_status().json()["value"]

    assert (found["id"], found["name"]) == (THEIRS, "pg-orders")
    assert found["type"] == "Microsoft.DataProtection/backupVaults/backupInstances"
    assert found["properties"]["dataSourceInfo"]["resourceID"] == SERVER_ID
    assert found["properties"]["currentProtectionState"] == "ProtectionConfigured"


def test_the_instances_of_a_server_are_shown_to_who_may_read_them(start_world: StartWorld) -> None:
    held = InitialRoleAssignment(scope=SERVER_ID, role_definition_id=LTR_BACKUP_ROLE, principal_id=CONTROL.object_id)
    world = start_world(servers=(server_of("pg-orders"),), role_assignments=(held,))

    assert world.arm("GET", AZURE_BACKUP, person=CONTROL).status_code == 403
    assert world.arm("GET", AZURE_BACKUP).json() == {"value": []}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"azureBackupInstances": [{}]}, "each needs the member 'id'", id="an instance without an id"),
        pytest.param({"clusterSize": "many"}, "clusterSize cannot be 'many'", id="no number"),
    ],
)
def test_a_wrong_change_of_a_server_is_refused(world: World, changes: dict[str, object], words: str) -> None:
    answer = world.change_server("pg-orders", **changes)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidServerChange")
    assert words in answer.json()["error"]["message"]


def test_an_accounts_settings_are_changed_and_known_after_a_restart(start_world: StartWorld) -> None:
    first = start_world()
    changes = {"publicNetworkAccess": "Disabled", "defaultAction": "Deny", "allowedCopyScope": "AAD"}
    shown = first.http.post("/_emulator/accounts/landing", json=changes).raise_for_status().json()
    assert shown["properties"]["networkAcls"]["defaultAction"] == "Deny"
    first.leave()

    again = start_world().arm("GET", ACCOUNT_ID).json()["properties"]

    assert (again["publicNetworkAccess"], again["allowedCopyScope"]) == ("Disabled", "AAD")


@pytest.mark.parametrize(
    ("path", "changes", "code"),
    [
        pytest.param("accounts/landing", {"colour": "red"}, "InvalidAccountChange", id="unknown member"),
        pytest.param("accounts/landing", {"allowSharedKeyAccess": "no"}, "InvalidAccountChange", id="no flag"),
        pytest.param("accounts/nothing", {}, "ResourceNotFound", id="unknown account"),
    ],
)
def test_a_wrong_change_of_an_account_is_refused(
    world: World, path: str, changes: dict[str, object], code: str
) -> None:
    assert world.http.post(f"/_emulator/{path}", json=changes).json()["error"]["code"] == code
