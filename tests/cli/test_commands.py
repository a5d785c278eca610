"""What each command asks of the vault and shows to its user."""

import json
import re
from pathlib import Path

import httpx
import pytest

from flexvault.domain.policy import parse_policy
from tests.cli.conftest import Flexvault
from tests.cli.fake_vault import (
    API_URL,
    JOB_ID,
    POINT_ID,
    SERVER_ID,
    VAULT_ID,
    FakeVault,
    a_job,
    a_policy,
    an_instance,
    refuse,
)

CLI = Path(__file__).parents[2] / "cli"
CONTAINER = "https://restores.blob.core.windows.net/orders"
type Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param("vault show", ["flexvault", "eastus", VAULT_ID], id="vault"),
        pytest.param("policy list", ["daily", "R/2026-11-01T02:00:00+00:00/P1D", "Default P3M"], id="policies"),
        pytest.param("policy show daily", ["daily", "Default P3M"], id="policy"),
        pytest.param("instance list", ["pg-orders-1", "daily", "ProtectionConfigured"], id="instances"),
        pytest.param("instance show pg-orders", ["pg-orders-1", SERVER_ID], id="instance by its server"),
        pytest.param("job list", [JOB_ID, "Backup", "Completed"], id="jobs"),
        pytest.param(f"job show {JOB_ID}", [JOB_ID, "2026-11-25T02:00:00Z"], id="job"),
        pytest.param("point list pg-orders-1", [POINT_ID, "2026-11-25T02:03:00Z", "Default"], id="points"),
        pytest.param(f"point show pg-orders-1 {POINT_ID}", [POINT_ID, "2026-11-25T02:03:00Z"], id="point"),
    ],
)
def test_a_table_shows_what_the_vault_holds(words: str, shown: list[str], flexvault: Flexvault, capsys: Captured):
    assert flexvault(*words.split()) == 0
    printed = capsys.readouterr().out
    assert [text for text in shown if text not in printed] == []


@pytest.mark.parametrize("words", ["job list", "--output table job list"])
def test_json_is_the_vaults_own(words: str, flexvault: Flexvault, capsys: Captured):
    assert flexvault(*words.split(), "--output", "json") == 0
    assert json.loads(capsys.readouterr().out) == [a_job()]


def test_every_page_of_a_list_is_read(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    first = {"value": [a_policy("weekly")], "nextLink": f"{API_URL}{VAULT_ID}/backupPolicies?page=2"}
    vault.answer_once("GET", "backupPolicies", lambda _: httpx.Response(200, json=first))
    assert flexvault("policy", "list", "--output", "json") == 0
    assert [policy["name"] for policy in json.loads(capsys.readouterr().out)] == ["weekly", "daily"]


def test_square_brackets_in_a_message_are_shown(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    vault.jobs = [a_job("CompletedWithWarnings", extendedInfo={"warningDetails": [{"warning": {"message": "[red]"}}]})]
    assert flexvault("job", "show", JOB_ID) == 0
    assert "[red]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("document", "arguments", "name"),
    [
        pytest.param(a_policy("weekly"), [], "weekly", id="a resource with its name"),
        pytest.param(a_policy("weekly"), ["--name", "monthly"], "monthly", id="another name"),
        pytest.param(a_policy("")["properties"], [], "policy", id="properties alone: the file's name"),
    ],
)
def test_a_policy_is_set_from_a_file(
    *,
    document: dict[str, object],
    arguments: list[str],
    name: str,
    vault: FakeVault,
    flexvault: Flexvault,
    tmp_path: Path,
):
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document))
    assert flexvault("policy", "set", str(file), *arguments) == 0
    assert vault.sent("PUT") == [f"backupPolicies/{name}"]
    assert vault.body("PUT") == {"properties": a_policy("")["properties"]}


