"""Whoever may not do something is refused, told why, and journalled: every operation, every kind of wrong token."""

import base64
import hmac
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flexvault.api.resource_ids import PROVIDER
from flexvault.api.table import OPERATIONS
from flexvault.domain.errors import TransientError
from flexvault.domain.journal import Entry
from tests.api.doors import AUDIENCE, INSTANCE, ISSUER, POLICY_ID, VAULT_ID, Door, policy_body, private_key, sign
from tests.api.test_door import INCLUDED, path_of
from tests.services.invariants import entries, require_whole_journal

CORRELATION = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-aaaaaaaaaaaa"
SENT = {
    "x-forwarded-for": "198.51.100.1, 203.0.113.7:51234",
    "x-ms-correlation-request-id": CORRELATION,
    "x-ms-client-request-id": CLIENT,
}
GUARDED = [operation for operation in OPERATIONS if operation.role is not None]


@pytest.fixture
def door() -> Door:
    return Door()


def refused(door: Door) -> list[Entry]:
    return [entry for entry in entries(door.world, "vault") if entry.type == "AccessRefused"]


def claims(door: Door, **changed: Any) -> dict[str, Any]:
    now = int(door.world.clock.host_now().timestamp())
    made = {"iss": ISSUER, "aud": AUDIENCE, "oid": "oid-forged", "roles": ["Backup.Contributor"], "exp": now + 3600}
    return made | changed


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned(door: Door) -> str:
    return f"{encoded({'alg': 'none', 'typ': 'JWT', 'kid': 'issuer'})}.{encoded(claims(door))}."


def by_public_key(door: Door) -> str:
    """HS256 with the issuer's public key as the secret; PyJWT refuses to make it, so it is made by hand."""
    secret = private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'issuer'})}.{encoded(claims(door))}"
    mac = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def tampered(door: Door) -> str:
    head, body, signature = door.token("reader").split(".")
    read = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{encoded({**read, 'roles': ['Backup.Contributor']})}.{signature}"


WRONG_TOKENS: dict[str, tuple[str, Callable[[Door], str | None]]] = {
    "no token": ("AuthenticationFailed", lambda door: None),
    "no bearer": ("AuthenticationFailed", lambda door: "Basic dXNlcjpwYXNz"),
    "forged with another key": (
        "InvalidAuthenticationToken",
        lambda door: f"Bearer {door.token(key='forger', kid='issuer')}",
    ),
    "changed after signing": ("InvalidAuthenticationToken", lambda door: f"Bearer {tampered(door)}"),
    "key of nobody": ("InvalidAuthenticationToken", lambda door: f"Bearer {door.token(key='forger')}"),
    "expired": (
        "ExpiredAuthenticationToken",
        lambda door: f"Bearer {door.token(exp=int(door.world.clock.host_now().timestamp()) - 301)}",
    ),
    "foreign issuer": (
        "InvalidAuthenticationTokenIssuer",
        lambda door: f"Bearer {door.token(iss='https://sts.windows.net/other/')}",
    ),
    "for another audience": (
        "InvalidAuthenticationTokenAudience",
        lambda door: f"Bearer {door.token(aud='https://management.azure.com')}",
    ),
    "alg none": ("InvalidAuthenticationToken", lambda door: f"Bearer {unsigned(door)}"),
    "HS256 with the public key": ("InvalidAuthenticationToken", lambda door: f"Bearer {by_public_key(door)}"),
}


