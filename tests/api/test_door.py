"""What every request passes: roles, paths, methods, sizes; and what every answer carries, failures included."""

import json
import logging
import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from flexvault.api.call import ApiOperation
from flexvault.api.roles import Role
from flexvault.api.signing_keys import fetch
from flexvault.api.table import OPERATIONS
from flexvault.domain.errors import (
    AlreadyExistsError,
    ConflictError,
    IntegrityError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    OutcomeUnknownError,
    PermanentError,
    PreconditionFailedError,
    RowChangedError,
    ThrottledError,
    TransientError,
    VaultError,
)
from tests import builders
from tests.api.doors import INSTANCE, ORIGIN, POLICY_ID, SUBSCRIPTION_SCOPE, VAULT_ID, Door, policy_body

GUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture
def door() -> Door:
    return Door()


def path_of(operation: ApiOperation) -> str:
    own = {
        "subscription": builders.SUBSCRIPTION,
        "group": "rg-flexvault",
        "vault": "flexvault",
        "name": "flexvault",
        "deleted": "flexvault",
        "policy": "daily",
        "instance": "pg-orders",
        "point": "0" * 32,
        "job": "00000000-0000-4000-8000-000000000000",
        "hold": "case-7",
        "approval": f"{'0' * 32}-0000",
        "location": "eastus",
        "operation": "00000000-0000-4000-8000-000000000000",
        "*resource": builders.SERVER_ID.lstrip("/"),
        "guard": "guard",
        "request": "default",
        "proxy": "DppResourceGuardProxy",
    }
    return operation.template.format(**own)


def of_each(*, guarded: bool = True) -> list[Any]:
    return [
        pytest.param(operation, id=f"{operation.method} {operation.template[-40:]}")
        for operation in OPERATIONS
        if (operation.role is not None) == guarded
    ]


# Roles ---------------------------------------------------------------------------------------------------------------

INCLUDED = {
    "reader": {Role.READER},
    "operator": {Role.READER, Role.OPERATOR},
    "contributor": {Role.READER, Role.OPERATOR, Role.CONTRIBUTOR},
    "approver": {Role.READER, Role.APPROVER},
    "nobody": set[Role](),
    "Backup.Owner": set[Role](),
    "backup.contributor": set[Role](),
}


@pytest.mark.parametrize("operation", of_each())
@pytest.mark.parametrize("person", INCLUDED)
def test_an_operation_lets_in_exactly_the_roles_that_include_its_own(
    door: Door, operation: ApiOperation, person: str
) -> None:
    answer = door.send(operation.method, path_of(operation), {}, person=person)
    assert (answer.status == 403) == (operation.role not in INCLUDED[person])


@pytest.mark.parametrize("operation", of_each())
def test_no_operation_is_open_to_a_caller_without_a_token(door: Door, operation: ApiOperation) -> None:
    assert door.send(operation.method, path_of(operation), {}, person=None).status == 401


def test_a_refusal_names_caller_operation_and_role(door: Door) -> None:
    refused = door.send("PUT", POLICY_ID, policy_body(), person="operator")
    assert refused.error["code"] == refused.header("x-ms-error-code") == "AuthorizationFailed"
    for named in ("oid-of-Backup.Operator", "backupPolicies/write", "Backup.Contributor", POLICY_ID):
        assert named in refused.error["message"]
    assert door.send("GET", POLICY_ID).status == 404, "nothing is left behind"


def test_alive_is_answered_to_everybody_and_tells_nothing(door: Door) -> None:
    alive = door.send("GET", "/vault/alive", person=None, query="")
    assert (alive.status, alive.json) == (200, {"status": "alive"})
    assert door.issuer.reads == []


# Paths and methods ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(VAULT_ID.upper(), id="upper case"),
        pytest.param(VAULT_ID.lower(), id="lower case"),
        pytest.param(VAULT_ID.replace("/resourceGroups/", "/resourcegroups/"), id="as the real service spells it"),
        pytest.param(f"{VAULT_ID}/", id="a slash at the end"),
        pytest.param(VAULT_ID.replace("/providers", "//providers"), id="a doubled slash"),
        pytest.param(VAULT_ID.replace("flexvault", "%66lexvault"), id="a letter escaped"),
    ],
)
def test_a_path_means_the_same_however_it_is_spelled(door: Door, path: str) -> None:
    found = door.send("GET", path)
    assert found.status == 200
    assert found.json["id"] == VAULT_ID


