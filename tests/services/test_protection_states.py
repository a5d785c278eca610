"""What a person may do with the protection of an instance, and what each state refuses."""

from collections.abc import Callable

import pytest

from flexvault.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    VaultError,
)
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus
from flexvault.domain.protection_moves import BEING_DELETED, BUSY, NOT_PROTECTED, STOPPED, Verb
from flexvault.services.protection import ProtectionRequest, request_protection
from flexvault.services.requests import back_up_now
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    SERVER_ID,
    World,
    protect,
    run_jobs,
)
from tests.services.changing import (
    change,
    clean_up,
    in_state,
    put_state,
)
from tests.services.invariants import entries, require_whole_journal
from tests.services.running import newest_job, protected

S = ProtectionState
STOP, SUSPEND, RESUME, RESUME_PROTECTION = Verb.STOP, Verb.SUSPEND, Verb.RESUME_BACKUPS, Verb.RESUME_PROTECTION


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [
        pytest.param(before, verb, after, id=f"{verb} of {before} leads to {after}")
        for before, verb, after in [
            (S.CONFIGURED, STOP, S.STOPPED),
            (S.CONFIGURED, SUSPEND, S.SUSPENDED),
            (S.CONFIGURED, RESUME, S.CONFIGURED),
            (S.CONFIGURED, RESUME_PROTECTION, S.CONFIGURED),
            (S.SUSPENDED, STOP, S.STOPPED),
            (S.SUSPENDED, SUSPEND, S.SUSPENDED),
            (S.SUSPENDED, RESUME, S.CONFIGURED),
            (S.SUSPENDED, RESUME_PROTECTION, S.CONFIGURED),
            (S.STOPPED, STOP, S.STOPPED),
            (S.STOPPED, RESUME_PROTECTION, S.CONFIGURED),
        ]
    ],
)
def test_a_verb_leads_to_its_state_with_one_entry_and_a_repetition_changes_nothing(
    before: ProtectionState, verb: Verb, after: ProtectionState
):
    world = in_state(before)
    journalled = len(entries(world, "vault"))
    assert [change(world, verb) for _ in range(2)] == [after, after]
    new = entries(world, "vault")[journalled:]
    assert len(new) == (0 if before is after else 1)
    for entry in new:
        assert (entry.body["before"]["state"], entry.body["after"]["state"]) == (before, after)
        assert entry.actor == ACTOR
    require_whole_journal(world)


@pytest.mark.parametrize(
    ("state", "verb", "error", "code", "hint"),
    [
        pytest.param(state, verb, error, code, hint, id=f"{verb} of {state}")
        for state, verbs, error, code, hint in [
            (S.STOPPED, (SUSPEND, RESUME), InvalidInputError, STOPPED, "resumeProtection"),
            (S.FAILED, tuple(Verb), InvalidInputError, NOT_PROTECTED, "PUT it again"),
            (S.CONFIGURING, tuple(Verb), ConflictError, BUSY, "wait until it is ProtectionConfigured"),
            (S.UPDATING, tuple(Verb), ConflictError, BUSY, "wait until it is ProtectionConfigured"),
            (S.DELETING, tuple(Verb), ConflictError, BEING_DELETED, "wait until its last recovery point is gone"),
        ]
        for verb in verbs
    ],
)
def test_a_verb_that_a_state_forbids_is_refused_with_what_to_do(
    state: ProtectionState, verb: Verb, error: type[VaultError], code: str, hint: str
):
    world = in_state(state)
    with pytest.raises(error) as refused:
        change(world, verb)
    assert refused.value.code == code
    assert hint in refused.value.hint
    assert world.instance().state is state


@pytest.mark.parametrize("verb", list(Verb))
def test_an_instance_that_is_not_there_is_not_found(verb: Verb):
    world = in_state(S.DELETING)
    clean_up(world)
    with pytest.raises(NotFoundError):
        change(world, verb)


def back_up(world: World) -> None:
    back_up_now(world.vault, INSTANCE_ID, "BackupDaily", "", "request-1")


def put_again(world: World) -> None:
    protect(world, request_key="again")


@pytest.mark.parametrize(
    ("state", "request_it", "error", "code", "hint"),
    [
        pytest.param(S.SUSPENDED, back_up, InvalidInputError, NOT_PROTECTED, "resumeBackups", id="back up suspended"),
        pytest.param(S.STOPPED, back_up, InvalidInputError, NOT_PROTECTED, "resumeProtection", id="back up stopped"),
        pytest.param(S.FAILED, back_up, InvalidInputError, NOT_PROTECTED, "PUT it again", id="back up failed"),
        pytest.param(S.CONFIGURING, back_up, InvalidInputError, NOT_PROTECTED, "wait until", id="back up too early"),
        pytest.param(S.DELETING, back_up, ConflictError, BEING_DELETED, "wait until", id="back up deleting"),
        pytest.param(S.SUSPENDED, put_again, InvalidInputError, NOT_PROTECTED, "resumeBackups", id="PUT suspended"),
        pytest.param(S.STOPPED, put_again, InvalidInputError, NOT_PROTECTED, "resumeProtection", id="PUT stopped"),
        pytest.param(S.DELETING, put_again, ConflictError, BEING_DELETED, "wait until", id="PUT deleting"),
    ],
)
def test_what_a_state_does_not_allow_is_refused_with_what_to_do(
    state: ProtectionState, request_it: Callable[[World], None], error: type[VaultError], code: str, hint: str
):
    world = in_state(state)
    with pytest.raises(error) as refused:
        request_it(world)
    assert refused.value.code == code
    assert hint in refused.value.hint
    assert world.instance().state is state
    assert world.open_jobs() == []


def test_a_configuration_whose_instance_was_stopped_meanwhile_fails_and_wakes_nothing_up():
    world = protected()
    request = ProtectionRequest(
        instance_id=INSTANCE_ID, name="pg-orders", server_id=SERVER_ID, policy_name="daily", properties={}
    )
    opened = request_protection(world.vault, request, ACTOR, "again")[2]
    assert opened is not None
    put_state(world, S.STOPPED)  # as if the stop had come before the request's own entry
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert world.instance().state is S.STOPPED
