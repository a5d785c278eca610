"""The local cloud as a whole: it starts, stays, is taken up again, and leaves nothing behind."""

import json
import os
import signal
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import psycopg
import pytest
from azure.storage.blob import BlobServiceClient

from local_cloud.__main__ import describe
from local_cloud.endpoints import Endpoints
from local_cloud.launch import LaunchedCloud
from local_cloud.processes import ChildEndedError
from local_cloud.state_folder import are_children_gone
from tests.cloud.waiting import is_running, wait_until

APPS = Path(__file__).parent / "apps"


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedCloud]:
    options = ["--rewrite-tokens-after-seconds", "1"]
    with LaunchedCloud(tmp_path_factory.mktemp("own"), app=APPS / "tiny", further_options=options) as cloud:
        yield cloud


def settings_of(endpoints: Endpoints, *, tls: bool = False) -> dict[str, str]:
    """Ask the tiny app for its environment."""
    url = endpoints["apiTls" if tls else "api"]
    context = ssl.create_default_context(cafile=endpoints["storage"]["ca"])
    return httpx.get(f"{url}/settings", verify=context).raise_for_status().json()


def pids_of(cloud: LaunchedCloud) -> set[int]:
    """Answer the ids of everything that a cloud started, and its own."""
    pids = {pid for pid in cloud.endpoints["pids"].values() if isinstance(pid, int)}
    servers = cloud.folder.glob("postgres/*/data/postmaster.pid")
    return pids | {int(path.read_text().splitlines()[0]) for path in servers}


def test_the_endpoints_file_tells_everything_to_its_owner_only(own_cloud: LaunchedCloud) -> None:
    path = own_cloud.folder / "endpoints.json"
    endpoints = json.loads(path.read_text())

    assert path.stat().st_mode & 0o777 == 0o600
    assert set(endpoints) == {
        "api", "apiTls", "people", "vaultResourceId", "arm", "identity", "servers", "storage", "owners", "pids",
    }  # fmt: skip
    assert set(endpoints["people"]) == {"reader", "operator", "contributor", "approver"}
    assert endpoints["vaultResourceId"].endswith(
        "/resourceGroups/rg-flexvault/providers/Microsoft.DataProtection/backupVaults/flexvault"
    )
    assert set(endpoints["servers"]) == {"pg-orders", "pg-billing"}
    assert set(endpoints["storage"]) == {"landing", "vault", "restore", "app", "ca"}
    assert Path(endpoints["storage"]["ca"]).is_absolute()
    assert all(is_running(pid) for pid in endpoints["pids"].values())


def test_the_app_answers_on_both_ports_with_the_local_settings(own_cloud: LaunchedCloud) -> None:
    endpoints = own_cloud.endpoints

    settings = settings_of(endpoints)

    assert settings == settings_of(endpoints, tls=True)
    assert settings["FLEXVAULT_VAULT_RESOURCE_ID"] == endpoints["vaultResourceId"]
    assert settings["IDENTITY_ENDPOINT"] == endpoints["identity"]["endpoint"]
    assert settings["REQUESTS_CA_BUNDLE"] == endpoints["storage"]["ca"]


def test_the_owner_sees_both_servers_in_arm(own_cloud: LaunchedCloud) -> None:
    endpoints = own_cloud.endpoints
    context = ssl.create_default_context(cafile=endpoints["storage"]["ca"])
    headers = {"Authorization": f"Bearer {endpoints['arm']['token']}"}
    for server in endpoints["servers"].values():
        url = f"{endpoints['arm']['endpoint']}{server['resourceId']}?api-version=2025-08-01"
        answer = httpx.get(url, headers=headers, verify=context).raise_for_status().json()
        assert answer["location"] == "eastus"
        assert answer["properties"]["state"] == "Ready"


def test_tokens_in_the_endpoints_file_are_rewritten_before_they_expire(own_cloud: LaunchedCloud) -> None:
    before = own_cloud.endpoints

    wait_until(lambda: own_cloud.endpoints["people"]["reader"] != before["people"]["reader"], 5)

    assert own_cloud.endpoints["pids"] == before["pids"]


def test_a_second_cloud_in_one_folder_is_refused(own_cloud: LaunchedCloud) -> None:
    with pytest.raises(ChildEndedError, match=f"the local cloud of process {own_cloud.pid} is using"):
        LaunchedCloud(own_cloud.folder, app=None)

    assert settings_of(own_cloud.endpoints)


def test_a_dead_host_is_replaced_within_two_seconds_at_the_same_address(own_cloud: LaunchedCloud) -> None:
    before = own_cloud.endpoints
    host = before["pids"]["host"]
    assert host is not None

    os.kill(host, signal.SIGKILL)

    wait_until(lambda: own_cloud.endpoints["pids"]["host"] != host, 2)
    after = own_cloud.endpoints
    assert after["api"] == before["api"]
    assert settings_of(after)
    assert after["pids"] == {**before["pids"], "host": after["pids"]["host"]}


