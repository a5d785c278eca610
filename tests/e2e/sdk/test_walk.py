"""Every operation of `azure-mgmt-dataprotection`, sync and aio, in the order in which a vault's life needs them."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e import bodies
from tests.e2e.sdk.conftest import Walk
from tests.e2e.sdk.driving import methods
from tests.e2e.sdk.required import find_faults

LOCATION = "eastus"
SERVER_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"


def sound(answer: Any) -> Any:
    """Answer what has all that its models require, each in the type that the SDK documents."""
    assert list(find_faults(answer)) == []
    return answer


def refused(walk: Walk, method: str, *args: Any, **kwargs: Any) -> HttpResponseError:
    """Answer with what a call is refused."""
    with pytest.raises(HttpResponseError) as refusal:
        walk.call(method, *args, **kwargs)
    assert refusal.value.error is not None, refusal.value
    return refusal.value


def code_of(refusal: HttpResponseError) -> str | None:
    assert refusal.error is not None
    return refusal.error.code


def approved(walk: Walk, method: str, *args: Any) -> Any:
    """Call what needs a second person: it is refused, approved, and called again."""
    refusal = refused(walk, method, *args)
    assert code_of(refusal) == "ApprovalRequired"
    assert refusal.error is not None
    walk.approve(str(refusal.error.target))
    return walk.call(method, *args)


def test_the_vault_is_found_shown_and_changed(walk: Walk) -> None:
    group, name = walk.place
    shown = sound(walk.call("backup_vaults.get", group, name))
    assert shown.properties.security_settings.soft_delete_settings.state == "On"
    assert [vault.id for vault in sound(walk.call("backup_vaults.get_in_resource_group", group))] == [shown.id]
    assert [vault.id for vault in sound(walk.call("backup_vaults.get_in_subscription"))] == [shown.id]

    redundancy = [(setting.datastore_type, setting.type) for setting in shown.properties.storage_settings]
    assert redundancy == [("VaultStore", "LocallyRedundant")]

    again = sound(walk.call("backup_vaults.begin_create_or_update", group, name, shown))
    assert again.e_tag == shown.e_tag
    changed = sound(walk.call("backup_vaults.begin_update", group, name, {"tags": {"walk": walk.driver.flavour}}))
    assert changed.tags == {"walk": walk.driver.flavour}

    assert refused(walk, "backup_vaults.begin_create_or_update", group, "another", shown).status_code == 409
    assert sound(walk.call("deleted_backup_vaults.list_by_location", LOCATION)) == []
    with pytest.raises(ResourceNotFoundError):
        walk.call("deleted_backup_vaults.get", LOCATION, "00000000-0000-0000-0000-000000000000")


def test_names_features_and_operations_are_told(walk: Walk) -> None:
    group, name = walk.place
    request = {"name": name, "type": "Microsoft.DataProtection/BackupVaults"}
    taken = sound(walk.call("backup_vaults.check_name_availability", group, LOCATION, request))
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    question = {"objectType": "FeatureValidationRequest", "featureType": "DataSourceType", "featureName": SERVER_TYPE}
    feature = sound(walk.call("data_protection.check_feature_support", LOCATION, question))
    assert [found.support_status for found in feature.features] == ["GenerallyAvailable"]
    operations = sound(walk.call("data_protection_operations.list"))
    assert "Microsoft.DataProtection/backupVaults/read" in {operation.name for operation in operations}


def test_a_policy_is_made_listed_and_deleted(walk: Walk) -> None:
    made = sound(walk.call("backup_policies.create_or_update", *walk.place, walk.name, walk.policy()))
    assert made.properties.policy_rules[0].trigger.tagging_criteria[0].tag_info.id == "Default_"
    assert sound(walk.call("backup_policies.get", *walk.place, walk.name)).id == made.id
    walk.call("backup_policies.create_or_update", *walk.place, f"{walk.name}-long", walk.policy("P1Y"))
    walk.call("backup_policies.create_or_update", *walk.place, f"{walk.name}-unused", walk.policy())
    walk.call("backup_policies.delete", *walk.place, f"{walk.name}-unused")
    walk.call("backup_policies.delete", *walk.place, f"{walk.name}-unused")
    names = {policy.name for policy in sound(walk.call("backup_policies.list", *walk.place))}
    assert {walk.name, f"{walk.name}-long"} <= names
    assert f"{walk.name}-unused" not in names
    with pytest.raises(ResourceNotFoundError):
        walk.call("backup_policies.get", *walk.place, f"{walk.name}-unused")


def test_a_server_is_validated_and_protected(walk: Walk) -> None:
    properties = walk.instance().properties
    check = {"backupInstance": properties}
    sound(walk.call("backup_instances.begin_validate_for_backup", *walk.place, check))
    protected = walk.call("backup_instances.begin_create_or_update", *walk.place, walk.name, walk.instance())
    assert sound(protected).properties.current_protection_state == "ProtectionConfigured"
    assert sound(walk.call("backup_instances.get", *walk.place, walk.name)).id == protected.id
    assert protected.id in {one.id for one in sound(walk.call("backup_instances.list", *walk.place))}
    routed = sound(walk.call("backup_instances_extension_routing.list", walk.server_id))
    assert [one.id for one in routed] == [protected.id]

    refusal = refused(walk, "backup_instances.begin_validate_for_backup", *walk.place, check)
    assert code_of(refusal) == "UserErrorDppDatasourceAlreadyProtected"


def test_the_policy_of_an_instance_is_changed_by_read_modify_write(walk: Walk) -> None:
    shown = walk.call("backup_instances.get", *walk.place, walk.name)
    shown.properties.policy_info.policy_id = f"{walk.user.vault_id}/backupPolicies/{walk.name}-long"
    check = {"backupInstance": shown.properties}
    assert walk.call("backup_instances.begin_validate_for_modify_backup", *walk.place, walk.name, check) is None
    changed = sound(walk.call("backup_instances.begin_create_or_update", *walk.place, walk.name, shown))
    assert changed.properties.policy_info.policy_id.endswith(f"{walk.name}-long")
    assert changed.properties.current_protection_state == "ProtectionConfigured"
    for sync_type in ("Default", "ForceResync"):
        walk.call("backup_instances.begin_sync_backup_instance", *walk.place, walk.name, {"syncType": sync_type})


def test_protection_is_suspended_stopped_and_resumed(walk: Walk) -> None:
    for method, state in (
        ("begin_suspend_backups", "BackupSchedulesSuspended"),
        ("begin_resume_backups", "ProtectionConfigured"),
        ("begin_stop_protection", "ProtectionStopped"),
        ("begin_resume_protection", "ProtectionConfigured"),
    ):
        assert walk.call(f"backup_instances.{method}", *walk.place, walk.name) is None
        shown = sound(walk.call("backup_instances.get", *walk.place, walk.name))
        assert shown.properties.current_protection_state == state


def test_a_backup_becomes_a_recovery_point_that_is_restored(walk: Walk) -> None:
    group, vault_name = walk.place
    accepted = sound(walk.call("backup_instances.begin_adhoc_backup", group, vault_name, walk.name, bodies.on_demand()))
    job = sound(walk.end_of(accepted.job_id))
    assert (job.properties.operation, job.properties.is_user_triggered) == ("OnDemandBackup", True)
    (point,) = sound(walk.call("recovery_points.list", group, vault_name, walk.name))
    shown = sound(walk.call("recovery_points.get", group, vault_name, walk.name, point.name))
    assert shown.properties.recovery_point_state == "Completed"
    tomorrow = bodies.in_a_moment(86_400).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
    after = {"filter": f"startDate eq '{tomorrow}'"}
    assert walk.call("recovery_points.list", group, vault_name, walk.name, **after) == []
    ranges = walk.call(
        "restorable_time_ranges.find", group, vault_name, walk.name, {"sourceDataStoreType": "VaultStore"}
    )
    assert sound(ranges).properties.restorable_time_ranges == []

    order = walk.user.restore_order({"name": point.name}, walk.name)
    check = {"restoreRequestObject": order}
    sound(walk.call("backup_instances.begin_validate_for_restore", group, vault_name, walk.name, check))
    restored = sound(walk.call("backup_instances.begin_trigger_restore", group, vault_name, walk.name, order))
    job = sound(walk.end_of(restored.job_id))
    assert job.properties.extended_info.recovery_destination.endswith(RESTORE_CONTAINER)
    jobs = sound(walk.call("jobs.list", group, vault_name))
    assert {accepted.job_id, restored.job_id} <= {found.id for found in jobs}

    # The second restore to the same place is refused where the SDK waits for it.
    refusal = refused(walk, "backup_instances.begin_validate_for_restore", group, vault_name, walk.name, check)
    assert code_of(refusal) == "UserErrorTargetFilesExist"


def test_an_operation_is_shown_in_each_of_its_scopes(walk: Walk) -> None:
    group, vault_name = walk.place
    answer = walk.user.send("POST", f"{walk.path}/suspendBackups", {})
    operation_id = answer.headers["azure-asyncoperation"].partition("?")[0].rpartition("/")[2].replace("%3D", "=")
    for method, args in (
        ("operation_status.get", (LOCATION, operation_id)),
        ("operation_status_backup_vault_context.get", (group, vault_name, operation_id)),
        ("operation_status_resource_group_context.get", (group, operation_id)),
    ):
        assert sound(walk.call(method, *args)).status == "Succeeded"
    sound(walk.call("operation_result.get", operation_id, LOCATION))
    walk.call("backup_vault_operation_results.get", group, vault_name, operation_id)
    walk.call("backup_instances.get_backup_instance_operation_result", group, vault_name, walk.name, operation_id)
    walk.call("backup_instances.begin_resume_backups", group, vault_name, walk.name)


def test_a_deleted_instance_is_soft_deleted_and_undeleted(walk: Walk) -> None:
    approved(walk, "backup_instances.begin_delete", *walk.place, walk.name)
    deleted = sound(walk.call("deleted_backup_instances.get", *walk.place, walk.name))
    assert deleted.properties.current_protection_state == "SoftDeleted"
    assert deleted.properties.deletion_info.scheduled_purge_time > deleted.properties.deletion_info.deletion_time
    listed = sound(walk.call("deleted_backup_instances.list", *walk.place))
    assert walk.name in {one.name for one in listed}
    assert walk.name not in {one.name for one in walk.call("backup_instances.list", *walk.place)}

    refusal = refused(walk, "backup_instances.begin_create_or_update", *walk.place, "anew", walk.instance())
    assert code_of(refusal) == "UserErrorDppDatasourceAlreadyProtected"
    assert "undelete" in str(refusal)

    walk.call("deleted_backup_instances.begin_undelete", *walk.place, walk.name)
    back = sound(walk.call("backup_instances.get", *walk.place, walk.name))
    assert back.properties.current_protection_state == "ProtectionStopped"
    walk.call("backup_instances.begin_resume_protection", *walk.place, walk.name)
    assert len(walk.call("recovery_points.list", *walk.place, walk.name)) == 1


MISSING = [
    ("backup_instances.get", ("nobody",), "UserErrorGenericResourceNotFound"),
    ("backup_instances.begin_stop_protection", ("nobody",), "UserErrorGenericResourceNotFound"),
    ("backup_policies.get", ("none",), "ResourceNotFound"),
    ("jobs.get", ("00000000-0000-0000-0000-000000000000",), "ResourceNotFound"),
    ("deleted_backup_instances.get", ("nobody",), "UserErrorGenericResourceNotFound"),
    ("deleted_backup_instances.begin_undelete", ("nobody",), "UserErrorGenericResourceNotFound"),
]


@pytest.mark.parametrize(("method", "names", "code"), MISSING, ids=[method for method, _, _ in MISSING])
def test_what_is_not_there_is_not_found(walk: Walk, method: str, names: tuple[str, ...], code: str) -> None:
    refusal = refused(walk, method, *walk.place, *names)
    assert (refusal.status_code, code_of(refusal)) == (404, code)


def test_a_failed_operation_raises_with_azures_code_and_a_remedy(walk: Walk) -> None:
    gone = walk.instance()
    assert gone.properties is not None
    gone.properties.data_source_info.resource_id = f"{walk.server_id}-gone"
    check = {"backupInstance": gone.properties}
    refusal = refused(walk, "backup_instances.begin_validate_for_backup", *walk.place, check)
    assert code_of(refusal) == "PostgreSQLFlexOperationFailedUserError"
    assert "hint" in str(refusal)
    order = walk.user.restore_order({"name": "0" * 32}, "nowhere")
    refusal = refused(walk, "backup_instances.begin_trigger_restore", *walk.place, walk.name, order)
    assert code_of(refusal) == "UserErrorRecoveryPointNotFound"


def test_deleting_what_is_not_there_ends_well(walk: Walk) -> None:
    assert walk.call("backup_instances.begin_delete", *walk.place, "nobody") is None


NO_MEANING = {
    "backup_vaults.begin_delete",
    "backup_instances.begin_trigger_rehydrate",
    "backup_instances.begin_trigger_cross_region_restore",
    "backup_instances.begin_validate_cross_region_restore",
    "export_jobs.begin_trigger",
    "export_jobs_operation_result.get",
    "fetch_secondary_recovery_points.list",
    "fetch_cross_region_restore_job.get",
    "fetch_cross_region_restore_jobs.list",
}


def has_no_meaning_here(method: str) -> bool:
    return method in NO_MEANING or method.startswith(("resource_guards.", "dpp_resource_guard_proxy."))


def test_what_has_no_meaning_here_is_refused_by_its_name(walk: Walk) -> None:
    group, vault_name = walk.place
    values: dict[str, Any] = {
        "resource_group_name": group,
        "vault_name": vault_name,
        "location": LOCATION,
        "backup_instance_name": walk.name,
        "parameters": {},
    }
    faults: list[str] = []
    for method, arguments in methods(walk.driver.client).items():
        if not has_no_meaning_here(method):
            continue
        known = [
            values.get(argument, "default")
            for argument in arguments
            if argument in values or "name" in argument or argument.endswith("_id")
        ]
        wanted = [
            argument
            for argument in arguments
            if not argument.startswith("x_ms") and argument not in {"filter", "skip_token"}
        ]
        assert len(known) == len(wanted), method
        try:
            found = walk.call(method, *known)
        except HttpResponseError as refusal:
            if refusal.error is None or not refusal.error.code or refusal.status_code not in {400, 404}:
                faults.append(f"{method}: {refusal}")
        else:
            if found != []:
                faults.append(f"{method}: answered {found}")
    assert faults == []


def test_every_method_of_the_sdk_was_walked(walk: Walk) -> None:
    assert set(methods(walk.driver.client)) - walk.driver.called == set()
