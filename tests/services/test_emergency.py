"""The emergency operation: which jobs a revocation of keys would kill, the owner's command, one entry a request."""

from datetime import timedelta

import pytest

from flexvault.domain.errors import InvalidInputError, OutcomeUnknownError
from flexvault.domain.job import JobStatus, Operation, Step
from flexvault.services import catalog
from flexvault.services.emergency import KeyRevocation, OwnAccount, request_key_revocation, revocation_command
from flexvault.services.requests import restore_point
from tests.builders import ACTOR, World, run_jobs, run_one
from tests.services.invariants import entries, require_whole_journal
from tests.services.running import claimed, newest_job, only_open, protected, restore_order, run_until

LEAKED = "a SAS was found in a log"


def ask(world: World, account: OwnAccount = OwnAccount.LANDING, key: str = "k1", reason: str = LEAKED) -> KeyRevocation:
    return request_key_revocation(world.vault, account, reason, ACTOR, key)


def restoring(world: World) -> None:
    run_jobs(world)
    (point,) = catalog.list_points(world.vault.ports, world.instance().key)
    restore_point(world.vault, restore_order(point.point_id), "restore-1")


@pytest.mark.parametrize(
    ("step", "consequence"),
    [
        (Step.PREPARING, ""),
        (Step.STARTING, ""),
        (Step.POLLING, "this attempt fails, and the next one begins with new keys"),
        (Step.PROMOTING, "copied again with a new key"),
        (Step.SEALING, ""),
    ],
)
def test_a_backup_is_named_while_it_uses_a_sas_of_the_landing_account(step: Step, consequence: str):
    world = claimed()
    run_until(world, step)
    killed = [(job.job_id, job.instance, job.step) for job in ask(world).jobs]
    expected = [(only_open(world).job_id, "pg-orders", step)] if consequence else []
    assert killed == expected
    assert all(consequence in job.consequence for job in ask(world).jobs)
    assert ask(world, OwnAccount.VAULT, "k2").jobs == ()


def test_a_start_in_doubt_may_be_using_its_sas():
    world = claimed()
    run_until(world, Step.STARTING)
    world.memory.faults.fail_next("ltr.start", OutcomeUnknownError("no answer"))
    run_one(world, only_open(world))
    assert [job.step for job in ask(world).jobs] == [Step.STARTING]


def test_a_restore_is_named_while_it_copies_from_the_vault_account():
    world = claimed()
    restoring(world)
    assert ask(world, OwnAccount.VAULT).jobs == ()
    run_until(world, Step.COPYING)
    (job,) = ask(world, OwnAccount.VAULT).jobs
    assert (job.operation, job.instance) == (Operation.RESTORE, "pg-orders")
    assert "copied again with a new key" in job.consequence
    assert ask(world).jobs == ()


def test_it_changes_nothing_but_the_journal_which_says_who_why_and_what():
    world = claimed()
    run_until(world, Step.POLLING)
    found = ask(world)
    entry = entries(world, "vault")[-1]
    assert (entry.type, entry.actor) == ("KeyRevocationRequested", ACTOR)
    assert entry.body["reason"] == LEAKED
    assert entry.body["jobs"] == [{"job_id": only_open(world).job_id, "step": "Polling"}]
    assert found.command == revocation_command("landing")
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED
    require_whole_journal(world)


def test_the_same_request_is_journalled_once_and_another_one_again():
    world = protected()
    for key in ("k1", "k1", "k2"):
        ask(world, key=key)
        world.clock.advance(timedelta(minutes=1))
    kinds = [entry.type for entry in entries(world, "vault")]
    assert kinds.count("KeyRevocationRequested") == 2


def test_the_command_finds_the_resource_group_by_itself():
    assert revocation_command("stvault001") == (
        'az storage account revoke-delegation-keys --name "stvault001" --resource-group '
        '"$(az storage account list --query "[?name==\'stvault001\'].resourceGroup" --output tsv)"'
    )


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1_001])
def test_a_reason_must_be_given(reason: str):
    with pytest.raises(InvalidInputError, match="reason"):
        ask(protected(), reason=reason)


def test_a_secret_in_the_reason_does_not_come_into_the_journal():
    world = protected()
    ask(world, reason=f"leaked: https://landing.example/c0?sig={'made-up' * 4}")
    assert "made-up" not in entries(world, "vault")[-1].body["reason"]
