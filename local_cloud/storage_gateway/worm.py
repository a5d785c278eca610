"""Immutability: which versions nobody may delete or change, and how a policy or a hold may be changed.

Sources: set-blob-immutability-policy, delete-blob-immutability-policy, set-blob-legal-hold, and
immutable-version-level-worm-policies. What they leave open is in docs/azure-unknowns.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from local_cloud.storage_gateway.ledger import Version
from local_cloud.storage_gateway.problems import StorageError, invalid_header
from local_cloud.storage_gateway.wire import as_bool, http_date_of, parse_http_date

UNTIL, MODE, HOLD = "x-ms-immutability-policy-until-date", "x-ms-immutability-policy-mode", "x-ms-legal-hold"
UNLOCKED, LOCKED = "Unlocked", "Locked"


@dataclass(frozen=True, slots=True)
class Policy:
    """A time-based retention policy."""

    until: int
    """Seconds since 1970."""
    mode: str


def read_policy(headers: Mapping[str, str], now: datetime) -> Policy | None:
    """Read the policy that a request carries; None = it carries none.

    Raises:
        StorageError: 400 InvalidHeaderValue, also for a time that has passed: "Past times are not valid."
    """
    text = headers.get(UNTIL)
    if text is None:
        if MODE in headers:
            raise invalid_header(MODE, f"it needs {UNTIL} beside it")
        return None
    try:
        until = parse_http_date(text)
    except ValueError:
        raise invalid_header(UNTIL, f"'{text}' is not in RFC 1123 format") from None
    if until <= now:
        raise invalid_header(UNTIL, f"'{text}' has passed")
    mode = headers.get(MODE, UNLOCKED).capitalize()
    if mode not in {UNLOCKED, LOCKED}:
        raise invalid_header(MODE, f"'{headers[MODE]}' is neither {UNLOCKED} nor {LOCKED}")
    return Policy(int(until.timestamp()), mode)


def read_hold(headers: Mapping[str, str]) -> bool | None:
    """Read the legal hold that a request carries; None = it carries none.

    Raises:
        StorageError: 400 InvalidHeaderValue.
    """
    if HOLD not in headers:
        return None
    hold = as_bool(headers[HOLD])
    if hold is None:
        raise invalid_header(HOLD, f"'{headers[HOLD]}' is neither true nor false")
    return hold


def require_change_allowed(version: Version, policy: Policy) -> None:
    """Refuse to weaken a locked policy: "When immutability policy in locked mode, user can only extend".

    That page names no code for the refusal; BlobImmutableDueToPolicy is what blob-service-error-codes offers.

    Raises:
        StorageError: 409.
    """
    if version.mode != LOCKED:
        return
    if policy.mode != LOCKED or policy.until < (version.until or 0):
        raise _immutable("A locked immutability policy can only be extended.")


def require_removal_allowed(version: Version) -> None:
    """Refuse to remove a locked policy, also one that has expired: "The policy can't be deleted".

    The code was seen on real Azure by the tests of kopia (repo/blob/azure, azure_immu_test.go).

    Raises:
        StorageError: 409.
    """
    if version.mode == LOCKED:
        message = "The operation cannot be performed because the immutability policy is locked."
        raise StorageError(HTTPStatus.CONFLICT, "ImmutabilityPolicyDeleteOnLockedPolicy", message)


def require_deletable(version: Version, now: datetime) -> None:
    """Refuse to delete a version while a policy or a hold stands; an expired policy protects nothing.

    Raises:
        StorageError: 409 (blob-service-error-codes).
    """
    if version.legal_hold:
        message = "This operation is not permitted as the blob is immutable due to one or more legal holds."
        raise StorageError(HTTPStatus.CONFLICT, "BlobImmutableDueToLegalHold", message)
    if version.until is not None and now.timestamp() < version.until:
        raise _immutable("This operation is not permitted as the blob is immutable due to a policy.")


def require_metadata_writable(version: Version, now: datetime) -> None:
    """Refuse Set Blob Metadata under a policy, also an expired one, or a hold.

    The table of scenarios in immutable-version-level-worm-policies prohibits it in both of its rows.

    Raises:
        StorageError: 409.
    """
    require_deletable(version, now)
    if version.until is not None:
        raise _immutable("This operation is not permitted as the blob is immutable due to a policy.")


def describe(version: Version) -> dict[str, str]:
    """Answer the headers of Get Blob and Get Blob Properties."""
    headers: dict[str, str] = {}
    if version.until is not None:
        headers[UNTIL] = http_date_of(version.until)
        headers[MODE] = version.mode.lower()
    if version.legal_hold is not None:
        headers[HOLD] = str(version.legal_hold).lower()
    return headers


def _immutable(message: str) -> StorageError:
    return StorageError(HTTPStatus.CONFLICT, "BlobImmutableDueToPolicy", message)
