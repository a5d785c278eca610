"""Nobody gets past the door without the right token, and whoever is sent away learns what is missing."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import httpx
import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from local_cloud.tokens import ARM_AUDIENCE, SigningKey, TokenIssuer
from tests.e2e import bodies
from tests.e2e.user import User

type MakeToken = Callable[[TokenIssuer], str]

WRONG_TOKENS: Mapping[str, tuple[MakeToken, str, str]] = {
    "expired": (
        lambda issuer: issuer.for_person("contributor", exp=int(time.time()) - 3600),
        "ExpiredAuthenticationToken",
        "expired",
    ),
    "signed-with-a-foreign-key": (
        lambda issuer: issuer.for_person("contributor", key=SigningKey.generate()),
        "InvalidAuthenticationToken",
        "key that is not its issuer",
    ),
    "for-another-audience": (
        lambda issuer: issuer.for_person("contributor", aud="api://another"),
        "InvalidAuthenticationTokenAudience",
        "its audience must be api://flexvault",
    ),
    "from-another-issuer": (
        lambda issuer: issuer.for_person("contributor", iss="https://elsewhere.example"),
        "InvalidAuthenticationTokenIssuer",
        "foreign issuer",
    ),
    "of-an-identity-for-arm": (
        lambda issuer: issuer.for_identity("owner", ARM_AUDIENCE),
        "InvalidAuthenticationTokenIssuer",
        "foreign issuer",
    ),
    "that-is-none": (lambda _issuer: "nonsense", "InvalidAuthenticationToken", "no signed JSON Web Token"),
}

REQUESTS = [
    pytest.param("GET", "/backupPolicies", None, id="read"),
    pytest.param("PUT", "/backupPolicies/night", bodies.policy(), id="write"),
]


def require_refusal(answer: httpx.Response, status: int, code: str, text: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], answer.headers["x-ms-error-code"]) == (code, code)
    assert text in error["message"]
    assert error["additionalInfo"][0]["info"]["recommendedAction"], "it says what to do"


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_a_request_without_a_token_is_refused(method: str, path: str, body: Any, user: User) -> None:
    answer = user.send(method, path, body, headers={})
    require_refusal(answer, 401, "AuthenticationFailed", "no Authorization header")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize(("make_token", "code", "text"), WRONG_TOKENS.values(), ids=WRONG_TOKENS)
@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_a_wrong_token_is_refused(
    make_token: MakeToken, code: str, text: str, *, method: str, path: str, body: Any, user: User, cloud: LaunchedCloud
) -> None:
    token = make_token(cloud.issuer)
    answer = user.send(method, path, body, headers={"Authorization": f"Bearer {token}"})
    require_refusal(answer, 401, code, text)
    assert token not in answer.text


@pytest.mark.parametrize(
    ("person", "method", "path", "body", "needed"),
    [
        pytest.param("reader", "PUT", "/backupPolicies/night", bodies.policy(), "Contributor", id="reader-writes"),
        pytest.param("reader", "POST", "/backupInstances/x/backup", bodies.on_demand(), "Operator", id="reader-runs"),
        pytest.param("operator", "PUT", "/backupPolicies/night", bodies.policy(), "Contributor", id="operator-writes"),
        pytest.param("approver", "POST", "/backupInstances/x/restore", {}, "Operator", id="approver-runs"),
    ],
)
def test_a_role_that_is_too_small_is_named_with_the_one_that_is_needed(
    person: str, method: str, path: str, body: Any, needed: str, *, vault: VaultHost
) -> None:
    with closing(User(vault, person)) as user:
        answer = user.send(method, path, body)
    require_refusal(answer, 403, "AuthorizationFailed", f"it needs the role Backup.{needed}")
    assert f"Backup.{person.capitalize()}" in answer.json()["error"]["message"]


def test_a_token_without_any_role_reads_nothing(user: User, cloud: LaunchedCloud) -> None:
    token = cloud.issuer.for_person("reader", roles=None)
    answer = user.send("GET", "/backupPolicies", headers={"Authorization": f"Bearer {token}"})
    require_refusal(answer, 403, "AuthorizationFailed", "it needs the role Backup.Reader, the token has none")


def test_nothing_of_what_was_refused_was_done(user: User) -> None:
    assert user.get("/backupPolicies")["value"] == []


def test_only_being_alive_is_told_to_everybody(user: User) -> None:
    assert user.send("GET", "/vault/alive", headers={}).status_code == 200
