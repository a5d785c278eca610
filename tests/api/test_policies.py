"""Policies come back as they were sent, and only what a client may set counts as a change."""

from typing import Any

import pytest

from tests.api.doors import INSTANCE, POLICY_ID, VAULT_ID, Door, instance_body, policy_body
from tests.builders import add_tag, policy_properties


@pytest.fixture
def door() -> Door:
    return Door()


def entries(door: Door) -> int:
    """How many entries the vault's journal has."""
    storage = door.world.memory.ports.vault_reader
    return len(list(storage.list_blobs("journal", "vault/")))


def test_a_new_policy_is_200_with_its_resource(door: Door) -> None:
    made = door.send("PUT", POLICY_ID, policy_body())
    assert made.status == 200
    assert (made.json["id"], made.json["name"]) == (POLICY_ID, "daily")
    assert made.json["type"] == "Microsoft.DataProtection/backupVaults/backupPolicies"
    assert made.json == door.send("GET", POLICY_ID, person="reader").json
    assert made.json in door.send("GET", f"{VAULT_ID}/backupPolicies", person="reader").json["value"]


def test_an_identical_policy_changes_nothing(door: Door) -> None:
    first = door.send("PUT", POLICY_ID, policy_body())
    again = door.send("PUT", POLICY_ID, policy_body())
    assert (again.status, again.json, again.header("ETag")) == (200, first.json, first.header("ETag"))
    assert entries(door) == 1


def test_what_the_vault_answered_can_be_put_back_unchanged(door: Door) -> None:
    first = door.send("PUT", POLICY_ID, policy_body())
    again = door.send("PUT", POLICY_ID, first.json)
    assert (again.status, again.json) == (200, first.json)
    assert entries(door) == 1


def test_a_changed_policy_has_another_etag(door: Door) -> None:
    first = door.send("PUT", POLICY_ID, policy_body())
    changed = door.send("PUT", POLICY_ID, policy_body(keep_for="P2M"))
    assert changed.status == 200
    assert changed.header("ETag") != first.header("ETag")
    assert entries(door) == 2


def test_the_journal_knows_who_changed_a_policy(door: Door) -> None:
    headers = {"x-forwarded-for": "6.6.6.6, 203.0.113.7:51234", "x-ms-correlation-request-id": "c" * 36}
    door.send("PUT", POLICY_ID, policy_body(), headers=headers)
    stored = door.world.memory.ports.vault_reader.read("journal", "vault/000000000001.json").decode()
    assert '"oid":"oid-of-Backup.Contributor"' in stored
    assert '"from":"203.0.113.7"' in stored
    assert f'"correlation_id":"{"c" * 36}"' in stored


@pytest.mark.parametrize(
    ("headers", "exists", "status"),
    [
        pytest.param({"If-Match": "ETAG"}, True, 200, id="If-Match of the present one"),
        pytest.param({"If-Match": 'W/"x", ETAG'}, True, 200, id="If-Match with a list"),
        pytest.param({"If-Match": "*"}, True, 200, id="If-Match any"),
        pytest.param({"If-Match": '"stale"'}, True, 412, id="If-Match of an old one"),
        pytest.param({"If-Match": "*"}, False, 412, id="If-Match any, but there is none"),
        pytest.param({"If-None-Match": "*"}, False, 200, id="create only"),
        pytest.param({"If-None-Match": "*"}, True, 412, id="create only, but it is there"),
    ],
)
def test_preconditions_are_kept(door: Door, headers: dict[str, str], exists: bool, status: int) -> None:
    etag = door.send("PUT", POLICY_ID, policy_body()).header("ETag") if exists else ""
    headers = {name: value.replace("ETAG", etag) for name, value in headers.items()}
    answer = door.send("PUT", POLICY_ID, policy_body(keep_for="P2M"), headers=headers)
    assert answer.status == status
    assert door.send("GET", POLICY_ID).status == (200 if exists or status == 200 else 404)


