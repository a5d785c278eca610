"""User delegation keys and the shared access signatures made with them.

A signature lives in memory, in one message; it is never stored, logged or put into an error.
Source: https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
"""

import threading
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
from flexvault.domain.errors import InvalidInputError

BACKDATE = timedelta(minutes=15)
"""How far a signature starts back: other machines' clocks may be behind."""
MAX_LIFE = timedelta(days=7) - timedelta(hours=1)
"""A key lives at most 7 days, counted by storage's clock; the hour is for the difference."""
SOURCE_LIFE = timedelta(hours=1)
"""Life of a copy's read signature."""
SOURCE_RENEWAL = timedelta(minutes=30)
"""A key for sources serves this long, so that every signature made with it outlives its copy."""


@dataclass(frozen=True, slots=True)
class _Key:
    key: UserDelegationKey = field(repr=False)
    starts_at: datetime
    expires_at: datetime


class Delegation:
    """Signs for one account with the identity of its client.

    Args:
        service: Client of the account whose identity holds the delegated rights and may generate the key.
    """

    def __init__(self, service: BlobServiceClient) -> None:
        self._service = service
        self._date = StorageDate(service)
        self._lock = threading.Lock()
        self._source_key: _Key | None = None

    def container_urls(self, containers: list[str], permissions: str, life: timedelta) -> list[str]:
        """Answer the containers' URLs, each with a signature of one key that was made for them.

        Raises:
            InvalidInputError: The life is over `MAX_LIFE` or no life at all.
        """
        if not timedelta() < life <= MAX_LIFE:
            raise InvalidInputError(f"a grant of {life} cannot be made, at most {MAX_LIFE} is possible")
        key = self._request_key(self._date.now(), life)
        allowed = ContainerSasPermissions.from_string(permissions)
        return [
            f"{self._service.get_container_client(container).url}?{self._sign_container(container, key, allowed)}"
            for container in containers
        ]

    def source_url(self, container: str, name: str, version_id: str = "") -> str:
        """Answer a blob's URL with a read signature for this blob, or this version of it, alone."""
        key = self._get_source_key()
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

    def _request_key(self, now: datetime, life: timedelta) -> _Key:
        starts_at, expires_at = now - BACKDATE, now + life
        try:
            key = self._service.get_user_delegation_key(starts_at, expires_at)
        except AzureError as error:
            hint = f'grant the role "Storage Blob Data Contributor" on account {self._account}'
            raise classify(error, f"a delegation key of account '{self._account}'", hint=hint) from None
        return _Key(key, starts_at, expires_at)

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
