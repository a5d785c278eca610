"""The official SDK on the smaller operations: what it sends is understood, what it gets has the type that it expects."""

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection.models import (
    AzureBackupFindRestorableTimeRangesRequest,
    AzureBackupRehydrationRequest,
    BaseBackupPolicyResource,
    CheckNameAvailabilityRequest,
    FeatureValidationRequest,
    FeatureValidationResponse,
    ResourceGuardResource,
    SyncBackupInstanceRequest,
    UnlockDeleteRequest,
    ValidateForModifyBackupRequest,
)

from flexvault.domain import names
from tests import builders
from tests.api.doors import Door, policy_body
from tests.api.sdk import DoorTransport, sdk_client
from tests.api.test_sdk import PLACE, an_instance, back_up, known, protect


@pytest.fixture
def door() -> Door:
    door = Door()
    door.grant_roles()
    return door


def test_a_change_is_validated_and_an_instance_synchronized(client: DataProtectionMgmtClient) -> None:
    protect(client)
    request = ValidateForModifyBackupRequest(backup_instance=an_instance())
    assert client.backup_instances.begin_validate_for_modify_backup(*PLACE, "pg-orders", request).result() is None
    for kind in ("Default", "ForceResync"):
        sync = SyncBackupInstanceRequest(sync_type=kind)
        assert client.backup_instances.begin_sync_backup_instance(*PLACE, "pg-orders", sync).result() is None
    shown = client.backup_instances.get(*PLACE, "pg-orders")
    assert known(shown.properties).current_protection_state == "ProtectionConfigured"


def test_a_change_that_cannot_be_made_raises_azures_code(client: DataProtectionMgmtClient) -> None:
    protect(client)
    instance = an_instance()
    instance.policy_info.policy_id = f"{builders.VAULT_ID}/backupPolicies/none"
    request = ValidateForModifyBackupRequest(backup_instance=instance)
    with pytest.raises(HttpResponseError) as failed:
        client.backup_instances.begin_validate_for_modify_backup(*PLACE, "pg-orders", request).result()
    assert failed.value.error is not None
    assert failed.value.error.code == "ResourceNotFound"


def test_there_is_no_range_of_time_between_points(client: DataProtectionMgmtClient) -> None:
    protect(client)
    request = AzureBackupFindRestorableTimeRangesRequest(
        source_data_store_type="VaultStore", start_time="2026-01-01T00:00:00Z", end_time="2026-02-01T00:00:00Z"
    )
    found = client.restorable_time_ranges.find(*PLACE, "pg-orders", request)
    assert known(found.properties).restorable_time_ranges == []


def test_names_and_features_are_asked_for(client: DataProtectionMgmtClient) -> None:
    asked = CheckNameAvailabilityRequest(name=PLACE[1], type="Microsoft.DataProtection/BackupVaults")
    name = client.backup_vaults.check_name_availability(PLACE[0], "eastus", asked)
    assert (name.name_available, name.reason) == (False, "AlreadyExists")
    kind = "Microsoft.DBforPostgreSQL/flexibleServers"
    feature = client.data_protection.check_feature_support(
        "eastus", FeatureValidationRequest(feature_type="DataSourceType", feature_name=kind)
    )
    assert isinstance(feature, FeatureValidationResponse)
    assert [one.support_status for one in known(feature.features)] == ["GenerallyAvailable"]


def test_the_providers_operations_are_listed_over_pages() -> None:
    door = Door(page_size=7)
    with sdk_client(door, DoorTransport(door)) as client:
        listed = list(client.data_protection_operations.list())
    assert len(listed) > 20
    assert len({one.name for one in listed}) == len(listed)
    assert all(known(one.display).operation for one in listed)


def test_the_instance_of_a_server_is_found_below_it(client: DataProtectionMgmtClient) -> None:
    protect(client)
    for resource_id in (builders.SERVER_ID, builders.SERVER_ID.lstrip("/")):
        (found,) = client.backup_instances_extension_routing.list(resource_id)
        assert found.name == "pg-orders"


def test_results_are_asked_for_in_each_scope(client: DataProtectionMgmtClient, door: Door) -> None:
    protect(client)
    job_id = back_up(client, door).rpartition("/")[2]
    operation = names.operation_id("Microsoft.DataProtection/backupVaults/backupInstances/backup/action", job_id)
    assert client.operation_status.get(location="eastus", operation_id=operation).status == "Succeeded"
    assert client.operation_status_backup_vault_context.get(*PLACE, operation).status == "Succeeded"
    assert client.operation_status_resource_group_context.get(PLACE[0], operation).status == "Succeeded"
    assert known(client.operation_result.get(location="eastus", operation_id=operation)).object_type
    assert known(client.backup_vault_operation_results.get(*PLACE, operation)).name == PLACE[1]
    result = client.backup_instances.get_backup_instance_operation_result(*PLACE, "pg-orders", operation)
    assert known(result).name == "pg-orders"


def test_what_is_not_supported_raises_and_what_is_listed_first_is_empty(client: DataProtectionMgmtClient) -> None:
    client.backup_policies.create_or_update(*PLACE, "daily", BaseBackupPolicyResource(policy_body()))
    assert list(client.resource_guards.get_resources_in_subscription()) == []
    assert list(client.resource_guards.get_resources_in_resource_group(PLACE[0])) == []
    assert list(client.dpp_resource_guard_proxy.list(*PLACE)) == []
    refused = (
        lambda: client.resource_guards.put(PLACE[0], "guard", ResourceGuardResource(location="eastus")),
        lambda: list(client.resource_guards.get_delete_protected_item_requests_objects(PLACE[0], "guard")),
        lambda: client.dpp_resource_guard_proxy.unlock_delete(*PLACE, "proxy", UnlockDeleteRequest()),
        lambda: client.export_jobs.begin_trigger(*PLACE),
        lambda: client.export_jobs_operation_result.get(*PLACE, "x"),
        lambda: client.backup_instances.begin_trigger_rehydrate(
            *PLACE, "x", AzureBackupRehydrationRequest(recovery_point_id="x", rehydration_retention_duration="P15D")
        ),
        lambda: client.backup_vaults.begin_delete(*PLACE),
    )
    for call in refused:
        with pytest.raises(HttpResponseError) as raised:
            call()
        assert raised.value.status_code == 400
        assert raised.value.error is not None
        assert raised.value.error.code == "UserErrorOperationNotSupported"
