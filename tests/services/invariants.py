"""What must hold of a vault once everything has come to rest, whatever happened on the way."""

from collections import Counter

from flexvault.adapters.memory.storage import LANDING, VAULT
from flexvault.domain import blob_names, names
from flexvault.domain.events import head_target
from flexvault.domain.job import JobStatus
from flexvault.domain.journal import Entry
from flexvault.domain.manifest import Manifest
from flexvault.domain.rows import Row
from flexvault.services import catalog
from tests.builders import World


def entries(world: World, stream: str) -> list[Entry]:
    """Every entry of a stream, in order."""
    storage = world.memory.storage
    blobs = storage.list_blobs(VAULT, blob_names.JOURNAL, f"{stream}/")
    return [Entry.from_bytes(storage.read(VAULT, blob_names.JOURNAL, blob.name)) for blob in blobs]


def streams(world: World) -> set[str]:
    """Every stream that has entries."""
    found = {blob.name.partition("/")[0] for blob in world.memory.storage.list_blobs(VAULT, blob_names.JOURNAL)}
    return found - {blob_names.ROOTS}


def require_whole_journal(world: World) -> None:
    """Every stream is one chain from 1, no event is in it twice, and its head row is its end or one entry behind.

    One behind is what a death between the last entry's targets and its head leaves; the next append mends it.
    """
    for stream in streams(world):
        found = entries(world, stream)
        assert [entry.seq for entry in found] == list(range(1, len(found) + 1))
        hashes = [""]
        for entry in found:
            assert entry.previous_hash == hashes[-1]
            hashes.append(names.sha256_hex(entry.to_bytes()))
        twice = [event for event, count in Counter(entry.event_id for entry in found).items() if count > 1]
        assert twice == [], [entry.type for entry in found if entry.event_id in twice]
        target = head_target(stream)
        head = world.vault.ports.rows.find(target.table, target.partition, target.key)
        seq = 0 if head is None else int(str(head.values["seq"]))
        assert seq in {len(found), len(found) - 1}
        assert head is None or head.values["hash"] == hashes[seq]


def require_rest(world: World) -> None:
    """Nothing is open, every job has ended and is journalled once, and every point is whole."""
    assert world.open_jobs() == []
    require_whole_journal(world)
    closed = Counter(
        entry.body["job_id"]
        for stream in streams(world)
        for entry in entries(world, stream)
        if entry.type == "JobClosed"
    )
    for job in world.jobs():
        assert job.status is not JobStatus.IN_PROGRESS
        assert closed[job.job_id] == 1
    require_whole_points(world)


def require_whole_points(world: World) -> None:
    """Each manifest has a sealed row and all of its files; no restore counts as reading any more."""
    storage = world.memory.storage
    for blob in storage.list_blobs(VAULT, blob_names.MANIFESTS):
        if blob_names.verification_of(blob.name):
            continue
        manifest = Manifest.from_bytes(storage.read(VAULT, blob_names.MANIFESTS, blob.name))
        row = catalog.find_point(world.vault.ports, manifest.instance, manifest.point_id)
        assert (row.state, row.readers) == ("sealed", 0)
        for file in manifest.files:
            found = storage.find(VAULT, blob_names.POINTS, file.path)
            assert found is not None
            assert found.size_bytes == file.size_bytes


def vault_picture(world: World) -> dict[str, object]:
    """Everything that is kept of points and jobs: blobs of the vault account and the rows behind the API.

    Plans are not in it, because any look may store one; nor are head rows, which may catch up with their stream.
    """
    storage, rows = world.memory.storage, world.memory.rows
    picture: dict[str, object] = {}
    for container in (blob_names.POINTS, blob_names.MANIFESTS, blob_names.JOURNAL):
        for blob in storage.list_blobs(VAULT, container):
            picture[f"{container}/{blob.name}"] = blob.etag
    for table, partition in (
        ("points", world.instance().key),
        ("jobs", "jobs"),
        ("config", "vault"),
    ):
        found: list[Row] = list(rows.query(table, partition, start="", end="~"))
        picture |= {f"{table}/{row.key}": dict(row.values) for row in found}
    return picture


def landing_containers(world: World) -> list[str]:
    """Names of the containers that are left in the landing account."""
    return [container.name for container in world.memory.storage.list_containers(LANDING)]
