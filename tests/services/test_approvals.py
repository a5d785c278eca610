"""Critical changes: a second person first, then exactly that change, once."""

import threading
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from flexvault.domain.approval import USABLE_FOR, WAITS_FOR, Approval, ApprovalState
from flexvault.domain.errors import (
    ApprovalRequiredError,
    ConflictError,
    NotAuthorizedError,
    NotFoundError,
    PermanentError,
)
from flexvault.domain.instance import ProtectionState
from flexvault.domain.rows import Merge
from flexvault.domain.vault_settings import SoftDelete
from flexvault.services import catalog
from flexvault.services.approvals import MOST_UNDECIDED, decide, each_approval, get_approval
from flexvault.services.policies import delete_policy, put_policy
from flexvault.services.protection_states import request_deletion
from flexvault.services.vault import Vault
from tests.builders import ACTOR, INSTANCE_ID, World, policy_properties, protect, set_soft_delete
from tests.services.approving import (
    APPROVER,
    LONG,
    OTHER,
    SHORT,
    approve,
    list_approvals,
    move,
    of_type,
    require_used_once,
    state,
)
from tests.services.changing import ask_to_delete
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import require_whole_journal
from tests.services.running import protected, quietly


def change(vault: Vault, properties: dict[str, Any] = SHORT, actor: dict[str, str] = ACTOR) -> None:
    put_policy(vault, "daily", properties, actor)


def ask(world: World, properties: dict[str, Any] = SHORT, actor: dict[str, str] = ACTOR) -> str:
    """Ask for a change that needs approval; answers the approval's id."""
    with pytest.raises(ApprovalRequiredError) as refused:
        change(world.vault, properties, actor)
    return refused.value.target


def stored(world: World) -> Any:
    return catalog.get_policy(world.vault.ports, "daily").properties


def test_a_weaker_policy_waits_for_a_second_person_and_then_succeeds_once():
    world = protected()
    approval_id = ask(world)
    assert stored(world) == policy_properties()
    assert ask(world) == approval_id, "the same request waits for the same approval"
    approve(world, approval_id)
    change(world.vault)
    assert stored(world) == SHORT
    require_used_once(world, approval_id)
    change(world.vault)  # an identical one changes nothing and asks nobody
    assert len(of_type(world, "ApprovalRequested")) == 1
    require_whole_journal(world)


def test_the_journal_says_who_asked_who_decided_what_was_before_and_what_came_after():
    world = protected()
    approval_id = ask(world)
    decide(world.vault, approval_id, APPROVER, approve=True, reason="as agreed")
    change(world.vault)
    (asked,), (decided,) = of_type(world, "ApprovalRequested"), of_type(world, "ApprovalDecided")
    assert (asked.actor, asked.body["author"]) == (ACTOR, ACTOR)
    assert (asked.body["before"], asked.body["after"]) == (policy_properties(), SHORT)
    assert "P7D instead of P1M" in asked.body["reasons"][0]
    assert "pg-orders" in asked.body["reasons"][1]
    assert (decided.actor, decided.body["reason"]) == (APPROVER, "as agreed")
    used = of_type(world, "PolicyChanged")[-1]
    assert (used.body["approval_id"], used.body["before"]) == (approval_id, policy_properties())


def test_the_refusal_names_the_approval_the_reasons_and_the_way_on():
    world = protected()
    with pytest.raises(ApprovalRequiredError) as refused:
        change(world.vault)
    error = refused.value
    assert error.code == "ApprovalRequired"
    assert error.target in error.message
    assert "P7D instead of P1M" in error.message
    for named in ("Backup.Approver", "not the author", f"POST /api/vault/approvals/{error.target}/approve", "24 hours"):
        assert named in error.hint


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(LONG, id="longer retention"),
        pytest.param(policy_properties("R/2026-01-05T04:00:00+00:00/P1D"), id="another schedule"),
    ],
)
def test_nobody_is_asked_for_what_weakens_nothing(properties: dict[str, Any]):
    world = protected()
    change(world.vault, properties)
    assert stored(world) == properties
    assert list_approvals(world.vault) == []


