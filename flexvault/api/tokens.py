"""Who calls: the bearer token of a request, checked by the app itself.

Entra's access tokens: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, cast

import jwt

from flexvault.api.problems import RefusedError
from flexvault.api.signing_keys import SigningKeys

LEEWAY = timedelta(seconds=300)
ALGORITHMS = ("RS256",)
_REQUIRED = ("exp", "iss", "aud", "oid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A person or an application, as its token says."""

    object_id: str
    name: str
    roles: tuple[str, ...]


class TokenValidator:
    """Checks signature, issuer, audience and validity of bearer tokens."""

    def __init__(self, keys: SigningKeys, *, issuers: Sequence[str], audiences: Sequence[str], authority: str) -> None:
        """Keep what is accepted.

        Args:
            keys: The issuer's keys.
            issuers: Accepted values of `iss`.
            audiences: Accepted values of `aud`.
            authority: Where a client gets a token, for the challenge of a 401.
        """
        self._keys = keys
        self._issuers = tuple(issuers)
        self._audiences = tuple(audiences)
        self._authority = authority

    def validate(self, authorization: str | None, now: datetime) -> Caller:
        """Answer who sent a request, from its Authorization header.

        Raises:
            RefusedError: 401, and what the token lacks.
            TransientError: The issuer's keys cannot be read: nobody can say whether the token is good.
        """
        claims = self._decode(self._token_of(authorization))
        self._require_valid_now(claims, now)
        roles: Any = claims.get("roles")
        return Caller(
            object_id=str(claims["oid"]),
            name=str(claims.get("name") or claims.get("preferred_username") or claims.get("appid") or ""),
            roles=_read_roles(roles),
        )

    def _token_of(self, authorization: str | None) -> str:
        if not authorization:
            raise self._refused("AuthenticationFailed", "the request has no Authorization header with a bearer token")
        scheme, _, token = authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise self._refused("AuthenticationFailed", "the Authorization header holds no bearer token")
        return token.strip()

    def _decode(self, token: str) -> Mapping[str, Any]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            raise self._refused("InvalidAuthenticationToken", "the token is no signed JSON Web Token") from None
        key = self._keys.find(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise self._refused("InvalidAuthenticationToken", "the token is signed with a key that is not its issuer's")
        # The times are compared with the vault's clock, so PyJWT must not compare them with this machine's.
        options: Any = {"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            return jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audiences,
                issuer=self._issuers,
                options=options,
            )
        except jwt.PyJWTError as error:
            raise self._explain(error) from None

    def _explain(self, error: jwt.PyJWTError) -> RefusedError:
        """Say what is wrong without repeating anything of the token."""
        match error:
            case jwt.MissingRequiredClaimError():
                code, message = "InvalidAuthenticationToken", f"the token has no claim '{error.claim}'"
            case jwt.InvalidAudienceError():
                expected = " or ".join(self._audiences)
                code = "InvalidAuthenticationTokenAudience"
                message = f"the token is not for this vault: its audience must be {expected}"
            case jwt.InvalidIssuerError():
                expected = " or ".join(self._issuers)
                code = "InvalidAuthenticationTokenIssuer"
                message = f"the token is from a foreign issuer: it must be {expected}"
            case jwt.InvalidAlgorithmError():
                code, message = "InvalidAuthenticationToken", "the token is not signed with RS256"
            case jwt.InvalidSignatureError():
                code, message = "InvalidAuthenticationToken", "the token's signature is wrong"
            case _:
                code, message = "InvalidAuthenticationToken", "the token cannot be read"
        return self._refused(code, message)

    def _require_valid_now(self, claims: Mapping[str, Any], now: datetime) -> None:
        at, leeway = now.timestamp(), LEEWAY.total_seconds()
        try:
            expires_at, not_before = float(claims["exp"]), float(claims.get("nbf", 0))
        except (TypeError, ValueError):
            raise self._refused("InvalidAuthenticationToken", "the token's times are not numbers") from None
        # Written so that a time that is no number (NaN) is refused, too.
        if not at < expires_at + leeway:
            raise self._refused("ExpiredAuthenticationToken", "the token has expired")
        if not at >= not_before - leeway:
            raise self._refused("InvalidAuthenticationToken", "the token is not valid yet")

    def _refused(self, code: str, message: str) -> RefusedError:
        challenge = f'Bearer authorization_uri="{self._authority}", error="invalid_token"'
        return RefusedError(
            message,
            status=HTTPStatus.UNAUTHORIZED,
            code=code,
            headers={"WWW-Authenticate": challenge},
            hint=f"get a token for {' or '.join(self._audiences)} and send it as 'Authorization: Bearer TOKEN'",
        )


def _read_roles(roles: Any) -> tuple[str, ...]:
    """Answer the roles of a claim: one text, or a list of texts; what has another form is no role."""
    if isinstance(roles, str):
        return (roles,)
    parts = cast("list[Any]", roles) if isinstance(roles, list) else []
    return tuple(role for role in parts if isinstance(role, str))
