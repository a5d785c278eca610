"""What a row may hold: the limits of Table Storage, checked before anything is sent."""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite

from flexvault.domain.errors import PermanentError

MAX_CHANGES = 100
"""Changes of one transaction."""
MAX_TEXT_UNITS = 32 * 1024
"""UTF-16 code units of one text: 64 KiB."""
MAX_MEMBERS = 252
"""Members of one row; Table Storage allows 255 with its own three."""
MAX_INT = 2**63 - 1
"""Largest whole number."""

_RESERVED = frozenset({"PartitionKey", "RowKey", "Timestamp"})
_FIRST_YEAR = 1601


def check_row(table: str, key: str, values: Mapping[str, object]) -> None:
    """Refuse what Table Storage cannot keep as it is.

    Raises:
        PermanentError: code RowNotStorable, naming table, row and member.
    """
    where = f"row '{key}' of table '{table}'"
    if len(values) > MAX_MEMBERS:
        raise _not_storable(f"{where} has {len(values)} members, at most {MAX_MEMBERS} fit")
    for name, value in values.items():
        if mistake := _mistake(name, value):
            raise _not_storable(f"member '{name}' of {where} {mistake}")


def check_changes(table: str, keys: list[str]) -> None:
    """Refuse a transaction that is too long or names a row twice.

    Raises:
        PermanentError: code RowNotStorable.
    """
    if len(keys) > MAX_CHANGES:
        message = f"a transaction on table '{table}' has {len(keys)} changes, at most {MAX_CHANGES} are allowed"
        raise _not_storable(message)
    if len(set(keys)) < len(keys):
        raise _not_storable(f"a transaction on table '{table}' names a row twice")


def _not_storable(message: str) -> PermanentError:
    hint = "send less: shorter texts, or fewer of them; nothing was written"
    return PermanentError(message, code="RowNotStorable", hint=hint)


def _mistake(name: str, value: object) -> str:
    if name in _RESERVED:
        return "has a reserved name"
    match value:
        case str():
            units = len(value.encode("utf-16-le", "surrogatepass")) // 2
            return f"has {units} characters, at most {MAX_TEXT_UNITS} fit" if units > MAX_TEXT_UNITS else ""
        case datetime():
            return _time_mistake(value)
        case int():
            return "" if -MAX_INT - 1 <= value <= MAX_INT else "is a whole number of over 64 bits"
        case float():
            return "" if isfinite(value) else "is no number"
        case _:
            return f"is of type {type(value).__name__}, which no row can hold"


def _time_mistake(value: datetime) -> str:
    if value.tzinfo is None:
        return "is a time without a zone"
    return f"is a time before {_FIRST_YEAR}" if value.year < _FIRST_YEAR else ""
