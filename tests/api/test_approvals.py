"""A critical change through the door: 403 with an approval's id, a second person, then the identical request, once."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.doors import INSTANCE, ORIGIN, POLICY_ID, VAULT_ID, Door, Sent, instance_body, policy_body

APPROVALS = "/vault/approvals"
SHORT = policy_body(keep_for="P7D")
WEAK_ID = f"{VAULT_ID}/backupPolicies/weak"
MOVE = instance_body(policyInfo={"policyId": WEAK_ID})


@pytest.fixture
def door() -> Door:
    made = Door()
    made.protect()
    return made


def ask(door: Door, body: dict[str, Any] = SHORT, path: str = POLICY_ID, **sent: Any) -> str:
    """Ask for what needs an approval; answers the approval's id."""
    refused = door.send("PUT", path, body, **sent)
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired"), refused.body
    return refused.error["target"]


def show(door: Door, approval_id: str) -> dict[str, Any]:
    return door.send("GET", f"{APPROVALS}/{approval_id}", person="reader", query="").json


def decide(door: Door, approval_id: str, verb: str = "approve", body: Any = None, person: str = "approver") -> Sent:
    return door.send("POST", f"{APPROVALS}/{approval_id}/{verb}", body, person=person, query="")


def keeps(policy: dict[str, Any]) -> str:
    """The retention of a policy's properties."""
    return policy["policyRules"][1]["lifecycles"][0]["deleteAfter"]["duration"]


def bearer(door: Door, oid: str, *roles: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {door.token(oid=oid, roles=list(roles))}"}


def test_a_weaker_policy_in_force_lives_through_request_approval_and_use(door: Door) -> None:
    approval_id = ask(door)
    waiting = show(door, approval_id)
    assert waiting["state"] == "Pending"
    assert waiting["operation"] == "Microsoft.DataProtection/backupVaults/backupPolicies/write"
    assert waiting["path"] == POLICY_ID.lower()
    assert waiting["requestedBy"]["oid"] == "oid-of-Backup.Contributor"
    assert [keeps(waiting[side]) for side in ("before", "after")] == ["P1M", "P7D"]
    assert (waiting["decidedBy"], waiting["decidedAt"], waiting["usedAt"]) == (None, None, None)
    approved = decide(door, approval_id, body={"reason": "as agreed"})
    assert (approved.status, approved.json["state"], approved.json["decisionReason"]) == (200, "Approved", "as agreed")
    assert approved.json["decidedBy"]["oid"] == "oid-of-Backup.Approver"
    assert door.send("PUT", POLICY_ID, SHORT).status == 200
    used = show(door, approval_id)
    assert used["state"] == "Used"
    assert used["usedAt"] is not None
    assert door.send("PUT", POLICY_ID, SHORT).status == 200, "what is already so needs nobody"


def test_the_refusal_says_in_every_place_that_clients_show_what_to_do(door: Door) -> None:
    refused = door.send("PUT", POLICY_ID, SHORT)
    assert refused.header("x-ms-error-code") == "ApprovalRequired"
    info = refused.error["additionalInfo"][0]["info"]
    assert f"POST /api/vault/approvals/{refused.error['target']}/approve" in info["recommendedAction"][0]
    assert (info["isRetryable"], info["isUserError"]) == (False, True)


def test_who_asked_and_who_decided_are_known_with_their_addresses_and_correlation_ids(door: Door) -> None:
    headers = {"x-forwarded-for": "203.0.113.7:51234", "x-ms-correlation-request-id": "c" * 36}
    approval_id = ask(door, headers=headers)
    assert show(door, approval_id)["requestedBy"] == {
        "oid": "oid-of-Backup.Contributor",
        "name": "Somebody",
        "from": "203.0.113.7",
        "correlationId": "c" * 36,
    }


def test_the_same_request_in_another_case_is_the_same_and_used_by_it(door: Door) -> None:
    approval_id = ask(door)
    assert ask(door, path=POLICY_ID.upper()) == approval_id
    decide(door, approval_id.upper())
    assert door.send("PUT", POLICY_ID.upper(), SHORT).status == 200


def test_a_person_with_both_roles_cannot_approve_an_own_request(door: Door) -> None:
    both = bearer(door, "oid-both", "Backup.Contributor", "Backup.Approver")
    approval_id = ask(door, headers=both)
    refused = door.send("POST", f"{APPROVALS}/{approval_id}/approve", headers=both, query="")
    assert (refused.status, refused.error["code"]) == (403, "AuthorCannotApprove")
    assert show(door, approval_id)["state"] == "Pending"
    assert door.send("POST", f"{APPROVALS}/{approval_id}/reject", headers=both, query="").json["state"] == "Rejected"


@pytest.mark.parametrize("person", ["reader", "operator", "contributor"])
@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_only_an_approver_decides(door: Door, verb: str, person: str) -> None:
    refused = decide(door, ask(door), verb, person=person)
    assert (refused.status, refused.error["code"]) == (403, "AuthorizationFailed")


def test_another_author_cannot_use_it(door: Door) -> None:
    approval_id = ask(door)
    decide(door, approval_id)
    other = bearer(door, "oid-other", "Backup.Contributor")
    assert ask(door, headers=other) != approval_id
    assert show(door, approval_id)["state"] == "Approved"


def test_an_approval_of_a_policy_that_was_changed_meanwhile_is_void(door: Door) -> None:
    approval_id = ask(door)
    assert door.send("PUT", POLICY_ID, policy_body(keep_for="P2M")).status == 200
    assert show(door, approval_id)["state"] == "Void"
    refused = decide(door, approval_id)
    assert (refused.status, refused.error["code"]) == (409, "Conflict")
    assert "changed meanwhile" in refused.error["message"]


def test_a_rejection_is_told_to_the_author(door: Door) -> None:
    approval_id = ask(door)
    assert decide(door, approval_id, "reject", {"reason": "not this year"}).json["state"] == "Rejected"
    refused = door.send("PUT", POLICY_ID, SHORT)
    assert "rejected by Somebody: not this year" in refused.error["message"]
    assert refused.error["target"] != approval_id


def test_what_expired_cannot_be_approved(door: Door) -> None:
    approval_id = ask(door)
    door.world.clock.advance(timedelta(hours=72))
    assert show(door, approval_id)["state"] == "Expired"
    assert decide(door, approval_id).status == 409


def test_a_protected_instance_goes_under_a_weaker_policy_with_an_approval(door: Door) -> None:
    assert door.send("PUT", WEAK_ID, SHORT).status == 200
    approval_id = ask(door, MOVE, INSTANCE)
    assert show(door, approval_id)["path"] == INSTANCE.lower()
    decide(door, approval_id)
    assert door.send("PUT", INSTANCE, MOVE).status == 201
    door.run_jobs()
    assert door.send("GET", INSTANCE).json["properties"]["policyInfo"]["policyId"] == WEAK_ID
    assert show(door, approval_id)["state"] == "Used"
    assert door.send("PUT", INSTANCE, MOVE).status == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"reason": 5}, id="no text"),
        pytest.param({"reason": "x" * 1001}, id="too long"),
        pytest.param(b"[]", id="no object"),
    ],
)
def test_a_reason_that_cannot_be_kept_is_400_and_decides_nothing(door: Door, body: Any) -> None:
    approval_id = ask(door)
    assert decide(door, approval_id, body=body).status == 400
    assert show(door, approval_id)["state"] == "Pending"


