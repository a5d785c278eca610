"""A backup policy in Azure Backup's JSON: what of it this version understands, and every mistake in it.

Understood: one or several daily or weekly intervals, one default tag, one default retention rule. Anything that would
be kept or scheduled otherwise than written is refused, never ignored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import isodate

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.json_values import as_list, as_object
from flexvault.domain.schedule import Interval, parse_interval
from flexvault.domain.zones import find_zone

DATASOURCE_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
POLICY_NAME = re.compile(r"[-A-Za-z0-9]{3,150}")
SHORTEST_RETENTION, LONGEST_RETENTION_DAYS = timedelta(days=7), 3660
DEFAULT_TAG = "Default"
_DURATION = re.compile(r"P(?=\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?", re.ASCII)

type _PathAndRule = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy that was understood."""

    rule_name: str
    """Name of the backup rule."""
    intervals: tuple[Interval, ...]
    zone: tzinfo
    retention: Mapping[str, str]
    """Tag -> ISO 8601 duration."""

    def expiry(self, tag: str, recovery_point_time: datetime) -> datetime:
        """Answer when a point of a tag expires: calendar arithmetic on the UTC calendar, clipped to the month's end."""
        return add_duration(recovery_point_time, self.retention[tag])


def add_duration(moment: datetime, duration: str) -> datetime:
    """Add an ISO 8601 duration in calendar arithmetic: 31 January + P1M is 28 or 29 February."""
    length: Any = isodate.parse_duration(duration)  # pyright: ignore[reportUnknownMemberType] - half typed there
    moved: datetime = moment + length
    return moved


def parse_policy(properties: Any) -> Policy:
    """Understand the `properties` of a policy resource.

    Raises:
        InvalidInputError: Every mistake is a detail with its JSON path.
    """
    reader = _Reader()
    policy = reader.read(properties)
    if reader.mistakes or policy is None:
        text = "; ".join(f"{mistake.target}: {mistake.message}" for mistake in reader.mistakes)
        hint = "correct the named members and send the policy again"
        raise InvalidInputError(f"the policy cannot be used: {text}", hint=hint, details=tuple(reader.mistakes))
    return policy


