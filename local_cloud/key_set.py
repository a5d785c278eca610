"""The tokens of the local identity service's identities, for those who check them, and its public keys.

They are fetched at the first token, kept, and fetched again when a token names a key that is not among them.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import jwt

_FETCH_TIMEOUT_SECONDS = 5.0


class KeySetUnreadableError(Exception):
    """The identity service does not answer, or not with keys."""


class KeySet:
    """The keys of one JSON Web Key Set; thread-safe."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        # The machine's proxy has no business with a loopback address.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def key_of(self, key_id: object) -> jwt.PyJWK:
        """Answer the key with this id.

        Raises:
            jwt.InvalidKeyError: there is none.
            KeySetUnreadableError: the keys cannot be fetched.
        """
        with self._lock:
            if key_id not in self._keys:
                self._keys = self._fetch()
            key = self._keys.get(str(key_id))
        if key is None:
            raise jwt.InvalidKeyError("it is signed with an unknown key")
        return key

    def _fetch(self) -> dict[str, jwt.PyJWK]:
        try:
            with self._opener.open(self._url, timeout=_FETCH_TIMEOUT_SECONDS) as answer:
                keys = jwt.PyJWKSet.from_dict(json.load(answer))
        except (urllib.error.URLError, ValueError, jwt.PyJWTError) as error:
            message = f"the keys of the identity service cannot be read from {self._url}: {error}"
            raise KeySetUnreadableError(message) from error
        return {key.key_id: key for key in keys.keys if key.key_id is not None}


class IdentityTokens:
    """Checks tokens as Entra's are checked: signature (RS256), validity, issuer and audience.

    Args:
        jwks_url: Where the key set is.
        tenant_id: Whose tokens.
        audiences: Any of these will do.
    """

    def __init__(self, *, jwks_url: str, tenant_id: str, audiences: Sequence[str]) -> None:
        self._keys = KeySet(jwks_url)
        self._issuer = f"https://sts.windows.net/{tenant_id}/"
        self._audiences = audiences

    def claims_of(self, token: str) -> dict[str, Any]:
        """Answer what a token says, `oid` and `exp` among it.

        Raises:
            jwt.PyJWTError: it does not hold; the message says why.
            KeySetUnreadableError: the keys cannot be fetched.
        """
        return jwt.decode(
            token,
            self._keys.key_of(jwt.get_unverified_header(token).get("kid")),
            algorithms=["RS256"],
            audience=self._audiences,
            issuer=self._issuer,
            options={"require": ["exp", "nbf", "iss", "aud", "oid"]},
        )
