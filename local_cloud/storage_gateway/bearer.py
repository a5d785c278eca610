"""Who sent a bearer token: checked as Entra tokens for storage are."""

import time
from http import HTTPStatus
from typing import Any

import jwt
from starlette.concurrency import run_in_threadpool

from local_cloud.key_set import IdentityTokens, KeySetUnreadableError
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.problems import StorageError

# authorize-with-azure-active-directory, "Call storage operations with OAuth tokens".
AUDIENCES = ("https://storage.azure.com", "https://storage.azure.com/")
_KEPT_TOKENS = 1_000


class BearerTokens:
    """Checks tokens, and remembers what it has checked."""

    def __init__(self, config: GatewayConfig) -> None:
        self._tokens = IdentityTokens(jwks_url=config.jwks_url, tenant_id=config.tenant_id, audiences=AUDIENCES)
        self._challenge = (
            f"Bearer authorization_uri=https://login.microsoftonline.com/{config.tenant_id}/oauth2/authorize "
            "resource_id=https://storage.azure.com"
        )
        self._checked: dict[str, tuple[str, float]] = {}

    async def object_id_of(self, token: str) -> str:
        """Answer the object id that a token proves.

        Raises:
            StorageError: 401 `InvalidAuthenticationInfo`; 503 when the identity service's keys cannot be read.
        """
        object_id, expires_at = self._checked.get(token, ("", 0.0))
        if time.time() < expires_at:
            return object_id
        # Fetching keys blocks.
        claims = await run_in_threadpool(self._verify, token)
        if len(self._checked) >= _KEPT_TOKENS:
            self._checked.clear()
        self._checked[token] = (str(claims["oid"]), float(claims["exp"]))
        return str(claims["oid"])

    def refused(self, reason: str, code: str = "InvalidAuthenticationInfo") -> StorageError:
        """Answer the refusal of a caller who proved nothing."""
        return StorageError(HTTPStatus.UNAUTHORIZED, code, reason, {"WWW-Authenticate": self._challenge})

    def _verify(self, token: str) -> dict[str, Any]:
        try:
            return self._tokens.claims_of(token)
        except jwt.PyJWTError as error:
            raise self.refused(f"Authentication information is not valid: {error}.") from error
        except KeySetUnreadableError as error:
            raise StorageError(HTTPStatus.SERVICE_UNAVAILABLE, "ServerBusy", str(error)) from error
