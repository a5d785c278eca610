"""The gateway's clock. Tests move it, so that policies expire while nobody waits."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """Answer this machine's time."""
    return datetime.fromtimestamp(time.time(), UTC)


class GatewayClock:
    """Two readings of one clock: what judges policies runs ahead by an offset, and the Date header too if it shall.

    Tokens, signatures and version ids always go by the unmoved clock: a moved one would end every token.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self.now = now
        """Unmoved."""
        self.offset = timedelta()
        self.moves_date = False

    def policy_now(self) -> datetime:
        """Answer the time by which a policy is in force or expired."""
        return self.now() + self.offset

    def date(self) -> datetime:
        """Answer the time of the Date header."""
        return self.policy_now() if self.moves_date else self.now()
