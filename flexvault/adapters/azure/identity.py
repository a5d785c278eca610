"""The vault's identities: managed identities of Azure, named by their client ids, also where they sign in elsewhere."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential, ManagedIdentityCredential

from flexvault.domain.errors import TransientError


def credential(client_id: str = "") -> ManagedIdentityCredential:
    """Answer the credential of one identity; without a client id the host's own."""
    return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()


EXCHANGE_SCOPE = "api://AzureADTokenExchange/.default"
"""Audience of a token that is handed in as an assertion: Learn, "workload identity federation", managed identities."""


def federated_credentials(
    control: TokenCredential, client_id: str, tenants: Mapping[str, str]
) -> dict[str, TokenCredential]:
    """Answer the credential of each subscription that lies in another tenant.

    There the vault is a multi-tenant app without a secret: what the control identity says of itself is its assertion.

    Args:
        control: The control identity.
        client_id: Of the multi-tenant app, which trusts the control identity.
        tenants: Tenant by subscription, both in lower case.
    """

    def assertion() -> str:
        return control.get_token(EXCHANGE_SCOPE).token

    by_tenant: dict[str, TokenCredential] = {
        # The authority is the deployment's own choice, so no other service needs to be asked whether it is one.
        tenant: ClientAssertionCredential(tenant, client_id, assertion, disable_instance_discovery=True)
        for tenant in set(tenants.values())
    }
    return {subscription: by_tenant[tenant] for subscription, tenant in tenants.items()}


def principal_id(token_credential: TokenCredential, scope: str) -> str:
    """Answer the object id of an identity, as its own token states it.

    The token is not verified: it came from the identity endpoint and only names its bearer here.

    Raises:
        TransientError: code TokenUnavailable: no token, or one without an object id.
    """
    claims = read_claims(token_credential, scope)
    if "oid" not in claims:
        raise _no_token()
    return str(claims["oid"])


def read_claims(token_credential: TokenCredential, scope: str) -> dict[str, Any]:
    """Answer what an identity's own token says of it, unverified, as above.

    Raises:
        TransientError: code TokenUnavailable.
    """
    try:
        token = token_credential.get_token(scope).token
        payload = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ClientAuthenticationError, IndexError, ValueError, binascii.Error):
        raise _no_token() from None  # whatever failed may quote the token
    return claims


def _no_token() -> TransientError:
    message = "the control identity's own token could not be had or names no object id"
    return TransientError(message, code="TokenUnavailable")
