"""The breaker through the door: anyone who reads sees it, two people release it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.services.apply_retention import begin_retention
from flexvault.services.scheduling import tick
from tests.api.doors import INSTANCE, VAULT_ID, Door, Sent

BREAKER, RELEASE = "/vault/breaker", "/vault/breaker/release"
FIRST_SLOT = datetime(2026, 1, 5, 2, tzinfo=UTC)
SURPRISE = datetime(2026, 2, 8, 12, tzinfo=UTC)
"""Four of five daily points have expired after a month, and no plan announced it."""
TOO_MANY = "4 of 5 recovery points would be deleted that no earlier plan announced"


def clean_up(door: Door) -> None:
    begin_retention(door.world.vault, door.world.memory.orchestrations)
    door.run_jobs()


@pytest.fixture
def door() -> Door:
    """A vault whose breaker tripped."""
    made = Door()
    made.protect()
    for day in range(5):
        made.world.clock.advance_to(FIRST_SLOT + timedelta(days=day))
        tick(made.world.vault, made.world.memory.orchestrations)
        made.run_jobs()
    made.world.clock.advance_to(SURPRISE)
    clean_up(made)
    return made


def show(door: Door, person: str = "reader") -> dict[str, Any]:
    sent = door.send("GET", BREAKER, person=person, query="")
    assert sent.status == 200
    return sent.json


def release(door: Door, body: Any = None, person: str = "contributor") -> Sent:
    return door.send("POST", RELEASE, body, person=person, query="")


def ask(door: Door, body: Any = None) -> str:
    refused = release(door, body)
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired"), refused.body
    return refused.error["target"]


def approve(door: Door, approval_id: str, person: str = "approver") -> Sent:
    return door.send("POST", f"/vault/approvals/{approval_id}/approve", person=person, query="")


def count_points(door: Door) -> int:
    return len(door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"])


def test_a_breaker_that_never_tripped_is_closed() -> None:
    assert show(Door()) == {
        "state": "Closed",
        "plan": None,
        "planSha256": None,
        "trippedAt": None,
        "releasedAt": None,
        "reasons": [],
    }


def test_a_tripped_breaker_says_when_by_which_plan_and_why(door: Door) -> None:
    told = show(door)
    assert told["plan"].startswith("20260208T120000Z-")
    assert len(told["planSha256"]) == 64
    assert {name: told[name] for name in ("state", "trippedAt", "releasedAt", "reasons")} == {
        "state": "Tripped",
        "trippedAt": "2026-02-08T12:00:00Z",
        "releasedAt": None,
        "reasons": [{"code": "TooManyDeletions", "message": TOO_MANY, "backupInstance": "pg-orders"}],
    }


def test_the_job_of_retention_says_what_to_do(door: Door) -> None:
    jobs = f"{VAULT_ID}/backupJobs"
    listed = door.send("GET", jobs, person="reader").json["value"]
    job_id = next(job["name"] for job in listed if "etention" in job["properties"]["operation"])
    told = door.send("GET", f"{jobs}/{job_id}", person="reader").json["properties"]
    assert told["status"] == "CompletedWithWarnings"
    assert f"{TOO_MANY}; nothing was deleted; look at the plan, then POST /api{RELEASE}" in str(told)


def test_it_is_released_by_two_people_and_then_deletes_what_was_known(door: Door) -> None:
    approval_id = ask(door, {"reason": "the vault slept"})
    waiting = door.send("GET", f"/vault/approvals/{approval_id}", person="reader", query="").json
    assert (waiting["state"], waiting["path"]) == ("Pending", RELEASE)
    assert TOO_MANY in waiting["reasons"][0]
    assert show(door)["state"] == "Tripped"
    assert approve(door, approval_id).status == 200
    released = release(door, {"reason": "the vault slept"})
    assert (released.status, released.json["state"]) == (200, "Closed")
    assert released.json["releasedAt"] == "2026-02-08T12:00:00Z"
    assert count_points(door) == 5
    door.world.clock.advance(timedelta(minutes=5))
    clean_up(door)
    assert count_points(door) == 1


def test_the_identical_request_works_once_and_a_closed_breaker_needs_nobody(door: Door) -> None:
    approve(door, ask(door))
    assert release(door).json["state"] == "Closed"
    again = release(door)
    assert (again.status, again.json) == (200, show(door))
    approvals = door.send("GET", "/vault/approvals", person="reader", query="").json["value"]
    assert [approval["state"] for approval in approvals] == ["Used"]


def test_the_author_cannot_approve_it(door: Door) -> None:
    both = {"Authorization": f"Bearer {door.token(oid='oid-both', roles=['Backup.Contributor', 'Backup.Approver'])}"}
    refused = door.send("POST", RELEASE, headers=both, query="")
    decided = door.send("POST", f"/vault/approvals/{refused.error['target']}/approve", headers=both, query="")
    assert (decided.status, decided.error["code"]) == (403, "AuthorCannotApprove")
    assert show(door)["state"] == "Tripped"


def test_another_reason_is_another_request(door: Door) -> None:
    approve(door, ask(door, {"reason": "the vault slept"}))
    refused = release(door, {"reason": "something else"})
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired")
    assert show(door)["state"] == "Tripped"


@pytest.mark.parametrize("person", ["reader", "operator", "approver"])
def test_only_a_contributor_may_ask_for_the_release(door: Door, person: str) -> None:
    refused = release(door, person=person)
    assert (refused.status, refused.error["code"]) == (403, "AuthorizationFailed")


@pytest.mark.parametrize("person", ["reader", "operator", "contributor", "approver"])
def test_everybody_with_a_role_sees_it(door: Door, person: str) -> None:
    assert show(door, person)["state"] == "Tripped"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"reason": 5}, id="no text"),
        pytest.param({"reason": "x" * 1001}, id="too long"),
        pytest.param(b"[]", id="no object"),
    ],
)
def test_a_reason_that_cannot_be_kept_is_400(door: Door, body: Any) -> None:
    assert release(door, body).status == 400
    assert show(door)["state"] == "Tripped"
