"""What in a policy will never have an effect: it may stay, but a person should know."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flexvault.domain.policy import Policy
from flexvault.domain.schedule import TICK, iterate_slots
from flexvault.domain.slot_samples import sample_slots
from flexvault.domain.tagging import Occasion, match_tags

SPAN = timedelta(days=9 * 366)
"""Every date, with a 29 February and a week 53, comes in nine years even where a century's leap day is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWarning:
    """Something that has no effect."""

    code: str
    message: str
    target: str
    """The tag or rule."""


def find_policy_warnings(policy: Policy) -> tuple[PolicyWarning, ...]:
    """Answer what can never match, and what only an on-demand backup can use."""
    return (*_find_tags_without_effect(policy), *_find_rules_without_tag(policy), *_find_equal_priorities(policy))


def _find_tags_without_effect(policy: Policy) -> Iterator[PolicyWarning]:
    matching, chosen = _try_out(policy)
    for tag in policy.tags:
        if tag.name not in matching:
            text = f"the tag '{tag.name}' can never match: no slot of the schedule fits its criteria"
            yield PolicyWarning(code="TagNeverMatches", message=text, target=tag.name)
        elif tag.name not in chosen:
            text = (
                f"the tag '{tag.name}' can never be a point's: whenever it matches, one of smaller priority does, too"
            )
            yield PolicyWarning(code="TagNeverChosen", message=text, target=tag.name)


def _try_out(policy: Policy) -> tuple[set[str], set[str]]:
    """Answer the tags that match some slot, and those that some slot gets, from a leap year's first day on."""
    anchor = max(interval.anchor for interval in policy.intervals).astimezone(UTC)
    leap_year = anchor.year + (-anchor.year) % 4
    begin = max(anchor, datetime(leap_year, 1, 1, tzinfo=UTC))
    matching: set[str] = set()
    chosen: set[str] = set()
    last: date | None = None
    slots = iterate_slots(policy.intervals, policy.zone, begin - TICK, begin + SPAN)
    for slot in sample_slots(slots, (policy,)):
        found = match_tags(policy.tags, policy.zone, Occasion(judged_at=slot, slot=slot, last_success_on=last))
        matching.update(match.tag for match in found)
        chosen.add(found[0].tag)
        last = found[0].day
        if len(chosen) == len(policy.tags):
            break
    return matching, chosen


def _find_rules_without_tag(policy: Policy) -> Iterator[PolicyWarning]:
    tagged = {tag.name for tag in policy.tags}
    for name in policy.retention:
        if name not in tagged:
            text = f"no criterion tags a backup '{name}': only an on-demand backup can ask for this rule"
            yield PolicyWarning(code="RuleOnlyOnDemand", message=text, target=name)


def _find_equal_priorities(policy: Policy) -> Iterator[PolicyWarning]:
    first: dict[int, str] = {}
    for tag in policy.tags:
        other = first.setdefault(tag.priority, tag.name)
        if other != tag.name:
            text = f"the tags '{other}' and '{tag.name}' have the same priority {tag.priority}: '{other}' wins"
            yield PolicyWarning(code="EqualPriorities", message=text, target=tag.name)