def test_the_prefix_compares_without_regard_to_case(door: Door) -> None:
    assert door.send("GET", f"https://vault.example/API{VAULT_ID}").status == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("/", 404, "ResourceNotFound", id="nothing"),
        pytest.param("/vault/metrics", 404, "ResourceNotFound", id="unknown own operation"),
        pytest.param(f"{VAULT_ID}/nothingOfTheKind", 404, "ResourceNotFound", id="unknown operation of the vault"),
        pytest.param(f"{VAULT_ID}x", 404, "ResourceNotFound", id="another vault"),
        pytest.param(VAULT_ID.replace("rg-flexvault", "rg-other"), 404, "ResourceNotFound", id="another group"),
        pytest.param(
            VAULT_ID.replace("1111-4111", "2222-4111"), 404, "SubscriptionNotFound", id="another subscription"
        ),
        pytest.param(f"{VAULT_ID}/backupPolicies/a%2Fb", 400, "InvalidRequestUri", id="an escaped slash in a name"),
        pytest.param(f"{VAULT_ID}/backupPolicies/a%5Cb", 400, "InvalidRequestUri", id="a backslash in a name"),
        pytest.param(f"{VAULT_ID}/backupPolicies/%2e%2e", 400, "InvalidRequestUri", id="two dots as a name"),
        pytest.param(f"{VAULT_ID}/backupPolicies/a%0Ab", 400, "InvalidRequestUri", id="a line break in a name"),
        pytest.param(f"{VAULT_ID}/backupPolicies/%FF", 400, "InvalidRequestUri", id="no UTF-8"),
        pytest.param(f"{VAULT_ID}/backupPolicies/{'n' * 261}", 400, "InvalidRequestUri", id="a very long name"),
        pytest.param("https://vault.example/other/api", 404, "ResourceNotFound", id="outside of the prefix"),
        pytest.param("https://vault.example/apix/vault/alive", 404, "ResourceNotFound", id="a longer prefix"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_arm_error(door: Door, path: str, status: int, code: str) -> None:
    refused = door.send("GET", path)
    assert (refused.status, refused.error["code"]) == (status, code)


def test_another_vault_is_told_which_vault_this_is(door: Door) -> None:
    refused = door.send("GET", f"{VAULT_ID}x/backupPolicies")
    assert VAULT_ID in refused.error["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        pytest.param("POST", VAULT_ID, "GET, PATCH, PUT", id="POST on the vault"),
        pytest.param("PATCH", POLICY_ID, "DELETE, GET, PUT", id="PATCH on a policy"),
        pytest.param("PATCH", INSTANCE, "DELETE, GET, PUT", id="PATCH on an instance"),
        pytest.param("GET", f"{INSTANCE}/backup", "POST", id="GET on a verb"),
        pytest.param("OPTIONS", VAULT_ID, "GET, PATCH, PUT", id="OPTIONS"),
        pytest.param("BREW", VAULT_ID, "GET, PATCH, PUT", id="no HTTP method"),
        pytest.param("POST", "/vault/alive", "GET", id="POST on alive"),
    ],
)
def test_another_method_is_405_with_what_is_allowed(door: Door, method: str, path: str, allowed: str) -> None:
    refused = door.send(method, path)
    assert (refused.status, refused.error["code"]) == (405, "MethodNotAllowed")
    assert refused.header("Allow") == allowed


def test_head_is_405_without_a_body(door: Door) -> None:
    refused = door.send("HEAD", VAULT_ID)
    assert (refused.status, refused.body, refused.header("Allow")) == (405, b"", "GET, PATCH, PUT")


def test_a_method_in_lower_case_is_understood(door: Door) -> None:
    assert door.send("get", VAULT_ID).status == 200


