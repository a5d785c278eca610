"""Who calls: the bearer token of a request, checked as Entra tokens for Azure Resource Manager are."""

from dataclasses import dataclass
from http import HTTPStatus

import jwt

from local_cloud.arm_emulator.problems import ArmError
from local_cloud.key_set import IdentityTokens, KeySetUnreadableError

AUDIENCES = ("https://management.azure.com", "https://management.azure.com/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The caller: `object_id` is what role assignments name, `client_id` what messages show beside it."""

    object_id: str
    client_id: str


class TokenVerifier:
    """Checks signature (RS256), validity, issuer and audience of bearer tokens."""

    def __init__(self, *, tenant_id: str, jwks_url: str) -> None:
        self._challenge = f'Bearer authorization_uri="https://login.windows.net/{tenant_id}"'
        self._tokens = IdentityTokens(jwks_url=jwks_url, tenant_id=tenant_id, audiences=AUDIENCES)

    def principal_of(self, authorization: str | None) -> Principal:
        """Return the caller that an `Authorization` header proves.

        Raises:
            ArmError: 401 `InvalidAuthenticationToken`; 503 when the identity service cannot be asked for its keys.
        """
        if authorization is None:
            raise self._refused("The 'Authorization' header is missing.")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise self._refused("The 'Authorization' header must hold a bearer token.")
        try:
            claims = self._tokens.claims_of(token.strip())
        except jwt.PyJWTError as error:
            raise self._refused(f"The access token is invalid: {error}.") from error
        except KeySetUnreadableError as error:
            raise ArmError(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", str(error)) from error
        object_id = str(claims["oid"])
        return Principal(object_id=object_id, client_id=str(claims.get("appid", object_id)))

    def _refused(self, reason: str) -> ArmError:
        return ArmError(
            HTTPStatus.UNAUTHORIZED,
            "InvalidAuthenticationToken",
            reason,
            headers={"WWW-Authenticate": f'{self._challenge}, error="invalid_token"'},
        )