def test_nobody_is_asked_for_a_policy_that_no_instance_follows():
    world = protected()
    put_policy(world.vault, "other", policy_properties(), ACTOR)
    put_policy(world.vault, "other", SHORT, ACTOR)
    assert list_approvals(world.vault) == []


def test_any_change_of_a_policy_that_this_version_cannot_read_is_critical():
    world = protected()
    values = {"properties": '{"objectType": "BackupPolicy", "policyRules": []}'}
    world.vault.ports.rows.apply("config", "vault", [Merge(key="policy-daily", values=values)])
    approval_id = ask(world, LONG)
    assert "cannot read" in get_approval(world.vault, approval_id)[0].reasons[0]


# Who and what --------------------------------------------------------------------------------------------------------


def test_the_author_cannot_approve_but_may_withdraw():
    world = protected()
    approval_id = ask(world)
    with pytest.raises(NotAuthorizedError) as refused:
        decide(world.vault, approval_id, {**APPROVER, "oid": ACTOR["oid"].upper()}, approve=True)
    assert refused.value.code == "AuthorCannotApprove"
    assert state(world, approval_id) is ApprovalState.PENDING
    assert decide(world.vault, approval_id, ACTOR, approve=False)[1] is ApprovalState.REJECTED


def test_another_author_or_another_body_needs_another_approval():
    world = protected()
    approval_id = ask(world)
    approve(world, approval_id)
    others = {ask(world, actor=OTHER), ask(world, policy_properties(keep_for="P8D"))}
    assert len(others | {approval_id}) == 3
    assert state(world, approval_id) is ApprovalState.APPROVED
    change(world.vault)


def test_the_same_person_with_another_correlation_id_is_the_same_author():
    world = protected()
    approval_id = ask(world)
    assert ask(world, actor={**ACTOR, "correlation_id": "c-9", "from": "198.51.100.1"}) == approval_id


@pytest.mark.parametrize("is_approved", [False, True], ids=["pending", "approved"])
def test_an_approval_is_void_when_what_it_changes_was_changed_meanwhile(is_approved: bool):
    world = protected()
    approval_id = ask(world)
    if is_approved:
        approve(world, approval_id)
    change(world.vault, LONG)
    assert state(world, approval_id) is ApprovalState.VOID
    with pytest.raises(ConflictError, match="void"):
        decide(world.vault, approval_id, OTHER, approve=True)
    another = ask(world)
    assert another != approval_id
    assert get_approval(world.vault, another)[0].before == LONG


def test_who_was_given_an_approval_that_does_not_count_any_more_is_told_so():
    world = protected()
    set_soft_delete(world, SoftDelete.ON, 14)
    given = ask_to_delete(world)
    approve(world, given)
    set_soft_delete(world, SoftDelete.ON, 30)
    for _ in range(2):
        with pytest.raises(ApprovalRequiredError, match=f"approval '{given}', which was given, does not count") as told:
            request_deletion(world.vault, INSTANCE_ID, ACTOR)
        assert told.value.target != given
    with pytest.raises(ApprovalRequiredError) as other:
        request_deletion(world.vault, INSTANCE_ID, OTHER)
    assert "does not count" not in other.value.message, "it was another author's"
    set_soft_delete(world, SoftDelete.ON, 14)
    request_deletion(world.vault, INSTANCE_ID, ACTOR)  # it is again what was approved
    require_used_once(world, given)


def test_a_rejected_request_is_told_so_and_asks_anew():
    world = protected()
    first = ask(world)
    decide(world.vault, first, APPROVER, approve=False, reason="not this year")
    with pytest.raises(ApprovalRequiredError, match="rejected by Anna: not this year") as refused:
        change(world.vault)
    second = refused.value.target
    assert (first[:-4], first[-4:], second[-4:]) == (second[:-4], "0000", "0001")
    approve(world, second)
    change(world.vault)
    require_used_once(world, second)
    assert state(world, first) is ApprovalState.REJECTED


def test_a_request_that_nobody_decides_on_expires():
    world = protected()
    first = ask(world)
    world.clock.advance(WAITS_FOR)
    assert state(world, first) is ApprovalState.EXPIRED
    with pytest.raises(ConflictError, match="expired"):
        decide(world.vault, first, APPROVER, approve=True)
    with pytest.raises(ApprovalRequiredError, match="nobody decided on it in time") as refused:
        change(world.vault)
    assert refused.value.target != first


