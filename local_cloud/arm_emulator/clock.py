"""The emulator's clock: the one place that reads the machine's time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

type Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime."""


def utc_now() -> datetime:
    """Return the machine's time."""
    return datetime.fromtimestamp(time.time(), UTC)


def wire_time(moment: datetime) -> str:
    """Write a moment as the service does: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 moment; one without a zone is UTC.

    Raises:
        ValueError: The text is no ISO 8601 moment.
    """
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