@pytest.mark.parametrize("version", ["2020-01-01", "2026-06-01", "2026-06-01-preview", "anything"])
def test_any_api_version_is_accepted(door: Door, version: str) -> None:
    assert door.send("GET", VAULT_ID, query=f"API-Version={version}").status == 200


@pytest.mark.parametrize("query", ["", "api-version=", "version=2026-06-01"])
def test_a_missing_api_version_is_refused_as_arm_does(door: Door, query: str) -> None:
    refused = door.send("GET", VAULT_ID, query=query)
    assert (refused.status, refused.error["code"]) == (400, "MissingApiVersionParameter")


# Bodies --------------------------------------------------------------------------------------------------------------


def test_a_body_over_a_mebibyte_is_refused(door: Door) -> None:
    assert door.send("PUT", POLICY_ID, b" " * (1024 * 1024) + b"{}").status == 413
    assert door.send("PUT", POLICY_ID, b" " * (1024 * 1024 - 2) + b"{}").error["code"] == "BMSUserErrorInvalidInput"


def test_an_encoded_body_is_refused(door: Door) -> None:
    refused = door.send("PUT", POLICY_ID, b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    assert (refused.status, refused.error["target"]) == (400, "Content-Encoding")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", "the body is empty (chunked bodies do not arrive: send Content-Length)", id="empty"),
        pytest.param(b"  \r\n", "the body is empty", id="blank"),
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"{'a': 1}", "not JSON", id="single quotes"),
        pytest.param(b"[]", "must be a JSON object", id="a list"),
        pytest.param(b'"text"', "must be a JSON object", id="a text"),
        pytest.param(b"null", "must be a JSON object", id="null"),
        pytest.param(b'{"a": 1, "a": 2}', "'a' twice", id="a member twice"),
        pytest.param(b'{"a": NaN}', "NaN is no JSON", id="NaN"),
        pytest.param(b'{"a": 1e999}', "too large", id="a number beyond all bounds"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "number that cannot be read", id="a number of 5,000 digits"),
        pytest.param(b'{"a": "\\ud800"}', "lone surrogate", id="half a character"),
        pytest.param(b'{"a": "\xff"}', "not UTF-8", id="no UTF-8"),
        pytest.param(b'{"a": ' + b"[" * 60 + b"]" * 60 + b"}", "nested deeper", id="nested deeply"),
        pytest.param(b"[" * 200_000, "not JSON", id="nested beyond reading"),
    ],
)
def test_a_body_that_is_no_object_is_explained(door: Door, body: bytes, said: str) -> None:
    refused = door.send("PUT", POLICY_ID, body)
    assert (refused.status, refused.error["code"]) == (400, "InvalidRequestContent")
    assert said in refused.error["message"]


def test_a_byte_order_mark_is_no_harm(door: Door) -> None:
    assert door.send("PUT", POLICY_ID, b"\xef\xbb\xbf" + json.dumps(policy_body()).encode()).status == 200


# Failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        pytest.param(InvalidInputError("x"), 400, id="invalid input"),
        pytest.param(PermanentError("x"), 400, id="permanent"),
        pytest.param(NotAuthorizedError("x"), 403, id="not authorized"),
        pytest.param(NotFoundError("x"), 404, id="not found"),
        pytest.param(ConflictError("x"), 409, id="conflict"),
        pytest.param(AlreadyExistsError("x"), 409, id="exists"),
        pytest.param(IntegrityError("x"), 409, id="tampered"),
        pytest.param(PreconditionFailedError("x"), 412, id="precondition"),
        pytest.param(ThrottledError("x"), 429, id="throttled"),
        pytest.param(TransientError("x"), 503, id="transient"),
        pytest.param(RowChangedError("x"), 503, id="contended"),
        pytest.param(OutcomeUnknownError("x"), 503, id="outcome unknown"),
        pytest.param(VaultError("x"), 500, id="unnamed"),
    ],
)
def test_every_kind_of_error_has_its_status(door: Door, error: VaultError, status: int) -> None:
    door.world.memory.faults.fail_next("rows.query", error)
    refused = door.send("GET", f"{VAULT_ID}/backupPolicies")
    assert refused.status == status
    assert refused.error["code"] == refused.header("x-ms-error-code") == error.code
    assert ("Retry-After" in refused.headers) == isinstance(error, TransientError)
    info = refused.error["additionalInfo"][0]["info"]
    assert (info["isRetryable"], info["isUserError"]) == (isinstance(error, TransientError), status < 500)


