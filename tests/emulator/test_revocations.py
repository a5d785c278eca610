"""Revoking an account's user delegation keys: who may, what storage is told, and that a restart forgets none."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from local_cloud.arm_emulator.roles import BLOB_CONTRIBUTOR_ROLE, RBAC_ADMINISTRATOR_ROLE, READER_ROLE
from local_cloud.certificates import now
from local_cloud.landscape import MAIN, first_role_assignments, landscapes
from tests.emulator.conftest import StartWorld
from tests.emulator.people import CONTROL, OWNER
from tests.emulator.places import ACCOUNT, ACCOUNT_ID, GROUP_ID
from tests.emulator.test_authorization import held

REVOKE = f"{ACCOUNT_ID}/revokeUserDelegationKeys"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """The file that storage reads."""
    return tmp_path / "storage" / "revoked-keys.json"


def test_the_owner_revokes_and_storage_is_told_since_when(start_world: StartWorld, told: Path) -> None:
    world = start_world(revoked_keys_file=told)
    assert json.loads(told.read_text()) == {}
    before = now()

    answer = world.arm("POST", REVOKE, person=OWNER)

    assert (answer.status_code, answer.content) == (200, b"")
    told_of = json.loads(told.read_text())
    assert list(told_of) == [ACCOUNT]
    assert before <= datetime.fromisoformat(told_of[ACCOUNT]) <= now()
    assert [entry["account"] for entry in world.log()["keyRevocations"]] == [ACCOUNT]


def test_the_newest_revocation_counts_also_after_a_restart(start_world: StartWorld, told: Path) -> None:
    world = start_world(revoked_keys_file=told)
    for _ in range(2):
        world.arm("POST", REVOKE)
    newest = json.loads(told.read_text())
    assert newest[ACCOUNT] == world.log()["keyRevocations"][-1]["at"]
    world.leave()
    told.unlink()

    start_world(revoked_keys_file=told)

    assert json.loads(told.read_text()) == newest


@pytest.mark.parametrize("role", [READER_ROLE, RBAC_ADMINISTRATOR_ROLE, BLOB_CONTRIBUTOR_ROLE])
def test_no_role_of_the_vaults_identities_may_revoke(start_world: StartWorld, told: Path, role: str) -> None:
    world = start_world(revoked_keys_file=told, role_assignments=(held(GROUP_ID, role),))

    answer = world.arm("POST", REVOKE, person=CONTROL)

    assert answer.status_code == 403
    assert "revokeUserDelegationKeys/action" in answer.text
    assert json.loads(told.read_text()) == {}


def test_an_account_that_does_not_exist_has_no_keys(start_world: StartWorld) -> None:
    assert start_world().arm("POST", f"{REVOKE.replace(ACCOUNT, 'nothing')}").status_code == 404


def test_no_identity_of_the_local_cloud_may_do_more_in_the_vaults_accounts_than_see_one_of_them() -> None:
    own = {place.landing_resource_id for place in landscapes(3)} | {
        place.vault_account_resource_id for place in landscapes(3)
    }
    held_there = {
        (given["scope"], given["roleDefinitionId"].rpartition("/")[2])
        for given in first_role_assignments(landscapes(3))
        if any(f"{account}/".startswith(f"{given['scope']}/") for account in own)
    }

    assert MAIN.landing_resource_id in own
    assert held_there == {(place.vault_account_resource_id, READER_ROLE) for place in landscapes(3)}
