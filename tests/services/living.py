"""A vault after normal life, and the hands of somebody who may write to its storage account."""

from datetime import timedelta
from functools import cache

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.journal import Entry
from flexvault.domain.manifest import Manifest
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.holds import HoldOrder, place_hold
from flexvault.services.reconcile import reconcile
from flexvault.services.requests import restore_point
from flexvault.services.scheduling import tick
from flexvault.services.verify_page import Order, Report
from flexvault.services.verify_vault import verify_vault
from tests.builders import ACTOR, World, run_jobs
from tests.services.running import FIRST_SLOT, protected, restore_order

DAY = timedelta(days=1)


def live(days: int) -> World:
    """A vault that is backed up daily, cleaned up and reconciled, with a restore and a hold on its second day."""
    world = protected()
    for day in range(days):
        world.clock.advance_to(FIRST_SLOT + day * DAY)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
        reconcile(world.vault, world.memory.orchestrations)
        if day == 1:
            point = newest_point(world)
            restore_point(world.vault, restore_order(point), "restore-1", actor=ACTOR)
            run_jobs(world)
            hold = HoldOrder(name="case-7", reason="a court's order", recovery_point_id=point)
            place_hold(world.vault, world.instance(), hold, ACTOR)
        begin_retention(world.vault, world.memory.orchestrations)
        run_jobs(world)
    return world


@cache
def lived() -> World:
    """One vault for all examples of a property; each example puts back what it changed."""
    return live(4)


def back_up_once_more(world: World) -> None:
    """A backup that no root covers yet."""
    world.clock.advance(DAY)
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)


def own_key(world: World) -> str:
    """Key of the one instance, which is its stream."""
    return world.instance().key


def newest_point(world: World) -> str:
    points = catalog.list_all_points(world.vault.ports, world.instance().key)
    return max(points, key=lambda point: point.recovery_point_time).point_id


def newest_manifest(world: World) -> Manifest:
    path = blob_names.manifest_path(own_key(world), newest_point(world))
    return Manifest.from_bytes(read(world, blob_names.MANIFESTS, path))


def verify(world: World, order: Order | None = None) -> Report:
    return verify_vault(world.vault.ports.vault_reader, order or Order())


def blobs(world: World, container: str, prefix: str = "") -> list[str]:
    """Names of what a container of the vault account holds."""
    return [blob.name for blob in world.memory.storage.list_blobs(VAULT, container, prefix)]


def read(world: World, container: str, path: str) -> bytes:
    return world.memory.storage.read(VAULT, container, path)


def write_over(world: World, container: str, path: str, data: bytes) -> None:
    """Put other bytes under a name, in place of what lies there, as no identity of the vault can."""
    if world.memory.storage.find(VAULT, container, path) is None:
        world.memory.storage.put(VAULT, container, path, data)
    else:
        world.memory.storage.spoil(VAULT, container, path, data)


def add_version(world: World, container: str, path: str, data: bytes) -> None:
    """Write a further version under a name, as a stolen writer can."""
    world.memory.storage.put(VAULT, container, path, data)


def delete_name(world: World, container: str, path: str) -> None:
    """Delete a base name, which leaves its versions."""
    world.memory.storage.delete(VAULT, container, path)


def remove(world: World, container: str, path: str) -> None:
    world.memory.storage.lose(VAULT, container, path)


def last_entry(world: World, stream: str) -> str:
    return blobs(world, blob_names.JOURNAL, f"{stream}/")[-1]


def entry_path(world: World, stream: str, seq: int) -> str:
    """Name of an entry that is there."""
    path = blob_names.journal_path(stream, seq)
    read(world, blob_names.JOURNAL, path)
    return path


def read_entry(world: World, path: str) -> Entry:
    return Entry.from_bytes(read(world, blob_names.JOURNAL, path))


def codes(report: Report) -> list[str]:
    return sorted({finding.code for finding in report.findings})


def subjects(report: Report, code: str) -> list[str]:
    return [finding.subject for finding in report.findings if finding.code == code]
