"""Re-evaluation: a changed policy touches existing points only when previewed and approved, and then at once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from flexvault.domain import row_keys
from flexvault.domain.errors import ApprovalRequiredError, ConflictError, IntegrityError
from flexvault.domain.rows import Delete, Merge
from flexvault.domain.vault_settings import Immutability
from flexvault.services import catalog
from flexvault.services.holds import HoldOrder, place_hold
from flexvault.services.policies import put_policy
from flexvault.services.preview_retention import preview_instance
from flexvault.services.reevaluate import Reevaluated, preview_reevaluation, reevaluate
from flexvault.services.retention_plan import store_plan
from flexvault.services.vault import Vault
from tests.builders import ACTOR, World, let_pass, policy_properties, run_jobs
from tests.services.approving import LONG, SHORT, approve, list_approvals
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_whole_journal
from tests.services.running import newest_job, protected, quietly
from tests.services.test_retention import LATE, add_points, clean_up, deletions, planned, plans, states, with_points

NONE = Reevaluated(changed=0, earlier=0, later=0)


def put(world: World, properties: Mapping[str, Any]) -> None:
    try:
        put_policy(world.vault, "daily", properties, ACTOR)
    except ApprovalRequiredError as refused:
        approve(world, refused.target)
        put_policy(world.vault, "daily", properties, ACTOR)


def preview_hash(world: World) -> str:
    return preview_reevaluation(world.vault, world.instance()).preview_hash


def ask(world: World, wanted: str) -> ApprovalRequiredError:
    with pytest.raises(ApprovalRequiredError) as refused:
        reevaluate(world.vault, world.instance(), wanted, ACTOR)
    return refused.value


def approved(world: World) -> str:
    """Preview, ask, approve; answers the preview's hash."""
    wanted = preview_hash(world)
    approve(world, ask(world, wanted).target)
    return wanted


def carry_out(world: World) -> Reevaluated:
    return reevaluate(world.vault, world.instance(), approved(world), ACTOR)


def expiries(world: World) -> list[datetime]:
    """As people see them, oldest first."""
    points = catalog.list_points(world.vault.ports, world.instance().key)
    return [point.expiry_time for point in reversed(points)]


def planned_expiries(world: World) -> list[datetime]:
    store_plan(world.vault, world.clock.storage_now())
    return [datetime.fromisoformat(verdict["expiryTime"]) for verdict in plans(world)[-1]["verdicts"]]


def of_type(world: World, kind: str) -> list[Any]:
    return [entry for entry in entries(world, world.instance().key) if entry.type == kind]


def with_policy(properties: Mapping[str, Any], days: int = 3, **changes: Any) -> World:
    """A vault with points of a policy that was changed since."""
    world = protected(**changes)
    add_points(world, days)
    put(world, properties)
    return world


def test_a_changed_policy_alone_touches_no_point():
    world = protected()
    add_points(world, 3)
    before = expiries(world)
    for properties in (LONG, SHORT):
        put(world, properties)
        assert (expiries(world), planned_expiries(world)) == (before, before)


def test_what_was_previewed_and_approved_is_what_people_and_plans_see():
    world = with_policy(LONG)
    before = expiries(world)
    preview = preview_reevaluation(world.vault, world.instance())
    assert preview.counts == Reevaluated(changed=3, earlier=0, later=3)
    assert [change.before.expiry_time for change in reversed(preview.points)] == before
    assert carry_out(world) == preview.counts
    after = [change.after.expiry_time for change in reversed(preview.points)]
    assert after > before
    assert expiries(world) == planned_expiries(world) == after
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    assert catalog.get_point(world.vault.ports, world.instance(), point.point_id) == point
    require_whole_journal(world)