@pytest.mark.parametrize("wrong", WRONG_TOKENS)
def test_a_wrong_token_is_refused_at_every_operation_and_journalled_as_nobodys(wrong: str) -> None:
    door = Door()
    code, make = WRONG_TOKENS[wrong]
    for operation in GUARDED:
        door.world.clock.advance(timedelta(hours=1))  # what is alike within an hour is another test's
        authorization = make(door)
        headers = SENT | ({"Authorization": authorization} if authorization else {})
        answer = door.send(operation.method, path_of(operation), {}, person=None, headers=headers)
        assert (answer.status, answer.error["code"]) == (401, code), operation.name
        entry = refused(door)[-1]
        assert entry.actor == {"from": "203.0.113.7", "correlation_id": CORRELATION}, "what is not proven names nobody"
        assert entry.body == {
            "code": code,
            "status": 401,
            "operation": operation.name,
            "needs": operation.role,
            "roles": [],
            "method": operation.method,
            "path": f"/api{path_of(operation)}".lower(),
            "from": "203.0.113.7",
            "request_id": answer.header("x-ms-request-id"),
            "client_request_id": CLIENT,
            "suppressed": 0,
        }
        require_no_token(door, authorization)
    require_whole_journal(door.world)


def require_no_token(door: Door, authorization: str | None) -> None:
    token = (authorization or "").rpartition(" ")[2]
    stored = refused(door)[-1].to_bytes().decode()
    assert not token or token not in stored
    assert "eyJ" not in stored + str(door.world.memory.telemetry.events[-1])


@pytest.mark.parametrize("person", ["nobody", "reader", "operator", "contributor", "approver", "Backup.Owner"])
def test_too_little_a_role_is_refused_at_every_operation_with_the_role_that_it_needs(person: str) -> None:
    door = Door()
    for operation in GUARDED:
        if operation.role in INCLUDED[person]:
            continue
        door.world.clock.advance(timedelta(hours=1))
        answer = door.send(operation.method, path_of(operation), {}, person=person, headers=SENT)
        assert (answer.status, answer.error["code"]) == (403, "AuthorizationFailed")
        assert f"it needs the role {operation.role}" in answer.error["message"]
        entry = refused(door)[-1]
        role = person if "." in person or person == "nobody" else f"Backup.{person.title()}"
        assert entry.actor == {
            "oid": f"oid-of-{role}",
            "name": "Somebody",
            "from": "203.0.113.7",
            "correlation_id": CORRELATION,
        }
        assert (entry.body["operation"], entry.body["needs"]) == (operation.name, operation.role)
        assert entry.body["roles"] == [role]
    require_whole_journal(door.world)


@pytest.mark.parametrize(
    "roles", ["Backup.Contributor,Backup.Reader", ["backup.contributor"], {"a": 1}, 5, [["Backup.Reader"]]]
)
def test_roles_of_another_form_are_none(door: Door, roles: Any) -> None:
    token = sign(door.world.clock.host_now(), roles=roles)
    for operation in GUARDED:
        answer = door.send(
            operation.method, path_of(operation), {}, person=None, headers={"Authorization": f"Bearer {token}"}
        )
        assert (answer.status, answer.error["code"]) == (403, "AuthorizationFailed")


def test_a_probe_of_an_unknown_path_is_401_and_journalled(door: Door) -> None:
    for path in ("/.env", f"{VAULT_ID}x", "/vault/%FF", f"{VAULT_ID}/backupPolicies/%2e%2e"):
        assert door.send("GET", path, person=None, headers=SENT).status == 401
    assert [entry.body["operation"] for entry in refused(door)] == ["unknown", f"{PROVIDER}/backupVaults/read"]
    assert refused(door)[0].body["path"] == "/api/.env"


def test_what_fails_for_another_reason_is_no_refusal(door: Door) -> None:
    door.send("GET", "/nothing")
    door.send("PUT", POLICY_ID, b"{")
    door.issuer.is_down = True
    door.seconds += 10**6
    assert door.send("GET", VAULT_ID).status == 503
    assert refused(door) == []


def test_who_would_approve_their_own_request_is_journalled(door: Door) -> None:
    door.protect()
    both = {"Authorization": f"Bearer {door.token(oid='both', roles=['Backup.Contributor', 'Backup.Approver'])}"}
    approval = door.send("DELETE", INSTANCE, person=None, headers=both).error["target"]
    assert refused(door) == [], "what waits for a second person is journalled as that"
    answer = door.send("POST", f"/vault/approvals/{approval}/approve", person=None, headers=both, query="")
    assert answer.status == 403
    (entry,) = refused(door)
    assert (entry.body["code"], entry.actor["oid"]) == ("AuthorCannotApprove", "both")


