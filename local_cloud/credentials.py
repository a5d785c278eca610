"""A credential that always hands out one token."""

import time
from typing import Any

from azure.core.credentials import AccessToken


class StaticCredential:
    """Hands out the token that it was made with."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Answer the token; those of the endpoints file live longer than an hour."""
        return AccessToken(self._token, int(time.time()) + 3600)