def test_the_entry_names_policy_approval_preview_and_every_point():
    world = with_policy(SHORT)
    wanted = preview_hash(world)
    approval_id = ask(world, wanted).target
    approve(world, approval_id)
    reevaluate(world.vault, world.instance(), wanted, ACTOR)
    (entry,) = of_type(world, "RetentionReevaluated")
    policy = catalog.get_policy(world.vault.ports, "daily")
    assert (entry.actor, entry.body["approval_id"], entry.body["preview_hash"]) == (ACTOR, approval_id, wanted)
    assert (entry.body["policy_name"], entry.body["policy_seq"]) == ("daily", policy.journal_seq)
    assert len(entry.body["points"]) == 3


def test_the_entry_names_the_re_evaluation_that_it_replaces():
    world = with_policy(SHORT)
    carry_out(world)
    put(world, LONG)
    carry_out(world)
    first, second = of_type(world, "RetentionReevaluated")
    assert first.body["before"] == {"reevaluated_seq": 0, "points": 0}
    assert second.body["before"] == {"reevaluated_seq": first.seq, "points": 3}


def test_the_second_person_reads_how_many_points_expire_earlier_or_later_and_the_first_of_them():
    world = with_policy(SHORT, days=5)
    message = ask(world, preview_hash(world)).message
    assert "5 recovery point(s)" in message
    assert "5 expire(s) earlier" in message
    assert "on 2026-01-16 instead of 2026-02-09" in message
    assert "and 2 more" in message


