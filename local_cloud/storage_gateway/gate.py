"""Gates that copies and reads go through, so that a test can act while a job copies or reads."""

import asyncio
from contextlib import suppress

LONGEST_SECONDS = 60.0
"""A held call goes on by itself after so long, before its caller gives up."""


class Gate:
    """Open, until it is told to hold what comes after some calls more."""

    def __init__(self) -> None:
        self.hold_after: int | None = None
        """How many calls still go through; None = all."""
        self.held = 0
        """How many wait now."""
        self._released = asyncio.Event()

    def change(self, hold_after: int | None) -> None:
        """Let go all that are held, and hold what comes after so many calls; None = nothing any more."""
        self._released.set()
        self._released = asyncio.Event()
        self.hold_after = hold_after

    async def pass_one(self) -> None:
        """Go through, or wait until the gate is changed."""
        if self.hold_after is None:
            return
        if self.hold_after > 0:
            self.hold_after -= 1
            return
        self.held += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_SECONDS):
                    await self._released.wait()
        finally:
            self.held -= 1
