"""`azure-mgmt-dataprotection` drives the vault unchanged."""

import json
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection.models import (
    AdHocBackupRuleOptions,
    AdhocBackupTriggerOption,
    AzureBackupDiscreteRecoveryPoint,
    AzureBackupRecoveryPointBasedRestoreRequest,
    AzureBackupRule,
    BackupInstance,
    BackupInstanceResource,
    BackupPolicy,
    BaseBackupPolicyResource,
    Datasource,
    ImmutabilitySettings,
    PatchBackupVaultInput,
    PatchResourceRequestInput,
    PolicyInfo,
    RestoreFilesTargetInfo,
    ScheduleBasedTriggerContext,
    SecuritySettings,
    TargetDetails,
    TriggerBackupRequest,
    ValidateForBackupRequest,
    ValidateRestoreRequestObject,
)

from flexvault.adapters.memory.ltr import LtrScript
from tests import builders
from tests.api.doors import CONTAINER_URL, POLICY_ID, Door, policy_body
from tests.api.sdk import DoorTransport, sdk_client

PLACE = ("rg-flexvault", "flexvault")


@pytest.fixture
def door() -> Door:
    door = Door()
    door.grant_roles()
    door.make_target()
    return door


def known[T](value: T | None) -> T:
    """The models allow every member to be missing."""
    assert value is not None
    return value


def an_instance() -> BackupInstance:
    kind = "Microsoft.DBforPostgreSQL/flexibleServers"
    source = Datasource(
        resource_id=builders.SERVER_ID,
        resource_uri="",
        datasource_type=kind,
        resource_name="pg-orders",
        resource_type=kind,
        resource_location="eastus",
        object_type="Datasource",
    )
    return BackupInstance(
        object_type="BackupInstance",
        friendly_name="pg-orders",
        data_source_info=source,
        policy_info=PolicyInfo(policy_id=POLICY_ID),
    )


def a_restore(point_id: str, prefix: str) -> AzureBackupRecoveryPointBasedRestoreRequest:
    details = TargetDetails(file_prefix=prefix, restore_target_location_type="AzureBlobs", url=CONTAINER_URL)
    target = RestoreFilesTargetInfo(recovery_option="FailIfExists", restore_location="eastus", target_details=details)
    return AzureBackupRecoveryPointBasedRestoreRequest(
        recovery_point_id=point_id, source_data_store_type="VaultStore", restore_target_info=target
    )


def protect(client: DataProtectionMgmtClient) -> BackupInstanceResource:
    client.backup_policies.create_or_update(*PLACE, "daily", BaseBackupPolicyResource(policy_body()))
    resource = BackupInstanceResource(properties=an_instance())
    return client.backup_instances.begin_create_or_update(*PLACE, "pg-orders", resource).result()


def back_up(client: DataProtectionMgmtClient, door: Door) -> str:
    """Trigger a backup, let it run to its end and answer the job's ARM id."""
    options = AdHocBackupRuleOptions(rule_name="BackupDaily", trigger_option=AdhocBackupTriggerOption())
    request = TriggerBackupRequest(backup_rule_options=options)
    triggered = client.backup_instances.begin_adhoc_backup(*PLACE, "pg-orders", request).result()
    door.run_jobs()
    return str(triggered.job_id)


def test_the_vault_is_shown(client: DataProtectionMgmtClient) -> None:
    vault = client.backup_vaults.get(*PLACE)
    assert vault.id == builders.VAULT_ID
    assert vault.properties.provisioning_state == "Succeeded"


def test_a_policy_is_made_listed_and_deleted(client: DataProtectionMgmtClient) -> None:
    made = client.backup_policies.create_or_update(*PLACE, "daily", BaseBackupPolicyResource(policy_body()))
    assert isinstance(made.properties, BackupPolicy)
    rule = made.properties.policy_rules[0]
    assert isinstance(rule, AzureBackupRule)
    assert isinstance(rule.trigger, ScheduleBasedTriggerContext)
    assert rule.trigger.tagging_criteria[0].tag_info.id == "Default_"
    assert [policy.name for policy in client.backup_policies.list(*PLACE)] == ["daily"]
    client.backup_policies.delete(*PLACE, "daily")
    client.backup_policies.delete(*PLACE, "daily")
    with pytest.raises(ResourceNotFoundError):
        client.backup_policies.get(*PLACE, "daily")


