"""What storage itself refuses to change: immutability policies and legal holds of versions, set and read back.

A policy is only ever made longer. Storage keeps whole seconds, so an end is rounded up.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched

from flexvault.domain import blob_names
from flexvault.domain.errors import IntegrityError, TransientError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.manifest import Manifest
from flexvault.domain.vault_settings import Immutability
from flexvault.ports import BlobFacts, Ports
from flexvault.services.first_versions import list_first
from flexvault.services.manifests import find_manifest_version
from flexvault.services.vault_files import point_of

PARALLEL = 16
BATCH = 64
LONGEST_REQUEST = timedelta(seconds=60)
"""An HTTP request is cut off at 230 seconds; one that did not get through all of it is repeated and goes on."""
STORAGE_HOLD = "(legal hold in the storage account)"
"""Stands for a hold that the journal does not know."""
MISSING_HINT = (
    "the vault account must keep versions with version-level immutability, and the control identity needs the data "
    "action .../immutableStorage/runAsSuperUser there"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version in the vault account."""

    container: str
    path: str
    version_id: str


@dataclass(frozen=True, slots=True)
class Guarded:
    """What storage refuses for a recovery point: the strongest of its files and its manifest."""

    until: datetime | None = None
    is_held: bool = False

    def joined(self, blob: BlobFacts) -> "Guarded":
        """Answer the stronger of both."""
        ends = [end for end in (self.until, blob.immutable_until) if end is not None]
        return Guarded(until=max(ends, default=None), is_held=self.is_held or blob.has_legal_hold)


def whole_seconds(moment: datetime) -> datetime:
    """Round a moment up, as the end of a policy must be."""
    return moment if moment.microsecond == 0 else moment.replace(microsecond=0) + timedelta(seconds=1)


def versions_of(manifest: Manifest, manifest_version: str) -> Iterator[Version]:
    """Answer a recovery point's versions: the manifest first, so that nothing outlasts what it protects."""
    path = blob_names.manifest_path(manifest.instance, manifest.point_id)
    yield Version(container=blob_names.MANIFESTS, path=path, version_id=manifest_version)
    for file in manifest.files:
        yield Version(container=blob_names.POINTS, path=file.path, version_id=file.version_id)


def is_weaker(blob: BlobFacts, until: datetime, mode: Immutability) -> bool:
    """Say whether a version's policy is not what it should be at least."""
    is_short = blob.immutable_until is None or blob.immutable_until < whole_seconds(until)
    return is_short or (mode is Immutability.LOCKED and blob.immutability_mode != Immutability.LOCKED)


def protect(ports: Ports, version: Version, until: datetime, mode: Immutability) -> bool:
    """Give a version a policy until a moment at least, and read it back; answers whether it had to be set.

    Raises:
        IntegrityError: code VersionMissing, or ImmutabilityNotSet: storage took the policy and does not show it.
    """
    if mode is Immutability.DISABLED:
        return False
    found = _find(ports, version)
    if not is_weaker(found, until, mode) or (end := _end(found, until)) <= ports.clock.storage_now():
        return False
    is_locked = Immutability.LOCKED in {mode, found.immutability_mode}
    wanted = Immutability.LOCKED if is_locked else Immutability.UNLOCKED
    ports.vault_guard.protect(version.container, version.path, version.version_id, end, wanted)
    if is_weaker(_find(ports, version), until, mode):
        text = f"storage shows no immutability policy until {end.isoformat()} on '{version.path}' after it was set"
        raise IntegrityError(text, code="ImmutabilityNotSet", target=version.path, hint=MISSING_HINT)
    return True


def _end(found: BlobFacts, until: datetime) -> datetime:
    wanted = whole_seconds(until)
    return max(wanted, found.immutable_until) if found.immutable_until else wanted


def hold(ports: Ports, version: Version, *, is_held: bool) -> None:
    """Set or clear a version's legal hold, and read it back.

    Raises:
        IntegrityError: code VersionMissing, or LegalHoldNotSet.
    """
    ports.vault_guard.set_legal_hold(version.container, version.path, version.version_id, is_held=is_held)
    if _find(ports, version).has_legal_hold is not is_held:
        word = "no legal hold" if is_held else "a legal hold still"
        text = f"storage shows {word} on '{version.path}' after it was {'set' if is_held else 'cleared'}"
        raise IntegrityError(text, code="LegalHoldNotSet", target=version.path, hint=MISSING_HINT)


def _find(ports: Ports, version: Version) -> BlobFacts:
    found = ports.vault_reader.find(version.container, version.path, version_id=version.version_id)
    if found is None:
        text = f"version '{version.version_id}' of '{version.path}' is not in the vault account"
        raise IntegrityError(text, code="VersionMissing", target=version.path)
    return found


