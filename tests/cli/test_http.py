"""How the command speaks HTTP: operations, waits, repeats, refusals, and who gets the token."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from flexvault_cli import __version__
from flexvault_cli.api import TRIES
from flexvault_cli.connection import Connection

from tests.cli.conftest import ENVIRON, Flexvault
from tests.cli.fake_vault import API_URL, VAULT_ID, FakeVault, Json, refuse

type Captured = pytest.CaptureFixture[str]


def busy(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(429, headers={"Retry-After": "11"})


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused", request=request)


def test_an_operation_is_followed_at_the_vaults_pace(vault: FakeVault, flexvault: Flexvault):
    vault.pending = ["Inprogress", "Inprogress"]
    assert flexvault("backup", "pg-orders") == 0
    assert vault.slept == [3, 7, 7]


def test_an_operation_with_a_location_alone_is_followed(vault: FakeVault, flexvault: Flexvault):
    headers = {"Location": vault.operation("Results"), "Retry-After": "4"}
    vault.answer_once("POST", ".*/backup", lambda _: httpx.Response(202, headers=headers))
    vault.answer_once("GET", ".*/operationResults/.*", lambda _: httpx.Response(202, headers=headers))
    assert flexvault("backup", "pg-orders") == 0
    assert vault.slept == [4]


def test_a_failed_operation_is_told(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    error = {"code": "UserErrorMissingRequiredPermissions", "message": "a role is missing"}
    status = httpx.Response(200, json={"status": "Failed", "error": error})
    vault.answer_once("GET", ".*/operationStatus/.*", lambda _: status)
    assert flexvault("backup", "pg-orders") == 1
    assert capsys.readouterr().err == "error: UserErrorMissingRequiredPermissions: a role is missing\n"


def test_every_request_names_version_and_token(vault: FakeVault, flexvault: Flexvault):
    flexvault("instance", "protect", "/subscriptions/2/x/pg-orders", "--policy", "daily")
    assert {request.headers["authorization"] for request in vault.requests} == {"Bearer token-of-operator"}
    assert {request.url.params["api-version"] for request in vault.requests} == {"2026-06-01"}


def test_a_busy_vault_is_asked_again_with_the_same_request_id(vault: FakeVault, flexvault: Flexvault):
    vault.answer_once("POST", ".*/backup", busy)
    assert flexvault("backup", "pg-orders") == 0
    ids = [request.headers["x-ms-client-request-id"] for request in vault.requests if request.method == "POST"]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert vault.slept[0] == 11


def test_a_vault_that_restarts_is_waited_for(vault: FakeVault, flexvault: Flexvault):
    vault.answer_once("GET", "", broken)
    assert flexvault("vault", "show") == 0


def test_a_vault_that_stays_away_ends_the_command(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    for _ in range(TRIES):
        vault.answer_once("GET", "", broken)
    assert flexvault("vault", "show") == 1
    assert capsys.readouterr().err.startswith(f"error: cannot reach {API_URL}: connection refused\nrecommended: ")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(
            refuse(403, "AuthorizationFailed", "Backup.Contributor is missing", "ask for the role"),
            "error: AuthorizationFailed: Backup.Contributor is missing\nrecommended: ask for the role\n",
            id="with an action",
        ),
        pytest.param(
            refuse(400, "UserErrorDppPolicyObjectInUse", "the policy is in use"),
            "error: UserErrorDppPolicyObjectInUse: the policy is in use\n",
            id="without one",
        ),
        pytest.param(
            httpx.Response(502, text="<html>bad gateway</html>"),
            f"error: GET {API_URL}{VAULT_ID}?api-version=2026-06-01 answered 502\n",
            id="not from the vault",
        ),
        pytest.param(
            httpx.Response(404),
            f"error: GET {API_URL}{VAULT_ID}?api-version=2026-06-01 answered 404\n"
            "recommended: check the vault's address: it ends in /api\n",
            id="of another address",
        ),
    ],
)
def test_a_refusal_is_told_with_code_message_and_action(
    answer: httpx.Response, told: str, vault: FakeVault, flexvault: Flexvault, capsys: Captured
):
    vault.answer_once("GET", "", lambda _: answer)
    assert flexvault("vault", "show") == 1
    assert capsys.readouterr().err == told


def test_the_token_is_shown_to_no_other_host(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    page: Json = {"value": [], "nextLink": "https://elsewhere.example/api"}
    vault.answer_once("GET", "backupJobs", lambda _: httpx.Response(200, json=page))
    assert flexvault("job", "list") == 1
    assert "another host" in capsys.readouterr().err
    assert {request.url.host for request in vault.requests} == {"127.0.0.1"}


def test_the_endpoints_file_gives_a_persons_token(vault: FakeVault, flexvault: Flexvault, tmp_path: Path):
    people = {"operator": "token-of-operator", "reader": "token-of-reader"}
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"api": API_URL, "people": people, "vaultResourceId": VAULT_ID}))
    assert flexvault("--endpoints", str(file), "vault", "show", environ={}) == 0
    assert flexvault("vault", "show", "--endpoints", str(file), "--as", "reader", environ={}) == 1
    assert [request.headers["authorization"] for request in vault.requests] == [
        "Bearer token-of-operator",
        "Bearer token-of-reader",
    ]


@pytest.mark.parametrize(
    ("environ", "arguments", "told"),
    [
        pytest.param({}, ["vault", "show"], "FLEXVAULT_API_URL, FLEXVAULT_TOKEN", id="nothing"),
        pytest.param({**ENVIRON, "FLEXVAULT_TOKEN": ""}, ["vault", "show"], "FLEXVAULT_TOKEN not set", id="no token"),
        pytest.param({}, ["--endpoints", "none.json", "vault", "show"], "none.json does not exist", id="no file"),
        pytest.param({}, ["--endpoints", "/", "vault", "show"], "cannot read /: Is a directory", id="a folder"),
        pytest.param(ENVIRON, ["policy", "set", "none.json"], "cannot read none.json", id="no policy file"),
    ],
)
def test_a_wrong_call_exits_with_2(
    *,
    environ: dict[str, str],
    arguments: list[str],
    told: str,
    flexvault: Flexvault,
    vault: FakeVault,
    capsys: Captured,
):
    assert flexvault(*arguments, environ=environ) == 2
    assert told in capsys.readouterr().err
    assert vault.requests == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "it is no JSON object"),
        ("{}", "it has no text 'api'"),
        ('{"api": "http://127.0.0.1", "people": [], "vaultResourceId": ""}', "it has no text 'people.operator'"),
        ("no json", "it is no JSON"),
    ],
)
def test_a_file_that_is_no_endpoints_file_is_named(
    *, text: str, reason: str, flexvault: Flexvault, tmp_path: Path, capsys: Captured
):
    file = tmp_path / "endpoints.json"
    file.write_text(text)
    assert flexvault("--endpoints", str(file), "vault", "show") == 2
    said = capsys.readouterr().err
    assert f"error: {file} is not an endpoints file: {reason}\nrecommended: give the file that make run writes" in said


def test_a_local_cloud_that_was_killed_is_told(
    flexvault: Flexvault, vault: FakeVault, tmp_path: Path, capsys: Captured
):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    file = tmp_path / "endpoints.json"
    people = {"operator": "token-of-operator"}
    known = {"api": API_URL, "people": people, "vaultResourceId": VAULT_ID, "pids": {"cloud": ended.pid}}
    file.write_text(json.dumps(known))
    assert flexvault("--endpoints", str(file), "vault", "show") == 1
    assert capsys.readouterr().err == (
        f"error: the local cloud of {file} (process {ended.pid}) is not running any more\n"
        "recommended: start it again with: make run\n"
    )
    assert vault.requests == []


def test_a_local_cloud_knows_its_servers_by_name(flexvault: Flexvault, vault: FakeVault, tmp_path: Path):
    people, servers = {"operator": "token-of-operator"}, {"pg-orders": {"resourceId": "/subscriptions/2/x/pg-orders"}}
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"api": API_URL, "people": people, "vaultResourceId": VAULT_ID, "servers": servers}))
    assert flexvault("--endpoints", str(file), "instance", "protect", "pg-orders", "--policy", "daily") == 0
    assert vault.body("PUT")["properties"]["dataSourceInfo"]["resourceID"] == "/subscriptions/2/x/pg-orders"


def test_the_version_is_the_packages(flexvault: Flexvault, capsys: Captured):
    with pytest.raises(SystemExit) as stopped:
        flexvault("--version")
    assert (stopped.value.code, capsys.readouterr().out) == (0, f"flexvault {__version__}\n")


def test_unknown_words_exit_with_2(flexvault: Flexvault, capsys: Captured):
    with pytest.raises(SystemExit) as stopped:
        flexvault("vault", "explode")
    assert stopped.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_a_connection_never_prints_its_token():
    assert "hidden" not in repr(Connection(api_url=API_URL, token="hidden", vault_id=VAULT_ID))
