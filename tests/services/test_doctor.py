"""The doctor examines servers: now, at configuration, and every night; what changed is raised once."""

import json
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain import row_keys
from flexvault.domain.errors import InvalidInputError, NotAuthorizedError, TransientError, VaultError
from flexvault.domain.event_rows import config_target
from flexvault.domain.findings import Finding, FindingCheck
from flexvault.domain.protection_moves import Verb
from flexvault.domain.rows import Merge
from flexvault.ports import AzureBackupInstance
from flexvault.services.catalog import find_protector
from flexvault.services.doctor import examine, read_examination
from flexvault.services.doctor_rounds import EXAMINED_PER_RUN
from flexvault.services.journal import find_row
from flexvault.services.policies import put_policy
from flexvault.services.protection import validate_for_backup
from flexvault.services.protection_states import change_protection
from flexvault.services.reconcile import reconcile
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    MONDAY,
    SERVER_ID,
    World,
    add_server,
    policy_properties,
    protect,
    run_jobs,
    world,
)
from tests.services.changing import change
from tests.services.running import claimed, newest_job, protected

DAY = timedelta(days=1)
OTHER_VAULT = "/subscriptions/x/resourceGroups/g/providers/Microsoft.DataProtection/backupVaults/v/backupInstances/pg"


def night(world: World, *, runs: int = 2) -> None:
    """The first runs of reconcile of the next UTC day."""
    now = world.clock.storage_now()
    world.clock.advance_to(now.replace(hour=0, minute=2) + DAY)
    for _ in range(runs):
        reconcile(world.vault, world.memory.orchestrations)
        world.clock.advance(timedelta(minutes=5))


def raised(world: World) -> list[tuple[str, str]]:
    kinds = ("DoctorFinding", "DoctorFindingGone", "ServerNotExamined")
    return [(event, str(facts["code"])) for event, facts in world.memory.telemetry.events if event in kinds]


def examined(world: World, server_id: str = SERVER_ID) -> tuple[Finding, ...]:
    instance = find_protector(world.vault.ports, server_id)
    return examine(world.vault, server_id, instance, world.clock.storage_now()).findings


def codes(world: World, server_id: str = SERVER_ID) -> list[str]:
    return [finding.code for finding in examined(world, server_id)]


def backed_up() -> World:
    """A vault whose one server has a recovery point."""
    vault = claimed()
    run_jobs(vault)
    return vault


# Now -----------------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_protected_yet_is_examined_and_its_roles_are_still_to_be_granted():
    assert codes(world()) == ["RolesNotYetGranted"]


def test_a_protected_server_without_trouble_tells_the_size_of_its_newest_backup_alone():
    assert codes(backed_up()) == ["LastBackupSize"]


def test_lost_rights_are_an_error_with_the_commands_also_where_the_vault_may_grant():
    vault = backed_up()
    vault.memory.roles.revoke(SERVER_ID)
    [error] = [finding for finding in examined(vault) if finding.is_error]
    assert error.code == "UserErrorMissingRequiredPermissions"
    assert error.remedy == vault.memory.roles.grant_commands(SERVER_ID)


def test_who_may_not_ask_what_they_may_do_may_do_nothing():
    vault = backed_up()
    vault.memory.faults.fail_next("roles.find_missing", NotAuthorizedError("no"))
    assert "UserErrorMissingRequiredPermissions" in codes(vault)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(NotAuthorizedError("no right", hint="az role assignment create"), "no right", id="refused"),
        pytest.param(TransientError("ARM is away"), "ARM is away", id="away"),
    ],
)
def test_azure_backup_that_could_not_be_asked_hides_nothing_else(error: VaultError, words: str):
    vault = backed_up()
    vault.memory.faults.fail_next("servers.list_azure_backup_instances", error)
    unasked, size = examined(vault)
    assert (unasked.code, unasked.check, size.code) == (
        "AzureBackupNotAsked",
        FindingCheck.NOT_CHECKABLE,
        "LastBackupSize",
    )
    assert words in unasked.message


def test_a_server_that_is_gone_or_not_shown_is_one_error():
    vault = backed_up()
    vault.memory.servers.remove(SERVER_ID)
    assert codes(vault) == ["ServerNotReadable"]
    vault.memory.faults.fail_next("servers.get", NotAuthorizedError("no", hint="az role assignment create"))
    [refused] = examined(vault)
    assert (refused.code, refused.remedy) == ("ServerNotReadable", "az role assignment create")


