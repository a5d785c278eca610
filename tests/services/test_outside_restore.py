"""A restore into a container outside: two people want exactly it, or nothing is sent there."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain.approval import ApprovalState
from flexvault.domain.errors import ApprovalRequiredError, NotAuthorizedError, NotFoundError
from flexvault.domain.job import JobStatus
from flexvault.domain.rows import Merge
from flexvault.services import catalog
from flexvault.services.approvals import get_approval
from flexvault.services.policies import put_policy
from flexvault.services.requests import RestoreOrder, restore_point, validate_restore
from tests.builders import ACTOR, INSTANCE_ID, SUBSCRIPTION, World, policy_properties, run_jobs, run_one
from tests.services.approving import OTHER, approve, move, state
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_rest
from tests.services.running import claimed, newest_job, only_open

URL = "https://restore.example/mine"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/restore"
ELSEWHERE = ACCOUNT.replace(SUBSCRIPTION, "99999999-9999-4999-8999-999999999999")


def sealed() -> World:
    """A vault with a recovery point; ARM shows the restore account in a subscription without a protected server."""
    world = claimed(restore_targets=())
    run_jobs(world)
    world.memory.restore_target.visible_account_id = ELSEWHERE
    return world


def order(world: World, **changes: Any) -> RestoreOrder:
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    wanted = RestoreOrder(
        instance_id=INSTANCE_ID,
        point_id=point.point_id,
        container_url=URL,
        file_prefix="again",
        target_resource_id=ELSEWHERE,
    )
    return replace(wanted, **changes)


def ask(world: World, **changes: Any) -> str:
    with pytest.raises(ApprovalRequiredError) as refused:
        restore_point(world.vault, order(world, **changes), "ask", actor=ACTOR)
    return refused.value.target


def restore(world: World, key: str = "restore-1", actor: dict[str, str] = ACTOR, **changes: Any) -> str:
    return restore_point(world.vault, order(world, **changes), key, actor=actor).job_id


def uses(world: World) -> list[dict[str, Any]]:
    return [dict(entry.body) for entry in entries(world, world.instance().key) if entry.body.get("approval_id")]


def files(world: World) -> int:
    return len(list(world.memory.storage.list_blobs("restore", "mine")))


def forge_job(world: World, **changes: Any) -> None:
    """Write into the state of the one open job, as whoever owns the tables could."""
    opened = only_open(world)
    forged = {"state": json.dumps({**opened.state, **changes})}
    world.memory.rows.apply("jobs", "jobs", [Merge(key=opened.key, values=forged, etag=opened.etag)])


def test_nothing_is_sent_until_two_people_want_it():
    world = sealed()
    approval = get_approval(world.vault, ask(world))[0]
    assert (world.memory.restore_target.probed, world.open_jobs()) == ([], [])
    assert URL in approval.reasons[0]
    assert ELSEWHERE in approval.reasons[1]
    assert approval.after["filePrefix"] == "again"
    [warned] = validate_restore(world.vault, order(world))
    assert warned["code"] == "ApprovalRequired"
    assert ELSEWHERE in warned["message"]
    assert world.memory.restore_target.probed == []


def test_the_identical_request_restores_once_after_a_second_person_approved():
    world = sealed()
    approval = ask(world)
    approve(world, approval)
    restore(world)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert files(world) > 1
    assert state(world, approval) is ApprovalState.USED
    [use] = uses(world)
    assert (use["approval_id"], use["target"]["url"]) == (approval, URL)
    with pytest.raises(ApprovalRequiredError) as refused:
        restore(world, "restore-2")
    assert refused.value.target != approval
    require_rest(world)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"container_url": "https://restore.example/other"}, id="another container"),
        pytest.param({"file_prefix": "another"}, id="another prefix"),
        pytest.param({"target_resource_id": f"{ELSEWHERE}/blobServices/default/containers/mine"}, id="another id"),
        pytest.param({"actor": OTHER}, id="another person"),
    ],
)
def test_an_approval_covers_nothing_else(changes: dict[str, Any]):
    world = sealed()
    approve(world, ask(world))
    with pytest.raises(ApprovalRequiredError):
        restore(world, **changes)
    assert world.open_jobs() == []


def test_two_identical_requests_at_once_are_one_restore():
    world = sealed()
    approve(world, ask(world))
    assert restore(world) == restore(world, "restore-2")
    run_jobs(world)
    assert len(uses(world)) == 1


def test_a_second_job_of_one_approval_copies_nothing():
    world = sealed()
    approval = ask(world)
    approve(world, approval)
    restore(world)
    forge_job(world, approval_id="hidden")
    restore(world, "restore-2")
    first, second = sorted(world.open_jobs(), key=lambda opened: opened.state["approval_id"] == approval)
    forged = {"state": json.dumps({**first.state, "approval_id": approval})}
    world.memory.rows.apply("jobs", "jobs", [Merge(key=first.key, values=forged, etag=first.etag)])
    assert second.state["approval_id"] == approval
    run_jobs(world)
    assert sorted(job.status.value for job in world.jobs()[:2]) == ["Completed", "Failed"]
    assert len(uses(world)) == 1


def test_a_container_that_is_not_there_uses_no_approval():
    world = sealed()
    missing = "https://restore.example/missing"
    approve(world, ask(world, container_url=missing))
    with pytest.raises(NotFoundError):
        restore(world, container_url=missing)
    world.memory.storage.create_container("restore", "missing")
    restore(world, container_url=missing)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED


OTHER_TARGET = {"url": "https://restore.example/other", "file_prefix": "x", "resource_id": ELSEWHERE}


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"approval_id": ""}, id="without an approval"),
        pytest.param({"approval_id": f"{'0' * 32}-0000"}, id="with one that is not there"),
        pytest.param({"target": OTHER_TARGET}, id="with another target"),
        pytest.param({"actor": OTHER}, id="as somebody else"),
    ],
)
def test_a_forged_job_reaches_nothing(forged: dict[str, Any]):
    world = sealed()
    approve(world, ask(world))
    restore(world)
    probed = list(world.memory.restore_target.probed)
    forge_job(world, **forged)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert world.memory.restore_target.probed == probed
    assert files(world) == 0


def test_a_forged_approval_reaches_nothing():
    world = sealed()
    approval_id = ask(world)
    row = world.memory.rows.find("approvals", "vault", approval_id)
    assert row is not None
    forged = {"decision": "approved", "decider": "{}"}
    world.memory.rows.apply("approvals", "vault", [Merge(key=row.key, values=forged, etag=row.etag)])
    with pytest.raises(ApprovalRequiredError):
        restore(world)
    assert (world.open_jobs(), world.memory.restore_target.probed) == ([], [])


def test_an_approval_that_expired_before_the_job_ran_reaches_nothing():
    world = sealed()
    approve(world, ask(world))
    restore(world)
    world.clock.advance(timedelta(hours=25))
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert files(world) == 0


def test_a_change_of_the_instance_makes_an_approval_void():
    world = sealed()
    approve(world, ask(world))
    put_policy(world.vault, "longer", policy_properties(keep_for="P2M"), ACTOR)
    move(world.vault, "longer")
    run_jobs(world)
    with pytest.raises(ApprovalRequiredError):
        restore(world)


def test_a_strangers_server_can_be_allowed_by_nobody():
    world = sealed()
    with pytest.raises(NotAuthorizedError) as refused:
        restore(world, container_url="https://evil.example/mine")
    assert refused.value.code == "UserErrorRestoreTargetOutside"
    assert "FLEXVAULT_RESTORE_TARGETS" in refused.value.hint


def test_an_azure_container_that_arm_does_not_show_can_be_approved():
    world = sealed()
    approval_id = ask(world, container_url="https://acme.blob.core.windows.net/mine", target_resource_id="")
    assert "the request names no account" in get_approval(world.vault, approval_id)[0].reasons[1]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whoever_dies_while_a_target_is_probed_uses_the_approval_once(*, after: bool):
    def begun() -> World:
        world = sealed()
        approve(world, ask(world))
        restore(world)
        return world

    world, counted = begun(), Interruption()
    run_one(replace(world, vault=interrupted(world.vault, counted)), only_open(world))
    for call in range(len(counted.calls)):
        world = begun()
        with pytest.raises(CrashError):
            run_one(replace(world, vault=interrupted(world.vault, crash_at(call, after=after))), only_open(world))
        run_jobs(world)
        assert newest_job(world).status is JobStatus.COMPLETED, counted.calls[call]
        assert len(uses(world)) == 1