class _Reader:
    """Collects mistakes instead of stopping at the first."""

    def __init__(self) -> None:
        self.mistakes: list[InvalidInputError] = []

    def wrong(self, path: str, message: str, code: str | None = None) -> None:
        self.mistakes.append(InvalidInputError(message, target=path, code=code))

    def read(self, properties: Any) -> Policy | None:
        body = as_object(properties)
        if body is None:
            self.wrong("properties", "is missing or not an object")
            return None
        if body.get("objectType") != "BackupPolicy":
            self.wrong("properties.objectType", "must be 'BackupPolicy'")
        types = as_list(body.get("datasourceTypes")) or ()
        if [str(kind).lower() for kind in types] != [DATASOURCE_TYPE.lower()]:
            self.wrong("properties.datasourceTypes", f"must be ['{DATASOURCE_TYPE}']")
        rules = as_list(body.get("policyRules"))
        if rules is None:
            self.wrong("properties.policyRules", "is missing or not a list")
            return None
        return self._build(*self._sort(rules))

    def _sort(self, rules: Sequence[Any]) -> tuple[list[_PathAndRule], list[_PathAndRule]]:
        backups: list[_PathAndRule] = []
        retentions: list[_PathAndRule] = []
        for index, value in enumerate(rules):
            path, rule = f"properties.policyRules[{index}]", as_object(value) or {}
            match rule.get("objectType"):
                case "AzureBackupRule":
                    backups.append((path, rule))
                case "AzureRetentionRule":
                    retentions.append((path, rule))
                case _:
                    self.wrong(f"{path}.objectType", "must be 'AzureBackupRule' or 'AzureRetentionRule'")
        return backups, retentions

    def _build(self, backups: list[_PathAndRule], retentions: list[_PathAndRule]) -> Policy | None:
        if len(backups) != 1:
            self.wrong("properties.policyRules", f"needs exactly one AzureBackupRule, has {len(backups)}")
        if len(retentions) != 1:
            text = f"needs exactly one AzureRetentionRule, the default one, has {len(retentions)}"
            self.wrong("properties.policyRules", f"{text}; further retention rules come with a later version")
        name, zone, intervals = self._backup(*backups[0]) if backups else ("", None, ())
        duration = self._retention(*retentions[0]) if retentions else None
        if self.mistakes or zone is None or duration is None:
            return None
        return Policy(rule_name=name, intervals=intervals, zone=zone, retention={DEFAULT_TAG: duration})

    def _backup(self, path: str, rule: Mapping[str, Any]) -> tuple[str, tzinfo | None, tuple[Interval, ...]]:
        name = self._text(rule, path, "name")
        self._store(path, rule)
        return name, *self._trigger(path, rule)

    def _text(self, holder: Mapping[str, Any], path: str, member: str) -> str:
        value = holder.get(member)
        if isinstance(value, str) and value:
            return value
        self.wrong(f"{path}.{member}", "is missing or not a text")
        return ""

    def _store(self, path: str, rule: Mapping[str, Any]) -> None:
        parameters = as_object(rule.get("backupParameters")) or {}
        if str(parameters.get("backupType")).lower() != "full":
            self.wrong(f"{path}.backupParameters.backupType", "must be 'Full'")
        store = as_object(rule.get("dataStore")) or {}
        if store.get("dataStoreType") != "VaultStore":
            self.wrong(f"{path}.dataStore.dataStoreType", "must be 'VaultStore'")

    def _trigger(self, path: str, rule: Mapping[str, Any]) -> tuple[tzinfo | None, tuple[Interval, ...]]:
        trigger = as_object(rule.get("trigger")) or {}
        path = f"{path}.trigger"
        if trigger.get("objectType") != "ScheduleBasedTriggerContext":
            self.wrong(f"{path}.objectType", "must be 'ScheduleBasedTriggerContext'")
            return None, ()
        self._tagging(f"{path}.taggingCriteria", trigger)
        schedule = as_object(trigger.get("schedule"))
        if schedule is None:
            self.wrong(f"{path}.schedule", "is missing or not an object")
            return None, ()
        return self._schedule(f"{path}.schedule", schedule)

    def _schedule(self, path: str, schedule: Mapping[str, Any]) -> tuple[tzinfo | None, tuple[Interval, ...]]:
        zone = find_zone(str(schedule.get("timeZone") or ""))
        if zone is None:
            self.wrong(
                f"{path}.timeZone",
                f"'{schedule.get('timeZone')}' is no known time zone: give an IANA name such as "
                "Europe/Berlin, the id or display name of a Windows zone, or an offset such as +05:30",
            )
        texts = as_list(schedule.get("repeatingTimeIntervals"))
        if not texts:
            self.wrong(f"{path}.repeatingTimeIntervals", "needs at least one interval")
            return zone, ()
        intervals: list[Interval] = []
        for index, text in enumerate(texts):
            try:
                intervals.append(parse_interval(text))
            except InvalidInputError as error:
                self.wrong(f"{path}.repeatingTimeIntervals[{index}]", error.message, error.code)
        return zone, tuple(intervals)

    def _tagging(self, path: str, trigger: Mapping[str, Any]) -> None:
        criteria = as_list(trigger.get("taggingCriteria")) or ()
        only = as_object(criteria[0]) if len(criteria) == 1 else None
        if only is None:
            self.wrong(path, "needs exactly the default criterion; further tags come with a later version")
            return
        tag = as_object(only.get("tagInfo")) or {}
        if only.get("isDefault") is not True:
            self.wrong(f"{path}[0].isDefault", "must be true")
        if str(tag.get("tagName", "")).lower() != DEFAULT_TAG.lower():
            self.wrong(f"{path}[0].tagInfo.tagName", f"must be '{DEFAULT_TAG}'")
        priority = only.get("taggingPriority")
        if not isinstance(priority, int) or isinstance(priority, bool):
            self.wrong(f"{path}[0].taggingPriority", "is missing or not a whole number")
        if only.get("criteria"):
            self.wrong(f"{path}[0].criteria", "must be empty: the default criterion holds for every backup")

    def _retention(self, path: str, rule: Mapping[str, Any]) -> str | None:
        if self._text(rule, path, "name").lower() != DEFAULT_TAG.lower() or rule.get("isDefault") is not True:
            self.wrong(path, f"must be the default rule: name '{DEFAULT_TAG}', isDefault true")
        lifecycles = as_list(rule.get("lifecycles")) or ()
        lifecycle = as_object(lifecycles[0]) if len(lifecycles) == 1 else None
        if lifecycle is None:
            self.wrong(f"{path}.lifecycles", "needs exactly one lifecycle")
            return None
        if lifecycle.get("targetDataStoreCopySettings"):
            self.wrong(f"{path}.lifecycles[0].targetDataStoreCopySettings", "must be empty: there is one data store")
        duration = (as_object(lifecycle.get("deleteAfter")) or {}).get("duration")
        problem = find_duration_problem(duration)
        if problem:
            self.wrong(f"{path}.lifecycles[0].deleteAfter.duration", problem)
            return None
        return str(duration)


def find_duration_problem(duration: Any) -> str:
    """Say what is wrong with a retention duration, or nothing: P7D to P10Y, whole days, weeks, months or years."""
    if not isinstance(duration, str) or not _DURATION.fullmatch(duration):
        return f"'{duration}' is no ISO 8601 duration of days, weeks, months or years, such as P3M"
    start = datetime(2023, 1, 1)  # noqa: DTZ001 - only the length counts
    try:
        length = add_duration(start, duration) - start
    except (OverflowError, ValueError):  # past the end of the calendar
        length = timedelta.max
    if length < SHORTEST_RETENTION or length.days > LONGEST_RETENTION_DAYS:
        return f"'{duration}' is outside of P7D to P10Y"
    return ""