def test_a_server_made_anew_under_its_old_name_is_told():
    vault = backed_up()
    vault.memory.servers.change(SERVER_ID, created_at=MONDAY)
    assert "ServerRecreated" in codes(vault)


def test_backups_that_stopped_coming_are_told_after_the_longest_gap_and_a_quarter():
    vault = backed_up()
    vault.clock.advance(timedelta(hours=29))
    assert "LastBackupTooOld" not in codes(vault)
    vault.clock.advance(timedelta(hours=2))
    assert "LastBackupTooOld" in codes(vault)


def test_a_paused_instance_is_not_told_that_it_has_no_new_backups():
    vault = backed_up()
    change_protection(vault.vault, INSTANCE_ID, Verb.SUSPEND, ACTOR)
    vault.clock.advance(10 * DAY)
    assert "LastBackupTooOld" not in codes(vault)


# Configuration -------------------------------------------------------------------------------------------------------


def validate(world: World) -> list[str]:
    put_policy(world.vault, "daily", policy_properties(), ACTOR)
    return [str(one["code"]) for one in validate_for_backup(world.vault, SERVER_ID, "daily").warnings]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"replication_role": "AsyncReplica"}, "UserErrorReplicaServerNotSupported", id="replica"),
        pytest.param({"storage_type": "PremiumV2_LRS"}, "UserErrorStorageTypeNotSupported", id="Premium SSD v2"),
        pytest.param({"cluster_size": 3}, "UserErrorElasticClusterNotSupported", id="elastic cluster"),
        pytest.param({"state": "Stopped"}, "PostgreSQLFlexOperationFailedUserError", id="stopped"),
        pytest.param({"state": "Updating"}, "PostgreSQLFlexOperationFailedUserError", id="changing"),
    ],
)
def test_what_is_an_error_to_the_doctor_refuses_the_configuration(changes: dict[str, Any], code: str):
    vault = world()
    vault.memory.servers.change(SERVER_ID, **changes)
    with pytest.raises(VaultError) as refused:
        validate(vault)
    assert (refused.value.code, refused.value.target) == (code, SERVER_ID)
    assert refused.value.hint


def test_several_errors_are_told_together():
    vault = world()
    vault.memory.servers.change(SERVER_ID, state="Stopped", cluster_size=2)
    with pytest.raises(VaultError) as refused:
        validate(vault)
    assert refused.value.inner_code == "ServerNotReadyForLongTermBackup"
    assert [detail.code for detail in refused.value.details] == ["UserErrorElasticClusterNotSupported"]


def test_a_server_that_is_changing_is_refused_with_the_hint_to_wait():
    vault = world()
    vault.memory.servers.change(SERVER_ID, state="Updating")
    with pytest.raises(InvalidInputError, match="is Updating") as refused:
        validate(vault)
    assert refused.value.hint == "wait until the server is Ready, then try again"


def test_warnings_of_the_doctor_are_warnings_of_the_configuration_with_their_remedy():
    vault = world()
    vault.memory.servers.change(SERVER_ID, location="westeurope", public_network_access="Disabled", version="12")
    vault.memory.servers.protect_by_azure_backup(
        SERVER_ID, AzureBackupInstance(id=OTHER_VAULT, state="ProtectionConfigured")
    )
    assert validate(vault) == ["RegionDiffers", "ProtectedByAzureBackup", "PostgresVersionEnded"]
    protect(vault)
    warnings = {one["code"]: one for one in newest_job(vault).warnings}
    assert warnings["RegionDiffers"]["remedy"] == "protect it with a vault in westeurope"


def test_a_backup_is_still_tried_of_what_only_the_documentation_rules_out():
    vault = claimed()
    vault.memory.servers.change(SERVER_ID, storage_type="PremiumV2_LRS")
    run_jobs(vault)
    assert newest_job(vault).status == "Completed"


# Every night ---------------------------------------------------------------------------------------------------------


def test_a_night_keeps_what_it_found_and_raises_it_once_and_again_when_it_is_gone():
    vault = backed_up()
    night(vault)
    assert raised(vault) == []
    vault.memory.servers.change(SERVER_ID, storage_size_gib=2048)
    night(vault)
    run_jobs(vault)
    night(vault)
    kept = read_examination(vault.vault, vault.instance())
    assert kept.checked_at is not None
    assert kept.checked_at.date() == vault.clock.storage_now().date()
    assert "ServerLargerThanSupported" in [finding.code for finding in kept.findings]
    assert raised(vault).count(("DoctorFinding", "ServerLargerThanSupported")) == 1
    vault.memory.servers.change(SERVER_ID, storage_size_gib=512)
    night(vault)
    assert ("DoctorFindingGone", "ServerLargerThanSupported") in raised(vault)


