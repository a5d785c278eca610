"""Read the tagging criteria of a policy."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import Any

from flexvault.domain.json_values import as_list, as_object
from flexvault.domain.mistakes import Mistakes
from flexvault.domain.tagging import DEFAULT_TAG, LAST_WEEK, Because, Criterion, TagRule

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKS = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": LAST_WEEK}
_ABSOLUTE = {
    because.value: because
    for because in (
        Because.ALL_BACKUP,
        Because.FIRST_OF_DAY,
        Because.FIRST_OF_WEEK,
        Because.FIRST_OF_MONTH,
        Because.FIRST_OF_YEAR,
    )
}
MOST_CRITERIA = 100
"""Of all tags together, each schedule time counted too."""
_LAST_DATE = 31
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", re.ASCII)
_MEMBERS = ("absoluteCriteria", "daysOfTheWeek", "weeksOfTheMonth", "monthsOfYear", "daysOfMonth", "scheduleTimes")


def read_tags(mistakes: Mistakes, path: str, value: Any, zone: tzinfo) -> tuple[TagRule, ...]:
    """Read `taggingCriteria`; answers the tags by priority, the default one behind others of the same.

    Args:
        mistakes: Where what is wrong is collected.
        path: JSON path of the list.
        value: The list.
        zone: The policy's.
    """
    entries = as_list(value)
    if not entries:
        mistakes.wrong(path, f"needs at least the default criterion: isDefault true, tagName '{DEFAULT_TAG}'")
        return ()
    tags = [_read_tag(mistakes, f"{path}[{index}]", entry, zone) for index, entry in enumerate(entries)]
    defaults = [index for index, entry in enumerate(entries) if (as_object(entry) or {}).get("isDefault") is True]
    if not defaults and all(isinstance((as_object(entry) or {}).get("isDefault"), bool | None) for entry in entries):
        mistakes.wrong(path, f"needs a default criterion: isDefault true, tagName '{DEFAULT_TAG}'")
    for index in defaults[1:]:
        mistakes.wrong(f"{path}[{index}].isDefault", f"is true a second time: {path}[{defaults[0]}] is the default")
    _refuse_repeated(mistakes, path, tags)
    counted = sum(len(tag.criteria) + sum(len(one.times) for one in tag.criteria) for tag in tags)
    if counted > MOST_CRITERIA:
        mistakes.wrong(path, f"has {counted} criteria and schedule times: at most {MOST_CRITERIA} are allowed")
    return tuple(sorted(tags, key=lambda tag: (tag.priority, tag.is_default)))


def _read_tag(mistakes: Mistakes, path: str, value: Any, zone: tzinfo) -> TagRule:
    entry = as_object(value) or {}
    name = mistakes.text(as_object(entry.get("tagInfo")) or {}, f"{path}.tagInfo", "tagName")
    is_default = entry.get("isDefault")
    if not isinstance(is_default, bool | None):
        mistakes.wrong(f"{path}.isDefault", "must be true or false")
    is_named_default = name.lower() == DEFAULT_TAG.lower()
    if is_default is True and name and not is_named_default:
        mistakes.wrong(f"{path}.tagInfo.tagName", f"must be '{DEFAULT_TAG}': isDefault is true")
    if is_default in (False, None) and is_named_default:
        mistakes.wrong(f"{path}.isDefault", f"must be true: the tag is '{DEFAULT_TAG}'")
    priority = entry.get("taggingPriority")
    if not isinstance(priority, int) or isinstance(priority, bool):
        mistakes.wrong(f"{path}.taggingPriority", "is missing or not a whole number")
        priority = 0
    criteria = entry.get("criteria")
    if is_named_default:
        if criteria:
            mistakes.wrong(f"{path}.criteria", "must be empty: the default criterion holds for every backup")
        return TagRule(name=DEFAULT_TAG, priority=priority)
    listed = as_list(criteria)
    if not listed:
        mistakes.wrong(f"{path}.criteria", f"needs at least one criterion: only the tag '{DEFAULT_TAG}' has none")
    read = [_read_criterion(mistakes, f"{path}.criteria[{at}]", one, zone) for at, one in enumerate(listed or ())]
    return TagRule(name=name, priority=priority, criteria=tuple(read))


def _refuse_repeated(mistakes: Mistakes, path: str, tags: Sequence[TagRule]) -> None:
    seen: dict[str, int] = {}
    for index, tag in enumerate(tags):
        first = seen.setdefault(tag.name.lower(), index)
        if tag.name and first != index:
            text = f"'{tag.name}' is the tag of {path}[{first}], too: give each tag one entry with all its criteria"
            mistakes.wrong(f"{path}[{index}].tagInfo.tagName", text)


def _read_criterion(mistakes: Mistakes, path: str, value: Any, zone: tzinfo) -> Criterion:
    entry = as_object(value)
    if entry is None:
        mistakes.wrong(path, "is no object")
        return Criterion()
    kind = entry.get("objectType")
    if kind is not None and str(kind).lower() != "schedulebasedbackupcriteria":
        mistakes.wrong(f"{path}.objectType", "must be 'ScheduleBasedBackupCriteria'")
    if not any(entry.get(member) for member in _MEMBERS):
        mistakes.wrong(path, f"names nothing: give one of {', '.join(_MEMBERS)}, such as absoluteCriteria [AllBackup]")
        return Criterion()

    def words(member: str, known: Mapping[str, Any]) -> list[Any]:
        return _read_list(mistakes, f"{path}.{member}", entry.get(member), lambda word: _read_word(word, known))

    days = _read_list(mistakes, f"{path}.daysOfMonth", entry.get("daysOfMonth"), _read_day)
    times = _read_list(mistakes, f"{path}.scheduleTimes", entry.get("scheduleTimes"), lambda at: _read_time(at, zone))
    return Criterion(
        absolute=tuple(words("absoluteCriteria", _ABSOLUTE)),
        weekdays=frozenset(words("daysOfTheWeek", {name: number for number, name in enumerate(_WEEKDAYS)})),
        weeks=frozenset(words("weeksOfTheMonth", _WEEKS)),
        months=frozenset(words("monthsOfYear", {name: number for number, name in enumerate(_MONTHS, start=1)})),
        days=frozenset(day for day in days if day),
        last_day=0 in days,
        times=frozenset(times),
    )


class _UnreadableError(Exception):
    """A value of a list that means nothing; its text says why."""


def _read_list(mistakes: Mistakes, path: str, value: Any, read: Callable[[Any], Any]) -> list[Any]:
    if value is None:
        return []
    entries = as_list(value)
    if entries is None:
        mistakes.wrong(path, "is not a list")
        return []
    found: list[Any] = []
    for index, entry in enumerate(entries):
        try:
            found.append(read(entry))
        except _UnreadableError as error:
            mistakes.wrong(f"{path}[{index}]", str(error))
    return found


def _read_word(value: Any, known: Mapping[str, Any]) -> Any:
    for word, meaning in known.items():
        if isinstance(value, str) and value.lower() == word.lower():
            return meaning
    raise _UnreadableError(f"'{value}' is none of {', '.join(known)}")


def _read_day(value: Any) -> int:
    """Answer a day of the month, 0 for the last one."""
    entry = as_object(value)
    if entry is None:
        raise _UnreadableError("is no object such as {'date': 15} or {'isLast': true}")
    is_last, day = entry.get("isLast"), entry.get("date")
    if not isinstance(is_last, bool | None):
        raise _UnreadableError("isLast must be true or false")
    if is_last:
        return 0
    if not isinstance(day, int) or isinstance(day, bool) or not 1 <= day <= _LAST_DATE:
        raise _UnreadableError(f"'{day}' is no day of a month: give a date from 1 to {_LAST_DATE}, or isLast true")
    return day


def _read_time(value: Any, zone: tzinfo) -> time:
    try:
        moment = datetime.fromisoformat(value) if _DATE_TIME.match(value) else None
    except (TypeError, ValueError):
        moment = None
    if moment is None:
        raise _UnreadableError(f"'{value}' is no date and time such as 2026-01-05T02:00:00Z")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(zone).time()
    except (OverflowError, ValueError):
        raise _UnreadableError(f"'{value}' lies at the end of the calendar") from None
