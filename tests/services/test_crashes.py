"""A process may die at any call: every job still ends, once, and truthfully.

Each flow is run once to count the calls that it makes to its surroundings. Then it is run anew for every one of them,
dying just before or just after it, and goes on as the system would: the orchestrator repeats the activity, or nobody
does and reconcile takes the job over.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.job import JobStatus
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.effects import run
from flexvault.services.policies import put_policy
from flexvault.services.protection import ProtectionRequest, request_protection
from flexvault.services.reconcile import reconcile
from flexvault.services.request_verification import verify_point
from flexvault.services.requests import back_up_now, restore_point
from flexvault.services.scheduling import tick
from flexvault.services.vault import Vault
from flexvault.services.verifications import read_newest
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    MONDAY,
    SERVER_ID,
    World,
    backup_files,
    let_pass,
    policy_properties,
    protect,
    request_of,
    run_jobs,
    world,
)
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_rest
from tests.services.running import restore_order

type Begin = Callable[[World, Vault], None]
type Recover = Callable[[World], None]


def drive(world: World, vault: Vault, recover: Recover) -> None:
    """Run what is open to its end through a vault that may die; each time it does, recover."""
    for _ in range(100):
        waiting = world.open_jobs()
        if not waiting:
            return
        opened = waiting[0]
        world.clock.advance_to(opened.not_before)
        request = request_of(opened)
        try:
            while (answer := run(vault, request)).next is not None:
                world.clock.advance(timedelta(seconds=answer.wait_seconds))
                request = replace(request, step=answer.next)
        except CrashError:
            recover(world)
    pytest.fail(f"never ended: {world.open_jobs()}")


def repeat_activity(world: World) -> None:
    """The orchestrator's retry policy calls the activity again, which looks at the row first."""
    world.clock.advance(timedelta(seconds=2))


def take_over(world: World) -> None:
    """Nobody repeats anything: the hub has lost the job, and its row gets stale."""
    stale = max((opened.next_check_at for opened in world.open_jobs()), default=world.clock.storage_now())
    world.clock.advance_to(stale + world.vault.settings.stale_grace + timedelta(seconds=1))
    world.memory.orchestrations.wipe()
    reconcile(world.vault, world.memory.orchestrations)


RECOVERIES = pytest.mark.parametrize("recover", [repeat_activity, take_over])


def crash_everywhere(
    build: Callable[[], World],
    begin: Begin,
    recover: Recover,
    check: Callable[[World], None],
    *,
    only_begin: bool = False,
) -> None:
    """Run a flow with a crash before and after each of its calls, or each of those that begin it."""
    counted = Interruption()
    quiet = build()
    vault = interrupted(quiet.vault, counted)
    begin(quiet, vault)
    first_calls = len(counted.calls)
    drive(quiet, vault, recover)
    require_rest(quiet)
    check(quiet)
    assert 0 < first_calls < len(counted.calls)
    for call, name in enumerate(counted.calls[: first_calls if only_begin else None]):
        for after in (False, True):
            hurt = build()
            vault = interrupted(hurt.vault, crash_at(call, after=after))
            try:
                try:
                    begin(hurt, vault)
                except CrashError:
                    begin(hurt, vault)  # the timer fires again, the client sends its request again
                drive(hurt, vault, recover)
                require_rest(hurt)
                check(hurt)
            except Exception as error:
                moment = "after" if after else "before"
                error.add_note(f"the process died {moment} call {call}, {name}")
                raise


def protected() -> World:
    vault = world()
    files = backup_files()
    # Two files are enough to die between two of them, and every further one makes each run longer.
    vault.memory.ltr.script = LtrScript(files={name: files[name] for name in ("_database_orders.sql", "_roles.sql")})
    protect(vault)
    vault.memory.storage.create_container("restore", "mine")
    vault.clock.advance_to(MONDAY + timedelta(hours=2))
    return vault


def backed_up() -> World:
    vault = protected()
    tick(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)
    return vault


def two_points() -> World:
    """Two recovery points, both long expired; the newer one is the newest good one."""
    vault = backed_up()
    vault.clock.advance_to(MONDAY + timedelta(days=1, hours=2))
    tick(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)
    let_pass(vault, timedelta(days=60), every=timedelta(days=30))
    return vault


def with_policy() -> World:
    """A vault with a policy and no instance."""
    vault = world()
    vault.memory.storage.create_container("restore", "mine")
    put_policy(vault.vault, "daily", policy_properties(), ACTOR)
    return vault


def begin_backup(world: World, vault: Vault) -> None:
    tick(vault, world.memory.orchestrations)


def begin_requested_backup(world: World, vault: Vault) -> None:
    back_up_now(vault, INSTANCE_ID, "BackupDaily", "", "request-1")


def begin_restore(world: World, vault: Vault) -> None:
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    restore_point(vault, restore_order(point.point_id), "request-2")


