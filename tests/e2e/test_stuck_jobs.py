"""A step that always fails ends its job with a plain word, and the schedule goes on."""

from tests.e2e import bodies
from tests.e2e.conftest import StuckBackup
from tests.e2e.owner import Owner
from tests.e2e.waiting import wait_for


def test_a_step_that_always_fails_closes_its_job_and_the_next_slot_runs(
    stuck_backup: StuckBackup, owner: Owner
) -> None:
    user = stuck_backup.user
    job = user.end_of(stuck_backup.job_id, within_seconds=150)
    owner.clear_fault(stuck_backup.fault)

    assert job["status"] == "Failed", job
    (error,) = job["errorDetails"]
    assert error["code"] == "NoProgress"
    assert "step Preparing" in error["message"]
    assert error["recommendedAction"]

    # Not earlier: the next slot's job would meet the fault too, however long the tests before this one took.
    user.put_policy("stuck", bodies.policy([bodies.in_a_moment(3)]))
    newer = wait_for(lambda: user.jobs("Backup")[0] if len(user.jobs("Backup")) > 1 else None, "the next slot's job")
    user.good_end_of(newer["name"])
    (point,) = user.points(stuck_backup.instance)
    (backup,) = stuck_backup.vault.accepted_backups()
    assert point["name"] in backup["backupName"]
