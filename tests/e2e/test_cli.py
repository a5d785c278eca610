"""The `flexvault` command drives a running vault."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flexvault_cli.main import run

from local_cloud.launch import VaultHost
from local_cloud.services import ROOT
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e import bodies
from tests.e2e.accounts import Accounts
from tests.e2e.owner import Owner

LONGEST_PAUSE_SECONDS = 0.3
SERVER = "pg-billing"

type Flexvault = Callable[..., int]


@pytest.fixture(scope="module")
def endpoints_file(vault: VaultHost, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cli") / "endpoints.json"
    file.write_text(json.dumps(vault.endpoints))
    return file


@pytest.fixture
def flexvault(endpoints_file: Path) -> Flexvault:
    """Runs the command as a person, less patiently than people are, and answers its exit status."""

    def command(*words: str, person: str = "contributor") -> int:
        arguments = [*words, "--endpoints", str(endpoints_file), "--as", person]
        return run(arguments, environ={}, sleep=lambda seconds: time.sleep(min(seconds, LONGEST_PAUSE_SECONDS)))

    return command


def test_a_server_is_protected_backed_up_and_restored_from_the_command_line(
    flexvault: Flexvault, vault: VaultHost, accounts: Accounts, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "daily.json"
    policy.write_text(json.dumps(bodies.policy()))
    assert flexvault("policy", "set", str(policy)) == 0
    server_id = vault.endpoints["servers"][SERVER]["resourceId"]
    assert flexvault("instance", "protect", server_id, "--policy", "daily") == 0, capsys.readouterr().err
    assert flexvault("backup", SERVER, "--wait", person="operator") == 0, capsys.readouterr().err

    capsys.readouterr()
    assert flexvault("point", "list", SERVER, "--output", "json", person="reader") == 0
    (point,) = json.loads(capsys.readouterr().out)
    account = vault.endpoints["storage"]["restore"]
    url = f"{account['blobEndpoint']}/{RESTORE_CONTAINER}"
    words = ["restore", SERVER, point["name"], "--container", url, "--prefix", "night", "--wait"]
    assert flexvault(*words, "--container-id", account["resourceId"], person="operator") == 0, capsys.readouterr().err
    assert "night_rebuild/rebuild.pyz" in accounts.names("restore", RESTORE_CONTAINER, "night_")

    assert flexvault(*words, "--container-id", account["resourceId"], person="operator") == 1
    refusal = capsys.readouterr().err
    assert "UserErrorTargetFilesExist" in refusal
    assert "another filePrefix" in refusal


def test_a_folder_is_applied_once(flexvault: Flexvault, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = shutil.copytree(ROOT / "cli/sample", tmp_path / "sample")
    policy = {"name": "sampled", **bodies.policy()}
    (sample / "policies/daily.json").write_text(json.dumps(policy))
    instance = json.loads((sample / "instances/pg-orders.json").read_text())
    instance["properties"]["policyInfo"]["policyId"] = "sampled"
    (sample / "instances/pg-orders.json").write_text(json.dumps(instance))
    assert flexvault("apply", str(sample), "--dry-run", person="reader") == 3
    assert flexvault("apply", str(sample)) == 0, capsys.readouterr()
    assert flexvault("apply", str(sample), "--dry-run", person="reader") == 0, capsys.readouterr().out

    (sample / "policies/daily.json").write_text(json.dumps({**policy, **bodies.policy(keep_for="P4M")}))
    assert flexvault("apply", str(sample)) == 0, capsys.readouterr()
    capsys.readouterr()
    assert flexvault("policy", "show", "sampled", person="reader") == 0
    assert "P4M" in capsys.readouterr().out


def test_the_doctor_names_what_the_owner_changed(
    flexvault: Flexvault, owner: Owner, vault: VaultHost, capsys: pytest.CaptureFixture[str]
) -> None:
    server_id = vault.endpoints["servers"]["pg-orders"]["resourceId"]
    theirs = f"{vault.place.servers_group_id}/providers/Microsoft.DataProtection/backupVaults/v/backupInstances/b"
    assert flexvault("doctor", "--server", "pg-orders", person="reader") == 0
    assert "not checkable from ARM: LargeByteaValues" in capsys.readouterr().out

    owner.change_server(server_id, azureBackupInstances=[{"id": theirs}], storageType="PremiumV2_LRS")
    assert flexvault("doctor", "--server", "pg-orders", person="reader") == 1
    shown, error = capsys.readouterr()
    owner.change_server(server_id, azureBackupInstances=[], storageType=None)

    assert ("UserErrorStorageTypeNotSupported" in shown, theirs in shown) == (True, True)
    assert "recommended: move the data to a server with Premium SSD storage" in error


def test_a_person_with_too_small_a_role_is_told_which_one_is_needed(
    flexvault: Flexvault, capsys: pytest.CaptureFixture[str]
) -> None:
    assert flexvault("policy", "delete", "weekly", person="reader") == 1
    assert "Backup.Contributor" in capsys.readouterr().err


def test_the_command_is_a_program_of_its_own(endpoints_file: Path, vault: VaultHost) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "flexvault_cli", "vault", "show", "--endpoints", str(endpoints_file), "--as", "reader"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "cli")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert vault.place.name in ended.stdout
