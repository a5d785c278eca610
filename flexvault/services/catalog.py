"""Reads of what the vault knows: policies, backup instances, recovery points, jobs."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from flexvault.domain import blob_names, row_keys
from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.errors import IntegrityError, NotFoundError
from flexvault.domain.instance import Instance, ProtectionState, RecoveryPoint, StoredPolicy
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.manifest import Manifest
from flexvault.domain.names import chain_key, instance_key, sha256_hex
from flexvault.domain.open_job import JobRecord, OpenJob
from flexvault.domain.policy import POLICY_NAME, Policy, parse_policy
from flexvault.domain.rows import Row
from flexvault.ports import Ports, Server
from flexvault.services.journal import read_entry
from flexvault.services.manifests import find_manifest_version
from flexvault.services.regrades import show_effective

REQUESTS_REMEMBERED_FOR = timedelta(hours=24)
"""Far longer than any client repeats a request."""


def find_policy(ports: Ports, name: str) -> StoredPolicy | None:
    """Find a policy by its name, without regard to case; what can be no policy's name is asked of no table."""
    if not POLICY_NAME.fullmatch(name):
        return None
    row = ports.rows.find(row_keys.CONFIG, row_keys.VAULT_PARTITION, row_keys.policy_row(name))
    if row is None or row.values.get("is_deleted"):
        return None
    return StoredPolicy.from_values(row.values)


def get_policy(ports: Ports, name: str) -> StoredPolicy:
    """Read a policy.

    Raises:
        NotFoundError: There is none of that name.
    """
    policy = find_policy(ports, name)
    if policy is None:
        hint = "list the vault's policies, or create this one with PUT"
        raise NotFoundError(f"the vault has no backup policy '{name}'", target=name, hint=hint)
    return policy


def list_policies(ports: Ports, *, after: str = "") -> Iterator[StoredPolicy]:
    """Answer every policy by name; `after` is the place of the last one of the page before."""
    start, end = _start_after(row_keys.POLICY, after), row_keys.prefix_end(row_keys.POLICY)
    for row in ports.rows.query(row_keys.CONFIG, row_keys.VAULT_PARTITION, start=start, end=end):
        if not row.values.get("is_deleted"):
            yield StoredPolicy.from_values(row.values)


def policy_place(policy: StoredPolicy) -> str:
    """Answer where a policy stands among all: as its row does."""
    return row_keys.policy_row(policy.name).removeprefix(row_keys.POLICY)


def _start_after(prefix: str, place: str) -> str:
    """Answer the least key that comes after an element's own: no character of a key sorts before a blank."""
    return f"{prefix}{place} " if place else prefix


def policy_as_of(ports: Ports, seq: int) -> Policy:
    """Read the policy that an entry of the vault's stream put in force."""
    return parse_policy(read_entry(ports, blob_names.VAULT_STREAM, seq).body["properties"])


def find_instance(ports: Ports, instance_id: str) -> Instance | None:
    """Find a backup instance by its ARM id."""
    return find_instance_by_key(ports, instance_key(instance_id))


def find_instance_by_key(ports: Ports, key: str) -> Instance | None:
    """Find a backup instance by its 32 hex digits.

    Raises:
        IntegrityError: code RowUnreadable: its row has another form than the vault writes.
    """
    row = find_instance_row(ports, key)
    try:
        return None if row is None or row.values.get("is_deleted") else Instance.from_values(row.values)
    except MALFORMED:
        raise IntegrityError(
            f"the row of backup instance {key} cannot be read",
            code="RowUnreadable",
            target=key,
            hint="treat the tables as tampered with: compare them with the journal",
        ) from None


def find_instance_row(ports: Ports, key: str) -> Row | None:
    """Find the row of a backup instance, also of one that was deleted."""
    return ports.rows.find(row_keys.CONFIG, row_keys.VAULT_PARTITION, row_keys.instance_row(key))


def get_instance(ports: Ports, instance_id: str) -> Instance:
    """Read a backup instance.

    Raises:
        NotFoundError: code UserErrorGenericResourceNotFound: there is none of that id.
    """
    instance = find_instance(ports, instance_id)
    if instance is None:
        name = instance_id.rpartition("/")[2]
        raise NotFoundError(
            f"the vault has no backup instance '{name}'",
            code="UserErrorGenericResourceNotFound",
            target=instance_id,
            hint="list the vault's backup instances, or configure this one with PUT",
        )
    return instance


