"""Containers that a restore writes to: data as writer, account settings as control."""

import threading
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ServiceRequestError

from flexvault.adapters.azure.blob_account import BlobAccount
from flexvault.adapters.azure.blob_errors import classify
from flexvault.adapters.azure.delegation import SourceDelegation
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.domain.account_checks import AccountSettings
from flexvault.domain.errors import InvalidInputError
from flexvault.ports import BlobFacts, BlockRange

NOT_REACHED = (
    "compare the account in the URL with yours, and look whether its network lets the vault in; then try again"
)


class AzureRestoreTarget:
    """Writes to any container that the writer may reach.

    Args:
        credential: The writer.
        sources: Signs reads of the vault account.
        accounts: Asks ARM for an account's settings, as control.
        writer_client_id: Named in the command that a person runs to grant the role.
    """

    def __init__(
        self, credential: TokenCredential, sources: SourceDelegation, accounts: StorageAccounts, writer_client_id: str
    ) -> None:
        self._credential = credential
        self._sources = sources
        self._accounts = accounts
        self._writer_client_id = writer_client_id
        self._lock = threading.Lock()
        self._targets: dict[str, BlobAccount] = {}

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for target in self._targets.values():
                target.close()
            self._targets.clear()

    def find_account(self, container_url: str, resource_id: str) -> AccountSettings | None:
        """Ask ARM for the container's account; nothing is sent to the URL."""
        endpoint, _ = _split(container_url)
        return self._accounts.find(resource_id, endpoint) if resource_id else None

    def probe(self, container_url: str, resource_id: str) -> None:
        """Reach the container in the data plane."""
        target, container = self._target(container_url)
        try:
            target.service.get_container_client(container).get_container_properties()
        except AzureError as error:
            subject = f"restore container '{container_url}'"
            failure = classify(error, subject, hint=self._grant_command(container, resource_id))
            if isinstance(error, ServiceRequestError):
                failure.hint = NOT_REACHED
            raise failure from None

    def list_blobs(self, container_url: str, prefix: str) -> Sequence[BlobFacts]:
        """Answer the blobs of a prefix."""
        target, container = self._target(container_url)
        return tuple(target.list_blobs(container, prefix))

    def stage_block(self, container_url: str, name: str, index: int, source: BlockRange) -> str:
        """Copy a range of a version in the vault account into a block."""
        target, container = self._target(container_url)

        def stage(url: str) -> str:
            return target.stage_block(container, name, index, url, source)

        return self._sources.read_by(source.container, source.name, source.version_id, stage)

    def commit(
        self, container_url: str, name: str, block_count: int, metadata: Mapping[str, str], *, etag: str = ""
    ) -> None:
        """Make a blob of its blocks."""
        target, container = self._target(container_url)
        target.commit(container, name, block_count, metadata, etag=etag)

    def create(self, container_url: str, name: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Create a small blob."""
        target, container = self._target(container_url)
        target.create(container, name, data, metadata)

    def _target(self, container_url: str) -> tuple[BlobAccount, str]:
        endpoint, container = _split(container_url)
        with self._lock:
            if endpoint not in self._targets:
                self._targets[endpoint] = BlobAccount(endpoint, self._credential)
            return self._targets[endpoint], container

    def _grant_command(self, container: str, resource_id: str) -> str:
        scope = resource_id or f"<id of the storage account of container {container}>"
        return (
            f'az role assignment create --assignee "{self._writer_client_id}" '
            f'--role "Storage Blob Data Contributor" --scope "{scope}"'
        )


def _split(container_url: str) -> tuple[str, str]:
    parts = urlsplit(container_url)
    account_path, _, container = parts.path.rstrip("/").rpartition("/")
    if parts.scheme != "https" or not parts.netloc or not container or parts.query or parts.fragment:
        # The URL is not repeated: a query may be a SAS.
        message = "a restore container is named by a plain https URL, without query or fragment"
        raise InvalidInputError(message, target="restoreTargetInfo.targetDetails.url")
    return f"https://{parts.netloc}{account_path}", unquote(container)
