"""How often somebody may call: token buckets in this process's memory, as ARM has them.

ARM gives each principal a bucket for reads, writes and deletes each, which fills up again second by second, and tells
in every answer what is left: https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flexvault.domain import names
from flexvault.domain.errors import ThrottledError

FAILURES_PER_MINUTE = 60
"""Failed proofs of one address."""
MOST_REMEMBERED = 4096
"""Buckets, and good tokens: who was not here for longest is forgotten."""


class Kind(StrEnum):
    """What a request does; each kind has a bucket of its own."""

    READ = "reads"
    WRITE = "writes"
    DELETE = "deletes"
    POLL = "polls"
    """A look at a long-running operation: many of them take nothing from the reads."""

    @property
    def header(self) -> str:
        """Answer the header that tells what is left."""
        told = Kind.READ if self is Kind.POLL else self
        return f"x-ms-ratelimit-remaining-subscription-{told}"


@dataclass(slots=True)
class _Bucket:
    left: float
    at: datetime


class Buckets:
    """Token buckets by name: each holds a minute's calls and fills up evenly."""

    def __init__(self, per_minute: int, most: int = MOST_REMEMBERED) -> None:
        self._per_minute = per_minute
        self._most = most
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str, now: datetime) -> int | None:
        """Take one call; answers how many are left, or nothing when there was none."""
        with self._lock:
            bucket = self._fill(name, now)
            if bucket.left < 1:
                return None
            bucket.left -= 1
            return int(bucket.left)

    def wait_seconds(self, name: str, now: datetime) -> int:
        """Answer after how many seconds there is a call again: 0 when there is one now."""
        with self._lock:
            missing = 1 - self._fill(name, now).left
            return max(0, math.ceil(missing * 60 / self._per_minute))

    def _fill(self, name: str, now: datetime) -> _Bucket:
        bucket = self._buckets.setdefault(name, _Bucket(float(self._per_minute), now))
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        seconds = max(0.0, (now - bucket.at).total_seconds())  # a clock that was set back fills nothing
        bucket.left = min(float(self._per_minute), bucket.left + seconds * self._per_minute / 60)
        bucket.at = max(bucket.at, now)
        return bucket


class Throttle:
    """Refuses callers who call too often, and strangers who fail to prove who they are too often."""

    def __init__(self, per_minute: int, failures_per_minute: int = FAILURES_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._callers: Mapping[Kind, Buckets] = {kind: Buckets(per_minute) for kind in Kind}
        self._failures = Buckets(failures_per_minute)
        self._lock = threading.Lock()
        self._good: OrderedDict[str, None] = OrderedDict()

    def require_room_for(self, object_id: str, kind: Kind, now: datetime) -> int:
        """Take a call of a caller; answers how many of this kind are left.

        Raises:
            ThrottledError: code SubscriptionRequestsThrottled, with the seconds to wait.
        """
        buckets = self._callers[kind]
        left = buckets.take(object_id, now)
        if left is None:
            raise ThrottledError(
                f"the caller '{object_id}' sent too many {kind}: at most {self._per_minute} at once, refilled by "
                f"{self._per_minute} a minute",
                code="SubscriptionRequestsThrottled",
                target=object_id,
                hint="wait as long as Retry-After says, then send the request again",
                retry_after_seconds=max(1, buckets.wait_seconds(object_id, now)),
            )
        return left

    def require_trust(self, sender: str, authorization: str, now: datetime) -> None:
        """Refuse an address that failed too often, before its token is looked at.

        A token that was good lately is looked at all the same: it may share its address with whoever fails. Where the
        front end tells no address nobody is refused, for all would be.

        Raises:
            ThrottledError: code TooManyRequests, with the seconds to wait.
        """
        if not sender or (authorization and _digest(authorization) in self._good):
            return
        wait = self._failures.wait_seconds(sender, now)
        if wait:
            raise ThrottledError(
                f"too many requests without a valid token came from {sender}",
                code="TooManyRequests",
                target=sender,
                hint="wait as long as Retry-After says, and send a valid token",
                retry_after_seconds=wait,
            )

    def count_failure(self, sender: str, now: datetime) -> None:
        """Count a request that failed to prove who sent it."""
        if sender:
            self._failures.take(sender, now)

    def remember(self, authorization: str) -> None:
        """Remember that a token was good, by its hash; it is validated at every call all the same."""
        digest = _digest(authorization)
        with self._lock:
            self._good[digest] = None
            self._good.move_to_end(digest)
            if len(self._good) > MOST_REMEMBERED:
                self._good.popitem(last=False)


def _digest(authorization: str) -> str:
    return names.sha256_hex(authorization.encode(errors="surrogatepass"))
