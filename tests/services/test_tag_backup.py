"""Which tag a backup gets in the running vault: once it has succeeded, by what succeeded before it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import JobStatus
from flexvault.domain.vault_settings import Immutability
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.policies import put_policy
from flexvault.services.reevaluate import preview_reevaluation
from flexvault.services.requests import back_up_now
from flexvault.services.scheduling import tick
from tests.builders import ACTOR, INSTANCE_ID, SERVER_ID, World, add_tag, let_pass, policy_properties, protect, run_jobs
from tests.builders import world as empty_world
from tests.services.approving import move
from tests.services.changing import begin_deletion, clean_up
from tests.services.invariants import require_rest
from tests.services.running import newest_job

NIGHTLY = "R/2026-01-05T02:00:00+00:00/P1D"
BEFORE_MIDNIGHT = "R/2026-01-05T23:59:00+00:00/P1D"


def monthly_properties(interval: str = NIGHTLY, keep_for: str = "P1Y", zone: str = "UTC") -> dict[str, Any]:
    """A week of backups, and the first of each month for longer."""
    daily = policy_properties(interval, keep_for="P7D", zone=zone)
    return add_tag(daily, "Monthly", 15, keep_for, absoluteCriteria=["FirstOfMonth"])


def monthly_world(**changes: Any) -> World:
    """A vault whose one server is under such a policy since 5 January 2026, 00:00."""
    world = empty_world(immutability=Immutability.DISABLED)
    put_policy(world.vault, "daily", monthly_properties(**changes), ACTOR)
    protect(world)
    return world


def at(text: str) -> datetime:
    """A moment of 2026 in UTC, such as 02-01T02:00."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def back_up(world: World, *moments: str) -> None:
    """Let the schedule's timer run at some moments, each time up to the end of the backup."""
    for text in moments:
        world.clock.advance_to(at(text))
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)


def points(world: World) -> list[RecoveryPoint]:
    """Every point, oldest first, also the deleted ones."""
    found = catalog.list_all_points(world.vault.ports, world.instance().key)
    return sorted(found, key=lambda point: point.recovery_point_time)


def tags(world: World) -> list[str]:
    return [point.tag for point in points(world)]


def test_the_first_success_of_a_month_gets_its_tag_expiry_and_reason():
    world = monthly_world()
    back_up(world, "01-05T02:00", "01-06T02:00", "02-01T02:00", "02-02T02:00")
    assert tags(world) == ["Monthly", "Default", "Monthly", "Default"]
    january, second, *_ = points(world)
    assert (january.because, january.day, january.judged_at) == ("FirstOfMonth", "2026-01-05", at("01-05T02:00"))
    assert january.expiry_time == january.recovery_point_time.replace(year=2027)
    assert (second.because, second.expiry_time) == ("Default", second.recovery_point_time + timedelta(days=7))
    assert catalog.read_manifest(world.vault.ports, january).tagging == {
        "because": "FirstOfMonth",
        "day": "2026-01-05",
        "judgedAt": "2026-01-05T02:00:00+00:00",
    }
    require_rest(world)


def test_a_job_shows_no_tag_before_its_backup_has_succeeded():
    world = monthly_world()
    world.clock.advance_to(at("01-05T02:00"))
    tick(world.vault, world.memory.orchestrations)
    assert newest_job(world).recovery == {}
    run_jobs(world)
    assert newest_job(world).recovery["tag"] == "Monthly"


def test_a_backup_that_failed_leaves_the_month_to_the_next_one():
    world = monthly_world()
    back_up(world, "01-05T02:00")
    healthy = world.memory.ltr.script
    world.memory.ltr.script = replace(healthy, status="Failed", error_code="DumpFailed", error_message="no")
    back_up(world, "02-01T02:00")
    assert newest_job(world).status is JobStatus.FAILED
    world.memory.ltr.script = healthy
    back_up(world, "02-03T02:00", "02-04T02:00")
    assert [(point.day, point.tag) for point in points(world)] == [
        ("2026-01-05", "Monthly"),
        ("2026-02-03", "Monthly"),
        ("2026-02-04", "Default"),
    ]


def test_a_first_that_was_deleted_since_is_still_the_first():
    world = monthly_world(keep_for="P7D")
    back_up(world, "01-05T02:00", "01-06T02:00")
    let_pass(world, timedelta(days=10))
    begin_retention(world.vault, world.memory.orchestrations)
    run_jobs(world)
    assert [point.state for point in points(world)] == ["deleted", "sealed"]
    back_up(world, "01-30T02:00")
    assert tags(world) == ["Monthly", "Default", "Default"]


def test_a_first_under_another_policy_is_still_the_first():
    world = monthly_world()
    back_up(world, "01-05T02:00")
    put_policy(world.vault, "other", monthly_properties("R/2026-01-05T14:00:00+00:00/P1D"), ACTOR)
    move(world.vault, "other")
    run_jobs(world)
    back_up(world, "01-06T14:00", "02-01T14:00")
    assert [(point.policy_name, point.tag) for point in points(world)] == [
        ("daily", "Monthly"),
        ("other", "Default"),
        ("other", "Monthly"),
    ]


