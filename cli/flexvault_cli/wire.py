"""The vault's JSON, read without trust: a member that is missing is None, a list that is missing is empty."""

from typing import Any, TypeGuard

type Json = dict[str, Any]


def dig(document: Json, path: str) -> Any:
    """Answer the value at a dotted path, or None."""
    node: Any = document
    for part in path.split("."):
        try:
            node = node[part]
        except (KeyError, TypeError):
            return None
    return node


def dig_list(document: Json, path: str) -> list[Json]:
    """Answer the list at a dotted path; an absent or null one is empty."""
    found = dig(document, path)
    if not found:
        return []
    return found


def is_object(value: Any) -> TypeGuard[Json]:
    """Say whether a value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Say whether a value is a JSON list."""
    return isinstance(value, list)
