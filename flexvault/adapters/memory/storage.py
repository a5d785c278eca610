"""Storage accounts in dictionaries: containers, blobs, versions, blocks and their rules."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flexvault.adapters.memory.clock import SimulatedClock
from flexvault.domain import blob_names
from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.crc64 import checksum
from flexvault.domain.errors import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError
from flexvault.ports import BlobFacts, WriteGrant

LANDING, VAULT, RESTORE = "landing", "vault", "restore"


@dataclass(slots=True, kw_only=True)
class _Version:
    facts: BlobFacts
    data: bytes
    blocks: tuple[int, ...] = ()
    """Sizes of the blocks that it was committed of; none when it was written whole."""


@dataclass(slots=True)
class _Blob:
    versions: list[_Version] = field(default_factory=list[_Version])
    current: _Version | None = None
    blocks: dict[int, bytes] = field(default_factory=dict[int, bytes])


@dataclass(slots=True)
class _Container:
    changed_at: datetime
    blobs: dict[str, _Blob] = field(default_factory=dict[str, _Blob])


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedGrant:
    """What was granted, kept by the account that honours it."""

    containers: tuple[str, ...]
    permissions: str
    starts_at: datetime
    expires_at: datetime


class MemoryStorage:
    """Three accounts under one lock: landing and restore are empty, the vault account has its fixed containers.

    The vault account keeps versions and protects them, as in Azure; the others do not.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._writes = 0
        self._accounts: dict[str, dict[str, _Container]] = {LANDING: {}, VAULT: {}, RESTORE: {}}
        self._revoked_at: datetime | None = None
        self.grants: list[IssuedGrant] = []
        for container in blob_names.CONTAINERS:
            self.create_container(VAULT, container)

    def create_container(self, account: str, container: str) -> None:
        """Create a container if it is missing."""
        with self._lock:
            self._accounts[account].setdefault(container, _Container(self._clock.storage_now()))

    def delete_container(self, account: str, container: str) -> None:
        """Delete a container if it exists."""
        with self._lock:
            self._accounts[account].pop(container, None)

    def list_containers(self, account: str) -> list[BlobFacts]:
        """Answer the containers in order of their names."""
        with self._lock:
            return [
                BlobFacts(name=name, size_bytes=0, etag="", last_modified=found.changed_at)
                for name, found in sorted(self._accounts[account].items())
            ]

    def has_container(self, account: str, container: str) -> bool:
        """Answer whether the container exists."""
        with self._lock:
            return container in self._accounts[account]

    def list_blobs(self, account: str, container: str, prefix: str = "") -> list[BlobFacts]:
        """Answer current blobs in order of their names."""
        with self._lock:
            blobs = self._container(account, container).blobs
            return [
                blob.current.facts
                for name, blob in sorted(blobs.items())
                if name.startswith(prefix) and blob.current is not None
            ]

    def find(self, account: str, container: str, name: str, version_id: str = "") -> BlobFacts | None:
        """Answer what is known of a blob or one version of it."""
        with self._lock:
            version = self._find(account, container, name, version_id)
            return version.facts if version else None

    def read(self, account: str, container: str, name: str, version_id: str = "") -> bytes:
        """Answer a blob's bytes."""
        with self._lock:
            version = self._find(account, container, name, version_id)
            if version is None:
                raise NotFoundError(f"blob '{name}' in container '{container}' does not exist", code=BLOB_NOT_FOUND)
            return version.data

    def put(
        self,
        account: str,
        container: str,
        name: str,
        data: bytes,
        metadata: Mapping[str, str] | None = None,
        *,
        only_if_missing: bool = False,
        etag: str = "",
    ) -> BlobFacts:
        """Write a blob whole.

        Raises:
            AlreadyExistsError: There is one, or not the one of that ETag.
        """
        with self._lock:
            blob = self._container(account, container).blobs.setdefault(name, _Blob())
            self._check_condition(name, blob, only_if_missing=only_if_missing, etag=etag)
            version = self._version(account, name, data, metadata or {})
            # Without versions a blob that is written again is simply gone.
            blob.versions = [*(blob.versions if self._keeps_versions(account) else []), version]
            blob.current = version
            blob.blocks = {}
            return version.facts

    def stage(self, account: str, container: str, name: str, index: int, data: bytes) -> str:
        """Keep a block that is not yet part of its blob; answers its checksum."""
        with self._lock:
            self._container(account, container).blobs.setdefault(name, _Blob()).blocks[index] = data
            return checksum(data)

    def commit(
        self,
        account: str,
        container: str,
        name: str,
        block_count: int,
        metadata: Mapping[str, str],
        *,
        etag: str = "",
    ) -> BlobFacts:
        """Make a blob of its first `block_count` blocks."""
        with self._lock:
            blob = self._container(account, container).blobs.setdefault(name, _Blob())
            # Conditions are judged before the list, as in Azure: a repeated commit meets "exists", not "bad list".
            self._check_condition(name, blob, only_if_missing=not etag, etag=etag)
            missing = [index for index in range(block_count) if index not in blob.blocks]
            if missing:
                raise InvalidInputError(f"blob '{name}' lacks blocks {missing[:3]}", inner_code="InvalidBlockList")
            blocks = [blob.blocks[index] for index in range(block_count)]
            facts = self.put(account, container, name, b"".join(blocks), metadata, only_if_missing=not etag, etag=etag)
            if blob.current is not None:
                blob.current.blocks = tuple(map(len, blocks))
            return facts

    def delete(self, account: str, container: str, name: str, version_id: str = "") -> None:
        """Delete the base name, then the version; what is missing is fine.

        A protected current version stays behind a base name that is gone, as a previous one.

        Raises:
            ConflictError: code BlobImmutableDueToPolicy or BlobImmutableDueToLegalHold.
        """
        with self._lock:
            blob = self._container(account, container).blobs.get(name)
            if blob is None:
                return
            blob.current = None
            if not self._keeps_versions(account):
                blob.versions = []
            doomed = [version for version in blob.versions if version_id and version.facts.version_id == version_id]
            for version in doomed:
                self._refuse_protected(version.facts)
                blob.versions.remove(version)

    def list_versions(self, account: str, container: str, prefix: str = "") -> list[BlobFacts]:
        """Answer every version that a container still holds, also behind a base name that was deleted."""
        with self._lock:
            blobs = self._container(account, container).blobs
            return [
                version.facts
                for name, blob in sorted(blobs.items())
                if name.startswith(prefix)
                for version in blob.versions
            ]

    def list_blocks(self, account: str, container: str, name: str, version_id: str = "") -> tuple[int, ...]:
        """Answer the sizes of the blocks that a blob was committed of."""
        with self._lock:
            version = self._find(account, container, name, version_id)
            if version is None:
                raise NotFoundError(f"blob '{name}' in container '{container}' does not exist", code=BLOB_NOT_FOUND)
            return version.blocks

    def protect(self, container: str, name: str, version_id: str, until: datetime, mode: str) -> None:
        """Set the policy of a version in the vault account; whole seconds, as in a header.

        Raises:
            InvalidInputError: It would end in the past.
            ConflictError: A Locked policy can only be made longer.
        """
        with self._lock:
            version = self._get_version(container, name, version_id)
            facts, until = version.facts, until.replace(microsecond=0)
            if until <= self._clock.storage_now():
                raise InvalidInputError(f"the policy of blob '{name}' would end in the past")
            is_locked = facts.immutability_mode == "Locked"
            if is_locked and (mode != "Locked" or (facts.immutable_until and until < facts.immutable_until)):
                message = f"the policy of blob '{name}' is locked"
                raise ConflictError(message, code="BlobImmutableDueToPolicy")
            self._change(version, immutable_until=until, immutability_mode=mode)

    def set_legal_hold(self, container: str, name: str, version_id: str, *, is_held: bool) -> None:
        """Set or clear the legal hold of a version in the vault account."""
        with self._lock:
            self._change(self._get_version(container, name, version_id), has_legal_hold=is_held)

    def spoil(
        self,
        account: str,
        container: str,
        name: str,
        data: bytes,
        *,
        blocks: tuple[int, ...] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Change the current version in place, as a failing disk or a false storage would: no call can."""
        with self._lock:
            version = self._find(account, container, name, "")
            if version is None:
                raise NotFoundError(f"blob '{name}' in container '{container}' does not exist", code=BLOB_NOT_FOUND)
            version.data = data
            version.blocks = version.blocks if blocks is None else blocks
            self._change(version, size_bytes=len(data), metadata=metadata or version.facts.metadata)

    def unprotect(self, container: str) -> None:
        """Take every policy in a container of the vault account away, as whoever may set an Unlocked one can."""
        with self._lock:
            for blob in self._container(VAULT, container).blobs.values():
                for version in blob.versions:
                    self._change(version, immutable_until=None, immutability_mode="")

    def lose(self, account: str, container: str, name: str) -> None:
        """Lose a blob with all its versions, whatever protects them: no call of storage can."""
        with self._lock:
            self._container(account, container).blobs.pop(name, None)

    def revoke_keys(self) -> None:
        """Revoke the landing account's keys: every grant that starts before this moment is dead."""
        with self._lock:
            self._revoked_at = self._clock.storage_now()

    def is_dead(self, number: int, at: datetime) -> bool:
        """Answer whether a grant, by its number, had expired or was revoked by a moment."""
        with self._lock:
            grant, revoked_at = self.grants[number], self._revoked_at
            is_revoked = revoked_at is not None and grant.starts_at < revoked_at <= at
            return is_revoked or grant.expires_at <= at

    def issue_grant(
        self, containers: Sequence[str], permissions: str, life: timedelta, *, is_backdated: bool = True
    ) -> WriteGrant:
        """Grant writes to landing containers; the URL carries a number instead of a signature."""
        with self._lock:
            now = self._clock.storage_now()
            grant = IssuedGrant(
                containers=tuple(containers),
                permissions=permissions,
                starts_at=now - timedelta(minutes=15) if is_backdated else now,
                expires_at=now + life,
            )
            self.grants.append(grant)
            number = len(self.grants) - 1
        return WriteGrant([f"https://landing.example/{container}?grant={number}" for container in containers])

    def _container(self, account: str, container: str) -> _Container:
        try:
            return self._accounts[account][container]
        except KeyError:
            message = f"container '{container}' in the {account} account does not exist"
            raise NotFoundError(message, code="ContainerNotFound") from None

    def _find(self, account: str, container: str, name: str, version_id: str) -> _Version | None:
        blob = self._container(account, container).blobs.get(name)
        if blob is None:
            return None
        if not version_id:
            return blob.current
        return next((version for version in blob.versions if version.facts.version_id == version_id), None)

    def _get_version(self, container: str, name: str, version_id: str) -> _Version:
        version = self._find(VAULT, container, name, version_id)
        if version is None:
            raise NotFoundError(f"blob '{name}' in container '{container}' does not exist", code=BLOB_NOT_FOUND)
        return version

    def _change(self, version: _Version, **changes: Any) -> None:
        version.facts = replace(version.facts, **changes)

    def _check_condition(self, name: str, blob: _Blob, *, only_if_missing: bool, etag: str) -> None:
        found = blob.current.facts.etag if blob.current else ""
        if (only_if_missing and found) or (etag and etag != found):
            raise AlreadyExistsError(f"blob '{name}' exists", target=name)

    def _version(self, account: str, name: str, data: bytes, metadata: Mapping[str, str]) -> _Version:
        self._writes += 1
        now = self._clock.storage_now()
        facts = BlobFacts(
            name=name,
            size_bytes=len(data),
            etag=f'"memory-{self._writes}"',
            version_id=f"{now:%Y-%m-%dT%H:%M:%S}.{self._writes:07d}Z" if self._keeps_versions(account) else "",
            metadata=dict(metadata),
            last_modified=now,
        )
        return _Version(facts=facts, data=data)

    def _keeps_versions(self, account: str) -> bool:
        return account == VAULT

    def _refuse_protected(self, facts: BlobFacts) -> None:
        if facts.has_legal_hold:
            raise ConflictError(f"blob '{facts.name}' is held", code="BlobImmutableDueToLegalHold")
        if facts.immutable_until is not None and self._clock.storage_now() < facts.immutable_until:
            raise ConflictError(f"blob '{facts.name}' is protected by a policy", code="BlobImmutableDueToPolicy")
