"""The emergency operation through the door."""

from typing import Any

import pytest

from flexvault.domain.job import Step
from tests.api.doors import INSTANCE, Door, Sent, backup_body
from tests.services.running import run_until

REVOKE = "/vault/emergency/revokeKeys"
BODY = {"account": "landing", "reason": "a laptop was stolen"}


@pytest.fixture
def door() -> Door:
    return Door()


def revoke(door: Door, body: Any, person: str = "contributor") -> Sent:
    return door.send("POST", REVOKE, body, person=person, query="")


def test_a_contributor_gets_the_command_and_the_jobs(door: Door) -> None:
    door.protect()
    door.send("POST", f"{INSTANCE}/backup", backup_body())
    sent = revoke(door, {**BODY, "account": "Landing"})
    assert sent.status == 200
    assert sent.json["account"] == "landing"
    assert sent.json["command"].startswith('az storage account revoke-delegation-keys --name "landing"')
    assert sent.json["jobs"] == [], "nothing has a SAS yet"


def test_a_job_that_uses_a_signature_is_named_with_what_becomes_of_it(door: Door) -> None:
    door.protect()
    door.send("POST", f"{INSTANCE}/backup", backup_body())
    opened = run_until(door.world, Step.POLLING)
    (job,) = revoke(door, BODY).json["jobs"]
    assert (job["jobId"], job["operation"], job["step"]) == (opened.job_id, "backup", "Polling")
    assert job["backupInstance"] == "pg-orders"
    assert "the next one begins with new keys" in job["consequence"]
    assert revoke(door, {**BODY, "account": "vault"}).json["jobs"] == []


@pytest.mark.parametrize("person", ["reader", "operator", "approver"])
def test_nobody_else_may_ask(door: Door, person: str) -> None:
    assert revoke(door, BODY, person).status == 403


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"reason": "x"}, "account"),
        ({"account": "restore", "reason": "x"}, "account"),
        ({"account": "vault"}, "reason"),
        ({"account": "vault", "reason": ""}, "reason"),
        ({"account": "vault", "reason": "x" * 1_001}, "reason"),
        ({"account": "vault", "reason": "x", "force": True}, "force"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(door: Door, body: dict[str, Any], target: str) -> None:
    refused = revoke(door, body)
    assert refused.status == 400
    assert target in refused.json["error"]["message"]
