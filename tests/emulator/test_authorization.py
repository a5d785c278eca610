"""What a caller may do: roles, scopes, the delay of new assignments, and the calls that manage them."""

from uuid import UUID

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

from local_cloud.arm_emulator.config import InitialRoleAssignment
from local_cloud.arm_emulator.roles import (
    BLOB_CONTRIBUTOR_ROLE,
    CONTRIBUTOR_ROLE,
    LTR_BACKUP_ROLE,
    OWNER_ROLE,
    RBAC_ADMINISTRATOR_ROLE,
    READER_ROLE,
)
from tests.emulator.conftest import StartWorld
from tests.emulator.people import CONTROL, OWNER, STRANGER, Person
from tests.emulator.places import (
    ACCOUNT_ID,
    GROUP,
    GROUP_ID,
    SERVER_ID,
    SERVERS_ID,
    SUBSCRIPTION_ID,
    role_id,
    server_of,
)
from tests.emulator.world import MovableClock, World, server_path, start_body

NAME = str(UUID(int=1))
OTHER_NAME = str(UUID(int=2))


def held(scope: str, role: str, person: Person = CONTROL, condition: str = "") -> InitialRoleAssignment:
    return InitialRoleAssignment(
        scope=scope, role_definition_id=role, principal_id=person.object_id, condition=condition
    )


def grant(
    world: World, scope: str = SERVER_ID, role: str = LTR_BACKUP_ROLE, name: str = NAME, person: Person = CONTROL
) -> None:
    world.authorization().role_assignments.create(
        scope=scope,
        role_assignment_name=name,
        parameters=RoleAssignmentCreateParameters(
            role_definition_id=role_id(role), principal_id=person.object_id, principal_type="ServicePrincipal"
        ),
    )


def test_a_refusal_names_client_action_and_scope_as_azure_does(calm_world: World) -> None:
    with pytest.raises(HttpResponseError) as refusal:
        calm_world.postgres(CONTROL).backups_long_term_retention.begin_start(
            *server_path(), start_body("b1"), polling=False
        )

    assert refusal.value.status_code == 403
    assert refusal.value.error is not None
    assert refusal.value.error.code == "AuthorizationFailed"
    assert refusal.value.error.message == (
        f"The client 'control' with object id '{CONTROL.object_id}' does not have authorization to perform action "
        f"'Microsoft.DBforPostgreSQL/flexibleServers/startLtrBackup/action' over scope '{SERVER_ID}' or the scope is "
        "invalid. If access was recently granted, please refresh your credentials."
    )


def person(number: int) -> Person:
    return Person(object_id=str(UUID(int=0xAA00 + number)), client_id=f"person {number}")


READING_SCOPES = {
    "the server": (SERVER_ID, True),
    "the server in other case": (SERVER_ID.upper(), True),
    "its group": (GROUP_ID, True),
    "its subscription": (SUBSCRIPTION_ID, True),
    "a server whose name begins alike": (f"{SERVER_ID}-2", False),
    "a group whose name begins alike": (f"{GROUP_ID}-2", False),
    "something inside the server": (f"{SERVER_ID}/databases/x", False),
}


def test_a_role_holds_at_its_scope_and_below(start_world: StartWorld) -> None:
    readers = {case: person(number) for number, case in enumerate(READING_SCOPES)}
    world = start_world(
        servers=(server_of("pg-orders"),),
        role_assignments=tuple(held(READING_SCOPES[case][0], READER_ROLE, who) for case, who in readers.items()),
    )

    statuses = {case: world.arm("GET", SERVER_ID, person=who).status_code for case, who in readers.items()}

    assert statuses == {case: 200 if may_read else 403 for case, (_, may_read) in READING_SCOPES.items()}


ALLOWED_CALLS = {
    BLOB_CONTRIBUTOR_ROLE: set[str](),
    LTR_BACKUP_ROLE: {"read", "check", "operations"},
    READER_ROLE: {"read", "operations", "assignments"},
    RBAC_ADMINISTRATOR_ROLE: {"read", "operations", "assignments", "grant"},
    CONTRIBUTOR_ROLE: {"read", "check", "operations", "assignments", "delete"},
    OWNER_ROLE: {"read", "check", "operations", "assignments", "grant", "delete"},
}


def test_a_role_allows_its_actions_and_no_other(start_world: StartWorld) -> None:
    holders = {role: person(number) for number, role in enumerate(ALLOWED_CALLS)}
    world = start_world(
        servers=tuple(server_of(f"pg-{role}") for role in holders),
        role_assignments=tuple(held(f"{SERVERS_ID}/pg-{role}", role, who) for role, who in holders.items()),
    )

    allowed = {role: calls_allowed(world, f"{SERVERS_ID}/pg-{role}", who) for role, who in holders.items()}

    assert allowed == ALLOWED_CALLS


