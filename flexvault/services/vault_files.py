"""What lies in the vault account: manifests, the files that they name, and files that none does."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.errors import IntegrityError
from flexvault.domain.job import Operation
from flexvault.domain.manifest import Manifest
from flexvault.domain.stored_plan import UnsealedFile
from flexvault.ports import Ports
from flexvault.services import catalog
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
        is_old = blob.last_modified <= as_of - vault.settings.unsealed_keep_for
        if is_old and not is_written(vault.ports, point):
            yield UnsealedFile(path=blob.name, version_id=blob.version_id, last_modified=blob.last_modified)


def point_of(path: str) -> str:
    """Answer the `{instance}/{point}/` that a file's path begins with."""
    instance, _, rest = path.partition("/")
    return blob_names.point_prefix(instance, rest.partition("/")[0])


def list_manifests(ports: Ports, prefix: str) -> Iterator[tuple[str, str]]:
    """Answer instance and point id of every manifest below a prefix."""
    for blob in ports.vault_reader.list_blobs(blob_names.MANIFESTS, prefix):
        instance, _, file = blob.name.partition("/")
        point_id = file.removesuffix(".json")
        if file.endswith(".json") and "." not in point_id:  # not a later fact beside a manifest
            yield instance, point_id


def find_overwritten(ports: Ports, prefix: str) -> Mapping[str, int]:
    """Answer how many versions lie at each path of container `manifests` that has more than one.

    A manifest is created once: whoever writes over it would say by a later version what may be deleted.
    """
    versions = Counter(blob.name for blob in ports.vault_reader.list_versions(blob_names.MANIFESTS, prefix))
    return {path: count for path, count in versions.items() if count > 1}


def read_own_manifest(data: bytes, instance: str, point_id: str) -> Manifest:
    """Read the manifest of a point from its bytes.

    Raises:
        IntegrityError: code ManifestDiffers: it is none, or another point's.
    """
    manifest = Manifest.from_bytes(data)
    if (manifest.instance, manifest.point_id) != (instance, point_id):
        raise IntegrityError("the manifest that lies there is another point's", code="ManifestDiffers")
    return manifest


def _named_files(ports: Ports, point: str) -> frozenset[str] | None:
    """Answer what the manifest of a point names: no file without one, nothing at all when it cannot be believed.

    A refusal is raised, never an answer.
    """
    if find_overwritten(ports, point.rstrip("/")):
        return None
    for instance, point_id in list_manifests(ports, point.rstrip("/")):
        data = ports.vault_reader.read(blob_names.MANIFESTS, blob_names.manifest_path(instance, point_id))
        try:
            return frozenset(file.path for file in read_own_manifest(data, instance, point_id).files)
        except IntegrityError:
            return None
    return frozenset()


def is_written(ports: Ports, point: str) -> bool:
    """Say whether an open job makes the point of this `{instance}/{point}/`."""
    instance, point_id = point.rstrip("/").split("/")
    opened = catalog.find_open_job(ports, row_keys.open_row(Operation.BACKUP, instance))
    return opened is not None and names.point_id(opened.job_id) == point_id


def find_version(ports: Ports, container: str, path: str) -> str:
    """Answer the version id of a blob as it is now; empty where it is gone or the account keeps no versions."""
    blob = ports.vault_reader.find(container, path)
    return "" if blob is None else blob.version_id