def test_a_pause_that_a_service_asked_for_is_handed_on(door: Door) -> None:
    door.world.memory.faults.fail_next("rows.query", ThrottledError("busy", retry_after_seconds=17))
    assert door.send("GET", f"{VAULT_ID}/backupPolicies").header("Retry-After") == "17"


def test_an_error_has_arms_shape_and_azure_backups_beside_it(door: Door) -> None:
    detail = InvalidInputError("is wrong", target="a.b")
    error = InvalidInputError("it is wrong", code="C", hint="mend it", target="a", inner_code="I", details=(detail,))
    door.world.memory.faults.fail_next("rows.query", error)
    headers = {"x-ms-correlation-request-id": "11111111-2222-3333-4444-555555555555"}
    refused = door.send("GET", f"{VAULT_ID}/backupPolicies", headers=headers)
    details = [{"code": "BMSUserErrorInvalidInput", "message": "is wrong", "target": "a.b"}]
    assert refused.error == {
        "code": "C",
        "message": "it is wrong",
        "target": "a",
        "details": details,
        "additionalInfo": [
            {
                "type": "UserFacingError",
                "info": {
                    "code": "C",
                    "message": "it is wrong",
                    "target": "a",
                    "recommendedAction": ["mend it"],
                    "isRetryable": False,
                    "isUserError": True,
                    "details": details,
                    "properties": {"ActivityId": "11111111-2222-3333-4444-555555555555"},
                    "innerError": {"code": "I"},
                },
            }
        ],
    }


def test_something_unexpected_is_500_and_its_secrets_stay_out(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    def explode() -> None:
        raise RuntimeError("GET https://a.blob.core.windows.net/c?sv=1&sig=PLANTED failed")

    door.world.memory.faults.run_next("rows.query", explode)
    with caplog.at_level(logging.INFO):
        refused = door.send("GET", f"{VAULT_ID}/backupPolicies")
    assert (refused.status, refused.error["code"]) == (500, "InternalServerError")
    correlation = refused.header("x-ms-correlation-request-id")
    assert correlation in refused.error["message"]
    assert "PLANTED" not in refused.body.decode() + caplog.text
    assert "RuntimeError" in caplog.text
    assert correlation in caplog.text


# Headers and the log -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "person"),
    [
        pytest.param("GET", VAULT_ID, "reader", id="success"),
        pytest.param("GET", "/nothing", "reader", id="refusal"),
        pytest.param("GET", VAULT_ID, None, id="no token"),
        pytest.param("DELETE", POLICY_ID, "contributor", id="no body"),
    ],
)
def test_every_answer_carries_its_ids_and_is_kept_by_nobody(
    door: Door, method: str, path: str, person: str | None
) -> None:
    answer = door.send(method, path, person=person)
    assert re.fullmatch(GUID, answer.header("x-ms-request-id"))
    assert answer.header("x-ms-correlation-request-id") == answer.header("x-ms-request-id")
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Content-Type") == ("application/json; charset=utf-8" if answer.body else "")


def test_header_values_are_ascii_without_line_breaks(door: Door) -> None:
    odd = {
        "x-ms-correlation-request-id": "a\r\nb" * 4,
        "x-ms-client-request-id": "ü\n",
        "x-ms-return-client-request-id": "true",
    }
    name = "größe ünd mehr"
    answers = [
        door.send("GET", f"{VAULT_ID}/backupPolicies/{name}", headers=odd),
        door.send("PUT", f"{VAULT_ID}/backupInstances/{name}", {}, headers=odd),
    ]
    for answer in answers:
        for value in answer.headers.values():
            assert re.fullmatch(r"[ -~]*", value)


