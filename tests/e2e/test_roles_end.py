"""Roles that the vault granted itself end with the protection, and it may give itself no others."""

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from local_cloud.tokens import ARM_AUDIENCE
from tests.e2e import bodies
from tests.e2e.owner import Owner
from tests.e2e.user import User, instance_path
from tests.e2e.waiting import wait_for

OWNER_ROLE = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


@pytest.fixture(scope="module")
def billing(user: User) -> str:
    """The path of a server's backup instance, which the vault gave itself the roles for."""
    user.put_policy("daily", bodies.policy())
    return user.protect("pg-billing", "daily")


def test_the_control_identity_may_give_itself_no_other_role(cloud: LaunchedCloud, user: User, owner: Owner) -> None:
    token = cloud.issuer.for_identity("control", ARM_AUDIENCE)
    refused = owner.try_to_assign(user.servers["pg-orders"], OWNER_ROLE, token=token)
    assert refused.status_code == 403
    assert "ABAC condition not fulfilled" in refused.text


def test_the_end_of_a_protection_takes_its_roles_away(user: User, owner: Owner, billing: str, vault: VaultHost) -> None:
    server_id = user.servers["pg-billing"]
    assert len(owner.assignments(server_id)) == 2
    assert user.send_approved("PATCH", "", bodies.soft_delete("Off")).status_code == 200
    user.finish(user.send_approved("DELETE", billing))
    wait_for(lambda: not owner.assignments(server_id), "the end of the roles")
    assert user.send("GET", instance_path(server_id)).status_code == 404