@pytest.mark.parametrize(
    ("name", "told"), [("daily", "policy daily is deleted\n"), ("gone", "there was no policy gone\n")]
)
def test_deleting_a_policy_says_whether_it_was_there(
    name: str, told: str, vault: FakeVault, flexvault: Flexvault, capsys: Captured
):
    assert flexvault("policy", "delete", name) == 0
    assert vault.sent("DELETE") == [f"backupPolicies/{name}"]
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("[]", "holds no JSON object", id="a list"),
        pytest.param('{"name": 5}', "the member name", id="a name that is no text"),
        pytest.param("{", "is no JSON", id="half a file"),
    ],
)
def test_a_policy_file_that_cannot_be_used_is_named(
    text: str, told: str, vault: FakeVault, flexvault: Flexvault, tmp_path: Path, capsys: Captured
):
    file = tmp_path / "policy.json"
    file.write_text(text)
    assert flexvault("policy", "set", str(file)) == 2
    assert (str(file) in (said := capsys.readouterr().err), told in said, vault.requests) == (True, True, [])


def test_the_policy_of_the_readme_is_the_file_beside_it_and_the_vault_understands_it(
    vault: FakeVault, flexvault: Flexvault
):
    [block] = re.findall(r"```json\n(.*?)```", (CLI / "README.md").read_text(), re.DOTALL)
    file = CLI / "daily.json"
    assert block == file.read_text()

    assert flexvault("policy", "set", str(file)) == 0

    assert vault.sent("PUT") == ["backupPolicies/daily"]
    policy = parse_policy(vault.body("PUT")["properties"])
    assert (policy.rule_name, dict(policy.retention)) == ("BackupDaily", {"Default": "P3M"})


