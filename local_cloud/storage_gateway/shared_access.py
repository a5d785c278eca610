"""User delegation keys and signatures of the vault accounts, and the revocation of keys in every account.

Sources: get-user-delegation-key, create-user-delegation-sas. A key is derived from its own facts and a secret of this
gateway, so none has to be kept.
"""

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from local_cloud.files import write_atomically
from local_cloud.storage_gateway.call import BlobKey
from local_cloud.storage_gateway.config import revoked_keys_file
from local_cloud.storage_gateway.problems import key_not_permitted, not_authenticated
from local_cloud.storage_gateway.signing import NOT_SUPPORTED, OVERRIDES, VERSION, sign_delegated
from local_cloud.storage_gateway.wire import parse_iso_time

_REQUIRED = ("sv", "sp", "se", "sr", "sktid", "skt", "ske", "sks", "skv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature that holds."""

    signer: str
    """Object id of the identity that asked for the key."""
    permissions: str
    resource: str
    """`c` for a container, `b` for a blob, `bv` for one version."""
    content_headers: Mapping[str, str]
    """Response headers that the signature overrides, by the query's names."""


class SharedAccess:
    """Makes keys and checks signatures."""

    def __init__(self, state_dir: Path) -> None:
        file = state_dir / "delegation-secret"
        if not file.exists():
            write_atomically(file, secrets.token_bytes(32))
        self._secret = file.read_bytes()
        self._revoked_file = revoked_keys_file(state_dir)
        self._revoked: dict[str, datetime] = {}
        self._revoked_read: tuple[int, int] | None = None

    def make_key(self, account: str, facts: Mapping[str, str]) -> str:
        """Answer a key's value, in base64.

        Args:
            account: Whose.
            facts: Its parameters as a signature carries them: `skoid`, `sktid`, `skt`, `ske`, `sks`, `skv`.
        """
        named = [account, *(facts[name] for name in ("skoid", "sktid", "skt", "ske", "sks", "skv"))]
        return base64.b64encode(hmac.digest(self._secret, json.dumps(named).encode(), "sha256")).decode()

    def require_not_revoked(self, account: str, query: Mapping[str, str]) -> None:
        """Refuse a signature whose key was revoked after it began.

        Raises:
            StorageError: 403 AuthenticationFailed.
        """
        revoked_at = self._read_revoked().get(account)
        if revoked_at and "skt" in query and _moment(query["skt"]) < revoked_at:
            raise not_authenticated("The user delegation key was revoked.")

    def check(self, key: BlobKey, query: Mapping[str, str], now: datetime) -> Signature:
        """Check the signature of a request, or of a copy source, to a vault account.

        Raises:
            StorageError: 403 AuthenticationFailed; KeyBasedAuthenticationNotPermitted when an account key signed it.
        """
        if "skoid" not in query:
            raise key_not_permitted()
        missing = [name for name in _REQUIRED if name not in query]
        if missing:
            raise not_authenticated(f"The signature lacks {', '.join(missing)}.")
        for starts, ends in (("st", "se"), ("skt", "ske")):
            if starts in query and now < _moment(query[starts]):
                raise not_authenticated(f"Signature not valid in the specified time frame: {starts} is in the future.")
            if now >= _moment(query[ends]):
                raise not_authenticated(f"Signature not valid in the specified time frame: {ends} has passed.")
        self.require_not_revoked(key.account, query)
        self._require_known(query)
        if not hmac.compare_digest(sign_delegated(key, query, self.make_key(key.account, query)), query["sig"]):
            raise not_authenticated("Signature did not match.")
        return Signature(
            signer=query["skoid"],
            permissions=query["sp"],
            resource=query["sr"],
            content_headers={name: query[name] for name in OVERRIDES if name in query},
        )

    @staticmethod
    def _require_known(query: Mapping[str, str]) -> None:
        if query["sv"] != VERSION:
            raise not_authenticated(f"Only signatures of version {VERSION} can be verified here.")
        if query["sr"] not in {"b", "bv", "c"} or (query["sr"] == "bv" and "versionid" not in query):
            raise not_authenticated(f"A signature of resource '{query['sr']}' cannot be verified with this address.")
        if unknown := [name for name in NOT_SUPPORTED if name in query]:
            raise not_authenticated(f"Signatures with {', '.join(unknown)} cannot be verified here.")

    def _read_revoked(self) -> Mapping[str, datetime]:
        try:
            facts = self._revoked_file.stat()
        except FileNotFoundError:
            return {}
        seen = (facts.st_mtime_ns, facts.st_ino)
        if seen != self._revoked_read:
            read: dict[str, str] = json.loads(self._revoked_file.read_text(encoding="utf-8"))
            self._revoked = {account: _moment(text) for account, text in read.items()}
            self._revoked_read = seen
        return self._revoked


def _moment(text: str) -> datetime:
    try:
        return parse_iso_time(text)
    except ValueError:
        raise not_authenticated(f"'{text}' is no time.") from None
