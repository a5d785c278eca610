"""Verify recovery points deeply, and damage them, as tests need it."""

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.deep_verification import DeepVerification
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.manifest import ManifestFile
from flexvault.services import catalog
from flexvault.services.request_verification import verify_point
from flexvault.services.verifications import read_newest
from tests.builders import ACTOR, World, backup_files, run_jobs
from tests.services.running import claimed
from tests.unit.archive_writer import COPY_END, Block, Item, Recipe, gzip_chunks

TABLES = ("orders", "items", "notes")
OBJECTS = {70001: bytes(range(256)) * 40, 70002: b"", 3_000_000_000: b"small"}


def rows_of(table: str) -> bytes:
    """COPY text of one of the tables."""
    return b"".join(b"%d\t%s %d\n" % (number, table.encode(), number * 7) for number in range(60))


def shop(compression: str = "gzip") -> bytes:
    """An archive of some tables and large objects."""

    def cut(data: bytes) -> tuple[bytes, ...]:
        if compression == "gzip":
            return gzip_chunks(data, 100) if data else ()
        return tuple(data[at : at + 100] for at in range(0, len(data), 100))

    tables = tuple(
        Item(
            desc="TABLE DATA",
            tag=table,
            namespace="sales",
            section=3,
            block=Block(chunks=cut(rows_of(table) + COPY_END)),
        )
        for table in TABLES
    )
    objects = Block(large_objects=tuple((oid, cut(data)) for oid, data in OBJECTS.items()))
    blobs = Item(desc="BLOBS", tag="BLOBS", section=3, block=objects)
    return Recipe(compression=compression, items=(*tables, blobs)).build()


def with_point(archive: bytes = b"", **changes: object) -> World:
    """A vault with one recovery point, of a shop or another archive."""
    world = claimed(**changes)
    world.memory.ltr.script = LtrScript(files=backup_files(shop=archive or shop()))
    run_jobs(world)
    return world


def newest(world: World) -> RecoveryPoint:
    """The newest recovery point."""
    return catalog.list_points(world.vault.ports, world.instance().key)[0]


def archive_of(world: World, point: RecoveryPoint | None = None) -> ManifestFile:
    """The archive of a recovery point, the newest one's without it."""
    manifest = catalog.read_manifest(world.vault.ports, point or newest(world))
    return next(file for file in manifest.files if file.facts)


def verified(world: World, point: RecoveryPoint | None = None, key: str = "verify-1") -> DeepVerification:
    """Verify a point, the newest one without it, up to the end of the job; answers its result."""
    wanted = point or newest(world)
    verify_point(world.vault, world.instance(), wanted.point_id, key, actor=ACTOR)
    run_jobs(world)
    found = read_newest(world.vault.ports, catalog.find_point(world.vault.ports, wanted.instance, wanted.point_id))
    assert found is not None
    return found


def flip(world: World, place: int, file: ManifestFile | None = None) -> None:
    """Change one byte of a file, in place; of the newest point's archive without one."""
    path = (file or archive_of(world)).path
    data = bytearray(world.memory.storage.read(VAULT, blob_names.POINTS, path))
    data[place] ^= 0x20
    world.memory.storage.spoil(VAULT, blob_names.POINTS, path, bytes(data))
