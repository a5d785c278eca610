"""The OpenAPI document: nothing of the vault's own operations is missing in it, and no answer is otherwise."""

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from flexvault.api import shapes
from flexvault.api.openapi.contracts import CONTRACTS
from flexvault.api.openapi.document import write_document
from flexvault.api.openapi.schemas import TEXT, sent
from flexvault.api.table.own import OWN
from flexvault.api.wire import Response
from tests.api.conforming import NotAsDocumentedError, require_documented
from tests.api.doors import ORIGIN, Door, policy_body

OPENAPI = "/vault/openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer = Door().send("GET", OPENAPI, person="reader", query="")
    assert answer.status == 200
    return answer.json


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }


def test_every_own_operation_is_in_the_document_with_its_role(document: dict[str, Any]) -> None:
    found = {place: operation["x-required-role"] for place, operation in operations(document).items()}
    assert found == {(row.method, row.template): None if row.role is None else row.role.value for row in OWN}
    for place, operation in operations(document).items():
        role = operation["x-required-role"]
        assert operation["security"] == ([] if role is None else [{"entra": [role]}]), place


def test_every_contract_has_a_row(document: dict[str, Any]) -> None:
    assert set(CONTRACTS) == {(row.method, row.template) for row in OWN}


def test_an_operation_without_a_contract_cannot_be_written() -> None:
    with pytest.raises(LookupError, match=r"GET /vault/new has no contract"):
        write_document([replace(OWN[0], template="/vault/new")], origin=ORIGIN)


def test_a_member_that_a_shape_reads_cannot_be_left_out_of_its_type() -> None:
    with pytest.raises(ValueError, match="the shape has other members"):
        sent(shapes.HOLD, "reason", reason=TEXT)


def test_it_names_the_address_that_the_client_used(document: dict[str, Any]) -> None:
    assert document["servers"] == [{"url": ORIGIN}]
    local = Door().send("GET", f"http://127.0.0.1:7071/api{OPENAPI}", person="reader", query="")
    assert local.json["servers"] == [{"url": "http://127.0.0.1:7071/api"}]


def test_it_is_shown_to_those_who_may_read(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert Door().send("GET", OPENAPI, person=None, query="").status == 401


def test_every_schema_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                target: Any = document
                for part in node["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
            if isinstance(node.get("schema"), dict):
                assert meta.is_valid(node["schema"]), node["schema"]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    assert all(meta.is_valid(schema) for schema in document["components"]["schemas"].values())


def test_names_of_operations_are_unique_and_each_says_what_it_does(document: dict[str, Any]) -> None:
    found = list(operations(document).values())
    assert len({operation["operationId"] for operation in found}) == len(found)
    assert [operation["operationId"] for operation in found if not operation["summary"].endswith(".")] == []


def test_every_example_is_valid_and_accepted(document: dict[str, Any]) -> None:
    door = Door()
    door.protect_and_back_up()
    seen = 0
    for (method, path), operation in operations(document).items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in content:
            continue
        seen += 1
        Draft202012Validator({**content["schema"], "components": document["components"]}).validate(content["example"])
        real = path.replace("{instance}", "pg-orders").replace("{hold}", "case-7")
        assert door.send(method, real, content["example"], query="").status == 200, path
    assert seen >= 5


# What holds every answer of the API's tests against it ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": 418}, "not documented"),
        ({"headers": {"x-ms-request-id": "1"}}, "without"),
        ({"body": b""}, "with a body of 0 bytes"),
        ({"body": json.dumps({"state": "On", "more": 1}).encode()}, "Additional properties"),
        ({"body": json.dumps({"state": "Maybe"}).encode()}, "is not one of"),
        ({"body": b"{}"}, "required"),
    ],
)
def test_an_answer_that_is_not_as_documented_fails_the_test_that_got_it(changes: dict[str, Any], why: str) -> None:
    url = f"{ORIGIN}/vault/poisoningGuard"
    headers = {"x-ms-request-id": "12345678", "x-ms-correlation-request-id": "12345678"}
    good = Response(status=200, headers=headers, body=b'{"state":"On"}')
    require_documented("GET", url, good)
    with pytest.raises(NotAsDocumentedError, match=why):
        require_documented("GET", url, replace(good, **changes))


def test_a_policy_may_be_sent_as_the_resource_or_as_its_properties(document: dict[str, Any]) -> None:
    content = operations(document)["POST", "/vault/simulatePolicy"]["requestBody"]["content"]["application/json"]
    validator = Draft202012Validator({**content["schema"], "components": document["components"]})
    for policy in (policy_body(), policy_body()["properties"]):
        validator.validate({"policy": policy, "from": "2026-01-01T00:00:00Z", "years": 1})
