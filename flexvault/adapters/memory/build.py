"""A whole vault's surroundings in memory, for tests and benchmarks."""

from dataclasses import dataclass

from flexvault.adapters.memory.blobs import (
    MemoryLanding,
    MemoryRestoreTarget,
    MemoryVaultCleaner,
    MemoryVaultGuard,
    MemoryVaultReader,
    MemoryVaultWriter,
)
from flexvault.adapters.memory.clock import SimulatedClock
from flexvault.adapters.memory.faults import Faults
from flexvault.adapters.memory.host import MemoryOrchestrations, MemoryTelemetry
from flexvault.adapters.memory.ltr import MemoryLtr
from flexvault.adapters.memory.rows import MemoryRows
from flexvault.adapters.memory.servers import MemoryRoles, MemoryServers, MemorySurroundings, MemoryTenancy
from flexvault.adapters.memory.storage import MemoryStorage
from flexvault.ports import Ports


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPorts:
    """The ports as the vault takes them, and each double for the test's own hands."""

    ports: Ports
    clock: SimulatedClock
    faults: Faults
    rows: MemoryRows
    storage: MemoryStorage
    servers: MemoryServers
    roles: MemoryRoles
    tenancy: MemoryTenancy
    surroundings: MemorySurroundings
    ltr: MemoryLtr
    restore_target: MemoryRestoreTarget
    telemetry: MemoryTelemetry
    orchestrations: MemoryOrchestrations


def memory_ports(clock: SimulatedClock | None = None) -> MemoryPorts:
    """Build empty surroundings."""
    clock = clock or SimulatedClock()
    faults = Faults()
    storage = MemoryStorage(clock)
    servers = MemoryServers(faults)
    roles = MemoryRoles(clock, faults)
    tenancy = MemoryTenancy()
    surroundings = MemorySurroundings()
    ltr = MemoryLtr(clock, faults, storage, servers, roles)
    rows = MemoryRows(faults)
    restore_target = MemoryRestoreTarget(storage, faults)
    telemetry = MemoryTelemetry()
    ports = Ports(
        clock=clock,
        rows=rows,
        servers=servers,
        ltr=ltr,
        roles=roles,
        tenancy=tenancy,
        surroundings=surroundings,
        landing=MemoryLanding(storage, faults),
        vault_reader=MemoryVaultReader(storage, faults),
        vault_writer=MemoryVaultWriter(storage, faults),
        vault_guard=MemoryVaultGuard(storage, faults),
        vault_cleaner=MemoryVaultCleaner(storage, faults),
        restore_target=restore_target,
        telemetry=telemetry,
    )
    return MemoryPorts(
        ports=ports,
        clock=clock,
        faults=faults,
        rows=rows,
        storage=storage,
        servers=servers,
        roles=roles,
        tenancy=tenancy,
        surroundings=surroundings,
        ltr=ltr,
        restore_target=restore_target,
        telemetry=telemetry,
        orchestrations=MemoryOrchestrations(faults),
    )
