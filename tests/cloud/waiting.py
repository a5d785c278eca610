"""Waiting for what other processes do, with a bound."""

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(is_so: Callable[[], bool], within_seconds: float) -> float:
    """Ask until it is so and answer how many seconds that took; fail when it takes longer than allowed."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < within_seconds, f"not so within {within_seconds} s"
        time.sleep(0.02)
    return time.monotonic() - started


def is_running(pid: int) -> bool:
    """Tell whether a process lives; one that ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
