"""The vault's settings through the door: what may be changed, by whom, and what needs a second person."""

from typing import Any

import pytest

from flexvault.domain.event_rows import put
from flexvault.domain.events import settings_target
from flexvault.services.journal import find_row
from tests.api.doors import VAULT_ID, Door, Sent
from tests.services.invariants import entries

GUARD = "/vault/poisoningGuard"


@pytest.fixture
def door() -> Door:
    return Door()


def immutability(state: Any) -> dict[str, Any]:
    return {"properties": {"securitySettings": {"immutabilitySettings": {"state": state}}}}


def patch(door: Door, body: Any, person: str = "contributor", **more: Any) -> Sent:
    return door.send("PATCH", VAULT_ID, body, person=person, **more)


def state_of(door: Door) -> str:
    shown = door.send("GET", VAULT_ID, person="reader").json
    return shown["properties"]["securitySettings"]["immutabilitySettings"]["state"]


def guard_of(door: Door) -> str:
    return door.send("GET", GUARD, person="reader", query="").json["state"]


def put_guard(door: Door, state: Any, person: str = "contributor") -> Sent:
    return door.send("PUT", GUARD, {"state": state}, person=person, query="")


def approve(door: Door, refused: Sent) -> None:
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired"), refused.body
    path = f"/vault/approvals/{refused.error['target']}/approve"
    assert door.send("POST", path, person="approver", query="").status == 200


def test_a_row_alone_is_not_shown(door: Door) -> None:
    assert patch(door, immutability("locked")).status == 200
    target = settings_target()
    row = find_row(door.world.vault.ports, target)
    forged = put(target, row, {"immutability": "Disabled", "is_poisoning_guarded": False})
    door.world.vault.ports.rows.apply(target.table, target.partition, [forged])
    assert (state_of(door), guard_of(door)) == ("Locked", "On")


def changes(door: Door) -> list[dict[str, Any]]:
    return [dict(entry.body) for entry in entries(door.world, "vault") if entry.type == "VaultChanged"]


def test_a_vault_that_nobody_changed_is_unlocked_and_guarded(door: Door) -> None:
    assert (state_of(door), guard_of(door)) == ("Unlocked", "On")


def test_locking_needs_one_person_and_shows_at_once(door: Door) -> None:
    before = door.send("GET", VAULT_ID, person="reader").json["eTag"]
    locked = patch(door, immutability("locked"))
    assert (locked.status, state_of(door)) == (200, "Locked")
    assert locked.json == door.send("GET", VAULT_ID, person="reader").json
    assert locked.json["eTag"] != before
    [change] = changes(door)
    others = {
        "is_poisoning_guarded": True,
        "soft_delete": "On",
        "soft_delete_days": 14,
        "alerts_for_failures": True,
        "tags": {},
    }
    assert change["before"] == {"immutability": "Unlocked", **others}
    assert change["settings"] == {"immutability": "Locked", **others}


@pytest.mark.parametrize("state", ["Unlocked", "Disabled"])
def test_nothing_leads_out_of_locked(door: Door, state: str) -> None:
    patch(door, immutability("Locked"))
    refused = patch(door, immutability(state))
    assert (refused.status, refused.error["code"]) == (400, "UserErrorUnsupportedVaultImmutabilityStateChange")
    assert "can never be unlocked again" in refused.error["message"]
    assert state_of(door) == "Locked"
    assert door.send("GET", "/vault/approvals", person="reader", query="").json["value"] == []


def test_disabling_needs_a_second_person_and_is_then_done_once(door: Door) -> None:
    approve(door, patch(door, immutability("Disabled")))
    assert state_of(door) == "Unlocked"
    assert patch(door, immutability("Disabled")).status == 200
    assert state_of(door) == "Disabled"
    refused = patch(door, immutability("Locked"))
    assert (refused.status, refused.error["code"]) == (400, "UserErrorUnsupportedVaultImmutabilityStateChange")
    assert patch(door, immutability("Unlocked")).status == 200
    assert patch(door, immutability("Disabled")).error["code"] == "ApprovalRequired"
    assert state_of(door) == "Unlocked"
    [disabled, enabled] = changes(door)
    assert "approval_id" in disabled
    assert "approval_id" not in enabled


