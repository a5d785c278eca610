"""The breaker in the running vault: it trips, holds, is released by two people, and then lets go what was known."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.domain.approval import USABLE_FOR, ApprovalState
from flexvault.domain.breaker import Trip
from flexvault.domain.errors import ApprovalRequiredError, IntegrityError
from flexvault.domain.job import JobStatus
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.approvals import get_approval
from flexvault.services.breaker import find_earlier_plans, read_breaker, trip_breaker
from flexvault.services.policies import put_policy
from flexvault.services.release_breaker import BREAKER_RELEASE, release_breaker
from flexvault.services.retention_plan import store_plan
from flexvault.services.scheduling import tick
from flexvault.services.vault import Vault
from tests.builders import ACTOR, World, let_pass, policy_properties, run_jobs
from tests.services.approving import OTHER, approve, of_type, require_used_once, state
from tests.services.invariants import entries, require_rest, require_whole_journal
from tests.services.running import FIRST_SLOT, newest_job, protected

DAY = timedelta(days=1)
SURPRISE = datetime(2026, 2, 8, 12, tzinfo=UTC)
"""Four of five daily points have expired after a month; the newest is not yet 31 days old."""


def sleeping(days: int = 5, until: datetime = SURPRISE) -> World:
    """A vault that backed up for some days and then stored no plan until its points had expired."""
    world = protected()
    for day in range(days):
        world.clock.advance_to(FIRST_SLOT + DAY * day)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
    world.clock.advance_to(until)
    return world


def clean_up(world: World) -> None:
    begin_retention(world.vault, world.memory.orchestrations)
    run_jobs(world)


def tripped() -> World:
    world = sleeping()
    clean_up(world)
    return world


def states(world: World) -> list[str]:
    """States of the points, oldest first."""
    found = catalog.list_all_points(world.vault.ports, world.instance().key)
    return [point.state for point in sorted(found, key=lambda point: point.recovery_point_time)]


def tombstones(world: World) -> int:
    return [entry.type for entry in entries(world, world.instance().key)].count("Tombstoned")


def events(world: World) -> list[dict[str, Any]]:
    """What monitoring hears of the breaker."""
    return [dict(facts) for name, facts in world.memory.telemetry.events if name == "RetentionBreakerTripped"]


def stored(world: World, path: str) -> dict[str, Any]:
    return json.loads(world.memory.storage.read("vault", "plans", path))


def release(vault: Vault, actor: dict[str, str] = ACTOR, reason: str = "") -> None:
    release_breaker(vault, actor, reason)


def ask(world: World, actor: dict[str, str] = ACTOR, reason: str = "") -> str:
    """Ask for the release; answers the approval's id."""
    with pytest.raises(ApprovalRequiredError) as refused:
        release(world.vault, actor, reason)
    return refused.value.target


def released(world: World) -> World:
    approve(world, ask(world))
    release(world.vault)
    return world


def surprise_again(world: World) -> None:
    """Back up for six more days and store no plan until five of those points have expired, too."""
    for day in range(6):
        world.clock.advance_to(SURPRISE + DAY * (day + 1))
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
    world.clock.advance_to(SURPRISE + 34 * DAY)


# It trips ------------------------------------------------------------------------------------------------------------


def test_a_plan_that_would_delete_far_more_than_was_announced_deletes_nothing():
    world = tripped()
    assert (tombstones(world), states(world)) == (0, ["sealed"] * 5)
    breaker = read_breaker(world.vault.ports)
    assert (breaker.is_tripped, breaker.tripped_at, breaker.released_at) == (True, SURPRISE, None)
    plan = stored(world, breaker.plan)
    assert [trip["code"] for trip in plan["trips"]] == ["TooManyDeletions"]
    assert [verdict["decision"] for verdict in plan["verdicts"]] == ["expire"] * 4 + ["keep"]
    assert plan["announced"] == []
    require_rest(world)


