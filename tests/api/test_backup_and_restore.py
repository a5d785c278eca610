"""Back up now and restore: the job is the answer, and a repetition meets the first one's."""

from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.errors import TransientError
from tests.api.doors import (
    CONTAINER_URL,
    INSTANCE,
    SUBSCRIPTION_SCOPE,
    VAULT_ID,
    Door,
    Sent,
    backup_body,
    restore_body,
)
from tests.builders import backup_files, tiny_archive

MINE = {"x-ms-client-request-id": "mine"}


@pytest.fixture
def door() -> Door:
    door = Door()
    door.protect()
    door.make_target()
    return door


def back_up(door: Door, body: Any = None, headers: dict[str, str] | None = None) -> Sent:
    return door.send("POST", f"{INSTANCE}/backup", body or backup_body(), person="operator", headers=headers)


def job_of(door: Door, accepted: Sent) -> dict[str, Any]:
    return door.send("GET", door.result(accepted).json["jobId"]).json["properties"]


def a_point(door: Door) -> str:
    back_up(door)
    door.run_jobs()
    return door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]


def test_a_backup_is_accepted_and_its_operation_ends_with_the_job_row(door: Door) -> None:
    accepted = back_up(door)
    assert (accepted.status, accepted.body, accepted.header("Retry-After")) == (202, b"", "30")
    assert door.follow(accepted)["status"] == "Succeeded"
    result = door.result(accepted).json
    assert result["objectType"] == "OperationJobExtendedInfo"
    assert result["jobId"].startswith(f"{VAULT_ID}/backupJobs/")
    assert door.follow(accepted)["properties"] == result
    assert job_of(door, accepted)["status"] == "InProgress"
    assert door.begun[-1] == door.world.open_jobs()[0].key


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(backup_body("BackupDaily"), id="the backup rule"),
        pytest.param(backup_body("Default"), id="the retention rule"),
        pytest.param(backup_body("default"), id="in another case"),
        pytest.param(backup_body("BackupDaily", "Default"), id="with a tag"),
        pytest.param(backup_body("BackupDaily", ""), id="with an empty tag"),
        pytest.param({"backupRuleOptions": {"ruleName": "Default"}}, id="without options"),
        pytest.param({"backupRuleOptions": {"ruleName": "Default", "triggerOption": None}}, id="with null options"),
        pytest.param({"BackupRuleOptions": {"RULENAME": "Default"}}, id="members in another case"),
    ],
)
def test_whatever_names_a_rule_is_accepted(door: Door, body: dict[str, Any]) -> None:
    assert back_up(door, body).status == 202


@pytest.mark.parametrize(
    ("body", "target"),
    [
        pytest.param({"x": 1}, "backupRuleOptions", id="no options"),
        pytest.param({"backupRuleOptions": {}}, "backupRuleOptions.ruleName", id="no rule"),
        pytest.param(backup_body("BackupYearly"), "backupRuleOptions.ruleName", id="unknown rule"),
        pytest.param(backup_body("Default", "Yearly"), "backupRuleOptions.triggerOption.retentionTagOverride", id="unknown tag"),
        pytest.param({"backupRuleOptions": {"ruleName": "Default", "triggerOption": 5}}, "backupRuleOptions.triggerOption", id="option is a number"),
    ],
)  # fmt: skip
def test_a_wrong_backup_request_is_400_and_leaves_no_job(door: Door, body: dict[str, Any], target: str) -> None:
    before = len(door.world.jobs())
    refused = back_up(door, body)
    assert (refused.status, refused.error["code"]) == (400, "BMSUserErrorInvalidInput")
    assert target in {refused.error["target"], *(detail["target"] for detail in refused.error["details"])}
    assert len(door.world.jobs()) == before


def test_a_second_backup_at_the_same_time_is_a_conflict(door: Door) -> None:
    back_up(door)
    refused = back_up(door)
    assert (refused.status, refused.error["code"]) == (409, "UserErrorMaxConcurrentOperationLimitReached")


def test_the_sdks_own_repetition_gets_the_first_answer(door: Door) -> None:
    first = back_up(door, headers=MINE)
    again = back_up(door, headers=MINE)
    assert (again.status, again.header("Location")) == (202, first.header("Location"))
    assert len(door.world.open_jobs()) == 1
    assert len(door.begun) == 2, "protection and one backup"


def test_a_repetition_after_a_lost_answer_finds_the_job(door: Door) -> None:
    door.world.memory.faults.run_next("rows.apply", lambda: None)
    door.world.memory.faults.fail_next("rows.apply", TransientError("away"))
    assert back_up(door, headers=MINE).status == 503
    accepted = back_up(door, headers=MINE)
    assert accepted.status == 202
    assert job_of(door, accepted)["status"] == "InProgress"
    assert len(door.world.open_jobs()) == 1


def test_another_request_id_is_another_backup(door: Door) -> None:
    first = back_up(door, headers=MINE)
    door.run_jobs()
    second = back_up(door, headers={"x-ms-client-request-id": "another"})
    assert (second.status, second.header("Location") == first.header("Location")) == (202, False)


