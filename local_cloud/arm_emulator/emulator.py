"""The emulated cloud as one object, and the way of an ARM request through it. No HTTP server in here."""

import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local_cloud.arm_emulator import authorization_calls, backup_calls, ledger, server_calls, storage_calls
from local_cloud.arm_emulator.access import AccessControl
from local_cloud.arm_emulator.backups import BackupRunner
from local_cloud.arm_emulator.clock import Clock, utc_now, wire_time
from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.faults import Faults
from local_cloud.arm_emulator.inventory import Inventory
from local_cloud.arm_emulator.ledger import Ledger
from local_cloud.arm_emulator.operations import RUNNING, Operations
from local_cloud.arm_emulator.problems import bad_request
from local_cloud.arm_emulator.resources import FlexibleServer
from local_cloud.arm_emulator.routing import Answer, Call, Operation, Router
from local_cloud.arm_emulator.tokens import TokenVerifier

if TYPE_CHECKING:
    from datetime import datetime

_NAMESPACE = uuid.UUID("b1b64a3a-58b0-4c5f-9d4c-6b1f8e2f0c11")


class Emulator:
    """All parts of the emulated cloud, over one ledger."""

    def __init__(self, config: EmulatorConfig, clock: Clock = utc_now) -> None:
        self.config = config
        self.clock = clock
        self.ledger = Ledger(config.state_dir / "log.jsonl", clock)
        self.inventory = Inventory(config, self.ledger)
        self.access = AccessControl(config, self.ledger, clock)
        self.operations = Operations(self.ledger, clock)
        self.faults = Faults()
        self.runner = BackupRunner(
            operations=self.operations, clock=clock, pg_bin=config.pg_bin, ca_file=config.ca_file
        )
        self.tokens = TokenVerifier(tenant_id=config.tenant_id, jwks_url=config.jwks_url)
        self.router = Router(
            (
                *server_calls.OPERATIONS,
                *storage_calls.OPERATIONS,
                *backup_calls.OPERATIONS,
                *authorization_calls.OPERATIONS,
            )
        )
        self.deletions: dict[str, datetime] = {}
        """Operation id of each server's deletion -> when it happened."""
        self.revocations = threading.Lock()
        """Held while the file of revoked keys follows the ledger."""
        storage_calls.write_revoked_keys(self)
        self._lock = threading.Lock()
        self._request_counts: Counter[str] = Counter()

    def perform(self, operation: Operation, call: Call) -> Answer:
        """Do what a request asks for, if its caller may.

        Raises:
            ArmError: The request is refused.
        """
        if not call.query.get("api-version"):
            raise bad_request(
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if operation.action is not None:
            facts = None if operation.facts is None else operation.facts(self, call)
            self.access.require(call.principal, operation.action, operation.scope.format(**call.params), facts)
        return operation.handler(self, call)

    def count(self, operation: Operation) -> None:
        """Count a request for the log."""
        with self._lock:
            self._request_counts[f"{operation.method} {operation.name}"] += 1

    def delete_server(self, server: FlexibleServer) -> str:
        """Delete a server with its roles, end its backup, and return the id of the deletion's operation."""
        self.inventory.delete_server(server)
        self.access.delete_below(server.resource_id)
        self.runner.interrupt(server.resource_id, "ResourceNotFound", f"The server '{server.name}' was deleted.")
        deleted_at = self.clock()
        deletion_id = str(uuid.uuid5(_NAMESPACE, f"{server.resource_id.lower()}|{wire_time(deleted_at)}"))
        self.deletions[deletion_id] = deleted_at
        return deletion_id

    def change_server(self, name_or_id: str, changes: Mapping[str, Any]) -> FlexibleServer:
        """Change a server; one that no longer serves ends its running backup.

        Raises:
            LookupError: There is no such server, or more than one.
            ValueError: A change is not allowed.
        """
        server = self.inventory.change_server(name_or_id, changes)
        if not server.state.serves():
            self.runner.interrupt(
                server.resource_id,
                "ServerNotReadyForLongTermBackup",
                f"The server '{server.name}' went to state '{server.state}' during the backup.",
            )
        return server

    def log(self) -> dict[str, Any]:
        """Return what happened: accepted backups, role assignments, revocations of keys, requests since the start."""
        backups: dict[str, dict[str, Any]] = {}
        assignments: list[dict[str, Any]] = []
        for event in self.ledger.events():
            if event["event"] == ledger.BACKUP_ACCEPTED:
                backups[event["operationId"]] = {
                    "server": event["server"],
                    "resourceId": event["serverId"],
                    **{key: event[key] for key in ("backupName", "startedAt")},
                    "endedAt": None,
                    "status": RUNNING,
                    "containers": event["containers"],
                }
            elif event["event"] == ledger.BACKUP_ENDED:
                backups[event["operationId"]].update(endedAt=event["endedAt"], status=event["status"])
            elif event["event"] in {ledger.ROLE_ASSIGNMENT_CREATED, ledger.ROLE_ASSIGNMENT_DELETED}:
                assignments.append(
                    {
                        "at": event["at"],
                        "action": event["event"].removeprefix("role-assignment-"),
                        **{key: event[key] for key in ("scope", "roleDefinitionId", "principalId")},
                    }
                )
        revocations = [
            {key: event[key] for key in ("at", "account", "accountId")}
            for event in self.ledger.events(ledger.KEYS_REVOKED)
        ]
        with self._lock:
            requests = dict(sorted(self._request_counts.items()))
        return {
            "backups": list(backups.values()),
            "roleAssignments": assignments,
            "keyRevocations": revocations,
            "requests": requests,
        }

    def close(self) -> None:
        """Let go whatever is held and stop all backups."""
        self.faults.clear()
        self.runner.close()
