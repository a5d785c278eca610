"""A backup policy in Azure Backup's JSON: what it means, and every mistake in it.

Anything that would be kept or scheduled otherwise than written is refused, never ignored. docs/policies.md is the
language; flexvault.domain.decisions holds what Azure leaves open.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

from flexvault.domain.criteria import read_tags
from flexvault.domain.decisions import DEFAULT_ZONE
from flexvault.domain.durations import expiry_of, find_duration_problem, find_period_problem
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.json_values import as_list, as_object
from flexvault.domain.mistakes import Mistakes
from flexvault.domain.schedule import Interval, parse_interval
from flexvault.domain.tagging import DEFAULT_TAG, TagRule
from flexvault.domain.zones import find_zone

DATASOURCE_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
MOST_INTERVALS, MOST_SLOTS_A_DAY = 50, 96
_DAY = timedelta(days=1)
POLICY_NAME = re.compile(r"[-A-Za-z0-9]{3,150}")

type _PathAndRule = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy that was understood."""

    rule_name: str
    """Name of the backup rule."""
    intervals: tuple[Interval, ...]
    zone: tzinfo
    tags: tuple[TagRule, ...]
    """In the order in which they are tried: by priority, the default one behind others of the same."""
    retention: Mapping[str, str]
    """Tag -> ISO 8601 duration; a rule that no criterion names can be asked for on demand."""
    verify_newest_every: str = ""
    """ISO 8601 duration: how often the newest good recovery point is verified deeply; empty for never."""

    def expiry(self, tag: str, recovery_point_time: datetime) -> datetime:
        """Answer when a point of a tag expires: calendar arithmetic on the UTC calendar, clipped to the month's end."""
        return expiry_of(recovery_point_time, self.retention[tag])


def parse_policy(properties: Any) -> Policy:
    """Understand the `properties` of a policy resource.

    Raises:
        InvalidInputError: Every mistake is a detail with its JSON path.
    """
    mistakes = Mistakes()
    policy = _Reader(mistakes).read(properties)
    mistakes.finish("policy")
    if policy is None:
        message = "a policy without mistakes was not understood"
        raise RuntimeError(message)
    return policy