def calls_allowed(world: World, server_id: str, person: Person) -> set[str]:
    assignments = f"{server_id}/providers/Microsoft.Authorization/roleAssignments"
    grant_body = {"properties": {"roleDefinitionId": role_id(READER_ROLE), "principalId": STRANGER.object_id}}
    calls = {
        "read": ("GET", server_id, None),
        "check": ("POST", f"{server_id}/ltrPreBackup", {"backupSettings": {"backupName": "b"}}),
        "operations": ("GET", f"{server_id}/ltrBackupOperations", None),
        "assignments": ("GET", assignments, None),
        "grant": ("PUT", f"{assignments}/{UUID(person.object_id)}", grant_body),
        "delete": ("DELETE", server_id, None),
    }
    return {
        name
        for name, (method, path, body) in calls.items()
        if world.arm(method, path, person=person, json=body).status_code != 403
    }


def test_a_role_takes_effect_after_its_delay(start_world: StartWorld) -> None:
    clock = MovableClock()
    world = start_world(servers=(server_of("pg-orders"),), role_delay_seconds=60.0, clock=clock)
    grant(world)

    at_once = world.arm("GET", SERVER_ID, person=CONTROL).status_code
    clock.move(seconds=61)
    later = world.arm("GET", SERVER_ID, person=CONTROL).status_code

    assert (at_once, later) == (403, 200)


def test_a_deleted_role_ends_at_once(start_world: StartWorld) -> None:
    world = start_world(servers=(server_of("pg-orders"),), role_delay_seconds=0.0)
    grant(world)
    before = world.arm("GET", SERVER_ID, person=CONTROL).status_code

    world.authorization().role_assignments.delete(scope=SERVER_ID, role_assignment_name=NAME)

    assert (before, world.arm("GET", SERVER_ID, person=CONTROL).status_code) == (200, 403)


def test_the_same_grant_again_answers_200_and_is_logged_once(world: World) -> None:
    path = f"{SERVER_ID}/providers/Microsoft.Authorization/roleAssignments/{NAME}"
    body = {"properties": {"roleDefinitionId": role_id(LTR_BACKUP_ROLE), "principalId": CONTROL.object_id}}

    answers = [world.arm("PUT", path, json=body).status_code for _ in range(2)]

    assert answers == [201, 200]
    assert [(entry["action"], entry["scope"]) for entry in world.log()["roleAssignments"]] == [("created", SERVER_ID)]


def test_the_same_grant_under_another_name_exists_already(world: World) -> None:
    grant(world)

    with pytest.raises(ResourceExistsError) as refusal:
        grant(world, name=OTHER_NAME)

    assert refusal.value.error is not None
    assert refusal.value.error.code == "RoleAssignmentExists"


@pytest.mark.parametrize(
    ("scope", "role", "person"),
    [
        pytest.param(SERVER_ID, LTR_BACKUP_ROLE, STRANGER, id="other principal"),
        pytest.param(GROUP_ID, LTR_BACKUP_ROLE, CONTROL, id="other scope"),
        pytest.param(SERVER_ID, READER_ROLE, CONTROL, id="other role"),
    ],
)
def test_a_name_cannot_stand_for_another_grant(world: World, scope: str, role: str, person: Person) -> None:
    grant(world)

    with pytest.raises(HttpResponseError) as refusal:
        grant(world, scope=scope, role=role, person=person)

    assert refusal.value.status_code == 400
    assert refusal.value.error is not None
    assert refusal.value.error.code == "RoleAssignmentUpdateNotPermitted"


@pytest.mark.parametrize(
    ("name", "properties", "status", "code"),
    [
        pytest.param(
            "no-guid",
            {"roleDefinitionId": role_id(READER_ROLE), "principalId": CONTROL.object_id},
            400,
            "InvalidRoleAssignmentId",
            id="name",
        ),
        pytest.param(NAME, {"principalId": CONTROL.object_id}, 400, "InvalidRequestContent", id="no role"),
        pytest.param(NAME, {"roleDefinitionId": role_id(READER_ROLE)}, 400, "InvalidRequestContent", id="nobody"),
        pytest.param(NAME, None, 400, "InvalidRequestContent", id="no properties"),
        pytest.param(
            NAME,
            {"roleDefinitionId": role_id(NAME), "principalId": CONTROL.object_id},
            404,
            "RoleDefinitionDoesNotExist",
            id="unknown role",
        ),
    ],
)
def test_a_wrong_grant_is_refused(
    calm_world: World, name: str, properties: dict[str, str] | None, status: int, code: str
) -> None:
    path = f"{SERVER_ID}/providers/Microsoft.Authorization/roleAssignments/{name}"

    answer = calm_world.arm("PUT", path, json={"properties": properties})

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert calm_world.log()["roleAssignments"] == []


