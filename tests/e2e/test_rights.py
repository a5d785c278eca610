"""The vault grants itself what it may, says the command where it may not, and never mends a revoked role in silence."""

from typing import Any

import pytest

from local_cloud.launch import VaultHost
from tests.e2e import bodies
from tests.e2e.owner import ACCESS_ADMINISTRATOR, CONTROL, LTR_ROLE, SOURCE_ROLES, Owner
from tests.e2e.user import User, instance_path

MISSING = "UserErrorMissingRequiredPermissions"


def require_commands(text: str, server_id: str) -> None:
    """The text holds the commands that grant both roles to the control identity on the server."""
    assert text.count("az role assignment create") == 2
    assert text.count(f'--assignee-object-id "{CONTROL}"') == 2
    assert text.count(f'--scope "{server_id}"') == 2
    assert "PostgreSQL Flexible Server Long Term Retention Backup Role" in text


@pytest.fixture(scope="module")
def policy(user: User) -> str:
    user.put_policy("daily", bodies.policy())
    return "daily"


def test_a_role_revoked_in_mid_life_fails_the_next_backup_and_is_not_granted_again(
    user: User, owner: Owner, protected: str, vault: VaultHost
) -> None:
    server_id = user.servers["pg-orders"]
    user.good_end_of(user.back_up(protected))
    granted, accepted = owner.granted(server_id), len(vault.accepted_backups())
    assert owner.revoke(server_id, LTR_ROLE) == 1

    job = user.end_of(user.back_up(protected))
    (error,) = job["errorDetails"]
    assert job["status"] == "Failed"
    assert server_id in error["message"]
    require_commands(" ".join(error["recommendedAction"]), server_id)
    assert owner.assignments(server_id, LTR_ROLE) == []
    assert [event for event in owner.granted(server_id) if event["action"] == "created"] == [
        event for event in granted if event["action"] == "created"
    ]
    assert len(vault.accepted_backups()) == accepted


def test_roles_that_a_person_must_grant_are_asked_for_and_then_used(
    user: User, owner: Owner, vault: VaultHost, policy: str
) -> None:
    server_id = user.servers["pg-billing"]
    assert owner.revoke(vault.place.servers_group_id, ACCESS_ADMINISTRATOR) == 1

    ended = user.finish(user.put_instance(server_id, policy))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", MISSING)
    require_commands(ended["error"]["message"], server_id)
    shown: dict[str, Any] = user.get(instance_path(server_id))["properties"]
    assert shown["currentProtectionState"] == "ConfiguringProtectionFailed"
    error = shown["protectionErrorDetails"]
    assert error["code"] == MISSING
    require_commands(" ".join(error["recommendedAction"]), server_id)
    assert owner.granted(server_id) == [], "nothing was granted"
    refused = user.send("POST", f"{instance_path(server_id)}/backup", bodies.on_demand())
    assert refused.json()["error"]["code"] == "UserErrorBackupInstanceNotProtected"

    for role in SOURCE_ROLES:
        owner.grant(server_id, role)
    # A person repeats the request as it was, while the roles take effect.
    repeated = user.finish(user.put_instance(server_id, policy))
    while repeated["status"] == "Failed":
        assert repeated["error"]["code"] == MISSING
        repeated = user.finish(user.put_instance(server_id, policy))
    assert user.get(instance_path(server_id))["properties"]["currentProtectionState"] == "ProtectionConfigured"
    assert len(owner.granted(server_id)) == 2, "only what the person granted"
    user.good_end_of(user.back_up(instance_path(server_id)))
