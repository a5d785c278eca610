"""The source server is deleted, with its resource group: what was backed up stays, is listed and is restored."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local_cloud.launch import VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e.accounts import Accounts
from tests.e2e.conftest import QUICK
from tests.e2e.owner import Owner
from tests.e2e.user import User
from tests.e2e.waiting import wait_for


@pytest.fixture(scope="module")
def vault_settings() -> Mapping[str, str]:
    return QUICK | {"RETENTION_TICK": "*/2 * * * * *"}


@pytest.fixture(scope="module")
def last_point(user: User, protected: str, owner: Owner) -> dict[str, Any]:
    """The only recovery point of a server that is gone; its resource group is still there."""
    point = user.new_point(protected)
    owner.delete(user.servers["pg-orders"])
    return point


@pytest.fixture(scope="module")
def point(last_point: dict[str, Any], owner: Owner, vault: VaultHost) -> dict[str, Any]:
    """The only recovery point of a server whose resource group is gone, too, with every role in it."""
    owner.delete(vault.place.servers_group_id)
    return last_point


def test_a_backup_of_a_lost_server_fails_and_says_so(last_point: dict[str, Any], user: User, protected: str) -> None:
    job = user.end_of(user.back_up(protected))
    (error,) = job["errorDetails"]
    assert (job["status"], error["code"]) == ("Failed", "PostgreSQLFlexOperationFailedUserError")
    assert user.servers["pg-orders"] in error["message"]
    assert error["innerError"]["code"] == "ResourceNotFound"
    assert "can be restored as files" in " ".join(error["recommendedAction"])
    assert user.points(protected) == [last_point]


def test_the_points_of_a_lost_server_are_listed(point: dict[str, Any], user: User, protected: str) -> None:
    assert user.points(protected) == [point]
    assert user.get(f"{protected}/recoveryPoints/{point['name']}") == point


def test_a_point_of_a_lost_server_is_restored_byte_by_byte(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts
) -> None:
    user.good_end_of(user.restore(protected, point, "lost"))
    _, manifest = accounts.manifest(point["name"])
    for file in manifest["files"]:
        restored = accounts.read("restore", RESTORE_CONTAINER, f"lost{file['suffix']}")
        assert restored == accounts.read("vault", "points", file["path"])
    assert "lost_rebuild/rebuild.pyz" in accounts.names("restore", RESTORE_CONTAINER, "lost_")


def test_retention_keeps_the_last_point_of_a_lost_server(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts
) -> None:
    planned_before = set(accounts.names("vault", "plans"))

    def find_newer_plan() -> str | None:
        return next(iter(sorted(set(accounts.names("vault", "plans")) - planned_before)), None)

    plan = json.loads(accounts.read("vault", "plans", wait_for(find_newer_plan, "the next retention plan")))
    (verdict,) = plan["verdicts"]
    assert (verdict["pointId"], verdict["decision"]) == (point["name"], "keep")
    assert verdict["reasons"]
    executed = {job["name"] for job in user.jobs("Management") if job["properties"]["operation"] == "ApplyRetention"}
    assert executed
    assert user.points(protected) == [point]
