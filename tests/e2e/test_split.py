"""Two apps side by side: the one behind the HTTP door backs up and cannot delete, the janitor deletes and has no door."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from local_cloud.landscape import TENANT_ID, object_id_of
from local_cloud.launch import LaunchedCloud, VaultHost
from tests.e2e import bodies
from tests.e2e.accounts import Accounts
from tests.e2e.user import User
from tests.e2e.waiting import wait_for


@pytest.fixture(scope="module")
def vault(cloud: LaunchedCloud, vault_settings: Mapping[str, str]) -> Iterator[VaultHost]:
    """A vault of two apps."""
    vault = cloud.new_vault(changed=vault_settings, is_split=True)
    yield vault
    vault.stop()


def ask_for_token(vault: VaultHost, app: str, client_id: str) -> httpx.Response:
    """Ask the identity service as an app would, or as somebody who runs code in it."""
    identity = vault.endpoints["identity"]
    return httpx.get(
        identity["endpoint"],
        params={"api-version": "2019-08-01", "resource": "https://storage.azure.com", "client_id": client_id},
        headers={"X-IDENTITY-HEADER": vault.identity_headers.by_app[app]},
        trust_env=False,
    )


def test_the_front_backs_up_and_the_janitor_deletes(user: User, protected: str, accounts: Accounts) -> None:
    # Storage would keep what is immutable to its last day.
    disabled = user.send_approved("PATCH", "", bodies.immutability("Disabled"))
    assert disabled.status_code == 200, disabled.text
    at_once = user.send_approved("PATCH", "", bodies.soft_delete("Off"))
    assert at_once.status_code == 200, at_once.text
    for _ in range(2):
        user.good_end_of(user.back_up(protected))
    assert len(user.points(protected)) == 2
    (name,) = {path.partition("/")[0] for path in accounts.names("vault", "points")}
    assert accounts.versions("points", f"{name}/")

    accepted = user.send_approved("DELETE", protected)
    assert user.finish(accepted)["status"] == "Succeeded"

    assert accounts.versions("points", f"{name}/") == []
    assert accounts.versions("manifests", f"{name}/") == []
    (job,) = [job for job in user.jobs() if job["properties"]["operation"] == "ApplyRetention"]
    assert wait_for(lambda: user.job(job["name"])["status"] != "InProgress", "the end of retention")
    assert user.job(job["name"])["status"] == "Completed"


@pytest.mark.parametrize(
    ("app", "own", "others"),
    [
        pytest.param("front", ("control", "writer", "host-front"), ("retention", "host-janitor"), id="front"),
        pytest.param("janitor", ("retention", "host-janitor"), ("control", "writer", "host-front"), id="janitor"),
    ],
)
def test_an_app_gets_tokens_of_its_own_identities_only(
    app: str, own: tuple[str, ...], others: tuple[str, ...], vault: VaultHost
) -> None:
    assert [ask_for_token(vault, app, client_id).status_code for client_id in own] == [200] * len(own)
    for client_id in others:
        answer = ask_for_token(vault, app, client_id)
        assert answer.status_code == 400
        assert "No User Assigned or Delegated Managed Identity found" in answer.json()["message"]


def test_the_front_tells_how_isolated_it_is(user: User) -> None:
    found = user.get("/vault/isolation")
    assert [(one["name"], one["objectId"], one["tenantId"]) for one in found["identities"]] == [
        (name, object_id_of(name), TENANT_ID) for name in ("control", "writer")
    ]
    is_ok = {one["code"]: one["isOk"] for one in found["findings"]}
    assert (is_ok["RolesSplit"], is_ok["IdentitiesDistinct"], is_ok["VaultTenant"]) == (True, True, True)


def test_the_janitor_has_no_door(vault: VaultHost, user: User) -> None:
    answer: Any = httpx.get(f"{vault.janitor_url}/api/vault/alive", trust_env=False)
    assert answer.status_code == 404
    assert user.send("GET", "/vault/alive", headers={}).status_code == 200
