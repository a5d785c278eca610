"""The `flexvault` command drives a running vault, as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local_cloud.launch import VaultHost
from local_cloud.services import ROOT
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e import bodies
from tests.e2e.accounts import Accounts

type Flexvault = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def flexvault(vault: VaultHost, tmp_path_factory: pytest.TempPathFactory) -> Flexvault:
    """Runs the command as the contributor and answers how it ended."""
    file = tmp_path_factory.mktemp("cli") / "endpoints.json"
    file.write_text(json.dumps(vault.endpoints))

    def run(*words: str, person: str = "contributor") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flexvault_cli", *words, "--endpoints", str(file), "--as", person],
            env={**os.environ, "PYTHONPATH": str(ROOT / "cli")},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def require_success(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_server_is_protected_backed_up_and_restored_from_the_command_line(
    flexvault: Flexvault, vault: VaultHost, accounts: Accounts, tmp_path: Path
) -> None:
    policy = tmp_path / "daily.json"
    policy.write_text(json.dumps(bodies.policy()))
    require_success(flexvault("policy", "set", str(policy)))
    server_id = vault.endpoints["servers"]["pg-orders"]["resourceId"]
    require_success(flexvault("instance", "protect", server_id, "--policy", "daily"))
    require_success(flexvault("backup", "pg-orders", "--wait", person="operator"))

    (point,) = json.loads(require_success(flexvault("point", "list", "pg-orders", "--output", "json", person="reader")))
    account = vault.endpoints["storage"]["restore"]
    url = f"{account['blobEndpoint']}/{RESTORE_CONTAINER}"
    words = ["restore", "pg-orders", point["name"], "--container", url, "--prefix", "night"]
    require_success(flexvault(*words, "--container-id", account["resourceId"], "--wait", person="operator"))
    assert "night_rebuild/rebuild.sh" in accounts.names("restore", RESTORE_CONTAINER, "night_")

    refused = flexvault(*words, "--container-id", account["resourceId"], "--wait", person="operator")
    assert refused.returncode == 1
    assert "UserErrorTargetFilesExist" in refused.stderr
    assert "another filePrefix" in refused.stderr


def test_a_person_with_too_small_a_role_is_told_which_one_is_needed(flexvault: Flexvault) -> None:
    ended = flexvault("backup", "pg-orders", person="reader")
    assert ended.returncode == 1
    assert "Backup.Operator" in ended.stderr
