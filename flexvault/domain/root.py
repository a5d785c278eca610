"""A root: what every stream of the journal said at the end of a day, in one blob that the next root names by its hash.

JSON lines. The first one is the header: the day, the root before with its SHA-256, and of each stream the first and
the last number that this root holds and the hash of the last one. Each further line holds one entry as it is stored,
and its hash; by stream, then by number. Everything in it follows from the entries, so nothing in it can be changed
without contradicting either them or itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flexvault.domain import names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.json_values import MALFORMED


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """Which entries of a stream a root holds: none when `first` is `last` + 1."""

    first: int
    last: int
    """The stream's last number as of the root; everything up to it is covered by this root or an earlier one."""
    hash: str
    """SHA-256 of the entry of the last number; empty when there is none."""


NOTHING = Covered(first=1, last=0, hash="")


@dataclass(frozen=True, slots=True, kw_only=True)
class RootLine:
    """One entry in a root."""

    stream: str
    seq: int
    hash: str
    data: bytes
    """The entry as it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A day's root."""

    day: date
    previous_day: date | None
    """Of the root before; nothing for the first one."""
    previous_hash: str
    """SHA-256 of the root before; empty for the first one."""
    streams: Mapping[str, Covered]
    lines: Sequence[RootLine] = ()
    """In order of stream and number."""

    def to_bytes(self) -> bytes:
        """Write the root in the form that is hashed."""
        header = {
            "version": 1,
            "date": self.day.isoformat(),
            "previousDate": self.previous_day.isoformat() if self.previous_day else None,
            "previousHash": self.previous_hash,
            "streams": {
                stream: {"first": covered.first, "last": covered.last, "hash": covered.hash}
                for stream, covered in self.streams.items()
            },
        }
        lines = (b'{"entry":' + line.data + b',"hash":"' + line.hash.encode() + b'"}\n' for line in self.lines)
        return b"".join([names.canonical_json(header), b"\n", *lines])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Root":
        """Read a stored root.

        Raises:
            IntegrityError: code RootUnreadable: these bytes are none, or not in the form that is hashed.
        """
        try:
            header, *lines = data.removesuffix(b"\n").split(b"\n")
            root = cls._read(json.loads(header), [_read_line(json.loads(line)) for line in lines])
            is_same = root.to_bytes() == data
        except MALFORMED as error:
            raise _unreadable(type(error).__name__) from None
        if not is_same:
            raise _unreadable("it is not in the form that is hashed")
        return root

    @classmethod
    def _read(cls, header: Mapping[str, Any], lines: Sequence[RootLine]) -> "Root":
        previous = header["previousDate"]
        return cls(
            day=date.fromisoformat(header["date"]),
            previous_day=date.fromisoformat(previous) if previous else None,
            previous_hash=header["previousHash"],
            streams={
                stream: Covered(first=covered["first"], last=covered["last"], hash=covered["hash"])
                for stream, covered in header["streams"].items()
            },
            lines=lines,
        )


def _read_line(line: Mapping[str, Any]) -> RootLine:
    entry = line["entry"]
    return RootLine(stream=entry["stream"], seq=entry["seq"], hash=line["hash"], data=names.canonical_json(entry))


def _unreadable(reason: str) -> IntegrityError:
    return IntegrityError(f"what lies at the name of a root is none: {reason}", code="RootUnreadable")
