"""Who calls: the bearer token of a request, checked as Entra tokens for Azure Resource Manager are.

The keys come from the identity service's JWKS. They are fetched at the first token, kept, and fetched again when a
token names a key that is not among them.
"""

import json
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus

import jwt

from local_cloud.arm_emulator.problems import ArmError

AUDIENCES = ("https://management.azure.com", "https://management.azure.com/")

_FETCH_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The caller: `object_id` is what role assignments name, `client_id` what messages show beside it."""

    object_id: str
    client_id: str


class TokenVerifier:
    """Checks signature (RS256), validity, issuer and audience of bearer tokens."""

    def __init__(self, *, tenant_id: str, jwks_url: str) -> None:
        self._issuer = f"https://sts.windows.net/{tenant_id}/"
        self._challenge = f'Bearer authorization_uri="https://login.windows.net/{tenant_id}"'
        self._jwks_url = jwks_url
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        # The machine's proxy has no business with a loopback address.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

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
            key = self._key_of(jwt.get_unverified_header(token.strip()).get("kid"))
            claims = jwt.decode(
                token.strip(),
                key,
                algorithms=["RS256"],
                audience=AUDIENCES,
                issuer=self._issuer,
                options={"require": ["exp", "nbf", "iss", "aud", "oid"]},
            )
        except jwt.PyJWTError as error:
            raise self._refused(f"The access token is invalid: {error}.") from error
        object_id = str(claims["oid"])
        return Principal(object_id=object_id, client_id=str(claims.get("appid", object_id)))

    def _key_of(self, key_id: object) -> jwt.PyJWK:
        with self._lock:
            if key_id not in self._keys:
                self._keys = self._fetch()
            key = self._keys.get(str(key_id))
        if key is None:
            raise jwt.InvalidKeyError("it is signed with an unknown key")
        return key

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        try:
            with self._opener.open(self._jwks_url, timeout=_FETCH_TIMEOUT_SECONDS) as answer:
                keys = jwt.PyJWKSet.from_dict(json.load(answer))
        except (urllib.error.URLError, ValueError, jwt.PyJWTError) as error:
            raise ArmError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                f"the keys of the identity service cannot be read from {self._jwks_url}: {error}",
            ) from error
        return {key.key_id: key for key in keys.keys if key.key_id is not None}

    def _refused(self, reason: str) -> ArmError:
        return ArmError(
            HTTPStatus.UNAUTHORIZED,
            "InvalidAuthenticationToken",
            reason,
            headers={"WWW-Authenticate": f'{self._challenge}, error="invalid_token"'},
        )
