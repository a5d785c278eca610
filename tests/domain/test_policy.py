"""Policies in Azure Backup's JSON: what is accepted as it is, and every mistake with its place."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.durations import add_duration, find_duration_problem
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.policy import parse_policy
from flexvault.domain.policy_warnings import find_policy_warnings
from tests.builders import add_tag, policy_properties

BACKUP, RETENTION = "properties.policyRules[0]", "properties.policyRules[1]"
SCHEDULE, TAGGING = f"{BACKUP}.trigger.schedule", f"{BACKUP}.trigger.taggingCriteria"

CLI_TEMPLATE = """
{"name": "OssFlexiblePolicy1", "objectType": "BackupPolicy",
 "datasourceTypes": ["Microsoft.DBforPostgreSQL/flexibleServers"],
 "policyRules": [
  {"name": "BackupWeekly", "objectType": "AzureBackupRule",
   "backupParameters": {"backupType": "Full", "objectType": "AzureBackupParams"},
   "dataStore": {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"},
   "trigger": {"objectType": "ScheduleBasedTriggerContext",
    "schedule": {"timeZone": "UTC", "repeatingTimeIntervals": ["R/2021-08-15T06:30:00+00:00/P1W"]},
    "taggingCriteria": [
     {"isDefault": true, "taggingPriority": 99, "tagInfo": {"id": "Default_", "tagName": "Default"}}]}},
  {"name": "Default", "objectType": "AzureRetentionRule", "isDefault": true,
   "lifecycles": [
    {"deleteAfter": {"duration": "P3M", "objectType": "AbsoluteDeleteOption"},
     "sourceDataStore": {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"},
     "targetDataStoreCopySettings": []}]}]}
"""
POWERSHELL_TEMPLATE = """
{"name": "PGFlexPolicy1", "datasourceTypes": ["Microsoft.DBforPostgreSQL/flexibleServers"], "objectType": "BackupPolicy",
 "policyRules": [
  {"lifecycles": [
    {"deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": "P10Y"}, "targetDataStoreCopySettings": [],
     "sourceDataStore": {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"}}],
   "isDefault": true, "name": "Default", "objectType": "AzureRetentionRule"},
  {"backupParameters": {"backupType": "full", "objectType": "AzureBackupParams"},
   "trigger": {
    "schedule": {"repeatingTimeIntervals": ["R/2024-01-07T23:00:00+00:00/P1W"], "timeZone": "UTC"},
    "taggingCriteria": [
     {"tagInfo": {"tagName": "Default", "id": "Default_"}, "taggingPriority": 99, "isDefault": true}],
    "objectType": "ScheduleBasedTriggerContext"},
   "dataStore": {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"},
   "name": "BackupWeekly", "objectType": "AzureBackupRule"}]}
"""


def changed(path: str, value: Any) -> dict[str, Any]:
    """The builder's policy with one member set; `...` removes it. Path as in `policyRules.0.name`."""
    policy = policy_properties()
    holder: Any = policy
    *way, last = path.split(".")
    for part in way:
        holder = holder[int(part)] if part.isdigit() else holder[part]
    if value is ...:
        del holder[last]
    else:
        holder[int(last) if last.isdigit() else last] = value
    return policy


def mistakes(policy: Any) -> dict[str, str]:
    """JSON path -> what is wrong there."""
    with pytest.raises(InvalidInputError) as refused:
        parse_policy(policy)
    return {detail.target: detail.message for detail in refused.value.details}


@pytest.mark.parametrize(
    ("template", "every_days", "duration"),
    [
        pytest.param(CLI_TEMPLATE, 7, "P3M", id="Azure CLI's default template"),
        pytest.param(POWERSHELL_TEMPLATE, 7, "P10Y", id="PowerShell's default template"),
    ],
)
def test_azures_default_templates_are_accepted_as_they_are(template: str, every_days: int, duration: str):
    policy = parse_policy(json.loads(template))
    assert (policy.rule_name, str(policy.zone)) == ("BackupWeekly", "UTC")
    assert [interval.every_days for interval in policy.intervals] == [every_days]
    assert policy.retention == {"Default": duration}


def without_tag_id(policy: dict[str, Any]) -> None:
    del policy["policyRules"][0]["trigger"]["taggingCriteria"][0]["tagInfo"]["id"]


def with_nulls(policy: dict[str, Any]) -> None:
    criterion = policy["policyRules"][0]["trigger"]["taggingCriteria"][0]
    criterion |= {"criteria": None, "etag": None}
    policy["policyRules"][1]["lifecycles"][0] |= {"targetDataStoreCopySettings": None, "sourceDataStore": None}


def set_zone(zone: Any) -> Callable[[dict[str, Any]], None]:
    def change(policy: dict[str, Any]) -> None:
        schedule = policy["policyRules"][0]["trigger"]["schedule"]
        schedule.pop("timeZone")
        if zone is not ...:
            schedule["timeZone"] = zone

    return change


def other_case(policy: dict[str, Any]) -> None:
    policy["datasourceTypes"] = ["microsoft.dbforpostgresql/FLEXIBLESERVERS"]
    policy["policyRules"][1]["name"] = "default"
    policy["policyRules"][0]["trigger"]["taggingCriteria"][0]["tagInfo"]["tagName"] = "DEFAULT"


def with_unknown_members(policy: dict[str, Any]) -> None:
    policy["comment"] = {"by": "Terraform"}
    policy["policyRules"][0]["trigger"]["schedule"]["scheduleRunFrequency"] = "Weekly"


@pytest.mark.parametrize(
    "dialect",
    [
        pytest.param(without_tag_id, id="tagInfo without id"),
        pytest.param(with_nulls, id="null members"),
        pytest.param(set_zone(""), id="timeZone empty (Terraform)"),
        pytest.param(set_zone(None), id="timeZone null"),
        pytest.param(set_zone(...), id="timeZone absent"),
        pytest.param(set_zone("Coordinated Universal Time"), id="timeZone by its display name"),
        pytest.param(set_zone("Europe/Berlin"), id="an IANA zone"),
        pytest.param(set_zone("(UTC-05:00) Eastern Time (US & Canada)"), id="a Windows zone by its display name"),
        pytest.param(set_zone("+05:30"), id="a fixed offset (the SDK's text)"),
        pytest.param(other_case, id="names in another case"),
        pytest.param(with_unknown_members, id="members that are not known"),
    ],
)
def test_dialects_of_real_clients_are_understood(dialect: Callable[[dict[str, Any]], None]):
    policy = policy_properties()
    dialect(policy)
    sent = deepcopy(policy)
    assert parse_policy(policy).retention == {"Default": "P1M"}
    assert policy == sent, "what a client sent is kept as it is"


LIFECYCLE = "policyRules.1.lifecycles.0"
TRIGGER = "policyRules.0.trigger"
MISTAKES = [
    pytest.param(None, "properties", id="nothing"),
    pytest.param([], "properties", id="a list"),
    pytest.param("policy", "properties", id="a text"),
    pytest.param(changed("objectType", "Policy"), "properties.objectType", id="object type"),
    pytest.param(changed("datasourceTypes", ...), "properties.datasourceTypes", id="no data source type"),
    pytest.param(changed("datasourceTypes", ["Microsoft.Compute/disks"]), "properties.datasourceTypes", id="disks"),
    pytest.param(changed("datasourceTypes", [{}]), "properties.datasourceTypes", id="a type that is an object"),
    pytest.param(changed("policyRules", ...), "properties.policyRules", id="no rules"),
    pytest.param(changed("policyRules", {}), "properties.policyRules", id="rules that are no list"),
    pytest.param(changed("policyRules", []), "properties.policyRules", id="empty rules"),
    pytest.param(changed("policyRules.1.objectType", "AzureCopyRule"), f"{RETENTION}.objectType", id="another rule"),
    pytest.param(changed("policyRules.1", 7), f"{RETENTION}.objectType", id="a rule that is a number"),
    pytest.param(changed("policyRules.0.name", ""), f"{BACKUP}.name", id="rule without a name"),
    pytest.param(
        changed("policyRules.0.backupParameters", None), f"{BACKUP}.backupParameters.backupType", id="no parameters"
    ),
    pytest.param(
        changed("policyRules.0.backupParameters.backupType", "Incremental"),
        f"{BACKUP}.backupParameters.backupType",
        id="incremental",
    ),
    pytest.param(
        changed("policyRules.0.dataStore.dataStoreType", "ArchiveStore"),
        f"{BACKUP}.dataStore.dataStoreType",
        id="another store",
    ),
    pytest.param(changed(TRIGGER, ...), f"{BACKUP}.trigger.objectType", id="no trigger"),
    pytest.param(changed(f"{TRIGGER}.objectType", "AdhocBased"), f"{BACKUP}.trigger.objectType", id="another trigger"),
    pytest.param(changed(f"{TRIGGER}.schedule", None), SCHEDULE, id="no schedule"),
    pytest.param(changed(f"{TRIGGER}.schedule.timeZone", "Nowhere"), f"{SCHEDULE}.timeZone", id="unknown zone"),
    pytest.param(changed(f"{TRIGGER}.schedule.timeZone", 5), f"{SCHEDULE}.timeZone", id="a zone that is a number"),
    pytest.param(
        changed(f"{TRIGGER}.schedule.repeatingTimeIntervals", []),
        f"{SCHEDULE}.repeatingTimeIntervals",
        id="no interval",
    ),
    pytest.param(
        changed(f"{TRIGGER}.schedule.repeatingTimeIntervals", ["R/2024-05-06T02:00:00Z/P1D", "R/x/P1D"]),
        f"{SCHEDULE}.repeatingTimeIntervals[1]",
        id="the second interval",
    ),
    pytest.param(changed(f"{TRIGGER}.taggingCriteria", []), TAGGING, id="no tag"),
    pytest.param(changed(f"{TRIGGER}.taggingCriteria", None), TAGGING, id="null tags"),
    pytest.param(
        changed(f"{TRIGGER}.taggingCriteria.0.isDefault", "true"), f"{TAGGING}[0].isDefault", id="isDefault as text"
    ),
    pytest.param(
        changed(f"{TRIGGER}.taggingCriteria.0.tagInfo.tagName", "Weekly"),
        f"{TAGGING}[0].tagInfo.tagName",
        id="another tag",
    ),
    pytest.param(
        changed(f"{TRIGGER}.taggingCriteria.0.taggingPriority", "99"),
        f"{TAGGING}[0].taggingPriority",
        id="priority as text",
    ),
    pytest.param(
        changed(f"{TRIGGER}.taggingCriteria.0.taggingPriority", True),
        f"{TAGGING}[0].taggingPriority",
        id="priority as a truth value",
    ),
    pytest.param(
        changed(f"{TRIGGER}.taggingCriteria.0.criteria", [{"absoluteCriteria": ["AllBackup"]}]),
        f"{TAGGING}[0].criteria",
        id="criteria of the default tag",
    ),
    pytest.param(changed("policyRules.1.isDefault", False), RETENTION, id="no default rule"),
    pytest.param(changed("policyRules.1.name", "Weekly"), RETENTION, id="another retention rule"),
    pytest.param(changed("policyRules.1.lifecycles", []), f"{RETENTION}.lifecycles", id="no lifecycle"),
    pytest.param(
        changed(f"{LIFECYCLE}.targetDataStoreCopySettings", [{"copyAfter": {}}]),
        f"{RETENTION}.lifecycles[0].targetDataStoreCopySettings",
        id="a copy to another store",
    ),
    pytest.param(
        changed(f"{LIFECYCLE}.deleteAfter", None),
        f"{RETENTION}.lifecycles[0].deleteAfter.duration",
        id="no duration",
    ),
    pytest.param(
        changed(f"{LIFECYCLE}.deleteAfter.duration", "1 month"),
        f"{RETENTION}.lifecycles[0].deleteAfter.duration",
        id="no ISO duration",
    ),
]


@pytest.mark.parametrize(("policy", "path"), MISTAKES)
def test_a_mistake_is_named_by_its_json_path(policy: Any, path: str):
    assert path in mistakes(policy)


def test_a_second_backup_rule_and_a_second_retention_rule_are_counted():
    policy = policy_properties()
    policy["policyRules"] = [*policy["policyRules"], *deepcopy(policy["policyRules"])]
    with pytest.raises(InvalidInputError) as refused:
        parse_policy(policy)
    texts = [detail.message for detail in refused.value.details]
    assert any("exactly one AzureBackupRule, has 2" in text for text in texts)
    assert any(text == f"'Default' is the name of {RETENTION}, too" for text in texts)


def test_all_mistakes_are_reported_together_and_in_the_message():
    policy = changed("policyRules.0.name", None)
    policy["datasourceTypes"] = []
    policy["policyRules"][0]["trigger"]["schedule"]["timeZone"] = "Nowhere"
    policy["policyRules"][1]["lifecycles"][0]["deleteAfter"]["duration"] = "P1D"
    paths = [
        "properties.datasourceTypes",
        f"{BACKUP}.name",
        f"{SCHEDULE}.timeZone",
        f"{RETENTION}.lifecycles[0].deleteAfter.duration",
    ]
    with pytest.raises(InvalidInputError) as refused:
        parse_policy(policy)
    assert sorted(detail.target for detail in refused.value.details) == sorted(paths)
    assert all(path in refused.value.message for path in paths)


def test_the_mistakes_of_one_rule_are_told_although_the_other_rule_is_missing():
    policy = changed("policyRules.0.trigger.schedule.timeZone", "Nowhere")
    del policy["policyRules"][1]
    assert set(mistakes(policy)) == {"properties.policyRules", f"{SCHEDULE}.timeZone"}


def test_an_interval_that_is_none_carries_azure_backups_code():
    with pytest.raises(InvalidInputError) as refused:
        parse_policy(policy_properties(interval="R/2024-05-06T02:00:00Z/PT5M"))
    assert refused.value.details[0].code == "BMSUserErrorDPPBackupPolicyBackupFrequencyNotMatchingRule"


@pytest.mark.parametrize("duration", ["P7D", "P1W", "P1M", "P3M", "P1Y", "P10Y", "P1Y6M", "P1M1W", "P3650D", "P120M"])
def test_durations_from_a_week_to_ten_years_are_taken(duration: str):
    assert find_duration_problem(duration) == ""


@pytest.mark.parametrize(
    "duration",
    [None, 7, "", "P", "P6D", "PT24H", "P7DT1H", "P11Y", "P0D", "-P7D", "P1.5Y", "7D", "P4000D", "P999999999999Y", "P99999999999D", "P\u0667D", " P7D"],
)  # fmt: skip
def test_other_durations_are_not(duration: Any):
    assert find_duration_problem(duration) != ""


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2024-01-31T02:00:00+00:00", "P1M", "2024-02-29T02:00:00+00:00"),
        ("2023-01-31T02:00:00+00:00", "P1M", "2023-02-28T02:00:00+00:00"),
        ("2024-02-29T02:00:00+00:00", "P1Y", "2025-02-28T02:00:00+00:00"),
        ("2024-02-29T02:00:00+00:00", "P4Y", "2028-02-29T02:00:00+00:00"),
        ("2024-12-31T23:30:00+00:00", "P7D", "2025-01-07T23:30:00+00:00"),
        ("2024-03-10T06:59:59+00:00", "P1W", "2024-03-17T06:59:59+00:00"),
    ],
)
def test_a_point_expires_by_calendar_clipped_to_the_months_end(start: str, duration: str, end: str):
    assert add_duration(datetime.fromisoformat(start), duration) == datetime.fromisoformat(end)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["objectType", "policyRules", "trigger", "schedule", "lifecycles", "name", "taggingCriteria", "datasourceTypes"]), inner, max_size=4), max_leaves=20))  # fmt: skip