def test_an_approval_that_nobody_uses_expires():
    world = protected()
    first = ask(world)
    world.clock.advance(WAITS_FOR - timedelta(hours=1))
    approve(world, first)
    world.clock.advance(USABLE_FOR)
    with pytest.raises(ApprovalRequiredError, match="nobody used it in time"):
        change(world.vault)
    assert stored(world) == policy_properties()


def test_a_decision_is_made_once():
    world = protected()
    approval_id = ask(world)
    approve(world, approval_id)
    approve(world, approval_id)
    for actor, decision in ((OTHER, True), (OTHER, False), (APPROVER, False)):
        with pytest.raises(ConflictError, match="approved by Anna"):
            decide(world.vault, approval_id, actor, approve=decision)
    assert len(of_type(world, "ApprovalDecided")) == 1
    change(world.vault)
    with pytest.raises(ConflictError, match="was used"):
        decide(world.vault, approval_id, OTHER, approve=False)


def test_of_two_decisions_at_once_one_counts_and_the_other_is_told():
    world = protected()
    approval_id = ask(world)
    rival = quietly(lambda: decide(world.vault, approval_id, OTHER, approve=False))
    world.memory.faults.run_next("vault_writer.create", rival)
    with pytest.raises(ConflictError, match="rejected by Otto"):
        decide(world.vault, approval_id, APPROVER, approve=True)
    assert state(world, approval_id) is ApprovalState.REJECTED


def test_an_unknown_approval_is_not_found():
    with pytest.raises(NotFoundError):
        decide(protected().vault, f"{'0' * 32}-0000", APPROVER, approve=True)


def test_approvals_are_listed_newest_first_and_by_state():
    world = protected()
    first = ask(world)
    world.clock.advance(timedelta(seconds=1))
    second = ask(world, actor=OTHER)
    approve(world, first)

    def ids(found: list[tuple[Approval, ApprovalState]]) -> list[str]:
        return [approval.id for approval, _ in found]

    assert ids(list_approvals(world.vault)) == [second, first]
    assert ids(list_approvals(world.vault, ApprovalState.PENDING)) == [second]
    assert ids(list_approvals(world.vault, ApprovalState.APPROVED)) == [first]


def test_of_an_author_only_so_many_approvals_may_wait_at_once():
    world = protected()
    for number in range(MOST_UNDECIDED):
        ask(world, policy_properties(keep_for=f"P{7 + number % 20}D", interval=slots_at(number)))
    with pytest.raises(ConflictError, match="100 approvals") as refused:
        change(world.vault)
    assert (refused.value.code, bool(refused.value.hint)) == ("TooManyApprovals", True)
    assert len(list_approvals(world.vault)) == MOST_UNDECIDED
    ask(world, policy_properties(keep_for="P7D", interval=slots_at(0)))  # it waits already
    ask(world, actor=OTHER)
    decide(world.vault, list_approvals(world.vault)[-1][0].id, APPROVER, approve=False)
    ask(world)
    with pytest.raises(ConflictError, match="100 approvals"):
        ask(world, policy_properties(keep_for="P8D", interval=slots_at(200)))
    world.clock.advance(WAITS_FOR)
    ask(world, policy_properties(keep_for="P8D", interval=slots_at(200)))


def slots_at(number: int) -> str:
    return f"R/2026-01-05T{3 + number // 60:02d}:{number % 60:02d}:00+00:00/P1D"


def test_of_a_page_of_approvals_only_what_it_shows_is_looked_up():
    world = protected()
    for days in range(7, 17):
        ask(world, policy_properties(keep_for=f"P{days}D"))
    interruption = Interruption()
    found = each_approval(interrupted(world.vault, interruption))
    assert len(list(islice(found, 3))) == 3
    assert interruption.calls == ["rows.query", *3 * ["rows.find"]]
    interruption = Interruption()
    assert list(each_approval(interrupted(world.vault, interruption), ApprovalState.APPROVED)) == []
    assert interruption.calls == ["rows.query"]


def test_a_secret_in_the_reason_of_a_decision_is_journalled_nowhere():
    world = protected()
    decide(world.vault, ask(world), APPROVER, approve=False, reason=f"see {SECRET}")
    assert of_type(world, "ApprovalDecided")[0].body["reason"] == "see https://a.blob.core.windows.net/c?[redacted]"


