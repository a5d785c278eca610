"""The identity service: as App Service's for the app, as Entra's for those who check tokens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from local_cloud.apps import APP_IDENTITIES
from local_cloud.identity import CONFIGURATION_PATH, KEY_SET_PATH, TOKEN_PATH, IdentityService
from local_cloud.landscape import TENANT_ID, object_id_of
from local_cloud.ports import Ports
from local_cloud.storage_gateway.rights import DEPLOYMENT
from local_cloud.tokens import AUDIENCE, IDENTITIES, OWNERS, SigningKey, TokenIssuer

HEADER = "the-header"
FRONT_HEADER = "another-header"
RESOURCE = "https://management.azure.com"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenIssuer]:
    folder = tmp_path_factory.mktemp("identity")
    ports = Ports(folder / "ports.json")
    port = ports.take("identity")
    issuer = TokenIssuer.load(folder / "keys", f"http://127.0.0.1:{port}")
    service = IdentityService(
        port=port, issuer=issuer, callers={HEADER: IDENTITIES, FRONT_HEADER: APP_IDENTITIES["front"]}
    )
    yield issuer
    service.close()
    ports.close()


@pytest.fixture
def in_app_service(issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{issuer.people_issuer}{TOKEN_PATH}")
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)


def claims_of(token: str, issuer: TokenIssuer, audience: str) -> dict[str, Any]:
    """Check a token as a service would: by the key that the service's own key set lists for it."""
    keys = jwt.PyJWKSet.from_dict(httpx.get(f"{issuer.people_issuer}{KEY_SET_PATH}").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience)


@pytest.mark.usefixtures("in_app_service")
@pytest.mark.parametrize("client_id", ["control", "writer", "retention", "single"])
def test_each_identity_is_a_principal_of_its_own(issuer: TokenIssuer, client_id: str) -> None:
    with ManagedIdentityCredential(client_id=client_id) as credential:
        token = credential.get_token(f"{RESOURCE}/.default").token

    claims = claims_of(token, issuer, RESOURCE)
    assert claims["oid"] == object_id_of(client_id)
    assert claims["appid"] == client_id
    assert claims["tid"] == TENANT_ID
    assert claims["iss"] == f"https://sts.windows.net/{TENANT_ID}/"


@pytest.mark.usefixtures("in_app_service")
def test_without_a_client_id_the_host_is_meant(issuer: TokenIssuer) -> None:
    with ManagedIdentityCredential() as credential:
        token = credential.get_token("https://storage.azure.com/.default").token

    assert claims_of(token, issuer, "https://storage.azure.com")["oid"] == object_id_of("host")


@pytest.mark.usefixtures("in_app_service")
@pytest.mark.parametrize("client_id", ["stranger", *OWNERS, DEPLOYMENT])
def test_a_client_id_that_is_not_the_apps_is_refused_in_words_that_reach_the_caller(client_id: str) -> None:
    with (
        ManagedIdentityCredential(client_id=client_id) as credential,
        pytest.raises(ClientAuthenticationError) as caught,
    ):
        credential.get_token(f"{RESOURCE}/.default")

    assert "No User Assigned or Delegated Managed Identity found" in str(caught.value)


@pytest.mark.usefixtures("in_app_service")
def test_an_app_gets_no_token_of_an_identity_that_was_not_assigned_to_it(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", FRONT_HEADER)
    for client_id in ("retention", "host-janitor", "host"):
        with (
            ManagedIdentityCredential(client_id=client_id) as credential,
            pytest.raises(ClientAuthenticationError, match="No User Assigned or Delegated Managed Identity found"),
        ):
            credential.get_token(f"{RESOURCE}/.default")
    with ManagedIdentityCredential() as credential:
        token = credential.get_token(f"{RESOURCE}/.default").token
    assert claims_of(token, issuer, RESOURCE)["oid"] == object_id_of("host-front")


GOOD_QUERY = {"resource": RESOURCE, "api-version": "2019-08-01", "client_id": "writer"}


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        pytest.param({}, GOOD_QUERY, 401, id="no header"),
        pytest.param({"X-IDENTITY-HEADER": "wrong"}, GOOD_QUERY, 403, id="wrong header"),
        pytest.param({"X-IDENTITY-HEADER": HEADER}, {**GOOD_QUERY, "client_id": "x"}, 400, id="unknown client"),
        pytest.param({"X-IDENTITY-HEADER": HEADER}, {"api-version": "2019-08-01"}, 400, id="no resource"),
        pytest.param({"X-IDENTITY-HEADER": HEADER}, {"resource": RESOURCE}, 400, id="no version"),
        pytest.param({"X-IDENTITY-HEADER": HEADER}, GOOD_QUERY, 200, id="all there"),
    ],
)
def test_the_token_endpoint_answers(
    issuer: TokenIssuer, headers: dict[str, str], query: dict[str, str], status: int
) -> None:
    answer = httpx.get(f"{issuer.people_issuer}{TOKEN_PATH}", params=query, headers=headers)

    assert answer.status_code == status
    if status != 200:
        assert answer.json()["statusCode"] == status
        assert answer.json()["message"]
        assert "access_token" not in answer.text


def test_a_path_that_does_not_exist_is_404(issuer: TokenIssuer) -> None:
    assert httpx.get(f"{issuer.people_issuer}/other").status_code == 404


@pytest.mark.parametrize(
    ("person", "role"),
    [
        ("reader", "Backup.Reader"),
        ("operator", "Backup.Operator"),
        ("contributor", "Backup.Contributor"),
        ("approver", "Backup.Approver"),
    ],
)
def test_each_person_has_one_role(issuer: TokenIssuer, person: str, role: str) -> None:
    claims = claims_of(issuer.for_person(person), issuer, AUDIENCE)

    assert claims["roles"] == [role]
    assert claims["iss"] == issuer.people_issuer
    assert claims["oid"] == object_id_of(person)
    assert claims["exp"] - claims["iat"] == 24 * 3600


def test_openid_configuration_leads_to_the_keys(issuer: TokenIssuer) -> None:
    configuration = httpx.get(f"{issuer.people_issuer}{CONFIGURATION_PATH}").json()

    assert configuration["issuer"] == issuer.people_issuer
    key_ids = {key["kid"] for key in httpx.get(configuration["jwks_uri"]).json()["keys"]}
    assert key_ids == {issuer.people_key.key_id, issuer.identities_key.key_id}


def test_keys_are_taken_up_again_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = TokenIssuer.load(tmp_path, "http://127.0.0.1:1")
    second = TokenIssuer.load(tmp_path, "http://127.0.0.1:2")

    assert second.key_set() == first.key_set()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        pytest.param({"exp": 1}, jwt.ExpiredSignatureError, id="expired"),
        pytest.param({"aud": "api://another"}, jwt.InvalidAudienceError, id="wrong audience"),
        pytest.param({"key": SigningKey.generate()}, KeyError, id="foreign key"),
    ],
)
def test_tests_can_sign_wrong_tokens(issuer: TokenIssuer, changed: dict[str, Any], error: type[Exception]) -> None:
    token = issuer.for_person("reader", **changed)

    with pytest.raises(error):
        claims_of(token, issuer, AUDIENCE)


def test_tests_can_choose_roles_and_leave_claims_out(issuer: TokenIssuer) -> None:
    claims = claims_of(issuer.for_person("reader", roles=["Other"], name=None), issuer, AUDIENCE)

    assert claims["roles"] == ["Other"]
    assert "name" not in claims