@dataclass(frozen=True, kw_only=True)
class KilledCloud:
    """A cloud that was killed while it kept something new and a client was connected."""

    folder: Path
    endpoints: Endpoints
    pids: set[int]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> KilledCloud:
    cloud = LaunchedCloud(tmp_path_factory.mktemp("killed"), app=APPS / "tiny")
    endpoints, pids = cloud.endpoints, pids_of(cloud)
    with open_restores(endpoints) as client:
        client.get_blob_client("restores", "kept").upload_blob(b"kept")
    with psycopg.connect(endpoints["servers"]["pg-orders"]["postgres"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE kept")
        cloud.kill()
        wait_until(lambda: are_children_gone(cloud.folder), 10)
    return KilledCloud(folder=cloud.folder, endpoints=endpoints, pids=pids)


def test_killing_the_cloud_ends_everything_it_started(killed: KilledCloud) -> None:
    assert len(killed.pids) == len(["cloud", "host", "azurite", "gateway", "emulator", "pg-orders", "pg-billing"])
    assert not [pid for pid in killed.pids if is_running(pid)]


def test_state_is_taken_up_again_also_after_a_kill(killed: KilledCloud) -> None:
    first = killed.endpoints
    with LaunchedCloud(killed.folder, app=None) as cloud:
        second = cloud.endpoints
        with open_restores(second) as client:
            assert client.get_blob_client("restores", "kept").exists()
        with psycopg.connect(second["servers"]["pg-orders"]["postgres"]) as connection:
            assert connection.execute("SELECT 1 FROM pg_database WHERE datname = 'kept'").fetchone()
        assert second["identity"]["header"] == first["identity"]["header"]
        keys = httpx.get(second["identity"]["endpoint"].replace("/msi/token", "/jwks")).json()
        assert jwt.get_unverified_header(first["people"]["reader"])["kid"] in {key["kid"] for key in keys["keys"]}
    assert not (killed.folder / "endpoints.json").exists()


def open_restores(endpoints: Endpoints) -> BlobServiceClient:
    account = endpoints["storage"]["restore"]
    return BlobServiceClient(account["blobEndpoint"], account["key"], connection_verify=endpoints["storage"]["ca"])


def test_a_dead_azurite_ends_the_cloud_and_is_named(tmp_path: Path) -> None:
    cloud = LaunchedCloud(tmp_path, app=None)
    pids = pids_of(cloud)

    os.kill(cloud.endpoints["pids"]["azurite"], signal.SIGKILL)

    wait_until(lambda: not is_running(cloud.pid), 10)
    cloud.stop()
    assert "azurite ended with status -9" in (tmp_path / "cloud.log").read_text()
    assert not [pid for pid in pids if is_running(pid)]
    assert not (tmp_path / "endpoints.json").exists()


def test_an_app_that_does_not_start_is_reported_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ChildEndedError, match=r"(?s)the app did not start.*the broken app is broken"):
        LaunchedCloud(tmp_path, app=APPS / "broken")

    assert are_children_gone(tmp_path)


def test_a_folder_without_an_app_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ChildEndedError, match=r"there is no function_app\.py in"):
        LaunchedCloud(tmp_path / "state", app=tmp_path)


def test_people_are_told_the_first_commands_and_where_a_restore_may_go(own_cloud: LaunchedCloud) -> None:
    endpoints, port = own_cloud.endpoints, int(own_cloud.endpoints["api"].rpartition(":")[2].removesuffix("/api"))

    told = describe(endpoints, own_cloud.folder, port)

    restore = endpoints["storage"]["restore"]
    assert f"--container {restore['blobEndpoint']}/restores" in told
    assert f"--container-id {restore['resourceId']}" in told
    assert "is taken" not in told
    assert f"port 7071 is taken by another program, so the API listens on {port}" in describe(
        endpoints, own_cloud.folder, 7071
    )


def test_a_split_cloud_runs_two_apps_and_keeps_both_alive(tmp_path: Path) -> None:
    with LaunchedCloud(tmp_path, app=APPS / "tiny", further_options=["--split"]) as cloud:
        endpoints = cloud.endpoints
        janitor = endpoints["pids"].get("janitor")
        front = settings_of(endpoints)
        assert (front["FLEXVAULT_ROLE"], front.get("FLEXVAULT_RETENTION_CLIENT_ID", "")) == ("front", "")
        assert front["IDENTITY_HEADER"] != endpoints["identity"]["header"]
        assert janitor is not None
        assert "two apps" in describe(endpoints, cloud.folder)

        os.kill(janitor, signal.SIGKILL)

        wait_until(lambda: cloud.endpoints["pids"].get("janitor") not in {janitor, None}, within_seconds=30)
        assert cloud.endpoints["pids"]["host"] == endpoints["pids"]["host"]
        assert (cloud.folder / "janitor").is_dir()