def list_instances(ports: Ports, *, with_deleted: bool = False, after: str = "") -> Iterator[Instance]:
    """Answer every backup instance by its key; also those that were deleted, if they are wanted.

    `after` is the key of the last one of the page before.

    A row that cannot be read is passed over: one instance's trouble must not keep the others from their backups.
    """
    for row in _instance_rows(ports, after):
        if row.values.get("is_deleted") and not with_deleted:
            continue
        try:
            instance = Instance.from_values(row.values)
        except MALFORMED:
            ports.telemetry.emit("RowUnreadable", {"row": row.key})
            continue
        yield instance


def list_instance_keys(ports: Ports) -> Iterator[str]:
    """Answer the 32 hex digits of every backup instance that is or was, also where its row cannot be read."""
    return (row.key.removeprefix(row_keys.INSTANCE) for row in _instance_rows(ports))


def _instance_rows(ports: Ports, after: str = "") -> Iterator[Row]:
    start, end = _start_after(row_keys.INSTANCE, after), row_keys.prefix_end(row_keys.INSTANCE)
    yield from ports.rows.query(row_keys.CONFIG, row_keys.VAULT_PARTITION, start=start, end=end)


def list_policy_users(ports: Ports, policy_name: str) -> list[str]:
    """Name the instances under a policy, also those that go back to it should their change fail or be undeleted."""
    users: list[str] = []
    for row in _instance_rows(ports):
        if row.values.get("is_deleted"):
            continue
        try:
            before: dict[str, str] = json.loads(str(row.values.get("before_change") or "{}"))
            followed = {str(row.values["policy_name"]).lower(), before.get("policy_name", "").lower()}
        except (ValueError, KeyError, AttributeError):
            followed = {policy_name.lower()}  # nobody can say that it does not follow the policy
        if policy_name.lower() in followed:
            is_soft_deleted = row.values.get("state") == ProtectionState.SOFT_DELETED
            name = str(row.values.get("instance_name", row.key))
            users.append(f"{name} (soft-deleted)" if is_soft_deleted else name)
    return users


def find_server_claim(ports: Ports, server_id: str) -> str | None:
    """Answer the key of the instance that protects a server."""
    row = ports.rows.find(row_keys.CONFIG, row_keys.VAULT_PARTITION, row_keys.server_row(server_id))
    return None if row is None else str(row.values["instance"])


def find_protector(ports: Ports, server_id: str) -> Instance | None:
    """Answer the backup instance that protects a server; nothing while none does."""
    key = find_server_claim(ports, server_id)
    return None if key is None else find_instance_by_key(ports, key)


def list_points(ports: Ports, instance: str) -> list[RecoveryPoint]:
    """Answer an instance's recovery points that exist, newest first, with what holds for them now."""
    return show_effective(ports, instance, list_sealed_points(ports, instance))


def list_sealed_points(ports: Ports, instance: str) -> list[RecoveryPoint]:
    """Answer an instance's recovery points that exist, newest first, as they were sealed: from the rows alone."""
    return sorted(list_all_points(ports, instance, state="sealed"), key=_newest_first)


def list_own_points(ports: Ports, instance: Instance) -> Iterator[RecoveryPoint]:
    """Answer the recovery points of any state, without those of an instance of this name that was deleted before."""
    ended = instance.deleted_at
    points = list_all_points(ports, instance.key)
    return (point for point in points if ended is None or point.sealed_at > ended)


def list_all_points(ports: Ports, instance: str, *, state: str = "") -> Iterator[RecoveryPoint]:
    """Answer every row of an instance's recovery points as it was sealed, whatever its state, or those of one state."""
    for row in ports.rows.query(row_keys.POINTS, instance, start="0", end="g"):
        if not state or row.values["state"] == state:  # before it is read: most rows are of deleted points
            yield RecoveryPoint.from_values(row.values)


def _newest_first(point: RecoveryPoint) -> tuple[float, str]:
    return (-point.recovery_point_time.timestamp(), point.point_id)