def test_the_job_ends_with_a_warning_that_says_what_to_do():
    world = tripped()
    job = newest_job(world)
    assert job.status is JobStatus.COMPLETED_WITH_WARNINGS
    (told,) = job.warnings
    assert told == {
        "code": "TooManyDeletions",
        "message": "4 of 5 recovery points would be deleted that no earlier plan announced; nothing was deleted; "
        "look at the plan, then POST /api/vault/breaker/release",
        "resource": world.instance().key,
    }


def test_monitoring_hears_of_it_with_the_plan_and_the_instance():
    world = tripped()
    assert events(world) == [
        {
            "plan": read_breaker(world.vault.ports).plan,
            "instance": world.instance().key,
            "code": "TooManyDeletions",
            "message": "4 of 5 recovery points would be deleted that no earlier plan announced",
        }
    ]


def test_the_journal_says_which_plan_tripped_it_and_why():
    world = tripped()
    (entry,) = of_type(world, "BreakerTripped")
    assert (entry.body["plan"], entry.body["trips"][0]["code"]) == (
        read_breaker(world.vault.ports).plan,
        "TooManyDeletions",
    )


def test_it_holds_on_later_ticks_and_is_journalled_once():
    world = tripped()
    first = read_breaker(world.vault.ports)
    for _ in range(3):
        world.clock.advance(timedelta(hours=6))
        clean_up(world)
        assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert read_breaker(world.vault.ports) == first
    assert (len(of_type(world, "BreakerTripped")), tombstones(world), len(events(world))) == (1, 0, 4)


def test_it_holds_though_the_plan_of_a_later_day_would_not_trip():
    """Three points and a pause of over 31 days; then a fresh backup, and no pause any more."""
    world = sleeping(days=3, until=FIRST_SLOT + 60 * DAY)
    clean_up(world)
    assert newest_job(world).warnings[0]["code"] == "PlansPaused"
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    world.clock.advance(timedelta(hours=1))
    clean_up(world)
    (told,) = newest_job(world).warnings
    assert told["code"] == "BreakerHolds"
    assert "was not released since" in told["message"]
    assert told["resource"].endswith(".json")
    assert tombstones(world) == 0


def test_a_tick_while_a_plan_is_executed_may_trip_it_too():
    world = sleeping()
    store_plan(world.vault, world.clock.storage_now())
    assert read_breaker(world.vault.ports).is_tripped
    clean_up(world)
    assert tombstones(world) == 0


def test_backups_go_on_while_it_holds():
    world = tripped()
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    assert states(world) == ["sealed"] * 6


def test_a_clock_that_jumped_ahead_and_came_back_has_deleted_nothing_and_announced_nothing():
    """The plan of the wrong moment trips; of the right one nothing has expired, but a person looks first."""
    world = sleeping(until=FIRST_SLOT + 6 * DAY)
    store_plan(world.vault, world.clock.storage_now())
    store_plan(world.vault, world.clock.storage_now() + 3650 * DAY)
    assert [entry.body["trips"][0]["code"] for entry in of_type(world, "BreakerTripped")] == ["PlansPaused"]
    world.clock.advance(DAY)
    clean_up(world)
    assert newest_job(world).warnings[0]["code"] == "BreakerHolds"
    assert tombstones(world) == 0


# What was announced --------------------------------------------------------------------------------------------------


def test_announced_deletions_go_through_silently():
    world = sleeping(until=FIRST_SLOT + 5 * DAY)
    let_pass(world, 60 * DAY)
    clean_up(world)
    assert states(world) == ["deleted"] * 4 + ["sealed"]
    assert (newest_job(world).status, newest_job(world).warnings, events(world)) == (JobStatus.COMPLETED, (), [])
    assert of_type(world, "BreakerTripped") == []


def test_three_points_go_unannounced():
    world = sleeping(days=4, until=FIRST_SLOT + 34 * DAY - timedelta(hours=12))
    clean_up(world)
    assert states(world) == ["deleted"] * 3 + ["sealed"]