def begin_verification(world: World, vault: Vault) -> None:
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    verify_point(vault, world.instance(), point.point_id, "request-4")


def begin_configuration(world: World, vault: Vault) -> None:
    request = ProtectionRequest(
        instance_id=INSTANCE_ID, name="pg-orders", server_id=SERVER_ID, policy_name="daily", properties={}
    )
    instance, _, _ = request_protection(vault, request, ACTOR, "request-3")
    assert instance.id == INSTANCE_ID


def begin_cleanup(world: World, vault: Vault) -> None:
    begin_retention(vault, world.memory.orchestrations)


def require_one_backup(world: World) -> None:
    jobs = [job for job in world.jobs() if job.operation == "backup"]
    points = catalog.list_points(world.vault.ports, world.instance().key)
    assert [job.status for job in jobs] == [JobStatus.COMPLETED]
    assert [point.job_id for point in points] == [jobs[0].job_id]
    assert len(world.memory.ltr.accepted) == 1
    schedule = world.vault.ports.rows.find("jobs", "jobs", f"schedule-{world.instance().key}")
    assert schedule is not None
    assert schedule.values["last_closed_job"] == jobs[0].job_id


@RECOVERIES
def test_a_backup_that_dies_anywhere_is_one_backup_all_the_same(recover: Recover):
    crash_everywhere(protected, begin_backup, recover, require_one_backup)


def test_a_requested_backup_whose_claim_dies_anywhere_is_one_backup_all_the_same():
    crash_everywhere(protected, begin_requested_backup, repeat_activity, require_one_backup, only_begin=True)


@RECOVERIES
def test_a_restore_that_dies_anywhere_writes_every_file_once(recover: Recover):
    def check(world: World) -> None:
        restores = [job for job in world.jobs() if job.operation == "restore"]
        assert [job.status for job in restores] == [JobStatus.COMPLETED], restores
        landed = dict(world.memory.ltr.script.files)
        restored = {blob.name for blob in world.memory.storage.list_blobs("restore", "mine")}
        assert {f"again{suffix}" for suffix in landed} < restored
        for suffix, data in landed.items():
            assert world.memory.storage.read("restore", "mine", f"again{suffix}") == data
        kinds = [entry.type for entry in entries(world, world.instance().key)]
        assert (kinds.count("RestoreStarted"), kinds.count("RestoreEnded")) == (1, 1)

    crash_everywhere(backed_up, begin_restore, recover, check)


@RECOVERIES
def test_a_deep_verification_that_dies_anywhere_has_one_result_all_the_same(recover: Recover):
    crash_everywhere(backed_up, begin_verification, recover, require_one_verification)


def require_one_verification(world: World) -> None:
    job = next(job for job in world.jobs() if job.operation == "verify")
    (point,) = catalog.list_points(world.vault.ports, world.instance().key)
    found = read_newest(world.vault.ports, point)
    assert job.status is JobStatus.COMPLETED
    assert found is not None
    assert (found.number, found.verdict, found.job_id) == (1, "Intact", job.job_id)
    assert [rows.rows for file in found.files for rows in file.rows] == [2]
    assert all(file.sha256 for file in found.files)
    beside = [blob.name.partition(".")[2] for blob in world.memory.storage.list_blobs("vault", "manifests")]
    assert sorted(beside) == ["json", "verification-1.index-0.json", "verification-1.json"]
    assert [entry.type for entry in entries(world, world.instance().key)].count("PointVerified") == 1


@RECOVERIES
def test_a_configuration_that_dies_anywhere_protects_the_server_once(recover: Recover):
    def check(world: World) -> None:
        assert world.instance().state == "ProtectionConfigured"
        assert [job.status for job in world.jobs()] == [JobStatus.COMPLETED]
        kinds = [entry.type for entry in entries(world, "vault")]
        assert (kinds.count("ProtectionRequested"), kinds.count("ProtectionConfigured")) == (1, 1)
        assert len(world.memory.roles.grants) == 2

    crash_everywhere(with_policy, begin_configuration, recover, check)


@RECOVERIES
def test_a_cleanup_that_dies_anywhere_deletes_what_has_expired_and_nothing_else(recover: Recover):
    def check(world: World) -> None:
        points = catalog.list_points(world.vault.ports, world.instance().key)
        assert [point.recovery_point_time.day for point in points] == [6]
        files = [blob.name.split("/")[1] for blob in world.memory.storage.list_blobs("vault", "points")]
        assert set(files) == {points[0].point_id}
        manifests = world.memory.storage.list_blobs("vault", "manifests")
        assert [blob.name for blob in manifests] == [f"{world.instance().key}/{points[0].point_id}.json"]
        kinds = [entry.type for entry in entries(world, world.instance().key)]
        assert (kinds.count("Tombstoned"), kinds.count("PointDeleted")) == (1, 1)

    crash_everywhere(two_points, begin_cleanup, recover, check)
