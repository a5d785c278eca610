"""One request, taken apart as the Blob service does."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.requests import Request

from local_cloud.storage_gateway.config import Account


class BlobKey(NamedTuple):
    """A blob's name in the whole cloud."""

    account: str
    container: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to one account. Container and blob are "" where the path names none."""

    method: str
    account: Account
    container: str
    blob: str
    raw_target: bytes
    """Path and query as they were sent."""
    raw_query: str
    headers: Headers
    request: Request

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's parameters, decoded, by lower-case name."""
        return dict(_pairs(self.raw_query))

    @property
    def key(self) -> BlobKey:
        """The blob's name."""
        return BlobKey(self.account.name, self.container, self.blob)

    @property
    def version_id(self) -> str:
        """The version that is asked for; "" = the current one."""
        return self.query.get("versionid", "")

    def header(self, name: str) -> str:
        """Answer a header, or ""."""
        return self.headers.get(name, "")


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            yield unquote(name).lower(), unquote(value)


def split_query(query: str) -> dict[str, str]:
    """Answer a query's parameters, decoded, by lower-case name; a plus sign is one."""
    return dict(_pairs(query))


def split_path(path: str) -> tuple[str, str, str]:
    """Split `/account/container/blob`, still encoded, into its decoded parts; what is missing is ""."""
    account, _, rest = path.lstrip("/").partition("/")
    container, _, blob = rest.partition("/")
    return unquote(account), unquote(container), unquote(blob)
