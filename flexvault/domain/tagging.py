"""Which retention tag a backup gets: criteria are read in the policy's zone, the smallest priority decides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from flexvault.domain.schedule import TICK, instant_of

DEFAULT_TAG = "Default"
LAST_WEEK = -1
DAYS_A_WEEK = 7


class Because(StrEnum):
    """Why a tag matched; with the local date it tells the whole reason."""

    FIRST_OF_DAY = "FirstOfDay"
    FIRST_OF_WEEK = "FirstOfWeek"
    FIRST_OF_MONTH = "FirstOfMonth"
    FIRST_OF_YEAR = "FirstOfYear"
    ALL_BACKUP = "AllBackup"
    CALENDAR = "Calendar"
    """Day, week, month or time of day."""
    DEFAULT = "Default"
    """The default tag: it matches every backup."""
    ON_DEMAND = "OnDemand"
    """A person asked for the backup."""


_PERIODS: Mapping[Because, Callable[[date], tuple[int, ...]]] = {
    Because.FIRST_OF_DAY: lambda day: (day.toordinal(),),
    Because.FIRST_OF_WEEK: lambda day: day.isocalendar()[:2],
    Because.FIRST_OF_MONTH: lambda day: (day.year, day.month),
    Because.FIRST_OF_YEAR: lambda day: (day.year,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One criterion: every member that is given must match, of its values one; an empty one is not given."""

    absolute: tuple[Because, ...] = ()
    weekdays: frozenset[int] = frozenset()
    """Monday is 0."""
    weeks: frozenset[int] = frozenset()
    """Of the month: 1 to 4, and LAST_WEEK."""
    months: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    """Of the month."""
    last_day: bool = False
    """The month's last day, beside `days`."""
    times: frozenset[time] = frozenset()
    """Times of day of slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRule:
    """A tag and when it matches."""

    name: str
    priority: int
    criteria: tuple[Criterion, ...] = ()
    """One must match; the default tag has none and always matches."""

    @property
    def is_default(self) -> bool:
        """Say whether it is the default tag."""
        return self.name == DEFAULT_TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMatch:
    """A tag that matched, and why."""

    tag: str
    because: Because
    day: date
    """The local date by which it was judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A scheduled backup as its tag is judged."""

    judged_at: datetime
    """Aware; its slot, or when it ran if it ran late."""
    slot: datetime
    last_success_on: date | None
    """The latest local date by which an earlier successful scheduled backup of the same server was judged, if any."""


def match_tags(rules: Sequence[TagRule], zone: tzinfo, occasion: Occasion) -> tuple[TagMatch, ...]:
    """Answer every tag that matches, in the order of the rules; the first one is the point's.

    Args:
        rules: By priority, as a policy has them.
        zone: The policy's.
        occasion: The backup.
    """
    day = occasion.judged_at.astimezone(zone).date()
    last = occasion.last_success_on
    found: list[TagMatch] = []
    for rule in rules:
        because = _match_rule(rule, zone, occasion, day, last)
        if because is not None:
            found.append(TagMatch(tag=rule.name, because=because, day=day))
    return tuple(found)


def _match_rule(rule: TagRule, zone: tzinfo, occasion: Occasion, day: date, last: date | None) -> Because | None:
    if rule.is_default:
        return Because.DEFAULT
    for criterion in rule.criteria:
        because = _match(criterion, zone, occasion, day, last)
        if because is not None:
            return because
    return None


def _match(criterion: Criterion, zone: tzinfo, occasion: Occasion, day: date, last: date | None) -> Because | None:
    because: Because | None = Because.CALENDAR
    if criterion.absolute:
        because = next((kind for kind in criterion.absolute if _is_first(kind, day, last)), None)
    fits = (
        (not criterion.weekdays or day.weekday() in criterion.weekdays)
        and (not criterion.months or day.month in criterion.months)
        and (not criterion.weeks or bool(criterion.weeks & weeks_of(day)))
        and (not (criterion.days or criterion.last_day) or _is_named_day(criterion, day, zone))
        and (not criterion.times or _is_named_time(criterion, occasion.slot, zone))
    )
    return because if fits else None


def _is_first(kind: Because, day: date, last: date | None) -> bool:
    if kind is Because.ALL_BACKUP:
        return True
    period = _PERIODS[kind]
    # Periods follow each other, so the latest date of an earlier success tells of all of them.
    return last is None or period(last) < period(day)


def weeks_of(day: date) -> frozenset[int]:
    """Answer which weeks of its month a day lies in: days 1 to 7 are the first, the last seven days the last."""
    number = (day.day - 1) // DAYS_A_WEEK + 1
    is_in_last = (day + timedelta(days=DAYS_A_WEEK)).month != day.month
    return frozenset({number, LAST_WEEK} if is_in_last else {number})


def _is_named_day(criterion: Criterion, day: date, zone: tzinfo) -> bool:
    return day.day in criterion.days or (criterion.last_day and is_last_day(day, zone))


def is_last_day(day: date, zone: tzinfo) -> bool:
    """Say whether no later day of its month ever was in a zone: one that lost the 31st ends on the 30th."""
    tomorrow = day + timedelta(days=1)
    if tomorrow.month != day.month:
        return True
    if (tomorrow + timedelta(days=1)).month == tomorrow.month:
        return False
    return instant_of(datetime.combine(tomorrow, time()), zone).astimezone(zone).date().month != day.month


def _is_named_time(criterion: Criterion, slot: datetime, zone: tzinfo) -> bool:
    """A slot is at the time that the clock shows, and at one that the clocks swallowed if it is the gap's end."""
    wall = slot.astimezone(zone)
    if wall.time() in criterion.times:
        return True
    if (slot - TICK).astimezone(zone).utcoffset() == wall.utcoffset():
        return False  # no change of the clocks ends here
    return any(_is_gaps_end(datetime.combine(wall.date(), moment), slot, zone) for moment in criterion.times)


def _is_gaps_end(wall: datetime, slot: datetime, zone: tzinfo) -> bool:
    is_swallowed = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall
    return is_swallowed and instant_of(wall, zone) == slot
