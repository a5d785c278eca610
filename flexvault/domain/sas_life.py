"""How long a grant of the landing containers lives, by how long the server is expected to write."""

from dataclasses import dataclass
from datetime import timedelta

SHORTEST, FIRST = timedelta(hours=12), timedelta(hours=48)
LONGEST = timedelta(days=7) - timedelta(hours=1)
"""A user delegation key lives at most 7 days, counted by storage's clock; the hour is for the difference.

Source: https://learn.microsoft.com/rest/api/storageservices/get-user-delegation-key
"""
RESERVE = 4
"""A grant lives this many times as long as the server wrote the last time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLife:
    """The life of one attempt's grant, and how it compares with what is expected."""

    life: timedelta
    expected: timedelta | None
    """How long the newest backup of the chain was written; nothing for a chain's first."""

    @property
    def fits(self) -> bool:
        """Say whether the server is expected to be done before the longest grant ends."""
        return self.expected is None or self.expected < LONGEST

    @property
    def is_cut(self) -> bool:
        """Say whether the usual reserve does not fit."""
        return self.expected is not None and RESERVE * self.expected > LONGEST


def life_for(expected: timedelta | None) -> GrantLife:
    """Answer the life of a grant: four times what is expected, within the limits of a key."""
    life = FIRST if expected is None else min(max(SHORTEST, RESERVE * expected), LONGEST)
    return GrantLife(life=life, expected=expected)


def describe_duration(duration: timedelta) -> str:
    """Write a duration in days, hours and minutes, as `7 d 2 h`."""
    minutes = int(duration.total_seconds() // 60)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "less than 1 min"
