"""Storage as the app meets it: https and bearer tokens, the gateway before Azurite."""

import ssl
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableServiceClient
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient

from local_cloud.landscape import numbered
from local_cloud.launch import LaunchedCloud
from local_cloud.storage import load_account_keys
from local_cloud.storage_gateway.config import SETTINGS_PATH


@pytest.fixture
def as_the_app(cloud: LaunchedCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment by which the app finds its identity and trusts the local authority."""
    endpoints = cloud.endpoints
    monkeypatch.setenv("IDENTITY_ENDPOINT", endpoints["identity"]["endpoint"])
    monkeypatch.setenv("IDENTITY_HEADER", endpoints["identity"]["header"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", endpoints["storage"]["ca"])


@pytest.mark.usefixtures("as_the_app")
def test_the_vault_account_has_its_containers_and_takes_an_identitys_token(cloud: LaunchedCloud) -> None:
    endpoint = cloud.endpoints["storage"]["vault"]["blobEndpoint"]

    with (
        ManagedIdentityCredential(client_id="control") as credential,
        BlobServiceClient(endpoint, credential) as client,
    ):
        names = {container.name for container in client.list_containers()}
    with ManagedIdentityCredential(client_id="writer") as credential, BlobServiceClient(endpoint, credential) as client:
        blob = client.get_blob_client("points", "proof")
        blob.upload_blob(b"content", overwrite=True)
        content = blob.download_blob().readall()

    assert names == {"points", "manifests", "plans", "journal"}
    assert content == b"content"


@pytest.mark.usefixtures("as_the_app")
def test_the_app_account_has_its_tables(cloud: LaunchedCloud) -> None:
    endpoint = cloud.endpoints["storage"]["app"]["tableEndpoint"]

    with ManagedIdentityCredential() as credential, TableServiceClient(endpoint, credential=credential) as client:
        names = {table.name for table in client.list_tables()}  # pyright: ignore[reportUnknownMemberType] -- the SDK leaves it untyped

    assert names == {"config", "jobs", "points", "operations", "approvals", "blocks"}


@pytest.mark.usefixtures("as_the_app")
def test_the_restore_account_has_a_container(cloud: LaunchedCloud) -> None:
    account = cloud.endpoints["storage"]["restore"]

    with BlobServiceClient(account["blobEndpoint"], account["key"]) as client:
        assert [container.name for container in client.list_containers()] == ["restores"]


@pytest.mark.usefixtures("as_the_app")
def test_a_key_opens_only_its_own_account(cloud: LaunchedCloud) -> None:
    storage = cloud.endpoints["storage"]

    with (
        BlobServiceClient(storage["restore"]["blobEndpoint"], storage["landing"]["key"]) as client,
        pytest.raises(ClientAuthenticationError),
    ):
        list(client.list_containers())


@pytest.mark.usefixtures("as_the_app")
def test_no_key_opens_the_vault_account(cloud: LaunchedCloud) -> None:
    vault = cloud.endpoints["storage"]["vault"]

    with (
        BlobServiceClient(vault["blobEndpoint"], vault["key"]) as client,
        pytest.raises(HttpResponseError) as caught,
    ):
        list(client.list_containers())

    response: Any = caught.value.response
    assert response.headers["x-ms-error-code"] == "KeyBasedAuthenticationNotPermitted"


@pytest.mark.usefixtures("as_the_app")
def test_the_accounts_of_every_test_vault_exist_before_it_starts(cloud: LaunchedCloud) -> None:
    place = numbered(1)
    keys = load_account_keys(cloud.folder / "keys/accounts.json", place.accounts)
    url = cloud.endpoints["storage"]["landing"]["blobEndpoint"].rpartition("/")[0]

    with BlobServiceClient(f"{url}/{place.landing}", keys[place.landing]) as client:
        assert list(client.list_containers()) == []


def test_the_storage_of_a_launched_cloud_can_be_moved_in_time(cloud: LaunchedCloud) -> None:
    url = f"{cloud.endpoints['storage']['vault']['blobEndpoint'].rpartition('/')[0]}{SETTINGS_PATH}"
    context = ssl.create_default_context(cafile=cloud.endpoints["storage"]["ca"])

    cloud.change_storage(offsetSeconds=60, baseNameDelete="refuse")
    changed = httpx.get(url, verify=context).json()
    cloud.change_storage(offsetSeconds=0, baseNameDelete="keep")

    assert changed | {"offsetSeconds": 60.0, "movesDate": False, "baseNameDelete": "refuse"} == changed


@pytest.mark.usefixtures("as_the_app")
def test_the_vaults_owner_holds_all_rights_there_and_the_sources_owner_none(cloud: LaunchedCloud) -> None:
    vault, owners = cloud.endpoints["storage"]["vault"]["blobEndpoint"], cloud.endpoints["owners"]
    context = ssl.create_default_context(cafile=cloud.endpoints["storage"]["ca"])

    def list_containers(owner: str) -> int:
        headers = {"Authorization": f"Bearer {owners[owner]}", "x-ms-version": "2026-10-06"}
        return httpx.get(f"{vault}?comp=list", headers=headers, verify=context).status_code

    assert (list_containers("vault-owner"), list_containers("source-owner")) == (200, 403)
