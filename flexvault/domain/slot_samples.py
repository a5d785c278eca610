"""Fewer slots that show the same: an hourly schedule of years is compared by some slots of each day."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta

from flexvault.domain.policy import Policy

SLOTS_A_DAY = 2
"""The first of a day, and one that is not the first."""
NAMED_FOR = timedelta(days=400)


def sample_slots(slots: Iterable[datetime], policies: Sequence[Policy]) -> Iterator[datetime]:
    """Leave out slots that no policy tags otherwise than one that stays.

    Of a local day the third and later ones go, but not where the clocks changed, nor, in the first 400 days, at a time
    that a criterion names: by then every date but 29 February has come.

    Args:
        slots: In order.
        policies: By which the slots are going to be tagged.
    """
    places = [(policy.zone, _times_of(policy)) for policy in policies]
    days: tuple[date, ...] = ()
    offsets: tuple[timedelta | None, ...] = ()
    begin: datetime | None = None
    seen = 0
    for slot in slots:
        walls = [(slot.astimezone(zone), times) for zone, times in places]
        present = tuple(wall.date() for wall, _ in walls)
        shifts = tuple(wall.utcoffset() for wall, _ in walls)
        seen = seen + 1 if present == days else 1
        begin = begin or slot
        is_named = slot - begin < NAMED_FOR and any(wall.time() in times for wall, times in walls)
        if seen <= SLOTS_A_DAY or is_named or shifts != offsets:
            yield slot
        days, offsets = present, shifts


def _times_of(policy: Policy) -> frozenset[time]:
    return frozenset(moment for tag in policy.tags for criterion in tag.criteria for moment in criterion.times)
