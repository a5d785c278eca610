"""Legal holds: nothing deletes what one covers, whoever is faster and whatever is lost."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from flexvault.domain import row_keys
from flexvault.domain.errors import (
    ApprovalRequiredError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    PermanentError,
)
from flexvault.domain.hold import Hold
from flexvault.domain.keeping_events import scope_target
from flexvault.domain.rows import Delete
from flexvault.services import catalog
from flexvault.services.effects import run
from flexvault.services.holds import MOST_HOLDS, HoldOrder, get_hold, list_holds, place_hold, release_hold
from flexvault.services.retention_plan import store_plan
from flexvault.services.vault import Vault
from tests.builders import ACTOR, World, request_of, run_jobs
from tests.services.approving import OTHER, approve
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_rest, require_whole_journal
from tests.services.running import newest_job, quietly
from tests.services.test_retention import (
    add_points,
    clean_up,
    deletions,
    immutable,
    planned,
    plans,
    retention_job,
    states,
    with_points,
)

WHOLE = ""
DAY = timedelta(days=1)
SCOPES = [pytest.param(True, id="on the point"), pytest.param(False, id="on the instance")]


def oldest(world: World) -> str:
    points = catalog.list_all_points(world.vault.ports, world.instance().key)
    return min(points, key=lambda point: point.recovery_point_time).point_id


def place(
    world: World,
    point_id: str = WHOLE,
    *,
    name: str = "case-7",
    reason: str = "a lawsuit",
    vault: Vault | None = None,
    actor: dict[str, str] = ACTOR,
) -> Hold:
    order = HoldOrder(name=name, reason=reason, recovery_point_id=point_id)
    return place_hold(vault or world.vault, world.instance(), order, actor)


def ask_release(world: World, name: str = "case-7") -> str:
    with pytest.raises(ApprovalRequiredError) as refused:
        release_hold(world.vault, world.instance(), name, ACTOR)
    return refused.value.target


def release(world: World, name: str = "case-7") -> None:
    approve(world, ask_release(world, name))
    assert release_hold(world.vault, world.instance(), name, ACTOR)


def names_of(world: World) -> list[str]:
    return [hold.name for hold in list_holds(world.vault.ports, world.instance().key)]


def of_type(world: World, *kinds: str) -> list[str]:
    return [entry.type for entry in entries(world, world.instance().key) if entry.type in kinds]


def test_a_held_point_stays_until_its_hold_is_released():
    world = with_points()
    place(world, oldest(world))
    clean_up(world)
    assert states(world) == ["sealed", "deleted", "sealed"]
    verdict = plans(world)[-1]["verdicts"][0]
    assert (verdict["decision"], verdict["reasons"][1]) == ("blocked", {"code": "LegalHold", "holds": ["case-7"]})
    release(world)
    world.clock.advance(DAY)
    clean_up(world)
    assert states(world) == ["deleted", "deleted", "sealed"]
    require_rest(world)


def test_a_hold_on_the_instance_keeps_every_point_also_future_ones():
    world = with_points(2)
    place(world)
    add_points(world, 4)
    clean_up(world)
    assert set(states(world)) == {"sealed"}
    held = [point.holds for point in catalog.list_points(world.vault.ports, world.instance().key)]
    assert set(held) == {("case-7",)}


def test_a_point_goes_only_when_the_last_of_its_holds_is_released():
    world = with_points(2)
    place(world, oldest(world), name="b")
    place(world, oldest(world), name="a")
    place(world, name="C")
    assert names_of(world) == ["a", "b", "C"]
    for name in ("a", "b"):
        release(world, name)
        clean_up(world)
        assert states(world) == ["sealed", "sealed"]
        world.clock.advance(DAY)
    release(world, "c")
    clean_up(world)
    assert states(world) == ["deleted", "sealed"]


def test_an_identical_hold_changes_nothing_whatever_the_case_of_its_name():
    world = with_points(1)
    first = place(world)
    assert place(world, name="CASE-7", actor=OTHER) == first
    assert of_type(world, "HoldPlaced") == ["HoldPlaced"]


def test_another_reason_keeps_who_placed_the_hold():
    world = with_points(1)
    first = place(world)
    changed = place(world, reason="another lawsuit", actor=OTHER)
    assert (changed.placed_by, changed.placed_at, changed.reason) == (ACTOR, first.placed_at, "another lawsuit")
    assert changed.changed_by == OTHER
    assert get_hold(world.vault.ports, world.instance(), "Case-7") == changed


def test_the_journal_says_what_a_hold_said_before():
    world = with_points(1)
    place(world, reason="a lawsuit")
    place(world, reason="an appeal")
    release(world)
    told = [
        (entry.type, entry.body["before"])
        for entry in entries(world, world.instance().key)
        if entry.type in {"HoldPlaced", "HoldReleased"}
    ]
    assert told == [
        ("HoldPlaced", None),
        ("HoldPlaced", {"reason": "a lawsuit"}),
        ("HoldReleased", {"reason": "an appeal"}),
    ]


def test_a_secret_in_the_reason_of_a_hold_is_kept_nowhere():
    world = with_points(1)
    secret = "see https://a.blob.core.windows.net/c?sv=1&sig=c2VjcmV0"
    assert place(world, reason=secret).reason == "see https://a.blob.core.windows.net/c?[redacted]"
    place(world, reason=secret)  # an identical one
    assert of_type(world, "HoldPlaced") == ["HoldPlaced"]
    assert "c2VjcmV0" not in str([entry.body for entry in entries(world, world.instance().key)])


@pytest.mark.parametrize("is_on_point", SCOPES)
def test_so_many_holds_stand_on_one_thing_and_no_more_whatever_the_script_of_their_names(is_on_point: bool):
    world = with_points(1)
    point_id = oldest(world) if is_on_point else WHOLE
    for number in range(MOST_HOLDS):
        place(world, point_id, name=f"{number:02d}{'😀' * 98}")
    with pytest.raises(ConflictError, match="50 holds stand") as refused:
        place(world, point_id)
    assert (refused.value.code, bool(refused.value.hint)) == ("TooManyHolds", True)
    assert len(names_of(world)) == MOST_HOLDS
    place(world, WHOLE if is_on_point else oldest(world))
    first = names_of(world)[0]
    place(world, point_id, name=first, reason="another reason")
    release(world, first)
    place(world, point_id, name="one more")


def test_a_hold_that_is_placed_again_in_another_case_leaves_no_mark_behind():
    world = with_points(1)
    place(world, name="Case-7")
    release(world, "Case-7")
    place(world, name="case-7")
    lose(world, oldest(world))
    clean_up(world)  # makes the lost row again, from every entry of the instance
    assert mark_of(world) == ["case-7"]
    release(world, "CASE-7")
    assert mark_of(world) == []


def mark_of(world: World) -> list[str]:
    target = scope_target(world.instance().key, WHOLE)
    row = world.vault.ports.rows.find(target.table, target.partition, target.key)
    assert row is not None
    return json.loads(str(row.values["holds"]))


def test_a_standing_hold_does_not_move():
    world = with_points(1)
    place(world)
    with pytest.raises(ConflictError) as refused:
        place(world, oldest(world))
    assert refused.value.code == "HoldStandsElsewhere"
    assert "another name" in refused.value.hint
    assert "release" in refused.value.hint


def test_a_released_hold_can_be_placed_again_elsewhere():
    world = with_points(2)
    place(world)
    release(world)
    assert names_of(world) == []
    again = place(world, oldest(world), name="CASE-7", actor=OTHER)
    assert (again.name, again.placed_by, again.changed_by) == ("CASE-7", OTHER, None)
    clean_up(world)
    assert states(world) == ["sealed", "sealed"]


@pytest.mark.parametrize(
    ("name", "reason", "point_id", "error"),
    [
        pytest.param("n" * 101, "r", WHOLE, InvalidInputError, id="name too long"),
        pytest.param(" ", "r", WHOLE, InvalidInputError, id="no name"),
        pytest.param("n", "", WHOLE, InvalidInputError, id="no reason"),
        pytest.param("n", "r" * 1_001, WHOLE, InvalidInputError, id="reason too long"),
        pytest.param("n", "r", "0" * 32, NotFoundError, id="no such point"),
    ],
)
def test_a_hold_that_says_nothing_is_refused(name: str, reason: str, point_id: str, error: type[PermanentError]):
    world = with_points(1)
    with pytest.raises(error):
        place(world, point_id, name=name, reason=reason)
    assert names_of(world) == []


def test_the_longest_name_of_any_script_fits_into_a_key():
    world = with_points(1)
    place(world, name="案" * 100)
    assert names_of(world) == ["案" * 100]
    assert place(world, name="案" * 99 + "b").name != "案" * 100


# Release -------------------------------------------------------------------------------------------------------------


def test_a_release_is_approved_once_and_journalled_with_its_approval():
    world = with_points(1)
    place(world)
    approval_id = ask_release(world)
    approve(world, approval_id)
    assert release_hold(world.vault, world.instance(), "CASE-7", ACTOR)
    assert not release_hold(world.vault, world.instance(), "case-7", ACTOR), "none stands any more"
    released = entries(world, world.instance().key)[-1]
    assert (released.type, released.actor, released.body["approval_id"]) == ("HoldReleased", ACTOR, approval_id)
    place(world)
    assert ask_release(world) != approval_id, "the hold that was placed again is another one"


def test_an_approval_of_a_release_is_void_once_the_hold_says_something_else():
    world = with_points(1)
    place(world)
    approval_id = ask_release(world)
    approve(world, approval_id)
    place(world, reason="a second lawsuit")
    assert ask_release(world) != approval_id
    assert names_of(world) == ["case-7"]


# Races ---------------------------------------------------------------------------------------------------------------


def test_from_the_tombstone_on_a_hold_is_refused():
    world = with_points()
    immutable(world)
    clean_up(world)
    assert states(world)[0] == "deleting"
    with pytest.raises(ConflictError) as refused:
        place(world, oldest(world))
    assert refused.value.code == "RecoveryPointIsBeingDeleted"
    assert names_of(world) == []


@pytest.mark.parametrize("is_on_point", SCOPES)
def test_a_hold_that_is_placed_while_the_tombstone_is_written_wins(is_on_point: bool):
    world = with_points(2)
    planned(world)
    scope = oldest(world) if is_on_point else WHOLE
    world.memory.faults.run_next("vault_cleaner.create", quietly(lambda: place(world, scope)))
    run_jobs(world)
    assert states(world) == ["sealed", "sealed"]
    assert "legal hold" in newest_job(world).warnings[0]["message"]


def test_a_tombstone_that_is_written_while_a_hold_is_placed_wins():
    world = with_points(2)
    planned(world)
    point_id = oldest(world)
    world.memory.faults.run_next("vault_writer.create", quietly(lambda: run_jobs(world)))
    with pytest.raises(PermanentError) as refused:
        place(world, point_id)
    assert refused.value.code in {"RecoveryPointIsBeingDeleted", "UserErrorRecoveryPointNotFound"}
    assert (states(world), names_of(world)) == (["deleted", "sealed"], [])


def calls_of(build: Callable[[], World], act: Callable[[World, Vault], object]) -> int:
    count, world = Interruption(), build()
    act(world, interrupted(world.vault, count))
    return len(count.calls)


def doomed() -> World:
    world = with_points(2)
    planned(world)
    return world


def execute(world: World, vault: Vault) -> None:
    run(vault, request_of(retention_job(world)))


@pytest.mark.parametrize("is_on_point", SCOPES)
def test_at_no_moment_of_a_deletion_do_hold_and_tombstone_both_win(is_on_point: bool):
    outcomes: set[str] = set()
    for call in range(calls_of(doomed, execute)):
        world = doomed()
        point_id = oldest(world)

        def hold(world: World = world, point_id: str = point_id) -> None:
            try:
                place(world, point_id if is_on_point else WHOLE)
            except (ConflictError, NotFoundError):
                assert is_on_point

        execute(world, interrupted(world.vault, Interruption(at=call, act=hold)))
        run_jobs(world)
        story = of_type(world, "HoldPlaced", "Tombstoned")
        assert story in (["HoldPlaced"], ["Tombstoned"], *([] if is_on_point else [["Tombstoned", "HoldPlaced"]]))
        assert states(world)[0] == ("sealed" if story == ["HoldPlaced"] else "deleted")
        outcomes.add(story[0])
        require_whole_journal(world)
    assert outcomes == {"HoldPlaced", "Tombstoned"}


def test_a_death_at_any_moment_of_placing_leaves_a_hold_or_none():
    def act(world: World, vault: Vault) -> None:
        place(world, oldest(world), vault=vault)

    for call in range(calls_of(lambda: with_points(2), act)):
        for after in (False, True):
            world = with_points(2)
            with pytest.raises(CrashError):
                act(world, interrupted(world.vault, crash_at(call, after=after)))
            is_committed = bool(of_type(world, "HoldPlaced"))
            clean_up(world)
            assert states(world)[0] == ("sealed" if is_committed else "deleted")
            if is_committed:
                act(world, world.vault)
                assert (names_of(world), of_type(world, "HoldPlaced")) == (["case-7"], ["HoldPlaced"])
            require_whole_journal(world)


def test_a_death_at_any_moment_of_a_release_uses_its_approval_once():
    def approved() -> World:
        world = with_points(2)
        place(world, oldest(world))
        approve(world, ask_release(world))
        return world

    def act(world: World, vault: Vault) -> None:
        release_hold(vault, world.instance(), "case-7", ACTOR)

    for call in range(calls_of(approved, act)):
        world = approved()
        with pytest.raises(CrashError):
            act(world, interrupted(world.vault, crash_at(call, after=True)))
        act(world, world.vault)
        assert (names_of(world), of_type(world, "HoldReleased")) == ([], ["HoldReleased"])
        require_whole_journal(world)


# Lost rows -----------------------------------------------------------------------------------------------------------


def lose(world: World, *keys: str) -> None:
    """Lose the rows of an instance's points and holds: all, or those of some keys."""
    rows, instance = world.vault.ports.rows, world.instance().key
    for row in list(rows.query(row_keys.POINTS, instance, start="", end="~")):
        if not keys or row.key in keys:
            rows.apply(row_keys.POINTS, instance, [Delete(key=row.key, etag=row.etag)])


