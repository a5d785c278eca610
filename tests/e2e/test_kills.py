"""The host dies without warning in the middle of a job; a new one goes on, and nothing is done twice."""

from collections.abc import Callable

from local_cloud.launch import VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e.accounts import Accounts
from tests.e2e.counts import Counts, is_half_copied, require_one_more
from tests.e2e.owner import Faults
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

LOOK_SECONDS = 0.005
"""Between two looks at a step that lasts some tenths of a second."""


def kill_while(vault: VaultHost, holds: Callable[[], bool], what: str) -> None:
    """Kill the host as soon as something holds; it must still hold when the host is dead."""
    wait_for(holds, what, pause_seconds=LOOK_SECONDS)
    vault.kill_host()
    assert holds(), f"{what}: it was over before the host was killed"


def start_again(vault: VaultHost, user: User) -> None:
    vault.start_host()
    user.reconnect()


def test_a_backup_that_runs_at_the_server_is_polled_on(
    user: User, vault: VaultHost, protected: str, faults: Faults, count: Callable[[], Counts]
) -> None:
    before = count()
    fault = faults.order("hold-backup", f"{vault.place.subscription_id}.*/startLtrBackup")
    job = user.back_up(protected)
    wait_for(lambda: len(vault.accepted_backups()) > before.accepted, "the accepted backup")
    vault.kill_host()
    faults.clear(fault)
    wait_for(lambda: vault.accepted_backups()[-1]["status"] == "Succeeded", "the server's end of the backup")
    start_again(vault, user)
    user.good_end_of(job)
    require_one_more(before, count())


def test_a_backup_whose_start_was_never_answered_is_found(
    user: User, vault: VaultHost, protected: str, faults: Faults, count: Callable[[], Counts]
) -> None:
    before = count()
    fault = faults.order("hold", f"{vault.place.subscription_id}.*/startLtrBackup")
    job = user.back_up(protected)
    wait_for(lambda: faults.is_used_up(fault), "the held start")
    vault.kill_host()
    faults.clear(fault)
    wait_for(lambda: len(vault.accepted_backups()) > before.accepted, "the backup that nobody heard of")
    start_again(vault, user)
    user.good_end_of(job)
    require_one_more(before, count())


def test_a_promotion_goes_on_where_it_stopped(
    user: User, vault: VaultHost, protected: str, accounts: Accounts, count: Callable[[], Counts]
) -> None:
    before = count()
    job = user.back_up(protected)
    kill_while(vault, lambda: is_half_copied(accounts, job, "Promoting"), "half of the files promoted")
    start_again(vault, user)
    user.good_end_of(job)
    require_one_more(before, count())
    assert accounts.containers("landing") == []


def test_a_restore_goes_on_where_it_stopped(user: User, vault: VaultHost, protected: str, accounts: Accounts) -> None:
    point = user.points(protected)[0]
    job = user.restore(protected, point, "killed")
    kill_while(vault, lambda: is_half_copied(accounts, job, "Copying"), "half of the files restored")
    start_again(vault, user)
    user.good_end_of(job)
    _, manifest = accounts.manifest(point["name"])
    for file in manifest["files"]:
        restored = accounts.read("restore", RESTORE_CONTAINER, f"killed{file['suffix']}")
        assert restored == accounts.read("vault", "points", file["path"])
    assert "killed_rebuild/rebuild.pyz" in accounts.names("restore", RESTORE_CONTAINER, "killed_")
