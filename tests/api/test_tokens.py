"""Who may come in: every way in which a token can be wrong is told apart, and none of them lets anybody in."""

import base64
import json
import threading
from datetime import timedelta
from typing import Any

import jwt
import pytest

from flexvault.api.app import build_tokens
from flexvault.api.problems import RefusedError
from tests.api.doors import (
    AUDIENCE,
    CONFIGURATION_URL,
    ISSUER,
    KEYS_URL,
    VAULT_ID,
    Door,
    Sent,
    private_key,
    public_entry,
    sign,
)


@pytest.fixture
def door() -> Door:
    return Door()


def knock(door: Door, authorization: str | None) -> Sent:
    headers = {} if authorization is None else {"authorization": authorization}
    return door.send("GET", VAULT_ID, person=None, headers=headers)


def seconds(door: Door) -> int:
    return int(door.world.clock.host_now().timestamp())


def unsigned(claims: dict[str, Any]) -> str:
    def encode(part: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return f"{encode({'alg': 'none', 'typ': 'JWT', 'kid': 'issuer'})}.{encode(claims)}."


def test_a_good_token_comes_in(door: Door) -> None:
    assert knock(door, f"Bearer {door.token('reader')}").status == 200


def test_the_scheme_compares_without_regard_to_case(door: Door) -> None:
    assert knock(door, f"bearer  {door.token('reader')}").status == 200


CLAIMS = [
    pytest.param({"aud": "https://management.azure.com"}, "InvalidAuthenticationTokenAudience", AUDIENCE, id="for ARM"),
    pytest.param({"aud": None}, "InvalidAuthenticationToken", "aud", id="for nobody"),
    pytest.param(
        {"iss": "https://sts.windows.net/other/"}, "InvalidAuthenticationTokenIssuer", ISSUER, id="foreign issuer"
    ),
    pytest.param({"iss": ISSUER + "/"}, "InvalidAuthenticationTokenIssuer", ISSUER, id="issuer with a slash more"),
    pytest.param({"iss": None}, "InvalidAuthenticationToken", "iss", id="no issuer"),
    pytest.param({"oid": None}, "InvalidAuthenticationToken", "oid", id="no caller"),
    pytest.param({"exp": None}, "InvalidAuthenticationToken", "exp", id="never expires"),
    pytest.param({"exp": "soon"}, "InvalidAuthenticationToken", "times", id="expiry is no number"),
    pytest.param({"exp": float("nan")}, "ExpiredAuthenticationToken", "expired", id="expiry is NaN"),
    pytest.param({"exp": -1}, "ExpiredAuthenticationToken", "expired", id="expired long ago"),
]


@pytest.mark.parametrize(("changed", "code", "named"), CLAIMS)
def test_a_wrong_claim_is_refused_by_name(door: Door, changed: dict[str, Any], code: str, named: str) -> None:
    refused = knock(door, f"Bearer {door.token(**changed)}")
    assert (refused.status, refused.error["code"]) == (401, code)
    assert named in refused.error["message"]


@pytest.mark.parametrize(
    ("claim", "offset", "status"),
    [
        pytest.param("exp", -299, 200, id="expired within the leeway"),
        pytest.param("exp", -301, 401, id="expired beyond the leeway"),
        pytest.param("nbf", 299, 200, id="valid soon enough"),
        pytest.param("nbf", 301, 401, id="valid too late"),
    ],
)
def test_clocks_may_differ_by_five_minutes(door: Door, claim: str, offset: int, status: int) -> None:
    claims: dict[str, Any] = {claim: seconds(door) + offset}
    token = sign(door.world.clock.host_now(), "Backup.Reader", **claims)
    assert knock(door, f"Bearer {token}").status == status


def test_a_token_expires_by_the_vaults_clock(door: Door) -> None:
    token = door.token()
    door.world.clock.advance(timedelta(hours=2))
    assert knock(door, f"Bearer {token}").error["code"] == "ExpiredAuthenticationToken"


def test_a_token_without_not_before_comes_in(door: Door) -> None:
    assert knock(door, f"Bearer {door.token(nbf=None)}").status == 200


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        pytest.param(None, "AuthenticationFailed", id="no header"),
        pytest.param("", "AuthenticationFailed", id="empty header"),
        pytest.param("Bearer", "AuthenticationFailed", id="no token"),
        pytest.param("Basic dXNlcjpwYXNz", "AuthenticationFailed", id="another scheme"),
        pytest.param("Bearer not.a.token", "InvalidAuthenticationToken", id="no token at all"),
        pytest.param("Bearer a.b", "InvalidAuthenticationToken", id="two parts"),
        pytest.param("Bearer ä", "InvalidAuthenticationToken", id="not ASCII"),
    ],
)
def test_what_is_no_token_is_refused(door: Door, authorization: str | None, code: str) -> None:
    refused = knock(door, authorization)
    assert (refused.status, refused.error["code"]) == (401, code)


