"""The host dies without warning in the middle of a job; a new one goes on, and nothing is done twice."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
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


MORE_THAN_ANY_VERIFICATION_READS = 100_000


@pytest.fixture
def let_reads_go(cloud: LaunchedCloud) -> Iterator[None]:
    """Hold no read any more, however the test ended."""
    yield
    cloud.change_storage(holdReadsAfter=None)


def deep_result(accounts: Accounts, point_name: str, number: int) -> dict[str, Any]:
    """A stored result of a deep verification with its indexes, without what tells one run from another."""
    beside = {name.partition(".")[2]: name for name in accounts.names("vault", "manifests") if point_name in name}
    found = {end: json.loads(accounts.read("vault", "manifests", name)) for end, name in beside.items()}
    result = found[f"verification-{number}.json"]
    for member in ("number", "jobId", "startedAt", "completedAt"):
        del result[member]
    for file in result["files"]:
        path, _ = file.pop("indexPath"), file.pop("indexSha256")
        if path:
            file["index"] = found[path.partition(".")[2]]
            del file["index"]["jobId"]
    return result


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A recovery point and its first deep verification, which nothing disturbed."""

    point: dict[str, Any]
    reads: int
    """How often it read a blob of the vault account."""
    result: dict[str, Any]


@pytest.fixture(scope="module")
def verified(cloud: LaunchedCloud, user: User, accounts: Accounts, protected: str) -> Verified:
    """A new point that was verified deeply."""
    point = user.new_point(protected)
    cloud.change_storage(holdReadsAfter=MORE_THAN_ANY_VERIFICATION_READS)
    user.good_end_of(user.verify_deeply(protected, point))
    reads = MORE_THAN_ANY_VERIFICATION_READS - cloud.change_storage()["holdReadsAfter"]
    cloud.change_storage(holdReadsAfter=None)
    result = deep_result(accounts, point["name"], 1)
    assert result["verdict"] == "Intact"
    assert all(file["sha256"] for file in result["files"])
    return Verified(point=point, reads=reads, result=result)


@pytest.mark.parametrize(("step", "quarters"), [("Indexing", 1), ("Counting", 3)])
def test_a_deep_verification_comes_to_the_same_result(
    step: str,
    quarters: int,
    *,
    cloud: LaunchedCloud,
    vault: VaultHost,
    user: User,
    accounts: Accounts,
    protected: str,
    verified: Verified,
    let_reads_go: None,
) -> None:
    cloud.change_storage(holdReadsAfter=verified.reads * quarters // 4)
    job = user.verify_deeply(protected, verified.point)
    wait_for(lambda: cloud.change_storage()["readsHeld"] > 0, "a read that is held")
    vault.kill_host()
    row = accounts.open_row(job)
    assert row is not None
    assert row["step"] == step
    assert written_down(accounts, job), "it had written down how far it was"
    cloud.change_storage(holdReadsAfter=None)
    start_again(vault, user)

    assert user.good_end_of(job)["status"] == "Completed"
    newest = user.get(f"{user.own_point(protected, verified.point)}/verification")
    assert newest["number"] > 1
    assert deep_result(accounts, verified.point["name"], newest["number"]) == verified.result
    prefix = accounts.manifest(verified.point["name"])[0].removesuffix(".json")
    written = [version.name for version in accounts.versions("manifests", f"{prefix}.verification-")]
    assert len(written) == len(set(written)), "everything was written once"
    assert not written_down(accounts, job)


def written_down(accounts: Accounts, job_id: str) -> list[dict[str, Any]]:
    """How far a job has written down that it is."""
    return list(accounts.rows("blocks", f"PartitionKey eq '{job_id}'"))