def test_a_server_is_validated_and_protected(client: DataProtectionMgmtClient, transport: DoorTransport) -> None:
    client.backup_policies.create_or_update(*PLACE, "daily", BaseBackupPolicyResource(policy_body()))
    validation = ValidateForBackupRequest(backup_instance=an_instance())
    client.backup_instances.begin_validate_for_backup(*PLACE, validation).result()
    protected = protect(client)
    assert known(protected.properties).current_protection_state == "ProtectionConfigured"
    assert known(protected.properties).provisioning_state == "Succeeded"
    assert transport.waits == [10], "the SDK looks at once, then waits as the running operation says"
    assert [instance.name for instance in client.backup_instances.list(*PLACE)] == ["pg-orders"]


def test_the_sdk_restores_chosen_databases_and_shows_the_outline(client: DataProtectionMgmtClient, door: Door) -> None:
    files = builders.backup_files(orders=builders.tiny_archive(), billing=builders.tiny_archive("billing"))
    door.world.memory.ltr.script = LtrScript(files=files)
    protect(client)
    back_up(client, door)
    (point,) = client.recovery_points.list(*PLACE, "pg-orders")
    order = a_restore(str(point.name), "some")
    order.restore_target_info["databases"] = ["billing"]  # the model keeps members that it does not know
    answers: list[Any] = []
    client.backup_instances.begin_validate_for_restore(
        *PLACE,
        "pg-orders",
        ValidateRestoreRequestObject(restore_request_object=order),
        raw_response_hook=answers.append,
    ).result()
    outline = json.loads(answers[-1].http_response.text())["restoreOutline"]
    assert [database["name"] for database in outline["databases"]] == ["billing"]
    client.backup_instances.begin_trigger_restore(*PLACE, "pg-orders", order).result()
    door.run_jobs()
    names = {blob.name for blob in door.world.memory.ports.restore_target.list_blobs(CONTAINER_URL, "some_database")}
    assert names == {"some_database_billing.sql"}


def test_a_backup_and_a_restore_are_followed_to_their_jobs(client: DataProtectionMgmtClient, door: Door) -> None:
    protect(client)
    job_id = back_up(client, door)
    assert job_id.startswith(f"{builders.VAULT_ID}/backupJobs/")
    job = client.jobs.get(*PLACE, job_id.rpartition("/")[2])
    assert (known(job.properties).status, known(job.properties).operation_category) == ("Completed", "Backup")
    (point,) = client.recovery_points.list(*PLACE, "pg-orders")
    assert isinstance(point.properties, AzureBackupDiscreteRecoveryPoint)
    assert client.recovery_points.get(*PLACE, "pg-orders", str(point.name)).id == point.id
    request = ValidateRestoreRequestObject(restore_request_object=a_restore(str(point.name), "check"))
    client.backup_instances.begin_validate_for_restore(*PLACE, "pg-orders", request).result()
    restored = client.backup_instances.begin_trigger_restore(
        *PLACE, "pg-orders", a_restore(str(point.name), "again")
    ).result()
    door.run_jobs()
    job = client.jobs.get(*PLACE, known(restored.job_id).rpartition("/")[2])
    assert (known(job.properties).status, known(job.properties).operation) == ("Completed", "Restore")
    info = known(known(job.properties).extended_info)
    assert info.recovery_destination == CONTAINER_URL
    assert known(info.source_recover_point).recovery_point_id == point.name
    assert {task.task_status for task in known(info.sub_tasks)} == {"Completed"}
    assert [task.task_name for task in known(info.sub_tasks)][1] == "Trigger Restore"


def test_jobs_are_read_page_by_page(door: Door) -> None:
    door = Door(page_size=2)
    door.grant_roles()
    with sdk_client(door, DoorTransport(door)) as client:
        protect(client)
        for _ in range(4):
            back_up(client, door)
        listed = [job.name for job in client.jobs.list(*PLACE)]
    assert len(listed) == len(set(listed)) == 5
    assert listed == [job.job_id for job in door.world.jobs()]


