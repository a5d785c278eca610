"""Where the task hub keeps its instances: nowhere, or in an SQLite file that survives a kill.

A row is one instance: its state (`OrchestrationState`), the events that its orchestrator has not yet answered (`inbox`)
and, one row per event, its history. All are durabletask's own protobuf messages.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import OrchestrationInstance
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import StringValue

from local_cloud.functions_host.errors import HostError

# A host that was just killed may need a moment to let go.
_LOCK_SECONDS = 0.5
_SCHEMA = """
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS instance(id TEXT PRIMARY KEY, state BLOB NOT NULL, inbox BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history(id TEXT, seq INTEGER, event BLOB NOT NULL, PRIMARY KEY(id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stop(clean INTEGER NOT NULL);
"""


class HubStore(Protocol):
    """Keeps what the hub tells it; every call is one transaction."""

    def load(self) -> list[OrchestrationInstance]:
        """Return every instance, its inbox in `pending_events`."""
        ...

    def take_clean_stop(self) -> bool:
        """Say whether the hub was stopped in order the last time, and forget it: the next end may be a kill."""
        ...

    def save(self, changed: Iterable[OrchestrationInstance], gone: Iterable[str]) -> None:
        """Write the instances that changed and remove those that are gone."""
        ...

    def close(self) -> None:
        """Record a stop in order and let go of the file."""
        ...


class MemoryHubStore:
    """Keeps nothing: the hub's own memory is all there is."""

    def load(self) -> list[OrchestrationInstance]:
        """Return nothing."""
        return []

    def take_clean_stop(self) -> bool:
        """Say yes: there is nothing to redeliver."""
        return True

    def save(self, changed: Iterable[OrchestrationInstance], gone: Iterable[str]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class SqliteHubStore:
    """Keeps the hub in one SQLite file.

    `synchronous=NORMAL` in WAL mode survives the kill of the process; only a power cut can lose the last commits.
    The hub calls it under its own lock, so one connection serves all threads. The file is locked against a second host.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            HostError: Another host uses it, or it cannot be opened.
        """
        self._db = sqlite3.connect(path, timeout=_LOCK_SECONDS, check_same_thread=False, isolation_level=None)
        try:
            self._db.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise HostError(f"the task hub {path} cannot be used: {error}; does another host run with it?") from error
        # Per instance: first event of the history as written, and how many events are written.
        self._written: dict[str, tuple[pb.HistoryEvent | None, int]] = {}

    def load(self) -> list[OrchestrationInstance]:
        """Return every instance, its inbox in `pending_events`."""
        histories: dict[str, list[pb.HistoryEvent]] = {}
        with closing(self._db.execute("SELECT id, event FROM history ORDER BY id, seq")) as rows:
            for instance_id, event in rows:
                histories.setdefault(instance_id, []).append(pb.HistoryEvent.FromString(event))
        instances: list[OrchestrationInstance] = []
        with closing(self._db.execute("SELECT id, state, inbox FROM instance")) as rows:
            for instance_id, state, inbox in rows:
                history = histories.get(instance_id, [])
                self._written[instance_id] = (history[0] if history else None, len(history))
                instances.append(_instance(pb.OrchestrationState.FromString(state), history, inbox))
        return instances

    def take_clean_stop(self) -> bool:
        """Say whether the hub was stopped in order the last time, or is new."""
        row = self._db.execute("SELECT clean FROM stop").fetchone()
        self._db.execute("DELETE FROM stop")
        self._db.execute("INSERT INTO stop VALUES (0)")
        return row is None or bool(row[0])

    def save(self, changed: Iterable[OrchestrationInstance], gone: Iterable[str]) -> None:
        """Write the instances that changed and remove those that are gone."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for instance_id in gone:
                self._db.execute("DELETE FROM instance WHERE id=?", (instance_id,))
                self._db.execute("DELETE FROM history WHERE id=?", (instance_id,))
                self._written.pop(instance_id, None)
            for instance in changed:
                self._write(instance)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Record a stop in order and close the file."""
        try:
            self._db.execute("UPDATE stop SET clean=1")
        finally:
            self._db.close()

    def _write(self, instance: OrchestrationInstance) -> None:
        history = instance.history
        first, written = self._written.get(instance.instance_id, (None, 0))
        # A new generation and a rewind begin another list: then the history is written anew.
        if written and (not history or history[0] is not first or len(history) < written):
            self._db.execute("DELETE FROM history WHERE id=?", (instance.instance_id,))
            written = 0
        self._db.executemany(
            "INSERT INTO history VALUES (?, ?, ?)",
            ((instance.instance_id, seq, history[seq].SerializeToString()) for seq in range(written, len(history))),
        )
        self._written[instance.instance_id] = (history[0] if history else None, len(history))
        inbox = pb.HistoryChunk(events=[*instance.dispatched_events, *instance.pending_events])
        self._db.execute(
            "REPLACE INTO instance VALUES (?, ?, ?)",
            (instance.instance_id, _state(instance).SerializeToString(), inbox.SerializeToString()),
        )


def _state(instance: OrchestrationInstance) -> pb.OrchestrationState:
    return pb.OrchestrationState(
        instanceId=instance.instance_id,
        name=instance.name,
        version=_text(instance.version),
        orchestrationStatus=instance.status,
        createdTimestamp=_timestamp(instance.created_at),
        lastUpdatedTimestamp=_timestamp(instance.last_updated_at),
        completedTimestamp=_timestamp(instance.completed_at),
        input=_text(instance.input),
        output=_text(instance.output),
        customStatus=_text(instance.custom_status),
        failureDetails=instance.failure_details,
        tags=instance.tags,
    )


def _instance(state: pb.OrchestrationState, history: list[pb.HistoryEvent], inbox: bytes) -> OrchestrationInstance:
    return OrchestrationInstance(
        instance_id=state.instanceId,
        name=state.name,
        status=state.orchestrationStatus,
        version=state.version.value if state.HasField("version") else None,
        input=state.input.value if state.HasField("input") else None,
        output=state.output.value if state.HasField("output") else None,
        custom_status=state.customStatus.value if state.HasField("customStatus") else None,
        created_at=state.createdTimestamp.ToDatetime(UTC),
        last_updated_at=state.lastUpdatedTimestamp.ToDatetime(UTC),
        completed_at=state.completedTimestamp.ToDatetime(UTC) if state.HasField("completedTimestamp") else None,
        failure_details=state.failureDetails if state.HasField("failureDetails") else None,
        history=history,
        pending_events=list(pb.HistoryChunk.FromString(inbox).events),
        tags=dict(state.tags) or None,
    )


def _text(value: str | None) -> StringValue | None:
    return None if value is None else StringValue(value=value)


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
