"""The strings that shared access signatures sign (create-user-delegation-sas, create-service-sas), and their HMAC.

Written out here, and not taken from the SDK: a server that checks with its client's code would agree with any mistake
of that code, and the import takes half of this process's start.
"""

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from local_cloud.storage_gateway.call import BlobKey
from local_cloud.storage_gateway.wire import iso_time

VERSION = "2026-10-06"
"""The only `sv` whose string is known here: that of the locked azure-storage-blob."""
OVERRIDES = {
    "rscc": "Cache-Control",
    "rscd": "Content-Disposition",
    "rsce": "Content-Encoding",
    "rscl": "Content-Language",
    "rsct": "Content-Type",
}
"""The answer's headers that a signature may set, by parameter."""
NOT_SUPPORTED = ("saoid", "suoid", "scid", "skdutid", "sduoid", "srh", "srq", "ses")
"""Parameters whose effect this gateway does not have; a signature with one is refused."""

_OWN_VERSION = "2021-12-02"


def sign_delegated(key: BlobKey, query: Mapping[str, str], value: str) -> str:
    """Sign with a user delegation key what a query says.

    Args:
        key: The blob; of a signature of a container, its container.
        query: The signature's parameters.
        value: The key, in base64.
    """
    fields = ["sp", "st", "se", "", "skoid", "sktid", "skt", "ske", "sks", "skv"]
    fields += [
        "saoid",
        "suoid",
        "scid",
        "skdutid",
        "sduoid",
        "sip",
        "spr",
        "sv",
        "sr",
        "versionid",
        "ses",
        "srh",
        "srq",
    ]
    texts = [query.get(field, "") for field in (*fields, *OVERRIDES)]
    texts[fields.index("")] = _resource(key, query["sr"])
    if query["sr"] != "bv":
        texts[fields.index("versionid")] = ""
    return _hmac(value, texts)


def sign_read(key: BlobKey, account_key: str, now: datetime) -> str:
    """Answer the query of an hour's read of a blob, signed with the account's key, for Azurite."""
    query = {
        "sp": "r",
        "st": iso_time(now - timedelta(minutes=15)),
        "se": iso_time(now + timedelta(hours=1)),
        "sv": _OWN_VERSION,
        "sr": "b",
    }
    fields = ["sp", "st", "se", "", "si", "sip", "spr", "sv", "sr", "snapshot", "ses", *OVERRIDES]
    texts = [query.get(field, "") for field in fields]
    texts[fields.index("")] = _resource(key, "b")
    return urlencode(query | {"sig": _hmac(account_key, texts)})


def _resource(key: BlobKey, kind: str) -> str:
    path = key.container if kind == "c" else f"{key.container}/{key.name}"
    return f"/blob/{key.account}/{path}"


def _hmac(value: str, texts: list[str]) -> str:
    digest = hmac.digest(base64.b64decode(value), "\n".join(texts).encode(), "sha256")
    return base64.b64encode(digest).decode()
