"""Uploads through the container SAS URLs that a caller gave, and through nothing else.

A SAS lives in this process's memory for as long as its backup runs. No message, log or event shows one: an SDK's
error can carry the whole URL, so only its class and its service code are passed on.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Self
from urllib.parse import parse_qs, unquote, urlsplit

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobBlock, ContainerClient

from local_cloud.arm_emulator.clock import parse_time

BLOCK_BYTES = 4 * 1024 * 1024


class InvalidSasError(ValueError):
    """A URL is no container SAS that can be used now; the message does not repeat it."""


class UploadFailedError(Exception):
    """Storage refused an upload or did not answer."""

    def __init__(self, code: str, container: str) -> None:
        super().__init__(f"writing to container '{container}' failed: {code}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SasContainer:
    """A container and the right to write to it."""

    name: str
    url: str = field(repr=False)

    @classmethod
    def parse(cls, url: str, *, now: datetime) -> Self:
        """Read a container SAS URL.

        Raises:
            InvalidSasError: It is no https URL of one container, lacks a signature, is not for a container, or has
                expired.
        """
        parts = urlsplit(url)
        segments = [unquote(segment) for segment in parts.path.split("/") if segment]
        query = parse_qs(parts.query)
        if parts.scheme != "https" or not parts.netloc or len(segments) not in {1, 2}:
            raise InvalidSasError("it must be the https URL of one container")
        if query.get("sr") != ["c"] or "sig" not in query:
            raise InvalidSasError("it must carry the signature of a container (sr=c)")
        try:
            expires_at = parse_time(query["se"][0])
        except (KeyError, ValueError) as error:
            raise InvalidSasError("it must say when it expires (se)") from error
        if expires_at <= now:
            raise InvalidSasError("it has expired (se)")
        return cls(name=segments[-1], url=url)

    def put(self, blob_name: str, source: IO[bytes], *, ca_file: Path, on_block: Callable[[int], None]) -> None:
        """Write a block blob from a stream of unknown length; `on_block` hears the bytes of each block that is there.

        Raises:
            UploadFailedError: Storage refused or did not answer; the blob does not exist then.
        """
        try:
            with ContainerClient.from_container_url(
                self.url,
                connection_verify=str(ca_file),
                # One more try after a second; by default storage that is down would be waited for over a minute.
                retry_total=1,
                initial_backoff=1,
                increment_base=0,
                random_jitter_range=0,
            ) as container:
                blob = container.get_blob_client(blob_name)
                blocks: list[BlobBlock] = []
                while chunk := source.read(BLOCK_BYTES):
                    block_id = base64.b64encode(f"{len(blocks):08d}".encode()).decode()
                    blob.stage_block(block_id, chunk, len(chunk))
                    blocks.append(BlobBlock(block_id))
                    on_block(len(chunk))
                blob.commit_block_list(blocks)
        except HttpResponseError as error:
            code = getattr(error, "error_code", None) or f"HTTP {error.status_code}"
            raise UploadFailedError(str(getattr(code, "value", code)), self.name) from None
        except AzureError as error:
            raise UploadFailedError(type(error).__name__, self.name) from None