def test_no_json_makes_anything_but_a_list_of_mistakes(body: Any):
    assert mistakes(body)


def test_a_later_default_rule_is_used_whatever_the_order_of_the_rules():
    policy = policy_properties(keep_for="P2M")
    policy["policyRules"].reverse()
    parsed = parse_policy(policy)
    retention: Mapping[str, str] = parsed.retention
    assert retention == {"Default": "P2M"}
    at = datetime(2026, 1, 5, 2, tzinfo=UTC)
    assert parsed.expiry("Default", at) == datetime(2026, 3, 5, 2, tzinfo=UTC)


# Several tags and rules ----------------------------------------------------------------------------------------------


def with_monthly() -> dict[str, Any]:
    """The builder's policy with a tag of a month's first backup and its rule."""
    return add_tag(policy_properties(), "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfMonth"])


def test_a_tag_and_the_rule_of_its_name_belong_together():
    policy = parse_policy(with_monthly())
    assert [tag.name for tag in policy.tags] == ["Monthly", "Default"]
    assert policy.retention == {"Default": "P1M", "Monthly": "P1Y"}
    at = datetime(2026, 1, 31, 2, tzinfo=UTC)
    assert policy.expiry("Monthly", at) == datetime(2027, 1, 31, 2, tzinfo=UTC)