def test_a_backup_of_an_unknown_instance_is_404(door: Door) -> None:
    missing = door.send("POST", f"{INSTANCE}x/backup", backup_body())
    assert (missing.status, missing.error["code"]) == (404, "UserErrorGenericResourceNotFound")


def test_a_backup_before_protection_is_configured_is_400() -> None:
    door = Door()
    door.world.memory.roles.may_grant = False
    door.protect()
    refused = back_up(door)
    assert (refused.status, refused.error["code"]) == (400, "UserErrorBackupInstanceNotProtected")


# Restore -------------------------------------------------------------------------------------------------------------


def restore(door: Door, body: Any, headers: dict[str, str] | None = None) -> Sent:
    return door.send("POST", f"{INSTANCE}/restore", body, person="operator", headers=headers)


def test_a_restore_is_followed_to_its_job(door: Door) -> None:
    point = a_point(door)
    accepted = restore(door, restore_body(point))
    assert accepted.status == 202
    running = job_of(door, accepted)
    assert (running["status"], running["endTime"], running["duration"]) == ("InProgress", None, "PT0S")
    assert running["supportedActions"] == [""]
    assert running["extendedInfo"]["subTasks"][0]["taskStatus"] == "InProgress"
    door.run_jobs()
    done = job_of(door, accepted)
    assert (done["status"], done["operation"], done["operationCategory"]) == ("Completed", "Restore", "Restore")
    assert done["supportedActions"] == []
    info = done["extendedInfo"]
    assert info["recoveryDestination"] == CONTAINER_URL
    assert info["additionalDetails"] == {"Restore File Prefix": "restored"}
    assert info["sourceRecoverPoint"] == {
        "recoveryPointID": point,
        "recoveryPointTime": "2026-01-05T00:00:00.0000000Z",
    }
    names = [blob.name for blob in door.world.memory.ports.restore_target.list_blobs(CONTAINER_URL, "restored_")]
    assert any(name.endswith("_database_orders.sql") for name in names)


def test_a_restore_of_chosen_databases_says_which(door: Door) -> None:
    files = backup_files(orders=tiny_archive(), billing=tiny_archive("billing"))
    door.world.memory.ltr.script = LtrScript(files=files)
    accepted = restore(door, changed(a_point(door), TARGET, "databases", value=["billing"]))
    door.run_jobs()
    done = job_of(door, accepted)
    assert done["status"] == "Completed"
    assert done["extendedInfo"]["additionalDetails"] == {"Restore File Prefix": "restored", "Databases": '["billing"]'}
    names = [blob.name for blob in door.world.memory.ports.restore_target.list_blobs(CONTAINER_URL, "restored_data")]
    assert names == ["restored_database_billing.sql"]


def test_a_choice_that_cannot_be_used_is_named(door: Door) -> None:
    point = a_point(door)
    refused = restore(door, changed(point, TARGET, "databases", value=["orders", "nope"]))
    assert refused.error["target"] == "restoreTargetInfo.databases"
    assert refused.error["message"] == f"recovery point {point} has no database 'nope'; it has 'orders'"
    [action] = refused.error["additionalInfo"][0]["info"]["recommendedAction"]
    assert "contents" in action
    refused = restore(door, changed(point, TARGET, "objectType", value="itemLevelRestoreTargetInfo"))
    assert "by its member 'databases'" in refused.error["message"]


def test_a_repeated_restore_gets_the_first_answer_although_its_files_are_there(door: Door) -> None:
    point = a_point(door)
    first = restore(door, restore_body(point), MINE)
    door.run_jobs()
    again = restore(door, restore_body(point), MINE)
    assert (again.status, again.header("Location")) == (202, first.header("Location"))


def test_a_target_that_holds_files_of_the_prefix_is_refused(door: Door) -> None:
    point = a_point(door)
    restore(door, restore_body(point))
    door.run_jobs()
    refused = restore(door, restore_body(point))
    assert (refused.status, refused.error["code"]) == (400, "UserErrorTargetFilesExist")
    assert "restored_" in refused.error["message"]


def changed(point: str, *path: str, value: Any) -> dict[str, Any]:
    body = restore_body(point)
    node = body
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return body


TARGET = "restoreTargetInfo"


