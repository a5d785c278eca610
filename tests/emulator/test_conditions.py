"""Conditions on role assignments: what the delegation of role management says, judged as Azure judges it."""

import pytest

from local_cloud.arm_emulator.conditions import PRINCIPAL, ROLE_DEFINITION, ConditionError, Facts, check, fulfils
from local_cloud.arm_emulator.roles import LTR_BACKUP_ROLE, OWNER_ROLE, RBAC_ADMINISTRATOR_ROLE, READER_ROLE
from local_cloud.landscape import delegation_condition
from tests.emulator.conftest import StartWorld
from tests.emulator.people import CONTROL, OWNER
from tests.emulator.places import GROUP_ID, SERVER_ID, role_id, server_of
from tests.emulator.test_authorization import NAME, OTHER_NAME, held
from tests.emulator.world import World
from tests.infra.cloud import CONTROL as DEPLOYED_CONTROL
from tests.infra.grants import CONDITION

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
WRITE, DELETE = f"{ASSIGNMENTS}/write", f"{ASSIGNMENTS}/delete"


def test_the_local_cloud_gives_the_condition_that_the_template_gives():
    assert delegation_condition(DEPLOYED_CONTROL) == CONDITION


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ActionMatches{'A/read'}", True),
        ("ActionMatches{'a/*'}", True),
        ("!(ActionMatches{'A/read'})", False),
        ("ActionMatches{'x'} OR ActionMatches{'a/read'}", True),
        ("ActionMatches{'x'} AND ActionMatches{'a/read'}", False),
        ("ActionMatches{'a/read'} || ActionMatches{'x'} && ActionMatches{'x'}", True),
        ("@Request[p] ForAnyOfAnyValues:GuidEquals {g1, G2}", True),
        ("@Resource[p] ForAnyOfAnyValues:GuidEquals {g1, g2}", False),
        ("@Request[other] ForAnyOfAnyValues:GuidEquals {g1, g2}", False),
    ],
)
def test_an_expression_is_judged(text: str, *, expected: bool):
    assert fulfils(text, Facts(action="a/READ", request={"P": "g2"})) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AND",
        "(ActionMatches{'a'}",
        "ActionMatches{'a'})",
        "ActionMatches{'a'} ActionMatches{'b'}",
        "@Request[p] StringEquals 'x'",
        "ActionMatches{'a'} AND",
    ],
)
def test_what_cannot_be_judged_is_refused(text: str):
    with pytest.raises(ConditionError):
        check(text)


@pytest.mark.parametrize("action", ["Microsoft.DBforPostgreSQL/flexibleServers/read", f"{ASSIGNMENTS}/read"])
def test_the_delegation_binds_nothing_but_writes_and_deletes(action: str):
    assert fulfils(CONDITION, Facts(action=action))


@pytest.mark.parametrize(
    ("role", "principal", "expected"),
    [
        (LTR_BACKUP_ROLE, DEPLOYED_CONTROL, True),
        (READER_ROLE, DEPLOYED_CONTROL, True),
        (OWNER_ROLE, DEPLOYED_CONTROL, False),
        (READER_ROLE, "00000000-0000-4000-8000-00000000dead", False),
    ],
)
def test_both_sides_of_the_delegation_are_bound_to_its_two_roles_and_to_itself(
    role: str, principal: str, *, expected: bool
):
    attributes = {ROLE_DEFINITION: role, PRINCIPAL: principal}
    assert fulfils(CONDITION, Facts(action=WRITE, request=attributes)) is expected
    assert fulfils(CONDITION, Facts(action=DELETE, resource=attributes)) is expected
    assert not fulfils(CONDITION, Facts(action=WRITE, resource=attributes)), "what is there says nothing of a write"
    assert not fulfils(CONDITION, Facts(action=DELETE, request=attributes)), "nor what is sent of a delete"


def assign(world: World, role: str, principal: str, *, name: str = NAME, **more: str) -> tuple[int, str]:
    properties = {"roleDefinitionId": role_id(role), "principalId": principal, **more}
    path = f"{SERVER_ID}/providers/{ASSIGNMENTS}/{name}"
    answer = world.arm("PUT", path, person=CONTROL, json={"properties": properties})
    return answer.status_code, answer.text


def test_a_constrained_administrator_assigns_and_removes_its_two_roles_for_itself_and_nothing_else(
    start_world: StartWorld,
) -> None:
    world = start_world(
        servers=(server_of("pg-orders"),),
        role_assignments=(
            held(GROUP_ID, RBAC_ADMINISTRATOR_ROLE, condition=delegation_condition(CONTROL.object_id)),
            held(SERVER_ID, OWNER_ROLE, OWNER),
        ),
    )
    assert assign(world, LTR_BACKUP_ROLE, CONTROL.object_id)[0] == 201
    for role, principal in ((OWNER_ROLE, CONTROL.object_id), (LTR_BACKUP_ROLE, OWNER.object_id)):
        status, text = assign(world, role, principal, name=OTHER_NAME)
        assert status == 403
        assert "an ABAC condition not fulfilled" in text

    foreign = next(one for one in world.server.emulator.access.all() if one.scope == SERVER_ID and one.name != NAME)
    of_owner, own = (f"{SERVER_ID}/providers/{ASSIGNMENTS}/{name}" for name in (foreign.name, NAME))
    assert world.arm("DELETE", of_owner, person=CONTROL).status_code == 403
    assert world.arm("GET", own, person=CONTROL).status_code == 200
    assert world.arm("DELETE", own, person=CONTROL).status_code == 200


def test_a_condition_that_the_emulator_cannot_judge_is_refused(start_world: StartWorld) -> None:
    world = start_world(servers=(server_of("pg-orders"),), role_assignments=(held(GROUP_ID, RBAC_ADMINISTRATOR_ROLE),))
    status, text = assign(world, READER_ROLE, CONTROL.object_id, condition="@Request[x] StringEquals 'y'")
    assert status == 400
    assert "InvalidCondition" in text
