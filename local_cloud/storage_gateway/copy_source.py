"""Sources of copies: a URL of this gateway becomes one that Azurite can read.

Azurite copies only what lies under its own address, and knows nothing of versions. So a source in a vault account is
checked here and becomes the URL of the hidden blob with a read signature by the account's key; of any other account's
source only host and port change, and Azurite checks the signature.
"""

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from local_cloud.storage_gateway import conditions
from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.call import BlobKey, Call, split_path, split_query
from local_cloud.storage_gateway.clock import GatewayClock
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.ledger import Ledger, Version
from local_cloud.storage_gateway.problems import StorageError, blob_archived
from local_cloud.storage_gateway.rights import READ_BLOBS, Kind, may
from local_cloud.storage_gateway.shared_access import SharedAccess
from local_cloud.storage_gateway.signing import sign_read

HEADER = "x-ms-copy-source"
_OWN_NAMES = {"127.0.0.1", "localhost"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source that Azurite can read, and the version that it is, if it lies in a vault account."""

    url: str
    version: Version | None = None


def _unverified(status: HTTPStatus, reason: str) -> StorageError:
    """Answer that the source cannot be read, with the source's own status (put-block-from-url)."""
    return StorageError(status, "CannotVerifyCopySource", reason)


class CopySources:
    """Rewrites sources.

    Args:
        config: Names the accounts, and where Azurite is.
        port: Where this gateway listens.
        ledger: The versions.
        shared_access: Checks signatures.
        clock: Judges them.
    """

    def __init__(
        self, config: GatewayConfig, port: int, ledger: Ledger, shared_access: SharedAccess, clock: GatewayClock
    ) -> None:
        self._config = config
        self._port = port
        self._ledger = ledger
        self._shared_access = shared_access
        self._clock = clock

    def resolve(self, call: Call, caller: Caller) -> Source:
        """Answer the source of a copy.

        Args:
            call: The copy.
            caller: Who makes it; needed for a source without a signature, which only the target's account may have.

        Raises:
            StorageError: the caller may not read it, or it does not exist.
        """
        given = call.header(HEADER)
        url = urlsplit(given)
        if url.hostname not in _OWN_NAMES or url.port != self._port:
            return Source(url=given)
        account, container, name = split_path(url.path)
        found = self._config.accounts.get(account)
        if found is None:
            raise _unverified(HTTPStatus.NOT_FOUND, f"There is no account '{account}'.")
        query = split_query(url.query)
        if found.kind is not Kind.VAULT:
            self._require_not_revoked(account, query)
            return Source(url=f"{self._config.azurite_url}{url.path}{f'?{url.query}' if url.query else ''}")
        key = BlobKey(account, container, name)
        self._require_readable(call, caller, key, query)
        version = self._find(key, query.get("versionid", ""))
        conditions.require_for_source(call.headers, version)
        return Source(url=self._sign(key, found.key, version), version=version)

    def _require_not_revoked(self, account: str, query: dict[str, str]) -> None:
        try:
            self._shared_access.require_not_revoked(account, query)
        except StorageError as error:
            raise _unverified(HTTPStatus.FORBIDDEN, error.message) from None

    def _require_readable(self, call: Call, caller: Caller, key: BlobKey, query: dict[str, str]) -> None:
        if "sig" not in query:
            # "a source in another account only by SAS or anonymously" (copy-blob, Authorization).
            if call.account.name == key.account and may(caller.name, READ_BLOBS, Kind.VAULT, key.container):
                return
            raise _unverified(HTTPStatus.UNAUTHORIZED, "The source carries no signature.")
        try:
            signature = self._shared_access.check(key, query, self._clock.now())
        except StorageError as error:
            raise _unverified(error.status, error.message) from None
        signer = self._config.name_of(signature.signer)
        if "r" not in signature.permissions or not may(signer, READ_BLOBS, Kind.VAULT, key.container):
            raise _unverified(HTTPStatus.FORBIDDEN, "The source's signature does not permit reading.")

    def _find(self, key: BlobKey, version_id: str) -> Version:
        version = self._ledger.find(key, version_id)
        if version is None:
            raise _unverified(HTTPStatus.NOT_FOUND, "The specified blob does not exist.")
        if version.tier == "Archive":
            raise blob_archived()
        return version

    def _sign(self, key: BlobKey, account_key: str, version: Version) -> str:
        token = sign_read(key._replace(name=version.path), account_key, self._clock.now())
        return f"{self._config.azurite_url}/{key.account}/{quote(key.container)}/{quote(version.path)}?{token}"
