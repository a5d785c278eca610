"""JSON schemas (draft 2020-12, as OpenAPI 3.1 has them) in few words."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from flexvault.api.bodies import Shape, Strict
from flexvault.domain.texts import LONGEST_REASON

type Schema = Mapping[str, Any]

ANYTHING: Schema = {}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "string", "format": "date-time"}
"""RFC 3339 in UTC, with a final `Z` where the API writes it."""
DATE: Schema = {"type": "string", "format": "date"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
POINT_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
REASON: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON, "pattern": r"\S"}
"""What a person must say; blanks alone are no reason."""
NULL: Schema = {"type": "null"}


def refer_to(name: str) -> Schema:
    """Point at a schema of the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """Allow null beside what a schema says."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, NULL]}


def a_list(of: Schema, *, at_most: int | None = None) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": of, **({} if at_most is None else {"maxItems": at_most})}


def words(known: type[StrEnum] | Sequence[str]) -> Schema:
    """Describe one of some words."""
    return {"type": "string", "enum": [str(word) for word in known]}


def answered(**members: Schema) -> Schema:
    """Describe an object that the API answers: all of its members, and no other."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def with_optional(schema: Schema, **members: Schema) -> Schema:
    """Add members to an answered object that are not always there."""
    return {**schema, "properties": {**schema["properties"], **members}}


def sent(shape: Shape, *required: str, **members: Schema) -> Schema:
    """Describe an object that clients send: the members of a shape, each with its type.

    A member that is not required may be null, which is the same as to leave it out, and so may any unknown one; unknown
    members with a value are refused where the shape is strict.

    Raises:
        ValueError: The types are not those of the shape's members.
    """
    if not isinstance(shape, Mapping) or set(members) != set(shape):
        message = f"the types are of {sorted(members)}, the shape has other members"
        raise ValueError(message)
    optional = {name: or_null(member) for name, member in members.items() if name not in required}
    return {
        "type": "object",
        "properties": {**members, **optional},
        "required": list(required),
        **({"additionalProperties": NULL} if isinstance(shape, Strict) else {}),
    }


def known_members(shape: Shape) -> Schema:
    """Describe what is known of a shape whose values are checked by more than a schema can say: the names alone."""
    if isinstance(shape, Mapping):
        members = {name: known_members(member) for name, member in shape.items()}
        closed = {"additionalProperties": NULL} if isinstance(shape, Strict) else {}
        return {"type": ["object", "null"], "properties": members, **closed}
    if isinstance(shape, Sequence):
        return {"type": ["array", "null"], "items": known_members(shape[0])}
    return ANYTHING
