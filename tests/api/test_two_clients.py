"""Two clients change one thing at once: one wins, the other is told, and nothing is lost; a repeated POST is one job."""

import threading
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import requests
from azure.mgmt.dataprotection.models import AdHocBackupRuleOptions, AdhocBackupTriggerOption, TriggerBackupRequest
from urllib3.exceptions import ProtocolError

from tests.api.doors import INSTANCE, POLICY_ID, VAULT_ID, Door, Sent, backup_body, instance_body, policy_body
from tests.api.sdk import DoorAdapter, DoorTransport, sdk_client
from tests.services.interrupting import Interruption, interrupted
from tests.services.invariants import entries, require_whole_journal

LONGER = policy_body(keep_for="P2M")
LONGEST = policy_body(keep_for="P3M")
TOLD = {409, 412}
MOMENTS = 12
"""Of each race that are tried, spread over all calls of the slower client."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """One request of a client, with what it had read before."""

    method: str
    path: str
    body: Any = None
    if_match: bool = False
    is_new: bool = False

    def prepare(self, door: Door) -> dict[str, str]:
        if self.is_new:
            return {"If-None-Match": "*"}
        return {"If-Match": door.send("GET", self.path).header("ETag")} if self.if_match else {}

    def send(self, door: Door, headers: dict[str, str]) -> Sent:
        return door.send(self.method, self.path, self.body, headers=headers)


def ready() -> Door:
    door = Door()
    door.grant_roles()
    door.protect()
    assert door.send("PUT", f"{VAULT_ID}/backupPolicies/longer", LONGER).status == 200
    assert door.send("PUT", f"{VAULT_ID}/backupPolicies/free", policy_body()).status == 200
    # What is deleted at once needs a second person's approval before.
    asked = door.send("DELETE", INSTANCE).error["target"]
    assert door.send("POST", f"/vault/approvals/{asked}/approve", person="approver", query="").status == 200
    return door


FREE = f"{VAULT_ID}/backupPolicies/free"
MOVE = instance_body(policyInfo={"policyId": f"{VAULT_ID}/backupPolicies/longer"})
NAMED = instance_body(friendlyName="another name")
NEW = f"{VAULT_ID}/backupPolicies/new"


def soft_for(days: int) -> dict[str, Any]:
    return {"properties": {"securitySettings": {"softDeleteSettings": {"retentionDurationInDays": days}}}}


PAIRS = {
    "PATCH/PATCH of the vault, both by ETag": (
        Client(method="PATCH", path=VAULT_ID, body=soft_for(20), if_match=True),
        Client(method="PATCH", path=VAULT_ID, body=soft_for(30), if_match=True),
    ),
    "PUT/PUT of a new policy": (
        Client(method="PUT", path=NEW, body=LONGER, is_new=True),
        Client(method="PUT", path=NEW, body=LONGEST, is_new=True),
    ),
    "DELETE/PUT of a policy, both by ETag": (
        Client(method="DELETE", path=FREE, if_match=True),
        Client(method="PUT", path=FREE, body=LONGER, if_match=True),
    ),
    "PUT/PUT of a policy, both by ETag": (
        Client(method="PUT", path=FREE, body=LONGER, if_match=True),
        Client(method="PUT", path=FREE, body=LONGEST, if_match=True),
    ),
    "PUT/DELETE of a policy, the PUT by ETag": (
        Client(method="PUT", path=FREE, body=LONGER, if_match=True),
        Client(method="DELETE", path=FREE, if_match=True),
    ),
    "PUT/PUT of an instance, both by ETag": (
        Client(method="PUT", path=INSTANCE, body=MOVE, if_match=True),
        Client(method="PUT", path=INSTANCE, body=NAMED, if_match=True),
    ),
    "PUT/DELETE of an instance, both by ETag": (
        Client(method="PUT", path=INSTANCE, body=MOVE, if_match=True),
        Client(method="DELETE", path=INSTANCE, if_match=True),
    ),
}
LOOSE = {
    "PUT/stop": (
        Client(method="PUT", path=INSTANCE, body=MOVE),
        Client(method="POST", path=f"{INSTANCE}/stopProtection"),
    ),
    "stop/PUT": (
        Client(method="POST", path=f"{INSTANCE}/stopProtection"),
        Client(method="PUT", path=INSTANCE, body=MOVE),
    ),
    "stop/delete": (Client(method="POST", path=f"{INSTANCE}/stopProtection"), Client(method="DELETE", path=INSTANCE)),
    "delete/stop": (Client(method="DELETE", path=INSTANCE), Client(method="POST", path=f"{INSTANCE}/stopProtection")),
    "suspend/stop": (
        Client(method="POST", path=f"{INSTANCE}/suspendBackups"),
        Client(method="POST", path=f"{INSTANCE}/stopProtection"),
    ),
    "PUT/PUT of a policy": (
        Client(method="PUT", path=FREE, body=LONGER),
        Client(method="PUT", path=FREE, body=LONGEST),
    ),
    "PUT/PUT of an instance": (
        Client(method="PUT", path=INSTANCE, body=MOVE),
        Client(method="PUT", path=INSTANCE, body=NAMED),
    ),
}


def race(first: Client, second: Client, at: int | None, *, after: bool = False) -> tuple[Door, Sent, Sent | None, int]:
    """Send the first; at one of its calls to the surroundings the second is sent and answered."""
    door = ready()
    first_headers, second_headers = first.prepare(door), second.prepare(door)
    answers: list[Sent] = []
    interruption = Interruption(at=at, act=lambda: answers.append(second.send(door, second_headers)), after=after)
    slow = Door(world=replace(door.world, vault=interrupted(door.world.vault, interruption)), issuer=door.issuer)
    answer = first.send(slow, first_headers)
    return door, answer, answers[0] if answers else None, len(interruption.calls)


def each_moment(first: Client, second: Client) -> Any:
    count = race(first, second, None)[3]
    for at in range(0, count, max(1, count // MOMENTS)):
        for after in (False, True):
            door, one, other, _ = race(first, second, at, after=after)
            assert other is not None
            yield door, one, other
            require_whole_journal(door.world)


def is_void(answer: Sent) -> bool:
    """What a second person approved is not what there is now."""
    return answer.status == 403 and answer.error["code"] == "ApprovalRequired"


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_changes_of_what_both_read_exactly_one_wins(pair: str) -> None:
    first, second = PAIRS[pair]
    for door, one, other in each_moment(first, second):
        won = [answer for answer in (one, other) if answer.status < 300]
        lost = [answer for answer in (one, other) if answer.status >= 300]
        assert len(won) == 1, (one.status, one.body, other.status, other.body)
        assert lost[0].status in TOLD or is_void(lost[0]), lost[0].body
        winner = first if one.status < 300 else second
        shown = door.send("GET", winner.path)
        if winner.method == "PUT":
            assert shown.json["properties"].get("policyRules", 0) == winner.body["properties"].get("policyRules", 0)
            assert shown.json["properties"].get("friendlyName") == winner.body["properties"].get("friendlyName")
        elif winner.path == FREE:
            assert shown.status == 404


@pytest.mark.parametrize("is_there", [False, True])
def test_a_configuration_that_ended_while_arm_was_asked_is_seen_by_a_conditional_put(is_there: bool) -> None:
    calls = conditional_put(None, is_there=is_there)[2]
    asked = [at for at, name in enumerate(calls) if name.startswith(("servers.", "roles."))]
    assert asked
    for at in asked:
        answer, door, _ = conditional_put(at, is_there=is_there)
        assert answer.status == 412, answer.body
        assert door.send("GET", INSTANCE).json["properties"]["friendlyName"] == "theirs"


def conditional_put(at: int | None, *, is_there: bool) -> tuple[Sent, Door, list[str]]:
    """Send a conditional PUT; at one of its calls another client's configuration comes and ends."""
    door = Door()
    door.grant_roles()
    door.send("PUT", POLICY_ID, policy_body())
    if is_there:
        door.protect()
    headers = {"If-Match": door.send("GET", INSTANCE).header("ETag")} if is_there else {"If-None-Match": "*"}

    def configure() -> None:
        assert door.send("PUT", INSTANCE, instance_body(friendlyName="theirs")).status == 201
        door.run_jobs()

    interruption = Interruption(at=at, act=configure)
    slow = Door(world=replace(door.world, vault=interrupted(door.world.vault, interruption)), issuer=door.issuer)
    return slow.send("PUT", INSTANCE, instance_body(friendlyName="mine"), headers=headers), door, interruption.calls


