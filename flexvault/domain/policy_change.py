"""Whether a change of policy keeps less than before: what does needs a second person.

Both policies are judged on the slots of both, so a weaker tag, a removed one, another priority and another zone are all
found the same way: by a backup that would be kept less long.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from flexvault.domain.durations import is_sometimes_shorter
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.schedule import Interval, due_slots, gaps_between_slots, next_slot
from flexvault.domain.slot_samples import sample_slots
from flexvault.domain.tagging import Occasion, TagMatch, match_tags
from flexvault.domain.zones import zone_name

SPAN = timedelta(days=4 * 366)
"""Four years have a 29 February and a week 53."""
CLOCK_CHANGE = timedelta(hours=1)
LOOKED_AHEAD = timedelta(days=730)
"""How far a later begin is looked at."""
COUNTED = timedelta(days=364)
"""Whole weeks."""
SHOWN = 3


def find_weakenings(old: Policy, new: Policy, as_of: datetime) -> tuple[str, ...]:
    """Say in sentences what a new policy keeps less of than the old one; nothing when it keeps as much.

    What neither is surely longer, as P1M and P30D, counts as weaker: a person looks at it.

    Args:
        old: The policy in force.
        new: What it would become.
        as_of: The moment of the change.
    """
    rules, kept = _find_shorter_rules(old, new), _find_shorter_kept(old, new)
    if (old.intervals, zone_name(old.zone)) == (new.intervals, zone_name(new.zone)):
        return (*rules, *kept)
    found = (*_find_rarer_backups(old, new, as_of), *rules, *kept)
    return found or tuple(_find_fewer_kept(old, new))


def find_weakenings_of(old: Mapping[str, Any] | None, new: Mapping[str, Any], as_of: datetime) -> tuple[str, ...]:
    """Compare the properties of two stored policies; what this version cannot read may keep less in any way."""
    try:
        before = parse_policy(old)
    except InvalidInputError:
        return ("this version cannot read the present policy, so it cannot say that the new one keeps as much",)
    try:
        after = parse_policy(new)
    except InvalidInputError:
        return ("this version cannot read the new policy, so it cannot say that it keeps as much",)
    return find_weakenings(before, after, as_of)


def _find_rarer_backups(old: Policy, new: Policy, as_of: datetime) -> Iterator[str]:
    nominal_old, nominal_new = _without_clock_changes(old), _without_clock_changes(new)
    (_, before), (_, after) = (gaps_between_slots(intervals, UTC) for intervals in (nominal_old, nominal_new))
    if after > before:
        yield f"the longest time between two backups grows from {before} to {after}"
    were, will_be = _count_slots(nominal_old), _count_slots(nominal_new)
    # Where the window begins in an interval may cost each of them one slot.
    if will_be < were - len(set(nominal_new)):
        yield f"the backups in {COUNTED.days} days become {will_be} instead of {were}"
    yield from _find_pause(old, new, as_of, max(before, after))


def _without_clock_changes(policy: Policy) -> tuple[Interval, ...]:
    """Answer the same intervals on a calendar whose clocks never change: a year's longest day must not count."""
    return tuple(
        replace(interval, anchor=interval.anchor.astimezone(policy.zone).replace(tzinfo=UTC, fold=0))
        for interval in policy.intervals
    )


def _find_pause(old: Policy, new: Policy, as_of: datetime, usual: timedelta) -> Iterator[str]:
    """Find a time without backups until every interval of the new schedule has begun."""
    first = next_slot(old.intervals, old.zone, as_of)
    # A schedule that has not begun yet may begin as late as it was going to, and no later.
    usual_first = max(usual, first - as_of) if first else usual
    begun_at = max(interval.anchor for interval in new.intervals).astimezone(UTC)
    until = max(as_of, min(begun_at, as_of + LOOKED_AHEAD)).astimezone(UTC)
    moments = [as_of.astimezone(UTC), *due_slots(new.intervals, new.zone, as_of, until), until]
    for number, (earlier, later) in enumerate(pairwise(moments)):
        if later - earlier > (usual_first if number == 0 else usual + CLOCK_CHANGE):
            yield f"the schedule begins later: no backup from {earlier:%Y-%m-%dT%H:%MZ} to {later:%Y-%m-%dT%H:%MZ}"
            return


def _count_slots(intervals: Sequence[Interval]) -> int:
    begin = max(interval.anchor for interval in intervals).astimezone(UTC)
    return len(due_slots(intervals, UTC, begin, begin + COUNTED))


def _find_shorter_rules(old: Policy, new: Policy) -> Iterator[str]:
    kept = {name.lower(): duration for name, duration in new.retention.items()}
    for name, before in old.retention.items():
        after = kept.get(name.lower())
        if after is not None and is_sometimes_shorter(after, before):
            yield f"the rule '{name}' keeps {after} instead of {before}"


def _find_shorter_kept(old: Policy, new: Policy) -> Sequence[str]:
    """Judge the same backups, those of both schedules, under both policies; answers the first of each pair of tags."""
    seen: dict[tuple[str, str], str] = {}
    for schedule in (new, old):
        last: datetime | None = None
        for slot in _slots_of(schedule, old, new):
            before, after = _judge(old, slot, last), _judge(new, slot, last)
            last = slot
            pair = (before.tag, after.tag)
            if pair in seen or before.tag.lower() == after.tag.lower():
                continue
            was, is_now = old.retention[before.tag], new.retention[after.tag]
            if is_sometimes_shorter(is_now, was):
                seen[pair] = (
                    f"a backup such as that of {slot:%Y-%m-%dT%H:%MZ} is tagged '{after.tag}' ({is_now}) instead of "
                    f"'{before.tag}' ({was})"
                )
    return list(seen.values())[:SHOWN]


def _find_fewer_kept(old: Policy, new: Policy) -> Iterator[str]:
    """Find a duration that fewer backups are kept for, although none of the same moment is: the slots miss a tag."""
    before, after = (_count_durations(policy, old, new) for policy in (old, new))
    for duration in before:
        were, will_be = _count_as_long(before, duration), _count_as_long(after, duration)
        # Where the window begins in an interval may cost each of them one slot.
        if will_be < were - min(len(set(new.intervals)), 1 + were // 50):
            yield f"of the backups of four years {will_be} instead of {were} would be kept for {duration} or longer"


def _count_durations(policy: Policy, old: Policy, new: Policy) -> Counter[str]:
    counted: Counter[str] = Counter()
    last: datetime | None = None
    for slot in _slots_of(policy, old, new):
        counted[policy.retention[_judge(policy, slot, last).tag]] += 1
        last = slot
    return counted


def _count_as_long(counted: Mapping[str, int], duration: str) -> int:
    return sum(number for longer, number in counted.items() if not is_sometimes_shorter(longer, duration))


def _slots_of(schedule: Policy, old: Policy, new: Policy) -> Iterator[datetime]:
    """Answer slots of four years, once both policies have begun."""
    begin = max(interval.anchor for policy in (old, new) for interval in policy.intervals).astimezone(UTC)
    slots = due_slots(schedule.intervals, schedule.zone, begin - timedelta(microseconds=1), begin + SPAN)
    return sample_slots(slots, (old, new))


def _judge(policy: Policy, slot: datetime, last: datetime | None) -> TagMatch:
    last_on = last.astimezone(policy.zone).date() if last else None
    return match_tags(policy.tags, policy.zone, Occasion(judged_at=slot, slot=slot, last_success_on=last_on))[0]
