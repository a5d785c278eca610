"""A door to a vault in memory: people with signed tokens, and requests as clients send them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.adapters.memory.storage import RESTORE
from flexvault.api.app import Api, handle
from flexvault.api.rates import Throttle
from flexvault.api.signing_keys import SigningKeys
from flexvault.api.tokens import TokenValidator
from flexvault.api.wire import Request, Response
from flexvault.domain.errors import TransientError
from flexvault.services.refusals import Refusals
from tests import builders
from tests.api.conforming import require_documented

ORIGIN = "https://vault.example/api"
ISSUER = "https://issuer.example"
AUDIENCE = "api://flexvault"
CONFIGURATION_URL = f"{ISSUER}/.well-known/openid-configuration"
KEYS_URL = f"{ISSUER}/keys"
VERSION = "api-version=2026-06-01"
VAULT_ID = builders.VAULT_ID
INSTANCE = f"{VAULT_ID}/backupInstances/pg-orders"
POLICY_ID = f"{VAULT_ID}/backupPolicies/daily"
SUBSCRIPTION_SCOPE = f"/subscriptions/{builders.SUBSCRIPTION}/providers/Microsoft.DataProtection"
CONTAINER_URL = "https://restore.example/target"
ROLES = {name: f"Backup.{name.title()}" for name in ("reader", "operator", "contributor", "approver")}


def private_key(name: str = "issuer") -> rsa.RSAPrivateKey:
    """One key per name for the whole test session: making them is slow."""
    return _make_key(name)


@cache
def _make_key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_entry(name: str = "issuer") -> dict[str, Any]:
    """The key's entry in a key set; its id is its name."""
    entry = RSAAlgorithm.to_jwk(private_key(name).public_key(), as_dict=True)
    return {**entry, "kid": name, "use": "sig", "alg": "RS256"}


def sign(now: datetime, *roles: str, key: str = "issuer", kid: str | None = None, **changed: Any) -> str:
    """Sign a token; a claim that is changed to None is left out."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "oid": "oid-of-" + (roles[0] if roles else "nobody"),
        "name": "Somebody",
        "roles": list(roles),
        "nbf": int(now.timestamp()) - 60,
        "exp": int((now + timedelta(hours=1)).timestamp()),
        **changed,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return _signed(json.dumps(kept), key, kid or key)


@cache
def _signed(claims: str, key: str, kid: str) -> str:
    """Sign what was not signed before: the same claims make the same token, and a signature is slow."""
    return jwt.encode(json.loads(claims), private_key(key), algorithm="RS256", headers={"kid": kid})


class Issuer:
    """The issuer's two pages, and how often they were read."""

    def __init__(self) -> None:
        self.keys = [public_entry()]
        self.is_down = False
        self.reads: list[str] = []

    def fetch(self, url: str) -> bytes:
        self.reads.append(url)
        if self.is_down:
            raise OSError("connection refused")
        pages = {CONFIGURATION_URL: {"issuer": ISSUER, "jwks_uri": KEYS_URL}, KEYS_URL: {"keys": self.keys}}
        return json.dumps(pages[url]).encode()