class _Reader:
    """Reads a policy's rules; goes on after a mistake, so that all are told."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._wrong = mistakes.wrong

    def read(self, properties: Any) -> Policy | None:
        body = as_object(properties)
        if body is None:
            self._wrong("properties", "is missing or not an object")
            return None
        if body.get("objectType") != "BackupPolicy":
            self._wrong("properties.objectType", "must be 'BackupPolicy'")
        types = as_list(body.get("datasourceTypes")) or ()
        if [str(kind).lower() for kind in types] != [DATASOURCE_TYPE.lower()]:
            self._wrong("properties.datasourceTypes", f"must be ['{DATASOURCE_TYPE}']")
        rules = as_list(body.get("policyRules"))
        if rules is None:
            self._wrong("properties.policyRules", "is missing or not a list")
            return None
        every = self._verify_newest_every(body)
        policy = self._build(*self._sort(rules))
        return replace(policy, verify_newest_every=every) if policy is not None else None

    def _verify_newest_every(self, body: Mapping[str, Any]) -> str:
        """Read the vault's own member `deepVerification`."""
        wanted, path = body.get("deepVerification"), "properties.deepVerification"
        if wanted is None:
            return ""
        verification = as_object(wanted)
        if verification is None:
            self._wrong(path, 'must be an object, such as {"newestEvery": "P7D"}')
            return ""
        every = verification.get("newestEvery")
        unknown = sorted(name for name, value in verification.items() if name != "newestEvery" and value is not None)
        if unknown:
            self._wrong(f"{path}.{unknown[0]}", "is no member of it: it has newestEvery alone")
        problem = find_period_problem(every)
        if problem:
            self._wrong(f"{path}.newestEvery", problem)
        return str(every)

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
                    self._wrong(f"{path}.objectType", "must be 'AzureBackupRule' or 'AzureRetentionRule'")
        return backups, retentions

    def _build(self, backups: list[_PathAndRule], retentions: list[_PathAndRule]) -> Policy | None:
        if len(backups) != 1:
            self._wrong("properties.policyRules", f"needs exactly one AzureBackupRule, has {len(backups)}")
        retention = self._retentions(retentions)
        if not backups:
            return None
        path, rule = backups[0]
        name = self._mistakes.text(rule, path, "name")
        self._store(path, rule)
        zone, intervals, tags = self._trigger(path, rule)
        named = {kept.lower(): kept for kept in retention}
        for index, tag in enumerate(tags):
            if tag.name and tag.name.lower() not in named:
                text = f"the tag '{tag.name}' has no AzureRetentionRule of that name: add one, or remove the tag"
                self._wrong("properties.policyRules", text)
            tags[index] = replace(tag, name=named.get(tag.name.lower(), tag.name))
        return Policy(rule_name=name, intervals=intervals, zone=zone, tags=tuple(tags), retention=retention)

    def _store(self, path: str, rule: Mapping[str, Any]) -> None:
        parameters = as_object(rule.get("backupParameters")) or {}
        if str(parameters.get("backupType")).lower() != "full":
            self._wrong(f"{path}.backupParameters.backupType", "must be 'Full'")
        store = as_object(rule.get("dataStore")) or {}
        if store.get("dataStoreType") != "VaultStore":
            self._wrong(f"{path}.dataStore.dataStoreType", "must be 'VaultStore'")

    def _trigger(self, path: str, rule: Mapping[str, Any]) -> tuple[tzinfo, tuple[Interval, ...], list[TagRule]]:
        trigger = as_object(rule.get("trigger")) or {}
        path = f"{path}.trigger"
        if trigger.get("objectType") != "ScheduleBasedTriggerContext":
            self._wrong(f"{path}.objectType", "must be 'ScheduleBasedTriggerContext'")
            return DEFAULT_ZONE, (), []
        schedule = as_object(trigger.get("schedule"))
        if schedule is None:
            self._wrong(f"{path}.schedule", "is missing or not an object")
        zone, intervals = self._schedule(f"{path}.schedule", schedule) if schedule is not None else (DEFAULT_ZONE, ())
        tags = read_tags(self._mistakes, f"{path}.taggingCriteria", trigger.get("taggingCriteria"), zone)
        return zone, intervals, list(tags)

    def _schedule(self, path: str, schedule: Mapping[str, Any]) -> tuple[tzinfo, tuple[Interval, ...]]:
        named = schedule.get("timeZone")
        zone = find_zone(named or "") if isinstance(named, str | None) else None
        if zone is None:
            self._wrong(
                f"{path}.timeZone",
                f"'{named}' is no known time zone: give an IANA name such as Europe/Berlin, a Windows zone's id or "
                "display name, or an offset such as +05:30; empty is UTC",
            )
        texts = as_list(schedule.get("repeatingTimeIntervals"))
        if not texts:
            self._wrong(f"{path}.repeatingTimeIntervals", "needs at least one interval")
        intervals: list[Interval] = []
        for index, text in enumerate(texts or ()):
            try:
                intervals.append(parse_interval(text))
            except InvalidInputError as error:
                self._wrong(f"{path}.repeatingTimeIntervals[{index}]", error.message, error.code)
        self._limit(f"{path}.repeatingTimeIntervals", intervals)
        return zone or DEFAULT_ZONE, tuple(intervals)

    def _limit(self, path: str, intervals: Sequence[Interval]) -> None:
        """Refuse a schedule that no server can follow, before anybody computes with it."""
        if len(intervals) > MOST_INTERVALS:
            self._wrong(path, f"has {len(intervals)} intervals: at most {MOST_INTERVALS} are allowed")
        daily = sum(_DAY / interval.length for interval in set(intervals))
        if daily > MOST_SLOTS_A_DAY:
            self._wrong(path, f"is due {daily:.0f} times a day: at most {MOST_SLOTS_A_DAY} times are allowed")

    def _retentions(self, rules: list[_PathAndRule]) -> Mapping[str, str]:
        retention: dict[str, str] = {}
        paths: dict[str, str] = {}
        for path, rule in rules:
            name = self._mistakes.text(rule, path, "name")
            is_default, is_named_default = rule.get("isDefault"), name.lower() == DEFAULT_TAG.lower()
            # It may be absent: the name says it.
            if is_default is not None and is_default is not is_named_default:
                text = f"isDefault must be true for the rule named '{DEFAULT_TAG}' and for no other one"
                self._wrong(path, f"{text}; the rule '{name}' has {is_default}")
            first = paths.setdefault(name.lower(), path)
            if first != path:
                self._wrong(f"{path}.name", f"'{name}' is the name of {first}, too")
            retention[DEFAULT_TAG if is_named_default else name] = self._lifecycle(path, rule)
        if DEFAULT_TAG.lower() not in paths:
            text = f"needs an AzureRetentionRule named '{DEFAULT_TAG}' with isDefault true, has {len(rules)} other(s)"
            self._wrong("properties.policyRules", text)
        return retention

    def _lifecycle(self, path: str, rule: Mapping[str, Any]) -> str:
        lifecycles = as_list(rule.get("lifecycles")) or ()
        lifecycle = as_object(lifecycles[0]) if len(lifecycles) == 1 else None
        if lifecycle is None:
            self._wrong(f"{path}.lifecycles", "needs exactly one lifecycle")
            return ""
        path = f"{path}.lifecycles[0]"
        store = (as_object(lifecycle.get("sourceDataStore")) or {}).get("dataStoreType")
        if store not in (None, "VaultStore"):
            self._wrong(f"{path}.sourceDataStore.dataStoreType", "must be 'VaultStore': there is one data store")
        if lifecycle.get("targetDataStoreCopySettings"):
            self._wrong(f"{path}.targetDataStoreCopySettings", "must be empty: there is one data store")
        after = as_object(lifecycle.get("deleteAfter")) or {}
        if after.get("objectType") not in (None, "AbsoluteDeleteOption"):
            self._wrong(f"{path}.deleteAfter.objectType", "must be 'AbsoluteDeleteOption'")
        problem = find_duration_problem(after.get("duration"))
        if problem:
            self._wrong(f"{path}.deleteAfter.duration", problem)
        return str(after.get("duration"))
