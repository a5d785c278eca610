"""A gateway over a real Azurite, seen through Azure's own SDK as each of the principals."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient, ImmutabilityPolicy

from local_cloud.certificates import now
from local_cloud.landscape import MAIN
from local_cloud.tokens import STORAGE_AUDIENCE
from tests.contract.surroundings import Azurite

OWNER = "vault-owner"
_NUMBERS = count(1)


@dataclass(kw_only=True)
class World:
    """What the tests of the gateway ask."""

    azurite: Azurite
    open: ExitStack = field(default_factory=ExitStack)
    session: requests.Session = field(default_factory=requests.Session)
    _services: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def gateway(self) -> Any:
        return self.azurite.gateway

    def service(self, who: str = OWNER, account: str = MAIN.vault) -> Any:
        """An account as a principal sees it; nothing is repeated, so a refusal is seen at once."""
        if (who, account) not in self._services:
            client = BlobServiceClient(
                self.azurite.blob_endpoint(account),
                self.azurite.identity(who),
                connection_verify=str(self.azurite.certificates.authority),
                retry_total=0,
                max_single_put_size=1 << 20,
                max_block_size=1 << 20,
            )
            self._services[who, account] = self.open.enter_context(client)
        return self._services[who, account]

    def blob(self, name: str, who: str = OWNER, *, container: str = "points", version: str | None = None) -> Any:
        return self.service(who).get_blob_client(container, name, version_id=version)

    def container(self, who: str = OWNER, *, container: str = "points") -> Any:
        return self.service(who).get_container_client(container)

    def new_name(self) -> str:
        return f"t{next(_NUMBERS):04d}/file"

    def write(self, name: str, data: bytes = b"content", **options: Any) -> str:
        """Write a version and answer its id."""
        return self.blob(name).upload_blob(data, overwrite=True, **options)["version_id"]

    def protect(self, name: str, days: float = 7, mode: str = "Unlocked", version: str | None = None) -> datetime:
        """Set a policy as control does, and answer until when it stands."""
        until = in_days(days)
        self.blob(name, "control", version=version).set_immutability_policy(
            ImmutabilityPolicy(expiry_time=until, policy_mode=mode)
        )
        return until

    def versions(self, name: str, *include: str) -> list[Any]:
        """Every version of a blob, as a list with versions shows them."""
        found = self.container().list_blobs(name, include=["versions", *include])
        return [blob for blob in found if blob.name == name]

    def call(self, method: str, path: str, who: str | None = OWNER, **options: Any) -> requests.Response:
        """Make a call that the SDK does not make."""
        headers = options.pop("headers", {})
        if who:
            token = self.azurite.issuer.for_identity(who, STORAGE_AUDIENCE)
            headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2026-10-06", **headers}
        url = f"{self.azurite.gateway_url}{path}"
        trust = str(self.azurite.certificates.authority)
        return self.session.request(method, url, headers=headers, verify=trust, timeout=30, **options)


def in_days(days: float) -> datetime:
    """A moment from now on, in whole seconds."""
    return now().replace(microsecond=0) + timedelta(days=days)


@contextmanager
def refused(status: int, code: str) -> Generator[None]:
    """The calls inside are refused like this."""
    with pytest.raises(HttpResponseError) as caught:
        yield
    assert answered(caught.value) == (status, code)


def answered(error: HttpResponseError) -> tuple[int | None, str | None]:
    """Status and code of a refusal; some methods of the SDK leave their errors' code out."""
    response: Any = error.response
    return error.status_code, response.headers.get("x-ms-error-code")
