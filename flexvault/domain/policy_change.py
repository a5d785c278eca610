"""Whether a change of policy keeps less than before: what does needs a second person.

Both policies are judged on the slots of both, so a weaker tag, a removed one, another priority and another zone are all
found the same way: by a backup that would be kept less long.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flexvault.domain.durations import is_sometimes_shorter
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.schedule import due_slots, gaps_between_slots
from flexvault.domain.tagging import Occasion, TagMatch, match_tags
from flexvault.domain.zones import zone_name

SPAN = timedelta(days=4 * 366)
"""Four years have a 29 February and a week 53."""
COUNTED = timedelta(days=364)
"""Whole weeks."""
SLOTS_A_DAY = 2
"""The first of a day, and one that is not the first."""
SHOWN = 3


def find_weakenings(old: Policy, new: Policy, as_of: datetime) -> tuple[str, ...]:
    """Say in sentences what a new policy keeps less of than the old one; nothing when it keeps as much.

    What neither is surely longer, as P1M and P30D, counts as weaker: a person looks at it.

    Args:
        old: The policy in force.
        new: What it would become.
        as_of: The moment of the change.
    """
    return (*_find_rarer_backups(old, new, as_of), *_find_shorter_rules(old, new), *_find_shorter_kept(old, new))


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
    if (old.intervals, zone_name(old.zone)) == (new.intervals, zone_name(new.zone)):
        return
    (_, before), (_, after) = (gaps_between_slots(policy.intervals, policy.zone) for policy in (old, new))
    # A change of the clocks lengthens one gap of a year by an hour, on either side.
    if after > before + timedelta(hours=1):
        yield f"the longest time between two backups grows from {before} to {after}"
    were, will_be = (_count_slots(policy) for policy in (old, new))
    # Where the window begins in an interval may cost each of them one slot.
    if will_be < were - len(new.intervals):
        yield f"the backups in {COUNTED.days} days become {will_be} instead of {were}"
    begins_at = max(interval.anchor for interval in new.intervals)
    runs_at = max(as_of, *(interval.anchor for interval in old.intervals))
    if begins_at - runs_at > after:
        yield f"the schedule begins {begins_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}: until then there may be no backup"


def _count_slots(policy: Policy) -> int:
    begin = max(interval.anchor for interval in policy.intervals).astimezone(UTC)
    return len(due_slots(policy.intervals, policy.zone, begin, begin + COUNTED))


def _find_shorter_rules(old: Policy, new: Policy) -> Iterator[str]:
    kept = {name.lower(): duration for name, duration in new.retention.items()}
    for name, before in old.retention.items():
        after = kept.get(name.lower())
        if after is not None and is_sometimes_shorter(after, before):
            yield f"the rule '{name}' keeps {after} instead of {before}"


def _find_shorter_kept(old: Policy, new: Policy) -> Sequence[str]:
    """Judge the same backups under both policies; answers the first of each pair of tags."""
    seen: dict[tuple[str, str], str] = {}
    begin = max(interval.anchor for policy in (old, new) for interval in policy.intervals).astimezone(UTC)
    for schedule in (new, old):
        last: datetime | None = None
        slots = due_slots(schedule.intervals, schedule.zone, begin - timedelta(microseconds=1), begin + SPAN)
        for slot in _thin(slots, old, new):
            before, after = _judge(old, slot, last), _judge(new, slot, last)
            last = slot
            pair = (before.tag, after.tag)
            if pair in seen or before.tag.lower() == after.tag.lower():
                continue
            was, is_now = old.retention[before.tag], new.retention[after.tag]
            if is_sometimes_shorter(is_now, was):
                moment = f"{slot:%Y-%m-%dT%H:%MZ}"
                seen[pair] = (
                    f"a backup such as that of {moment} is tagged '{after.tag}' ({is_now}) instead of "
                    f"'{before.tag}' ({was})"
                )
    return list(seen.values())[:SHOWN]


def _thin(slots: Sequence[datetime], old: Policy, new: Policy) -> Iterator[datetime]:
    """Leave out slots that are tagged like one that stays: of a day the third and later ones, where no time counts."""
    if any(criterion.times for policy in (old, new) for tag in policy.tags for criterion in tag.criteria):
        yield from slots
        return
    before: tuple[date, date] | None = None
    seen = 0
    for slot in slots:
        days = (slot.astimezone(old.zone).date(), slot.astimezone(new.zone).date())
        seen = seen + 1 if days == before else 1
        before = days
        if seen <= SLOTS_A_DAY:
            yield slot


def _judge(policy: Policy, slot: datetime, last: datetime | None) -> TagMatch:
    last_on = last.astimezone(policy.zone).date() if last else None
    return match_tags(policy.tags, policy.zone, Occasion(judged_at=slot, slot=slot, last_success_on=last_on))[0]