@dataclass(kw_only=True)
class Door:
    """A vault in memory with its API in front."""

    world: builders.World = field(default_factory=builders.world)
    issuer: Issuer = field(default_factory=Issuer)
    page_size: int = 100
    begun: list[str] = field(default_factory=list[str])
    hub_is_down: bool = False

    def __post_init__(self) -> None:
        self.seconds = 0.0
        keys = SigningKeys(CONFIGURATION_URL, fetch=self.issuer.fetch, seconds=lambda: self.seconds)
        tokens = TokenValidator(keys, issuers=(ISSUER,), audiences=(AUDIENCE,), authority=ISSUER)
        self.api = Api(
            vault=self.world.vault,
            tokens=tokens,
            begin=self._begin,
            page_size=self.page_size,
            throttle=Throttle(self.world.vault.settings.requests_per_minute),
            refusals=Refusals(run=builders.at_once),
        )

    def _begin(self, open_key: str) -> None:
        if self.hub_is_down:
            raise TransientError("the hub refused", code="TaskHubUnusable")
        self.begun.append(open_key)

    def token(self, person: str = "contributor", **changed: Any) -> str:
        return sign(self.world.clock.host_now(), ROLES.get(person, person), **changed)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        person: str | None = "contributor",
        query: str = VERSION,
        headers: dict[str, str] | None = None,
    ) -> "Sent":
        """Send a request as a person; `body` is bytes as they are, or JSON."""
        url = path if "://" in path else f"{ORIGIN}{quote(path, safe='/%?=&$')}"
        url = url if not query or "?" in url else f"{url}?{query}"
        sent = {} if person is None else {"Authorization": f"Bearer {self.token(person)}"}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        response = handle(self.api, Request(method=method, url=url, headers=sent | (headers or {}), body=data))
        require_documented(method, url, response)
        return Sent(response)

    def follow(self, sent: "Sent") -> dict[str, Any]:
        """Read the status document of a long-running operation."""
        return self.send("GET", sent.header("Azure-AsyncOperation")).json

    def result(self, sent: "Sent") -> "Sent":
        """Read what an operation came to."""
        return self.send("GET", sent.header("Location"))

    def run_jobs(self) -> None:
        builders.run_jobs(self.world)

    def grant_roles(self) -> None:
        self.world.memory.roles.grant(builders.SERVER_ID)

    def make_target(self) -> None:
        self.world.memory.storage.create_container(RESTORE, CONTAINER_URL.rpartition("/")[2])

    def protect(self) -> None:
        """Create the policy and protect the server through the API."""
        assert self.send("PUT", POLICY_ID, policy_body()).status == 200
        assert self.send("PUT", INSTANCE, instance_body()).status == 201
        self.run_jobs()

    def protect_and_back_up(self) -> str:
        """Protect, back up once; answers the recovery point's id."""
        self.protect()
        assert self.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
        self.run_jobs()
        points = self.send("GET", f"{INSTANCE}/recoveryPoints").json["value"]
        return points[0]["name"]


class Sent:
    """An answer, with its headers found in any case."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.body = response.body
        self.headers = response.headers

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        return self.json["error"]

    def header(self, name: str) -> str:
        return {key.lower(): value for key, value in self.headers.items()}.get(name.lower(), "")


def door_of(files: Mapping[str, bytes]) -> Door:
    """A door whose server writes these files, and to which a restore may go."""
    door = Door()
    door.world.memory.ltr.script = LtrScript(files=files)
    door.make_target()
    return door


def policy_body(**changes: Any) -> dict[str, Any]:
    return {"properties": builders.policy_properties(**changes)}


def instance_properties(**changes: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "objectType": "BackupInstance",
        "friendlyName": "pg-orders",
        "dataSourceInfo": {
            "objectType": "Datasource",
            "resourceID": builders.SERVER_ID,
            "resourceUri": "",
            "datasourceType": "Microsoft.DBforPostgreSQL/flexibleServers",
            "resourceName": "pg-orders",
            "resourceType": "Microsoft.DBforPostgreSQL/flexibleServers",
            "resourceLocation": "eastus",
        },
        "policyInfo": {"policyId": POLICY_ID},
    }
    return {**properties, **changes}


def instance_body(**changes: Any) -> dict[str, Any]:
    return {"properties": instance_properties(**changes)}


def backup_body(rule: str = "BackupDaily", tag: str | None = None) -> dict[str, Any]:
    option = {} if tag is None else {"retentionTagOverride": tag}
    return {"backupRuleOptions": {"ruleName": rule, "triggerOption": option}}


def restore_body(point_id: str, prefix: str = "restored", url: str = CONTAINER_URL) -> dict[str, Any]:
    return {
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "recoveryPointId": point_id,
        "sourceDataStoreType": "VaultStore",
        "restoreTargetInfo": {
            "objectType": "RestoreFilesTargetInfo",
            "recoveryOption": "FailIfExists",
            "restoreLocation": "eastus",
            "targetDetails": {"filePrefix": prefix, "restoreTargetLocationType": "AzureBlobs", "url": url},
        },
    }