def test_a_hold_stands_when_all_rows_of_its_instance_were_lost():
    world = with_points()
    place(world, oldest(world), name="one")
    place(world, name="all")
    before = list_holds(world.vault.ports, world.instance().key)
    lose(world)
    clean_up(world)
    assert (states(world), deletions(world)) == (["sealed"] * 3, 0)
    assert list_holds(world.vault.ports, world.instance().key) == before


def test_a_released_hold_stays_released_when_all_rows_were_lost():
    world = with_points()
    place(world, oldest(world))
    release(world)
    lose(world)
    clean_up(world)
    assert (names_of(world), states(world)) == ([], ["deleted", "deleted", "sealed"])


def test_a_point_whose_row_alone_was_lost_is_still_held():
    world = with_points()
    place(world, oldest(world))
    lose(world, oldest(world))
    clean_up(world)
    assert states(world) == ["sealed", "deleted", "sealed"]


def test_a_hold_that_comes_while_a_lost_row_is_made_again_hides_no_earlier_one():
    world = with_points()
    point_id = oldest(world)
    place(world, point_id, name="first")
    lose(world, point_id)
    # The first write of the plan gives the row back as it was sealed; the earlier hold is projected after that.
    world.memory.faults.run_next("rows.apply", quietly(lambda: place(world, point_id, name="second")), after=True)
    store_plan(world.vault, world.clock.storage_now())
    assert catalog.find_point(world.vault.ports, world.instance().key, point_id).holds == ("first", "second")