def test_a_tag_takes_the_spelling_of_its_rule():
    policy = with_monthly()
    policy["policyRules"][0]["trigger"]["taggingCriteria"][1]["tagInfo"]["tagName"] = "MONTHLY"
    assert [tag.name for tag in parse_policy(policy).tags] == ["Monthly", "Default"]


def test_a_tag_without_a_rule_is_a_mistake_that_names_it():
    policy = with_monthly()
    del policy["policyRules"][2]
    assert "the tag 'Monthly' has no AzureRetentionRule" in mistakes(policy)["properties.policyRules"]


def test_a_rule_without_a_tag_is_a_warning_and_may_be_asked_for():
    policy = parse_policy(add_tag(policy_properties(), "Keep", 0, "P10Y"))
    assert policy.retention["Keep"] == "P10Y"
    assert [(found.code, found.target) for found in find_policy_warnings(policy)] == [("RuleOnlyOnDemand", "Keep")]


@pytest.mark.parametrize("name", ["Monthly", "monthly", "MONTHLY"])
def test_two_rules_of_one_name_are_a_mistake_in_any_case(name: str):
    policy = with_monthly()
    policy["policyRules"].append({**policy["policyRules"][2], "name": name})
    found = mistakes(policy)
    assert found["properties.policyRules[3].name"] == f"'{name}' is the name of properties.policyRules[2], too"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param(lambda rules: rules.pop(1), "properties.policyRules", id="no rule of that name"),
        pytest.param(lambda rules: rules[1].update(isDefault=False), RETENTION, id="a rule of that name that is not"),
        pytest.param(
            lambda rules: rules[2].update(isDefault=True), "properties.policyRules[2]", id="another rule is the default"
        ),
        pytest.param(lambda rules: rules[1].update(isDefault="true"), RETENTION, id="isDefault as a text"),
    ],
)
def test_the_default_rule_is_the_one_named_default(change: Callable[[list[dict[str, Any]]], object], path: str):
    policy = with_monthly()
    change(policy["policyRules"])
    assert "Default" in mistakes(policy)[path]


