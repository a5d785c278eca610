"""What the text of an app setting must be; each parser raises ValueError with what it expected."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from flexvault.domain.app_role import AppRole

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VAULT_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/[^/]+/providers/Microsoft\.DataProtection/backupVaults/[^/]+",
    re.IGNORECASE,
)
_CLIENT_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_SAS_LETTERS = "racwdxyltmeopi"
"""Permissions of a container's SAS: Learn, "Create a service SAS", permissions for a directory, container or blob."""
_LONGEST_DAYS = 36_500
_MOST = 1_000_000
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def text(value: str) -> str:
    """Take any text."""
    return value


def words(value: str) -> tuple[str, ...]:
    """Take texts that are separated by commas; at least one."""
    found = _split(value)
    if not found:
        message = "one or more texts, separated by commas"
        raise ValueError(message)
    return found


def app_role(value: str) -> AppRole:
    """Take the role of an app."""
    try:
        return AppRole(value)
    except ValueError:
        raise ValueError(f"one of {', '.join(AppRole)}") from None


def guid(value: str) -> str:
    """Take a GUID."""
    if not _GUID.fullmatch(value):
        message = "a GUID"
        raise ValueError(message)
    return value.lower()


def client_id(value: str) -> str:
    """Take the client id of an identity: a GUID in Azure, a name of letters, digits and dashes elsewhere."""
    if not _CLIENT_ID.fullmatch(value):
        message = "the client id of a managed identity"
        raise ValueError(message)
    return value


def vault_id(value: str) -> str:
    """Take the ARM id of a vault."""
    value = value.rstrip("/")
    found = _VAULT_ID.fullmatch(value)
    if not found or not _GUID.fullmatch(found["subscription"]):
        message = "/subscriptions/GUID/resourceGroups/GROUP/providers/Microsoft.DataProtection/backupVaults/NAME"
        raise ValueError(message)
    return value


def endpoint(value: str) -> str:
    """Take the https URL of a service, without a final slash: bearer tokens go there."""
    _check_url(value, "an https URL without query", schemes=("https",))
    return value.rstrip("/")


def issuer_url(value: str) -> str:
    """Take a URL of the token issuer as it is: https, or http on this machine (as RFC 8252 allows for a loopback)."""
    _check_url(value, "an https URL without query", schemes=("https", "http"))
    return value


def issuer_urls(value: str) -> tuple[str, ...]:
    """Take URLs of token issuers, separated by commas."""
    return tuple(issuer_url(word) for word in words(value))


def endpoints(value: str) -> tuple[str, ...]:
    """Take https URLs, separated by commas; none is fine."""
    for word in _split(value):
        _check_url(word, "https URLs of accounts or containers, separated by commas", schemes=("https",))
    return _split(value)


def sas_permissions(value: str) -> str:
    """Take the permission letters of a container's SAS."""
    if not value or set(value) - set(_SAS_LETTERS) or len(set(value)) != len(value):
        raise ValueError(f"letters of '{_SAS_LETTERS}', each once")
    return value


def seconds(value: str) -> timedelta:
    """Take a positive number of seconds."""
    return timedelta(seconds=_number(value, "a positive number of seconds"))


def seconds_or_none(value: str) -> timedelta:
    """Take a number of seconds that may be 0."""
    return timedelta(seconds=_number(value, "a number of seconds, 0 or more", least=0))


def days(value: str) -> timedelta:
    """Take a positive number of days."""
    return timedelta(days=_number(value, "a positive number of days"))


def count(value: str) -> int:
    """Take a whole number, 1 or more."""
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:10]) <= _MOST:
        raise ValueError(f"a whole number from 1 to {_MOST}")
    return int(value)


def many_seconds(value: str) -> tuple[float, ...]:
    """Take positive numbers of seconds, separated by commas."""
    return tuple(_number(part, "positive numbers of seconds, separated by commas") for part in value.split(","))


def source_tenants(value: str) -> Mapping[str, str]:
    """Take pairs `tenantId:subscriptionId`; answers the tenant by subscription, both in lower case."""
    found: dict[str, str] = {}
    for pair in _split(value):
        tenant, _, subscription = (part.strip().lower() for part in pair.partition(":"))
        if not (_GUID.fullmatch(tenant) and _GUID.fullmatch(subscription)):
            message = "tenantId:subscriptionId of GUIDs, separated by commas"
            raise ValueError(message)
        if found.setdefault(subscription, tenant) != tenant:
            raise ValueError(f"each subscription in one tenant alone, and {subscription} stands in two")
    return found


type Parser = Callable[[str], object]


def _split(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _number(value: str, expected: str, least: float | None = None) -> float:
    try:
        number = float(value)
    except ValueError:
        raise ValueError(expected) from None
    fits = number > 0 if least is None else number >= least
    if not fits or not math.isfinite(number) or number > _LONGEST_DAYS * 86_400:
        raise ValueError(expected)
    return number


def _check_url(value: str, expected: str, *, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(value)
        is_plain = not (parts.query or parts.fragment or parts.username or parts.password)
        _ = parts.port
    except ValueError:
        raise ValueError(expected) from None
    is_local = parts.hostname in _LOOPBACK
    fits = parts.scheme in schemes and bool(parts.hostname) and (parts.scheme == "https" or is_local)
    if not fits or not is_plain or re.search(r"\s", value):
        raise ValueError(expected)
