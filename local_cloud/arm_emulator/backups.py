"""Running backups: each accepted one has a thread that dumps, uploads and reports.

A backup ends Succeeded when all its files are in the containers; Failed when PostgreSQL or storage refuses, or when
its server is stopped or deleted meanwhile. The faults that were taken with its start request change what it writes
and how it ends.
"""

import tempfile
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from local_cloud.arm_emulator.clock import Clock
from local_cloud.arm_emulator.dump import BackupFile, Database, DumpFailedError, FileKind, PostgresSource
from local_cloud.arm_emulator.faults import Fault
from local_cloud.arm_emulator.operations import FAILED, SUCCEEDED, BackupOperation, Operations
from local_cloud.arm_emulator.resources import FlexibleServer
from local_cloud.arm_emulator.upload import SasContainer, UploadFailedError

_END_OF_PROGRAM_SECONDS = 10.0


class _BackupEndedError(Exception):
    """A backup ends before its time, with this status, code and message."""

    def __init__(self, status: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOrder:
    """What a backup thread needs; the only place that holds the SAS, and gone with the thread."""

    server: FlexibleServer
    operation: BackupOperation
    targets: tuple[SasContainer, ...]
    faults: Mapping[str, Fault]
    interrupted: threading.Event = field(default_factory=threading.Event)

    def fault(self, name: str) -> Mapping[str, Any] | None:
        """Return a fault's parameters, or None when it was not ordered."""
        found = self.faults.get(name)
        return None if found is None else found.parameters


class BackupRunner:
    """Starts, interrupts and awaits backups."""

    def __init__(self, *, operations: Operations, clock: Clock, pg_bin: Path | None, ca_file: Path) -> None:
        self._operations = operations
        self._clock = clock
        self._pg_bin = pg_bin
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._running: dict[str, tuple[BackupOrder, threading.Thread]] = {}

    def start(self, order: BackupOrder) -> None:
        """Run a backup in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(order,), daemon=True)
        with self._lock:
            self._running[order.operation.operation_id] = (order, thread)
        thread.start()

    def interrupt(self, server_id: str, code: str, message: str) -> None:
        """End a server's running backup as Failed, at once; its thread stops at the next block."""
        for order, _ in self._orders():
            if order.server.resource_id.lower() == server_id.lower():
                self._operations.end(order.operation.operation_id, FAILED, code, message)
                self._stop(order)

    def close(self) -> None:
        """Stop all threads and wait for them; what ran is Failed when the emulator starts again."""
        for order, _ in self._orders():
            self._stop(order)
        self.wait(_END_OF_PROGRAM_SECONDS)

    def wait(self, within_seconds: float) -> None:
        """Wait until every backup that runs now has ended, at most so long for each."""
        for _, thread in self._orders():
            thread.join(within_seconds)

    def _orders(self) -> list[tuple[BackupOrder, threading.Thread]]:
        with self._lock:
            return list(self._running.values())

    @staticmethod
    def _stop(order: BackupOrder) -> None:
        order.interrupted.set()
        for fault in order.faults.values():
            fault.released.set()

    def _run(self, order: BackupOrder) -> None:
        operation_id = order.operation.operation_id
        status, code, message = SUCCEEDED, None, None
        try:
            self._write(order)
        except _BackupEndedError as end:
            status, code, message = end.status, end.code, end.message
        except UploadFailedError as error:
            status, code, message = FAILED, error.code, str(error)
        except DumpFailedError as error:
            status, code, message = FAILED, "BackupDataSourceUnreachable", str(error)
        except Exception as error:
            # A thread has no caller: without an end the operation would say Running for ever.
            self._operations.end(operation_id, FAILED, "InternalServerError", type(error).__name__)
            raise
        finally:
            with self._lock:
                self._running.pop(operation_id, None)
        if not order.interrupted.is_set():
            self._operations.end(operation_id, status, code, message)

    def _write(self, order: BackupOrder) -> None:
        if "hold-backup" in order.faults:
            order.faults["hold-backup"].hold()
        failure = order.fault("backup-failed")
        if failure is None or failure["filesPresent"]:
            self._write_files(order)
        self._outlast(order)
        if failure is not None:
            raise _BackupEndedError(failure["status"], failure["errorCode"], failure["errorMessage"])

    def _write_files(self, order: BackupOrder) -> None:
        if order.server.postgres is None:
            raise DumpFailedError("the server has no PostgreSQL in this emulator")
        source = PostgresSource(order.server.postgres, self._pg_bin)
        databases = source.databases()
        progress = _Progress(self._operations, order, databases)
        self._operations.update(order.operation.operation_id, datasource_size_bytes=source.size_bytes())
        for ordinal, file in enumerate(_files(databases)):
            if _is_chosen(order.fault("missing-file"), file):
                continue
            name = file.blob_name(order.operation.backup_name)
            if "unknown-layout" in order.faults:
                name = f"{order.operation.backup_name}/part-{ordinal:04d}.dat"
            target = order.targets[ordinal % len(order.targets)]
            with source.open(file) as output, _cut(order.fault("truncated-file"), file, output) as stream:
                target.put(name, stream, ca_file=self._ca_file, on_block=progress.of_file(file))
            progress.finish(file)

    def _outlast(self, order: BackupOrder) -> None:
        until = order.operation.started_at + order.operation.minimum_duration
        remaining = (until - self._clock()).total_seconds()
        if remaining > 0:
            order.interrupted.wait(remaining)


def _files(databases: list[Database]) -> list[BackupFile]:
    globals_first = [BackupFile(kind=kind) for kind in (FileKind.ROLES, FileKind.TABLESPACE, FileKind.SCHEMA)]
    return [*globals_first, *(BackupFile(kind=FileKind.DATABASE, database=database) for database in databases)]


def _is_chosen(fault: Mapping[str, Any] | None, file: BackupFile) -> bool:
    if fault is None or fault["kind"] != file.kind:
        return False
    return fault["database"] is None or (file.database is not None and file.database.name == fault["database"])


class _Progress:
    """Reports a backup's progress: by the sizes of its databases, within one by the bytes written."""

    def __init__(self, operations: Operations, order: BackupOrder, databases: list[Database]) -> None:
        self._operations = operations
        self._order = order
        self._whole = max(1, sum(database.size_bytes for database in databases))
        self._finished = 0
        self._transferred = 0

    def of_file(self, file: BackupFile) -> Callable[[int], None]:
        """Return what an upload calls after each block of a file."""
        written = 0

        def on_block(size_bytes: int) -> None:
            nonlocal written
            if self._order.interrupted.is_set():
                raise _BackupEndedError(FAILED, "OperationPreempted", "The backup was interrupted.")
            written += size_bytes
            self._transferred += size_bytes
            # A dump is smaller than its database by an unknown factor, so one block more never finishes it.
            within = min(written, file.database.size_bytes) if file.database is not None else 0
            self._report(self._finished + within)

        return on_block

    def finish(self, file: BackupFile) -> None:
        """Count a file as done."""
        self._finished += file.database.size_bytes if file.database is not None else 0
        self._report(self._finished)

    def _report(self, done: int) -> None:
        self._operations.update(
            self._order.operation.operation_id,
            work_done=done / self._whole,
            transferred_bytes=self._transferred,
        )


@contextmanager
def _cut(fault: Mapping[str, Any] | None, file: BackupFile, output: IO[bytes]) -> Generator[IO[bytes]]:
    """Yield a file's contents, shortened if a fault says so."""
    if fault is None or not _is_chosen(fault, file):
        yield output
        return
    with tempfile.TemporaryFile() as whole:
        while chunk := output.read(1024 * 1024):
            whole.write(chunk)
        length = whole.tell()
        share = 0.5 if fault["fraction"] is None else fault["fraction"]
        whole.truncate(min(length, int(length * share) if fault["atByte"] is None else fault["atByte"]))
        whole.seek(0)
        yield whole
