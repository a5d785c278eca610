"""Who is let in: bearer tokens as Entra issues them for Azure Resource Manager."""

from typing import Any

import pytest

from local_cloud.tokens import SigningKey
from tests.emulator.people import OWNER
from tests.emulator.places import SERVER_ID
from tests.emulator.world import API_VERSION, World

FOREIGN_KEY = SigningKey.generate()


def ask(world: World, authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return world.http.get(SERVER_ID, params={"api-version": API_VERSION}, headers=headers)


@pytest.mark.parametrize(
    "audience", ["https://management.azure.com", "https://management.azure.com/"], ids=["plain", "final slash"]
)
def test_both_spellings_of_the_audience_are_accepted(calm_world: World, audience: str) -> None:
    assert ask(calm_world, f"Bearer {calm_world.identity.token(OWNER, aud=audience)}").status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": 1_000_000_000}, id="expired"),
        pytest.param({"nbf": 32_000_000_000}, id="not yet valid"),
        pytest.param({"aud": "https://storage.azure.com/"}, id="for storage"),
        pytest.param({"iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/"}, id="other tenant"),
        pytest.param({"oid": None}, id="no object id"),
        pytest.param({"exp": None}, id="no end"),
        pytest.param({"key": FOREIGN_KEY}, id="foreign key"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(calm_world: World, claims: dict[str, Any]) -> None:
    answer = ask(calm_world, f"Bearer {calm_world.identity.token(OWNER, **claims)}")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "InvalidAuthenticationToken"
    assert answer.headers["x-ms-error-code"] == "InvalidAuthenticationToken"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="none"),
        pytest.param("Basic dXNlcjpwYXNz", id="basic"),
        pytest.param("Bearer", id="empty"),
        pytest.param("Bearer not.a.token", id="no token"),
    ],
)
def test_a_request_without_a_bearer_token_is_refused(calm_world: World, authorization: str | None) -> None:
    assert ask(calm_world, authorization).status_code == 401


def test_a_token_signed_with_the_issuer_s_name_only_is_refused(calm_world: World) -> None:
    borrowed_name = SigningKey(private=FOREIGN_KEY.private, key_id=calm_world.identity.key.key_id)

    assert ask(calm_world, f"Bearer {calm_world.identity.token(OWNER, key=borrowed_name)}").status_code == 401


def test_the_keys_are_fetched_once_and_again_when_an_unknown_one_signs(calm_world: World) -> None:
    ask(calm_world, f"Bearer {calm_world.identity.token(OWNER)}")
    before = calm_world.identity.fetches
    for _ in range(3):
        assert ask(calm_world, f"Bearer {calm_world.identity.token(OWNER)}").status_code == 200
    kept = calm_world.identity.fetches
    old_key, calm_world.identity.key = calm_world.identity.key, SigningKey.generate()
    try:
        assert ask(calm_world, f"Bearer {calm_world.identity.token(OWNER)}").status_code == 200
    finally:
        calm_world.identity.key = old_key

    assert kept == before
    assert calm_world.identity.fetches == before + 1
