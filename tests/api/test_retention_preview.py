"""What retention would delete of an instance, and what another policy would make of its points: nothing changes."""

from datetime import timedelta
from typing import Any

import pytest

from flexvault.services.scheduling import tick
from tests.api.doors import INSTANCE, POLICY_ID, Door, policy_body
from tests.builders import MONDAY, add_tag, policy_properties, run_jobs

PREVIEW = "/vault/retentionPreview"


@pytest.fixture
def door() -> Door:
    """Three daily points of January 2026 under P1M, and it is 7 February: the first has expired, the newest not."""
    door = Door()
    door.protect()
    for day in (0, 3, 20):
        door.world.clock.advance_to(MONDAY + timedelta(days=day, hours=2))
        tick(door.world.vault, door.world.memory.orchestrations)
        run_jobs(door.world)
    door.world.clock.advance_to(MONDAY + timedelta(days=32))
    return door


def previewed(door: Door, **members: Any) -> dict[str, Any]:
    answer = door.send("POST", PREVIEW, {"backupInstance": "pg-orders", **members}, person="reader")
    assert answer.status == 200, answer.json
    return answer.json


def test_what_would_be_deleted_when_and_why(door: Door) -> None:
    told = previewed(door)
    assert [(point["time"][:10], point["decision"], (point["deletedAt"] or "never")[:10]) for point in told["recoveryPoints"]] == [
        ("2026-01-05", "expire", "2026-02-06"),
        ("2026-01-08", "keep", "2026-02-08"),
        ("2026-01-25", "keep", "never"),
    ]  # fmt: skip
    first, second = told["deletions"]
    assert first["reason"] == "expired 2026-02-05: backup of 2026-01-05, for which no other tag matched, rule Default"
    assert second["reason"].startswith("expires 2026-02-08: backup of 2026-01-08")
    assert told["deletedBytes"] == sum(2 * [told["deletedBytes"] // 2])
    newest = told["recoveryPoints"][2]
    assert newest["text"].endswith("; as the newest good recovery point it stays until there is a newer one")
    assert newest["reasons"] == [
        {
            "code": "RetentionRule",
            "expiryTime": "2026-02-25T02:00:00+00:00",
            "rule": "Default",
            "because": "Default",
            "day": "2026-01-25",
        }
    ]


def test_deletions_can_be_asked_for_until_a_moment(door: Door) -> None:
    assert len(previewed(door, until="2026-02-07T00:00:00Z")["deletions"]) == 1


def test_another_policy_shows_both_sides_and_changes_nothing(door: Door) -> None:
    before = previewed(door)
    longer = add_tag(policy_properties(keep_for="P7D"), "Monthly", 15, "P1Y", absoluteCriteria=["FirstOfMonth"])
    under = previewed(door, policy=longer)["underPolicy"]
    assert [(change["before"]["expiry"][:10], change["after"]["expiry"][:10], change["after"]["retentionTag"]) for change in under["changes"]] == [
        ("2026-02-05", "2027-01-05", "Monthly"),
        ("2026-02-08", "2026-01-15", "Default"),
        ("2026-02-25", "2026-02-01", "Default"),
    ]  # fmt: skip
    # That of 8 January would go, too, but storage keeps it until what it was sealed with ends.
    assert [gone["recoveryPointTime"][:10] for gone in under["deletions"]] == ["2026-01-05"]
    assert under["recoveryPoints"][2]["text"].endswith(
        "kept because it is the newest good recovery point of its server"
    )
    assert (under["policy"], under["previewHash"]) == (None, None)
    assert previewed(door) == before


def test_the_present_policy_is_previewed_with_the_hash_by_which_a_re_evaluation_is_asked_for(door: Door) -> None:
    door.send("PUT", POLICY_ID, policy_body(keep_for="P2M"))
    under = previewed(door)["underPolicy"]
    assert under["policy"] == "daily"
    assert {change["after"]["expiry"][5:7] for change in under["changes"]} == {"03"}
    asked = door.send("POST", "/vault/backupInstances/pg-orders/reevaluate", {"previewHash": under["previewHash"]})
    assert (asked.status, asked.error["code"]) == (403, "ApprovalRequired")
    door.send("POST", f"/vault/approvals/{asked.error['target']}/approve", person="approver")
    asked = door.send("POST", "/vault/backupInstances/pg-orders/reevaluate", {"previewHash": under["previewHash"]})
    assert (asked.status, asked.json["later"]) == (200, 3)
    assert previewed(door)["underPolicy"]["changes"] == []


def test_a_hold_is_named_and_keeps_its_point(door: Door) -> None:
    first = previewed(door)["recoveryPoints"][0]["recoveryPoint"]
    body = {"reason": "litigation", "recoveryPointId": first}
    assert door.send("PUT", "/vault/backupInstances/pg-orders/holds/case-7", body).status in {200, 201}
    told = previewed(door)
    assert told["recoveryPoints"][0]["decision"] == "blocked"
    assert "a legal hold stands (case-7)" in told["recoveryPoints"][0]["text"]
    assert [gone["recoveryPointTime"][:10] for gone in told["deletions"]] == ["2026-01-08"]


def test_the_instance_may_be_named_by_its_id(door: Door) -> None:
    assert previewed(door, backupInstance=INSTANCE.upper())["backupInstance"] == "pg-orders"


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        pytest.param({"backupInstance": None}, "backupInstance", id="no instance"),
        pytest.param({"backupInstance": 5}, "backupInstance", id="an instance that is a number"),
        pytest.param({"until": "tomorrow"}, "until", id="an end that is no time"),
        pytest.param({"policy": {"properties": {}}}, "policy.properties.objectType", id="an empty policy"),
        pytest.param({"policy": "daily"}, "policy", id="a policy by its name"),
    ],
)
def test_a_mistake_is_told_with_its_place(door: Door, changes: dict[str, Any], target: str) -> None:
    refused = door.send("POST", PREVIEW, {"backupInstance": "pg-orders", **changes}, person="reader")
    assert refused.status == 400
    assert target in {detail["target"] for detail in refused.error["details"]}


def test_an_instance_that_the_vault_does_not_have_is_a_mistake_of_the_body(door: Door) -> None:
    refused = door.send("POST", PREVIEW, {"backupInstance": "pg-none"}, person="reader")
    assert (refused.status, refused.error["code"]) == (400, "UserErrorGenericResourceNotFound")


def test_the_preview_says_when_the_breaker_would_hold_the_plan_back(door: Door) -> None:
    assert previewed(door)["heldBack"] == []
    door.world.clock.advance(timedelta(days=60))
    (text,) = previewed(door)["heldBack"]
    assert "the vault slept, or a clock jumped" in text
