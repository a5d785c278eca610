"""The poisoning guard through the door: what is suspected is shown, and two people acknowledge it."""

from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from tests.api.doors import INSTANCE, Door, Sent, backup_body
from tests.builders import backup_files, tiny_archive
from tests.services.test_poisoning import rows_of

OWN = "/vault/backupInstances/pg-orders"
WHY = {"reason": "we archived last year's orders"}


def lands(door: Door, size: int) -> None:
    files = backup_files(orders=tiny_archive("orders", rows_of(size)))
    door.world.memory.ltr.script = LtrScript(files=files)


def back_up(door: Door, size: int) -> str:
    lands(door, size)
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
    door.run_jobs()
    return door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]


@pytest.fixture
def door() -> Door:
    made = Door()
    made.protect()
    back_up(made, 60_000)
    return made


def show(door: Door, person: str = "reader") -> dict[str, Any]:
    sent = door.send("GET", f"{OWN}/poisoning", person=person, query="")
    assert sent.status == 200
    return sent.json


def acknowledge(door: Door, body: Any = WHY, person: str = "contributor") -> Sent:
    return door.send("POST", f"{OWN}/acknowledgePoisoning", body, person=person, query="")


def test_nothing_is_suspected_of_a_whole_backup(door: Door) -> None:
    assert show(door) == {
        "state": "Clear",
        "expiry": "Running",
        "guard": "On",
        "count": 0,
        "suspected": [],
        "acknowledgedAt": None,
        "acknowledgedBy": None,
        "acknowledgedReason": None,
    }
    assert door.send("GET", INSTANCE).json["properties"]["protectionErrorDetails"] is None


def test_what_was_lost_is_shown_wherever_people_look(door: Door) -> None:
    lost = back_up(door, 600)
    told = show(door)
    assert (told["state"], told["expiry"], told["count"]) == ("Suspected", "Paused", 1)
    [suspect] = told["suspected"]
    assert suspect["recoveryPoint"] == lost
    assert suspect["previousSizeInBytes"] > 60_000 > suspect["sizeInBytes"]
    properties = door.send("GET", INSTANCE).json["properties"]
    assert properties["currentProtectionState"] == "ProtectionConfigured"
    assert properties["protectionErrorDetails"]["code"] == "PoisoningSuspected"
    assert properties["protectionStatus"]["errorDetails"] == properties["protectionErrorDetails"]
    point = door.send("GET", f"{INSTANCE}/recoveryPoints/{lost}").json["properties"]
    assert '"poisoningSuspected":true' in point["recoveryPointDataStoresDetails"][0]["metaData"]
    preview = door.send("POST", "/vault/retentionPreview", {"backupInstance": "pg-orders"}, query="").json
    assert all(one["deletedAt"] is None and "expiry is paused" in one["text"] for one in preview["recoveryPoints"])


def test_two_people_acknowledge_it(door: Door) -> None:
    back_up(door, 600)
    refused = acknowledge(door)
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired")
    assert "may be poisoned" in refused.error["message"]
    path = f"/vault/approvals/{refused.error['target']}/approve"
    assert door.send("POST", path, person="contributor", query="").status == 403
    assert door.send("POST", path, person="approver", query="").status == 200
    assert acknowledge(door, {"reason": "something else"}).status == 403
    done = acknowledge(door)
    assert (done.status, done.json["state"], done.json["acknowledgedReason"]) == (200, "Clear", WHY["reason"])
    assert done.json["acknowledgedBy"]["oid"] == "oid-of-Backup.Contributor"
    assert acknowledge(door).json == done.json
    assert door.send("GET", INSTANCE).json["properties"]["protectionErrorDetails"] is None


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": 5}, {"reason": "x" * 1_001}, {"why": "x"}]
)
def test_an_acknowledgement_needs_a_reason(door: Door, body: Any) -> None:
    back_up(door, 600)
    assert acknowledge(door, body).status == 400
    assert show(door)["state"] == "Suspected"


@pytest.mark.parametrize("person", ["reader", "operator", "approver"])
def test_only_a_contributor_may_ask(door: Door, person: str) -> None:
    back_up(door, 600)
    assert acknowledge(door, person=person).error["code"] == "AuthorizationFailed"


def test_an_instance_that_is_not_there_is_404(door: Door) -> None:
    assert door.send("GET", "/vault/backupInstances/none/poisoning", query="").status == 404
    assert door.send("POST", "/vault/backupInstances/none/acknowledgePoisoning", WHY, query="").status == 404
