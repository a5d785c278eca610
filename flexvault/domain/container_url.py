"""URLs of blob containers that a client names: one spelling each, so that two names of one place compare equal."""

import re
from urllib.parse import urlsplit

from flexvault.domain.errors import InvalidInputError

_HOST = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_PATH = re.compile(r"(/[a-z0-9$]([-a-z0-9]*[a-z0-9])?){1,2}")
_HTTPS = 443
LONGEST_URL = 2_048


def read_container_url(url: str) -> str:
    """Answer a container's URL in its one spelling: lower case, no final slash or dot, no default port.

    Azure's is https://ACCOUNT.blob.core.windows.net/CONTAINER; emulators put the account into the path.

    Raises:
        InvalidInputError: It is no plain https URL of a container. The message repeats no query: that may be a SAS.
    """
    if len(url) > LONGEST_URL:
        raise _refused(f"a text of {len(url)} characters")
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _refused("a URL that cannot be read") from None
    path = parts.path.rstrip("/").lower()
    if parts.scheme.lower() != "https":
        raise _refused("what does not begin with https://")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise _refused("what has a query (such as a SAS), a fragment or a user name")
    place = f"https://{host}{'' if port in {None, _HTTPS} else f':{port}'}"
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path):
        raise _refused(f"'{place}/...', whose path names no account's container,")
    return f"{place}{path}"


def is_azure_storage(url: str) -> bool:
    """Say whether a container's URL, in its one spelling, leads to Azure Storage itself and nobody else's server.

    Sources: https://learn.microsoft.com/azure/storage/common/storage-account-overview#storage-account-endpoints (also
    of DNS zones), https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure,
    https://learn.microsoft.com/azure/china/resources-developer-guide.
    """
    return _AZURE_CONTAINER.fullmatch(url) is not None


_AZURE_CONTAINER = re.compile(
    r"https://[a-z0-9]{3,24}"
    r"\.(blob\.core\.(windows\.net|usgovcloudapi\.net|chinacloudapi\.cn)|z[0-9]{1,2}\.blob\.storage\.azure\.net)"
    r"/[^/]+"
)


def is_under(url: str, place: str) -> bool:
    """Say whether a container's URL is a place, or lies below it; both in their one spelling."""
    return f"{url}/".startswith(f"{normal_endpoint(place)}/")


def normal_endpoint(endpoint: str) -> str:
    """Answer an endpoint or container URL of the settings in the spelling of `read_container_url`."""
    parts = urlsplit(endpoint.strip().lower())
    host = (parts.hostname or "").rstrip(".")
    return f"https://{host}{'' if parts.port in {None, _HTTPS} else f':{parts.port}'}{parts.path.rstrip('/')}"


def account_name(endpoint: str) -> str:
    """Answer the name of the storage account behind an endpoint; in Azure no two accounts anywhere have the same.

    It is the host's first label, of an emulator the path.
    """
    parts = urlsplit(normal_endpoint(endpoint))
    return parts.path.strip("/") or (parts.hostname or "").partition(".")[0]


def _refused(shown: str) -> InvalidInputError:
    return InvalidInputError(
        f"{shown} is no container URL",
        target="restoreTargetInfo.targetDetails.url",
        hint="send https://ACCOUNT.blob.core.windows.net/CONTAINER (of an emulator "
        "https://HOST:PORT/ACCOUNT/CONTAINER) without a SAS: the vault's identity needs a role",
    )
