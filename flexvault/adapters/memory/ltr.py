"""Long-term retention in memory: backups take simulated time and land the files that a test gave."""

import threading
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from flexvault.adapters.memory.clock import SimulatedClock
from flexvault.adapters.memory.faults import Faults
from flexvault.adapters.memory.servers import MemoryRoles, MemoryServers
from flexvault.adapters.memory.storage import LANDING, MemoryStorage
from flexvault.domain.errors import ConflictError, InvalidInputError, NotAuthorizedError
from flexvault.ports import LtrOperation, WriteGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class LtrScript:
    """How the next backups go."""

    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Bytes by the end of a file's name, which begins with the backup name."""
    duration: timedelta = timedelta(minutes=10)
    """Simulated time from start to end."""
    container_count: int = 1
    """What ltrPreBackup asks for; files are dealt out in turn."""
    status: str = "Succeeded"
    """How it ends: Succeeded, Failed, Cancelled, or any word."""
    error_code: str = ""
    error_message: str = ""
    reports_percent: bool = True
    """Whether a running operation says how far it is."""
    missing: AbstractSet[str] = frozenset()
    """Name ends of files that never arrive although it succeeds."""
    truncated: Mapping[str, int] = field(default_factory=dict[str, int])
    """Bytes that arrive of a file, by its name's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedBackup:
    """A backup that the server took on, as its own log has it."""

    server_id: str
    backup_name: str
    started_at: datetime
    containers: tuple[str, ...]
    script: LtrScript
    urls: tuple[str, ...] = field(repr=False)
    landed: bool = False


class MemoryLtr:
    """Backups of every server; one may run per server.

    Order a refusal or a lost answer with `faults.fail_next("ltr.start", error, after=...)`: `after=True` means that
    the server accepted and nobody heard.

    Attributes:
        script: How backups go that start from now on.
    """

    def __init__(
        self, clock: SimulatedClock, faults: Faults, storage: MemoryStorage, servers: MemoryServers, roles: MemoryRoles
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._storage = storage
        self._servers = servers
        self._roles = roles
        self._lock = threading.Lock()
        self._accepted: list[AcceptedBackup] = []
        self.script = LtrScript()

    @property
    def accepted(self) -> tuple[AcceptedBackup, ...]:
        """Every accepted backup, in order."""
        with self._lock:
            return tuple(self._accepted)

    def check_prerequisites(self, server_id: str, backup_name: str) -> int:
        """Answer the number of containers."""
        with self._faults.around("ltr.check_prerequisites"):
            self._admit(server_id, backup_name)
            return self.script.container_count

    def start(self, server_id: str, backup_name: str, grant: WriteGrant) -> None:
        """Accept a backup, or refuse it."""
        with self._faults.around("ltr.start"):
            self._admit(server_id, backup_name)
            urls = grant.reveal()
            if len(urls) < self.script.container_count:
                raise InvalidInputError(f"{len(urls)} containers given, {self.script.container_count} needed")
            with self._lock:
                self._settle()
                self._refuse_overlap(server_id, backup_name)
                self._accepted.append(
                    AcceptedBackup(
                        server_id=server_id,
                        backup_name=backup_name,
                        started_at=self._clock.host_now(),
                        containers=tuple(_container(url) for url in urls),
                        script=self.script,
                        urls=urls,
                    )
                )

    def find(self, server_id: str, backup_name: str) -> LtrOperation | None:
        """Read one operation; a server that is gone knows no name."""
        with self._faults.around("ltr.find"):
            found = self._operations(server_id, backup_name)
            return found[-1] if found else None

    def list_by_server(self, server_id: str) -> Sequence[LtrOperation]:
        """Read all operations of a server."""
        with self._faults.around("ltr.list_by_server"):
            self._servers.get(server_id)
            return self._operations(server_id)

    def _admit(self, server_id: str, backup_name: str) -> None:
        state = self._servers.get(server_id).state
        if not self._roles.are_effective(server_id):
            message = f"the control identity may not back up server '{server_id}'"
            raise NotAuthorizedError(message, hint=self._roles.grant_commands(server_id), target=server_id)
        if state != "Ready":
            message = f"server '{server_id}' is {state}, backup '{backup_name}' needs Ready"
            raise ConflictError(message, code="ServerNotReadyForLongTermBackup", target=server_id)

    def _refuse_overlap(self, server_id: str, backup_name: str) -> None:
        for backup in self._of(server_id):
            if not backup.landed:
                message = f"server '{server_id}' is busy with backup '{backup.backup_name}'"
                raise ConflictError(message, code="ServerIsBusy", target=server_id)
            if backup.backup_name == backup_name:
                raise ConflictError(f"backup '{backup_name}' exists", code="BackupNameInUse", target=server_id)

    def _operations(self, server_id: str, backup_name: str = "") -> list[LtrOperation]:
        with self._lock:
            self._settle()
            wanted = (backup for backup in self._of(server_id) if backup_name in {"", backup.backup_name})
            return [self._describe(backup) for backup in wanted]

    def _of(self, server_id: str) -> list[AcceptedBackup]:
        return [backup for backup in self._accepted if backup.server_id.lower() == server_id.lower()]

    def _settle(self) -> None:
        now = self._clock.host_now()
        for index, backup in enumerate(self._accepted):
            if not backup.landed and now >= backup.started_at + backup.script.duration:
                self._accepted[index] = replace(self._land(backup), landed=True)

    def _land(self, backup: AcceptedBackup) -> AcceptedBackup:
        script = backup.script
        if script.status != "Succeeded":
            return backup
        ended_at = backup.started_at + script.duration
        if any(self._storage.is_dead(_grant(url), ended_at) for url in backup.urls):
            refused = replace(script, status="Failed", error_code="StorageAccessDenied", error_message="grant refused")
            return replace(backup, script=refused)
        for index, (suffix, data) in enumerate(sorted(script.files.items())):
            if suffix not in script.missing:
                container = backup.containers[index % len(backup.containers)]
                name = f"{backup.backup_name}{suffix}"
                self._storage.put(LANDING, container, name, data[: script.truncated.get(suffix)])
        return backup

    def _describe(self, backup: AcceptedBackup) -> LtrOperation:
        script = backup.script
        size = sum(len(data) for data in script.files.values())
        elapsed = (self._clock.host_now() - backup.started_at) / script.duration if script.duration else 1.0
        if not backup.landed:
            return LtrOperation(
                backup_name=backup.backup_name,
                status="Running",
                percent_complete=round(elapsed * 100, 1) if script.reports_percent else None,
                datasource_size_bytes=size,
                transferred_bytes=int(size * elapsed),
                started_at=backup.started_at,
            )
        return LtrOperation(
            backup_name=backup.backup_name,
            status=script.status,
            percent_complete=100.0 if script.status == "Succeeded" else None,
            datasource_size_bytes=size,
            transferred_bytes=size if script.status == "Succeeded" else 0,
            started_at=backup.started_at,
            ended_at=backup.started_at + script.duration,
            error_code=script.error_code,
            error_message=script.error_message,
        )


def _container(url: str) -> str:
    return urlsplit(url).path.strip("/")


def _grant(url: str) -> int:
    return int(parse_qs(urlsplit(url).query)["grant"][0])
