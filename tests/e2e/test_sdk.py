"""Microsoft's own SDK drives a running vault over https, with a plain token and the local authority's certificate."""

import time
from collections.abc import Iterator

import pytest
from azure.core.credentials import AccessToken
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection.models import (
    AdHocBackupRuleOptions,
    AdhocBackupTriggerOption,
    AzureBackupDiscreteRecoveryPoint,
    AzureBackupRecoveryPointBasedRestoreRequest,
    BackupInstance,
    BackupInstanceResource,
    BaseBackupPolicyResource,
    Datasource,
    PolicyInfo,
    RestoreFilesTargetInfo,
    TargetDetails,
    TriggerBackupRequest,
    ValidateForBackupRequest,
    ValidateRestoreRequestObject,
)

from local_cloud.launch import VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e import bodies
from tests.e2e.accounts import Accounts
from tests.e2e.user import GOOD_ENDS
from tests.e2e.waiting import wait_for

INSTANCE, POLICY, PREFIX = "pg-billing", "daily", "sdk"


class PlainToken:
    """The token credential of somebody who has a token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)


@pytest.fixture(scope="module")
def place(vault: VaultHost) -> tuple[str, str]:
    segments = vault.endpoints["vaultResourceId"].split("/")
    return segments[4], segments[8]


@pytest.fixture(scope="module")
def client(vault: VaultHost) -> Iterator[DataProtectionMgmtClient]:
    endpoints = vault.endpoints
    with DataProtectionMgmtClient(
        PlainToken(endpoints["people"]["contributor"]),
        endpoints["vaultResourceId"].split("/")[2],
        base_url=str(endpoints["apiTls"]),
        connection_verify=endpoints["storage"]["ca"],
        polling_interval=0.2,
    ) as client:
        yield client


def an_instance(vault: VaultHost) -> BackupInstance:
    server_id = vault.endpoints["servers"]["pg-billing"]["resourceId"]
    source = Datasource(
        resource_id=server_id,
        resource_uri="",
        datasource_type=bodies.DATASOURCE,
        resource_name="pg-billing",
        resource_type=bodies.DATASOURCE,
        resource_location="eastus",
        object_type="Datasource",
    )
    policy_id = f"{vault.endpoints['vaultResourceId']}/backupPolicies/{POLICY}"
    return BackupInstance(
        object_type="BackupInstance",
        friendly_name="pg-billing",
        data_source_info=source,
        policy_info=PolicyInfo(policy_id=policy_id),
    )


def a_restore(vault: VaultHost, point_id: str) -> AzureBackupRecoveryPointBasedRestoreRequest:
    account = vault.endpoints["storage"]["restore"]
    details = TargetDetails(
        file_prefix=PREFIX,
        restore_target_location_type="AzureBlobs",
        url=f"{account['blobEndpoint']}/{RESTORE_CONTAINER}",
        target_resource_arm_id=account["resourceId"],
    )
    target = RestoreFilesTargetInfo(recovery_option="FailIfExists", restore_location="eastus", target_details=details)
    return AzureBackupRecoveryPointBasedRestoreRequest(
        recovery_point_id=point_id, source_data_store_type="VaultStore", restore_target_info=target
    )


def follow(client: DataProtectionMgmtClient, place: tuple[str, str], job_id: str) -> str:
    """Wait for the end of the job that an operation named; answers its operation."""

    def look() -> str | None:
        job = client.jobs.get(*place, job_id.rpartition("/")[2]).properties
        assert job is not None
        assert job.status in {"InProgress", *GOOD_ENDS}, job.error_details
        return job.operation if job.status in GOOD_ENDS else None

    return wait_for(look, f"the end of {job_id}")


def test_the_sdk_protects_backs_up_and_restores_a_server(
    client: DataProtectionMgmtClient, place: tuple[str, str], vault: VaultHost, accounts: Accounts
) -> None:
    instances = client.backup_instances
    client.backup_policies.create_or_update(*place, POLICY, BaseBackupPolicyResource(bodies.policy()))
    resource = BackupInstanceResource(properties=an_instance(vault))
    protected = instances.begin_create_or_update(*place, INSTANCE, resource).result()
    assert protected.properties is not None
    assert protected.properties.current_protection_state == "ProtectionConfigured"

    options = AdHocBackupRuleOptions(rule_name=bodies.RULE, trigger_option=AdhocBackupTriggerOption())
    request = TriggerBackupRequest(backup_rule_options=options)
    backup = instances.begin_adhoc_backup(*place, INSTANCE, request).result()
    assert follow(client, place, str(backup.job_id)) == "OnDemandBackup"
    (point,) = client.recovery_points.list(*place, INSTANCE)
    assert isinstance(point.properties, AzureBackupDiscreteRecoveryPoint)

    order = a_restore(vault, str(point.name))
    check = ValidateRestoreRequestObject(restore_request_object=order)
    instances.begin_validate_for_restore(*place, INSTANCE, check).result()
    restored = instances.begin_trigger_restore(*place, INSTANCE, order).result()
    assert follow(client, place, str(restored.job_id)) == "Restore"
    names = accounts.names("restore", RESTORE_CONTAINER, f"{PREFIX}_")
    assert {f"{PREFIX}_database_billing.sql", f"{PREFIX}_roles.sql", f"{PREFIX}_rebuild/rebuild.pyz"} <= set(names)


def test_the_sdk_shows_what_is_wrong_with_a_second_configuration(
    client: DataProtectionMgmtClient, place: tuple[str, str], vault: VaultHost
) -> None:
    request = ValidateForBackupRequest(backup_instance=an_instance(vault))
    with pytest.raises(Exception, match="UserErrorDppDatasourceAlreadyProtected"):
        client.backup_instances.begin_validate_for_backup(*place, request).result()