def test_missing_rights_are_an_operation_that_fails_with_the_commands(
    client: DataProtectionMgmtClient, door: Door
) -> None:
    door.world.memory.roles.revoke(builders.SERVER_ID)
    door.world.memory.roles.may_grant = False
    client.backup_policies.create_or_update(*PLACE, "daily", BaseBackupPolicyResource(policy_body()))
    poller = client.backup_instances.begin_validate_for_backup(
        *PLACE, ValidateForBackupRequest(backup_instance=an_instance())
    )
    with pytest.raises(HttpResponseError) as caught:
        poller.result()
    assert caught.value.error is not None
    assert caught.value.error.code == "UserErrorMissingRequiredPermissions"
    assert "az role assignment create" in str(caught.value.error.message)


def test_a_protected_server_is_refused_at_once(client: DataProtectionMgmtClient) -> None:
    protect(client)
    with pytest.raises(HttpResponseError) as caught:
        client.backup_instances.begin_validate_for_backup(
            *PLACE, ValidateForBackupRequest(backup_instance=an_instance())
        )
    assert caught.value.status_code == 400
    assert caught.value.error is not None
    assert caught.value.error.code == "UserErrorDppDatasourceAlreadyProtected"


def test_status_and_result_of_an_operation_can_be_read_by_name(client: DataProtectionMgmtClient) -> None:
    protect(client)
    found: list[str] = []
    options = AdHocBackupRuleOptions(rule_name="Default", trigger_option=AdhocBackupTriggerOption())
    client.backup_instances.begin_adhoc_backup(
        *PLACE,
        "pg-orders",
        TriggerBackupRequest(backup_rule_options=options),
        raw_response_hook=lambda response: found.append(response.http_response.headers.get("Location", "")),
    ).result()
    operation = found[0].partition("?")[0].rpartition("/")[2]
    assert client.operation_status.get("eastus", operation).status == "Succeeded"
    assert client.operation_status_resource_group_context.get("rg-flexvault", operation).status == "Succeeded"
    assert client.operation_status_backup_vault_context.get(*PLACE, operation).status == "Succeeded"
    result = client.operation_result.get(operation_id=operation, location="eastus")
    assert result is not None
    assert "/backupJobs/" in str(result.job_id)


@pytest.mark.parametrize(
    ("person", "error"),
    [
        pytest.param("nobody", HttpResponseError, id="no role: 403"),
        pytest.param("reader", HttpResponseError, id="reader may not write: 403"),
    ],
)
def test_too_small_a_role_is_an_arm_error(door: Door, person: str, error: type[HttpResponseError]) -> None:
    with sdk_client(door, DoorTransport(door), person) as client, pytest.raises(error) as caught:
        client.backup_policies.create_or_update(*PLACE, "daily", BaseBackupPolicyResource(policy_body()))
    assert caught.value.status_code == 403
    assert caught.value.error is not None
    assert caught.value.error.code == "AuthorizationFailed"


def test_an_expired_token_is_an_authentication_error(door: Door) -> None:
    expired = int(door.world.clock.host_now().timestamp()) - 301
    with (
        sdk_client(door, DoorTransport(door), exp=expired) as client,
        pytest.raises(ClientAuthenticationError) as caught,
    ):
        client.backup_vaults.get(*PLACE)
    assert caught.value.error is not None
    assert caught.value.error.code == "ExpiredAuthenticationToken"


def test_a_running_backup_is_a_conflict(client: DataProtectionMgmtClient, door: Door) -> None:
    protect(client)
    options = AdHocBackupRuleOptions(rule_name="BackupDaily", trigger_option=AdhocBackupTriggerOption())
    request = TriggerBackupRequest(backup_rule_options=options)
    client.backup_instances.begin_adhoc_backup(*PLACE, "pg-orders", request, polling=False)
    with pytest.raises(ResourceExistsError) as caught:
        client.backup_instances.begin_adhoc_backup(*PLACE, "pg-orders", request, polling=False)
    assert caught.value.error is not None
    assert caught.value.error.code == "UserErrorMaxConcurrentOperationLimitReached"


def test_the_vaults_immutability_is_locked_and_never_unlocked(client: DataProtectionMgmtClient) -> None:
    def change(state: str) -> object:
        security = SecuritySettings(immutability_settings=ImmutabilitySettings(state=state))
        wanted = PatchResourceRequestInput(properties=PatchBackupVaultInput(security_settings=security))
        vault = client.backup_vaults.begin_update(*PLACE, wanted).result()
        return known(known(vault.properties.security_settings).immutability_settings).state

    assert change("Locked") == "Locked"
    with pytest.raises(HttpResponseError, match="can never be unlocked again"):
        change("Unlocked")
