"""The host's clock: the only place of this package that reads the time of day."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the moment of now, aware, in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)