def list_versions(ports: Ports, prefix: str) -> Iterator[tuple[Version, BlobFacts]]:
    """Answer every version below `{instance}/` or of `{instance}/{point}`: manifests first, then files."""
    for container in (blob_names.MANIFESTS, blob_names.POINTS):
        for blob in ports.vault_reader.list_versions(container, prefix):
            yield Version(container=container, path=blob.name, version_id=blob.version_id), blob


def read_guards(ports: Ports, prefix: str) -> Mapping[str, Guarded]:
    """Answer what storage refuses, by `{instance}/{point}/`, for all recovery points below a prefix."""
    guards: dict[str, Guarded] = {}
    for version, blob in list_versions(ports, prefix):
        point = point_of_version(version)
        guards[point] = guards.get(point, Guarded()).joined(blob)
    return guards


@dataclass(frozen=True, slots=True)
class Policy:
    """A version's immutability policy that runs."""

    until: datetime
    mode: str
    """Unlocked or Locked."""


def find_immutability_policy(ports: Ports, point: RecoveryPoint) -> Policy | None:
    """Ask storage for the policy of a recovery point's manifest, which its files share; nothing when none runs."""
    path = blob_names.manifest_path(point.instance, point.point_id)
    found = ports.vault_reader.find(blob_names.MANIFESTS, path, version_id=find_manifest_version(ports, point) or "")
    return None if found is None else _policy_of(found, ports.clock.storage_now())


def list_immutability_policies(ports: Ports, instance: str) -> Mapping[str, Policy]:
    """Ask storage once for the policies of all manifests of an instance, by point id; first versions count."""
    now = ports.clock.storage_now()
    policies: dict[str, Policy] = {}
    for blob in list_first(ports.vault_reader, blob_names.MANIFESTS, f"{instance}/"):
        point_id, policy = blob.name.partition("/")[2].removesuffix(".json"), _policy_of(blob, now)
        if policy is not None and blob.name == blob_names.manifest_path(instance, point_id):
            policies[point_id] = policy
    return policies


def _policy_of(blob: BlobFacts, now: datetime) -> Policy | None:
    until = blob.immutable_until
    return None if until is None or until <= now else Policy(until=until, mode=blob.immutability_mode)


@dataclass(frozen=True, slots=True)
class LeftByStorage:
    """What an approved deletion of data leaves for now, because storage refuses to let it go."""

    count: int
    """Recovery points."""
    until: datetime | None
    """When the last policy ends; nothing while only legal holds refuse."""


def find_left(ports: Ports, instance: str, now: datetime) -> LeftByStorage | None:
    """Answer what storage keeps of an instance; nothing when there is a point that it lets go, or no point at all.

    Files without a manifest, as a backup that died leaves them, are no point.
    """
    points: dict[str, Guarded] = {}
    for version, blob in list_versions(ports, f"{instance}/"):
        point = point_of_version(version)
        if version.container == blob_names.MANIFESTS or point in points:
            points[point] = points.get(point, Guarded()).joined(blob)
    guards = points.values()
    ends = [found.until for found in guards if found.until is not None and found.until > now]
    is_kept = all(found.is_held or (found.until is not None and found.until > now) for found in guards)
    return LeftByStorage(len(guards), max(ends, default=None)) if guards and is_kept else None


def find_last_end(ports: Ports, instance: str) -> datetime | None:
    """Answer when the last immutability policy of an instance's manifests ends, which their files share."""
    return max((policy.until for policy in list_immutability_policies(ports, instance).values()), default=None)


def point_of_version(version: Version) -> str:
    """Answer the `{instance}/{point}/` that a version belongs to."""
    if version.container == blob_names.POINTS:
        return point_of(version.path)
    instance, _, file = version.path.partition("/")
    return blob_names.point_prefix(instance, file.partition(".")[0])


def point_id_of(version: Version) -> str:
    """Answer the id of the recovery point that a version belongs to."""
    return point_of_version(version).split("/")[1]


def carry_out(ports: Ports, work: Iterable[Callable[[], object]], what: str) -> None:
    """Do a request's work side by side, as much as fits.

    Raises:
        TransientError: code StorageNotDoneYet: some is left; the same request goes on.
    """
    until = ports.clock.host_now() + LONGEST_REQUEST
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        for batch in batched(work, BATCH, strict=False):
            if ports.clock.host_now() >= until:
                text = f"{what}: it is journalled and binds the vault, but storage is not through all of its versions"
                hint = "send the same request again: it goes on where it stopped"
                raise TransientError(text, code="StorageNotDoneYet", hint=hint)
            for done in [pool.submit(task) for task in batch]:
                done.result()
