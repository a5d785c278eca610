"""The landing account, reached as writer."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError

from flexvault.adapters.azure.blob_account import BlobAccount, quoted
from flexvault.adapters.azure.blob_errors import classify
from flexvault.adapters.azure.delegation import LandingDelegation
from flexvault.adapters.azure.pipeline import error_code_of
from flexvault.ports import BlobFacts, WriteGrant

_GONE = frozenset({"ContainerNotFound", "ContainerBeingDeleted"})


class AzureLanding:
    """The only account that LTR writes to.

    Args:
        endpoint: Blob endpoint of the landing account.
        credential: The writer.
    """

    def __init__(self, endpoint: str, credential: TokenCredential) -> None:
        self.account = BlobAccount(endpoint, credential)
        # Any: the SDK's methods on containers are typed in part only.
        self._service: Any = self.account.service
        self.delegation = LandingDelegation(self.account.service)

    def close(self) -> None:
        """Close the connections."""
        self.account.close()

    def create_container(self, container: str) -> None:
        """Create a container; an existing one is fine."""
        try:
            self._service.create_container(container)
        except AzureError as error:
            if error_code_of(error) != "ContainerAlreadyExists":
                raise classify(error, f"landing container '{container}'") from None

    def delete_container(self, container: str) -> None:
        """Delete a container; a missing one is fine, also one that is being deleted."""
        try:
            self._service.delete_container(container)
        except AzureError as error:
            if error_code_of(error) not in _GONE:
                raise classify(error, f"landing container '{container}'") from None

    def list_containers(self) -> Iterable[BlobFacts]:
        """Answer every container."""
        try:
            found: Any
            for found in self._service.list_containers():
                yield BlobFacts(
                    name=found.name, size_bytes=0, etag=quoted(str(found.etag)), last_modified=found.last_modified
                )
        except AzureError as error:
            raise classify(error, "the list of landing containers") from None

    def list_files(self, container: str) -> Sequence[BlobFacts]:
        """Answer the files of a container."""
        return tuple(self.account.list_blobs(container, ""))

    def read(self, container: str, name: str, offset: int, length: int) -> bytes:
        """Read a part of a file."""
        return self.account.read(container, name, offset, length)

    def issue_grant(
        self, containers: Sequence[str], permissions: str, life: timedelta, *, is_backdated: bool = True
    ) -> WriteGrant:
        """Mint a user delegation SAS per container."""
        urls = self.delegation.container_urls(list(containers), permissions, life, is_backdated=is_backdated)
        return WriteGrant(urls)
