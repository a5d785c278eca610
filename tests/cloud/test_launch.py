"""Vaults that tests start in a running cloud: apart from each other, and theirs to kill."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from tests.cloud.waiting import is_running

TINY = Path(__file__).parent / "apps/tiny"


@pytest.fixture(scope="module")
def tiny(cloud: LaunchedCloud) -> Iterator[VaultHost]:
    vault = cloud.new_vault(app=TINY, changed={"FLEXVAULT_LOOK_AHEAD_SECONDS": "7"})
    yield vault
    vault.stop()


def settings_of(vault: VaultHost) -> dict[str, str]:
    return httpx.get(f"{vault.endpoints['api']}/settings").raise_for_status().json()


def test_a_vault_has_its_own_place_and_the_settings_that_were_asked_for(cloud: LaunchedCloud, tiny: VaultHost) -> None:
    settings, endpoints = settings_of(tiny), tiny.endpoints

    assert settings["FLEXVAULT_LOOK_AHEAD_SECONDS"] == "7"
    assert settings["FLEXVAULT_VAULT_RESOURCE_ID"] == endpoints["vaultResourceId"] != cloud.endpoints["vaultResourceId"]
    assert settings["FLEXVAULT_VAULT_BLOB_ENDPOINT"] == endpoints["storage"]["vault"]["blobEndpoint"]
    assert endpoints["servers"]["pg-orders"]["resourceId"] != cloud.endpoints["servers"]["pg-orders"]["resourceId"]
    assert endpoints["servers"]["pg-orders"]["postgres"] == cloud.endpoints["servers"]["pg-orders"]["postgres"]


def test_backups_of_other_vaults_are_not_counted(tiny: VaultHost) -> None:
    assert tiny.accepted_backups() == []


def test_a_killed_host_stays_dead_until_it_is_started_again(tiny: VaultHost) -> None:
    pid = tiny.endpoints["pids"]["host"]
    assert pid is not None

    tiny.kill_host()

    assert not is_running(pid)
    assert tiny.endpoints["api"] is None
    tiny.start_host()
    assert settings_of(tiny)


def test_faults_are_set_and_cleared(cloud: LaunchedCloud, tiny: VaultHost) -> None:
    endpoints = tiny.endpoints
    server = endpoints["servers"]["pg-billing"]["resourceId"]
    context = ssl.create_default_context(cafile=endpoints["storage"]["ca"])
    headers = {"Authorization": f"Bearer {endpoints['arm']['token']}"}

    def ask() -> int:
        url = f"{endpoints['arm']['endpoint']}{server}?api-version=2025-08-01"
        return httpx.get(url, headers=headers, verify=context).status_code

    cloud.set_fault({"fault": "throttle", "match": {"method": "GET", "path": server}, "times": 2})
    assert ask() == 429
    cloud.clear_faults()
    assert ask() == 200
