"""Holds every answer of the vault's own operations against the OpenAPI document."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema_rs import Draft202012Validator

from flexvault.api.call import ApiOperation
from flexvault.api.openapi.document import write_document
from flexvault.api.routing import match
from flexvault.api.table.own import OWN
from flexvault.api.wire import Response

JSON = "application/json"


class NotAsDocumentedError(AssertionError):
    """An answer that the document does not know."""


def require_documented(method: str, url: str, response: Response) -> None:
    """Compare status, headers and body of an own operation's answer with the document; others are passed over."""
    operation = find_own(method, url)
    if operation is None:
        return
    documented = responses_of(operation.template, operation.method).get(str(response.status))
    where = f"{method} {operation.template} answered {response.status}"
    if documented is None:
        raise NotAsDocumentedError(f"{where}, which is not documented")
    names = {name.lower() for name in response.headers}
    missing = [name for name in documented.get("headers", {}) if name.lower() not in names]
    if missing:
        raise NotAsDocumentedError(f"{where} without {missing}")
    content = documented.get("content", {})
    if bool(content) is not bool(response.body):
        raise NotAsDocumentedError(f"{where} with a body of {len(response.body)} bytes")
    sent = {name.lower(): value for name, value in response.headers.items()}.get("content-type", JSON).partition(";")[0]
    if content and sent not in content:
        raise NotAsDocumentedError(f"{where} with the media type {sent}")
    if JSON in content:
        checker = validator(operation.template, operation.method, str(response.status))
        wrong = [
            f"{'.'.join(map(str, error.instance_path))}: {error.message}"
            for error in checker.iter_errors(json.loads(response.body))
        ]
        if wrong:
            raise NotAsDocumentedError(f"{where}: {'; '.join(wrong)}")


def find_own(method: str, url: str) -> ApiOperation | None:
    path = urlsplit(url).path
    if not path.lower().startswith("/api/vault/") or "%2f" in path.lower():
        return None
    segments = [unquote(part) for part in path.split("/")[2:] if part]
    for operation in OWN:
        if operation.method == method.upper() and match(operation.template, segments) is not None:
            return operation
    return None


@cache
def the_document() -> Mapping[str, Any]:
    return write_document(OWN, origin="https://vault.example/api")


def responses_of(template: str, method: str) -> Mapping[str, Any]:
    written = the_document()["paths"][template][method.lower()]["responses"]
    components = the_document()["components"]["responses"]
    return {
        status: components[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
        for status, answer in written.items()
    }


@cache
def validator(template: str, method: str, status: str) -> Draft202012Validator:
    schema = responses_of(template, method)[status]["content"][JSON]["schema"]
    whole = {**schema, "components": the_document()["components"]}
    return Draft202012Validator(whole, validate_formats=True)
