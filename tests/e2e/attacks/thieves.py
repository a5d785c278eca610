"""What each thief holds, as clients of the vault account: tokens and signatures that were really issued."""

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from flexvault.adapters.azure.delegation import LandingDelegation, SourceDelegation
from local_cloud.apps import APP_IDENTITIES
from local_cloud.launch import LaunchedCloud, VaultHost
from local_cloud.tokens import PEOPLE, STORAGE_AUDIENCE
from tests.e2e.accounts import StaticToken
from tests.e2e.attacks import outcomes
from tests.e2e.attacks.points import SealedVersion

LANDING_PERMISSIONS = "racwl"
"""As servers get them: the default of FLEXVAULT_LANDING_SAS_PERMISSIONS."""
LEAKED = "leaked"
"""Container of the landing account whose SAS leaked."""
_APPS = {outcomes.FRONT: "front", outcomes.JANITOR: "janitor"}
_OWNERS = {outcomes.SOURCE_OWNER: "source-owner", outcomes.VAULT_OWNER: "vault-owner"}


class Thieves:
    """Connects as each thief to the accounts of one vault."""

    def __init__(self, cloud: LaunchedCloud, vault: VaultHost) -> None:
        """Connect as nobody yet."""
        self._vault, self._issuer = vault, cloud.issuer
        self._storage = vault.endpoints["storage"]
        self._open = ExitStack()
        self._services: dict[str, list[Any]] = {}

    def close(self) -> None:
        """Close the connections."""
        self._open.close()

    def services(self, thief: str, target: SealedVersion) -> list[Any]:
        """Answer the vault account as a thief sees it, once with each thing that the thief holds.

        Args:
            thief: Of `outcomes.THIEVES`.
            target: What the SAS to read a version was made for.
        """
        if thief == outcomes.SOURCE_SAS:
            return [self._connect("vault", self._read_signature(target))]
        if thief not in self._services:
            self._services[thief] = [self._connect("vault", held) for held in self._held_by(thief)]
        return self._services[thief]

    def token_of_app(self, app: str, client_id: str) -> str:
        """Ask the identity service for a token, with the secret of an app's environment."""
        answer = httpx.get(
            self._vault.endpoints["identity"]["endpoint"],
            params={"api-version": "2019-08-01", "resource": STORAGE_AUDIENCE, "client_id": client_id},
            headers={"X-IDENTITY-HEADER": self._vault.identity_headers.by_app[app]},
            trust_env=False,
        )
        return str(answer.raise_for_status().json()["access_token"])

    def landing(self, credential: str | StaticToken) -> Any:
        """Answer the landing account as the holder of a token or a signature sees it."""
        return self._connect("landing", credential)

    def tables_of_front(self) -> Any:
        """Answer the shared tables, as code in the front app reaches them."""
        token = StaticToken(self.token_of_app("front", "host-front"))
        endpoint = self._storage["app"]["tableEndpoint"]
        tables: Any = TableServiceClient(endpoint, credential=token, connection_verify=self._storage["ca"])
        return self._open.enter_context(tables)

    def landing_signature(self) -> str:
        """Issue a SAS as a server gets it: for a container of the landing account."""
        delegation = LandingDelegation(self.landing(self._token("writer")))
        (url,) = delegation.container_urls([LEAKED], LANDING_PERMISSIONS, timedelta(hours=1))
        return urlsplit(url).query

    def _read_signature(self, target: SealedVersion) -> str:
        """Issue a SAS as a restore uses it: to read one version."""
        delegation = SourceDelegation(self._connect("vault", self._token("writer")))
        query = parse_qs(urlsplit(delegation.source_url(target.container, target.name, target.version_id)).query)
        # The SDK names the version itself.
        return urlencode([(name, value) for name, (value,) in query.items() if name != "versionid"])

    def _held_by(self, thief: str) -> Iterable[str | StaticToken]:
        if thief == outcomes.PERSON:
            return [StaticToken(self._vault.endpoints["people"][person]) for person in PEOPLE]
        if thief == outcomes.LANDING_SAS:
            return [self.landing_signature()]
        if thief in _APPS:
            app = _APPS[thief]
            return [StaticToken(self.token_of_app(app, client_id)) for client_id in APP_IDENTITIES[app]]
        if thief == outcomes.TWO_THEFTS:
            return [self._token("control"), self._token("retention")]
        return [self._token(_OWNERS.get(thief, thief))]

    def _token(self, principal: str) -> StaticToken:
        return StaticToken(self._issuer.for_identity(principal, STORAGE_AUDIENCE))

    def _connect(self, account: str, credential: str | StaticToken) -> Any:
        """Connect without repetitions, so that a refusal is seen at once."""
        service: Any = BlobServiceClient(
            self._storage[account]["blobEndpoint"],
            credential,
            connection_verify=self._storage["ca"],
            retry_total=0,
        )
        return self._open.enter_context(service)
