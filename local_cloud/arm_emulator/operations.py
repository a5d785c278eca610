"""The long-term-retention operations of all servers: one record per accepted backup.

A record is a frozen value; the store replaces it. It knows the names of the containers, never a SAS.
"""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from local_cloud.arm_emulator import ledger
from local_cloud.arm_emulator.clock import Clock, parse_time, wire_time
from local_cloud.arm_emulator.ledger import Ledger
from local_cloud.arm_emulator.problems import conflict
from local_cloud.arm_emulator.resources import FlexibleServer

RUNNING = "Running"
SUCCEEDED = "Succeeded"
FAILED = "Failed"

_NAMESPACE = uuid.UUID("0b9c5f8e-7a3d-4a58-8f0e-3d2f1c6a9b44")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOperation:
    """One accepted backup and how far it is."""

    operation_id: str
    """A GUID; the name in the two long-running-operation URLs."""
    server_id: str
    server_name: str
    subscription_id: str
    location: str
    backup_name: str
    containers: tuple[str, ...]
    started_at: datetime
    visible_from: datetime
    """Until then `ltrBackupOperations` does not know the operation."""
    minimum_duration: timedelta
    status: str = RUNNING
    ended_at: datetime | None = None
    work_done: float = 0.0
    """Share of the work that is done, 0 to 1."""
    datasource_size_bytes: int | None = None
    transferred_bytes: int = 0
    error_code: str | None = None
    error_message: str | None = None
    reported: Mapping[str, Any] = field(default=MappingProxyType({}))
    """Members of the answer that a fault overrides; None takes a member away."""

    def percent_complete(self, now: datetime) -> float:
        """Return how far the operation says it is: the work done, held back by the minimum duration."""
        if self.status == SUCCEEDED:
            return 100.0
        share = self.work_done
        if self.status == RUNNING and self.minimum_duration:
            share = min(share, (now - self.started_at) / self.minimum_duration)
        return round(min(share, 0.99) * 100, 2)


class Operations:
    """All operations, in the order in which they were accepted."""

    def __init__(self, log: Ledger, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.RLock()
        self._by_id: dict[str, BackupOperation] = {}
        for event in log.events(ledger.BACKUP_ACCEPTED, ledger.BACKUP_ENDED):
            self._apply(event)
        for operation in [item for item in self._by_id.values() if item.status == RUNNING]:
            # Whoever ran it died with the process that accepted it.
            self.end(operation.operation_id, FAILED, "InternalServerError", "The service restarted during the backup.")

    def begin(
        self,
        server: FlexibleServer,
        *,
        backup_name: str,
        containers: tuple[str, ...],
        hidden_for: timedelta,
        minimum_duration: timedelta,
    ) -> BackupOperation:
        """Accept a backup.

        A name that was used before is accepted again: what Azure does then is unknown, and the log shows both runs.

        Raises:
            ArmError: 409 `ServerIsBusy` while another backup of the server runs.
        """
        with self._lock:
            self.require_idle(server)
            started_at = self._clock()
            key = f"{server.resource_id.lower()}|{backup_name}|{len(self._by_id)}|{wire_time(started_at)}"
            operation_id = str(uuid.uuid5(_NAMESPACE, key))
            self._apply(
                self._log.append(
                    ledger.BACKUP_ACCEPTED,
                    operationId=operation_id,
                    serverId=server.resource_id,
                    server=server.name,
                    subscriptionId=server.subscription_id,
                    location=server.location,
                    backupName=backup_name,
                    containers=list(containers),
                    startedAt=wire_time(started_at),
                    visibleFrom=wire_time(started_at + hidden_for),
                    minimumDurationSeconds=minimum_duration.total_seconds(),
                )
            )
            return self._by_id[operation_id]

    def require_idle(self, server: FlexibleServer) -> None:
        """Let a call pass if no backup of the server runs.

        Raises:
            ArmError: 409 `ServerIsBusy`.
        """
        if any(operation.status == RUNNING for operation in self.of_server(server.resource_id)):
            raise conflict(
                "ServerIsBusy",
                f"Cannot complete operation while server '{server.name}' is busy processing another operation. "
                "Try again later.",
            )

    def update(self, operation_id: str, **changes: Any) -> None:
        """Set members of a running operation: its progress, or what a fault makes it report."""
        with self._lock:
            operation = self._by_id[operation_id]
            if operation.status == RUNNING:
                self._by_id[operation_id] = replace(operation, **changes)

    def end(
        self, operation_id: str, status: str, error_code: str | None = None, error_message: str | None = None
    ) -> None:
        """Close a running operation; a closed one stays as it is."""
        with self._lock:
            operation = self._by_id[operation_id]
            if operation.status != RUNNING:
                return
            self._apply(
                self._log.append(
                    ledger.BACKUP_ENDED,
                    operationId=operation_id,
                    status=status,
                    endedAt=wire_time(self._clock()),
                    workDone=operation.work_done,
                    datasourceSizeInBytes=operation.datasource_size_bytes,
                    dataTransferredInBytes=operation.transferred_bytes,
                    errorCode=error_code,
                    errorMessage=error_message,
                    reported=dict(operation.reported),
                )
            )

    def find(self, operation_id: str) -> BackupOperation | None:
        """Find an operation by its GUID."""
        with self._lock:
            return self._by_id.get(operation_id.lower())

    def of_server(self, server_id: str) -> list[BackupOperation]:
        """Return a server's operations, oldest first."""
        with self._lock:
            return [item for item in self._by_id.values() if item.server_id.lower() == server_id.lower()]

    def visible_of(self, server: FlexibleServer) -> list[BackupOperation]:
        """Return what `ltrBackupOperations` shows: of each backup name the newest run, of this incarnation only."""
        now = self._clock()
        newest = {
            operation.backup_name: operation
            for operation in self.of_server(server.resource_id)
            if operation.visible_from <= now and operation.started_at >= server.created_at
        }
        return list(newest.values())

    def _apply(self, event: ledger.Event) -> None:
        operation_id = event["operationId"]
        if event["event"] == ledger.BACKUP_ENDED:
            self._by_id[operation_id] = replace(
                self._by_id[operation_id],
                status=event["status"],
                ended_at=parse_time(event["endedAt"]),
                work_done=event["workDone"],
                datasource_size_bytes=event["datasourceSizeInBytes"],
                transferred_bytes=event["dataTransferredInBytes"],
                error_code=event["errorCode"],
                error_message=event["errorMessage"],
                reported=event["reported"],
            )
            return
        self._by_id[operation_id] = BackupOperation(
            operation_id=operation_id,
            server_id=event["serverId"],
            server_name=event["server"],
            subscription_id=event["subscriptionId"],
            location=event["location"],
            backup_name=event["backupName"],
            containers=tuple(event["containers"]),
            started_at=parse_time(event["startedAt"]),
            visible_from=parse_time(event["visibleFrom"]),
            minimum_duration=timedelta(seconds=event["minimumDurationSeconds"]),
        )
