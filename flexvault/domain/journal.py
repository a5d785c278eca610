"""Journal entries: one change each, hash-chained per stream, and how each kind of event changes the tables.

The entry is the commit, the rows are its projection. A target row keeps the id of every kind of event that happens
once (`sealed_event_id`, `closed_event_id`, ...), and nothing overwrites it: so a late repetition finds that it is done.
A row that later events may change again carries `journal_seq`, and an older entry never changes it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flexvault.domain import names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.json_values import MALFORMED

VERSION = 2
VERSION_WITH_OWN_HASH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One journal entry as it is stored."""

    stream: str
    seq: int
    """The first is 1."""
    previous_hash: str
    """SHA-256 of the predecessor's bytes; empty for the first."""
    event_id: str
    type: str
    at: datetime
    """The vault account's time."""
    body: Mapping[str, Any]
    actor: Mapping[str, str] = field(default_factory=dict[str, str])
    """Who asked: `oid`, `name`, `from`, `correlation_id`; empty for the vault itself."""
    version: int = VERSION
    """Of the form: from 2 on an entry carries the hash of its own content."""

    def to_bytes(self) -> bytes:
        """Write the entry in the form that is hashed."""
        content = {
            "version": self.version,
            "stream": self.stream,
            "seq": self.seq,
            "previousHash": self.previous_hash,
            "eventId": self.event_id,
            "type": self.type,
            "at": self.at.isoformat(),
            "actor": dict(self.actor),
            "body": dict(self.body),
        }
        if self.version >= VERSION_WITH_OWN_HASH:
            # A stream's last entry has no successor yet that could say what it was.
            content["contentHash"] = names.sha256_hex(names.canonical_json(content))
        return names.canonical_json(content)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Entry":
        """Read a stored entry.

        Raises:
            IntegrityError: code EntryUnreadable: these bytes are none, or not the ones that were written.
        """
        try:
            entry = json.loads(data)
            read = cls(
                stream=entry["stream"],
                seq=entry["seq"],
                previous_hash=entry["previousHash"],
                event_id=entry["eventId"],
                type=entry["type"],
                at=datetime.fromisoformat(entry["at"]),
                actor=entry.get("actor", {}),
                body=entry["body"],
                version=entry["version"],
            )
            has_own_hash = read.version >= VERSION_WITH_OWN_HASH
        except MALFORMED:
            raise _unreadable("what lies in the journal is no entry") from None
        if has_own_hash and not read.is_written_as(data):
            raise _unreadable("what lies in the journal is not what was written there")
        return read

    def is_written_as(self, data: bytes) -> bool:
        """Say whether these bytes are the form that is hashed."""
        try:
            return self.to_bytes() == data
        except MALFORMED:
            return False


def _unreadable(message: str) -> IntegrityError:
    hint = "treat the vault account as tampered with, or run the version that wrote it"
    return IntegrityError(message, code="EntryUnreadable", hint=hint)
