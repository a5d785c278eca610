"""Rights on servers are verified each night; what disappears is raised once, shown, and never granted by itself."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

import flexvault
from flexvault.domain.errors import NotAuthorizedError, NotFoundError, TransientError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus
from flexvault.domain.protection_moves import Verb
from flexvault.domain.source_roles import NEEDED_ACTIONS
from flexvault.services import catalog
from flexvault.services.protection_states import change_protection
from flexvault.services.reconcile import reconcile
from flexvault.services.rights import CHECKED_PER_RUN, verify_rights
from flexvault.services.scheduling import tick
from tests.builders import ACTOR, INSTANCE_ID, SERVER_ID, World, add_server, protect, run_jobs
from tests.services.running import newest_job, protected

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def night(world: World, *, runs: int = 3) -> None:
    """The first runs of reconcile of the next UTC day."""
    now = world.clock.storage_now()
    world.clock.advance_to(now.replace(hour=0, minute=2) + DAY)
    for _ in range(runs):
        reconcile(world.vault, world.memory.orchestrations)
        world.clock.advance(timedelta(minutes=5))


def raised(world: World, *kinds: str) -> list[str]:
    wanted = kinds or ("RightsMissing", "RightsRestored")
    return [event for event, _ in world.memory.telemetry.events if event in wanted]


def asked(world: World) -> list[str]:
    """Remember which servers the roles are asked about from now on."""
    servers: list[str] = []
    original = world.memory.roles.find_missing

    def find_missing(server_id: str) -> object:
        servers.append(server_id)
        return original(server_id)

    world.memory.roles.find_missing = find_missing  # pyright: ignore[reportAttributeAccessIssue] - counted
    return servers


def test_what_disappeared_is_raised_once_and_not_every_night():
    world = protected()
    night(world)
    assert raised(world) == []
    world.memory.roles.revoke(SERVER_ID)
    for _ in range(4):
        night(world)
    assert raised(world) == ["RightsMissing"]
    (facts,) = [dict(facts) for event, facts in world.memory.telemetry.events if event == "RightsMissing"]
    assert facts["server_id"] == SERVER_ID
    assert "startLtrBackup" in str(facts["missing"])
    assert facts["command"] == world.memory.roles.grant_commands(SERVER_ID)


def test_it_is_raised_again_when_something_else_is_missing():
    world = protected()
    missing = NEEDED_ACTIONS[:1]
    world.memory.roles.find_missing = lambda _server: missing  # pyright: ignore[reportAttributeAccessIssue] - played
    night(world)
    missing = NEEDED_ACTIONS[:2]
    night(world)
    night(world)
    assert raised(world) == ["RightsMissing", "RightsMissing"]


def test_a_server_is_asked_about_once_a_day():
    world = protected()
    servers = asked(world)
    night(world, runs=10)
    assert servers == [SERVER_ID]
    world.clock.advance(12 * HOUR)
    reconcile(world.vault, world.memory.orchestrations)
    assert servers == [SERVER_ID]


def test_many_servers_are_asked_about_a_few_at_a_time():
    world = protected()
    for number in range(CHECKED_PER_RUN):
        server_id = add_server(world, str(number))
        protect(world, request_key=server_id, instance_id=f"{INSTANCE_ID}-{number}", server_id=server_id)
    servers = asked(world)
    night(world, runs=1)
    assert len(servers) == CHECKED_PER_RUN
    reconcile(world.vault, world.memory.orchestrations)
    reconcile(world.vault, world.memory.orchestrations)
    assert len(servers) == len(set(servers)) == CHECKED_PER_RUN + 1


def test_rights_that_are_back_are_seen_within_the_hour_and_said():
    world = protected()
    world.memory.roles.revoke(SERVER_ID)
    night(world)
    assert world.instance().rights is not None
    world.memory.roles.grant(SERVER_ID)  # by a person
    world.clock.advance(HOUR)
    reconcile(world.vault, world.memory.orchestrations)
    assert world.instance().rights is None
    assert raised(world) == ["RightsMissing", "RightsRestored"]


def test_nothing_but_a_persons_request_grants_them_again():
    world = protected()
    run_jobs(world)
    world.memory.roles.revoke(SERVER_ID)
    for _ in range(3):
        night(world)
        world.clock.advance(3 * HOUR)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
        assert newest_job(world).status is JobStatus.FAILED
        assert "az role assignment create" in (newest_job(world).error or {})["recommendedAction"][0]
    change_protection(world.vault, INSTANCE_ID, Verb.SUSPEND, ACTOR)
    change_protection(world.vault, INSTANCE_ID, Verb.RESUME_BACKUPS, ACTOR)
    night(world)
    assert world.memory.roles.assigned(SERVER_ID) == frozenset()

    protect(world)  # the identical request, by a person

    assert len(world.memory.roles.assigned(SERVER_ID)) == 2
    assert world.instance().rights is None
    assert raised(world) == ["RightsMissing", "RightsRestored"]
    night(world)
    assert raised(world) == ["RightsMissing", "RightsRestored"]


def test_granting_is_called_for_in_one_place():
    package = Path(flexvault.__file__).parent
    calls = [
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("roles.grant")
    ]
    assert calls == ["services/protection.py"]


def test_who_may_not_even_ask_lacks_everything():
    world = protected()
    world.memory.faults.fail_next("roles.find_missing", NotAuthorizedError("403"))
    night(world, runs=1)
    rights = world.instance().rights
    assert rights is not None
    assert rights["missing"] == sorted(NEEDED_ACTIONS)


@pytest.mark.parametrize("error", [NotFoundError("gone"), TransientError("503")])
def test_a_server_that_is_gone_or_silent_has_lost_no_right(error: NotFoundError | TransientError):
    world = protected()
    world.memory.faults.fail_next("roles.find_missing", error)
    night(world)
    assert world.instance().rights is None
    assert raised(world) == []


def test_one_silent_server_does_not_keep_the_others_from_being_verified():
    world = protected()
    other = add_server(world, "other")
    protect(world, request_key="other", instance_id=f"{INSTANCE_ID}-other", server_id=other)
    for server_id in (SERVER_ID, other):
        world.memory.roles.revoke(server_id)
    world.memory.faults.fail_next("roles.find_missing", TransientError("503"))
    night(world, runs=1)
    assert raised(world, "RightsMissing", "RightsNotVerified") == ["RightsNotVerified", "RightsMissing"]


def test_a_paused_protection_is_not_verified():
    world = protected()
    change_protection(world.vault, INSTANCE_ID, Verb.SUSPEND, ACTOR)
    world.memory.roles.revoke(SERVER_ID)
    night(world)
    assert raised(world) == []
    assert world.instance().state is ProtectionState.SUSPENDED


def test_a_row_that_others_write_meanwhile_is_written_again():
    world = protected()
    world.memory.roles.revoke(SERVER_ID)

    def others() -> None:
        change_protection(world.vault, INSTANCE_ID, Verb.SUSPEND, ACTOR)

    world.memory.faults.run_next("rows.apply", others)
    verify_rights(world.vault, world.clock.storage_now() + DAY)
    assert world.instance().state is ProtectionState.SUSPENDED
    assert world.instance().rights is not None
    assert raised(world) == ["RightsMissing"]
    assert catalog.find_instance(world.vault.ports, INSTANCE_ID) is not None