def test_a_server_whose_creation_arm_does_not_tell_for_once_is_no_new_one():
    world = monthly_world()
    back_up(world, "01-05T02:00")
    known = world.memory.servers.get(SERVER_ID)
    world.memory.servers.put(replace(known, created_at=None))
    back_up(world, "01-06T02:00")
    assert not [entry for entry in newest_job(world).warnings if entry["code"] == "ServerRecreated"]
    world.memory.servers.put(known)
    back_up(world, "01-07T02:00")
    assert tags(world) == ["Monthly", "Default", "Default"]
    assert len({point.chain for point in points(world)}) == 1


def test_a_server_that_was_created_anew_begins_again():
    world = monthly_world()
    back_up(world, "01-05T02:00")
    server = world.memory.servers.get(SERVER_ID)
    world.memory.servers.put(replace(server, created_at=at("01-05T12:00")))
    back_up(world, "01-06T02:00", "01-07T02:00")
    assert tags(world) == ["Monthly", "Monthly", "Default"]


@pytest.mark.parametrize("named", ["", "Default", "Monthly"])
def test_a_backup_on_demand_takes_no_months_tag_away_and_gets_only_what_was_asked_for(named: str):
    world = monthly_world()
    back_up_now(world.vault, INSTANCE_ID, "BackupDaily", named, "now-1")
    run_jobs(world)
    back_up(world, "01-05T02:00", "01-06T02:00")
    asked_for, *scheduled = points(world)
    assert (asked_for.tag, asked_for.because, asked_for.judged_at) == (named or "Default", "OnDemand", None)
    assert [point.tag for point in scheduled] == ["Monthly", "Default"]


@pytest.mark.parametrize(
    ("started", "day", "tag", "following"),
    [
        pytest.param("01-31T23:59", "2026-01-31", "Default", "Monthly", id="in time: the last of January"),
        pytest.param("02-01T00:30", "2026-01-31", "Default", "Monthly", id="after midnight: still the last of January"),
        pytest.param("02-01T00:59", "2026-01-31", "Default", "Monthly", id="an hour late: no catch-up yet"),
        pytest.param(
            "02-01T01:00", "2026-02-01", "Monthly", "Default", id="later: a catch-up is the first of February"
        ),
    ],
)
def test_a_slot_just_before_midnight_belongs_to_its_own_day_unless_it_is_caught_up(
    started: str, day: str, tag: str, following: str
):
    world = monthly_world(interval=BEFORE_MIDNIGHT)
    back_up(world, "01-05T23:59", started, "02-01T23:59")
    _, caught, next_one = points(world)
    assert (caught.day, caught.tag, next_one.tag) == (day, tag, following)
    assert caught.recovery_point_time == at(started), "its expiry counts from when it ran"


def test_a_slot_is_judged_by_the_date_of_the_policys_zone():
    """23:30 UTC on 31 January is half past midnight of 1 February in Berlin."""
    world = monthly_world(interval="R/2026-01-05T23:30:00+00:00/P1D", zone="Europe/Berlin")
    back_up(world, "01-05T23:30", "01-30T23:30", "01-31T23:30")
    assert [(point.day, point.tag) for point in points(world)] == [
        ("2026-01-06", "Monthly"),
        ("2026-01-31", "Default"),
        ("2026-02-01", "Monthly"),
    ]


def test_a_catch_up_is_judged_by_when_it_ran_and_the_slot_after_it_by_its_own_date():
    """The vault slept from the 5th of January to the 2nd of February: one backup is caught up."""
    world = monthly_world()
    back_up(world, "01-05T02:00", "02-02T01:30", "02-02T02:00")
    assert [(point.day, point.tag) for point in points(world)] == [
        ("2026-01-05", "Monthly"),
        ("2026-02-02", "Monthly"),
        ("2026-02-02", "Default"),
    ]


def test_the_policy_of_the_claim_decides_though_it_was_changed_since():
    world = monthly_world()
    world.clock.advance_to(at("01-05T02:00"))
    tick(world.vault, world.memory.orchestrations)
    longer = add_tag(
        policy_properties(NIGHTLY, keep_for="P1Y"), "Monthly", 15, "P2Y", absoluteCriteria=["FirstOfMonth"]
    )
    put_policy(world.vault, "daily", longer, ACTOR)
    run_jobs(world)
    (point,) = points(world)
    assert (point.tag, point.expiry_time) == ("Monthly", point.recovery_point_time.replace(year=2027))


def test_of_an_instance_that_was_made_again_the_first_backup_is_the_first_of_its_month_again():
    world = monthly_world()
    back_up(world, "01-05T02:00", "01-06T02:00")
    begin_deletion(world)
    clean_up(world)
    protect(world, request_key="again")
    back_up(world, "01-07T02:00", "01-08T02:00")
    assert tags(world) == ["Monthly", "Default", "Monthly", "Default"]
    assert preview_reevaluation(world.vault, world.instance()).counts.changed == 0
