"""The vault's identities: managed identities of Azure, named by their client ids."""

import base64
import binascii
import json
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ManagedIdentityCredential

from flexvault.domain.errors import TransientError


def credential(client_id: str = "") -> ManagedIdentityCredential:
    """Answer the credential of one identity; without a client id the host's own."""
    return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()


def principal_id(token_credential: TokenCredential, scope: str) -> str:
    """Answer the object id of an identity, as its own token states it.

    The token is not verified: it came from the identity endpoint and only names its bearer here.

    Raises:
        TransientError: code TokenUnavailable: no token, or one without an object id.
    """
    try:
        token = token_credential.get_token(scope).token
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["oid"])
    except (ClientAuthenticationError, IndexError, KeyError, ValueError, binascii.Error):
        # `from None`: whatever failed may quote the token.
        message = "the control identity's own token could not be had or names no object id"
        raise TransientError(message, code="TokenUnavailable") from None