def test_a_server_is_validated_before_it_is_protected(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    assert flexvault("instance", "protect", SERVER_ID, "--policy", "daily") == 0
    assert vault.sent("POST") == ["validateForBackup"]
    [path] = vault.sent("PUT")
    assert path.startswith("backupInstances/pg-orders-pg-orders-")
    properties = vault.body("PUT")["properties"]
    assert properties == vault.body("POST")["backupInstance"]
    assert properties["policyInfo"] == {"policyId": f"{VAULT_ID}/backupPolicies/daily"}
    assert properties["dataSourceInfo"]["resourceID"] == SERVER_ID
    assert properties["dataSourceInfo"]["resourceLocation"] == "eastus"
    assert SERVER_ID in capsys.readouterr().out


def test_a_server_that_cannot_be_protected_is_not_tried(vault: FakeVault, flexvault: Flexvault):
    replica = refuse(400, "UserErrorReplicaServerNotSupported", "it is a replica")
    vault.answer_once("POST", "validateForBackup", lambda _request: replica)
    assert flexvault("instance", "protect", SERVER_ID, "--policy", "daily") == 1
    assert vault.sent("PUT") == []


def test_a_protected_server_gets_another_policy_without_a_validation_that_its_own_protection_fails(
    vault: FakeVault, flexvault: Flexvault
):
    assert flexvault("instance", "protect", SERVER_ID, "--policy", "daily") == 0
    taken = refuse(400, "UserErrorDppDatasourceAlreadyProtected", "another instance protects it")
    vault.answer_once("POST", "validateForBackup", lambda _request: taken)

    assert flexvault("instance", "protect", SERVER_ID, "--policy", "weekly") == 0

    assert vault.sent("POST") == ["validateForBackup"]
    assert vault.body("PUT")["properties"]["policyInfo"] == {"policyId": f"{VAULT_ID}/backupPolicies/weekly"}


def test_what_is_no_server_id_is_refused_as_it_was_typed(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    assert flexvault("instance", "protect", "pg-billing", "--policy", "daily") == 2
    assert (
        "error: 'pg-billing' is no resource id of a server\nrecommended: give /subscriptions/"
        in capsys.readouterr().err
    )
    assert vault.sent("PUT") == []


def test_protection_that_cannot_be_configured_is_told(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    failed = an_instance()
    failed["properties"] |= {
        "currentProtectionState": "ConfiguringProtectionFailed",
        "protectionErrorDetails": {"code": "AuthorizationFailed", "message": "a role is missing"},
    }
    vault.answer_once("GET", "backupInstances/.*", lambda _: refuse(404, "ResourceNotFound", "it does not exist"))
    vault.answer_once("GET", "backupInstances/.*", lambda _: httpx.Response(200, json=failed))
    assert flexvault("instance", "protect", SERVER_ID, "--policy", "daily") == 1
    assert capsys.readouterr().err == "error: AuthorizationFailed: a role is missing\n"


def test_protecting_a_server_twice_means_the_same_instance(vault: FakeVault, flexvault: Flexvault):
    flexvault("instance", "protect", SERVER_ID, "--policy", "daily")
    flexvault("instance", "protect", SERVER_ID.replace("resourceGroups", "resourcegroups"), "--policy", "daily")
    first, second = vault.sent("PUT")
    assert first == second


def test_a_backup_takes_the_only_rule_of_the_policy(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    assert flexvault("backup", "pg-orders") == 0
    assert vault.sent("POST") == ["backupInstances/pg-orders-1/backup"]
    assert vault.body("POST") == {"backupRuleOptions": {"ruleName": "BackupDaily", "triggerOption": {}}}
    assert JOB_ID in capsys.readouterr().out


def test_rule_and_tag_of_a_backup_can_be_given(vault: FakeVault, flexvault: Flexvault):
    assert flexvault("backup", "pg-orders", "--rule", "BackupWeekly", "--tag", "Monthly") == 0
    options = {"ruleName": "BackupWeekly", "triggerOption": {"retentionTagOverride": "Monthly"}}
    assert vault.body("POST") == {"backupRuleOptions": options}


def test_waiting_ends_with_the_job_and_shows_each_change_once(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    tasks = {"subTasks": [{"taskId": 1, "taskName": "Trigger Backup", "taskStatus": "InProgress"}]}
    vault.jobs = [a_job("InProgress"), a_job("InProgress"), a_job("InProgress", extendedInfo=tasks), a_job("Completed")]
    assert flexvault("backup", "pg-orders", "--wait") == 0
    assert capsys.readouterr().err.splitlines() == [
        f"job {JOB_ID}: InProgress",
        f"job {JOB_ID}: InProgress; Trigger Backup InProgress",
        f"job {JOB_ID}: Completed",
    ]


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [("Completed", 0), ("CompletedWithWarnings", 0), ("Failed", 1), ("Cancelled", 1)],
)
def test_the_exit_status_of_waiting_is_the_jobs(status: str, exit_status: int, vault: FakeVault, flexvault: Flexvault):
    vault.jobs = [a_job(status)]
    assert flexvault("job", "show", JOB_ID, "--wait") == exit_status


def test_ctrl_c_while_waiting_names_the_job(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    vault.jobs = [a_job("InProgress"), a_job("InProgress")]

    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    vault.answer_once("GET", f"backupJobs/{JOB_ID}", interrupt)
    assert flexvault("job", "show", JOB_ID, "--wait") == 130
    assert capsys.readouterr().err.splitlines() == [
        f"error: interrupted; job {JOB_ID} goes on",
        f"recommended: see: flexvault job show {JOB_ID} --wait",
    ]


def test_job_and_instance_show_what_is_recommended(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    fault = {"code": "ServerNotReady", "message": "the server is stopped", "recommendedAction": ["start the server"]}
    vault.jobs = [a_job("Failed", errorDetails=[fault])]
    vault.resources["backupInstances/pg-orders-1"]["properties"]["protectionErrorDetails"] = fault
    for words in (f"job show {JOB_ID}", "instance show pg-orders"):
        assert flexvault(*words.split()) == 0
        assert [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("recommended")] == [
            ["recommended", "start", "the", "server"]
        ]


def test_a_failed_job_says_what_to_do(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    fault = {"code": "ServerNotReady", "message": "the server is stopped", "recommendedAction": ["start the server"]}
    vault.jobs = [a_job("Failed", errorDetails=[fault])]
    assert flexvault("backup", "pg-orders", "--wait") == 1
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "error: ServerNotReady: the server is stopped",
        "recommended: start the server",
    ]


def test_a_restore_is_validated_before_it_starts(vault: FakeVault, flexvault: Flexvault):
    arguments = ["--container", CONTAINER, "--prefix", "night", "--container-id", "/subscriptions/3/x", "--wait"]
    assert flexvault("restore", "pg-orders", POINT_ID, *arguments) == 0
    assert vault.sent("POST") == [
        "backupInstances/pg-orders-1/validateRestore",
        "backupInstances/pg-orders-1/restore",
    ]
    request = vault.body("POST")
    assert vault.body("POST", 0) == {"restoreRequestObject": request}
    assert request["recoveryPointId"] == POINT_ID
    assert request["restoreTargetInfo"]["targetDetails"] == {
        "filePrefix": "night",
        "restoreTargetLocationType": "AzureBlobs",
        "url": CONTAINER,
        "targetResourceArmId": "/subscriptions/3/x",
    }


@pytest.mark.parametrize(
    ("instances", "words", "told"),
    [
        pytest.param([], "backup pg-orders", "no backup instance is called pg-orders", id="none"),
        pytest.param(["a", "b"], "backup pg-orders", "recommended: give the name of one: a, b", id="several"),
    ],
)
def test_an_instance_must_be_named_without_doubt(
    *, instances: list[str], words: str, told: str, vault: FakeVault, flexvault: Flexvault, capsys: Captured
):
    del vault.resources["backupInstances/pg-orders-1"]
    vault.resources |= {f"backupInstances/{name}": an_instance(name) for name in instances}
    assert flexvault(*words.split()) == 1
    assert told in capsys.readouterr().err
    assert vault.sent("POST") == []


def test_a_verification_of_many_pages_is_told_as_one(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    wrong = {"code": "FileMissing", "severity": "Error", "subject": "points/a", "message": "gone"}
    pages = [
        {"continueFrom": "stream/vault", "findings": [wrong], "checked": {"files": 2}, "verdict": "Broken"},
        {"continueFrom": None, "findings": [wrong], "checked": {"files": 3}, "verdict": "Broken", "notChecked": []},
    ]
    asked: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, json=pages[len(asked) - 1])

    for _ in pages:
        vault.answer_once("POST", "vault/verify", answer)
    assert flexvault("vault", "verify", "--deep", "--output", "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert asked == [{"deep": True}, {"deep": True, "continueFrom": "stream/vault"}]
    assert (told["findings"], told["checked"], told["verdict"]) == ([wrong], {"files": 5}, "Broken")


def test_an_answer_without_a_verdict_proves_nothing(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    vault.answer_once("POST", "vault/verify", lambda _: httpx.Response(200, json={"findings": []}))
    assert flexvault("vault", "verify") == 1
    assert "verdict: NotProven" in capsys.readouterr().out


def test_a_restore_of_chosen_databases_names_them_in_the_check_and_in_the_request(
    vault: FakeVault, flexvault: Flexvault
):
    arguments = ["--container", CONTAINER, "--prefix", "night", "--database", "a, b", "--database", "orders"]
    assert flexvault("restore", "pg-orders", POINT_ID, *arguments) == 0
    for number in (0, 1):
        body = vault.body("POST", number)
        request = body.get("restoreRequestObject", body)
        assert request["restoreTargetInfo"]["databases"] == ["a, b", "orders"]


@pytest.mark.parametrize(
    ("packed", "why"),
    [(b"no zip", "not a zip file"), (b"PK\x05\x06" + b"\x00" * 18, "rebuild.pyz")],
    ids=["no archive", "an empty archive"],
)
def test_what_is_no_kit_is_not_written(
    *, packed: bytes, why: str, vault: FakeVault, flexvault: Flexvault, capsys: Captured, tmp_path: Path
):
    path = f"vault/backupInstances/pg-orders-1/recoveryPoints/{POINT_ID}/rebuildKit"
    vault.answer_once("GET", path, lambda _: httpx.Response(200, content=packed))
    assert flexvault("point", "kit", "pg-orders", POINT_ID, "--prefix", "night", "--folder", str(tmp_path)) == 1
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