@pytest.mark.parametrize("approval_id", ["0" * 32 + "-0000", "none", "é"])
def test_an_unknown_approval_is_404_and_says_where_they_are_listed(door: Door, approval_id: str) -> None:
    for sent in (
        decide(door, approval_id),
        door.send("GET", f"{APPROVALS}/{approval_id}", query=""),
    ):
        assert (sent.status, sent.error["code"]) == (404, "ResourceNotFound")
        assert "GET /api/vault/approvals" in str(sent.error["additionalInfo"])


# Lists ---------------------------------------------------------------------------------------------------------------


def listed(door: Door, query: str = "") -> list[list[str]]:
    """The ids of each page."""
    pages: list[list[str]] = []
    url: str | None = f"{ORIGIN}{APPROVALS}{query}"
    while url:
        answer = door.send("GET", url, person="reader", query="")
        assert answer.status == 200, answer.body
        pages.append([approval["id"] for approval in answer.json["value"]])
        url = answer.json.get("nextLink")
    return pages


def test_approvals_are_listed_newest_first_by_pages_and_by_state() -> None:
    door = Door(page_size=2)
    door.protect()
    assert listed(door) == [[]]
    asked: list[str] = []
    for number in range(5):
        door.world.clock.advance(timedelta(seconds=1))
        asked.append(ask(door, headers=bearer(door, f"oid-{number}", "Backup.Contributor")))
    assert listed(door) == [[asked[4], asked[3]], [asked[2], asked[1]], [asked[0]]]
    decide(door, asked[2], "reject")
    assert listed(door, "?state=pending") == [[asked[4], asked[3]], [asked[1], asked[0]]]
    assert listed(door, "?state=Rejected") == [[asked[2]]]


@pytest.mark.parametrize("query", ["?state=Perhaps", "?$skipToken=x"])
def test_what_cannot_be_read_of_a_list_is_400(door: Door, query: str) -> None:
    assert door.send("GET", f"{ORIGIN}{APPROVALS}{query}", query="").status == 400
