"""A policy's slot makes one backup, however often the timer fires."""

from collections.abc import Mapping
from typing import Any

import pytest

from local_cloud.launch import VaultHost
from tests.e2e import bodies
from tests.e2e.accounts import Accounts
from tests.e2e.conftest import QUICK
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

SUB_TASKS = ["Prepare landing", "Trigger Backup", "Back up server", "Promote to vault", "Seal recovery point"]


@pytest.fixture(scope="module")
def vault_settings() -> Mapping[str, str]:
    return QUICK | {"SCHEDULE_TICK": "* * * * * *"}


@pytest.fixture(scope="module")
def scheduled(user: User, protected: str) -> dict[str, Any]:
    """The job that a slot of two seconds later made, once it has ended."""
    user.put_policy("daily", bodies.policy([bodies.in_a_moment(2)]))
    job = wait_for(lambda: next(iter(user.jobs("Backup")), None), "the scheduled job")
    user.good_end_of(job["name"])
    found: dict[str, Any] = user.get(f"/backupJobs/{job['name']}")
    return found


def test_a_slot_becomes_a_job_with_its_sub_tasks(scheduled: dict[str, Any]) -> None:
    facts = scheduled["properties"]
    assert (facts["status"], facts["operation"], facts["isUserTriggered"]) == ("Completed", "Backup", False)
    assert [task["taskName"] for task in facts["extendedInfo"]["subTasks"]] == SUB_TASKS
    assert {(task["taskStatus"], task["taskProgress"]) for task in facts["extendedInfo"]["subTasks"]} == {
        ("Completed", "100%")
    }


def test_a_slot_becomes_one_accepted_backup_and_one_point(
    scheduled: dict[str, Any], user: User, vault: VaultHost, protected: str, accounts: Accounts
) -> None:
    (point,) = user.points(protected)
    (backup,) = vault.accepted_backups()
    assert backup["status"] == "Succeeded"
    assert point["name"] in backup["backupName"]
    assert scheduled["properties"]["extendedInfo"]["targetRecoverPoint"]["recoveryPointID"] == point["name"]
    assert accounts.containers("landing") == [], "the landing containers of a sealed point are removed"


def test_the_timer_that_fires_on_makes_one_job_for_each_slot(
    scheduled: dict[str, Any], user: User, vault: VaultHost
) -> None:
    user.put_policy("daily", bodies.policy([bodies.in_a_moment(2)]))
    newer = wait_for(lambda: user.jobs("Backup")[0] if len(user.jobs("Backup")) > 1 else None, "the next slot's job")
    user.good_end_of(newer["name"])
    assert [job["name"] for job in user.jobs("Backup")] == [newer["name"], scheduled["name"]]
    assert len(vault.accepted_backups()) == 2
