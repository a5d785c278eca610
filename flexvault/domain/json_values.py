"""Narrow what JSON gave, at the edge where its type is not known yet."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, cast

MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
"""What reading stored values raises when they have another shape than they should."""


def as_object(value: Any) -> Mapping[str, Any] | None:
    """Answer a JSON object, or nothing when it is something else."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def as_list(value: Any) -> Sequence[Any] | None:
    """Answer a JSON list, or nothing when it is something else."""
    return cast("Sequence[Any]", value) if isinstance(value, list) else None


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Say whether a value is a JSON object as it was parsed."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Say whether a value is a JSON list as it was parsed."""
    return isinstance(value, list)
