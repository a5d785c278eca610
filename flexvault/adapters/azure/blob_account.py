"""One storage account as one identity sees it: the calls that landing, vault and restore target share."""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobBlock, BlobClient, BlobPrefix, BlobProperties, BlobServiceClient, ImmutabilityPolicy

from flexvault.adapters.azure.blob_errors import classify, classify_copy, classify_create, is_missing_blob
from flexvault.adapters.azure.pipeline import COPY_READ_TIMEOUT_SECONDS, blob_options, error_code_of
from flexvault.ports import BlobFacts, BlockRange

_OF_VERSIONS = ("versions", "immutabilitypolicy", "legalhold")
_GUARD_HINT = (
    "the control identity needs the data action .../blobs/immutableStorage/runAsSuperUser on the vault account"
)


class BlobAccount:
    """Blob calls with our errors; thread-safe.

    Args:
        endpoint: `https://{account}.blob.core.windows.net`.
        credential: The identity that makes the calls.
    """

    def __init__(self, endpoint: str, credential: TokenCredential) -> None:
        self.service = BlobServiceClient(endpoint, credential=credential, **blob_options())
        self._hint = f'grant the role "Storage Blob Data Contributor" on account {self.service.account_name}'

    def close(self) -> None:
        """Close the connections."""
        self.service.close()

    def find(self, container: str, name: str, version_id: str = "") -> BlobFacts | None:
        """Answer what storage says of a blob or one version of it."""
        try:
            return facts(self._blob(container, name, version_id).get_blob_properties())
        except AzureError as error:
            if is_missing_blob(error):
                return None
            raise classify(error, _blob(container, name), hint=self._hint) from None

    def list_blobs(self, container: str, prefix: str, *, versions: bool = False) -> Iterator[BlobFacts]:
        """Answer current blobs, or all versions with their policies, in order of their names."""
        include = ["metadata", *(_OF_VERSIONS if versions else ())]
        try:
            blobs = self.service.get_container_client(container).list_blobs(prefix or None, include=include)
            yield from map(facts, blobs)
        except AzureError as error:
            raise classify(error, f"container '{container}'", hint=self._hint) from None

    def list_folders(self, container: str) -> Iterator[str]:
        """Answer what stands before the first slash in names, once each, in order; whole blobs are left out."""
        try:
            for found in self.service.get_container_client(container).walk_blobs(delimiter="/"):
                if isinstance(found, BlobPrefix):
                    yield str(found.name).removesuffix("/")
        except AzureError as error:
            raise classify(error, f"container '{container}'", hint=self._hint) from None

    def list_blocks(self, container: str, name: str, version_id: str = "") -> list[int]:
        """Answer the sizes of the committed blocks (Get Block List), in order."""
        # The SDK names the version in every call but this one, and would answer for whatever is current.
        params = {"versionid": version_id} if version_id else {}
        try:
            committed, _ = self._blob(container, name).get_block_list("committed", params=params)
        except AzureError as error:
            raise classify(error, _blob(container, name), hint=self._hint) from None
        return [int(block.size) for block in committed]

    def read(self, container: str, name: str, offset: int, length: int | None, version_id: str = "") -> bytes:
        """Read a range; past the end there are no bytes."""
        if length == 0:
            return b""
        try:
            blob = self._blob(container, name, version_id)
            return blob.download_blob(offset, length).readall()
        except AzureError as error:
            if error_code_of(error) == "InvalidRange":
                return b""
            raise classify(error, _blob(container, name), hint=self._hint) from None

    def create(self, container: str, name: str, data: bytes, metadata: Mapping[str, str] | None = None) -> BlobFacts:
        """Create a blob with `If-None-Match: *`."""
        try:
            answer = self._blob(container, name).upload_blob(data, overwrite=False, metadata=dict(metadata or {}))
        except AzureError as error:
            raise classify_create(error, _blob(container, name), hint=self._hint) from None
        return BlobFacts(
            name=name,
            size_bytes=len(data),
            etag=str(answer["etag"]),
            version_id=str(answer.get("version_id") or ""),
            metadata=dict(metadata or {}),
            last_modified=answer["last_modified"],
        )

    def stage_block(self, container: str, name: str, index: int, url: str, source: BlockRange) -> str:
        """Copy a range of a source, read by its signed URL, into a block; answers its CRC64, in base64."""
        try:
            answer: Any = self._blob(container, name).stage_block_from_url(
                _block_id(index), url, source.offset, source.length, read_timeout=COPY_READ_TIMEOUT_SECONDS
            )
        except AzureError as error:
            target, read = f"block {index} of {_blob(container, name)}", _blob(source.container, source.name)
            raise classify_copy(error, target, read, hint=self._hint) from None
        return base64.b64encode(answer["content_crc64"]).decode()

    def commit(
        self, container: str, name: str, block_count: int, metadata: Mapping[str, str], *, etag: str = ""
    ) -> str:
        """Make a blob of its blocks, if there is none, or if it is the one of the ETag; answers its version's id."""
        condition: dict[str, Any] = (
            {"etag": etag, "match_condition": MatchConditions.IfNotModified}
            if etag
            else {"match_condition": MatchConditions.IfMissing}
        )
        blocks = [BlobBlock(_block_id(index)) for index in range(block_count)]
        try:
            answer = self._blob(container, name).commit_block_list(blocks, metadata=dict(metadata), **condition)
        except AzureError as error:
            raise classify_create(error, _blob(container, name), hint=self._hint) from None
        return str(answer.get("version_id") or "")

    def protect(self, container: str, name: str, version_id: str, until: datetime, mode: str) -> None:
        """Set a version's immutability policy."""
        policy = ImmutabilityPolicy(expiry_time=until, policy_mode=mode)
        try:
            self._blob(container, name, version_id).set_immutability_policy(policy)
        except AzureError as error:
            raise classify(error, f"the policy of {_blob(container, name)}", hint=_GUARD_HINT) from None

    def set_legal_hold(self, container: str, name: str, version_id: str, *, is_held: bool) -> None:
        """Set or clear a version's legal hold."""
        try:
            self._blob(container, name, version_id).set_legal_hold(is_held)
        except AzureError as error:
            raise classify(error, f"the legal hold of {_blob(container, name)}", hint=_GUARD_HINT) from None

    def delete(self, container: str, name: str, version_id: str = "") -> None:
        """Delete the base name, or one version; a missing one is fine."""
        try:
            self._blob(container, name, version_id).delete_blob()
        except AzureError as error:
            if not is_missing_blob(error):
                raise classify(error, _blob(container, name), hint=self._hint) from None

    def _blob(self, container: str, name: str, version_id: str = "") -> BlobClient:
        return self.service.get_blob_client(container, name, version_id=version_id or None)


def facts(blob: BlobProperties) -> BlobFacts:
    """Answer a blob's facts from the SDK's."""
    policy: Any = blob.immutability_policy
    return BlobFacts(
        name=str(blob.name),
        size_bytes=blob.size,
        etag=quoted(str(blob.etag)),
        version_id=str(blob.version_id or ""),
        metadata=dict(blob.metadata or {}),
        last_modified=blob.last_modified,
        immutable_until=policy.expiry_time if policy else None,
        immutability_mode=str(policy.policy_mode or "").capitalize() if policy else "",
        has_legal_hold=bool(blob.has_legal_hold),
    )


def quoted(etag: str) -> str:
    """Answer an ETag as HTTP writes it: lists leave the quotes out, headers have them."""
    return etag if etag.startswith(('"', "W/")) else f'"{etag}"'


def _blob(container: str, name: str) -> str:
    return f"blob '{name}' in container '{container}'"


def _block_id(index: int) -> str:
    # Of equal length for all blocks of a blob; the SDK writes it in base64.
    return f"{index:08d}"
