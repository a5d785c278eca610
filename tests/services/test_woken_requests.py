"""A request of a person that is held at any of its calls, and wakes when others have gone on, undoes nothing of theirs.

Each request is sent again by its client while the first one sleeps, so its approval is used when that wakes.
"""

from collections.abc import Callable
from typing import Any

import pytest

from flexvault.domain.errors import ApprovalRequiredError, ConflictError, VaultError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.protection_moves import Verb
from flexvault.domain.vault_settings import Immutability, SoftDelete
from flexvault.services import catalog
from flexvault.services.holds import HoldOrder, list_holds, place_hold, release_hold
from flexvault.services.policies import put_policy
from flexvault.services.protection_states import request_deletion
from flexvault.services.reevaluate import preview_reevaluation, reevaluate
from flexvault.services.vault import Vault
from tests.builders import ACTOR, INSTANCE_ID, World, policy_properties, protect, run_jobs
from tests.services.approving import ASKING, OTHER, approve, move
from tests.services.changing import add_points, ask_to_delete, change, clean_up, live, points_left
from tests.services.interrupting import Interruption, Zombie, interrupted
from tests.services.invariants import entries
from tests.services.running import protected

type Request = Callable[[Vault], Any]


def wake_everywhere(
    build: Callable[[], World],
    request: Callable[[World], Request],
    meanwhile: Callable[[World], None],
    check: Callable[[World, BaseException | None], None],
) -> None:
    """Hold a request before each of its calls, let others go on, wake it, and look."""
    probe, interruption = build(), Interruption()
    request(probe)(interrupted(probe.vault, interruption))
    assert interruption.calls
    for call in range(len(interruption.calls)):
        world = build()
        zombie = Zombie(world, request(world), call, after=False)
        zombie.start()
        try:
            meanwhile(world)
        finally:
            problem = zombie.release()
        assert problem is None or isinstance(problem, VaultError), call
        check(world, problem)


def require_each_used_once(world: World) -> None:
    """No approval is named by two entries, of whatever streams."""
    used = [
        entry.body["approval_id"]
        for stream in ("vault", world.instance().key)
        for entry in entries(world, stream)
        if entry.type not in ASKING and entry.body.get("approval_id")
    ]
    assert len(set(used)) == len(used)


def approve_to(world: World, request: Request) -> None:
    with pytest.raises(ApprovalRequiredError) as refused:
        request(world.vault)
    approve(world, refused.value.target)


def release_case(world: World) -> Request:
    instance = world.instance()
    return lambda vault: release_hold(vault, instance, "case", ACTOR)


def test_a_release_that_wakes_late_releases_no_hold_that_somebody_placed_since():
    def held() -> World:
        world = protected(immutability=Immutability.DISABLED)
        place_hold(world.vault, world.instance(), HoldOrder(name="case", reason="a lawsuit"), ACTOR)
        approve_to(world, release_case(world))
        return world

    def place_again(world: World) -> None:
        release_case(world)(world.vault)
        place_hold(world.vault, world.instance(), HoldOrder(name="case", reason="another lawsuit"), OTHER)

    def check(world: World, _problem: BaseException | None) -> None:
        assert [hold.reason for hold in list_holds(world.vault.ports, world.instance().key)] == ["another lawsuit"]
        require_each_used_once(world)

    wake_everywhere(held, release_case, place_again, check)


@pytest.mark.parametrize("verbs", [(), (Verb.SUSPEND, Verb.RESUME_BACKUPS)], ids=["new", "new and changed"])
def test_a_deletion_that_wakes_late_deletes_no_instance_that_was_made_since(verbs: tuple[Verb, ...]):
    def approved() -> World:
        world = protected(immutability=Immutability.DISABLED, soft_delete=SoftDelete.OFF)
        add_points(world, 1)
        approve(world, ask_to_delete(world))
        return world

    def delete(_world: World) -> Request:
        return lambda vault: request_deletion(vault, INSTANCE_ID, ACTOR)

    def make_again(world: World) -> None:
        assert request_deletion(world.vault, INSTANCE_ID, ACTOR) is not None
        for _ in range(2):
            clean_up(world)
        assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is None
        protect(world, request_key="again")
        live(world, 1)
        for verb in verbs:
            change(world, verb)

    def check(world: World, _problem: BaseException | None) -> None:
        assert world.instance().state is ProtectionState.CONFIGURED
        for _ in range(2):
            clean_up(world)
        assert len(points_left(world, world.instance().key)) == 1
        require_each_used_once(world)

    wake_everywhere(approved, delete, make_again, check)


def test_a_re_evaluation_that_wakes_late_takes_nothing_back_of_a_newer_one():
    def put(world: World, keep_for: str) -> None:
        properties = policy_properties(keep_for=keep_for)
        try:
            put_policy(world.vault, "daily", properties, ACTOR)
        except ApprovalRequiredError as refused:
            approve(world, refused.target)
            put_policy(world.vault, "daily", properties, ACTOR)

    def carry_out(world: World) -> Request:
        instance = world.instance()
        wanted = preview_reevaluation(world.vault, instance).preview_hash
        return lambda vault: reevaluate(vault, instance, wanted, ACTOR)

    def approved() -> World:
        world = protected(immutability=Immutability.DISABLED)
        add_points(world, 2)
        put(world, "P7D")
        approve_to(world, carry_out(world))
        return world

    def lengthen(world: World) -> None:
        carry_out(world)(world.vault)
        put(world, "P1Y")
        longer = carry_out(world)
        approve_to(world, longer)
        longer(world.vault)

    def check(world: World, _problem: BaseException | None) -> None:
        points = catalog.list_points(world.vault.ports, world.instance().key)
        assert {point.expiry_time.year for point in points} == {2027}
        require_each_used_once(world)

    wake_everywhere(approved, carry_out, lengthen, check)


def test_a_configuration_whose_job_has_ended_leaves_no_instance_that_updates_for_ever():
    def two_policies() -> World:
        world = protected(immutability=Immutability.DISABLED)
        put_policy(world.vault, "other", policy_properties(), ACTOR)
        return world

    def move_on(_world: World) -> Request:
        return lambda vault: move(vault, "other")

    def pause(world: World) -> None:
        change(world, Verb.SUSPEND)
        run_jobs(world)  # of the request that sleeps: the instance is paused, so its job fails
        change(world, Verb.RESUME_BACKUPS)

    refused: list[BaseException] = []

    def check(world: World, problem: BaseException | None) -> None:
        run_jobs(world)
        assert world.instance().state is ProtectionState.CONFIGURED
        refused.extend([problem] if isinstance(problem, ConflictError) else [])

    probe, interruption = two_policies(), Interruption()
    move_on(probe)(interrupted(probe.vault, interruption))
    claim = interruption.calls.index("rows.apply")
    entry = interruption.calls.index("vault_writer.create")
    for call in range(claim + 1, entry + 1):
        world = two_policies()
        zombie = Zombie(world, move_on(world), call, after=False)
        zombie.start()
        pause(world)
        check(world, zombie.release())
    assert all("ended meanwhile" in str(problem) for problem in refused)
    assert refused