def test_a_policy_is_deleted_once(door: Door) -> None:
    door.send("PUT", POLICY_ID, policy_body())
    assert door.send("DELETE", POLICY_ID, headers={"If-Match": '"stale"'}).status == 412
    assert [door.send("DELETE", POLICY_ID).status for _ in range(2)] == [200, 204]
    assert door.send("GET", POLICY_ID).error["code"] == "ResourceNotFound"
    assert door.send("GET", f"{VAULT_ID}/backupPolicies").json == {"value": []}


def test_a_policy_in_use_is_not_deleted(door: Door) -> None:
    door.protect()
    refused = door.send("DELETE", POLICY_ID)
    assert (refused.status, refused.error["code"]) == (400, "UserErrorDppPolicyObjectInUse")
    assert "pg-orders" in refused.error["message"]


def test_names_compare_without_regard_to_case_and_keep_their_first_spelling(door: Door) -> None:
    door.send("PUT", POLICY_ID, policy_body())
    again = door.send("PUT", POLICY_ID.replace("daily", "DAILY"), policy_body(keep_for="P2M"))
    assert (again.status, again.json["name"]) == (200, "daily")
    assert len(door.send("GET", f"{VAULT_ID}/backupPolicies").json["value"]) == 1


@pytest.mark.parametrize("name", ["ab", "with_underscore", "with blank", "n" * 151])
def test_a_name_that_azure_does_not_allow_is_refused(door: Door, name: str) -> None:
    assert door.send("PUT", f"{VAULT_ID}/backupPolicies/{name}", policy_body()).status == 400


def changed(*path: Any, value: Any) -> dict[str, Any]:
    """A policy with one member changed."""
    body = policy_body()
    node: Any = body
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return body


RULES = ("properties", "policyRules")
SCHEDULE = (*RULES, 0, "trigger", "schedule")


def test_a_wrong_name_hides_no_other_mistake(door: Door) -> None:
    body = changed(*SCHEDULE, "repeatingTimeIntervals", value=["x"])
    refused = door.send("PUT", f"{VAULT_ID}/backupPolicies/a_b", body)
    assert refused.status == 400
    assert "'a_b' is no policy name" in refused.error["message"]
    assert [detail["target"].rpartition(".")[2] for detail in refused.error["details"]] == [
        "backupPolicyName",
        "repeatingTimeIntervals[0]",
    ]


