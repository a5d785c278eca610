"""A host falls silent in the middle of a backup, another one finishes it, and then the first wakes up and goes on."""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from tests.e2e.accounts import Accounts
from tests.e2e.owner import Faults
from tests.e2e.second_host import second_host
from tests.e2e.user import User
from tests.e2e.waiting import wait_for


@contextmanager
def frozen(process: int) -> Generator[None]:
    """Freeze a process as long as the block lasts."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def picture(accounts: Accounts, point_name: str) -> dict[str, Any]:
    """Everything that is kept of one point: its row, its job's row, its manifest, its files."""
    path, manifest = accounts.manifest(point_name)
    files = [accounts.properties("vault", "points", file["path"]) for file in manifest["files"]]
    rows = [dict(row) for row in accounts.rows("points", f"RowKey eq '{point_name}'")]
    jobs = [dict(row) for row in accounts.rows("jobs") if str(row.get("job_id", "")).replace("-", "") == point_name]
    return {
        "manifest": (path, accounts.properties("vault", "manifests", path).etag),
        "files": {file.name: (file.size, file.etag) for file in files},
        "rows": [*rows, *jobs],
    }


@pytest.mark.parametrize(
    ("call", "attempts"),
    [
        # It never gets as far as its POST: the successor's is the only one.
        pytest.param("ltrPreBackup", [1], id="before-it-asked-for-containers"),
        # Its POST was on the way and arrives late, under a name that nobody waits for any more.
        pytest.param("startLtrBackup", [2, 1], id="with-its-POST-on-the-way"),
    ],
)
def test_a_zombie_changes_nothing_of_the_point(
    call: str,
    attempts: list[int],
    *,
    cloud: LaunchedCloud,
    vault: VaultHost,
    user: User,
    accounts: Accounts,
    protected: str,
    faults: Faults,
    tmp_path: Path,
) -> None:
    known = len(vault.accepted_backups())
    fault = faults.order("hold", f"{vault.place.subscription_id}.*/{call}")
    job = user.back_up(protected)
    wait_for(lambda: faults.is_used_up(fault), f"the held {call}")
    process = vault.endpoints["pids"]["host"]
    assert process is not None

    with frozen(process), second_host(cloud, vault, tmp_path / "second"):
        wait_for(lambda: accounts.open_row(job) is None, "the successor's end of the job")
        sealed = picture(accounts, job.replace("-", ""))
        faults.clear(fault)
    next_job = user.back_up(protected)
    user.good_end_of(next_job)

    assert picture(accounts, job.replace("-", "")) == sealed
    assert user.job(job)["status"] == "Completed"
    names = [backup["backupName"] for backup in vault.accepted_backups()[known:]]
    of_job = [name for name in names if job.replace("-", "") in name]
    assert of_job == [f"flexvault-{job.replace('-', '')}-a{attempt}" for attempt in attempts]
    assert len(names) == len(of_job) + 1
