"""Legal holds and re-evaluation through the door."""

import json
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain.vault_settings import Immutability, SoftDelete
from flexvault.services.holds import MOST_HOLDS
from tests.api.doors import INSTANCE, POLICY_ID, Door, Sent, policy_body
from tests.builders import world

HOLDS = "/vault/backupInstances/pg-orders/holds"
HOLD = f"{HOLDS}/case-7"
REASON = {"reason": "a lawsuit"}
REEVALUATE = "/vault/backupInstances/pg-orders/reevaluate"


@pytest.fixture
def door() -> Door:
    built = Door()
    built.protect_and_back_up()
    return built


def test_a_point_says_until_when_storage_keeps_it_and_how(door: Door) -> None:
    point_id = points(door)[0]["recoveryPointId"]
    shown = door.send("GET", f"{INSTANCE}/recoveryPoints/{point_id}").json["properties"]
    facts = json.loads(shown["recoveryPointDataStoresDetails"][0]["metaData"])
    assert (facts["immutableUntil"], facts["immutability"]) == (shown["expiryTime"], "Unlocked")
    assert points(door)[0] == shown, "the list says the same"
    for container in ("manifests", "points"):
        door.world.memory.storage.unprotect(container)
    shown = door.send("GET", f"{INSTANCE}/recoveryPoints/{point_id}").json["properties"]
    assert "immutab" not in shown["recoveryPointDataStoresDetails"][0]["metaData"]


def own(door: Door, method: str, path: str, body: Any = None, **kwargs: Any) -> Sent:
    """A request of the vault's own operations, which have no api-version."""
    return door.send(method, path, body, query="", **kwargs)


def approve(door: Door, refused: Sent) -> None:
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired")
    path = f"/vault/approvals/{refused.error['target']}/approve"
    assert own(door, "POST", path, person="approver").status == 200


def points(door: Door) -> list[dict[str, Any]]:
    return [point["properties"] for point in door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"]]


def meta_data(door: Door) -> dict[str, Any]:
    return json.loads(points(door)[0]["recoveryPointDataStoresDetails"][0]["metaData"])


def test_a_hold_is_placed_shown_listed_and_released_with_approval(door: Door) -> None:
    placed = own(door, "PUT", HOLD, REASON)
    assert placed.status == 200
    assert (placed.json["name"], placed.json["reason"], placed.json["recoveryPointId"]) == ("case-7", "a lawsuit", None)
    assert placed.json["placedBy"]["oid"] == "oid-of-Backup.Contributor"
    assert own(door, "GET", HOLD.upper().replace("/VAULT/", "/vault/"), person="reader").json == placed.json
    assert own(door, "GET", HOLDS, person="reader").json == {"value": [placed.json]}
    approve(door, own(door, "DELETE", HOLD))
    assert [own(door, "DELETE", HOLD).status for _ in range(2)] == [200, 204]
    assert own(door, "GET", HOLD).status == 404
    assert own(door, "GET", HOLDS).json == {"value": []}


def test_as_many_holds_as_may_stand_are_all_shown_and_one_more_is_409(door: Door) -> None:
    names = [f"case-{number:02d}" for number in range(MOST_HOLDS)]
    assert {own(door, "PUT", f"{HOLDS}/{name}", REASON).status for name in names} == {200}
    refused = own(door, "PUT", f"{HOLDS}/one-more", REASON)
    assert (refused.status, refused.error["code"]) == (409, "TooManyHolds")
    assert [hold["name"] for hold in own(door, "GET", HOLDS).json["value"]] == names
    assert meta_data(door)["holds"] == names


def test_an_identical_hold_changes_nothing_and_another_reason_does(door: Door) -> None:
    first = own(door, "PUT", HOLD, REASON)
    assert own(door, "PUT", HOLD, REASON).json == first.json
    changed = own(door, "PUT", HOLD, {"reason": "another"})
    assert (changed.json["reason"], changed.json["placedAt"]) == ("another", first.json["placedAt"])
    assert changed.json["changedBy"]["oid"] == "oid-of-Backup.Contributor"


def test_a_point_shows_its_holds_and_those_of_its_instance_sorted(door: Door) -> None:
    assert "holds" not in meta_data(door)
    point_id = points(door)[0]["recoveryPointId"]
    guid = f"{point_id[:8]}-{point_id[8:12]}-{point_id[12:16]}-{point_id[16:20]}-{point_id[20:]}".upper()
    placed = own(door, "PUT", f"{HOLDS}/b", {**REASON, "recoveryPointId": guid})
    assert placed.json["recoveryPointId"] == point_id
    own(door, "PUT", f"{HOLDS}/a", REASON)
    assert meta_data(door)["holds"] == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        pytest.param(HOLD, {}, 400, "BMSUserErrorInvalidInput", id="no reason"),
        pytest.param(HOLD, {"reason": 7}, 400, "BMSUserErrorInvalidInput", id="reason is a number"),
        pytest.param(f"{HOLDS}/{'n' * 101}", REASON, 400, "InvalidResourceName", id="name too long"),
        pytest.param(f"{HOLDS}/a%3Fb", REASON, 400, "InvalidResourceName", id="name with a question mark"),
        pytest.param(HOLD, {**REASON, "recoveryPointId": "x"}, 400, "UserErrorRecoveryPointNotFound", id="no id"),
        pytest.param(
            HOLD, {**REASON, "recoveryPointId": "0" * 32}, 400, "UserErrorRecoveryPointNotFound", id="no such point"
        ),
        pytest.param(
            HOLD.replace("pg-orders", "other"), REASON, 404, "UserErrorGenericResourceNotFound", id="no such instance"
        ),
    ],
)
def test_a_wrong_hold_is_refused(door: Door, path: str, body: Any, status: int, code: str) -> None:
    refused = own(door, "PUT", path, body)
    assert (refused.status, refused.error["code"]) == (status, code)
    assert own(door, "GET", HOLDS).json == {"value": []}