def get_point(ports: Ports, instance: Instance, point_id: str) -> RecoveryPoint:
    """Read a recovery point with what holds for it now.

    Raises:
        NotFoundError: It never was, or was deleted.
    """
    return show_effective(ports, instance.key, [get_sealed_point(ports, instance, point_id)])[0]


def get_sealed_point(ports: Ports, instance: Instance, point_id: str) -> RecoveryPoint:
    """Read a recovery point as it was sealed: from its row alone.

    Raises:
        NotFoundError: It never was, or was deleted.
    """
    row = ports.rows.find(row_keys.POINTS, instance.key, point_id.replace("-", "").lower())
    if row is None or row.values.get("state") != "sealed":
        raise no_such_point(instance, point_id)
    return RecoveryPoint.from_values(row.values)


def no_such_point(instance: Instance, point_id: str) -> NotFoundError:
    """Say that an instance has no such recovery point, or has it no more."""
    return NotFoundError(
        f"backup instance '{instance.name}' has no recovery point '{point_id}'",
        code="UserErrorRecoveryPointNotFound",
        target=point_id,
        hint="list the instance's recovery points",
    )


def read_manifest(ports: Ports, point: RecoveryPoint) -> Manifest:
    """Read a recovery point's manifest and compare it with the hash that was journalled.

    Raises:
        IntegrityError: It is not the one that was sealed.
    """
    path = blob_names.manifest_path(point.instance, point.point_id)
    version_id = find_manifest_version(ports, point)
    if version_id is None:
        raise NotFoundError(f"the vault account has no manifest '{path}'", code=BLOB_NOT_FOUND, target=path)
    data = ports.vault_reader.read(blob_names.MANIFESTS, path, version_id=version_id)
    if sha256_hex(data) != point.manifest_hash:
        raise IntegrityError(
            f"the manifest of recovery point {point.point_id} is not the one that was sealed",
            code="ManifestDiffers",
            target=path,
            hint="treat the vault account as tampered with; restore another recovery point",
        )
    return Manifest.from_bytes(data)


def find_job(ports: Ports, job_id: str) -> JobRecord | None:
    """Find a job by its GUID."""
    try:
        key = row_keys.job_row(job_id.lower())
    except ValueError:
        return None
    row = ports.rows.find(row_keys.JOBS, row_keys.JOBS_PARTITION, key)
    return None if row is None else JobRecord.from_values(row.values, row.etag)


def list_jobs(ports: Ports, *, after: str = "", limit: int | None = None) -> Iterator[JobRecord]:
    """Answer jobs, newest first; `after` is the id of the last job of the page before."""
    start = f"{row_keys.job_row(after)}!" if after else "0"
    for row in ports.rows.query(row_keys.JOBS, row_keys.JOBS_PARTITION, start=start, end=":", limit=limit):
        yield JobRecord.from_values(row.values, row.etag)


def list_open_jobs(ports: Ports) -> Iterator[OpenJob]:
    """Answer every open row."""
    end = row_keys.prefix_end(row_keys.OPEN)
    for row in ports.rows.query(row_keys.JOBS, row_keys.JOBS_PARTITION, start=row_keys.OPEN, end=end):
        yield OpenJob.from_values(row.key, row.values, row.etag)


def find_open_job(ports: Ports, key: str) -> OpenJob | None:
    """Find an open row by its key."""
    row = ports.rows.find(row_keys.JOBS, row_keys.JOBS_PARTITION, key)
    return None if row is None else OpenJob.from_values(row.key, row.values, row.etag)


def find_request(ports: Ports, request_key: str, now: datetime) -> str | None:
    """Answer the job of the same request, if it came within the last day: a client may use one id for ever."""
    row = ports.rows.find(row_keys.JOBS, row_keys.JOBS_PARTITION, row_keys.request_row(request_key))
    if row is None or is_forgotten(row, now):
        return None
    return str(row.values["job_id"])


def is_forgotten(row: Row, now: datetime) -> bool:
    """Say whether a request's row is too old to answer for a repetition."""
    arrived_at = row.values["arrived_at"]
    return not isinstance(arrived_at, datetime) or arrived_at <= now - REQUESTS_REMEMBERED_FOR