def test_mistakes_of_tags_rules_and_schedule_are_told_together():
    policy = with_monthly()
    policy["policyRules"][0]["trigger"]["schedule"]["repeatingTimeIntervals"] = ["R/2026-01-05T02:00:00Z/P1M"]
    policy["policyRules"][0]["trigger"]["taggingCriteria"][1]["criteria"][0]["absoluteCriteria"] = ["FirstOfQuarter"]
    policy["policyRules"][2]["lifecycles"][0]["deleteAfter"]["duration"] = "P11Y"
    assert set(mistakes(policy)) == {
        f"{SCHEDULE}.repeatingTimeIntervals[0]",
        f"{TAGGING}[1].criteria[0].absoluteCriteria[0]",
        "properties.policyRules[2].lifecycles[0].deleteAfter.duration",
    }


def test_terraforms_policy_of_several_rules_is_understood():
    """Its default tag stands first, unset lists are null, daysOfMonth is never sent, and there is no time zone."""
    policy = with_monthly()
    backup = policy["policyRules"][0]
    backup["name"] = "BackupIntervals"
    backup["trigger"]["schedule"]["timeZone"] = ""
    criterion = backup["trigger"]["taggingCriteria"][1]["criteria"][0]
    criterion |= dict.fromkeys(("daysOfTheWeek", "monthsOfYear", "scheduleTimes", "weeksOfTheMonth"))
    backup["trigger"]["taggingCriteria"][1]["tagInfo"]["id"] = "Monthly_"
    parsed = parse_policy(policy)
    assert (parsed.rule_name, [tag.name for tag in parsed.tags]) == ("BackupIntervals", ["Monthly", "Default"])


def test_powershells_policy_has_its_rules_in_front():
    policy = with_monthly()
    policy["policyRules"] = [*policy["policyRules"][1:], policy["policyRules"][0]]
    policy["policyRules"][-1]["backupParameters"]["backupType"] = "full"
    assert parse_policy(policy).retention == {"Default": "P1M", "Monthly": "P1Y"}
