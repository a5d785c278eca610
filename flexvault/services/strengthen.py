"""Make storage's protection of recovery points as strong as the vault says: longer, locked, held; never weaker.

A re-evaluation and a change to Locked need it for points that are sealed already. Every night it mends what a crash
or a person left behind.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import (
    AlreadyExistsError,
    IntegrityError,
    NotFoundError,
    RowChangedError,
    TransientError,
    VaultError,
)
from flexvault.domain.event_rows import config_target, put
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.vault_settings import Immutability
from flexvault.ports import BlobFacts, Ports
from flexvault.services import catalog
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.holds import list_holds
from flexvault.services.immutability import (
    Version,
    carry_out,
    is_weaker,
    list_versions,
    point_of_version,
    protect,
    versions_of,
)
from flexvault.services.journal import find_row
from flexvault.services.manifests import find_manifest_version
from flexvault.services.regrades import find_retention_row, reevaluated_seq, show_effective
from flexvault.services.roots import protect_roots
from flexvault.services.storage_holds import hold_in_storage
from flexvault.services.vault import Vault

CHECKED = config_target(row_keys.GUARDS)


def strengthen(ports: Ports, instance: str) -> int:
    """Give every version of an instance's recovery points a policy until the point's present expiry at least.

    Answers how many versions lacked it. What is gone or cannot be read keeps nothing else from being protected: it is
    raised at the end.

    Args:
        ports: What may be reached.
        instance: 32 hex digits.

    Raises:
        TransientError: code StorageNotDoneYet: some is left; the same call goes on.
        IntegrityError, NotFoundError: code VersionMissing, ManifestDiffers or ImmutabilityNotSet, of the first one.
    """
    mode = read_believed_settings(ports).immutability
    if mode is Immutability.DISABLED:
        return 0
    known: dict[str, dict[Version, BlobFacts]] = defaultdict(dict)
    for version, blob in list_versions(ports, f"{instance}/"):
        known[point_of_version(version)][version] = blob
    now, reevaluated = ports.clock.storage_now(), _newest_reevaluation(ports, instance)
    sealed = show_effective(ports, instance, catalog.list_sealed_points(ports, instance))
    points = [point for point in sealed if point.expiry_time > now]
    damage: list[IntegrityError | NotFoundError] = []
    weak: list[Version] = []

    def list_work() -> Iterator[Callable[[], None]]:
        for point in points:
            try:
                found = list(_find_weak(ports, point, known[blob_names.point_prefix(instance, point.point_id)], mode))
            except (IntegrityError, NotFoundError) as error:
                damage.append(error)
                continue
            for version, until in found:
                weak.append(version)
                yield partial(_protect, ports, version, until, mode, damage)

    # Manifests are read as the work goes on: so their reading counts against a request's time, too.
    carry_out(ports, list_work(), "the immutability of recovery points")
    if weak and _newest_reevaluation(ports, instance) != reevaluated:
        # Its own policies may lie under some of these, which were on their way with an earlier end.
        return len(weak) + strengthen(ports, instance)
    if damage:
        raise damage[0]
    return len(weak)


def _newest_reevaluation(ports: Ports, instance: str) -> int:
    return reevaluated_seq(find_retention_row(ports, instance))


def _protect(
    ports: Ports, version: Version, until: datetime, mode: Immutability, damage: list[IntegrityError | NotFoundError]
) -> None:
    try:
        protect(ports, version, until, mode)
    except (IntegrityError, NotFoundError) as error:
        damage.append(error)


def _find_weak(
    ports: Ports, point: RecoveryPoint, known: Mapping[Version, BlobFacts], mode: Immutability
) -> Iterator[tuple[Version, datetime]]:
    """Answer what of a point is too weak: only its own versions, whatever else lies beside them."""
    if known and not any(is_weaker(blob, point.expiry_time, mode) for blob in known.values()):
        return
    manifest = catalog.read_manifest(ports, point)
    own = versions_of(manifest, find_manifest_version(ports, point) or "")
    for version in [*own, *_list_results(point, known)]:
        blob = known.get(version)
        if blob is None or is_weaker(blob, point.expiry_time, mode):
            yield version, point.expiry_time


def _list_results(point: RecoveryPoint, known: Mapping[Version, BlobFacts]) -> Iterator[Version]:
    """Answer the results and indexes of a point's deep verifications: of each name the first version."""
    first: dict[str, Version] = {}
    for version in known:
        name = blob_names.verification_of(version.path)
        if version.container != blob_names.MANIFESTS or name is None or name.number > point.verified_number:
            continue
        older = first.get(version.path)
        if older is None or version.version_id < older.version_id:
            first[version.path] = version
    yield from first.values()


def check_guards(vault: Vault, now: datetime) -> None:
    """Compare storage's policies and holds with what the vault says, once a UTC day, and mend what is too weak.

    What could not be mended is told and must not keep reconcile from its other work. It is tried again at the next call
    if that may help, else on the next day: one damaged point must not have the whole vault listed every few minutes.
    """
    row = find_row(vault.ports, CHECKED)
    day = now.date().isoformat()
    if row is not None and row.values.get("day") == day:
        return
    checked = [_check_roots(vault.ports)]
    checked += [_check_instance(vault.ports, key) for key in catalog.list_instance_keys(vault.ports)]
    if not all(checked):
        return
    change = put(CHECKED, row, {"day": day})
    try:
        vault.ports.rows.apply(CHECKED.table, CHECKED.partition, [change])
    except (AlreadyExistsError, RowChangedError):
        return  # another run was through at the same time


def _check_roots(ports: Ports) -> bool:
    return _check(ports, {"container": blob_names.JOURNAL}, [partial(protect_roots, ports)])


def _check_instance(ports: Ports, instance: str) -> bool:
    def hold_all() -> int:
        return sum(hold_in_storage(ports, instance, standing) for standing in list_holds(ports, instance))

    return _check(ports, {"flexvault.instance": instance}, [partial(strengthen, ports, instance), hold_all])


def _check(ports: Ports, facts: Mapping[str, str], parts: Sequence[Callable[[], int]]) -> bool:
    """Mend part by part; answers whether it is done for today."""
    mended, errors = 0, list[VaultError]()
    for mend in parts:
        try:
            mended += mend()
        except VaultError as error:
            errors.append(error)
        except MALFORMED as error:
            text = f"what the tables say of it cannot be read: {type(error).__name__}"
            errors.append(IntegrityError(text, code="RowUnreadable"))
    if mended:
        ports.telemetry.emit("ImmutabilityDrift", {**facts, "versions": mended})
    if errors:
        first = errors[0]
        ports.telemetry.emit("ImmutabilityNotChecked", {**facts, "code": first.code, "message": first.message})
    return not any(isinstance(error, TransientError) for error in errors)
