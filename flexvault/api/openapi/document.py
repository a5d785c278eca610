"""Write the document: every row of the vault's own operations, with its contract."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flexvault.api.call import Answer, ApiOperation, Call
from flexvault.api.openapi.components import SCHEMAS
from flexvault.api.openapi.contracts import JSON, Contract, contract_of
from flexvault.api.openapi.refusals import ANYBODYS, CALLERS, COMMON_HEADERS, list_refusals, refuse_with
from flexvault.api.openapi.schemas import TEXT, Schema
from flexvault.api.routing import MAX_SEGMENT
from flexvault.services.holds import LONGEST_NAME

SCHEME = "entra"
_PARAM = re.compile(r"\{(\w+)\}")
_SEGMENT: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_SEGMENT,
    "pattern": r"^[^/\\\x00-\x1f\x7f-\x9f]+$",
    "not": {"enum": [".", ".."]},
}
_PATH_PARAMETERS: Mapping[str, str] = {
    "instance": "Name of a backup instance.",
    "point": "Id of a recovery point: 32 hexadecimal digits, or the same as a GUID.",
    "approval": "Id of an approval.",
    "hold": f"Name of a legal hold; a new one has at most {LONGEST_NAME} printable characters, none of <>*%&:?#+.",
}
_HEADERS = ("x-ms-client-request-id", "x-ms-correlation-request-id", "x-ms-return-client-request-id")


def answer_document(call: Call, operations: Sequence[ApiOperation]) -> Answer:
    """Show the document of operations under the address that the client used."""
    return Answer(body=write_document(operations, origin=call.links.origin))


def write_document(operations: Sequence[ApiOperation], *, origin: str) -> dict[str, Any]:
    """Write the document of some operations.

    Args:
        operations: Rows of the operation table, each with a contract.
        origin: Scheme, host and prefix of the API, without a final slash.

    Raises:
        LookupError: An operation has no contract.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.template, _write_path(operation))[operation.method.lower()] = _write(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "flexvault: what Azure Backup lacks",
            "version": "1",
            "description": "The vault's own operations. Azure Backup's lie beside them, as Microsoft.DataProtection "
            "2026-06-01 has them. Names of members compare without regard to case; a null is a member left out.",
        },
        "servers": [{"url": origin}],
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "responses": list_refusals(),
            "parameters": {name: _header(name) for name in _HEADERS},
            "securitySchemes": {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An Entra token for the vault's app registration; its app roles are in `roles`.",
                }
            },
        },
    }


def _write_path(operation: ApiOperation) -> dict[str, Any]:
    own = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": _SEGMENT,
        }
        for name in _PARAM.findall(operation.template)
    ]
    return {"parameters": [*own, *({"$ref": f"#/components/parameters/{name}"} for name in _HEADERS)]}


def _write(operation: ApiOperation) -> dict[str, Any]:
    contract = contract_of(operation.method, operation.template)
    summary = " ".join((operation.handler.__doc__ or "").strip().partition("\n")[0].split())
    refusals = ANYBODYS if operation.role is None else (*ANYBODYS, *CALLERS)
    written: dict[str, Any] = {
        "operationId": _operation_id(operation),
        "summary": summary,
        "x-required-role": None if operation.role is None else operation.role.value,
        "x-action": operation.name,
        "security": [] if operation.role is None else [{SCHEME: [operation.role.value]}],
        "responses": {
            **{str(int(status)): _success(status, contract) for status in sorted(operation.statuses)},
            **refuse_with(refusals),
        },
    }
    if contract.query:
        written["parameters"] = [
            {
                "name": one.name,
                "in": "query",
                "required": one.is_required,
                "description": one.description,
                "schema": one.schema,
            }
            for one in contract.query
        ]
    if contract.request is not None:
        example = {} if contract.example is None else {"example": contract.example}
        written["requestBody"] = {
            "required": not contract.is_body_optional,
            "content": {JSON: {"schema": contract.request, **example}},
        }
    return written


def _success(status: HTTPStatus, contract: Contract) -> dict[str, Any]:
    headers = {"headers": dict(COMMON_HEADERS)}
    if status is HTTPStatus.NO_CONTENT:
        return {"description": "There was nothing to do.", **headers}
    if contract.answer is None:
        return {"description": "Done.", **headers}
    if contract.media_type != JSON:
        attachment = {"Content-Disposition": {"description": "The file's name.", "schema": TEXT, "required": True}}
        content = {contract.media_type: contract.answer}
        return {"description": "A file.", "headers": {**headers["headers"], **attachment}, "content": content}
    return {"description": "Done.", **headers, "content": {JSON: {"schema": contract.answer}}}


def _header(name: str) -> dict[str, Any]:
    texts = {
        "x-ms-client-request-id": "The client's name of this request; a repetition is answered as the first one.",
        "x-ms-correlation-request-id": "A plain id under which logs and journal keep the request.",
        "x-ms-return-client-request-id": "`true` has the client's name sent back.",
    }
    return {"name": name, "in": "header", "description": texts[name], "schema": TEXT}


def _operation_id(operation: ApiOperation) -> str:
    """Name an operation by its method and the words of its path: `GetVaultBreaker`."""
    words = re.findall(r"\w+", operation.template)
    return operation.method.title() + "".join(word[0].upper() + word[1:] for word in words)
