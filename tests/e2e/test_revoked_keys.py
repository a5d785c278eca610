"""The owner revokes the keys behind every SAS while a job copies: it goes on with new ones, and copies nothing twice."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e.accounts import Accounts
from tests.e2e.counts import Counts, is_half_copied, require_one_more
from tests.e2e.leaks import ask_first, leak, warnings_of
from tests.e2e.owner import Owner
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

COPIED_BEFORE = 2
"""Files that are through when the keys are revoked; the rest is copied afterwards."""


@pytest.fixture(scope="module")
def point(user: User, protected: str) -> dict[str, Any]:
    """A recovery point from before all revocations."""
    return user.new_point(protected)


@pytest.fixture
def hold_copies(cloud: LaunchedCloud, point: dict[str, Any]) -> Iterator[None]:
    """Let some copies through and hold all others, to the end of the test at the longest."""
    cloud.change_storage(holdCopiesAfter=COPIED_BEFORE)
    yield
    cloud.change_storage(holdCopiesAfter=None)


def wait_for_held_copy(cloud: LaunchedCloud) -> None:
    wait_for(lambda: cloud.change_storage()["copiesHeld"] > 0, "a copy that is held")


def test_a_promotion_goes_on_with_new_keys(
    user: User,
    vault: VaultHost,
    owner: Owner,
    *,
    cloud: LaunchedCloud,
    protected: str,
    accounts: Accounts,
    hold_copies: None,
    count: Callable[[], Counts],
) -> None:
    before = count()
    job_id = user.back_up(protected)
    wait_for_held_copy(cloud)
    assert is_half_copied(accounts, job_id, "Promoting")
    assert ask_first(user, "landing") == [(job_id, "Promoting")]

    owner.revoke_keys(vault.place.landing_resource_id)
    cloud.change_storage(holdCopiesAfter=None)
    job = user.good_end_of(job_id)

    assert (job["status"], warnings_of(job)) == ("Completed", [])
    require_one_more(before, count())
    _, manifest = accounts.manifest(user.point_of(protected, job_id)["name"])
    for file in manifest["files"]:
        versions = accounts.versions("points", file["path"])
        assert [version.version_id for version in versions] == [file["versionId"]], "it was written once"
    assert not [name for name in accounts.containers("landing") if job_id.replace("-", "") in name]


def test_a_restore_goes_on_with_new_keys(
    user: User,
    vault: VaultHost,
    owner: Owner,
    *,
    cloud: LaunchedCloud,
    protected: str,
    accounts: Accounts,
    hold_copies: None,
    point: dict[str, Any],
) -> None:
    job_id = user.restore(protected, point, "revoked")
    wait_for_held_copy(cloud)
    assert is_half_copied(accounts, job_id, "Copying")
    assert ask_first(user, "vault") == [(job_id, "Copying")]
    ask_vault = leak(cloud, vault, "vault", "points")
    assert ask_vault() == 200

    owner.revoke_keys(vault.place.vault_account_resource_id)
    assert ask_vault() == 403
    cloud.change_storage(holdCopiesAfter=None)
    job = user.good_end_of(job_id)

    assert job["status"] == "Completed"
    _, manifest = accounts.manifest(point["name"])
    for file in manifest["files"]:
        restored = accounts.read("restore", RESTORE_CONTAINER, f"revoked{file['suffix']}")
        assert restored == accounts.read("vault", "points", file["path"])
    names = accounts.names("restore", RESTORE_CONTAINER, "revoked_")
    assert len([name for name in names if "_rebuild/" not in name]) == len(manifest["files"])
    assert "revoked_rebuild/rebuild.pyz" in names