def test_every_refusal_is_told_to_operations(door: Door) -> None:
    for _ in range(3):
        door.send("PUT", POLICY_ID, policy_body(), person="reader", headers=SENT)
    told = [facts for event, facts in door.world.memory.telemetry.events if event == "AccessRefused"]
    assert len(told) == 3
    assert told[0] == {
        "code": "AuthorizationFailed",
        "operation": "Microsoft.DataProtection/backupVaults/backupPolicies/write",
        "needs": "Backup.Contributor",
        "oid": "oid-of-Backup.Reader",
        "from": "203.0.113.7",
        "correlation_id": CORRELATION,
    }


def test_a_secret_in_a_path_or_an_id_is_not_kept(door: Door) -> None:
    token = door.token()
    headers = {"x-ms-client-request-id": token, "x-ms-correlation-request-id": token}
    door.send("GET", f"/vault/{token[:200]}/x", person=None, headers=headers)
    (entry,) = refused(door)
    assert "[redacted]" in entry.body["path"]
    assert entry.body["client_request_id"] is None
    assert "eyj" not in entry.to_bytes().decode().lower()


@pytest.mark.parametrize(
    "segment",
    [
        "bearer%20opaqueTOKEN12345678",
        "%65yJhbGciOiJS.eyJhdWQiOiJ4.c2lnbmF0dXJl",
        "accountkey%3DSECRETKEY",
        "SharedAccessSignature%253Dabc",
        f"{'a' * 40}%2B{'b' * 45}%3D%3D",
        "s%69g=SECRET",
    ],
)
def test_a_secret_is_not_kept_however_it_is_escaped(door: Door, segment: str, caplog: pytest.LogCaptureFixture) -> None:
    url = f"https://vault.example/api{INSTANCE}/{segment}?api-version=1"
    with caplog.at_level(logging.INFO):
        door.send("GET", url, person=None)
    (entry,) = refused(door)
    assert entry.body["path"].endswith("/pg-orders/[redacted]")
    assert segment not in caplog.text


def test_one_network_of_many_addresses_hides_no_other_stranger(door: Door) -> None:
    for number in range(40):
        door.send("GET", VAULT_ID, person=None, headers={"x-forwarded-for": f"2001:db8::{number + 1:x}"})
    door.send("GET", VAULT_ID, person=None, headers={"x-forwarded-for": "203.0.113.7"})
    assert [entry.body["from"] for entry in refused(door)] == ["2001:db8::1", "203.0.113.7"]


def test_storage_trouble_changes_no_answer(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    healthy = door.send("PUT", POLICY_ID, policy_body(), person="reader", headers=SENT)
    door.world.clock.advance(timedelta(hours=1))
    door.world.memory.faults.fail_next("vault_writer.create", TransientError("storage is away"))
    with caplog.at_level(logging.ERROR):
        answer = door.send("PUT", POLICY_ID, policy_body(), person="reader", headers=SENT)
    assert (answer.status, answer.error) == (healthy.status, healthy.error)
    assert caplog.messages == []
    failed = [facts for event, facts in door.world.memory.telemetry.events if event == "RefusalNotJournalled"]
    assert failed == [{"code": "ServiceUnavailable", "refused": "AuthorizationFailed"}]
    door.send("DELETE", POLICY_ID, person="reader", headers=SENT)
    assert refused(door)[-1].body["suppressed"] == 1, "the next entry tells of the one that is missing"


def test_a_refusal_keeps_nobody_from_a_change(door: Door) -> None:
    door.send("PUT", POLICY_ID, policy_body(), person="reader")
    assert door.send("PUT", POLICY_ID, policy_body()).status == 200
    door.send("DELETE", POLICY_ID, person="reader")
    assert [entry.type for entry in entries(door.world, "vault")] == ["AccessRefused", "PolicyChanged", "AccessRefused"]