def test_the_same_request_again_answers_the_same():
    world = with_policy(LONG)
    wanted = approved(world)
    answers = [reevaluate(world.vault, world.instance(), wanted, ACTOR) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(of_type(world, "RetentionReevaluated")) == 1


def test_what_changes_nothing_asks_nobody():
    world = with_policy(policy_properties("R/2026-01-05T04:00:00+00:00/P1D"))
    assert reevaluate(world.vault, world.instance(), preview_hash(world), ACTOR) == NONE
    assert (list_approvals(world.vault), of_type(world, "RetentionReevaluated")) == ([], [])


def test_a_policy_that_is_only_thought_of_is_previewed_and_never_carried_out():
    world = with_points(2)
    thought = preview_reevaluation(world.vault, world.instance(), LONG)
    assert thought.counts == Reevaluated(changed=2, earlier=0, later=2)
    with pytest.raises(ConflictError) as refused:
        reevaluate(world.vault, world.instance(), thought.preview_hash, ACTOR)
    assert refused.value.code == "PreviewOutdated"


def test_a_backup_that_came_meanwhile_outdates_no_preview():
    world = with_policy(LONG)
    world.clock.advance(timedelta(hours=12))
    wanted = approved(world)
    add_points(world, 4)
    assert reevaluate(world.vault, world.instance(), wanted, ACTOR).changed == 3
    assert len(expiries(world)) == 4


@pytest.mark.parametrize("what", ["the policy", "a point"])
def test_a_preview_is_outdated_once_it_would_do_something_else(what: str):
    world = with_policy(LONG)
    let_pass(world, LATE / 2 + timedelta(days=2))
    wanted = approved(world)
    if what == "the policy":
        put(world, policy_properties(keep_for="P3M"))
    else:
        clean_up(world)
        assert deletions(world) > 0
    with pytest.raises(ConflictError) as refused:
        reevaluate(world.vault, world.instance(), wanted, ACTOR)
    assert refused.value.code == "PreviewOutdated"
    assert of_type(world, "RetentionReevaluated") == []


def test_a_re_evaluation_back_gives_each_point_what_it_was_sealed_with():
    world = protected()
    add_points(world, 3)
    sealed = expiries(world)
    for properties in (LONG, policy_properties()):
        put(world, properties)
        carry_out(world)
        world.clock.advance(timedelta(minutes=1))
    assert expiries(world) == planned_expiries(world) == sealed
    assert plans(world)[-1]["trips"] == []


def test_what_an_approved_re_evaluation_lets_expire_is_deleted_but_not_what_is_held():
    world = with_policy(SHORT, immutability=Immutability.DISABLED)
    let_pass(world, timedelta(days=10))
    oldest = catalog.list_points(world.vault.ports, world.instance().key)[-1]
    place_hold(world.vault, world.instance(), HoldOrder(name="h", reason="r", recovery_point_id=oldest.point_id), ACTOR)
    carry_out(world)
    world.clock.advance(timedelta(minutes=1))
    clean_up(world)
    assert states(world) == ["sealed", "deleted", "sealed"]


def test_a_re_evaluation_back_is_no_surprise_to_the_breaker():
    world = with_policy(LONG, immutability=Immutability.DISABLED)
    carry_out(world)
    let_pass(world, timedelta(days=40))
    put(world, policy_properties())
    carry_out(world)
    world.clock.advance(timedelta(minutes=1))
    assert preview_instance(world.vault, world.instance(), world.clock.storage_now()).held_back == ()
    clean_up(world)
    assert (newest_job(world).warnings, states(world)) == ((), ["deleted", "deleted", "sealed"])


# Races ---------------------------------------------------------------------------------------------------------------


def test_a_re_evaluation_that_comes_while_the_tombstone_is_written_wins():
    world = with_policy(LONG, days=2)
    let_pass(world, timedelta(days=40))
    wanted = approved(world)
    planned(world)
    act = quietly(lambda: reevaluate(world.vault, world.instance(), wanted, ACTOR))
    world.memory.faults.run_next("vault_cleaner.create", act)
    run_jobs(world)
    assert states(world) == ["sealed", "sealed"]
    assert "re-evaluated meanwhile" in newest_job(world).warnings[0]["message"]


def test_a_tombstone_that_comes_while_the_re_evaluation_is_written_wins():
    world = with_policy(LONG, days=2)
    let_pass(world, timedelta(days=40))
    wanted = approved(world)
    planned(world)
    world.memory.faults.run_next("vault_writer.create", quietly(lambda: run_jobs(world)))
    with pytest.raises(ConflictError) as refused:
        reevaluate(world.vault, world.instance(), wanted, ACTOR)
    assert refused.value.code == "PreviewOutdated"
    assert (states(world), of_type(world, "RetentionReevaluated")) == (["deleted", "sealed"], [])


def test_a_death_at_any_moment_leaves_one_re_evaluation_and_one_use_of_its_approval():
    def act(world: World, vault: Vault, wanted: str) -> Reevaluated:
        return reevaluate(vault, world.instance(), wanted, ACTOR)

    count, measured = Interruption(), with_policy(LONG)
    act(measured, interrupted(measured.vault, count), approved(measured))
    for call in range(len(count.calls)):
        for after in (False, True):
            world = with_policy(LONG)
            wanted = approved(world)
            with pytest.raises(CrashError):
                act(world, interrupted(world.vault, crash_at(call, after=after)), wanted)
            assert act(world, world.vault, wanted).changed == 3
            assert len(of_type(world, "RetentionReevaluated")) == 1
            require_whole_journal(world)


# Rows ----------------------------------------------------------------------------------------------------------------


def test_a_re_evaluation_stands_when_all_rows_of_its_instance_were_lost():
    world = with_policy(LONG)
    carry_out(world)
    after = expiries(world)
    rows, instance = world.vault.ports.rows, world.instance().key
    for row in list(rows.query(row_keys.POINTS, instance, start="", end="~")):
        rows.apply(row_keys.POINTS, instance, [Delete(key=row.key, etag=row.etag)])
    assert planned_expiries(world) == after
    assert expiries(world) == after


def test_a_row_that_names_no_re_evaluation_shortens_nothing():
    world = with_policy(LONG)
    carry_out(world)
    planned = planned_expiries(world)
    forged = Merge(key=row_keys.RETENTION, values={"reevaluated_seq": 1})
    world.vault.ports.rows.apply(row_keys.POINTS, world.instance().key, [forged])
    with pytest.raises(IntegrityError) as refused:
        expiries(world)
    assert refused.value.code == "JournalDiffers"
    assert planned_expiries(world) == planned  # the journal tells retention which one is the newest
