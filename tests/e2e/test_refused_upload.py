"""The owner revokes the keys behind every SAS while a server writes with one: the next attempt gets new keys."""

from collections.abc import Callable
from datetime import timedelta

from local_cloud.certificates import now
from local_cloud.launch import LaunchedCloud, VaultHost
from tests.e2e.accounts import Accounts
from tests.e2e.counts import Counts
from tests.e2e.leaks import ask_first, leak, warnings_of
from tests.e2e.owner import Faults, Owner
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

SETTLED = timedelta(seconds=2)
"""A key begins in whole seconds: one that is asked for so much later begins after the revocation for sure."""


def test_a_backup_whose_upload_is_refused_takes_another_attempt_with_new_keys(
    user: User,
    vault: VaultHost,
    owner: Owner,
    *,
    protected: str,
    faults: Faults,
    accounts: Accounts,
    cloud: LaunchedCloud,
    count: Callable[[], Counts],
) -> None:
    before = count()
    fault = faults.order("hold-backup", f"{vault.place.subscription_id}.*/startLtrBackup")
    job_id = user.back_up(protected)
    wait_for(lambda: (accounts.open_row(job_id) or {}).get("step") == "Polling", "the running backup")
    (container,) = {name for name in accounts.containers("landing") if name.endswith("c0")}
    ask_landing = leak(cloud, vault, "landing", container)
    assert ask_landing() == 200
    assert ask_first(user, "landing") == [(job_id, "Polling")]
    assert ask_first(user, "vault") == []

    owner.revoke_keys(vault.place.landing_resource_id)
    revoked_at = now()
    assert ask_landing() == 403
    wait_for(lambda: now() > revoked_at + SETTLED, "the next second but one")
    faults.clear(fault)
    job = user.good_end_of(job_id)

    assert (job["status"], warnings_of(job)) == ("CompletedWithWarnings", ["AttemptFailed"])
    assert "AuthenticationFailed" in str(job["extendedInfo"]["warningDetails"])
    assert [run["status"] for run in vault.accepted_backups()[before.accepted :]] == ["Failed", "Succeeded"]
    point = user.point_of(protected, job_id)["name"]
    _, manifest = accounts.manifest(point)
    assert {file["path"].split("/")[2] for file in manifest["files"]} == {"a2"}
    after = count()
    assert (after.jobs, after.points) == (before.jobs + 1, before.points + 1)