@pytest.mark.parametrize(
    ("body", "target", "code"),
    [
        pytest.param({}, "properties", "BMSUserErrorInvalidInput", id="no properties"),
        pytest.param({"properties": []}, "properties", "BMSUserErrorInvalidInput", id="properties are a list"),
        pytest.param(changed("properties", "policyRules", value="x"), "properties.policyRules", "BMSUserErrorInvalidInput", id="rules are a text"),
        pytest.param(changed(*SCHEDULE, "repeatingTimeIntervals", value=["R/2026-01-05T02:00:00Z/PT30M"]), "properties.policyRules[0].trigger.schedule.repeatingTimeIntervals[0]", "BMSUserErrorDPPBackupPolicyBackupFrequencyNotMatchingRule", id="every half hour"),
        pytest.param(changed(*SCHEDULE, "repeatingTimeIntervals", value="R/PT4H"), "properties.policyRules[0].trigger.schedule.repeatingTimeIntervals", "BMSUserErrorInvalidInput", id="no list of intervals"),
        pytest.param(changed(*SCHEDULE, "timeZone", value="Mars/Olympus"), "properties.policyRules[0].trigger.schedule.timeZone", "BMSUserErrorInvalidInput", id="no time zone"),
        pytest.param(changed(*RULES, 1, "lifecycles", 0, "deleteAfter", "duration", value="P6D"), "properties.policyRules[1].lifecycles[0].deleteAfter.duration", "BMSUserErrorInvalidInput", id="kept too short"),
        pytest.param(changed(*RULES, 0, "trigger", value=None), "properties.policyRules[0].trigger.objectType", "BMSUserErrorInvalidInput", id="no trigger"),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_refused_with_the_place_of_the_mistake(
    door: Door, body: dict[str, Any], target: str, code: str
) -> None:
    refused = door.send("PUT", POLICY_ID, body)
    assert refused.status == 400
    assert {"target": target, "code": code}.items() <= {
        name: value
        for detail in refused.error["details"]
        if detail["target"] == target
        for name, value in detail.items()
    }.items()
    assert door.send("GET", POLICY_ID).status == 404
    assert entries(door) == 0


def test_a_member_twice_in_different_case_is_refused(door: Door) -> None:
    body = policy_body()
    body["properties"]["POLICYRULES"] = []
    refused = door.send("PUT", POLICY_ID, body)
    assert (refused.status, refused.error["target"]) == (400, "properties.policyRules")
    assert "send it once" in refused.error["additionalInfo"][0]["info"]["recommendedAction"][0]


def test_a_policy_of_another_vault_is_no_policy(door: Door) -> None:
    door.send("PUT", POLICY_ID, policy_body())
    foreign = POLICY_ID.replace("/flexvault/", "/other/")
    refused = door.send("PUT", INSTANCE, instance_body(policyInfo={"policyId": foreign}))
    assert (refused.status, refused.error["target"]) == (400, "properties.policyInfo.policyId")


def test_a_policy_too_large_to_keep_is_refused_with_its_size(door: Door) -> None:
    body = policy_body()
    schedule = body["properties"]["policyRules"][0]["trigger"]["schedule"]
    schedule["repeatingTimeIntervals"] *= 1_000
    refused = door.send("PUT", POLICY_ID, body)
    assert (refused.status, refused.error["code"]) == (400, "BMSUserErrorInvalidInput")
    assert "24000" in refused.error["message"]


def test_what_has_no_effect_is_told_beside_the_policy_and_changes_nothing_of_it(door: Door) -> None:
    body = {"properties": add_tag(policy_properties(), "Yearly", 10, "P10Y")}
    stored = door.send("PUT", POLICY_ID, body)
    assert stored.status == 200
    (warning,) = stored.json["warnings"]
    assert (warning["code"], warning["target"]) == ("RuleOnlyOnDemand", "Yearly")
    assert door.send("GET", POLICY_ID).json == stored.json
    again = door.send("PUT", POLICY_ID, stored.json)
    assert again.json == stored.json
    assert "warnings" not in door.send("PUT", POLICY_ID, policy_body()).json


def test_members_that_are_not_known_are_told_and_not_kept(door: Door) -> None:
    body = policy_body()
    body["properties"] |= {"color": "green", "none": None, "empty": {}}
    rule = body["properties"]["policyRules"][0]
    rule["trigger"]["schedule"]["timeZon"] = "Europe/Berlin"
    stored = door.send("PUT", POLICY_ID, body)
    assert stored.status == 200
    told = [(warning["code"], warning["target"]) for warning in stored.json["warnings"]]
    assert sorted(told) == [
        ("MemberIgnored", "properties.color"),
        ("MemberIgnored", "properties.policyRules[0].trigger.schedule.timeZon"),
    ]
    shown = door.send("GET", POLICY_ID).json
    assert ("color" in shown["properties"], "warnings" in shown) == (False, False)


@pytest.mark.parametrize("name", ["deepVerificaton", "DEEPVERIFICATIONS", "deep_verification"])
def test_a_member_that_is_nearly_one_of_the_vaults_own_is_refused(door: Door, name: str) -> None:
    body = policy_body()
    body["properties"][name] = {"newestEvery": "P7D"}
    refused = door.send("PUT", POLICY_ID, body)
    assert (refused.status, refused.error["code"]) == (400, "BMSUserErrorInvalidInput")
    assert refused.error["target"] == f"properties.{name}"
    assert "'deepVerification' is meant" in refused.error["message"]
    body["properties"][name] = None
    assert door.send("PUT", POLICY_ID, body).status == 200
