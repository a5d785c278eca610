"""The keys that sign tokens: read from the issuer's key set, kept, and read again when a token names another one."""

import json
import threading
import urllib.request
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import jwt
from jwt.types import JWKDict

from flexvault.domain.errors import TransientError

FETCH_TIMEOUT_SECONDS = 5.0
KEEP_SECONDS = 24 * 3600.0
"""After this the set is read anew, so that a key that its issuer withdrew is forgotten."""
FORGET_SECONDS = 3 * KEEP_SECONDS
"""How long a known key still counts while the issuer cannot be asked."""
PAUSE_SECONDS = 60.0
"""Tokens with unknown keys make the vault ask its issuer no more often than this."""
PAUSE_AFTER_FAILURE_SECONDS = 5.0

type Fetch = Callable[[str], bytes]


def fetch(url: str) -> bytes:
    """Read a page of the issuer.

    Raises:
        OSError: It cannot be reached in time, or refuses.
    """
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
    if parts.scheme != "https" and not is_local:
        raise OSError(f"keys are read over https only, not from {parts.scheme}://{parts.netloc}")
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_SECONDS) as page:  # noqa: S310 - the scheme was checked
        return page.read()


class SigningKeys:
    """The RSA keys of one issuer by their ids; safe to use from any number of threads."""

    def __init__(
        self, configuration_url: str, *, fetch: Fetch = fetch, seconds: Callable[[], float] = monotonic
    ) -> None:
        """Keep where to ask; nothing is asked yet.

        Args:
            configuration_url: The issuer's OpenID configuration, which names its key set.
            fetch: Reads a page.
            seconds: A clock that never goes back.
        """
        self._configuration_url = configuration_url
        self._fetch = fetch
        self._seconds = seconds
        self._lock = threading.Lock()
        self._keys: Mapping[str, Any] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def find(self, key_id: str) -> Any | None:
        """Answer the public key of an id, or nothing when the issuer knows no such key.

        Raises:
            TransientError: The issuer's keys cannot be read.
        """
        key = self._keys.get(key_id)
        if key is not None and not self._is_old():
            return key
        with self._lock:
            if self._keys.get(key_id) is None or self._is_old():
                try:
                    self._refresh()
                except TransientError:
                    if self._keys.get(key_id) is None or self._is_old(FORGET_SECONDS):
                        raise
            return self._keys.get(key_id)

    def _is_old(self, limit_seconds: float = KEEP_SECONDS) -> bool:
        return self._read_at is None or self._seconds() - self._read_at > limit_seconds

    def _refresh(self) -> None:
        now = self._seconds()
        rests = self._read_at is not None and now - self._read_at < PAUSE_SECONDS
        failed = self._tried_at is not None and now - self._tried_at < PAUSE_AFTER_FAILURE_SECONDS
        if rests:
            return
        if failed:
            raise self._unreadable()
        self._tried_at = now
        try:
            configuration = json.loads(self._fetch(self._configuration_url))
            keys = _read_keys(json.loads(self._fetch(configuration["jwks_uri"])))
        except (OSError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            raise self._unreadable() from error
        self._keys, self._read_at, self._tried_at = keys, now, None

    def _unreadable(self) -> TransientError:
        return TransientError(
            f"the keys that sign tokens cannot be read by way of {self._configuration_url}",
            code="SigningKeysUnreadable",
            target=self._configuration_url,
            hint="try again; if it lasts, check the app setting FLEXVAULT_OPENID_CONFIGURATION_URL and the network",
        )


def _read_keys(key_set: JWKDict) -> dict[str, Any]:
    """Answer the RSA keys of a JSON Web Key Set that are meant for signatures, by id."""
    keys = jwt.PyJWKSet.from_dict(key_set).keys
    return {
        key.key_id: key.key
        for key in keys
        if key.key_id is not None and key.key_type == "RSA" and key.public_key_use in {None, "sig"}
    }
