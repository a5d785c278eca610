"""What cannot work is refused with Azure Backup's code, the object and the remedy, and leaves nothing behind."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from local_cloud.launch import VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e import bodies
from tests.e2e.accounts import Accounts
from tests.e2e.owner import Owner
from tests.e2e.user import User

FAILED = "PostgreSQLFlexOperationFailedUserError"


@pytest.fixture(scope="module")
def point(user: User, protected: str) -> dict[str, Any]:
    """A recovery point of the protected server."""
    return user.new_point(protected)


@pytest.fixture
def leaves_nothing_behind(
    point: dict[str, Any], user: User, vault: VaultHost, accounts: Accounts, owner: Owner
) -> Iterator[None]:
    """Everything that is kept of policies, instances and jobs is after the test as it was before."""

    def look() -> dict[str, Any]:
        return {
            "policies": user.get("/backupPolicies"),
            "instances": user.get("/backupInstances"),
            "jobs": user.jobs(),
            "rows": [[dict(row) for row in accounts.rows(table)] for table in ("config", "jobs", "points")],
            # A root is due once a day, whatever was asked.
            "journal": [name for name in accounts.names("vault", "journal") if not name.startswith("roots/")],
            "landing": accounts.containers("landing"),
            "restored": accounts.names("restore", RESTORE_CONTAINER),
            "roles": owner.granted(vault.place.servers_group_id),
            "backups": vault.accepted_backups(),
        }

    before = look()
    yield
    assert look() == before


@pytest.fixture
def change_server(user: User, owner: Owner) -> Iterator[Callable[[Mapping[str, Any]], str]]:
    """Change what ARM shows of the server that is not protected; the end of the test makes it ordinary again."""
    server_id = user.servers["pg-billing"]

    def change(changes: Mapping[str, Any]) -> str:
        owner.change_server(server_id, **changes)
        return server_id

    yield change
    owner.change_server(server_id, state="Ready", replicationRole="Primary", storageSizeGB=32)


def require_refusal(answer: httpx.Response, status: int, code: str, *words: str) -> dict[str, Any]:
    """The answer is an ARM error of this code that says each of the words; answers it."""
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert (error["code"], answer.headers["x-ms-error-code"]) == (code, code)
    text = f"{error['message']} {remedy_of(error)}"
    assert [word for word in words if word not in text] == [], text
    return error


def remedy_of(error: Mapping[str, Any]) -> str:
    (info,) = error["additionalInfo"]
    return " ".join(info["info"]["recommendedAction"])


def validate(user: User, server_id: str) -> dict[str, Any]:
    """Validate a server; answers how the operation ended."""
    body = {"backupInstance": bodies.instance(user.vault_id, server_id, "daily")}
    return user.finish(user.send("POST", "/validateForBackup", body))


def test_a_policy_with_a_wrong_interval_names_the_interval(user: User, leaves_nothing_behind: None) -> None:
    answer = user.send("PUT", "/backupPolicies/half-hourly", bodies.policy(period="PT30M"))
    error = require_refusal(answer, 400, "BMSUserErrorInvalidInput", "repeatingTimeIntervals[0]", "PT30M", "P1D")
    (detail,) = error["details"]
    assert detail["code"] == "BMSUserErrorDPPBackupPolicyBackupFrequencyNotMatchingRule"
    assert detail["target"].endswith("schedule.repeatingTimeIntervals[0]")


def test_an_unknown_server_is_named(user: User, leaves_nothing_behind: None) -> None:
    server_id = user.servers["pg-billing"].replace("pg-billing", "pg-nobody")
    error = require_refusal(user.put_instance(server_id, "daily"), 400, FAILED, server_id, "does not exist", "check")
    assert error["additionalInfo"][0]["info"]["innerError"]["code"] == "ResourceNotFound"
    assert validate(user, server_id)["error"]["code"] == FAILED


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        pytest.param(
            {"replicationRole": "AsyncReplica"},
            "UserErrorReplicaServerNotSupported",
            ("pg-billing", "AsyncReplica", "protect the primary server"),
            id="a-replica",
        ),
        pytest.param(
            {"state": "Stopped"}, FAILED, ("pg-billing", "Stopped", "az postgres flexible-server start"), id="stopped"
        ),
        pytest.param({"state": "Updating"}, FAILED, ("pg-billing", "Updating", "wait until"), id="changing"),
    ],
)
def test_a_server_that_cannot_be_backed_up_is_refused(
    changes: Mapping[str, Any],
    code: str,
    words: tuple[str, ...],
    *,
    user: User,
    change_server: Callable[[Mapping[str, Any]], str],
    leaves_nothing_behind: None,
) -> None:
    server_id = change_server(changes)
    require_refusal(user.put_instance(server_id, "daily"), 400, code, *words)
    ended = validate(user, server_id)
    assert (ended["status"], ended["error"]["code"]) == ("Failed", code)


def test_a_second_configuration_of_a_server_is_refused(user: User, leaves_nothing_behind: None) -> None:
    server_id = user.servers["pg-orders"]
    answer = user.put_instance(server_id, "daily", name="another-name")
    code = "UserErrorDppDatasourceAlreadyProtected"
    require_refusal(
        answer, 400, code, server_id, "by the backup instance 'pg-orders-", "use the instance that is there"
    )
    body = {"backupInstance": bodies.instance(user.vault_id, server_id, "daily")}
    require_refusal(user.send("POST", "/validateForBackup", body), 400, code, server_id)


def test_a_policy_that_the_vault_does_not_have_is_named(user: User, leaves_nothing_behind: None) -> None:
    answer = user.put_instance(user.servers["pg-billing"], "weekly")
    require_refusal(answer, 400, "ResourceNotFound", "weekly", "create this one with PUT")


def test_a_target_container_that_does_not_exist_is_named(
    point: dict[str, Any], user: User, protected: str, leaves_nothing_behind: None
) -> None:
    order = user.restore_order(point, "nowhere")
    details = order["restoreTargetInfo"]["targetDetails"]
    details["url"] = details["url"].replace(RESTORE_CONTAINER, "nowhere")
    answer = user.send("POST", f"{protected}/restore", order)
    require_refusal(answer, 400, "ContainerNotFound", details["url"], "create the container")
    ended = user.finish(user.send("POST", f"{protected}/validateRestore", {"restoreRequestObject": order}))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "ContainerNotFound")


def test_a_target_that_holds_files_of_the_prefix_is_refused(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts, request: pytest.FixtureRequest
) -> None:
    accounts.write("restore", RESTORE_CONTAINER, "taken_roles.sql", b"somebody's")
    request.getfixturevalue("leaves_nothing_behind")
    order = user.restore_order(point, "taken")
    answer = user.send("POST", f"{protected}/restore", order)
    require_refusal(answer, 400, "UserErrorTargetFilesExist", "taken_roles.sql", "another filePrefix")
    ended = user.finish(user.send("POST", f"{protected}/validateRestore", {"restoreRequestObject": order}))
    assert (ended["status"], ended["error"]["code"]) == ("Failed", "UserErrorTargetFilesExist")


def test_a_target_in_the_vaults_own_account_is_refused(
    point: dict[str, Any], user: User, vault: VaultHost, protected: str, leaves_nothing_behind: None
) -> None:
    order = user.restore_order(point, "own")
    own = f"{vault.endpoints['storage']['vault']['blobEndpoint']}/points"
    order["restoreTargetInfo"]["targetDetails"]["url"] = own
    answer = user.send("POST", f"{protected}/restore", order)
    require_refusal(answer, 400, "UserErrorRestoreTargetOutside", own, "a container of your own")


def warnings_of(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(entry["warning"]["code"], entry["warning"]["message"]) for entry in shown["warningDetails"]]


def test_a_server_over_one_tebibyte_is_protected_with_a_warning(
    user: User, change_server: Callable[[Mapping[str, Any]], str]
) -> None:
    server_id = change_server({"storageSizeGB": 2048})
    validated = validate(user, server_id)
    instance = user.protect("pg-billing", "daily")
    configured = user.job(user.jobs("Management")[0]["name"])
    job = user.good_end_of(user.back_up(instance))

    assert validated["status"] == "Succeeded"
    (warning,) = warnings_of(validated["properties"])
    assert warning[0] == "ServerLargerThanSupported"
    assert [word for word in ("pg-billing", "2048 GiB", "1 TiB") if word not in warning[1]] == []
    assert warnings_of(configured["extendedInfo"]) == [warning]
    assert warnings_of(job["extendedInfo"]) == [warning]
    assert (configured["status"], job["status"]) == ("CompletedWithWarnings", "CompletedWithWarnings")
