"""What happened, in order: the emulator's memory, one JSON line per event.

The inventory, the role assignments and the backup operations are folds of these events, so an emulator that starts
again over the same folder knows what the last one knew. No event carries a SAS or a token.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local_cloud.arm_emulator.clock import Clock, wire_time

BACKUP_ACCEPTED = "backup-accepted"
BACKUP_ENDED = "backup-ended"
ROLE_ASSIGNMENT_CREATED = "role-assignment-created"
ROLE_ASSIGNMENT_DELETED = "role-assignment-deleted"
KEYS_REVOKED = "keys-revoked"
SERVER_CHANGED = "server-changed"
ACCOUNT_CHANGED = "account-changed"
SERVER_DELETED = "server-deleted"
RESOURCE_GROUP_DELETED = "resource-group-deleted"

type Event = dict[str, Any]
"""`event` (its kind), `at` (when), and the kind's own members."""


class Ledger:
    """An append-only list of events, in memory and in a file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._events = _read(path)

    def append(self, kind: str, **members: Any) -> Event:
        """Keep an event; it is in the file before this returns."""
        with self._lock:
            event: Event = {"event": kind, "at": wire_time(self._clock()), **members}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
            self._events.append(event)
        return event

    def events(self, *kinds: str) -> Iterator[Event]:
        """Yield the events of these kinds, oldest first; all without a kind."""
        with self._lock:
            events = list(self._events)
        return (event for event in events if not kinds or event["event"] in kinds)


def _read(path: Path) -> list[Event]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        return []
    whole, _, torn = path.read_text(encoding="utf-8").rpartition("\n")
    if torn:
        # A process that was killed in mid-write leaves half a line; its event was never acknowledged.
        path.write_text(whole + "\n" if whole else "", encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]
