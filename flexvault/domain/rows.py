"""Rows of Table Storage and the changes that can be made to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

type Scalar = str | int | float | bool | datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stored row."""

    key: str
    values: Mapping[str, Scalar]
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """Create a row; fails when it exists."""

    key: str
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Write a row whole, if it is still the one that was read."""

    key: str
    values: Mapping[str, Scalar]
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Change the named members; without an ETag whatever version there is, but it must exist."""

    key: str
    values: Mapping[str, Scalar]
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove a row, if it is still the one that was read."""

    key: str
    etag: str


type Change = Insert | Replace | Merge | Delete
