"""The two clocks of the vault on Azure."""

from datetime import UTC, datetime

from azure.core.credentials import TokenCredential
from azure.storage.blob import BlobServiceClient

from flexvault.adapters.azure.pipeline import blob_options
from flexvault.adapters.azure.storage_date import StorageDate


class AzureClock:
    """This machine's clock, and the vault account's.

    Args:
        vault_endpoint: Blob endpoint of the vault account.
        credential: Any identity that has a token for storage.
    """

    def __init__(self, vault_endpoint: str, credential: TokenCredential) -> None:
        self._service = BlobServiceClient(vault_endpoint, credential=credential, **blob_options())
        self._date = StorageDate(self._service)

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def host_now(self) -> datetime:
        """Answer this machine's time."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that reads it; all others get the port

    def storage_now(self) -> datetime:
        """Answer the vault account's time."""
        return self._date.now()
