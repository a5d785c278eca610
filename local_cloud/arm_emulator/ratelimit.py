"""The headers that tell a client how much of ARM's rate limit is left.

ARM uses a token bucket per subscription, one for reads and one for writes. The recorded traffic showed the buckets
nearly full, which is what the capacities are taken from. They only inform here: throttling is a fault on order.
Source: https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_cloud.arm_emulator.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    header: str
    capacity: int
    refill_per_second: float


if TYPE_CHECKING:
    from datetime import datetime

_READS = _Limit(header="x-ms-ratelimit-remaining-subscription-global-reads", capacity=16_500, refill_per_second=25 * 15)
_WRITES = _Limit(
    header="x-ms-ratelimit-remaining-subscription-global-writes", capacity=12_000, refill_per_second=10 * 15
)


class RateLimit:
    """Counts requests per subscription and kind."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], tuple[float, datetime]] = {}

    def headers(self, subscription_id: str, *, is_read: bool) -> dict[str, str]:
        """Take one token and return the header that says how many are left."""
        limit = _READS if is_read else _WRITES
        now = self._clock()
        key = (subscription_id.lower(), limit.header)
        with self._lock:
            tokens, at = self._buckets.get(key, (float(limit.capacity), now))
            refilled = min(limit.capacity, tokens + (now - at).total_seconds() * limit.refill_per_second)
            left = max(0.0, refilled - 1)
            self._buckets[key] = (left, now)
        return {limit.header: str(int(left))}