@pytest.mark.parametrize(
    ("path", "value", "status", "code"),
    [
        pytest.param(["objectType"], "AzureBackupRecoveryTimeBasedRestoreRequest", 400, "BMSUserErrorInvalidInput", id="by time"),
        pytest.param(["objectType"], "AzureBackupRestoreWithRehydrationRequest", 400, "BMSUserErrorInvalidInput", id="from the archive"),
        pytest.param(["sourceDataStoreType"], "ArchiveStore", 400, "BMSUserErrorInvalidInput", id="archive store"),
        pytest.param(["recoveryPointId"], None, 400, "BMSUserErrorInvalidInput", id="no point"),
        pytest.param(["recoveryPointId"], "f" * 32, 400, "UserErrorRecoveryPointNotFound", id="unknown point"),
        pytest.param(["recoveryPointId"], "a/b#c?d", 400, "UserErrorRecoveryPointNotFound", id="point that no key can hold"),
        pytest.param([TARGET], None, 400, "BMSUserErrorInvalidInput", id="no target"),
        pytest.param([TARGET, "objectType"], "ItemLevelRestoreTargetInfo", 400, "BMSUserErrorInvalidInput", id="Azure's choice of items, which has no container"),
        pytest.param([TARGET, "databases"], [], 400, "BMSUserErrorInvalidInput", id="an empty choice"),
        pytest.param([TARGET, "databases"], "orders", 400, "BMSUserErrorInvalidInput", id="a name for a list"),
        pytest.param([TARGET, "databases"], {"orders": True}, 400, "BMSUserErrorInvalidInput", id="an object for a list"),
        pytest.param([TARGET, "databases"], ["orders", 5], 400, "BMSUserErrorInvalidInput", id="a number for a name"),
        pytest.param([TARGET, "databases"], ["orders", None], 400, "BMSUserErrorInvalidInput", id="null for a name"),
        pytest.param([TARGET, "databases"], ["orders", ""], 400, "BMSUserErrorInvalidInput", id="an empty name"),
        pytest.param([TARGET, "databases"], ["orders", "orders"], 400, "BMSUserErrorInvalidInput", id="a name twice"),
        pytest.param([TARGET, "databases"], ["Orders"], 400, "BMSUserErrorInvalidInput", id="a name in another case"),
        pytest.param([TARGET, "databases"], ["orders", "_roles.sql"], 400, "BMSUserErrorInvalidInput", id="a file that is no database"),
        pytest.param([TARGET, "databases"], [f"d{n}" for n in range(65)], 400, "BMSUserErrorInvalidInput", id="more names than a job holds"),
        pytest.param([TARGET, "objectType"], "RestoreTargetInfo", 400, "BMSUserErrorInvalidInput", id="restore as server"),
        pytest.param([TARGET, "recoveryOption"], "Overwrite", 400, "BMSUserErrorInvalidInput", id="overwrite"),
        pytest.param([TARGET, "targetDetails", "restoreTargetLocationType"], "AzureFiles", 400, "BMSUserErrorInvalidInput", id="a file share"),
        pytest.param([TARGET, "targetDetails", "filePrefix"], "", 400, "BMSUserErrorInvalidInput", id="no prefix"),
        pytest.param([TARGET, "targetDetails", "url"], f"{CONTAINER_URL}?sv=1&sig=PLANTED", 400, "BMSUserErrorInvalidInput", id="a SAS"),
        pytest.param([TARGET, "targetDetails", "url"], "https://restore.example/missing", 400, "ContainerNotFound", id="missing container"),
        pytest.param([TARGET, "targetDetails", "url"], "https://elsewhere.example/target", 403, "UserErrorRestoreTargetOutside", id="outside"),
        pytest.param([TARGET, "targetDetails", "targetResourceArmId"], "/subscriptions/../x", 400, "BMSUserErrorInvalidInput", id="no ARM id"),
    ],
)  # fmt: skip
def test_a_wrong_restore_request_is_refused_and_leaves_no_job(
    door: Door, path: list[str], value: Any, status: int, code: str
) -> None:
    point = a_point(door)
    before = len(door.world.jobs())
    refused = restore(door, changed(point, *path, value=value))
    assert (refused.status, refused.error["code"]) == (status, code)
    assert "PLANTED" not in refused.body.decode()
    assert len(door.world.jobs()) == before


def test_a_tampered_manifest_is_refused_loudly(door: Door) -> None:
    point = a_point(door)
    storage = door.world.memory.storage
    (manifest,) = storage.list_blobs("vault", "manifests")
    storage.spoil("vault", "manifests", manifest.name, storage.read("vault", "manifests", manifest.name) + b" ")
    refused = restore(door, restore_body(point))
    assert (refused.status, refused.error["code"]) == (409, "ManifestDiffers")


def test_an_operation_is_found_only_where_it_belongs(door: Door) -> None:
    operation = back_up(door).header("Location").partition("?")[0].rpartition("/")[2]
    found = [
        f"{SUBSCRIPTION_SCOPE}/locations/East US/operationStatus/{operation}",
        f"{SUBSCRIPTION_SCOPE}/locations/eastus/operationResults/{operation.upper()}",
        f"{VAULT_ID}/operationStatus/{operation}",
        f"{VAULT_ID}/operationResults/{operation}",
        f"{VAULT_ID.rpartition('/backupVaults')[0]}/operationStatus/{operation}",
        f"{INSTANCE}/operationResults/{operation}",
    ]
    missing = [
        f"{SUBSCRIPTION_SCOPE}/locations/westus/operationStatus/{operation}",
        f"{INSTANCE}x/operationResults/{operation}",
        f"{VAULT_ID}/operationStatus/Z3VpZDtndWlk==",
    ]
    assert [door.send("GET", path).status for path in found] == [200] * 6
    assert [door.send("GET", path).status for path in missing] == [404] * 3
