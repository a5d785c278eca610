"""What a kind of event is: the rows that it reads and changes, and how it changes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flexvault.domain.journal import Entry
from flexvault.domain.rows import Change, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A row that an event reads or changes."""

    table: str
    partition: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Changes of one partition, carried out together."""

    table: str
    partition: str
    changes: tuple[Change, ...]


type Rows = Mapping[Target, Row | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """One kind of event."""

    name: str
    done_member: str
    """The member of the first target row that holds the id of this event once it is projected."""
    targets: Callable[[str, Mapping[str, Any]], tuple[Target, ...]]
    """(stream, body) -> rows; the first one tells whether the event is done."""
    project: Callable[[Entry, Rows], Sequence[Batch]]