def test_a_standing_hold_does_not_move(door: Door) -> None:
    own(door, "PUT", HOLD, REASON)
    refused = own(door, "PUT", HOLD, {**REASON, "recoveryPointId": points(door)[0]["recoveryPointId"]})
    assert (refused.status, refused.error["code"]) == (409, "HoldStandsElsewhere")


# Re-evaluation -------------------------------------------------------------------------------------------------------


def preview_hash(door: Door) -> str:
    previewed = own(door, "POST", "/vault/retentionPreview", {"backupInstance": "pg-orders"}, person="reader")
    return previewed.json["underPolicy"]["previewHash"]


def test_existing_points_follow_a_changed_policy_once_that_is_approved(door: Door) -> None:
    before = points(door)[0]["expiryTime"]
    assert door.send("PUT", POLICY_ID, policy_body(keep_for="P2M")).status == 200
    assert points(door)[0]["expiryTime"] == before
    body = {"previewHash": preview_hash(door)}
    approve(door, own(door, "POST", REEVALUATE, body))
    done = own(door, "POST", REEVALUATE, body)
    assert (done.status, done.json) == (200, {"changed": 1, "earlier": 0, "later": 1})
    assert points(door)[0]["expiryTime"] > before


def test_another_preview_is_refused(door: Door) -> None:
    refused = own(door, "POST", REEVALUATE, {"previewHash": "0" * 64})
    assert (refused.status, refused.error["code"]) == (409, "PreviewOutdated")
    assert own(door, "POST", REEVALUATE, {}).status == 400


def test_a_misspelt_member_of_a_hold_is_no_hold_on_everything(door: Door) -> None:
    body = {"reason": "court order", "recoveryPoint": "0" * 32}
    refused = door.send("PUT", "/vault/backupInstances/pg-orders/holds/case-1", body)
    assert (refused.status, refused.error["target"]) == (400, "recoveryPoint")
    assert door.send("GET", "/vault/backupInstances/pg-orders/holds/case-1").status == 404


def test_a_deletion_that_a_hold_kept_open_goes_on_when_the_hold_is_released() -> None:
    door = Door(world=world(immutability=Immutability.DISABLED, soft_delete=SoftDelete.OFF))
    door.protect_and_back_up()
    hold = "/vault/backupInstances/pg-orders/holds/case-1"
    assert door.send("PUT", hold, {"reason": "court order"}).status == 200
    for method, path, person in (("DELETE", INSTANCE, "approver"), ("DELETE", hold, "approver")):
        asked = door.send(method, path)
        assert asked.error["code"] == "ApprovalRequired"
        door.send("POST", f"/vault/approvals/{asked.error['target']}/approve", person=person)
        if path == INSTANCE:
            assert door.send(method, path).status == 202
            door.run_jobs()
            assert door.send("GET", INSTANCE).json["properties"]["currentProtectionState"] == "SoftDeleting"
    door.world.clock.advance(timedelta(seconds=1))
    assert door.send("DELETE", hold).status == 200
    assert door.begun[-1].startswith("open-retention")
    door.run_jobs()
    assert door.send("GET", INSTANCE).status == 404