def test_a_key_that_nobody_published_is_refused(door: Door) -> None:
    refused = knock(door, f"Bearer {door.token(key='foreign')}")
    assert refused.status == 401
    assert "key" in refused.error["message"]


def test_a_foreign_key_under_a_known_id_is_refused(door: Door) -> None:
    refused = knock(door, f"Bearer {door.token(key='foreign', kid='issuer')}")
    assert refused.status == 401
    assert "signature" in refused.error["message"]


def test_an_unsigned_token_is_refused(door: Door) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "oid": "o", "exp": seconds(door) + 60, "roles": ["Backup.Contributor"]}
    refused = knock(door, f"Bearer {unsigned(claims)}")
    assert refused.status == 401


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(door: Door) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "oid": "o", "exp": seconds(door) + 60, "roles": ["Backup.Contributor"]}
    forged = jwt.encode(claims, public_entry()["n"], algorithm="HS256", headers={"kid": "issuer"})
    refused = knock(door, f"Bearer {forged}")
    assert refused.status == 401
    assert "RS256" in refused.error["message"]


def test_another_rsa_algorithm_is_refused(door: Door) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "oid": "o", "exp": seconds(door) + 60}
    token = jwt.encode(claims, private_key(), algorithm="PS256", headers={"kid": "issuer"})
    refused = knock(door, f"Bearer {token}")
    assert (refused.status, refused.error["message"]) == (401, "the token is not signed with RS256")


def test_signed_bytes_that_are_no_claims_are_refused(door: Door) -> None:
    token = jwt.PyJWS().encode(b"no claims", private_key(), algorithm="RS256", headers={"kid": "issuer"})
    refused = knock(door, f"Bearer {token}")
    assert (refused.status, refused.error["message"]) == (401, "the token cannot be read")


def test_changed_claims_break_the_signature(door: Door) -> None:
    head, _, signature = door.token("reader").split(".")
    body = base64.urlsafe_b64encode(json.dumps({"roles": ["Backup.Contributor"]}).encode()).rstrip(b"=").decode()
    assert knock(door, f"Bearer {head}.{body}.{signature}").status == 401


def test_a_refusal_says_where_to_get_a_token_and_repeats_nothing_of_it(door: Door) -> None:
    token = door.token(aud="api://another")
    refused = knock(door, f"Bearer {token}")
    assert refused.header("WWW-Authenticate") == f'Bearer authorization_uri="{ISSUER}", error="invalid_token"'
    assert "api://another" not in refused.body.decode()
    assert token.split(".")[1] not in refused.body.decode()
    assert refused.error["additionalInfo"][0]["info"]["recommendedAction"] == [
        f"get a token for {AUDIENCE} and send it as 'Authorization: Bearer TOKEN'"
    ]


def test_a_caller_without_a_token_learns_no_paths(door: Door) -> None:
    assert door.send("GET", "/nothing/here", person=None).status == 401
    assert door.send("PATCH", VAULT_ID, person=None).status == 401


def test_the_settings_say_whose_tokens_count(door: Door) -> None:
    refused = build_tokens(door.world.vault.settings)
    with pytest.raises(RefusedError) as caught:
        refused.validate(None, door.world.clock.host_now())
    assert caught.value.headers["WWW-Authenticate"].startswith(f'Bearer authorization_uri="{ISSUER}"')
    assert AUDIENCE in caught.value.hint


