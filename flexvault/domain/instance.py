"""A backup instance as its row holds it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from flexvault.domain.json_values import as_object


class ProtectionState(StrEnum):
    """Azure Backup's words for the state of a backup instance."""

    CONFIGURING = "ConfiguringProtection"
    """Rights are being granted or verified: wait."""
    CONFIGURED = "ProtectionConfigured"
    """Its schedule runs."""
    FAILED = "ConfiguringProtectionFailed"
    """Rights are missing: grant them as the error says, then PUT the instance again."""
    UPDATING = "UpdatingProtection"
    """Another policy is being put in force: its slots count once that is recorded."""
    SUSPENDED = "BackupSchedulesSuspended"
    """No backups; recovery points expire as their policy says, but for the newest good one."""
    STOPPED = "ProtectionStopped"
    """No backups; every recovery point is retained for ever."""
    DELETING = "SoftDeleting"
    """An approved deletion of the instance with its data: it ends when the last recovery point is gone."""
    SOFT_DELETED = "SoftDeleted"
    """The same, but nothing goes before `purge_at`, until when it can be undeleted; from then on it is as above."""


RUNS_BACKUPS = frozenset({ProtectionState.CONFIGURED, ProtectionState.UPDATING})
PAUSED = frozenset({ProtectionState.SUSPENDED, ProtectionState.STOPPED})
GOING = frozenset({ProtectionState.DELETING, ProtectionState.SOFT_DELETED})
"""States that an approved deletion of the data leads to."""
BEING_CONFIGURED = frozenset({ProtectionState.CONFIGURING, ProtectionState.UPDATING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A source server under a policy."""

    key: str
    """32 hex digits; also the name of its stream."""
    id: str
    """ARM id of the backup instance."""
    name: str
    server_id: str
    server_location: str
    policy_name: str
    state: ProtectionState
    properties: Mapping[str, Any]
    """What the client sent, as it sent it."""
    error: Mapping[str, Any] | None
    changed_at: datetime
    journal_seq: int
    deletion_seq: int = 0
    """The entry of the vault's stream by which its data are deleted; 0 while there is none."""
    purge_at: datetime | None = None
    """Of a soft-deleted instance: nothing of it is deleted before. A row's word: what deletes asks the journal."""
    undeleted_seq: int = 0
    """The entry of the vault's stream by which it was last undeleted."""
    paused_from: datetime | None = None
    """Since when its schedule sleeps."""
    is_deleted: bool = False
    deleted_at: datetime | None = None
    """When the last instance of this name was gone with its data; nothing of before that moment counts for this one."""
    assignments: tuple[str, ...] = ()
    """Names of the role assignments on the server that flexvault made itself."""
    roles_removed_for: int = 0
    """The deletion after whose end they were removed."""
    rights: Mapping[str, Any] | None = None
    """What the control identity lacks on the server, as last verified: `missing`, `since`, `error`; nothing when it
    lacks nothing."""

    @property
    def has_roles_to_remove(self) -> bool:
        """Say whether it is gone and flexvault's own role assignments on its server may still be there."""
        return self.is_deleted and bool(self.assignments) and self.roles_removed_for != self.deletion_seq

    @property
    def friendly_name(self) -> str:
        """Answer the name that people see: the client's, else the server's."""
        return str(self.properties.get("friendlyName") or self.server_name)

    @property
    def server_name(self) -> str:
        """Answer the last segment of the server's id."""
        return self.server_id.rpartition("/")[2]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Instance":
        """Read the row."""
        return cls(
            key=values["instance"],
            id=values["instance_id"],
            name=values["instance_name"],
            server_id=values["server_id"],
            server_location=values["server_location"],
            policy_name=values["policy_name"],
            state=ProtectionState(values["state"]),
            properties=_read_properties(values["properties"]),
            error=json.loads(values["error"]) if values.get("error") else None,
            changed_at=values["changed_at"],
            journal_seq=values["journal_seq"],
            deletion_seq=values.get("deletion_seq", 0),
            purge_at=datetime.fromisoformat(values["purge_at"]) if values.get("purge_at") else None,
            undeleted_seq=values.get("undeleted_seq", 0),
            paused_from=datetime.fromisoformat(values["paused_from"]) if values.get("paused_from") else None,
            is_deleted=values.get("is_deleted", False),
            deleted_at=values.get("deleted_at"),
            assignments=tuple(json.loads(values.get("assignments") or "[]")),
            roles_removed_for=values.get("roles_removed_for", 0),
            rights=json.loads(values["rights"]) if values.get("rights") else None,
        )


def _read_properties(text: str) -> Mapping[str, Any]:
    """Read what a client sent, in the form that everybody who shows it relies on.

    Raises:
        ValueError: It has another one.
    """
    read: Any = json.loads(text)
    properties = as_object(read)
    if properties is None or as_object(properties.get("policyInfo", {})) is None:
        message = "the properties of a backup instance are no object, or their policyInfo is none"
        raise ValueError(message)
    return properties


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPolicy:
    """A policy as its row or its journal entry holds it."""

    name: str
    properties: Mapping[str, Any]
    journal_seq: int
    """The entry of stream `vault` that made it so; a job follows the policy as of its claim by this number."""
    changed_at: datetime
    schedule_changed_at: datetime
    """Slots at or before this moment belong to an earlier schedule."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "StoredPolicy":
        """Read the row."""
        return cls(
            name=values["name"],
            properties=json.loads(values["properties"]),
            journal_seq=values["journal_seq"],
            changed_at=values["changed_at"],
            schedule_changed_at=values["schedule_changed_at"],
        )


TOMBSTONED = frozenset({"deleting", "deleted"})
"""States of a recovery point whose tombstone is in the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryPoint:
    """A recovery point as its row holds it."""

    point_id: str
    instance: str
    job_id: str
    recovery_point_time: datetime
    expiry_time: datetime
    tag: str
    policy_name: str
    policy_seq: int
    size_bytes: int
    manifest_hash: str
    chain: str
    state: str
    """`sealed`, `deleting` or `deleted`."""
    readers: int
    sealed_at: datetime
    tombstone_seq: int = 0
    """Number of its tombstone in the instance's stream; 0 while there is none."""
    because: str = ""
    """Why it has its tag; empty for a point of an older version."""
    day: str = ""
    """The local date by which it was tagged."""
    judged_at: datetime | None = None
    """Of a scheduled backup the moment by which "first of" counts it; nothing for one on demand."""
    is_suspected: bool = False
    """The poisoning guard suspected it when it was sealed, whatever was acknowledged since."""
    holds: tuple[str, ...] = ()
    """Names of the legal holds that stand on this point alone; where points are shown, also of its instance's."""
    manifest_version: str = ""
    """Version id of its manifest; empty for a point of an older version."""
    verified_at: datetime | None = None
    """When its newest deep verification ended; nothing while there was none. The members below are that one's, too."""
    verified_number: int = 0
    verified_verdict: str = ""
    """A value of `flexvault.domain.verification.Verdict`."""
    verified_hash: str = ""
    """SHA-256 of the result's bytes."""
    verified_version: str = ""
    """Version id of the result."""
    verified_findings: int = 0
    verified_seq: int = 0
    """The journal entry of that one."""
    is_broken: bool = False
    """A deep verification failed, and none since proved it intact: it is no good point."""
    was_broken: bool = False
    """A deep verification failed once, whatever a later one said."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "RecoveryPoint":
        """Read the row."""
        return cls(
            point_id=values["point_id"],
            instance=values["instance"],
            job_id=values["job_id"],
            recovery_point_time=datetime.fromisoformat(values["recovery_point_time"]),
            expiry_time=datetime.fromisoformat(values["expiry_time"]),
            tag=values["tag"],
            policy_name=values["policy_name"],
            policy_seq=values["policy_seq"],
            size_bytes=values["size_bytes"],
            manifest_hash=values["manifest_hash"],
            chain=values["chain"],
            state=values["state"],
            readers=values["readers"],
            sealed_at=datetime.fromisoformat(values["sealed_at"]),
            tombstone_seq=values.get("tombstone_seq", 0),
            because=values.get("because", ""),
            day=values.get("day", ""),
            judged_at=_read_judged_at(values),
            is_suspected=values.get("is_suspected", False),
            holds=tuple(json.loads(values.get("holds", "[]"))),
            manifest_version=values.get("manifest_version", ""),
            verified_at=datetime.fromisoformat(values["verified_at"]) if values.get("verified_at") else None,
            verified_number=values.get("verified_number", 0),
            verified_verdict=values.get("verified_verdict", ""),
            verified_hash=values.get("verified_hash", ""),
            verified_version=values.get("verified_version", ""),
            verified_findings=values.get("verified_findings", 0),
            verified_seq=int(values.get("verified_seq", 0)),
            is_broken=values.get("is_broken", False),
            was_broken=values.get("was_broken", False),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenPoint:
    """A recovery point that is there and failed its deep verification, as a row beside the points says."""

    point_id: str
    recovery_point_time: datetime

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "BrokenPoint":
        """Read the row."""
        moment = datetime.fromisoformat(values["recovery_point_time"])
        return cls(point_id=values["point_id"], recovery_point_time=moment)


def _read_judged_at(values: Mapping[str, Any]) -> datetime | None:
    """A point of an older version counts as a scheduled one of its own time."""
    judged_at = values.get("judged_at", values["recovery_point_time"])
    return datetime.fromisoformat(judged_at) if judged_at else None
