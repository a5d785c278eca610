"""Protection: checked before the first answer, granted or verified, recorded once; PUT again mends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain.errors import ConflictError, InvalidInputError, NotFoundError, TransientError, VaultError
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus
from flexvault.services import catalog
from flexvault.services.policies import delete_policy, policy_etag, put_policy
from flexvault.services.protection import ProtectionRequest, request_protection, require_rights, validate_for_backup
from tests.builders import ACTOR, INSTANCE_ID, MONDAY, SERVER_ID, World, policy_properties, protect, run_jobs, world
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries
from tests.services.running import claimed, newest_job, only_open, protected, quietly, step

OTHER_INSTANCE = f"{INSTANCE_ID}-again"


def with_policy() -> World:
    vault = world()
    put_policy(vault.vault, "daily", policy_properties(), ACTOR)
    return vault


def request(**changes: Any) -> ProtectionRequest:
    wanted = ProtectionRequest(
        instance_id=INSTANCE_ID, name="pg-orders", server_id=SERVER_ID, policy_name="daily", properties={"a": 1}
    )
    return replace(wanted, **changes)


def ask(world: World, key: str = "r1", **changes: Any) -> None:
    request_protection(world.vault, request(**changes), ACTOR, key)


def test_a_server_is_protected_once_its_roles_are_in_effect():
    world = with_policy()
    world.memory.roles.delay = timedelta(minutes=3)
    ask(world)
    assert world.instance().state is ProtectionState.CONFIGURING
    run_jobs(world)
    assert world.instance().state is ProtectionState.CONFIGURED
    assert world.clock.storage_now() >= MONDAY + timedelta(minutes=3)
    assert newest_job(world).status is JobStatus.COMPLETED
    assert catalog.find_slots_from(world.vault.ports, world.instance().key) == world.clock.storage_now()


def test_roles_that_are_there_are_only_verified():
    world = with_policy()
    world.memory.roles.grant(SERVER_ID)
    granted = list(world.memory.roles.grants)
    world.memory.roles.may_grant = False
    ask(world)
    run_jobs(world)
    assert world.memory.roles.grants == granted
    assert world.instance().state is ProtectionState.CONFIGURED


def failed_for_want_of_roles() -> World:
    world = with_policy()
    world.memory.roles.may_grant = False
    ask(world)
    run_jobs(world)
    return world


def test_a_vault_that_may_not_grant_says_which_commands_a_person_must_run():
    world = failed_for_want_of_roles()
    job, instance = newest_job(world), world.instance()
    assert (job.status, instance.state) == (JobStatus.FAILED, ProtectionState.FAILED)
    for error in (job.error or {}, instance.error or {}):
        assert error["code"] == "UserErrorMissingRequiredPermissions"
        assert "az role assignment create" in error["recommendedAction"][0]
        assert SERVER_ID in error["message"]


def test_a_role_that_never_takes_effect_fails_after_ten_minutes():
    world = with_policy()
    world.memory.roles.delay = timedelta(days=1)
    ask(world)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.FAILED
    assert timedelta(minutes=10) < world.clock.storage_now() - MONDAY < timedelta(minutes=11)


def test_put_again_mends_what_failed():
    world = failed_for_want_of_roles()
    world.memory.roles.may_grant = True
    ask(world, "r2")
    run_jobs(world)
    assert world.instance().state is ProtectionState.CONFIGURED
    assert world.instance().error is None
    assert [entry.type for entry in entries(world, "vault")].count("ProtectionConfigured") == 1


def test_a_failed_look_for_roles_is_no_missing_role():
    world = with_policy()
    ask(world)
    world.memory.faults.fail_next("roles.find_missing", TransientError("503"))
    with pytest.raises(TransientError):
        step(world)
    run_jobs(world)
    assert world.instance().state is ProtectionState.CONFIGURED


def test_a_second_instance_for_the_same_server_is_refused_and_leaves_nothing():
    world = protected()
    jobs = len(world.jobs())
    with pytest.raises(InvalidInputError) as refused:
        ask(world, "r2", instance_id=OTHER_INSTANCE, name="again", server_id=SERVER_ID.upper())
    assert refused.value.code == "UserErrorDppDatasourceAlreadyProtected"
    assert f"by the backup instance '{world.instance().name}'" in refused.value.message
    assert catalog.find_instance(world.vault.ports, OTHER_INSTANCE) is None
    assert len(world.jobs()) == jobs


def test_of_two_instances_that_ask_for_a_server_at_once_one_wins():
    world = with_policy()
    counted = Interruption()
    request_protection(interrupted(with_policy().vault, counted), request(), ACTOR, "x")
    claim = counted.calls.index("rows.apply")
    rival = Interruption(at=claim, act=lambda: ask(world, "rival", instance_id=OTHER_INSTANCE, name="again"))
    with pytest.raises(InvalidInputError) as refused:
        request_protection(interrupted(world.vault, rival), request(), ACTOR, "r1")
    assert refused.value.code == "UserErrorDppDatasourceAlreadyProtected"
    run_jobs(world)
    assert [instance.name for instance in catalog.list_instances(world.vault.ports)] == ["again"]
    assert world.open_jobs() == []


def test_two_configurations_of_one_instance_do_not_run_at_once():
    world = with_policy()
    ask(world, "r1")
    with pytest.raises(ConflictError) as refused:
        ask(world, "r2")
    assert refused.value.code == "OperationInProgress"


def test_the_same_request_again_answers_the_first_one():
    world = with_policy()
    first = request_protection(world.vault, request(), ACTOR, "r1")
    again = request_protection(world.vault, request(), ACTOR, "r1")
    assert (again[1], again[2]) == (first[1], None)
    assert len(world.jobs()) == 1


def test_a_request_that_died_right_after_its_claim_is_answered_when_it_is_repeated():
    world = with_policy()
    counted = Interruption()
    request_protection(interrupted(with_policy().vault, counted), request(), ACTOR, "r1")
    died = crash_at(counted.calls.index("rows.apply"), after=True)
    with pytest.raises(CrashError):
        request_protection(interrupted(world.vault, died), request(), ACTOR, "r1")
    instance, job_id, _ = request_protection(world.vault, request(), ACTOR, "r1")
    assert (instance.state, job_id) == (ProtectionState.CONFIGURING, only_open(world).job_id)


def test_what_the_client_sent_is_kept_as_it_was_sent():
    world = with_policy()
    sent = {"friendlyName": "\u00c4rger", "unknownMember": [None, {"x": 1}]}
    ask(world, properties=sent)
    assert world.instance().properties == sent
    assert world.instance().friendly_name == "\u00c4rger"


def test_who_asked_is_in_the_journal():
    world = with_policy()
    ask(world)
    requested = next(entry for entry in entries(world, "vault") if entry.type == "ProtectionRequested")
    assert requested.actor == ACTOR


def test_an_identical_put_leaves_the_schedule_and_its_claimed_slot_alone():
    world = claimed()
    world.clock.advance(timedelta(seconds=1))
    protect(world, request_key="protect-again")
    assert world.instance().state is ProtectionState.CONFIGURED
    assert [job.status for job in world.jobs() if job.operation == "backup"] == [JobStatus.COMPLETED]
    assert catalog.find_slots_from(world.vault.ports, world.instance().key) == MONDAY


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"state": "Stopped"}, "PostgreSQLFlexOperationFailedUserError", id="stopped"),
        pytest.param({"state": "Updating"}, "PostgreSQLFlexOperationFailedUserError", id="changing"),
        pytest.param({"replication_role": "AsyncReplica"}, "UserErrorReplicaServerNotSupported", id="replica"),
        pytest.param({"replication_role": "GeoAsyncReplica"}, "UserErrorReplicaServerNotSupported", id="geo replica"),
    ],
)
def test_a_server_that_cannot_be_backed_up_is_refused_before_the_first_answer(change: dict[str, str], code: str):
    world = with_policy()
    world.memory.servers.put(replace(world.memory.servers.get(SERVER_ID), **change))
    with pytest.raises(VaultError) as refused:
        ask(world)
    assert refused.value.code == code
    assert "pg-orders" in refused.value.message
    assert refused.value.hint
    assert (world.jobs(), list(catalog.list_instances(world.vault.ports))) == ([], [])


@pytest.mark.parametrize(
    "server_id",
    ["", "pg-orders", "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/virtualMachines/x", f"{SERVER_ID}/databases/d"],
)  # fmt: skip
def test_an_id_that_is_no_flexible_servers_is_refused(server_id: str):
    with pytest.raises(InvalidInputError) as refused:
        validate_for_backup(with_policy().vault, server_id, "daily")
    assert refused.value.target == "properties.dataSourceInfo.resourceID"


def test_a_server_or_policy_that_is_not_there_is_named():
    world = with_policy()
    with pytest.raises(NotFoundError, match="pg-missing"):
        validate_for_backup(world.vault, SERVER_ID.replace("pg-orders", "pg-missing"), "daily")
    with pytest.raises(NotFoundError, match="weekly"):
        validate_for_backup(world.vault, SERVER_ID, "weekly")


def test_a_server_over_one_tebibyte_is_a_warning_from_the_check_to_the_job():
    world = with_policy()
    world.memory.servers.put(replace(world.memory.servers.get(SERVER_ID), storage_size_gib=2048))
    assert validate_for_backup(world.vault, SERVER_ID, "daily").warnings[0]["code"] == "ServerLargerThanSupported"
    ask(world)
    run_jobs(world)
    assert newest_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS


def test_missing_rights_that_the_vault_may_not_grant_are_told_with_the_commands():
    world = with_policy()
    require_rights(world.vault, world.memory.servers.get(SERVER_ID))
    world.memory.roles.may_grant = False
    with pytest.raises(VaultError) as refused:
        require_rights(world.vault, world.memory.servers.get(SERVER_ID))
    assert refused.value.code == "UserErrorMissingRequiredPermissions"
    assert "az role assignment create" in refused.value.hint


# Policies ------------------------------------------------------------------------------------------------------------


def test_an_identical_policy_changes_nothing():
    world = with_policy()
    before = entries(world, "vault")
    put_policy(world.vault, "DAILY", policy_properties(), ACTOR)
    assert entries(world, "vault") == before


def test_a_policy_keeps_the_spelling_of_its_first_name():
    world = with_policy()
    assert put_policy(world.vault, "DAILY", policy_properties(keep_for="P2M"), ACTOR).name == "daily"


def test_a_stale_if_match_is_refused():
    world = with_policy()
    etag = policy_etag(catalog.get_policy(world.vault.ports, "daily"))
    put_policy(world.vault, "daily", policy_properties(keep_for="P2M"), ACTOR, if_match=etag)
    with pytest.raises(VaultError) as refused:
        put_policy(world.vault, "daily", policy_properties(keep_for="P3M"), ACTOR, if_match=etag)
    assert refused.value.code == "PreconditionFailed"


def test_of_two_changes_of_one_state_one_is_told_that_it_was_late():
    world = with_policy()
    world.memory.faults.run_next(
        "vault_writer.create",
        quietly(lambda: put_policy(world.vault, "daily", policy_properties(keep_for="P2M"), ACTOR)),
    )
    with pytest.raises(ConflictError):
        put_policy(world.vault, "daily", policy_properties(keep_for="P3M"), ACTOR)
    assert catalog.get_policy(world.vault.ports, "daily").properties == policy_properties(keep_for="P2M")


def test_a_policy_in_use_is_not_deleted_and_its_users_are_named():
    world = protected()
    with pytest.raises(InvalidInputError, match="pg-orders") as refused:
        delete_policy(world.vault, "daily", ACTOR)
    assert refused.value.code == "UserErrorDppPolicyObjectInUse"


def test_a_policy_without_users_is_deleted_once():
    world = with_policy()
    assert [delete_policy(world.vault, "Daily", ACTOR) for _ in range(2)] == [True, False]
    assert list(catalog.list_policies(world.vault.ports)) == []
    put_policy(world.vault, "daily", policy_properties(), ACTOR)
    assert [policy.name for policy in catalog.list_policies(world.vault.ports)] == ["daily"]


@pytest.mark.parametrize("name", ["ab", "a" * 151, "a b", "a/b", "\u00e4\u00e4\u00e4", ""])
def test_a_name_that_is_none_is_refused(name: str):
    with pytest.raises(InvalidInputError) as refused:
        put_policy(world().vault, name, policy_properties(), ACTOR)
    assert refused.value.target == "backupPolicyName"