@pytest.mark.parametrize("pair", LOOSE)
def test_of_two_changes_without_an_etag_each_is_done_or_told(pair: str) -> None:
    first, second = LOOSE[pair]
    for door, one, other in each_moment(first, second):
        statuses = [one.status, other.status]
        assert min(statuses) < 300, (one.body, other.body)
        for answer in (one, other):
            # 400: the verb cannot be used in the state that the other client brought about.
            assert answer.status < 300 or answer.status in TOLD | {400} or is_void(answer), answer.body
        changes = [entry for entry in entries(door.world, "vault") if "replaces_seq" in entry.body]
        for earlier, later in pairwise(changes):
            assert later.body["before"] == earlier.body["after"], "a change that nobody saw was written over"


@pytest.mark.parametrize("path", [f"{VAULT_ID}/backupPolicies/new", f"{VAULT_ID}/backupInstances/new"])
def test_many_puts_of_one_new_name_at_once_make_one(path: str) -> None:
    is_policy = "Policies" in path
    door = Door()
    door.grant_roles()
    assert door.send("PUT", POLICY_ID, policy_body()).status == 200
    bodies = [policy_body(keep_for=f"P{n}M") if is_policy else instance_body(friendlyName=f"n{n}") for n in range(1, 7)]
    answers: dict[int, Sent] = {}
    gate = threading.Barrier(len(bodies))

    def put(number: int) -> None:
        gate.wait(10)
        answers[number] = door.send("PUT", path, bodies[number])

    threads = [threading.Thread(target=put, args=[number]) for number in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == len(bodies)
    assert {answer.status for answer in answers.values()} <= {200, 201, 409, 412}
    done = [number for number, answer in answers.items() if answer.status < 300]
    door.run_jobs()
    shown = door.send("GET", path).json["properties"]
    members = ("policyRules",) if is_policy else ("friendlyName",)
    assert any(all(shown[name] == bodies[number]["properties"][name] for name in members) for number in done)
    require_whole_journal(door.world)


# The SDK's own retry -------------------------------------------------------------------------------------------------


class LosingAdapter(DoorAdapter):
    """The answer to a POST gets lost after the request was served, as often as it is told."""

    def __init__(self, door: Door, losses: int, status: int) -> None:
        super().__init__(door)
        self.left = losses
        self.status = status
        self.sent: list[str] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        answer = super().send(request, *args, **kwargs)
        if request.method == "POST":
            self.sent.append(str(request.headers["x-ms-client-request-id"]))
            if self.left:
                self.left -= 1
                if not self.status:
                    raise requests.exceptions.ConnectionError(ProtocolError("connection reset by peer"))
                answer.status_code = answer.raw.status = self.status
        return answer


@pytest.mark.parametrize("losses", [1, 2, 3])
@pytest.mark.parametrize(
    ("status", "options"),
    [
        pytest.param(504, {}, id="the front end gave up: the SDK repeats by itself"),
        pytest.param(503, {}, id="the front end was overloaded: the SDK repeats by itself"),
        pytest.param(0, {"retry_on_methods": frozenset({"POST"})}, id="the connection died: the SDK repeats if told"),
    ],
)
def test_a_post_that_the_sdk_repeats_starts_one_job(status: int, options: dict[str, Any], losses: int) -> None:
    door = Door()
    door.grant_roles()
    door.protect()
    before = len(door.world.jobs())
    transport, adapter = DoorTransport(door), LosingAdapter(door, losses, status)
    session: Any = transport.session
    session.mount("https://", adapter)
    rule = AdHocBackupRuleOptions(rule_name="BackupDaily", trigger_option=AdhocBackupTriggerOption())
    with sdk_client(door, transport) as client:
        done = client.backup_instances.begin_adhoc_backup(
            "rg-flexvault", "flexvault", "pg-orders", TriggerBackupRequest(backup_rule_options=rule), **options
        ).result()
    assert len(adapter.sent) == losses + 1
    assert len(set(adapter.sent)) == 1, "the SDK's repetitions carry the same id"
    door.run_jobs()
    jobs = door.world.jobs()
    assert len(jobs) == before + 1
    assert str(done.job_id).rpartition("/")[2] in {job.job_id for job in jobs}


def test_a_second_post_of_a_person_is_another_job_and_refused_while_the_first_runs() -> None:
    door = Door()
    door.protect()
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
    again = door.send("POST", f"{INSTANCE}/backup", backup_body())
    assert (again.status, again.error["code"]) == (409, "UserErrorMaxConcurrentOperationLimitReached")
