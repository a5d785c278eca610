"""What an approval is worth, and what makes a change of policy critical."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.domain.approval import USABLE_FOR, WAITS_FOR, Approval, ApprovalState
from flexvault.domain.event_type import Target
from flexvault.domain.policy_change import find_weakenings_of
from tests.builders import policy_properties

AT = datetime(2026, 1, 5, tzinfo=UTC)
PENDING = Approval(
    id=f"{'a' * 32}-0000",
    operation="policy/write",
    path="/vault/daily",
    author={"oid": "Author"},
    reasons=("it keeps less",),
    before={},
    after={},
    target=Target(table="config", partition="vault", key="policy-daily"),
    target_seq=4,
    requested_at=AT,
    expires_at=AT + WAITS_FOR,
)
APPROVED = replace(PENDING, decision="approved", decided_at=AT, expires_at=AT + USABLE_FOR)
REJECTED = replace(PENDING, decision="rejected", decided_at=AT)
USED = replace(APPROVED, used_event_id="event", used_at=AT)
MOMENT = timedelta(microseconds=1)

STATES = [
    pytest.param(PENDING, timedelta(), 4, ApprovalState.PENDING, id="nobody decided"),
    pytest.param(PENDING, WAITS_FOR - MOMENT, 4, ApprovalState.PENDING, id="it waits for three days"),
    pytest.param(PENDING, WAITS_FOR, 4, ApprovalState.EXPIRED, id="and no longer"),
    pytest.param(PENDING, timedelta(), 5, ApprovalState.VOID, id="what it would change was changed"),
    pytest.param(PENDING, timedelta(), 0, ApprovalState.VOID, id="what it would change is gone"),
    pytest.param(APPROVED, USABLE_FOR - MOMENT, 4, ApprovalState.APPROVED, id="usable for a day"),
    pytest.param(APPROVED, USABLE_FOR, 4, ApprovalState.EXPIRED, id="and no longer than a day"),
    pytest.param(APPROVED, timedelta(), 5, ApprovalState.VOID, id="approved, then changed otherwise"),
    pytest.param(REJECTED, WAITS_FOR, 5, ApprovalState.REJECTED, id="rejected stays rejected"),
    pytest.param(USED, WAITS_FOR, 5, ApprovalState.USED, id="used stays used"),
]


@pytest.mark.parametrize(("approval", "later", "seq", "state"), STATES)
def test_the_state_follows_from_decision_use_time_and_target(
    approval: Approval, later: timedelta, seq: int, state: ApprovalState
):
    assert approval.state(AT + later, seq) is state


def test_the_author_is_known_by_the_object_id_in_any_case():
    assert PENDING.is_by({"oid": "aUTHOR", "name": "another name"})
    assert not PENDING.is_by({"oid": "other"})


# Policies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({}, policy_properties(), id="the present one"),
        pytest.param(None, policy_properties(), id="there is no present one"),
        pytest.param(policy_properties(), {}, id="the new one"),
    ],
)
def test_what_this_version_cannot_read_counts_as_weaker(old: Any, new: Any):
    (reason,) = find_weakenings_of(old, new, AT)
    assert "cannot read" in reason


def test_policies_are_compared_as_they_are_stored():
    old, new = policy_properties(keep_for="P2M"), policy_properties(keep_for="P1M")
    assert find_weakenings_of(old, old, AT) == find_weakenings_of(new, old, AT) == ()
    (reason,) = find_weakenings_of(old, new, AT)
    for named in ("'Default'", "P1M", "P2M"):
        assert named in reason
