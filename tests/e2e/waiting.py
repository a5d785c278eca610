"""Wait for what other processes do, with a bound."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.1


def wait_for[Found](
    find: Callable[[], Found | None],
    what: str,
    within_seconds: float = 60,
    *,
    pause_seconds: float = PAUSE_SECONDS,
) -> Found:
    """Ask until something is found, and answer it; `False` counts as nothing.

    Args:
        find: Asks once.
        what: Named when it does not come.
        within_seconds: How long to ask.
        pause_seconds: Between two questions.
    """
    give_up_at = time.monotonic() + within_seconds
    while True:
        found = find()
        if found is not None and found is not False:
            return found
        assert time.monotonic() < give_up_at, f"{what}: not within {within_seconds:g} s"
        time.sleep(pause_seconds)
