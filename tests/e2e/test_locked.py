"""A vault is locked for ever: what is sealed already is locked by the nightly check, what comes is locked at once."""

import json
import time
from pathlib import Path

import pytest
from flexvault_cli.main import run

from local_cloud.launch import VaultHost
from tests.e2e.accounts import Accounts, refusal_of
from tests.e2e.user import User
from tests.e2e.waiting import wait_for


def modes_of(accounts: Accounts, point_name: str) -> set[str]:
    found = accounts.versions_of_point(point_name)
    return {str(version.immutability_policy.policy_mode).capitalize() for version in found}


def test_locking_reaches_old_points_by_night_and_new_ones_at_once(
    user: User,
    protected: str,
    accounts: Accounts,
    vault: VaultHost,
    *,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = user.new_point(protected)["name"]
    assert modes_of(accounts, old) == {"Unlocked"}
    endpoints = tmp_path / "endpoints.json"
    endpoints.write_text(json.dumps(vault.endpoints))

    words = ["vault", "set", "--immutability", "Locked", "--endpoints", str(endpoints), "--as", "contributor"]
    assert run(words, environ={}, sleep=time.sleep) != 0, "it asks for --yes"
    assert run([*words, "--yes"], environ={}, sleep=time.sleep) == 0, capsys.readouterr().err

    new = user.new_point(protected)["name"]
    assert modes_of(accounts, new) == {"Locked"}
    accounts.delete_row("config", "vault", "guards")  # as if this day had not been looked at
    wait_for(lambda: modes_of(accounts, old) == {"Locked"}, "the nightly check")

    owner = accounts.vault_as(vault.endpoints["owners"]["vault-owner"])
    locked = accounts.versions_of_point(old)[0]
    blob = owner.get_blob_client("manifests", locked.name, version_id=locked.version_id)
    assert refusal_of(blob.delete_immutability_policy) == "ImmutabilityPolicyDeleteOnLockedPolicy"
