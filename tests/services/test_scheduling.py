"""One backup per slot, whatever the timers do; what was missed is recorded."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from flexvault.domain import row_keys
from flexvault.domain.errors import ConflictError, InvalidInputError, NotFoundError, TransientError
from flexvault.domain.job import JobStatus
from flexvault.domain.rows import Merge
from flexvault.services import catalog
from flexvault.services.policies import put_policy
from flexvault.services.requests import OVERLAP, back_up_now
from flexvault.services.scheduling import tick
from flexvault.services.starting import START_AGAIN_AFTER
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    MONDAY,
    World,
    add_server,
    policy_properties,
    protect,
    run_jobs,
    run_one,
    world,
)
from tests.services.running import FIRST_SLOT, claimed, newest_job, only_open, protected

DAY = timedelta(days=1)


def run_tick(world: World) -> list[str]:
    return list(tick(world.vault, world.memory.orchestrations))


def backups(world: World) -> list[datetime]:
    """Slots of all backup jobs, newest first."""
    return [
        datetime.fromisoformat(job.facts["slot"])
        for job in world.jobs()
        if job.operation == "backup" and job.facts["slot"]
    ]


def missed(world: World) -> list[tuple[object, ...]]:
    found = catalog.list_missed(world.vault.ports, world.instance().key)
    return [tuple(record[name] for name in ("first", "last", "count", "reason")) for record in found]


def test_a_slot_is_claimed_once_however_often_the_timer_fires():
    world = protected()
    assert [len(run_tick(world)) for _ in range(4)] == [1, 0, 0, 0]
    assert backups(world) == [FIRST_SLOT]


def test_a_slot_is_claimed_once_by_many_ticks_at_the_same_moment():
    world = protected()
    threads = [threading.Thread(target=run_tick, args=(world,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert backups(world) == [FIRST_SLOT]
    assert len(world.open_jobs()) == 1


def test_a_slot_is_not_claimed_again_after_its_job_has_ended():
    world = claimed()
    run_jobs(world)
    assert run_tick(world) == []
    assert backups(world) == [FIRST_SLOT]


def test_a_slot_that_is_near_is_claimed_and_waits_for_its_moment():
    world = world_before(timedelta(minutes=4))
    run_tick(world)
    opened = only_open(world)
    assert opened.not_before == FIRST_SLOT
    assert newest_job(world).started_at == FIRST_SLOT
    started = world.memory.orchestrations.started[-1]
    assert started.payload["not_before"] == FIRST_SLOT.timestamp()


def world_before(duration: timedelta) -> World:
    vault = world()
    protect(vault)
    vault.clock.advance_to(FIRST_SLOT - duration)
    return vault


def test_a_slot_that_is_not_near_is_left():
    assert run_tick(world_before(timedelta(minutes=6))) == []


def test_after_three_days_without_a_tick_one_backup_runs_and_the_rest_is_recorded():
    world = protected()
    world.clock.advance_to(FIRST_SLOT + 3 * DAY)
    assert len(run_tick(world)) == 1
    assert backups(world) == [FIRST_SLOT + 3 * DAY]
    first, last = FIRST_SLOT.isoformat(), (FIRST_SLOT + 2 * DAY).isoformat()
    assert missed(world) == [(first, last, 3, "ControlPlaneDown")]
    run_jobs(world)
    assert run_tick(world) == []


def test_a_backup_that_is_due_while_the_previous_one_runs_follows_it_once():
    world = claimed()
    world.clock.advance_to(FIRST_SLOT + 2 * DAY + timedelta(hours=1))
    assert run_tick(world) == [], "the open row is the fence"
    run_jobs(world)
    assert len(run_tick(world)) == 1
    assert backups(world) == [FIRST_SLOT + 2 * DAY, FIRST_SLOT]
    day_2 = (FIRST_SLOT + DAY).isoformat()
    assert missed(world) == [(day_2, day_2, 1, "PreviousBackupRunning")]


def test_what_is_missed_is_recorded_in_the_transaction_of_the_claim():
    world = protected()
    world.clock.advance_to(FIRST_SLOT + 3 * DAY)
    world.memory.faults.fail_next("rows.apply", TransientError("503"))
    with pytest.raises(TransientError):
        run_tick(world)
    assert (backups(world), missed(world), world.open_jobs()) == ([], [], [])
    run_tick(world)
    assert (len(backups(world)), len(missed(world))) == (1, 1)


def test_a_vault_that_slept_for_years_has_one_record():
    world = protected()
    world.clock.advance_to(FIRST_SLOT + 4000 * DAY)
    run_tick(world)
    assert len(missed(world)) == 1
    assert len(world.open_jobs()) == 1


def test_slots_before_the_protection_do_not_count():
    vault = world()
    vault.clock.advance_to(MONDAY + timedelta(hours=3))
    protect(vault)
    assert run_tick(vault) == []
    assert missed(vault) == []


def test_an_instance_that_is_not_protected_has_no_slots():
    vault = world()
    vault.memory.roles.may_grant = False
    protect(vault)
    vault.clock.advance_to(FIRST_SLOT)
    assert vault.instance().state == "ConfiguringProtectionFailed"
    assert run_tick(vault) == []


def test_a_slot_of_an_earlier_schedule_is_cancelled_with_nothing_started():
    world = world_before(timedelta(minutes=1))
    run_tick(world)
    world.clock.advance_to(FIRST_SLOT + timedelta(seconds=1))
    put_policy(world.vault, "daily", policy_properties("R/2026-01-05T04:00:00+00:00/P1D"), ACTOR)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.CANCELLED
    assert world.memory.ltr.accepted == ()
    world.clock.advance_to(FIRST_SLOT + timedelta(hours=2))
    assert len(run_tick(world)) == 1


def test_a_policy_that_keeps_its_schedule_leaves_the_claimed_slot_alone():
    world = claimed()
    put_policy(world.vault, "daily", policy_properties(keep_for="P2M"), ACTOR)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_tag_and_expiry_follow_the_policy_as_of_the_claim():
    world = claimed()
    put_policy(world.vault, "daily", policy_properties(keep_for="P2M"), ACTOR)
    run_jobs(world)
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    assert point.expiry_time == point.recovery_point_time.replace(month=2)


def test_another_policy_restarts_the_schedule():
    world = protected()
    put_policy(world.vault, "other", policy_properties("R/2026-01-05T01:00:00+00:00/P1D"), ACTOR)
    world.clock.advance(timedelta(seconds=5))
    protect(world, request_key="protect-again", policy="other")
    assert catalog.find_slots_from(world.vault.ports, world.instance().key) == FIRST_SLOT + timedelta(seconds=5)
    assert run_tick(world) == [], "neither the old policy's slot of 02:00 nor the new one's of 01:00"


def test_a_policy_that_became_unusable_stops_only_its_own_instances():
    world = protected()
    row = world.vault.ports.rows.find(row_keys.CONFIG, row_keys.VAULT_PARTITION, row_keys.policy_row("daily"))
    assert row is not None
    world.vault.ports.rows.apply(
        row_keys.CONFIG, row_keys.VAULT_PARTITION, [Merge(key=row.key, values={"properties": "{}"})]
    )
    assert run_tick(world) == []
    assert [event for event, _ in world.memory.telemetry.events if event == "PolicyUnusable"] == ["PolicyUnusable"]


def test_a_start_that_got_lost_is_repeated_after_a_while_and_not_at_every_tick():
    world = claimed()
    world.memory.orchestrations.wipe()
    run_tick(world)
    assert len(backup_starts(world)) == 1
    world.clock.advance(START_AGAIN_AFTER)
    run_tick(world)
    assert len(backup_starts(world)) == 2
    run_one(world, only_open(world))
    world.clock.advance(START_AGAIN_AFTER)
    run_tick(world)
    assert len(backup_starts(world)) == 2, "a generation that has written needs no start"


def backup_starts(world: World) -> list[str]:
    return [start.instance_id for start in world.memory.orchestrations.started if start.name == "back_up_server"]


def test_a_hub_that_refuses_leaves_the_claim_for_the_next_tick():
    world = protected()
    world.memory.faults.fail_next("orchestrations.start", TransientError("hub", code="TaskHubUnusable"))
    with pytest.raises(TransientError):
        run_tick(world)
    assert backups(world) == [FIRST_SLOT]
    world.clock.advance(START_AGAIN_AFTER)
    run_tick(world)
    assert len(backup_starts(world)) == 1


def test_starts_in_one_subscription_are_paced():
    vault = world()
    protect(vault)
    for name in ("a", "b", "c"):
        protect(
            vault,
            request_key=f"protect-{name}",
            instance_id=f"{INSTANCE_ID}-{name}",
            server_id=add_server(vault, name),
        )
    vault.clock.advance_to(FIRST_SLOT)
    assert len(run_tick(vault)) == 4
    moments = sorted(opened.not_before for opened in vault.open_jobs())
    assert [later - earlier for earlier, later in pairwise(moments)] == [timedelta(milliseconds=200)] * 3


# On demand -----------------------------------------------------------------------------------------------------------


def test_an_on_demand_backup_that_meets_an_open_one_is_a_conflict():
    world = claimed()
    with pytest.raises(ConflictError) as refused:
        back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "r1")
    assert refused.value.code == OVERLAP
    assert len(world.open_jobs()) == 1


def test_a_tick_that_meets_an_on_demand_backup_does_nothing_and_catches_up_later():
    world = world_before(timedelta(minutes=6))
    back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "r1")
    world.clock.advance_to(FIRST_SLOT)
    assert run_tick(world) == []
    run_jobs(world)
    assert len(run_tick(world)) == 1


def test_the_same_request_twice_is_one_job():
    world = protected()
    first = back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "r1")
    again = back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "r1")
    assert (again.job_id, again.open_key) == (first.job_id, "")
    run_jobs(world)
    world.clock.advance(timedelta(hours=1))
    assert back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "r1").job_id == first.job_id
    assert len([job for job in world.jobs() if job.operation == "backup"]) == 1


def test_ten_people_who_press_at_once_make_one_job():
    world = protected()
    outcomes: list[str] = []

    def press(number: int) -> None:
        try:
            outcomes.append(back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", f"r{number}").job_id)
        except ConflictError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=press, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(OVERLAP) == 9
    assert len(world.open_jobs()) == 1


def test_an_on_demand_backup_is_no_slot():
    world = world_before(timedelta(minutes=6))
    back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "r1")
    run_jobs(world)
    world.clock.advance_to(FIRST_SLOT)
    assert len(run_tick(world)) == 1
    assert newest_job(world).is_user_triggered is False


@pytest.mark.parametrize("rule", ["BackupDaily", "backupdaily", "Default"])
def test_clients_send_the_name_of_either_rule(rule: str):
    world = protected()
    back_up_now(world.vault, INSTANCE_ID, rule, "", "r1")
    assert newest_job(world).facts["tag"] == "Default"


@pytest.mark.parametrize(
    ("rule", "tag", "target"),
    [
        pytest.param("Weekly", "", "backupRuleOptions.ruleName", id="rule"),
        pytest.param(
            "BackupDaily", "Yearly", "backupRuleOptions.triggerOption.retentionTagOverride", id="retention tag"
        ),
    ],
)
def test_a_rule_or_tag_that_the_policy_lacks_is_named(rule: str, tag: str, target: str):
    world = protected()
    with pytest.raises(InvalidInputError) as refused:
        back_up_now(world.vault, INSTANCE_ID, rule, tag, "r1")
    assert refused.value.target == target
    assert world.open_jobs() == []


def test_an_instance_that_is_not_there_or_not_protected_is_not_backed_up():
    vault = world()
    with pytest.raises(NotFoundError) as missing:
        back_up_now(vault.vault, INSTANCE_ID, "BackupDaily", "", "r1")
    assert missing.value.code == "UserErrorGenericResourceNotFound"
    vault.memory.roles.may_grant = False
    protect(vault)
    with pytest.raises(InvalidInputError) as refused:
        back_up_now(vault.vault, INSTANCE_ID, "BackupDaily", "", "r1")
    assert refused.value.code == "UserErrorBackupInstanceNotProtected"


def test_jobs_are_listed_newest_first_page_by_page():
    world = claimed()
    run_jobs(world)
    for day in range(1, 6):
        world.clock.advance_to(datetime(2026, 1, 5, 2, tzinfo=UTC) + day * DAY)
        run_tick(world)
        run_jobs(world)
    everything = [job.job_id for job in world.jobs()]
    assert [job.started_at for job in world.jobs()] == sorted((job.started_at for job in world.jobs()), reverse=True)
    page = list(catalog.list_jobs(world.vault.ports, limit=3))
    following = list(catalog.list_jobs(world.vault.ports, after=page[-1].job_id))
    assert [job.job_id for job in [*page, *following]] == everything


def test_a_fleet_is_spread_over_a_window_and_each_instance_keeps_its_moment():
    begins: dict[str, set[timedelta]] = {}
    for _ in range(2):
        vault = world(spread=timedelta(hours=2))
        for name in ("a", "b", "c"):
            server_id = add_server(vault, name)
            protect(vault, request_key=name, instance_id=f"{INSTANCE_ID}-{name}", server_id=server_id)
        vault.clock.advance_to(FIRST_SLOT)
        tick(vault.vault, vault.memory.orchestrations)
        for opened in vault.open_jobs():
            assert opened.state["slot"] == FIRST_SLOT.isoformat()
            begins.setdefault(opened.instance, set()).add(opened.not_before - FIRST_SLOT)
    moments = [moment for found in begins.values() for moment in found]
    assert len(moments) == len(set(moments)) == 3
    assert all(timedelta() <= moment <= timedelta(hours=2) for moment in moments)


def test_a_spread_is_no_catch_up_and_leaves_time_before_the_next_slot():
    vault = world(spread=timedelta(days=10))
    protect(vault)
    vault.clock.advance_to(FIRST_SLOT)
    tick(vault.vault, vault.memory.orchestrations)
    (opened,) = vault.open_jobs()
    assert timedelta(hours=1) < opened.not_before - FIRST_SLOT <= timedelta(hours=6)
    run_jobs(vault)
    (point,) = catalog.list_points(vault.vault.ports, vault.instance().key)
    assert point.judged_at == FIRST_SLOT
