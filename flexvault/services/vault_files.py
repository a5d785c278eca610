"""What lies in the vault account: the files that manifests name, and files that none does."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.errors import IntegrityError
from flexvault.domain.job import Operation
from flexvault.domain.stored_plan import UnsealedFile
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.manifests import find_manifest, read_own_manifest, read_stored
from flexvault.services.vault import Vault

RENEW_EVERY = 200
"""Blobs or entries, after which long reading renews its lease."""


def do_nothing() -> None:
    """Do nothing."""


def find_unsealed(
    vault: Vault,
    as_of: datetime,
    *,
    within: str = "",
    known: Mapping[str, frozenset[str] | None] | None = None,
    renew: Callable[[], object] = do_nothing,
) -> Iterator[UnsealedFile]:
    """Answer every version of a file that no manifest names, no open job writes, and that was kept long enough.

    Args:
        vault: The vault.
        as_of: The moment.
        within: Only files below this prefix of container `points`.
        known: What the manifests name, as far as it was read already.
        renew: Called now and then.
    """
    named: dict[str, frozenset[str] | None] = dict(known or {})
    blobs = vault.ports.vault_reader.list_versions(blob_names.POINTS, within)
    for count, blob in enumerate(blobs, start=1):
        if count % RENEW_EVERY == 0:
            renew()
        if not blob_names.is_file_path(blob.name):
            continue  # nothing of the vault's: a person put it there, and a person removes it
        point = point_of(blob.name)
        if point not in named:
            named[point] = _named_files(vault.ports, point)
        sealed = named[point]
        if sealed is None or blob.name in sealed or blob.last_modified is None:
            continue
        if blob.has_legal_hold or (blob.immutable_until is not None and blob.immutable_until > as_of):
            continue  # storage would refuse
        is_old = blob.last_modified <= as_of - vault.settings.unsealed_keep_for
        if is_old and not is_written(vault.ports, point):
            yield UnsealedFile(path=blob.name, version_id=blob.version_id, last_modified=blob.last_modified)


def point_of(path: str) -> str:
    """Answer the `{instance}/{point}/` that a file's path begins with."""
    instance, _, rest = path.partition("/")
    return blob_names.point_prefix(instance, rest.partition("/")[0])


def _named_files(ports: Ports, point: str) -> frozenset[str] | None:
    """Answer what the manifest of a point names: no file without one, nothing at all when it cannot be believed.

    A refusal is raised, never an answer.
    """
    instance, point_id = point.rstrip("/").split("/")
    found = find_manifest(ports, instance, point_id)
    if found is None:
        return frozenset()
    try:
        return frozenset(file.path for file in read_own_manifest(read_stored(ports, found), instance, point_id).files)
    except IntegrityError:
        return None


def is_written(ports: Ports, point: str) -> bool:
    """Say whether an open job makes the point of this `{instance}/{point}/`."""
    instance, point_id = point.rstrip("/").split("/")
    opened = catalog.find_open_job(ports, row_keys.open_row(Operation.BACKUP, instance))
    return opened is not None and names.point_id(opened.job_id) == point_id
