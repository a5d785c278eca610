"""User delegation keys and the shared access signatures made with them.

A signature lives in memory, in one message; it is never stored, logged or put into an error.
Source: https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError
from azure.storage.blob import (
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    UserDelegationKey,
    generate_blob_sas,
    generate_container_sas,
)

from flexvault.adapters.azure.blob_errors import classify
from flexvault.adapters.azure.storage_date import StorageDate
from flexvault.domain import sas_life
from flexvault.domain.azure_codes import CANNOT_VERIFY_SOURCE
from flexvault.domain.errors import InvalidInputError, NotAuthorizedError

BACKDATE = timedelta(minutes=15)
"""How far a signature starts back: other machines' clocks may be behind."""
MAX_LIFE = sas_life.LONGEST
SOURCE_LIFE = timedelta(hours=1)
"""Life of a copy's read signature."""
SOURCE_RENEWAL = timedelta(minutes=30)
"""A key for sources serves this long, so that every signature made with it outlives its copy."""
KEY_SETTLES_SECONDS = 2.0
"""Keys begin at whole seconds, by a Date that lies up to one back: what is asked for later begins after this moment."""


@dataclass(frozen=True, slots=True)
class _Key:
    key: UserDelegationKey = field(repr=False)
    starts_at: datetime
    expires_at: datetime


class SourceDelegation:
    """Signs reads of one account, blob by blob; nothing that it signs can write or delete.

    Args:
        service: Client of the account whose identity may read and may generate the key.
        pause: Lets so many seconds pass.
    """

    def __init__(self, service: BlobServiceClient, pause: Callable[[float], None] = time.sleep) -> None:
        self._service = service
        self._pause = pause
        self._date = StorageDate(service)
        self._lock = threading.Lock()
        self._source_key: _Key | None = None

    def source_url(self, container: str, name: str, version_id: str = "") -> str:
        """Answer a blob's URL with a read signature for this blob, or this version of it, alone."""
        return self._sign_blob(self._get_source_key(), container, name, version_id)

    def read_by[Answer](self, container: str, name: str, version_id: str, use: Callable[[str], Answer]) -> Answer:
        """Hand a signed URL to who copies from it, again with new keys when storage refuses the source.

        All keys of an account may be revoked at any moment; the cached one must not fail every copy until it is old.
        A copy meets the revocation within a second, so the first new key may seem to begin before it: the last one
        cannot.

        Raises:
            NotAuthorizedError: The source was refused with the last key, too.
        """
        key = self._get_source_key()
        for pause_seconds in (0.0, KEY_SETTLES_SECONDS):
            try:
                return use(self._sign_blob(key, container, name, version_id))
            except NotAuthorizedError as error:
                if error.inner_code != CANNOT_VERIFY_SOURCE:
                    raise  # the target refused
            self._pause(pause_seconds)
            key = self._replace_source_key(key)
        return use(self._sign_blob(key, container, name, version_id))

    @property
    def _account(self) -> str:
        return str(self._service.account_name)

    def _get_source_key(self) -> _Key:
        with self._lock:
            now = self._date.now()
            key = self._source_key
            if key is None or now > key.expires_at - SOURCE_LIFE + SOURCE_RENEWAL:
                key = self._source_key = self._request_key(now, SOURCE_LIFE)
            return key

    def _replace_source_key(self, refused: _Key) -> _Key:
        """Answer another key than the refused one: many copies run side by side, and one of them asks for it."""
        with self._lock:
            key = self._source_key
            if key is None or key is refused:
                key = self._source_key = self._request_key(self._date.now(), SOURCE_LIFE, is_backdated=False)
            return key

    def _request_key(self, now: datetime, life: timedelta, *, is_backdated: bool = True) -> _Key:
        # What starts before a revocation may be taken for a key from before it.
        starts_at, expires_at = now - BACKDATE if is_backdated else now, now + life
        try:
            key = self._service.get_user_delegation_key(starts_at, expires_at)
        except AzureError as error:
            hint = f'grant the role "Storage Blob Data Contributor" on account {self._account}'
            raise classify(error, f"a delegation key of account '{self._account}'", hint=hint) from None
        return _Key(key, starts_at, expires_at)

    def _sign_blob(self, key: _Key, container: str, name: str, version_id: str) -> str:
        token: str = generate_blob_sas(
            self._account,
            container,
            name,
            version_id=version_id or None,
            user_delegation_key=key.key,
            permission=BlobSasPermissions(read=True),
            start=key.starts_at,
            expiry=key.expires_at,
            protocol="https",
        )
        client = self._service.get_blob_client(container, name)
        version = f"versionid={version_id}&" if version_id else ""
        return f"{client.url}?{version}{token}"


class LandingDelegation(SourceDelegation):
    """Signs for the landing account: reads, and the writes of long-term retention into whole containers."""

    def container_urls(
        self, containers: list[str], permissions: str, life: timedelta, *, is_backdated: bool = True
    ) -> list[str]:
        """Answer the containers' URLs, each with a signature of one key that was made for them.

        Raises:
            InvalidInputError: The life is over `MAX_LIFE` or no life at all.
        """
        if not timedelta() < life <= MAX_LIFE:
            raise InvalidInputError(f"a grant of {life} cannot be made, at most {MAX_LIFE} is possible")
        key = self._request_key(self._date.now(), life, is_backdated=is_backdated)
        allowed = ContainerSasPermissions.from_string(permissions)
        return [
            f"{self._service.get_container_client(container).url}?{self._sign_container(container, key, allowed)}"
            for container in containers
        ]

    def _sign_container(self, container: str, key: _Key, allowed: ContainerSasPermissions) -> str:
        return generate_container_sas(
            self._account,
            container,
            user_delegation_key=key.key,
            permission=allowed,
            start=key.starts_at,
            expiry=key.expires_at,
            protocol="https",
        )