# The release ---------------------------------------------------------------------------------------------------------


def test_a_release_waits_for_a_second_person_and_then_works_once():
    world = tripped()
    approval_id = ask(world)
    assert read_breaker(world.vault.ports).is_tripped
    assert ask(world) == approval_id, "the same request waits for the same approval"
    approve(world, approval_id)
    assert read_breaker(world.vault.ports).is_tripped, "an approval alone releases nothing"
    release(world.vault)
    breaker = read_breaker(world.vault.ports)
    assert (breaker.is_tripped, breaker.released_at) == (False, world.clock.storage_now())
    require_used_once(world, approval_id)
    release(world.vault)  # one that stands is left as it is, and nobody is asked
    assert (len(of_type(world, "BreakerReleased")), len(of_type(world, "ApprovalRequested"))) == (1, 1)
    require_whole_journal(world)


def test_the_approver_reads_which_plan_and_why():
    world = tripped()
    approval, _ = get_approval(world.vault, ask(world))
    plan = read_breaker(world.vault.ports).plan
    assert approval.operation == BREAKER_RELEASE
    assert approval.reasons == (
        f"instance {world.instance().key}: 4 of 5 recovery points would be deleted that no earlier plan announced",
    )
    assert (approval.before["plan"], approval.after) == (plan, {"released": plan})


def test_a_secret_in_the_reason_of_a_release_is_journalled_nowhere():
    world = tripped()
    secret = "see https://a.blob.core.windows.net/c?sv=1&sig=c2VjcmV0"
    approve(world, ask(world, reason=secret))
    release(world.vault, reason=secret)
    released = [entry for entry in entries(world, "vault") if entry.type == "BreakerReleased"]
    assert [entry.body["reason"] for entry in released] == ["see https://a.blob.core.windows.net/c?[redacted]"]


def test_another_reason_or_another_author_needs_another_approval():
    world = tripped()
    asked = {ask(world), ask(world, reason="as agreed"), ask(world, OTHER)}
    assert len(asked) == 3


def test_the_next_plan_deletes_what_was_known():
    world = released(tripped())
    assert tombstones(world) == 0, "the release itself deletes nothing"
    world.clock.advance(timedelta(minutes=5))
    clean_up(world)
    assert states(world) == ["deleted"] * 4 + ["sealed"]
    assert newest_job(world).status is JobStatus.COMPLETED
    require_rest(world)


def test_what_was_not_known_to_the_person_who_released_it_trips_again():
    """More points expire over a month later without a plan between: the release has lapsed, and did not speak of them."""
    world = released(tripped())
    surprise_again(world)
    clean_up(world)
    assert read_breaker(world.vault.ports).is_tripped
    (told,) = newest_job(world).warnings
    assert told["message"].startswith("10 of 11 recovery points")
    assert tombstones(world) == 0
    world.clock.advance(timedelta(minutes=5))
    clean_up(world)
    assert tombstones(world) == 0, "the former release is none of this plan"


def test_one_release_is_enough_after_weeks_in_which_backups_went_on():
    """What was sealed and has expired while the breaker waited is in the newest plan, which the release knows."""
    world = tripped()
    for day in range(1, 41):
        world.clock.advance_to(SURPRISE + DAY * day)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
        clean_up(world)
    assert tombstones(world) == 0
    released(world)
    world.clock.advance(timedelta(minutes=5))
    clean_up(world)
    assert not read_breaker(world.vault.ports).is_tripped
    now = world.clock.storage_now()
    found = list(catalog.list_all_points(world.vault.ports, world.instance().key))
    assert {point.state for point in found if point.expiry_time <= now} == {"deleted"}
    assert {point.state for point in found if point.expiry_time > now} == {"sealed"}