SECRET = "https://a.blob.core.windows.net/c?sv=1&sig=c2VjcmV0"


# Races and crashes ---------------------------------------------------------------------------------------------------


def test_identical_requests_at_once_make_one_approval():
    world = protected()
    found: list[str] = []

    def run() -> None:
        try:
            change(world.vault)
        except ApprovalRequiredError as error:
            found.append(error.target)

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert len(set(found)) == 1
    assert len(of_type(world, "ApprovalRequested")) == 1
    require_whole_journal(world)


def test_a_policy_that_comes_into_use_while_it_is_weakened_needs_an_approval():
    world = protected()
    put_policy(world.vault, "other", policy_properties(), ACTOR)
    world.memory.faults.run_next(
        "vault_writer.create", quietly(lambda: protect(world, request_key="move", policy="other"))
    )
    with pytest.raises(ConflictError, match="came into use"):
        put_policy(world.vault, "other", SHORT, ACTOR)
    assert catalog.get_policy(world.vault.ports, "other").properties == policy_properties()


def test_of_two_uses_at_once_one_counts():
    world = protected()
    approval_id = ask(world)
    approve(world, approval_id)
    world.memory.faults.run_next("vault_writer.create", quietly(lambda: change(world.vault)))
    change(world.vault)  # the same change of the same state is the same event
    require_used_once(world, approval_id)
    require_whole_journal(world)


def test_an_approval_that_expires_while_it_is_being_used_is_not_used():
    world = protected()
    approval_id = ask(world)
    approve(world, approval_id)

    def let_it_expire_and_take_the_number() -> None:
        world.clock.advance(USABLE_FOR)
        put_policy(world.vault, "other", policy_properties(), ACTOR)

    world.memory.faults.run_next("vault_writer.create", let_it_expire_and_take_the_number)
    with pytest.raises(ApprovalRequiredError, match="Expired"):
        change(world.vault)
    assert (stored(world), state(world, approval_id)) == (policy_properties(), ApprovalState.EXPIRED)


def test_an_approval_is_not_asked_for_by_what_was_changed_before_it_was_written():
    world = protected()
    world.memory.faults.run_next("vault_writer.create", quietly(lambda: change(world.vault, LONG)))
    with pytest.raises(ConflictError, match="changed by somebody else"):
        change(world.vault)
    assert list_approvals(world.vault) == []


def test_a_policy_that_an_instance_would_go_back_to_counts_as_used():
    world = protected()
    put_policy(world.vault, "long", LONG, ACTOR)
    move(world.vault, "long")
    assert world.instance().state is ProtectionState.UPDATING
    ask(world)
    with pytest.raises(PermanentError, match="pg-orders"):
        delete_policy(world.vault, "daily", ACTOR)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_process_may_die_at_any_call_and_the_approval_is_used_once(after: bool):
    def whole(world: World, vault: Vault) -> str:
        with pytest.raises(ApprovalRequiredError) as refused:
            change(vault)
        decide(vault, refused.value.target, APPROVER, approve=True)
        change(vault)
        return refused.value.target

    def resumed(world: World) -> str:
        """What people do after a crash: send again what had no answer."""
        approval_id = ""
        for _ in range(2):
            try:
                change(world.vault)
                break
            except ApprovalRequiredError as refused:
                approval_id = refused.target
                decide(world.vault, approval_id, APPROVER, approve=True)
        return approval_id or list_approvals(world.vault)[0][0].id

    counted = Interruption()
    quiet = protected()
    whole(quiet, interrupted(quiet.vault, counted))
    assert len(counted.calls) > 20
    for call, name in enumerate(counted.calls):
        world = protected()
        with pytest.raises(CrashError):
            whole(world, interrupted(world.vault, crash_at(call, after=after)))
        approval_id = resumed(world)
        assert stored(world) == SHORT, (call, name)
        require_used_once(world, approval_id)
        assert len(of_type(world, "ApprovalRequested")) == 1, (call, name)
        assert len(of_type(world, "ApprovalDecided")) == 1, (call, name)
        require_whole_journal(world)