def list_missed(ports: Ports, instance: str) -> list[dict[str, object]]:
    """Answer the records of missed slots of an instance, oldest first."""
    prefix = f"{row_keys.MISSED}{instance}-"
    rows = ports.rows.query(row_keys.JOBS, row_keys.JOBS_PARTITION, start=prefix, end=row_keys.prefix_end(prefix))
    return [json.loads(str(row.values["missed"])) for row in rows]


def find_schedule_row(ports: Ports, instance: str) -> Row | None:
    """Find the row of an instance's schedule; there is none before its protection is configured."""
    return ports.rows.find(row_keys.JOBS, row_keys.JOBS_PARTITION, row_keys.schedule_row(instance))


def find_slots_from(ports: Ports, instance: str) -> datetime | None:
    """Answer the moment after which an instance's slots count."""
    return max(_moments(find_schedule_row(ports, instance), "slots_from"), default=None)


def oldest_taken_slot(ports: Ports, policy_name: str) -> datetime | None:
    """Answer the oldest of the last slots that the instances under a policy have taken since they were configured."""
    moments: list[datetime] = []
    for instance in list_instances(ports):
        if instance.state is ProtectionState.CONFIGURED and instance.policy_name.lower() == policy_name.lower():
            taken = _moments(find_schedule_row(ports, instance.key), *_TAKEN, "slots_from")
            moments += [max(taken)] if taken else []
    return min(moments, default=None)


def find_last_slot(ports: Ports, instance: str) -> datetime | None:
    """Answer the newest slot of an instance that was taken or missed, or when it was configured or resumed."""
    return max(_moments(find_schedule_row(ports, instance), *_TAKEN), default=None)


_TAKEN = ("last_slot", "resumed_at")


def _moments(row: Row | None, *members: str) -> list[datetime]:
    values = [] if row is None else [row.values.get(member) for member in members]
    return [value for value in values if isinstance(value, datetime)]


def find_chain(ports: Ports, instance: str, server: Server) -> str:
    """Name the chain that a server's points belong to; while ARM does not say when it was created, the newest one.

    Args:
        ports: Where the points are found.
        instance: 32 hex digits; empty where the instance is not known.
        server: As ARM shows it now.
    """
    own = chain_key(server.id, server.created_at)
    if server.created_at is not None or not instance:
        return own
    newest = max(list_all_points(ports, instance), key=lambda point: point.recovery_point_time, default=None)
    is_of_server = newest is not None and newest.chain.partition("|")[0] == server.id.lower()
    return newest.chain if newest is not None and is_of_server else own


def is_recreated(points: Sequence[RecoveryPoint], chain: str) -> bool:
    """Say whether there are recovery points, and none of the server's present incarnation."""
    return bool(points) and all(point.chain != chain for point in points)


def expected_duration(ports: Ports, points: Sequence[RecoveryPoint], chain: str) -> timedelta | None:
    """Answer how long the newest backup of a chain took, or nothing when there was none."""
    for point in points:
        if point.chain == chain:
            job = find_job(ports, point.job_id)
            if job is not None and job.ended_at is not None:
                return job.ended_at - job.started_at
    return None


def expected_run(ports: Ports, points: Sequence[RecoveryPoint], chain: str) -> timedelta | None:
    """Answer how long the server wrote the newest backup of a chain; of an older version's job, how long that took."""
    newest = next((point for point in points if point.chain == chain), None)
    job = find_job(ports, newest.job_id) if newest is not None else None
    if job is not None and job.ran_for_seconds is not None:
        return timedelta(seconds=job.ran_for_seconds)
    return expected_duration(ports, points, chain)


def find_point_or_none(ports: Ports, instance: str, point_id: str) -> RecoveryPoint | None:
    """Find a recovery point by its instance's key, whatever its state."""
    row = ports.rows.find(row_keys.POINTS, instance, point_id)
    return None if row is None else RecoveryPoint.from_values(row.values)


def find_point(ports: Ports, instance: str, point_id: str) -> RecoveryPoint:
    """Read a recovery point by its instance's key, whatever its state.

    Raises:
        NotFoundError: There is no row of it.
    """
    point = find_point_or_none(ports, instance, point_id)
    if point is None:
        raise NotFoundError(f"there is no recovery point '{point_id}'", target=point_id)
    return point
