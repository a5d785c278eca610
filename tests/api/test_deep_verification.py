"""Deep verification over HTTP: asked for, followed, shown; and a point that is broken never looks healthy."""

import json
from typing import Any

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from tests.api.doors import INSTANCE, POLICY_ID, VAULT_ID, Door, Sent, backup_body, policy_body
from tests.services.verifying import flip

OWN = "/vault/backupInstances/pg-orders"


@pytest.fixture
def door() -> Door:
    made = Door()
    made.protect_and_back_up()
    return made


def newest(door: Door) -> dict[str, Any]:
    return door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]


def ask(door: Door, point: str = "", **changes: Any) -> Sent:
    changes = {"person": "operator", "query": "", **changes}
    return door.send("POST", f"{OWN}/recoveryPoints/{point or newest(door)['name']}/verify", **changes)


def show(door: Door, point: str = "") -> Sent:
    path = f"{OWN}/recoveryPoints/{point or newest(door)['name']}/verification"
    return door.send("GET", path, person="reader", query="")


def facts(door: Door) -> dict[str, Any]:
    return json.loads(newest(door)["properties"]["recoveryPointDataStoresDetails"][0]["metaData"])


def test_it_is_a_job_that_the_operation_names(door: Door) -> None:
    asked = ask(door)
    assert asked.status == 202
    assert door.follow(asked)["status"] == "Succeeded"
    job_id = door.result(asked).json["jobId"].rpartition("/")[2]
    door.run_jobs()

    job = door.send("GET", f"{VAULT_ID}/backupJobs/{job_id}").json["properties"]
    assert (job["operation"], job["operationCategory"], job["status"]) == (
        "DeepVerification",
        "Management",
        "Completed",
    )
    extended = job["extendedInfo"]
    assert extended["sourceRecoverPoint"]["recoveryPointID"] == newest(door)["name"]
    assert [task["taskName"] for task in extended["subTasks"]] == ["Read every file", "Count rows", "Record result"]
    assert {task["taskProgress"] for task in extended["subTasks"]} == {"100%"}


def test_what_it_found_is_shown_with_the_sums_of_each_file(door: Door) -> None:
    ask(door)
    door.run_jobs()
    found = show(door).json

    assert (found["verdict"], found["number"], found["findings"]) == ("Intact", 1, [])
    (archive,) = [file for file in found["files"] if file["database"]]
    assert (archive["tables"], archive["rows"], archive["rowBytes"], archive["tablesNotCounted"]) == (1, 2, 12, 0)
    assert all(len(file["sha256"]) == 64 for file in found["files"])
    assert facts(door)["verified"] == "Intact"
    assert "isGood" not in facts(door)


def test_a_broken_point_is_shown_as_such_everywhere(door: Door) -> None:
    flip(door.world, 700)
    ask(door)
    door.run_jobs()
    found = show(door).json

    assert found["verdict"] == "Broken"
    assert {finding["code"] for finding in found["findings"]} >= {"BlockDiffers"}
    assert all(finding["recommendedAction"] for finding in found["findings"])
    assert (facts(door)["verified"], facts(door)["isGood"]) == ("Broken", False)
    instance = door.send("GET", INSTANCE).json["properties"]
    assert instance["protectionErrorDetails"]["code"] == "RecoveryPointsBroken"
    assert instance["protectionStatus"]["errorDetails"]["code"] == "RecoveryPointsBroken"
    job = door.send("GET", f"{VAULT_ID}/backupJobs").json["value"][0]["properties"]
    assert job["status"] == "CompletedWithWarnings"


def test_the_same_point_is_answered_with_the_same_job_while_one_runs_and_another_is_refused(door: Door) -> None:
    first = newest(door)["name"]
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
    door.run_jobs()
    asked = ask(door, first)
    again = ask(door, first)
    assert again.status == 202
    assert door.result(again).json == door.result(asked).json
    refused = ask(door)
    assert (refused.status, refused.error["code"]) == (409, "UserErrorMaxConcurrentOperationLimitReached")
    assert first in refused.error["message"]


@pytest.mark.parametrize("path", ["verify", "verification"])
def test_a_point_that_is_not_there_is_named(door: Door, path: str) -> None:
    method = "POST" if path == "verify" else "GET"
    answer = door.send(method, f"{OWN}/recoveryPoints/{'0' * 32}/{path}", query="")
    assert (answer.status, answer.error["code"]) == (404, "UserErrorRecoveryPointNotFound")


def test_a_point_that_was_never_verified_says_how(door: Door) -> None:
    answer = show(door)
    assert (answer.status, answer.error["code"]) == (404, "UserErrorVerificationNotFound")
    assert "/verify" in str(answer.error)


def test_a_reader_may_look_and_not_begin(door: Door) -> None:
    assert ask(door, person="reader").status == 403


def test_a_result_that_was_changed_is_not_shown(door: Door) -> None:
    ask(door)
    door.run_jobs()
    (path,) = [
        blob.name
        for blob in door.world.memory.storage.list_blobs(VAULT, blob_names.MANIFESTS)
        if blob.name.endswith("verification-1.json")
    ]
    door.world.memory.storage.spoil(VAULT, blob_names.MANIFESTS, path, b"{}")
    answer = show(door)
    assert (answer.status, answer.error["code"]) == (409, "VerificationDiffers")


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        ({"newestEvery": "P12H"}, "properties.deepVerification.newestEvery"),
        ({"newestEvery": "P2Y"}, "properties.deepVerification.newestEvery"),
        ({"newestEvery": 7}, "properties.deepVerification.newestEvery"),
        ({}, "properties.deepVerification.newestEvery"),
        ([], "properties.deepVerification"),
        ({"newestEvery": "P7D", "all": True}, "properties.deepVerification.all"),
    ],
)
def test_a_policy_that_asks_for_it_otherwise_is_refused_with_the_place(door: Door, wanted: Any, target: str) -> None:
    body = policy_body()
    body["properties"]["deepVerification"] = wanted
    answer = door.send("PUT", POLICY_ID, body)
    assert answer.status == 400
    assert target in [answer.error["target"], *(detail["target"] for detail in answer.error["details"])]


def test_a_policy_that_asks_for_it_is_shown_as_it_was_sent(door: Door) -> None:
    body = policy_body()
    body["properties"]["deepVerification"] = {"NewestEvery": "P7D"}
    assert door.send("PUT", POLICY_ID, body).status == 200
    assert door.send("GET", POLICY_ID).json["properties"]["deepVerification"] == {"newestEvery": "P7D"}
