"""Whether a change of policy keeps less than before: what does needs a second person.

Both policies are judged on the slots of both, so a weaker tag, a removed one, another priority and another zone are all
found the same way: by a backup that would be kept less long.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flexvault.domain.durations import is_sometimes_shorter
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.schedule import Interval, due_slots, gaps_between_slots, iterate_slots, next_slot
from flexvault.domain.slot_samples import sample_slots
from flexvault.domain.tagging import Occasion, TagMatch, match_tags
from flexvault.domain.zones import zone_name

SPAN = timedelta(days=4 * 366)
"""Four years have a 29 February and a week 53."""
COUNTED = timedelta(days=364)
"""Whole weeks."""
SHOWN = 3


def find_weakenings(old: Policy, new: Policy, as_of: datetime, backed_up_at: datetime | None = None) -> tuple[str, ...]:
    """Say in sentences what a new policy keeps less of than the old one; nothing when it keeps as much.

    What neither is surely longer, as P1M and P30D, counts as weaker: a person looks at it.

    Args:
        old: The policy in force.
        new: What it would become.
        as_of: The moment of the change.
        backed_up_at: The oldest of the last slots that the instances under the policy have taken, if it is known.
    """
    rules, kept = _find_shorter_rules(old, new), _find_shorter_kept(old, new, as_of)
    if (old.intervals, zone_name(old.zone)) == (new.intervals, zone_name(new.zone)):
        return (*rules, *kept)
    found = (*_find_rarer_backups(old, new, as_of, backed_up_at), *rules, *kept)
    return found or tuple(_find_fewer_kept(old, new, as_of))


def find_weakenings_of(
    old: Mapping[str, Any] | None, new: Mapping[str, Any], as_of: datetime, backed_up_at: datetime | None = None
) -> tuple[str, ...]:
    """Compare the properties of two stored policies; what this version cannot read may keep less in any way."""
    try:
        before = parse_policy(old)
    except InvalidInputError:
        return ("this version cannot read the present policy, so it cannot say that the new one keeps as much",)
    try:
        after = parse_policy(new)
    except InvalidInputError:
        return ("this version cannot read the new policy, so it cannot say that it keeps as much",)
    return find_weakenings(before, after, as_of, backed_up_at)


def _find_rarer_backups(old: Policy, new: Policy, as_of: datetime, backed_up_at: datetime | None) -> Iterator[str]:
    nominal_old, nominal_new = _without_clock_changes(old), _without_clock_changes(new)
    (_, before), (_, after) = (gaps_between_slots(intervals, UTC, as_of) for intervals in (nominal_old, nominal_new))
    if after > before:
        yield f"the longest time between two backups grows from {before} to {after}"
    were, will_be = (_count_slots(intervals, as_of) for intervals in (nominal_old, nominal_new))
    # Where the window begins in an interval may cost each of them one slot.
    if will_be < were - min(len(set(nominal_new)), 1 + were // 50):
        yield f"the backups in {COUNTED.days} days become {will_be} instead of {were}"
    yield from _find_later_next(old, new, as_of, backed_up_at, max(before, after))


def _without_clock_changes(policy: Policy) -> tuple[Interval, ...]:
    """Answer the same intervals on a calendar whose clocks never change: a year's longest day must not count."""
    return tuple(
        replace(interval, anchor=interval.anchor.astimezone(policy.zone).replace(tzinfo=UTC, fold=0))
        for interval in policy.intervals
    )


def _find_later_next(
    old: Policy, new: Policy, as_of: datetime, backed_up_at: datetime | None, usual: timedelta
) -> Iterator[str]:
    """Find a next backup that comes so late that a slot is lost by the change, or by many small ones.

    A time of day may move; but from the last slot that was taken to the next one there must be less than two gaps.
    """
    before, after = (next_slot(policy.intervals, policy.zone, as_of) for policy in (old, new))
    if after is None or before is None or after <= before:
        return
    since = min(backed_up_at or as_of, as_of)
    if after - since >= 2 * usual or after - before > usual:
        yield f"the next backup moves from {before:%Y-%m-%dT%H:%MZ} to {after:%Y-%m-%dT%H:%MZ}"


def _count_slots(intervals: Sequence[Interval], as_of: datetime) -> int:
    return len(due_slots(intervals, UTC, as_of, as_of + COUNTED))


def _find_shorter_rules(old: Policy, new: Policy) -> Iterator[str]:
    kept = {name.lower(): duration for name, duration in new.retention.items()}
    for name, before in old.retention.items():
        after = kept.get(name.lower())
        if after is not None and is_sometimes_shorter(after, before):
            yield f"the rule '{name}' keeps {after} instead of {before}"


def _find_shorter_kept(old: Policy, new: Policy, as_of: datetime) -> Sequence[str]:
    """Judge the same backups, those of both schedules, under both policies; answers the first of each pair of tags.

    Each is judged twice: in its place, and as the first of its period, which it is after others have failed.
    """
    seen: dict[tuple[str, str], str] = {}
    for schedule in (new, old):
        last: datetime | None = None
        for slot in _slots_of(schedule, old, new, as_of):
            for earlier in dict.fromkeys((last, None)):
                before, after = _judge(old, slot, earlier), _judge(new, slot, earlier)
                pair = (before.tag, after.tag)
                if pair in seen or before.tag.lower() == after.tag.lower():
                    continue
                was, is_now = old.retention[before.tag], new.retention[after.tag]
                if is_sometimes_shorter(is_now, was):
                    text = f"a backup such as that of {slot:%Y-%m-%dT%H:%MZ} is tagged '{after.tag}' ({is_now})"
                    failed = "" if earlier is last else ", if those before it failed,"
                    seen[pair] = f"{text}{failed} instead of '{before.tag}' ({was})"
            last = slot
    return list(seen.values())[:SHOWN]


def _find_fewer_kept(old: Policy, new: Policy, as_of: datetime) -> Iterator[str]:
    """Find a duration that fewer backups are kept for, although none of the same moment is: the slots miss a tag."""
    before, after = (_count_durations(policy, old, new, as_of) for policy in (old, new))
    for duration in before:
        were, will_be = _count_as_long(before, duration), _count_as_long(after, duration)
        # Where the window begins in an interval may cost each of them one slot.
        if will_be < were - min(len(set(new.intervals)), 1 + were // 50):
            yield f"of the backups of four years {will_be} instead of {were} would be kept for {duration} or longer"


def _count_durations(policy: Policy, old: Policy, new: Policy, as_of: datetime) -> Counter[str]:
    counted: Counter[str] = Counter()
    last: datetime | None = None
    for slot in _slots_of(policy, old, new, as_of):
        counted[policy.retention[_judge(policy, slot, last).tag]] += 1
        last = slot
    return counted


def _count_as_long(counted: Mapping[str, int], duration: str) -> int:
    return sum(number for longer, number in counted.items() if not is_sometimes_shorter(longer, duration))


def _slots_of(schedule: Policy, old: Policy, new: Policy, as_of: datetime) -> Iterator[datetime]:
    """Answer slots of the next four years."""
    slots = iterate_slots(schedule.intervals, schedule.zone, as_of, as_of + SPAN)
    return sample_slots(slots, (old, new))


def _judge(policy: Policy, slot: datetime, last: datetime | None) -> TagMatch:
    last_on = last.astimezone(policy.zone).date() if last else None
    return match_tags(policy.tags, policy.zone, Occasion(judged_at=slot, slot=slot, last_success_on=last_on))[0]