def test_a_clock_years_ahead_deletes_nothing_after_a_release_either():
    """Four of ten points had expired when a person looked; years later all but the newest have."""
    world = sleeping(days=10)
    clean_up(world)
    released(world)
    plan = store_plan(world.vault, world.clock.storage_now() + 3650 * DAY)
    assert [trip.code for trip in plan.trips] == ["PlansPaused"]


def test_what_falls_due_the_day_after_a_release_goes_with_it():
    """The released plan showed that the fifth point expires on the next day."""
    world = sleeping(days=10)
    clean_up(world)
    released(world)
    world.clock.advance(DAY)
    clean_up(world)
    assert states(world) == ["deleted"] * 5 + ["sealed"] * 5


def test_a_second_trip_needs_a_release_of_its_own():
    world = released(tripped())
    clean_up(world)
    surprise_again(world)
    clean_up(world)
    assert [len(of_type(world, kind)) for kind in ("BreakerTripped", "BreakerReleased")] == [2, 1]
    ask(world)
    assert read_breaker(world.vault.ports).is_tripped


def test_an_approval_of_a_former_trip_releases_no_later_one():
    world = tripped()
    unused = ask(world, OTHER)
    approve(world, unused)
    released(world)
    assert state(world, unused) is ApprovalState.VOID
    surprise_again(world)
    clean_up(world)
    assert ask(world, OTHER) != unused


def test_of_two_releases_at_once_one_counts():
    world = tripped()
    mine, others = ask(world), ask(world, OTHER)
    approve(world, mine)
    approve(world, others)
    world.memory.faults.run_next("vault_writer.create", lambda: release(world.vault, OTHER))
    release(world.vault)  # the same change of the same state is the same event
    assert len(of_type(world, "BreakerReleased")) == 1
    require_used_once(world, others)
    assert state(world, mine) is ApprovalState.VOID
    require_whole_journal(world)


def test_a_release_that_is_late_releases_no_plan_that_tripped_meanwhile():
    world = tripped()
    approve(world, ask(world))
    approve(world, ask(world, OTHER))

    def release_and_trip_again() -> None:
        release(world.vault, OTHER)
        again = Trip(code="PlansPaused", instance="", message="another reason")
        trip_breaker(world.vault.ports, "another.json", "another hash", [again])

    world.memory.faults.run_next("vault_writer.create", release_and_trip_again)
    assert release_breaker(world.vault, ACTOR, "").is_tripped, "it is told that the breaker holds"
    assert len(of_type(world, "BreakerReleased")) == 1


def test_an_approval_that_expires_while_it_is_being_used_releases_nothing():
    world = tripped()
    approve(world, ask(world))

    def let_it_expire_and_take_the_number() -> None:
        world.clock.advance(USABLE_FOR)
        put_policy(world.vault, "other", policy_properties(), ACTOR)

    world.memory.faults.run_next("vault_writer.create", let_it_expire_and_take_the_number)
    with pytest.raises(ApprovalRequiredError, match="Expired"):
        release(world.vault)
    assert read_breaker(world.vault.ports).is_tripped


def test_a_plan_of_a_later_moment_announces_nothing_to_an_earlier_one():
    world = sleeping(days=1)
    store_plan(world.vault, SURPRISE + 3650 * DAY)
    assert find_earlier_plans(world.vault.ports, SURPRISE).untripped is None
    assert find_earlier_plans(world.vault.ports, SURPRISE + 3651 * DAY).untripped is not None


def test_a_released_plan_that_was_changed_since_is_refused():
    world = released(tripped())
    path = read_breaker(world.vault.ports).plan
    data = world.memory.storage.read("vault", "plans", path)
    world.memory.storage.put("vault", "plans", path, data.replace(b'"keep"', b'"expire"'))
    world.clock.advance(timedelta(minutes=5))
    with pytest.raises(IntegrityError):
        store_plan(world.vault, world.clock.storage_now())
    assert tombstones(world) == 0