def test_another_change_of_the_settings_makes_an_approval_void(door: Door) -> None:
    approve(door, patch(door, immutability("Disabled")))
    approve(door, put_guard(door, "Off"))
    assert put_guard(door, "Off").json == {"state": "Off"}
    assert patch(door, immutability("Disabled")).error["code"] == "ApprovalRequired"
    assert state_of(door) == "Unlocked"


def test_what_is_so_already_changes_nothing(door: Door) -> None:
    assert patch(door, immutability("Unlocked")).status == 200
    assert patch(door, door.send("GET", VAULT_ID, person="reader").json).status == 200
    assert patch(door, {}).status == 200
    assert put_guard(door, "on").json == {"state": "On"}
    assert changes(door) == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({"identity": {"type": "UserAssigned"}}, "identity.type", id="identity"),
        pytest.param(
            {"properties": {"storageSettings": [{"datastoreType": "VaultStore", "type": "LocallyRedundant"}]}},
            "properties.storageSettings[0].type",
            id="redundancy",
        ),
        pytest.param(
            {"properties": {"featureSettings": {"crossSubscriptionRestoreSettings": {"state": "Enabled"}}}},
            "properties.featureSettings.crossSubscriptionRestoreSettings.state",
            id="restore across subscriptions",
        ),
        pytest.param(
            {"properties": {"resourceGuardOperationRequests": ["/a"]}},
            "properties.resourceGuardOperationRequests",
            id="resource guard",
        ),
        pytest.param({"location": "westus"}, "location", id="location"),
        pytest.param(
            {"properties": {"isVaultProtectedByResourceGuard": 0}},
            "properties.isVaultProtectedByResourceGuard",
            id="a number for a truth value",
        ),
    ],
)
def test_what_cannot_be_changed_is_named_and_nothing_is_changed(door: Door, body: dict[str, Any], path: str) -> None:
    sent = {**body, "properties": {**immutability("Locked")["properties"], **body.get("properties", {})}}
    refused = patch(door, sent)
    assert (refused.status, refused.error["target"]) == (400, path)
    assert f"'{path}'" in refused.error["message"]
    assert state_of(door) == "Unlocked"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"tags": None, "identity": {}}, id="nothing in them"),
        pytest.param(
            {
                "properties": {
                    "securitySettings": {"softDeleteSettings": {"state": "on", "retentionDurationInDays": 14}}
                }
            },
            id="as it is",
        ),
        pytest.param({"eTag": "anything", "Location": "EastUS"}, id="what a client read before"),
    ],
)
def test_other_members_that_are_as_they_are_do_no_harm(door: Door, body: dict[str, Any]) -> None:
    assert patch(door, body).status == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(immutability("Open"), id="no state"),
        pytest.param(immutability(5), id="a number"),
        pytest.param({"properties": {"securitySettings": "Locked"}}, id="no object"),
        pytest.param(b"[]", id="a list"),
    ],
)
def test_what_is_no_change_of_a_vault_is_400(door: Door, body: Any) -> None:
    assert patch(door, body).status == 400
    assert state_of(door) == "Unlocked"


def test_a_stale_etag_is_412(door: Door) -> None:
    etag = door.send("GET", VAULT_ID, person="reader").json["eTag"]
    assert patch(door, immutability("Locked"), headers={"If-Match": '"other"'}).status == 412
    assert state_of(door) == "Unlocked"
    assert patch(door, immutability("Locked"), headers={"If-Match": etag}).status == 200


def test_turning_the_guard_off_needs_a_second_person_and_on_needs_none(door: Door) -> None:
    approve(door, put_guard(door, "Off"))
    assert guard_of(door) == "On"
    assert put_guard(door, "Off").json == {"state": "Off"}
    assert put_guard(door, "On").json == {"state": "On"}
    assert put_guard(door, "Off").error["code"] == "ApprovalRequired"
    assert guard_of(door) == "On"


@pytest.mark.parametrize("state", ["Maybe", None, True, ""])
def test_the_guard_is_on_or_off(door: Door, state: Any) -> None:
    assert put_guard(door, state).status == 400
    assert guard_of(door) == "On"


@pytest.mark.parametrize("person", ["reader", "operator", "approver"])
def test_only_a_contributor_changes_settings(door: Door, person: str) -> None:
    for refused in (patch(door, immutability("Locked"), person), put_guard(door, "Off", person)):
        assert (refused.status, refused.error["code"]) == (403, "AuthorizationFailed")