def test_ids_of_the_client_are_sent_back(door: Door) -> None:
    headers = {
        "X-Ms-Correlation-Request-Id": "11111111-2222-3333-4444-555555555555",
        "x-ms-client-request-id": "mine",
        "x-ms-return-client-request-id": "True",
    }
    answer = door.send("GET", VAULT_ID, headers=headers)
    assert answer.header("x-ms-correlation-request-id") == "11111111-2222-3333-4444-555555555555"
    assert answer.header("x-ms-client-request-id") == "mine"


def test_forwarded_headers_change_no_url(door: Door) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "X-Original-URL": "/evil"}
    door.protect()
    started = door.send("POST", f"{INSTANCE}/backup", {"backupRuleOptions": {"ruleName": "Default"}}, headers=headers)
    assert started.header("Location").startswith(f"{ORIGIN}{SUBSCRIPTION_SCOPE}/locations/eastus/operationResults/")


def test_urls_follow_the_address_that_the_client_used(door: Door) -> None:
    door.protect()
    path = f"http://127.0.0.1:7071/api{INSTANCE}/backup"
    started = door.send("POST", path, {"backupRuleOptions": {"ruleName": "Default"}}, query="api-version=2024-04-01")
    for header in ("Location", "Azure-AsyncOperation"):
        assert started.header(header).startswith("http://127.0.0.1:7071/api/subscriptions/")
        assert started.header(header).endswith("?api-version=2024-04-01")


@pytest.mark.parametrize("address", ["http://vault.example/api", "HTTP://somebody:secret@vault.example/api"])
def test_no_url_leads_a_client_of_a_domain_away_from_tls(door: Door, address: str) -> None:
    door.protect()
    started = door.send("POST", f"{address}{INSTANCE}/stopProtection")
    for header in ("Location", "Azure-AsyncOperation"):
        assert started.header(header).startswith("https://vault.example/api/subscriptions/")


def test_each_request_is_one_line_in_the_log_without_its_query(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="flexvault.api"):
        door.send("GET", VAULT_ID, person="reader", query="api-version=1&code=SECRET")
        door.send("GET", VAULT_ID, person=None)
        door.send("GET", f"{VAULT_ID}/backupPolicies/a%0Aforged", person="reader")
    assert len(caplog.messages) == 3
    assert f"GET /api{VAULT_ID} answered 200 OK" in caplog.messages[0]
    assert "caller oid-of-Backup.Reader" in caplog.messages[0]
    assert "answered 401 AuthenticationFailed" in caplog.messages[1]
    assert "SECRET" not in caplog.text
    assert all("\n" not in message for message in caplog.messages)


# The table -----------------------------------------------------------------------------------------------------------


def test_no_two_operations_share_method_and_path() -> None:
    places = [(operation.method, re.sub(r"\{\w+\}", "{}", operation.template.lower())) for operation in OPERATIONS]
    assert len(places) == len(set(places))


def test_only_alive_is_open() -> None:
    assert [operation.template for operation in OPERATIONS if operation.role is None] == ["/vault/alive"]


COMPUTES_ONLY = {
    "/vault/simulatePolicy",
    "/vault/retentionPreview",
    "/vault/verify",
    *(
        operation.template
        for operation in OPERATIONS
        if re.search(
            "/(findRestorableTimeRanges|checkNameAvailability|checkFeatureSupport|fetch[A-Za-z]+)$", operation.template
        )
    ),
}
"""What is asked with a body and changes nothing."""


def test_whatever_changes_something_needs_more_than_reader() -> None:
    changing = [one for one in OPERATIONS if one.method != "GET" and one.template not in COMPUTES_ONLY]
    assert {operation.role for operation in changing} == {
        Role.OPERATOR,
        Role.CONTRIBUTOR,
        Role.APPROVER,
    }
    assert {operation.role for operation in OPERATIONS if operation.method in {"PUT", "DELETE"}} == {Role.CONTRIBUTOR}


# Reading the issuer's pages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://issuer.example/keys", "file:///etc/passwd", "file://localhost/etc/passwd"])
def test_keys_are_read_over_https_only(url: str) -> None:
    with pytest.raises(OSError, match="https"):
        fetch(url)


def test_keys_of_this_machine_are_read_over_http() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's parameter
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        assert fetch(f"http://127.0.0.1:{server.server_port}/keys") == b"{}"
        thread.join()
