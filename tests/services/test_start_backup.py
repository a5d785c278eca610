"""A backup is started once per name: answers that got lost, refusals, doubts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.azure_codes import OPERATION_FAILED
from flexvault.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    OutcomeUnknownError,
    ThrottledError,
    TransientError,
    VaultError,
)
from flexvault.domain.job import JobStatus, Step
from flexvault.services import catalog
from flexvault.services.scheduling import tick
from tests.builders import ROLES, SERVER_ID, World, run_jobs, run_one, tiny_archive
from tests.services.running import accepted_attempts, claimed, hide_started, newest_job, only_open, run_until, step

LOST = OutcomeUnknownError("no answer")


def finish(world: World) -> None:
    run_jobs(world)
    assert world.open_jobs() == []


def test_an_answer_lost_after_acceptance_is_found_by_name_and_not_sent_again():
    world = claimed()
    world.memory.faults.fail_next("ltr.start", LOST, after=True)
    finish(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert accepted_attempts(world) == [1]


def test_an_answer_lost_before_acceptance_waits_out_the_doubt_and_takes_the_next_name():
    world = claimed()
    run_until(world, Step.STARTING)
    asked_at = world.clock.storage_now()
    world.memory.faults.fail_next("ltr.start", LOST)
    finish(world)
    assert accepted_attempts(world) == [2]
    assert world.memory.ltr.accepted[0].started_at - asked_at >= world.vault.settings.not_started_after
    assert newest_job(world).status is JobStatus.COMPLETED, "a doubt is no failure and no warning"


def test_nothing_is_posted_while_a_name_is_in_doubt():
    world = claimed()
    run_until(world, Step.STARTING)
    world.memory.faults.fail_next("ltr.start", LOST)
    run_one(world, only_open(world))
    for _ in range(5):
        run_one(world, only_open(world))
    assert accepted_attempts(world) == []
    assert only_open(world).step is Step.STARTING


def test_a_name_in_doubt_that_turns_up_later_is_adopted():
    world = claimed()
    run_until(world, Step.STARTING)
    world.memory.faults.fail_next("ltr.start", LOST, after=True)
    hide_started(world, before_attempt(world, 2))
    finish(world)
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    assert accepted_attempts(world) == [1]
    assert catalog.read_manifest(world.vault.ports, point).attempt == 1


def before_attempt(world: World, attempt: int) -> Callable[[], bool]:
    """Hold until the job has reached an attempt once."""
    reached = [False]

    def holds() -> bool:
        reached[0] = reached[0] or only_open(world).attempt == attempt
        return not reached[0]

    return holds


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(ThrottledError("slow down"), id="429"),
        pytest.param(ConflictError("busy", code="ServerIsBusy"), id="ServerIsBusy"),
        pytest.param(ConflictError("busy", code="ServerBusy"), id="ServerBusy"),
        pytest.param(ConflictError("not ready", code="ServerNotReadyForLongTermBackup"), id="not-ready"),
    ],
)
def test_a_refusal_that_passes_ends_the_doubt_and_the_same_name_is_used_again(refusal: VaultError):
    world = claimed()
    world.memory.faults.fail_next("ltr.start", refusal)
    run_until(world, Step.STARTING)
    answer = step(world)
    assert (answer.next, only_open(world).state["start_requested_at"]) == (Step.STARTING, "")
    finish(world)
    assert accepted_attempts(world) == [1]
    assert newest_job(world).status is JobStatus.COMPLETED


def test_a_throttled_start_waits_as_long_as_it_was_told():
    world = claimed()
    run_until(world, Step.STARTING)
    world.memory.faults.fail_next("ltr.start", ThrottledError("slow down", retry_after_seconds=77))
    assert run_one(world, only_open(world)).wait_seconds == 77


@pytest.mark.parametrize(
    ("refusal", "code", "inner_code"),
    [
        pytest.param(NotAuthorizedError("no right"), OPERATION_FAILED, "AuthorizationFailed", id="403"),
        pytest.param(
            NotFoundError("gone", code="ResourceGroupNotFound"), OPERATION_FAILED, "ResourceGroupNotFound", id="404"
        ),
        pytest.param(InvalidInputError("bad", code="InvalidParameter"), "InvalidParameter", None, id="400"),
        pytest.param(ConflictError("other", code="BackupNameInUse"), "BackupNameInUse", None, id="409"),
    ],
)
def test_a_refusal_that_stays_closes_the_job_with_azures_own_code(
    refusal: VaultError, code: str, inner_code: str | None
):
    world = claimed()
    world.memory.faults.fail_next("ltr.start", refusal)
    finish(world)
    job = newest_job(world)
    assert job.status is JobStatus.FAILED
    error = job.error or {}
    assert (error["code"], error.get("innerError", {}).get("code")) == (code, inner_code)
    assert accepted_attempts(world) == []


def test_a_doubt_whose_run_failed_is_not_adopted_a_second_time():
    world = claimed()
    run_until(world, Step.STARTING)
    world.memory.ltr.script = replace(world.memory.ltr.script, status="Failed", error_code="InternalError")
    world.memory.faults.fail_next("ltr.start", LOST, after=True)
    hide_started(world, before_attempt(world, 2))
    run_until(world, Step.POLLING)
    world.memory.ltr.script = replace(world.memory.ltr.script, status="Succeeded")
    finish(world)
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert accepted_attempts(world)[0] == 1
    assert len(accepted_attempts(world)) == 2


def test_a_name_that_was_posted_is_never_posted_again_although_an_older_one_was_adopted():
    world = claimed()
    run_until(world, Step.STARTING)
    world.memory.ltr.script = replace(world.memory.ltr.script, status="Failed", error_code="InternalError")
    world.memory.faults.fail_next("ltr.start", LOST, after=True)
    posted = record_posts(world)
    hide_started(world, lambda: len(posted) == 1)
    run_until(world, Step.PREPARING)
    world.memory.faults.fail_next("ltr.start", LOST)  # the second name is in doubt when the first turns up
    run_until(world, Step.POLLING)
    assert only_open(world).attempt == 1
    world.memory.ltr.script = replace(world.memory.ltr.script, status="Succeeded")
    finish(world)
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert len(set(posted)) == len(posted), posted


def record_posts(world: World) -> list[str]:
    """Every backup name that a start was sent for, refused ones too."""
    posted: list[str] = []
    ltr = world.memory.ltr
    original = ltr.start

    def start(server_id: str, backup_name: str, grant: object) -> None:
        posted.append(backup_name)
        original(server_id, backup_name, grant)  # pyright: ignore[reportArgumentType] - passed on

    ltr.start = start  # pyright: ignore[reportAttributeAccessIssue] - a look at what is sent
    return posted


def test_an_adopted_backup_is_promoted_from_all_the_containers_that_it_was_given():
    world = claimed()
    files = {"_database_orders.sql": tiny_archive(), "_database_more.sql": tiny_archive("more"), "_roles.sql": ROLES}
    world.memory.ltr.script = LtrScript(files=files, container_count=3)
    run_until(world, Step.STARTING)
    world.memory.faults.fail_next("ltr.start", LOST, after=True)
    hide_started(world, before_attempt(world, 2))
    run_until(world, Step.PREPARING)
    world.memory.ltr.script = replace(world.memory.ltr.script, container_count=1)
    finish(world)
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    manifest = catalog.read_manifest(world.vault.ports, point)
    assert {file.suffix for file in manifest.files} == set(files)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_once_accepted_a_backup_that_vanishes_is_never_started_again():
    world = claimed()
    run_until(world, Step.POLLING)
    vanished_until = world.clock.storage_now() + timedelta(hours=3)
    hide_started(world, lambda: world.clock.storage_now() < vanished_until)
    finish(world)
    assert accepted_attempts(world) == [1]
    assert newest_job(world).status is JobStatus.COMPLETED


@pytest.mark.parametrize("state", ["Starting", "Updating", "Stopping"])
def test_a_server_that_is_changing_is_waited_for(state: str):
    world = claimed()
    world.memory.servers.set_state(SERVER_ID, state)
    assert step(world).next is Step.PREPARING
    world.memory.servers.set_state(SERVER_ID, "Ready")
    finish(world)
    assert newest_job(world).status is JobStatus.COMPLETED


def test_a_server_that_stays_busy_is_given_up_after_half_of_the_interval():
    world = claimed()
    world.memory.servers.set_state(SERVER_ID, "Updating")
    run_jobs(world, limit=2_000)
    job = newest_job(world)
    assert job.status is JobStatus.FAILED
    assert (job.error or {})["code"] == "PostgreSQLFlexOperationFailedUserError"
    assert job.ended_at is not None
    assert timedelta(hours=12) <= job.ended_at - job.started_at < timedelta(hours=13)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"state": "Stopped"}, "PostgreSQLFlexOperationFailedUserError", id="stopped"),
        pytest.param({"replication_role": "AsyncReplica"}, "UserErrorReplicaServerNotSupported", id="replica"),
    ],
)
def test_a_server_that_cannot_be_backed_up_closes_the_job_at_once(change: dict[str, str], code: str):
    world = claimed()
    world.memory.servers.put(replace(world.memory.servers.get(SERVER_ID), **change))
    finish(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert (newest_job(world).error or {})["code"] == code
    assert accepted_attempts(world) == []


def test_a_server_that_is_gone_closes_the_job_with_arms_code_behind_azure_backups():
    world = claimed()
    world.memory.servers.remove(SERVER_ID)
    finish(world)
    error = newest_job(world).error or {}
    assert error["code"] == "PostgreSQLFlexOperationFailedUserError"
    assert error["innerError"] == {"code": "ResourceNotFound"}


def test_a_start_that_may_not_mint_a_sas_posts_nothing_and_is_not_in_doubt():
    world = claimed()
    run_until(world, Step.STARTING)
    world.memory.faults.fail_next("landing.issue_grant", TransientError("no delegation key"))
    with pytest.raises(TransientError):
        run_one(world, only_open(world))
    assert not only_open(world).state.get("start_requested_at")


def test_a_server_made_anew_under_the_same_name_is_a_chain_of_its_own_and_said_so():
    world = claimed()
    finish(world)
    server = world.memory.servers.get(SERVER_ID)
    assert server.created_at is not None
    world.memory.servers.put(replace(server, created_at=server.created_at + timedelta(days=200)))
    world.clock.advance_to(newest_job(world).started_at + timedelta(days=1))
    tick(world.vault, world.memory.orchestrations)
    finish(world)
    new, old = catalog.list_points(world.vault.ports, world.instance().key)
    assert new.chain != old.chain
    assert [warning["code"] for warning in newest_job(world).warnings] == ["ServerRecreated"]