def test_the_event_carries_what_to_do():
    vault = backed_up()
    vault.memory.servers.change(SERVER_ID, state="Stopped")
    night(vault)
    [facts] = [
        facts
        for event, facts in vault.memory.telemetry.events
        if event == "DoctorFinding" and facts["code"] == "ServerNotReadyForLongTermBackup"
    ]
    assert (facts["instance"], facts["severity"]) == ("pg-orders", "Error")
    assert "az postgres flexible-server start" in str(facts["remedy"])


def test_nobody_is_woken_for_a_state_that_passes_by_itself():
    vault = backed_up()
    vault.memory.servers.change(SERVER_ID, state="Updating")
    night(vault)
    assert raised(vault) == []
    assert read_examination(vault.vault, vault.instance()).findings[0].code == "ServerIsChanging"


def asked(world: World) -> list[str]:
    """Remember which servers are read from now on."""
    servers: list[str] = []
    original = world.memory.servers.list_azure_backup_instances

    def remember(server_id: str) -> object:
        servers.append(server_id)
        return original(server_id)

    world.memory.servers.list_azure_backup_instances = remember  # pyright: ignore[reportAttributeAccessIssue] - counted
    return servers


def test_a_server_is_examined_once_a_day_and_many_a_few_at_a_time():
    vault = protected()
    for number in range(EXAMINED_PER_RUN):
        server_id = add_server(vault, str(number))
        protect(vault, request_key=f"p{number}", instance_id=f"{INSTANCE_ID}-{number}", server_id=server_id)
    servers = asked(vault)
    night(vault, runs=1)
    assert len(servers) == EXAMINED_PER_RUN
    night_before = len(servers)
    for _ in range(3):
        reconcile(vault.vault, vault.memory.orchestrations)
    assert len(servers) == night_before + 1
    assert len(set(servers)) == len(servers)


def test_what_cannot_be_examined_keeps_its_last_result_and_no_other_server_from_its_turn():
    vault = backed_up()
    server_id = add_server(vault, "2")
    protect(vault, request_key="p2", instance_id=f"{INSTANCE_ID}-2", server_id=server_id)
    night(vault)
    before = read_examination(vault.vault, vault.instance()).checked_at
    vault.memory.faults.fail_next("servers.get", TransientError("ARM is away"))
    night(vault)
    assert ("ServerNotExamined", "ServiceUnavailable") in raised(vault)
    times = [
        read_examination(vault.vault, found).checked_at
        for found in (find_protector(vault.vault.ports, SERVER_ID), find_protector(vault.vault.ports, server_id))
        if found is not None
    ]
    assert [moment == before for moment in times].count(True) == 1


def test_rights_that_could_not_be_verified_are_not_taken_for_granted():
    vault = backed_up()
    vault.memory.roles.revoke(SERVER_ID)
    vault.memory.roles.may_grant = False
    vault.memory.faults.fail_next("roles.find_missing", TransientError("ARM is away"))
    night(vault, runs=1)
    assert "RightsNotVerified" in [event for event, _ in vault.memory.telemetry.events]
    found = [finding.code for finding in read_examination(vault.vault, vault.instance()).findings]
    assert "UserErrorMissingRequiredPermissions" in found


def test_a_row_that_nobody_can_read_counts_as_no_examination():
    vault = backed_up()
    night(vault)
    target = config_target(row_keys.doctor_row(vault.instance().key))
    row = find_row(vault.vault.ports, target)
    assert row is not None
    assert json.loads(str(row.values["findings"]))[-1]["code"] == "LastBackupSize"
    spoilt = Merge(key=target.key, values={"findings": "{"}, etag=row.etag)
    vault.vault.ports.rows.apply(target.table, target.partition, [spoilt])
    read = read_examination(vault.vault, vault.instance())
    assert (read.checked_at, read.findings) == (None, ())


def test_a_pause_is_raised_once_and_again_when_it_is_over():
    vault = backed_up()
    night(vault)
    change(vault, Verb.STOP)
    night(vault)
    night(vault)
    assert raised(vault) == [("DoctorFinding", "ProtectionPaused")]
    change(vault, Verb.RESUME_PROTECTION)
    night(vault)
    assert ("DoctorFindingGone", "ProtectionPaused") in raised(vault)