# The issuer's keys ---------------------------------------------------------------------------------------------------


def test_keys_are_read_once(door: Door) -> None:
    for _ in range(3):
        assert knock(door, f"Bearer {door.token()}").status == 200
    assert door.issuer.reads == [CONFIGURATION_URL, KEYS_URL]


def test_a_new_key_is_found_when_a_token_names_it(door: Door) -> None:
    assert knock(door, f"Bearer {door.token()}").status == 200
    door.issuer.keys.append(public_entry("second"))
    door.seconds += 61
    assert knock(door, f"Bearer {door.token(key='second')}").status == 200
    assert len(door.issuer.reads) == 4


def test_unknown_keys_do_not_make_the_vault_ask_again_and_again(door: Door) -> None:
    for number in range(20):
        assert knock(door, f"Bearer {door.token(key='foreign', kid=f'made-up-{number}')}").status == 401
    assert len(door.issuer.reads) == 2


def test_an_issuer_that_cannot_be_asked_is_503_not_401(door: Door) -> None:
    door.issuer.is_down = True
    refused = knock(door, f"Bearer {door.token()}")
    assert (refused.status, refused.error["code"]) == (503, "SigningKeysUnreadable")
    assert refused.header("Retry-After") == "5"
    assert refused.error["additionalInfo"][0]["info"]["isRetryable"] is True


def test_after_a_failure_the_issuer_is_left_alone_for_a_while(door: Door) -> None:
    door.issuer.is_down = True
    for _ in range(5):
        assert knock(door, f"Bearer {door.token()}").status == 503
    assert door.issuer.reads == [CONFIGURATION_URL]
    door.issuer.is_down = False
    door.seconds += 6
    assert knock(door, f"Bearer {door.token()}").status == 200


def test_a_withdrawn_key_is_forgotten_after_a_day(door: Door) -> None:
    assert knock(door, f"Bearer {door.token()}").status == 200
    door.issuer.keys[:] = [public_entry("second")]
    door.seconds += 24 * 3600 + 1
    assert knock(door, f"Bearer {door.token()}").status == 401


def test_known_keys_outlast_an_issuer_that_is_down_but_not_for_ever(door: Door) -> None:
    assert knock(door, f"Bearer {door.token()}").status == 200
    door.issuer.is_down = True
    door.seconds += 24 * 3600 + 1
    assert knock(door, f"Bearer {door.token()}").status == 200
    door.seconds += 48 * 3600
    assert knock(door, f"Bearer {door.token()}").status == 503


def test_only_rsa_signature_keys_count(door: Door) -> None:
    door.issuer.keys[:] = [{**public_entry(), "use": "enc"}, {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}]
    for key_id in ("issuer", "shared"):
        refused = knock(door, f"Bearer {door.token(kid=key_id)}")
        assert (refused.status, "not its issuer's" in refused.error["message"]) == (401, True)


@pytest.mark.parametrize("page", [b"", b"[]", b"{}", b'{"jwks_uri": 5}', b'{"jwks_uri": "ftp://issuer.example/keys"}'])
def test_a_broken_configuration_is_503(door: Door, page: bytes) -> None:
    fetch = door.issuer.fetch

    def broken(url: str) -> bytes:
        return page if url == CONFIGURATION_URL else fetch(url)

    door.issuer.fetch = broken
    refreshed = Door(issuer=door.issuer)
    assert knock(refreshed, f"Bearer {door.token()}").status == 503


def test_many_threads_read_the_keys_once(door: Door) -> None:
    token, statuses = door.token(), list[int]()
    threads = [
        threading.Thread(target=lambda: statuses.append(knock(door, f"Bearer {token}").status)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert len(door.issuer.reads) == 2


def test_roles_may_come_as_one_text(door: Door) -> None:
    token = sign(door.world.clock.host_now(), roles="Backup.Reader")
    assert knock(door, f"Bearer {token}").status == 200
