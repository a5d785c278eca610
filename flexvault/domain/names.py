"""Every name that the vault derives: the same job, slot and attempt always give the same names.

A repeated step finds what its first run did because no name is ever drawn at random.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "https://flexvault.example/names")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical_json(value: Any) -> bytes:
    """Write JSON in the one form that is hashed: UTF-8, sorted keys, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256_hex(data: bytes) -> str:
    """Answer the SHA-256 of bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def instance_key(instance_id: str) -> str:
    """Name a backup instance in tables, blobs and streams: 32 hex digits of its lower-cased id."""
    return uuid5(NAMESPACE, instance_id.lower()).hex


def timed_id(at: datetime, seed: str) -> str:
    """Make a GUID whose first 12 hex digits are the time in milliseconds, as in a version 7 UUID."""
    milliseconds = (at - EPOCH) // timedelta(milliseconds=1)
    tail = uuid5(NAMESPACE, seed).hex
    return str(UUID(hex=f"{milliseconds:012x}7{tail[:3]}8{tail[4:7]}{tail[8:20]}"))


def slot_job_id(instance: str, slot: datetime) -> str:
    """Name the one job of a slot, whoever claims it."""
    return timed_id(slot, f"slot|{instance}|{slot.isoformat()}")


def request_job_id(request_key: str, arrived_at: datetime) -> str:
    """Name the job of a client's request."""
    return timed_id(arrived_at, f"request|{request_key}|{arrived_at.isoformat()}")


def job_milliseconds(job_id: str) -> int:
    """Read the time that a job's id carries, since 1970; of a GUID that is none of ours it may be past any calendar.

    Raises:
        ValueError: It is no GUID.
    """
    return int(UUID(job_id).hex[:12], 16)


def job_time(job_id: str) -> datetime:
    """Read the time that a job's id carries."""
    return EPOCH + timedelta(milliseconds=job_milliseconds(job_id))


def point_id(job_id: str) -> str:
    """Name the recovery point of a job: the job's id as 32 hex digits."""
    return UUID(job_id).hex


def backup_name(job_id: str, attempt: int) -> str:
    r"""Name one attempt at the server; only `[-a-z0-9]`, 3 to 64 characters (LTR allows `[-\\w.]`, 1 to 128)."""
    return f"flexvault-{UUID(job_id).hex}-a{attempt}"


def landing_container(job_id: str, attempt: int, ordinal: int) -> str:
    """Name a landing container that no other attempt ever uses."""
    return f"l{uuid5(NAMESPACE, f'landing|{job_id}').hex}a{attempt}c{ordinal}"


def landing_owner_prefix(job_id: str) -> str:
    """Name what all landing containers of a job begin with."""
    return f"l{uuid5(NAMESPACE, f'landing|{job_id}').hex}a"


def is_landing_container(name: str) -> bool:
    """Say whether a container's name is one that the vault derives: of others it knows nothing."""
    return re.fullmatch(r"l[0-9a-f]{32}a[0-9]+c[0-9]+", name) is not None


def blob_owner(job_id: str, attempt: int) -> str:
    """Answer the value of metadata `flexvault_job`: only a blob with it is this attempt's."""
    return f"{job_id}/a{attempt}"


def event_id(stream: str, kind: str, key: str) -> str:
    """Name an event of a stream; the same event always has the same id."""
    return str(uuid5(NAMESPACE, f"event|{stream}|{kind}|{key}"))


def request_key(operation: str, path: str, body: Any, client_request_id: str) -> str:
    """Name a client's request, so that its repetition meets the first one's answer."""
    return sha256_hex(canonical_json([operation, path.lower(), body, client_request_id]))[:40]


def approval_key(oid: str, operation: str, path: str, body: Any, target: Sequence[str | int]) -> str:
    """Name what an approval covers: who asks for what, and the state of the row that it would change."""
    return sha256_hex(canonical_json([oid, operation, path.lower(), body, list(target)]))[:32]


def approval_id(key: str, earlier: int) -> str:
    """Name one approval of a request, counted by the earlier ones that have ended."""
    return f"{key}-{earlier:04d}"


def operation_id(operation: str, key: str) -> str:
    """Name a long-running operation of the API by what it made (a job) or by its request."""
    return str(uuid5(NAMESPACE, f"operation|{operation}|{key}"))


def server_key(server_id: str) -> str:
    """Name a server's claim row: ARM ids compare without regard to case."""
    return sha256_hex(server_id.lower().encode())[:40]


def chain_key(server_id: str, created_at: datetime | None) -> str:
    """Name one incarnation of a server; an unknown creation time is the same chain."""
    return server_id.lower() if created_at is None else f"{server_id.lower()}|{created_at.isoformat()}"


def orchestration_id(job_id: str, generation: int) -> str:
    """Name the orchestration that runs one generation of a job."""
    return job_id if generation == 1 else f"{job_id}-g{generation}"


def role_assignment_name(scope: str, role_definition: str, principal_id: str) -> str:
    """Name a role assignment as Bicep's guid() would: names are unique in all of Azure."""
    return str(uuid5(NAMESPACE, f"{scope.lower()}|{role_definition.lower()}|{principal_id.lower()}"))


def content_etag(members: Mapping[str, Any]) -> str:
    """Answer the ETag of the members that a client may set, quoted as HTTP wants it."""
    return f'"{sha256_hex(canonical_json(members))[:32]}"'
