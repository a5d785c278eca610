"""The keys and tokens of the local Entra: people's tokens for flexvault, identities' tokens for everything else.

The two kinds have a key each, as they have an issuer each. The keys are kept, so a token outlives a restart.
"""

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local_cloud.files import write_atomically
from local_cloud.landscape import TENANT_ID, object_id_of

STORAGE_AUDIENCE = "https://storage.azure.com/"
"""Audience of identities' tokens for blobs and tables."""
AUDIENCE = "api://flexvault"
"""Audience of people's tokens."""
IDENTITIES_ISSUER = f"https://sts.windows.net/{TENANT_ID}/"
"""Issuer of identities' tokens: Azurite accepts no other form."""
ARM_AUDIENCE = "https://management.azure.com/"
TOKEN_LIFE_SECONDS = 24 * 3600

PEOPLE: Mapping[str, tuple[str, str]] = {
    "reader": ("Backup.Reader", "Rita Reader"),
    "operator": ("Backup.Operator", "Oscar Operator"),
    "contributor": ("Backup.Contributor", "Carla Contributor"),
    "approver": ("Backup.Approver", "Amir Approver"),
}
"""Name of each person in `endpoints.json`: role, display name."""

IDENTITIES = ("control", "writer", "retention", "single", "host")
"""Client ids of the app's identities; `single` is one that holds all rights of the first three."""
OWNERS = ("vault-owner", "source-owner")
"""People with rights on storage: the owner of the vault account, and the owner of the source subscription.

The identity endpoint, which answers the app, gives nobody their tokens; `endpoints.json` has them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An RSA key and the id under which the key set lists it."""

    private: rsa.RSAPrivateKey
    key_id: str

    @classmethod
    def generate(cls) -> "SigningKey":
        """Make a new key."""
        return cls.of(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def of(cls, private: rsa.RSAPrivateKey) -> "SigningKey":
        """Name a key by its thumbprint (RFC 7638)."""
        public = _public_members(private)
        canonical = json.dumps({name: public[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
        digest = sha256(canonical.encode()).digest()
        return cls(private=private, key_id=urlsafe_b64encode(digest).rstrip(b"=").decode())

    @classmethod
    def load_or_create(cls, path: Path) -> "SigningKey":
        """Read the key kept in `path`, or make and keep one."""
        if path.exists():
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
            if not isinstance(private, rsa.RSAPrivateKey):
                raise TypeError(f"{path} holds no RSA key; hint: remove the file")
            return cls.of(private)
        key = cls.generate()
        pem = key.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_atomically(path, pem)
        return key

    def public(self) -> dict[str, Any]:
        """Answer the key's entry in a JSON Web Key Set."""
        return {**_public_members(self.private), "kid": self.key_id, "use": "sig", "alg": "RS256"}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign any claims, also nonsensical ones: what tests need."""
        return jwt.encode(dict(claims), self.private, algorithm="RS256", headers={"kid": self.key_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssuer:
    """Signs what the local Entra would sign."""

    people_key: SigningKey
    identities_key: SigningKey
    people_issuer: str
    """URL of the local identity service, without a final slash."""

    @classmethod
    def load(cls, folder: Path, people_issuer: str) -> "TokenIssuer":
        """Take up the keys kept in `folder`, or make them."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(
            people_key=SigningKey.load_or_create(folder / "people-key.pem"),
            identities_key=SigningKey.load_or_create(folder / "identities-key.pem"),
            people_issuer=people_issuer,
        )

    def key_set(self) -> dict[str, Any]:
        """Answer the JSON Web Key Set of both kinds."""
        return {"keys": [self.people_key.public(), self.identities_key.public()]}

    def for_person(self, person: str, *, key: SigningKey | None = None, **changed: Any) -> str:
        """Sign the token of one of the four people.

        Args:
            person: A name in PEOPLE.
            key: Sign with this key instead: a foreign one.
            changed: Claims to put in place of the usual ones (`exp`, `aud`, `iss`, `roles`, ...); None leaves one out.
        """
        role, display_name = PEOPLE[person]
        claims: dict[str, Any] = {
            **_times(),
            "iss": self.people_issuer,
            "aud": AUDIENCE,
            "oid": object_id_of(person),
            "sub": object_id_of(person),
            "tid": TENANT_ID,
            "name": display_name,
            "preferred_username": f"{person}@flexvault.example",
            "roles": [role],
            "ver": "2.0",
        } | changed
        return (key or self.people_key).sign({name: value for name, value in claims.items() if value is not None})

    def for_identity(self, client_id: str, resource: str, *, life_seconds: int = TOKEN_LIFE_SECONDS) -> str:
        """Sign the token of an identity, of an owner, or of the deployment, for a resource."""
        claims: dict[str, Any] = {
            **_times(life_seconds),
            "iss": IDENTITIES_ISSUER,
            "aud": resource,
            "appid": client_id,
            "oid": object_id_of(client_id),
            "sub": object_id_of(client_id),
            "tid": TENANT_ID,
            "idtyp": "app",
            "ver": "1.0",
        }
        return self.identities_key.sign(claims)


def _public_members(private: rsa.RSAPrivateKey) -> dict[str, Any]:
    members: dict[str, Any] = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return {name: members[name] for name in ("kty", "n", "e")}


def _times(life_seconds: int = TOKEN_LIFE_SECONDS) -> dict[str, int]:
    """Answer the time claims of a token signed now, valid from five minutes ago, as Entra's are."""
    signed_at = int(time.time())
    return {"iat": signed_at, "nbf": signed_at - 300, "exp": signed_at + life_seconds}