def test_permissions_are_those_of_the_caller_and_need_no_right(start_world: StartWorld) -> None:
    world = start_world(servers=(server_of("pg-orders"),), role_assignments=(held(GROUP_ID, LTR_BACKUP_ROLE),))

    def permissions_of(person: Person) -> list[list[str] | None]:
        found = world.authorization(person).permissions.list_for_resource(
            resource_group_name=GROUP,
            resource_provider_namespace="Microsoft.DBforPostgreSQL",
            parent_resource_path="",
            resource_type="flexibleServers",
            resource_name="pg-orders",
        )
        return [permission.actions for permission in found]

    assert permissions_of(OWNER) == [["*"]]
    assert permissions_of(STRANGER) == []
    [actions] = permissions_of(CONTROL)
    assert actions is not None
    assert len(actions) == 14
    assert "Microsoft.DBforPostgreSQL/flexibleServers/startLtrBackup/action" in actions


def test_data_actions_of_a_role_are_shown(start_world: StartWorld) -> None:
    world = start_world(role_assignments=(held(ACCOUNT_ID, BLOB_CONTRIBUTOR_ROLE),))

    container = f"{ACCOUNT_ID}/blobServices/default/containers/c1"
    answer = world.arm("GET", f"{container}/providers/Microsoft.Authorization/permissions", person=CONTROL)

    [permission] = answer.json()["value"]
    assert any(action.endswith("/blobs/write") for action in permission["dataActions"])


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        pytest.param(None, {"", GROUP_ID, SERVER_ID}, id="everything at, above and below"),
        pytest.param("atScope()", {"", GROUP_ID}, id="at and above"),
        pytest.param(f"principalId eq '{CONTROL.object_id}'", {GROUP_ID, SERVER_ID}, id="of a principal"),
        pytest.param(f"assignedTo('{CONTROL.object_id}')", {GROUP_ID, SERVER_ID}, id="assigned to"),
    ],
)
def test_assignments_are_listed_by_scope(start_world: StartWorld, filter_: str | None, expected: set[str]) -> None:
    world = start_world(
        servers=(server_of("pg-orders"),),
        role_assignments=(held(GROUP_ID, READER_ROLE), held(SERVER_ID, LTR_BACKUP_ROLE)),
    )

    found = world.authorization().role_assignments.list_for_scope(scope=GROUP_ID, filter=filter_)

    assert {(assignment.scope or "").rstrip("/") for assignment in found} == expected


def test_a_role_is_found_by_its_name(calm_world: World) -> None:
    name = "PostgreSQL Flexible Server Long Term Retention Backup Role"

    [role] = calm_world.authorization().role_definitions.list(scope=SERVER_ID, filter=f"roleName eq '{name}'")

    assert role.name == LTR_BACKUP_ROLE


def test_a_scope_that_does_not_exist_is_not_found(calm_world: World) -> None:
    gone = SERVER_ID.replace("pg-orders", "pg-gone")

    answer = calm_world.arm("GET", f"{gone}/providers/Microsoft.Authorization/permissions")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


def test_a_subscription_is_listed_for_whoever_holds_a_role_in_it(start_world: StartWorld) -> None:
    world = start_world(servers=(server_of("pg-orders"),), role_assignments=(held(SERVER_ID, READER_ROLE),))

    seen = {
        person.client_id: len(world.arm("GET", "/subscriptions", person=person).json()["value"])
        for person in (OWNER, CONTROL, STRANGER)
    }

    assert seen == {"owner": 1, "control": 1, "stranger": 0}


def test_assignments_survive_a_restart(start_world: StartWorld) -> None:
    first = start_world(servers=(server_of("pg-orders"),), role_delay_seconds=0.0)
    grant(first)
    grant(first, role=READER_ROLE, name=OTHER_NAME)
    first.authorization().role_assignments.delete(scope=SERVER_ID, role_assignment_name=OTHER_NAME)

    second = start_world(servers=(server_of("pg-orders"),), role_delay_seconds=0.0)

    path = f"{SERVER_ID}/providers/Microsoft.Authorization/roleAssignments"
    assert second.arm("GET", f"{path}/{NAME}").status_code == 200
    assert second.arm("GET", f"{path}/{OTHER_NAME}").status_code == 404
    assert [entry["action"] for entry in second.log()["roleAssignments"]] == ["created", "created", "deleted"]
